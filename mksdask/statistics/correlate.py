"""Correlations of a block of whole samples: the sums over voxels, before any division.

G[a, b; r] = sum_s m[a; s] m[b; s + r], computed as products of transforms. Labels are transformed
as they are, one phase at a time, without a one-hot array; and since their correlations are counts
of voxel pairs, they are rounded to the nearest integer, which makes them exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

import numpy as np

from mksdask.bases import Basis
from mksdask.statistics.lags import Axis
from mksdask.statistics.pairs import WEIGHT, Pair
from mksdask.statistics.spectrum import (
    cropped_inverse,
    cropped_inverse_complex,
    forward,
    negative_frequencies,
)

# Single precision is enough to count voxel pairs up to this transform size: the worst structures
# (layers, checkerboards, uniform fields) were off by less than 0.05 before rounding there.
_SINGLE_PRECISION_VOXELS = 2**18

# Before rounding, counts further than this from an integer are computed again in double precision.
_ROUNDING_MARGIN = 0.2

# Transforms of a few samples at once, so that they and their products stay in the cache.
_BATCH_BYTES = 2**21


def correlations(
    block: np.ndarray,
    weight: np.ndarray | None,
    basis: Basis,
    axes: Sequence[Axis],
    terms: Sequence[Pair],
) -> np.ndarray:
    """Sums for all ``terms`` (a, b): shape (samples, terms, *lags), double precision.

    ``block`` is checked data of shape (samples, *space, *state_dims); ``weight`` the mask, of shape
    (samples or 1, *space), or None where every voxel counts in full. WEIGHT in a term stands for
    the weight in place of a state.
    """
    counts = counts_voxels(block, weight, basis)
    padded = int(np.prod([axis.fft_size for axis in axes]))
    single = counts and padded <= _SINGLE_PRECISION_VOXELS
    shape = (len(block), len(terms), *(len(axis.lags) for axis in axes))
    out = np.empty(shape, np.complex128 if basis.is_complex else np.float64)
    for part in batches(len(block), padded * (4 if single else 8) * (1 + len(terms))):
        shared = weight is None or len(weight) == 1
        part_weight = weight if shared or weight is None else weight[part]
        found = _sums(block[part], part_weight, basis, axes, terms, single)
        if counts:
            exact = np.rint(found)
            if single and np.abs(found - exact).max(initial=0) > _ROUNDING_MARGIN:
                exact = np.rint(_sums(block[part], part_weight, basis, axes, terms, False))
            found = exact
        out[part] = found
    return out


def counts_voxels(block: np.ndarray, weight: np.ndarray | None, basis: Basis) -> bool:
    """Whether every correlation is a number of voxel pairs: labels, and a mask of 0 and 1."""
    if basis.label_offset(block.dtype) is None:
        return False
    return weight is None or bool(np.all((weight == 0) | (weight == 1)))


def batches(n: int, bytes_each: int) -> Iterator[slice]:
    """Slices of a few samples each."""
    size = max(1, _BATCH_BYTES // max(1, bytes_each))
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


def _sums(
    block: np.ndarray,
    weight: np.ndarray | None,
    basis: Basis,
    axes: Sequence[Axis],
    terms: Sequence[Pair],
    single: bool,
) -> np.ndarray:
    fields = weighted_fields(block, weight, basis, terms, single)
    transformed = {h for term in terms for h in term if weight is not None or WEIGHT not in term}
    spectra = {h: forward(fields[h], axes) for h in transformed}
    out: list[np.ndarray] = []
    for a, b in terms:
        if weight is None and b == WEIGHT:
            out.append(box_sums(fields[a], axes))
        elif basis.is_complex:
            mirrored = negative_frequencies(spectra[a], len(axes))
            out.append(cropped_inverse_complex(mirrored * spectra[b], axes))
        elif a == b:
            power = spectra[a].real ** 2 + spectra[a].imag ** 2
            out.append(cropped_inverse(power, axes))
        else:
            out.append(cropped_inverse(np.conj(spectra[a]) * spectra[b], axes))
    shape = (len(block), *out[0].shape[1:])
    return np.stack([np.broadcast_to(o, shape) for o in out], axis=1)


def weighted_fields(
    block: np.ndarray,
    weight: np.ndarray | None,
    basis: Basis,
    terms: Sequence[Pair],
    single: bool,
) -> dict[int, np.ndarray]:
    """Coefficients times weight, for every state in ``terms``; the weight itself under WEIGHT."""
    states = sorted({h for term in terms for h in term if h != WEIGHT})
    real = np.float32 if single else np.float64
    offset = basis.label_offset(block.dtype)
    if offset is not None:
        fields = {h: _indicator(block, h + offset, real) for h in states}
    else:
        # Float fields are summed in double precision, whatever their own.
        wide = block.astype(np.float64, copy=False)
        fields = dict(zip(states, basis.coefficients(wide, states), strict=True))
    if weight is not None:
        weight = weight.astype(real)
        for h in states:
            fields[h] *= weight
        fields[WEIGHT] = weight.astype(complex) if basis.is_complex else weight
    return fields


def _indicator(block: np.ndarray, label: int, real: type) -> np.ndarray:
    out = np.empty(block.shape, real)
    return np.equal(block, label, out=out)


def box_sums(field: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """sum_s m[s] over the voxels s whose partner s + r lies inside the volume.

    The correlation with a weight of 1 everywhere. Along a periodic axis every voxel has a partner;
    along another one the sum lacks the r outermost layers of one side, so running sums of these
    layers are all that is needed.
    """
    lead = field.ndim - len(axes)
    return reduce(
        lambda sums, dim: _partnered(sums, axes[dim], lead + dim), range(len(axes)), field
    )


def _partnered(field: np.ndarray, axis: Axis, dim: int) -> np.ndarray:
    field = np.moveaxis(field, dim, 0)
    total = field.sum(axis=0, dtype=np.float64)
    out = np.empty((len(axis.lags), *total.shape), np.result_type(total, field))
    out[:] = total
    if not axis.periodic and axis.cutoff:
        c = axis.cutoff
        lost_last = np.cumsum(field[: -c - 1 : -1], axis=0, dtype=out.dtype)
        lost_first = np.cumsum(field[:c], axis=0, dtype=out.dtype)
        out[c + 1 :] -= lost_last
        out[:c] -= lost_first[::-1]
    return np.moveaxis(out, 0, dim)
