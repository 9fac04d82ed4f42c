"""Arguments shared by the solvers on periodic cells, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mksdask.errors import missing_extra
from mksdask.lazy import ArrayLike, is_lazy

SPACE = ("x", "y", "z")
ENGINES = ("fft", "sfepy")


@dataclass(frozen=True)
class Control:
    """How to solve, and what to do where that fails."""

    engine: str
    tolerance: float
    exactly: int | None
    on_failure: str
    threads: int

    @classmethod
    def checked(
        cls,
        engine: str,
        tolerance: float | None,
        max_iterations: int | None,
        on_failure: str,
        dtype: np.dtype[Any],
        threads: int,
    ) -> Control:
        """Check each argument; fill in the default tolerance of the precision."""
        if engine not in ENGINES:
            raise ValueError(f"engine is {engine!r}; wanted one of {ENGINES}")
        if engine == "sfepy":
            from importlib.util import find_spec

            if find_spec("sfepy") is None:
                raise missing_extra("sfepy", "sfepy", 'engine="sfepy"')
            if max_iterations is not None:
                raise ValueError("max_iterations is for engine='fft'; engine='sfepy' is direct")
        if tolerance is None:
            tolerance = 1e-4 if dtype == np.float32 else 1e-6
        least = 5e-6 if dtype == np.float32 else 1e-14
        if not isinstance(tolerance, Real) or not least <= tolerance < 1:
            raise ValueError(
                f"tolerance is {tolerance!r}; wanted a number from {least:g}, which {np.dtype(dtype)} "
                "can reach, to 1"
            )
        if max_iterations is not None and (
            not isinstance(max_iterations, int | np.integer) or max_iterations < 0
        ):
            raise ValueError(f"max_iterations is {max_iterations!r}; wanted None or a count >= 0")
        if on_failure not in ("raise", "flag"):
            raise ValueError(f"on_failure is {on_failure!r}; wanted 'raise' or 'flag'")
        if not isinstance(threads, int | np.integer) or threads < 1:
            raise ValueError(f"threads is {threads!r}; wanted a count >= 1")
        exactly = None if max_iterations is None else int(max_iterations)
        return cls(engine, float(tolerance), exactly, on_failure, int(threads))


def checked_dtype(dtype: Any) -> np.dtype[Any]:
    """float32 or float64.

    >>> checked_dtype("float32")
    dtype('float32')
    """
    found = np.dtype(dtype)
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype is {found}; wanted float32 or float64")
    return found


@dataclass
class Cells:
    """Arrays that describe the cells, with a sample dimension, ready to be lifted."""

    arrays: list[ArrayLike]
    dims: list[tuple[str, ...]]
    space: tuple[str, ...]
    single: bool  # a DataArray without samples came in
    voxel: tuple[float, ...]  # edges of a voxel, whose geometric mean is 1; exactly 1 for cubes
    attrs: Mapping[str, Any] = field(default_factory=dict)  # of what came in
    name: str | None = None

    def add(self, array: ArrayLike, name: str, trailing: tuple[str, ...], n: int) -> None:
        """Another array over the same cells, with ``trailing`` axes of length ``n``."""
        wanted = (*(("sample",) if not self.single else ()), *self.space, *trailing)
        if isinstance(array, xr.DataArray):
            if set(array.dims) != set(wanted):
                raise ValueError(f"{name} has dims {array.dims}; wanted {wanted}")
            sizes = [array.sizes[t] for t in trailing]
            array = array.expand_dims("sample") if self.single else array
        else:
            array = array if hasattr(array, "ndim") else np.asarray(array)
            if array.ndim != len(wanted):
                raise ValueError(
                    f"{name} has {array.ndim} axes of shape {array.shape}; wanted {len(wanted)}: "
                    f"{wanted}"
                )
            sizes = list(array.shape[-len(trailing) :])
            array = array[None] if self.single else array
        if array.dtype.kind != "f":
            raise TypeError(f"{name} holds {array.dtype}; wanted floating-point numbers")
        if any(s != n for s in sizes):
            raise ValueError(f"{name} has {sizes} along {trailing}; wanted {n} along each")
        self.arrays.append(array)
        self.dims.append(("sample", *self.space, *trailing))

    def number(self) -> None:
        """Let the samples be told from one another: their coordinate, or their places, come last.

        >>> cells = labelled_cells(np.zeros((3, 8, 8), int))
        >>> cells.number()
        >>> cells.arrays[-1]
        array([0, 1, 2])
        """
        first = self.arrays[0]
        labels = first.coords.get("sample") if isinstance(first, xr.DataArray) else None
        count = first.sizes["sample"] if isinstance(first, xr.DataArray) else len(first)
        numbers = np.arange(count) if labels is None or labels.ndim != 1 else labels.values
        if is_lazy(first):
            along = first.chunksizes["sample"] if labels is not None else None
            if along is None:
                axis = first.dims.index("sample") if isinstance(first, xr.DataArray) else 0
                along = first.chunks[axis]
            numbers = da.from_array(numbers, chunks=(along,))
        self.arrays.append(numbers)
        self.dims.append(("sample",))

    def check_phases(self, given: int, what: str) -> None:
        """Refuse properties that are not one for each phase which the data says it has."""
        names = self.attrs.get("phase_names")
        origin = self.attrs.get("provenance")
        known = origin.get("parameters") if isinstance(origin, Mapping) else None
        if names is not None:
            declared, where = len(names), "attrs['phase_names']"
        elif "n_phases" in self.attrs:
            declared, where = int(self.attrs["n_phases"]), "attrs['n_phases']"
        elif self.name == "phase" and isinstance(known, Mapping) and "n_phases" in known:
            declared, where = int(known["n_phases"]), "attrs['provenance']"
        else:
            return
        if declared != given:
            raise ValueError(
                f"{what} given for {given} phases, and phase has {declared} by its {where}; wanted "
                f"one for each phase (or take {where} away, if the labels have been changed since)"
            )


def labelled_cells(phase: ArrayLike) -> Cells:
    """Cells given by integer labels.

    >>> labelled_cells(np.zeros((5, 8, 8), int)).space
    ('x', 'y')
    """
    cells = bare_cells(phase, "phase", 0)
    if phase.dtype.kind not in "iub":
        raise TypeError(
            f"phase holds {phase.dtype}; wanted integer labels from 0: round and cast them with "
            ".astype(int) if they are labels"
        )
    whole = phase.expand_dims("sample") if cells.single else phase
    cells.arrays.append(whole.astype(np.uint8) if phase.dtype.kind == "b" else whole)
    cells.dims.append(("sample", *cells.space))
    return cells


def bare_cells(array: ArrayLike, name: str, trailing: int) -> Cells:
    """The axes of cells in two or three dimensions, read off an array with ``trailing`` more.

    >>> bare_cells(np.zeros((5, 8, 8, 8, 6, 6)), "stiffness", 2).space
    ('x', 'y', 'z')
    """
    if not hasattr(array, "ndim") or not hasattr(array, "dtype"):
        raise TypeError(f"{name} is a {type(array).__name__}; wanted a DataArray or an array")
    if isinstance(array, xr.DataArray):
        space = tuple(d for d in SPACE if d in array.dims)
        d = len(space)
        if d < 2 or space != SPACE[:d]:
            raise ValueError(
                f"{name} has dims {array.dims}; wanted sample, x, y[, z]: rename or select them"
            )
        attrs = dict(array.attrs)
        single = "sample" not in array.dims
        known = d + trailing + (not single)
    else:
        d = array.ndim - 1 - trailing
        space, single, known, attrs = SPACE[:d], False, array.ndim, {}
    if d not in (2, 3) or array.ndim != known:
        raise ValueError(
            f"{name} has {array.ndim} axes of shape {array.shape}; wanted sample, x, y[, z]"
            + (f" and {trailing} more" if trailing else "")
        )
    if 0 in array.shape[1:]:
        raise ValueError(f"{name} has shape {array.shape}; wanted no empty axis of space")
    voxel = voxel_edges(attrs.get("voxel_size"), d, name)
    return Cells([], [], space, single, voxel, attrs, getattr(array, "name", None))


def voxel_edges(voxel_size: Any, d: int, name: str) -> tuple[float, ...]:
    """Edges of a voxel, in units of their geometric mean, from ``attrs["voxel_size"]``."""
    if voxel_size is None:
        return (1.0,) * d
    edges = np.ravel(voxel_size)
    if edges.dtype.kind not in "iuf" or len(edges) not in (1, d) or not (edges > 0).all():
        raise ValueError(
            f"{name} has attrs['voxel_size'] {voxel_size!r}; wanted positive lengths, one or one "
            f"for each of {', '.join(SPACE[:d])}: correct or remove it"
        )
    if np.allclose(edges, edges[0], rtol=1e-5):
        return (1.0,) * d
    return tuple((edges / np.exp(np.log(edges).mean())).tolist())
