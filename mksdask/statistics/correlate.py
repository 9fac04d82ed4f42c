"""Correlations of a block of whole samples: the sums over voxels, before any division.

G[a, b; r] = sum_s conj(m[a; s]) m[b; s + r], computed as products of transforms. Labels are transformed
as they are, one phase at a time, without a one-hot array; and since their correlations are counts
of voxel pairs, they are rounded to the nearest integer, which makes them exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mksdask.bases import Basis
from mksdask.statistics.lags import Axis
from mksdask.statistics.pairs import WEIGHT, Pair
from mksdask.statistics.spectrum import (
    complex_inverse_at,
    correlation_at_lags,
    cross_power,
    forward,
    power,
    spectrum_of_conjugate,
)

# Single precision is enough to count voxel pairs up to this transform size, unless an axis has a
# large prime factor, for which transforms take a less precise detour: the worst structures (layers,
# checkerboards, uniform fields) are off by at most 0.03 before rounding, which the tests check.
_SINGLE_PRECISION_VOXELS = 2**18
_SINGLE_PRECISION_FACTOR = 97

# Counts further than this from an integer before rounding are computed again in double precision;
# rounding would go wrong at 0.5.
_ROUNDING_MARGIN = 0.2

# Transforms of a few samples at once, so that they and their products stay in the cache.
_BATCH_BYTES = 2**23


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
    single = counts and single_precision_counts([axis.fft_size for axis in axes])
    bytes_each = 4 if single else 16 if basis.is_complex else 8
    shape = (len(block), len(terms), *(len(axis.lags) for axis in axes))
    out = np.empty(shape, np.complex128 if basis.is_complex else np.float64)
    for part in batches(len(block), padded * bytes_each * (1 + len(terms))):
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


def single_precision_counts(sizes: Sequence[int]) -> bool:
    """Whether transforms of these sizes count exactly in single precision.

    >>> single_precision_counts((51, 51, 51)), single_precision_counts((127, 51))
    (True, False)
    """
    few = int(np.prod(sizes)) <= _SINGLE_PRECISION_VOXELS
    return few and all(_largest_factor(n) <= _SINGLE_PRECISION_FACTOR for n in sizes)


def _largest_factor(n: int) -> int:
    factor = 2
    while factor * factor <= n:
        if n % factor:
            factor += 1
        else:
            n //= factor
    return n


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
    sizes, lags = [axis.fft_size for axis in axes], [axis.lags for axis in axes]
    spectra = _spectra(fields, transformed, basis, sizes)
    out: list[np.ndarray] = []
    for a, b in terms:
        if weight is None and b == WEIGHT:
            out.append(box_sums(fields[a], axes))
        elif basis.is_complex:
            out.append(complex_inverse_at(spectra[a].conj() * spectra[b], sizes, lags))
        elif a == b:
            out.append(correlation_at_lags(power(spectra[a]), axes))
        else:
            out.append(correlation_at_lags(cross_power(spectra[a], spectra[b]), axes))
    shape = (len(block), *(len(wanted) for wanted in lags))
    return np.stack([np.broadcast_to(o, shape) for o in out], axis=1)


def _spectra(
    fields: dict[int, np.ndarray], states: set[int], basis: Basis, sizes: Sequence[int]
) -> dict[int, np.ndarray]:
    """Transforms of the fields; of two that are each other's complex conjugates only one is made."""
    spectra: dict[int, np.ndarray] = {}
    for h in sorted(states - {WEIGHT}):
        partner, sign = basis.conjugate(h) or (h, 1)
        if partner != h and partner in spectra:
            spectra[h] = sign * spectrum_of_conjugate(spectra[partner])
        else:
            spectra[h] = forward(fields[h], sizes)
    if WEIGHT in states:
        spectra[WEIGHT] = forward(fields[WEIGHT], sizes)
    return spectra


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
    out: np.ndarray = np.empty(block.shape, real)
    return np.equal(block, label, out=out)


def box_sums(
    field: np.ndarray, axes: Sequence[Axis], starts: Sequence[int] | None = None
) -> np.ndarray:
    """sum_s m[s] over the voxels s whose partner s + r lies inside the volume.

    The correlation with a weight of 1 everywhere. Shape (samples, *space) to (samples, *lags), with
    length 1 along periodic axes, where every voxel has a partner. ``starts`` places a ``field``
    that is a part of the volume.
    """
    periodic = tuple(dim for dim, axis in enumerate(axes, start=1) if axis.periodic)
    sums = field.sum(axis=periodic, keepdims=True) if periodic else field
    for dim, axis in enumerate(axes, start=1):
        if not axis.periodic:
            sums = _partnered(sums, axis, dim, starts[dim - 1] if starts else 0)
    return sums


def _partnered(field: np.ndarray, axis: Axis, dim: int, start: int) -> np.ndarray:
    """Sums along ``dim`` of the layers whose partner at each lag lies inside the volume.

    These are all layers but the outermost ones on one side, so running sums of few layers do.
    """
    n = field.shape[dim]
    layers = np.moveaxis(field, dim, 0)
    n_lost_last = np.clip(start + n - axis.size + axis.lags, 0, n)
    n_lost_first = np.clip(-axis.lags - start, 0, n)
    out = np.broadcast_to(layers.sum(axis=0), (len(axis.lags), *layers.shape[1:])).copy()
    for lost, outermost in ((n_lost_last, layers[::-1]), (n_lost_first, layers)):
        if lost.any():
            running = np.cumsum(outermost[: lost.max()], axis=0)
            out[lost > 0] -= running[lost[lost > 0] - 1]
    return np.moveaxis(out, 0, dim)
