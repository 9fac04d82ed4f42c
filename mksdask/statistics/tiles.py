"""Correlations of a volume that is chunked in space, tile by tile, exactly.

G[a, b; r] = sum over tiles T of sum_{s in T} conj(m[a; s]) m[b; s + r] needs of each tile no more than
the voxels within the cutoff around it. As G[a, b; -r] = conj(G[b, a; r]), only lags with r >= 0 along the
first axis are computed, so that there the surroundings are needed on one side only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from mksdask import fft
from mksdask.bases import Basis
from mksdask.errors import DataError
from mksdask.lazy import TilePlace
from mksdask.statistics.combine import combine
from mksdask.statistics.correlate import box_sums, counts_voxels, weighted_fields
from mksdask.statistics.lags import Axis
from mksdask.statistics.pairs import WEIGHT, Pair, Plan
from mksdask.statistics.request import check_weights, checked_values
from mksdask.statistics.spectrum import (
    complex_inverse_at,
    cross_power,
    forward,
    inverse_at,
    with_negative_lags,
)

# Tiles are cut further until their transforms are no larger than this, unless they would become
# smaller than their surroundings; 64 MiB an array in double precision.
_TRANSFORM_VOXELS = 2**23

Box = tuple[slice, ...]


def reach(axes: Sequence[Axis]) -> list[tuple[int, int]]:
    """Voxels needed before and after a tile along each axis."""
    return [(0 if i == 0 else axis.cutoff, axis.cutoff) for i, axis in enumerate(axes)]


def ordered_terms(plan: Plan, masked: bool) -> tuple[Pair, ...]:
    """The correlations to be summed: both orders of each, as only half of the lags are."""
    transformed = [t for t in plan.terms if masked or WEIGHT not in t]
    both = {order for a, b in transformed for order in ((a, b), (b, a))}
    return tuple(sorted(both))


def tile_sums(
    place: TilePlace,
    block: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    basis: Basis,
    axes: Sequence[Axis],
    plan: Plan,
) -> np.ndarray:
    """Kernel: a tile and its surroundings to its share of every sum.

    The result is flat, (samples, values), as the two kinds of sums have different lags: first those
    of :func:`ordered_terms`, r >= 0 along the first axis; then, without a mask, those with a weight
    of 1 inside the volume, at all lags.
    """
    if mask is not None:
        check_weights(mask)
    sums = []
    for j in range(len(block)):
        weight = None
        if mask is not None:
            weight = mask[None] if mask.ndim == len(axes) else mask[j : j + 1]
        sample = checked_values(block[j : j + 1], weight, basis)
        sums.append(_sample_sums(place, sample, weight, basis, axes, plan))
    return np.stack(sums)


def n_tile_sums(axes: Sequence[Axis], plan: Plan, masked: bool) -> int:
    """Length of the flat result of :func:`tile_sums`."""
    n_half, n_all = (int(np.prod([len(lags) for lags in each])) for each in _lags(axes))
    n_box = 0 if masked else sum(b == WEIGHT or a == WEIGHT for a, b in plan.terms)
    return len(ordered_terms(plan, masked)) * n_half + n_box * n_all


def statistics_of_sums(
    sums: np.ndarray, *, basis: Basis, axes: Sequence[Axis], plan: Plan, masked: bool, dtype: str
) -> np.ndarray:
    """Kernel: flat sums over all tiles, (samples, values), to (samples, pairs, *lags)."""
    half, every = (tuple(len(lags) for lags in each) for each in _lags(axes))
    ordered = ordered_terms(plan, masked)
    n_half = len(ordered) * int(np.prod(half))
    each = np.moveaxis(sums[:, :n_half].reshape(-1, len(ordered), *half), 1, 0)
    forth = dict(zip(ordered, each, strict=True))
    box = iter(np.moveaxis(sums[:, n_half:].reshape(len(sums), -1, *every), 1, 0))
    whole = [
        with_negative_lags(forth[(a, b)], forth[(b, a)], axes) if (a, b) in forth else next(box)
        for a, b in plan.terms
    ]
    if masked and not all(forth[(WEIGHT, WEIGHT)].any(axis=tuple(range(1, len(axes) + 1)))):
        raise DataError("mask is 0 everywhere in a sample; wanted at least one voxel to keep")
    return combine(np.stack(whole, axis=1), plan, axes, masked).astype(dtype, copy=False)


def _lags(axes: Sequence[Axis]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Lags with r >= 0 along the first axis, and all lags."""
    every = [axis.lags for axis in axes]
    return [np.arange(axes[0].cutoff + 1), *every[1:]], every


