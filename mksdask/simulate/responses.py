"""Lift the solution of cells over an ensemble; name, and tell the origin of, what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from mksdask.lazy import ArrayLike, Output, lift, lift_many
from mksdask.simulate.arguments import Cells, Control
from mksdask.simulate.loads import Load
from mksdask.version import __version__

STATE = {"iterations": np.int64, "residual": np.float64, "converged": np.bool_}
GRID = ("voxel_size", "voxel_unit")


def checked_outputs(outputs: Any, known: Sequence[str]) -> tuple[str, ...]:
    """The names of outputs, if they are such.

    >>> checked_outputs(["strain"], ("strain", "stress"))
    ('strain',)
    """
    if isinstance(outputs, str) or not outputs or not set(outputs) <= set(known):
        raise ValueError(f"outputs is {outputs!r}; wanted a tuple of names among {tuple(known)}")
    return tuple(outputs)


def solved_lazily(
    cells: Cells,
    phases: Any,
    control: Control,
    load: Load,
    outputs: Sequence[str],
    local: Sequence[str],
    components: tuple[str, Sequence[str]],
    attrs: Mapping[str, Mapping[str, Any]],
    origin: Mapping[str, Any],
) -> xr.Dataset:
    """Responses to one load: ``outputs``, of which ``local`` are fields.

    ``components`` are the name of the dimension of components and their labels; ``attrs`` those of
    single outputs, ``origin`` those of the dataset.
    """
    from mksdask.simulate.cell_blocks import solved  # here, as it brings in the compiler

    dim, labels = components
    axis: Any = {"sizes": {dim: len(labels)}, "coords": {dim: list(labels)}}
    wanted = {}
    for name in outputs:
        told = attrs.get(name, {})
        if name in STATE:
            wanted[name] = Output(("sample",), STATE[name])
        elif name in local:
            wanted[name] = Output(("sample", *cells.space, dim), phases.dtype, **axis, attrs=told)
        else:
            wanted[name] = Output(("sample", dim), np.float64, **axis, attrs=told)
    cells.number()
    results = lift_many(
        solved,
        *cells.arrays,
        dims=cells.dims,
        outputs=wanted,
        kwargs={
            "phases": phases,
            "control": control,
            "load": load,
            "components": tuple(labels),
            "outputs": {name: name in local for name in wanted},
        },
        name=str(origin["provenance"]["created_by"]).rsplit(".", 1)[-1],
    )
    named = {}
    for (name, value), out in zip(results.items(), wanted.values(), strict=True):
        if not isinstance(value, xr.DataArray):
            value = xr.DataArray(value, dims=out.dims, coords=dict(out.coords), attrs=out.attrs)
        named[name] = value
    ds = xr.Dataset(named, attrs=dict(origin))
    return ds.squeeze("sample") if cells.single else ds


def homogenized_lazily(
    cells: Cells,
    phases: Any,
    control: Control,
    name: str,
    components: tuple[str, Sequence[str]],
    origin: Mapping[str, Any],
) -> ArrayLike:
    """Effective property, with the dimension of components twice."""
    from mksdask.simulate.cell_blocks import homogenized

    dim, labels = components
    cells.number()
    result = lift(
        homogenized,
        *cells.arrays,
        dims=cells.dims,
        out_dims=("sample", dim, f"{dim}_2"),
        sizes={dim: len(labels), f"{dim}_2": len(labels)},
        coords={dim: list(labels), f"{dim}_2": list(labels)},
        dtype=np.float64,
        name=name,
        attrs=origin,
        kwargs={"phases": phases, "control": control},
    )
    return result.squeeze("sample") if cells.single else result


def described(function: str, cells: Cells, control: Control, **parameters: Any) -> dict[str, Any]:
    """Attributes of a response: the grid of its cells, and the call it comes from.

    Numbers of single voxels are left out, as are arguments that were not given.
    """
    parameters |= {
        "engine": control.engine,
        "tolerance": control.tolerance,
        "max_iterations": control.exactly,
        "on_failure": control.on_failure,
    }
    told = {name: _plain(value) for name, value in parameters.items() if value is not None}
    return {
        **{name: cells.attrs[name] for name in GRID if name in cells.attrs},
        "periodic": list(cells.space),
        "provenance": {
            "created_by": f"mksdask.simulate.{function}",
            "version": __version__,
            "parameters": told,
        },
    }


def _plain(value: Any) -> Any:
    """What JSON can hold of an argument."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.dtype):
        return str(value)
    if isinstance(value, np.ndarray | np.generic) and value.ndim <= 3:
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return "by voxel" if hasattr(value, "ndim") else value
