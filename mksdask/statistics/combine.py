"""From correlations to the statistics of the pairs asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from mksdask.statistics.lags import Axis
from mksdask.statistics.pairs import WEIGHT, Pair, Plan
from mksdask.statistics.spectrum import mirrored

#: Lags with less than this many (weighted) voxel pairs are NaN. Just below one half, so that a
#: single pair of half-weighted and full voxels is kept whatever the rounding of its sum.
LEAST_OVERLAP = 0.5 - 1e-6


def overlap(axes: Sequence[Axis]) -> np.ndarray:
    """Number of voxel pairs at every lag of a volume without mask: shape (*lags).

    >>> overlap([Axis(4, False, 1), Axis(3, True, 1)])
    array([[ 9,  9,  9],
           [12, 12, 12],
           [ 9,  9,  9]])
    """
    return reduce(np.multiply.outer, [axis.pairs for axis in axes])


def combine(sums: np.ndarray, plan: Plan, axes: Sequence[Axis], masked: bool) -> np.ndarray:
    """f = G/Omega for every pair, from the sums of ``plan.terms``.

    Shape (samples, terms, *lags) to (samples, pairs, *lags). With a mask Omega is the correlation
    of the mask, the term (WEIGHT, WEIGHT).
    """
    terms: dict[Pair, np.ndarray] = {t: sums[:, i] for i, t in enumerate(plan.terms)}
    if masked:
        found = terms[(WEIGHT, WEIGHT)].real
        omega = np.where(found < LEAST_OVERLAP, np.nan, found)
    else:
        omega = terms[(WEIGHT, WEIGHT)] = overlap(axes)[None].astype(np.float64)
    out = np.empty((len(sums), len(plan.pairs), *sums.shape[2:]), sums.dtype)
    for i, recipe in enumerate(plan.recipes):
        out[:, i] = reduce(np.add, [_share(share, terms, axes) for share in recipe])
        # A complex number divided by NaN warns, although NaN is what is meant.
        with np.errstate(invalid="ignore"):
            out[:, i] /= omega
    return out


def _share(share: Any, terms: Mapping[Pair, np.ndarray], axes: Sequence[Axis]) -> np.ndarray:
    values = terms[share.term]
    if share.mirrored:
        for dim, axis in enumerate(axes, start=1):
            values = mirrored(values, axis, dim)
    if share.conjugated:
        values = values.conj()
    return values if share.factor == 1 else share.factor * values
