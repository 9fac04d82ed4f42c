"""Parts of the two-point statistics that carry most of what a property depends on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mksdask.bases import PrimitiveBasis
from mksdask.features.base import FeatureSet, grid_of, label_of, voxel_of
from mksdask.lazy import ArrayLike
from mksdask.statistics.correlate import batches
from mksdask.statistics.two_point import read_problem, statistics_of_block


class AxisCorrelations(FeatureSet):
    """Two-point statistics along the axes only: f(r, 0, 0), f(0, r, 0), f(0, 0, r), r >= 0.

    f(r) is the probability that both ends of a vector thrown into the periodic cell lie in
    ``state``; f(0), the volume fraction, comes first and once. These lines hold the correlation
    lengths along each axis in a few numbers that a regression can weigh freely.

    Parameters
    ----------
    state
        Label of the phase. For two phases either says all.
    cutoff
        Longest lag in voxels; half the axis if None.

    Examples
    --------
    >>> phase = np.array([[[0, 1], [0, 1], [0, 1], [0, 1]]])
    >>> AxisCorrelations().transform(phase)
    array([[0.5, 0.5, 0.5, 0. ]])
    """

    def __init__(self, state: int = 1, cutoff: int | None = None):
        self.state = state
        self.cutoff = cutoff

    def transform(self, phase: ArrayLike) -> ArrayLike:
        """The lines, (sample, feature): the fraction, then lag 1, 2, ... along x, y, z."""
        state = label_of(self.state)
        longest = _longest(phase, self.cutoff)
        names = [f"f[{self.state}]"]
        names += [f"f[{self.state}; {r}{d}]" for d, n in longest.items() for r in range(1, n + 1)]
        return self._lifted(
            partial(_in_parts, _axis_lines),
            phase,
            names,
            state=state,
            longest=tuple(longest.values()),
        )


class RadialCorrelation(FeatureSet):
    """Two-point statistics averaged over directions, in shells one voxel thick.

    g(R) is the mean of f(r) of ``state`` over R - 1/2 <= |r| < R + 1/2, for R = 1 ... ``cutoff``:
    what is left of the statistics when the anisotropy is averaged out. Where voxels are no cubes
    (``attrs["voxel_size"]``) lengths are in units of their shortest edge.

    Parameters
    ----------
    state
        Label of the phase.
    cutoff
        Largest radius; half the shortest axis if None, which is also the most there is.

    Examples
    --------
    >>> phase = np.array([[[0, 1], [0, 1], [0, 1], [0, 1]]])
    >>> RadialCorrelation().transform(phase).round(3)
    array([[0.2]])
    """

    def __init__(self, state: int = 1, cutoff: int | None = None):
        self.state = state
        self.cutoff = cutoff

    def transform(self, phase: ArrayLike) -> ArrayLike:
        """The averages, (sample, feature): radius 1, 2, ..."""
        voxel = voxel_of(phase)
        edges = tuple(h / min(voxel) for h in voxel)
        half = min(h * n for h, n in zip(edges, _longest(phase, None).values(), strict=True))
        longest = int(half) if self.cutoff is None else min(_positive(self.cutoff), int(half))
        names = [f"g[{self.state}; {r}]" for r in range(1, longest + 1)]
        state = label_of(self.state)
        kernel = partial(_in_parts, _shells)
        return self._lifted(kernel, phase, names, state=state, edges=edges, longest=longest)


def _longest(phase: Any, cutoff: Any) -> dict[str, int]:
    half = {d: n // 2 for d, n in grid_of(phase).items()}
    if cutoff is None:
        return half
    return {d: min(_positive(cutoff), n) for d, n in half.items()}


def _positive(cutoff: Any) -> int:
    if isinstance(cutoff, bool) or not isinstance(cutoff, int | np.integer) or cutoff < 1:
        raise ValueError(f"cutoff is {cutoff!r}; wanted a number of voxels of at least 1")
    return int(cutoff)


def _autocorrelation(block: np.ndarray, state: int) -> np.ndarray:
    """All lags of the indicator of a state, zero in the middle: (sample, lag_x ...)."""
    basis, inside = PrimitiveBasis(n_states=2), (block == state).astype(np.uint8)
    problem = read_problem(inside, basis, [(1, 1)], None, "periodic", masked=False)
    found = statistics_of_block(inside, basis=basis, axes=problem.axes, plan=problem.plan)
    return found[:, 0]


def _in_parts(work: Callable[..., np.ndarray], block: np.ndarray, **kwargs: Any) -> np.ndarray:
    """Do ``work`` on a few samples at a time, whose maps take little memory."""
    parts = batches(len(block), 16 * int(np.prod(block.shape[1:])))
    return np.concatenate([work(block[part], **kwargs) for part in parts])


def _axis_lines(block: np.ndarray, *, state: int, longest: tuple[int, ...]) -> np.ndarray:
    f = _autocorrelation(block, state)
    middle = [n // 2 for n in f.shape[1:]]
    columns = [f[(slice(None), *middle)][:, None]]
    for axis, n in enumerate(longest):
        # f(r) = f(-r); on an even axis the longest lag is stored as the negative one
        index: list[slice | int] = [slice(None), *middle]
        index[1 + axis] = slice(middle[axis] - n, middle[axis])
        columns.append(f[tuple(index)][:, ::-1])
    return np.concatenate(columns, axis=1)


def _shells(block: np.ndarray, *, state: int, edges: tuple[float, ...], longest: int) -> np.ndarray:
    f = _autocorrelation(block, state)
    axes = (h * (np.arange(n) - n // 2) for h, n in zip(edges, f.shape[1:], strict=True))
    lags = np.meshgrid(*axes, indexing="ij")
    shell = np.floor(np.sqrt(sum(lag**2 for lag in lags)) + 0.5).astype(int)
    inside = np.flatnonzero((shell.ravel() >= 1) & (shell.ravel() <= longest))
    which = shell.ravel()[inside] - 1
    rows = f.reshape(len(f), -1)[:, inside]
    count = np.bincount(which, minlength=longest)
    return np.stack([np.bincount(which, row, minlength=longest) for row in rows]) / count
