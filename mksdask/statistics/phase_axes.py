"""The axes of labelled microstructures, and the arguments that point into them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

SAMPLE = "sample"
SPACE = ("x", "y", "z")


def spatial_dims(phase: Any, name: str = "phase") -> tuple[str, ...]:
    """Names of the spatial axes of ``phase``: (sample, x[, y[, z]]).

    >>> spatial_dims(np.zeros((4, 8, 8)))
    ('x', 'y')
    """
    if not isinstance(phase, xr.DataArray):
        n_space = len(phase.shape) - 1
        if not 1 <= n_space <= 3:
            raise ValueError(
                f"{name} has {len(phase.shape)} axes of shape {tuple(phase.shape)}; wanted 2 to 4: "
                "sample and 1 to 3 axes of space (phase[None] makes one sample)"
            )
        space = SPACE[:n_space]
    else:
        space = tuple(d for d in SPACE if d in phase.dims)
        extra = [str(d) for d in phase.dims if d not in (SAMPLE, *SPACE)]
        if SAMPLE not in phase.dims or not space or extra:
            raise ValueError(
                f"{name} has dims {tuple(map(str, phase.dims))}; wanted 'sample' and some of "
                f"{SPACE} (.expand_dims('sample') makes one sample)"
            )
    if 0 in phase.shape:
        raise ValueError(f"{name} has shape {tuple(phase.shape)}; wanted no axis of length 0")
    return space


def require_labels(phase: Any) -> None:
    """Refuse anything but integer or boolean labels."""
    if phase.dtype.kind not in "iub":
        raise TypeError(
            f"phase has dtype {phase.dtype}; wanted integer labels: threshold or cast it first"
        )


def axis_index(axis: str | int, space: tuple[str, ...]) -> int:
    """Number of the spatial axis called ``axis``.

    >>> axis_index("y", ("x", "y")), axis_index(0, ("x", "y"))
    (1, 0)
    """
    if isinstance(axis, str) and axis in space:
        return space.index(axis)
    if isinstance(axis, int | np.integer) and not isinstance(axis, bool) and 0 <= axis < len(space):
        return int(axis)
    raise ValueError(f"axis is {axis!r}; wanted one of {space} or 0 to {len(space) - 1}")


def axis_length(phase: Any, space: tuple[str, ...], axis: int) -> int:
    """Number of voxels along spatial axis ``axis``."""
    if isinstance(phase, xr.DataArray):
        return int(phase.sizes[space[axis]])
    return int(phase.shape[1 + axis])


def state_label(state: int | str, phase: Any) -> int:
    """Label of ``state``, given as such or by its name in ``phase.attrs["phase_names"]``."""
    if isinstance(state, str):
        names = list(getattr(phase, "attrs", {}).get("phase_names", ()))
        if state not in names:
            raise ValueError(f"state is {state!r}; wanted a label or one of the names {names}")
        return names.index(state)
    if isinstance(state, bool) or not isinstance(state, int | np.integer):
        raise TypeError(f"state is {state!r}; wanted an integer label or the name of a phase")
    if state < 0:
        raise ValueError(f"state is {state}; wanted a label of at least 0")
    return int(state)


def is_periodic(boundary: str) -> bool:
    """Whether ``boundary`` joins the two ends of an axis."""
    if boundary not in ("periodic", "nonperiodic"):
        raise ValueError(f"boundary is {boundary!r}; wanted 'periodic' or 'nonperiodic'")
    return boundary == "periodic"
