"""Which lags a statistic has along each axis: boundary, cutoff, transform length, pair counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mksdask import fft

BOUNDARIES = ("periodic", "nonperiodic")


@dataclass(frozen=True)
class Axis:
    """Lags along one spatial axis of ``size`` voxels.

    Each lag appears once: a periodic axis has N different ones, -(N // 2) .. (N - 1) // 2, and a
    non-periodic one 2 N - 1 with at least one pair of voxels. ``cutoff`` keeps -cutoff .. cutoff
    of them.

    >>> Axis(4, True, 2).lags, Axis(4, False, 3).lags
    (array([-2, -1,  0,  1]), array([-3, -2, -1,  0,  1,  2,  3]))
    """

    size: int
    periodic: bool
    cutoff: int

    @cached_property
    def lags(self) -> np.ndarray:
        """Lags in voxels, zero in the middle."""
        last = min(self.cutoff, (self.size - 1) // 2) if self.periodic else self.cutoff
        return np.arange(-self.cutoff, last + 1)

    @cached_property
    def fft_size(self) -> int:
        """Transform length at which no lag within the cutoff is reached from the other side."""
        if self.periodic:
            return self.size
        return fft.next_fast_len(self.size + self.cutoff)

    @cached_property
    def pairs(self) -> np.ndarray:
        """Number of voxel pairs at each lag along this axis."""
        if self.periodic:
            return np.full(len(self.lags), self.size)
        return self.size - np.abs(self.lags)

    @cached_property
    def opposite(self) -> np.ndarray:
        """Index of the lag -r for every lag r (the extreme lag of an even axis is its own)."""
        mirrored = -self.lags
        mirrored[mirrored > self.lags[-1]] -= self.size
        return mirrored + self.cutoff

    @cached_property
    def symmetric(self) -> bool:
        """Whether turning the lags around is a plain reversal."""
        return len(self.lags) == 2 * self.cutoff + 1


def make_axes(
    dims: Sequence[str], sizes: Sequence[int], cutoff: Any, boundary: Any
) -> tuple[Axis, ...]:
    """Read ``cutoff`` and ``boundary`` as the user gave them, for the spatial ``dims``."""
    for d, n in zip(dims, sizes, strict=True):
        if n == 0:
            raise ValueError(f"axis {d!r} has no voxels; wanted at least one: check the selection")
    periodic = _periodic(dims, boundary)
    cutoffs = _per_axis(cutoff, dims, "cutoff", "an integer number of voxels")
    return tuple(
        Axis(n, p, _checked_cutoff(c, d, n, p))
        for d, n, p, c in zip(dims, sizes, periodic, cutoffs, strict=True)
    )


def _periodic(dims: Sequence[str], boundary: Any) -> list[bool]:
    names = _per_axis(boundary, dims, "boundary", f"one of {BOUNDARIES}")
    for name, d in zip(names, dims, strict=True):
        if name not in BOUNDARIES:
            raise ValueError(f"boundary of axis {d!r} is {name!r}; wanted one of {BOUNDARIES}")
    return [name == "periodic" for name in names]


def _per_axis(value: Any, dims: Sequence[str], argument: str, what: str) -> list[Any]:
    if isinstance(value, Mapping):
        unknown = [k for k in value if k not in dims]
        missing = [d for d in dims if d not in value]
        if unknown or missing:
            raise ValueError(
                f"{argument} has keys {list(value)}; wanted one for each of {list(dims)}"
            )
        return [value[d] for d in dims]
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str):
        if len(value) != len(dims):
            raise ValueError(
                f"{argument} has {len(value)} entries, {value!r}; wanted {what}, or {len(dims)} "
                f"of them for {tuple(dims)}"
            )
        return list(value)
    return [value] * len(dims)


def _checked_cutoff(cutoff: Any, dim: str, size: int, periodic: bool) -> int:
    largest = size // 2 if periodic else size - 1
    if cutoff is None:
        return largest
    if isinstance(cutoff, bool) or not isinstance(cutoff, (int, np.integer)):
        raise TypeError(
            f"cutoff of axis {dim!r} is {cutoff!r}; wanted an integer number of voxels or None"
        )
    if not 0 <= cutoff <= largest:
        kind = "periodic" if periodic else "non-periodic"
        raise ValueError(
            f"cutoff of axis {dim!r} is {cutoff}; wanted 0 to {largest}, the largest lag of a "
            f"{kind} axis of {size} voxels (None for all lags)"
        )
    return int(cutoff)