def _sample_sums(
    place: TilePlace,
    block: np.ndarray,
    weight: np.ndarray | None,
    basis: Basis,
    axes: Sequence[Axis],
    plan: Plan,
) -> np.ndarray:
    half, every = _lags(axes)
    ordered = ordered_terms(plan, weight is not None)
    counts = counts_voxels(block, weight, basis)
    total: dict[Pair, np.ndarray] = {}
    for tile, around, starts in _parts(place, block.shape[1:], axes):
        part_weight = None if weight is None else weight[(slice(None), *around)]
        fields = weighted_fields(
            block[(slice(None), *around)], part_weight, basis, plan.terms, single=False
        )
        inside = {h: field[(slice(None), *tile)] for h, field in fields.items()}
        found = _correlate(inside, fields, tile, axes, ordered, half)
        for a, b in plan.terms:
            if weight is None and b == WEIGHT:
                sums = box_sums(inside[a], axes, starts)
                found[(a, b)] = np.broadcast_to(sums, (1, *(len(lags) for lags in every)))
        for term, sums in found.items():
            # Counts are whole numbers: rounded here, they are exact however the volume is cut.
            total[term] = total.get(term, 0) + (np.rint(sums) if counts else sums)
    return np.concatenate(
        [total[t].ravel() for t in (*ordered, *sorted(set(total) - set(ordered)))]
    )


def _correlate(
    inside: Mapping[int, np.ndarray],
    around: Mapping[int, np.ndarray],
    tile: Box,
    axes: Sequence[Axis],
    terms: Sequence[Pair],
    lags: Sequence[np.ndarray],
) -> dict[Pair, np.ndarray]:
    """sum_{s in tile} conj(a[s]) b[s + r] for all ``terms`` at ``lags``."""
    sizes = [
        fft.next_fast_len((cut.stop - cut.start) + before + after)
        for cut, (before, after) in zip(tile, reach(axes), strict=True)
    ]
    # The tile's transform starts at its own first voxel, that of its surroundings at theirs.
    shifted = [wanted + cut.start for wanted, cut in zip(lags, tile, strict=True)]
    first = {a: forward(inside[a], sizes) for a in {a for a, _ in terms}}
    second = {b: forward(around[b], sizes) for b in {b for _, b in terms}}
    found = {}
    for a, b in terms:
        if np.iscomplexobj(inside[a]):
            found[(a, b)] = complex_inverse_at(first[a].conj() * second[b], sizes, shifted)
        else:
            found[(a, b)] = inverse_at(cross_power(first[a], second[b]), sizes, shifted)
    return found


def _parts(
    place: TilePlace, extent: Sequence[int], axes: Sequence[Axis]
) -> Iterator[tuple[Box, Box, tuple[int, ...]]]:
    """Cut a tile into parts small enough to transform.

    Yields for each part where it lies in its surroundings, where these lie in the block, and where
    it starts in the volume.
    """
    steps = list(place.size)
    margins = [before + after for before, after in reach(axes)]
    while np.prod([n + m for n, m in zip(steps, margins, strict=True)]) > _TRANSFORM_VOXELS:
        widest = max(range(len(steps)), key=lambda i: steps[i] - margins[i])
        if steps[widest] <= max(margins[widest], 1):
            break
        steps[widest] = (steps[widest] + 1) // 2
    starts = [range(0, n, step) for n, step in zip(place.size, steps, strict=True)]
    for corner in product(*starts):
        tile, around = [], []
        for i, (at, (before, after)) in enumerate(zip(corner, reach(axes), strict=True)):
            first = place.offset[i] + at
            last = min(first + steps[i], place.offset[i] + place.size[i])
            low, high = max(first - before, 0), min(last + after, extent[i])
            tile.append(slice(first - low, last - low))
            around.append(slice(low, high))
        origin = tuple(s + at for s, at in zip(place.start, corner, strict=True))
        yield tuple(tile), tuple(around), origin
