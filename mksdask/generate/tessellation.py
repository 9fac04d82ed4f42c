"""Which seed each voxel belongs to: Voronoi and Laguerre tessellations of a box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

# Voxels looked up at once; bounds the memory beside the result to some 10 MB.
BATCH = 2**17


def tessellate(
    centers: np.ndarray,
    shape: Sequence[int],
    *,
    radii: np.ndarray | None = None,
    periodic: Sequence[bool] | None = None,
) -> np.ndarray:
    """Index of the seed nearest to each voxel.

    Voxel i spans [i, i + 1) along its axis and is judged by its middle. Without ``radii`` nearest
    is meant by distance (Voronoi), with them by the power distance |x - c|^2 - r^2 (Laguerre),
    which is a distance in one more dimension: |x - c|^2 + h^2 with h^2 = max(r^2) - r^2.

    Parameters
    ----------
    centers
        Shape (n_seeds, n_axes), in voxels, within [0, shape).
    shape
        Voxels along each axis.
    radii
        One a seed; larger ones take more room, and may leave none for a neighbour.
    periodic
        Whether each axis is; all of them by default.

    Examples
    --------
    >>> tessellate(np.array([[1.0], [4.4]]), (8,), periodic=[True])
    array([0, 0, 0, 1, 1, 1, 1, 0], dtype=int32)
    """
    shape = tuple(shape)
    box = np.array(shape, dtype=float)
    if periodic is not None:
        box = np.where(periodic, box, 0.0)  # the tree takes 0 for an open axis
    if radii is not None:
        squares = radii**2
        lift = np.sqrt(squares.max() - squares)
        centers = np.column_stack([centers, lift])
        box = np.append(box, 0.0)
    tree = cKDTree(centers, boxsize=box)
    total = int(np.prod(shape))
    found = np.empty(total, dtype=np.int32)
    for start in range(0, total, BATCH):
        flat = np.arange(start, min(start + BATCH, total))
        points = np.zeros((flat.size, centers.shape[1]))
        points[:, : len(shape)] = np.column_stack(np.unravel_index(flat, shape))
        points[:, : len(shape)] += 0.5
        found[flat] = tree.query(points)[1]
    return found.reshape(shape)
