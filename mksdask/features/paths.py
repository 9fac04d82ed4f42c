"""How far one can go straight inside a phase, and how far the phase is connected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mksdask.features.base import FeatureSet, grid_of, labels_of
from mksdask.lazy import ArrayLike
from mksdask.statistics.lineal import path_probability


class LinealPaths(FeatureSet):
    """Lineal-path functions of phases along every axis of a periodic cell.

    L(r) is the probability that the voxels s, s + 1, ..., s + r along an axis are all in the phase
    (:func:`mksdask.lineal_path`): unlike two-point statistics it knows whether what lies between
    two points is the phase too.

    Parameters
    ----------
    states
        Labels of the phases.
    max_length
        Longest path in steps; the whole axis but one voxel if None.

    Examples
    --------
    >>> LinealPaths(states=(1,), max_length=2).transform(np.array([[1, 1, 1, 0]]))
    array([[0.75, 0.5 , 0.25]])
    """

    def __init__(self, states: Sequence[int] = (0, 1), max_length: int | None = None):
        self.states = states
        self.max_length = max_length

    def transform(self, phase: ArrayLike) -> ArrayLike:
        """Paths of each state along each axis, (sample, feature)."""
        states = labels_of(self.states)
        longest = {d: _clipped(self.max_length, n - 1) for d, n in grid_of(phase).items()}
        names = [
            f"L[{s}; {r}{d}]" for s in states for d, n in longest.items() for r in range(n + 1)
        ]
        return self._lifted(_paths, phase, names, states=states, longest=tuple(longest.values()))


class Connectivity(FeatureSet):
    """Which part of a periodic cell belongs to connected clusters of a phase, and to spanning ones.

    Voxels that share a face are connected, also through the faces of the cell. For each state: the
    largest cluster's share of the cell, and along each axis the share of clusters that reach from
    one face of the cell to the other without leaving it.

    Parameters
    ----------
    states
        Labels of the phases.

    Examples
    --------
    >>> phase = np.zeros((1, 4, 4), int); phase[0, 1] = 1
    >>> Connectivity(states=(1,)).transform(phase)   # a bar along y
    array([[0.25, 0.  , 0.25]])
    """

    def __init__(self, states: Sequence[int] = (0, 1)):
        self.states = states

    def transform(self, phase: ArrayLike) -> ArrayLike:
        """Largest cluster, then spanning clusters along each axis, of each state."""
        axes, states = list(grid_of(phase)), labels_of(self.states)
        names = [f"{what}[{s}]" for s in states for what in ("largest", *axes)]
        return self._lifted(_clusters, phase, names, states=states)


def _clipped(longest: int | None, most: int) -> int:
    if longest is None:
        return most
    if isinstance(longest, bool) or not isinstance(longest, int | np.integer) or longest < 0:
        raise ValueError(f"max_length is {longest!r}; wanted a number of steps of at least 0")
    return min(int(longest), most)


def _paths(block: np.ndarray, *, states: tuple[int, ...], longest: tuple[int, ...]) -> np.ndarray:
    return np.concatenate(
        [
            path_probability(block, state=s, axis=axis, longest=n, periodic=True)
            for s in states
            for axis, n in enumerate(longest)
        ],
        axis=1,
    )


def _clusters(block: np.ndarray, *, states: tuple[int, ...]) -> np.ndarray:
    d = block.ndim - 1
    out = np.zeros((len(block), len(states), 1 + d))
    for row, sample in zip(out, block, strict=True):
        for target, state in zip(row, states, strict=True):
            labels, n = ndimage.label(sample == state)
            if n == 0:
                continue
            volume = np.bincount(labels.ravel(), minlength=n + 1)
            volume[0] = 0
            joined = []
            for axis in range(d):
                first, last = (np.take(labels, i, axis).ravel() for i in (0, -1))
                spanning = np.intersect1d(first, last)
                target[1 + axis] = volume[spanning].sum() / sample.size
                joined.append(np.stack([first, last])[:, (first > 0) & (last > 0)])
            ends = np.concatenate(joined, axis=1)
            graph = coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(n + 1, n + 1))
            cluster = connected_components(graph, directed=False)[1]
            target[0] = np.bincount(cluster, volume).max() / sample.size
    return out.reshape(len(block), -1)
