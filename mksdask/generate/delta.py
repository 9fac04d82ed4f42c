"""Delta microstructures: one voxel of one phase in a cell of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from mksdask.generate.arguments import AXES, checked_phases, checked_shape
from mksdask.generate.provenance import described
from mksdask.generate.seeded import lazy_samples


def delta(n_phases: int, shape: Sequence[int], *, chunks: int | None = None) -> xr.DataArray:
    """Every ordered pair of phases as one voxel of the second in a cell of the first.

    Their n (n - 1) responses calibrate a first-order localization exactly. The voxel is the one
    at shape // 2.

    Parameters
    ----------
    n_phases
        At least 2.
    shape
        Voxels along x[, y[, z]].
    chunks
        Samples a chunk.

    Returns
    -------
    DataArray ``phase`` of uint8 labels with the coordinates ``matrix`` and ``inclusion``.

    Examples
    --------
    >>> cells = delta(3, (3, 3))
    >>> cells.matrix.values, cells.inclusion.values
    (array([0, 0, 1, 1, 2, 2]), array([1, 2, 0, 2, 0, 1]))
    >>> cells[3].values
    array([[1, 1, 1],
           [1, 2, 1],
           [1, 1, 1]], dtype=uint8)
    """
    shape = checked_shape(shape)
    if checked_phases(n_phases) < 2:
        raise ValueError(f"n_phases is {n_phases}; wanted at least 2, for a voxel unlike the rest")
    if np.prod(shape) < 2:
        raise ValueError(f"shape is {shape}; wanted room for a voxel and its surroundings")
    pairs = np.argwhere(~np.eye(n_phases, dtype=bool))
    return lazy_samples(
        _make,
        shape,
        len(pairs),
        seed=0,
        chunks=chunks,
        parameters=pairs.astype(float),
        coords={"matrix": pairs[:, 0], "inclusion": pairs[:, 1]},
        attrs=described("delta", AXES[: len(shape)], n_phases=int(n_phases)),
    )


def _make(
    rng: np.random.Generator, parameters: np.ndarray, *, shape: tuple[int, ...]
) -> np.ndarray:
    cell = np.full(shape, parameters[0], dtype=np.uint8)
    cell[tuple(n // 2 for n in shape)] = parameters[1]
    return cell
