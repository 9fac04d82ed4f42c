"""Forward transforms of padded samples, and inverse transforms of which few lags are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from mksdask import fft
from mksdask.products import matrix_times_columns
from mksdask.statistics.lags import Axis

# A matrix product does about this many multiplications in the time in which a fast transform does
# one of its N log2 N steps (benchmarks/two_point.py, 51 and 128 voxels an axis, one core).
_PRODUCTS_PER_FFT_STEP = 12

#: Real and imaginary part of a spectrum; no imaginary part if the spectrum is real.
Parts = tuple[np.ndarray, np.ndarray | None]


def forward(fields: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Transform the trailing axes of ``fields``, zero-padded to ``sizes``.

    Real fields give the half spectrum. One axis at a time where there is padding, so that lines
    which are padding altogether are not transformed.
    """
    spatial = range(fields.ndim - len(sizes), fields.ndim)
    transform = fft.fftn if np.iscomplexobj(fields) else fft.rfftn
    if fields.shape[-len(sizes) :] == tuple(sizes):
        return transform(fields, axes=tuple(spatial))
    spectrum = transform(fields, axes=(spatial[-1],), s=(sizes[-1],))
    for dim, n in zip(reversed(spatial[:-1]), reversed(sizes[:-1]), strict=True):
        spectrum = fft.fftn(spectrum, axes=(dim,), s=(n,))
    return spectrum


def power(spectrum: np.ndarray) -> Parts:
    """Spectrum of an autocorrelation: real, and without imaginary part."""
    return spectrum.real**2 + spectrum.imag**2, None


def cross_power(first: np.ndarray, second: np.ndarray) -> Parts:
    """Spectrum of sum_s a[s] b[s + r] from those of real a and b."""
    product = np.conj(first)
    product *= second
    return product.real, product.imag


def correlation_at_lags(parts: Parts, axes: Sequence[Axis]) -> np.ndarray:
    """Correlation whose half spectrum is given, at the lags of ``axes``."""
    sizes, lags = [axis.fft_size for axis in axes], [axis.lags for axis in axes]
    if parts[1] is not None or len(axes) == 1 or not _by_matrices_is_faster(sizes, lags):
        return inverse_at(parts, sizes, lags)
    # An autocorrelation is even: take r >= 0 along the first axis, and turn these lags around.
    lags[0] = np.arange(axes[0].cutoff + 1)
    half = inverse_at(parts, sizes, lags)
    return with_negative_lags(half, half, axes)


def inverse_at(parts: Parts, sizes: Sequence[int], lags: Sequence[np.ndarray]) -> np.ndarray:
    """Real inverse transform of a half spectrum at a few points (``lags``) along each axis.

    c[r] = 1/N sum_k P[k] exp(2 pi i k.r / N). Shape (samples, *half spectrum) to (samples, *lags).
    Few lags of many are had faster by products with the few rows of the transform's matrix than by
    a fast transform; which one is decided from the sizes.
    """
    if not _by_matrices_is_faster(sizes, lags):
        return _take(fft.irfftn(_joined(parts), s=sizes, axes=range(1, len(sizes) + 1)), lags)
    # In double precision: unlike in a fast transform, where rounding errors hardly grow with the
    # length, they add up in a plain sum.
    real, imag = parts
    parts = _double(real), None if imag is None else _double(imag)
    for dim, (n, wanted) in enumerate(zip(sizes, lags, strict=True), start=1):
        matrix = _half_rows if dim == len(sizes) else _rows
        parts = _contract(parts, matrix(n, tuple(wanted.tolist())), dim)
    return parts[0]


def _double(array: np.ndarray) -> np.ndarray:
    # Contiguous as well, which BLAS wants.
    return np.ascontiguousarray(array, dtype=np.float64)


def complex_inverse_at(
    spectrum: np.ndarray, sizes: Sequence[int], lags: Sequence[np.ndarray]
) -> np.ndarray:
    """Complex inverse transform of a full spectrum at the points ``lags`` along each axis."""
    return _take(fft.ifftn(spectrum, axes=range(1, len(sizes) + 1)), lags)


