"""Forward transforms of padded samples, and inverse transforms of which few lags are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from mksdask import fft
from mksdask.statistics.lags import Axis

# A matrix product does about this many multiplications in the time in which a fast transform does
# one of its N log2 N steps (benchmarks/two_point.py, 51 and 128 voxels an axis, one core).
_PRODUCTS_PER_FFT_STEP = 12


def forward(fields: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """Transform the trailing axes of ``fields``, zero-padded to their ``fft_size``.

    Real fields give the half spectrum. One axis at a time, so that lines which are padding
    altogether are not transformed.
    """
    sizes = [axis.fft_size for axis in axes]
    spatial = range(fields.ndim - len(axes), fields.ndim)
    if fields.shape[-len(axes) :] == tuple(sizes):
        transform = fft.fftn if np.iscomplexobj(fields) else fft.rfftn
        return transform(fields, axes=tuple(spatial))
    last = spatial[-1]
    transform = fft.fftn if np.iscomplexobj(fields) else fft.rfftn
    spectrum = transform(fields, axes=(last,), s=(sizes[-1],))
    for dim, n in zip(reversed(spatial[:-1]), reversed(sizes[:-1]), strict=True):
        spectrum = fft.fftn(spectrum, axes=(dim,), s=(n,))
    return spectrum


def cropped_inverse(spectrum: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """Real part of the correlation whose half spectrum is given, at the lags of ``axes``.

    c[r] = 1/N sum_k P[k] exp(2 pi i k.r / N). Shape (..., *half spectrum) to (..., *lags). A real
    ``spectrum`` is that of an even correlation, half of whose lags are computed.

    Few lags of many are had faster by products with the few rows of the transform's matrix than by
    a fast transform; which one is decided from the sizes.
    """
    lead = spectrum.shape[: -len(axes)]
    spectrum = spectrum.reshape(-1, *spectrum.shape[-len(axes) :])
    few = _few_lags(axes)
    out = (_by_matrices if few else _by_fft)(spectrum, tuple(axes))
    return out.reshape(*lead, *out.shape[1:])


def _few_lags(axes: Sequence[Axis]) -> bool:
    """Whether matrix products are estimated to beat the fast transform."""
    products, points = 0.0, float(np.prod([axis.fft_size for axis in axes]))
    steps = points * np.log2(max(points, 2))
    for axis in axes:
        products += points * len(axis.lags)
        points *= len(axis.lags) / axis.fft_size
    return products < _PRODUCTS_PER_FFT_STEP * steps


def _by_fft(spectrum: np.ndarray, axes: tuple[Axis, ...]) -> np.ndarray:
    sizes = [axis.fft_size for axis in axes]
    if not np.iscomplexobj(spectrum):
        spectrum = spectrum.astype(np.result_type(spectrum, np.complex64))
    whole = fft.irfftn(spectrum, s=sizes, axes=range(1, spectrum.ndim))
    for dim, axis in enumerate(axes, start=1):
        whole = np.take(whole, axis.lags, axis=dim, mode="wrap")
    return whole


def _by_matrices(spectrum: np.ndarray, axes: tuple[Axis, ...]) -> np.ndarray:
    real = np.zeros(0, spectrum.dtype).real.dtype
    even = not np.iscomplexobj(spectrum) and len(axes) > 1
    # Of an even correlation the lags r and -r are equal: keep r >= 0 along the first axis.
    first = tuple(range(axes[0].cutoff + 1)) if even else tuple(axes[0].lags)
    for dim, axis in enumerate(axes[:-1], start=1):
        lags = first if dim == 1 else tuple(axis.lags)
        cos, sin = _rows(axis.fft_size, lags, real)
        spectrum = _contract(spectrum, cos, sin, dim)
    lags = first if len(axes) == 1 else tuple(axes[-1].lags)
    out = _contract_half(spectrum, axes[-1].fft_size, lags)
    return _fill_negative(out, axes) if even else out


@lru_cache(maxsize=64)
def _rows(n: int, lags: tuple[int, ...], real: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``lags`` of the matrix of the inverse transform of length n, cosines and sines."""
    # Reducing k r modulo n first keeps the angles small and the values exact to rounding.
    angle = 2 * np.pi / n * (np.outer(lags, np.arange(n)) % n)
    return (np.cos(angle) / n).astype(real), (np.sin(angle) / n).astype(real)


def _contract(spectrum: np.ndarray, cos: np.ndarray, sin: np.ndarray, dim: int) -> np.ndarray:
    """Multiply axis ``dim`` by the matrix cos + i sin."""
    # As a stack of products with the last axis in place: each fits one core's cache, and BLAS
    # does not start threads of its own beside Dask's.
    columns = np.moveaxis(spectrum, dim, -2)
    if np.iscomplexobj(spectrum):
        out = np.matmul((cos + 1j * sin).astype(spectrum.dtype), columns)
    else:
        both = np.matmul(np.concatenate([cos, sin]), columns)
        out = np.empty((*both.shape[:-2], len(cos), both.shape[-1]), np.result_type(both, 1j))
        out.real, out.imag = both[..., : len(cos), :], both[..., len(cos) :, :]
    return np.moveaxis(out, -2, dim)


def _contract_half(spectrum: np.ndarray, n: int, lags: tuple[int, ...]) -> np.ndarray:
    """Real part of the inverse transform of a half spectrum along the last axis."""
    real = np.zeros(0, spectrum.dtype).real.dtype
    cos, sin = _rows(n, lags, real)
    n_half = spectrum.shape[-1]
    # The other half of the spectrum holds the conjugates, so all but k = 0 (and N/2) count twice.
    twice = np.full(n_half, 2, real)
    twice[0] = 1
    if n % 2 == 0:
        twice[-1] = 1
    cos, sin = (cos[:, :n_half] * twice).T, (sin[:, :n_half] * twice).T
    if not np.iscomplexobj(spectrum):
        return spectrum @ cos
    return spectrum.real @ cos - spectrum.imag @ sin


def _fill_negative(half: np.ndarray, axes: tuple[Axis, ...]) -> np.ndarray:
    """All lags of an even correlation from those with r >= 0 along the first axis."""
    zero = axes[0].cutoff
    n_positive = len(axes[0].lags) - zero
    out = np.empty((len(half), len(axes[0].lags), *half.shape[2:]), half.dtype)
    out[:, zero:] = half[:, :n_positive]
    opposite = half[:, zero:0:-1]
    for dim, axis in enumerate(axes[1:], start=2):
        opposite = mirrored(opposite, axis, dim)
    out[:, :zero] = opposite
    return out


def mirrored(array: np.ndarray, axis: Axis, dim: int) -> np.ndarray:
    """``array`` at lag -r instead of r along ``dim`` (a view where it can be)."""
    return np.flip(array, dim) if axis.symmetric else np.take(array, axis.opposite, dim)


def cropped_inverse_complex(spectrum: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """Complex correlation whose full spectrum is given, at the lags of ``axes``."""
    spatial = range(spectrum.ndim - len(axes), spectrum.ndim)
    out = fft.ifftn(spectrum, axes=tuple(spatial))
    for dim, axis in zip(spatial, axes, strict=True):
        out = np.take(out, axis.lags, axis=dim, mode="wrap")
    return out


def negative_frequencies(spectrum: np.ndarray, n_axes: int) -> np.ndarray:
    """P[-k] of a full spectrum over the trailing ``n_axes``."""
    spatial = tuple(range(spectrum.ndim - n_axes, spectrum.ndim))
    return np.roll(np.flip(spectrum, spatial), 1, spatial)
