"""Checkerboards of two or more phases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from mksdask.generate.arguments import AXES, checked_phases, checked_shape
from mksdask.generate.provenance import described
from mksdask.generate.seeded import lazy_samples


def checkerboard(
    shape: Sequence[int], square: int | Sequence[int] = 1, *, n_phases: int = 2
) -> xr.DataArray:
    """One checkerboard: phase = (sum over the axes of x_i // square_i) mod n_phases.

    Parameters
    ----------
    shape
        Voxels along x[, y[, z]].
    square
        Voxels along each side of a square, one number or one an axis.
    n_phases
        The phases take turns along each axis.

    Returns
    -------
    DataArray ``phase`` of one sample. Its attribute ``periodic`` names the axes along which the
    pattern continues over the edge.

    Examples
    --------
    >>> checkerboard((4, 5), (2, 3))[0].values
    array([[0, 0, 0, 1, 1],
           [0, 0, 0, 1, 1],
           [1, 1, 1, 0, 0],
           [1, 1, 1, 0, 0]], dtype=uint8)
    >>> checkerboard((4, 5), (2, 3)).periodic
    ['x']
    """
    shape = checked_shape(shape)
    n_phases = checked_phases(n_phases)
    given = np.asarray(square)
    if given.dtype.kind not in "iu" or (given < 1).any():
        raise ValueError(f"square is {square!r}; wanted whole numbers of at least 1 voxel")
    if given.shape not in ((), (len(shape),)):
        raise ValueError(f"square has shape {given.shape}; wanted one number or {len(shape)}")
    squares = np.broadcast_to(given, (len(shape),)).tolist()
    return lazy_samples(
        _make,
        shape,
        1,
        seed=0,
        attrs=described(
            "checkerboard",
            [
                AXES[i]
                for i, (n, s) in enumerate(zip(shape, squares, strict=True))
                if n % (n_phases * s) == 0
            ],
            n_phases=n_phases,
            square=squares,
        ),
        options={"squares": squares, "n_phases": n_phases},
    )


def _make(
    rng: np.random.Generator,
    parameters: np.ndarray,
    *,
    shape: tuple[int, ...],
    squares: Sequence[int],
    n_phases: int,
) -> np.ndarray:
    total = np.zeros(shape, dtype=int)
    for axis, (n, square) in enumerate(zip(shape, squares, strict=True)):
        total += (np.arange(n) // square).reshape((-1,) + (1,) * (len(shape) - 1 - axis))
    return (total % n_phases).astype(np.uint8)