def _by_matrices_is_faster(sizes: Sequence[int], lags: Sequence[np.ndarray]) -> bool:
    products, points = 0.0, float(np.prod(sizes))
    steps = points * np.log2(max(points, 2))
    for n, wanted in zip(sizes, lags, strict=True):
        products += points * len(wanted)
        points *= len(wanted) / n
    return products < _PRODUCTS_PER_FFT_STEP * steps


def _joined(parts: Parts) -> np.ndarray:
    real, imag = parts
    spectrum = real.astype(np.result_type(real, np.complex64))
    if imag is not None:
        spectrum.imag = imag
    return spectrum


def _take(whole: np.ndarray, lags: Sequence[np.ndarray]) -> np.ndarray:
    for dim, wanted in enumerate(lags, start=1):
        whole = np.take(whole, wanted, axis=dim, mode="wrap")
    return whole


@lru_cache(maxsize=64)
def _rows(n: int, lags: tuple[int, ...]) -> np.ndarray:
    """Rows ``lags`` of the matrix of the inverse transform of length n: cosines, then sines."""
    # Reducing k r modulo n first keeps the angles small and the values exact to rounding.
    angle = 2 * np.pi / n * (np.outer(lags, np.arange(n)) % n)
    return np.concatenate([np.cos(angle), np.sin(angle)]) / n


@lru_cache(maxsize=64)
def _half_rows(n: int, lags: tuple[int, ...]) -> np.ndarray:
    """The same for a half spectrum of a real result."""
    # The other half of the spectrum holds the conjugates, so all but k = 0 (and N/2) count twice.
    twice = np.full(n // 2 + 1, 2.0)
    twice[0] = 1
    if n % 2 == 0:
        twice[-1] = 1
    return _rows(n, lags)[:, : n // 2 + 1] * twice


def _contract(parts: Parts, rows: np.ndarray, dim: int) -> Parts:
    """Multiply axis ``dim`` by the matrix cos + i sin, given as ``rows`` of cosines and sines."""
    n = len(rows) // 2
    real, imag = parts
    cos_real, sin_real = np.split(
        matrix_times_columns(rows, np.moveaxis(real, dim, -2)), [n], axis=-2
    )
    if imag is None:
        out = cos_real, sin_real
    else:
        cos_imag, sin_imag = np.split(
            matrix_times_columns(rows, np.moveaxis(imag, dim, -2)), [n], axis=-2
        )
        out = cos_real - sin_imag, sin_real + cos_imag
    return np.moveaxis(out[0], -2, dim), np.moveaxis(out[1], -2, dim)


def with_negative_lags(forth: np.ndarray, back: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """All lags of a correlation from those with r >= 0 along the first axis.

    ``forth`` is the correlation of a with b at these lags, ``back`` that of b with a, which at -r
    equals the first at r (complex conjugated). The axes follow one leading axis of samples.
    """
    zero = axes[0].cutoff
    n_positive = len(axes[0].lags) - zero
    out = np.empty((len(forth), len(axes[0].lags), *forth.shape[2:]), forth.dtype)
    out[:, zero:] = forth[:, :n_positive]
    opposite = back[:, zero:0:-1].conj()
    for dim, axis in enumerate(axes[1:], start=2):
        opposite = mirrored(opposite, axis, dim)
    out[:, :zero] = opposite
    return out


def mirrored(array: np.ndarray, axis: Axis, dim: int) -> np.ndarray:
    """``array`` at lag -r instead of r along ``dim`` (a view where it can be)."""
    return np.flip(array, dim) if axis.symmetric else np.take(array, axis.opposite, dim)


def spectrum_of_conjugate(spectrum: np.ndarray) -> np.ndarray:
    """Full spectrum (samples, *frequencies) of the complex conjugate field: conj(P[-k])."""
    spatial = tuple(range(1, spectrum.ndim))
    return np.roll(np.flip(spectrum, spatial), 1, spatial).conj()
