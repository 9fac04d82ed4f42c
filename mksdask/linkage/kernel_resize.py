"""Kernels for other grids than the one they were calibrated on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.ndimage

from mksdask import fft

#: Below this many periods in the grid of calibration, coefficients depend on the direction alone.
SMALLEST_FREQUENCY = 2.0


def interpolated_spectrum(spectrum: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Coefficients on the frequencies of another grid, from the full spectrum (..., *old shape).

    A kernel that belongs to the material, not to the grid, has coefficients that depend on the
    frequency in periods a voxel: cubic splines in between. At k -> 0 that of a field equation
    depends on the direction alone and jumps at k = 0, so that waves longer than half the old grid
    take the coefficient of the shorter wave in the same direction, and k = 0 keeps its own.
    Gives half the spectrum of the new grid.
    """
    old = spectrum.shape[spectrum.ndim - len(shape) :]
    axes = [np.fft.fftfreq(n) for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    grids = np.meshgrid(*axes, indexing="ij")
    places = np.stack([g * n for g, n in zip(grids, old, strict=True)])
    radius = np.sqrt((places**2).sum(axis=0))
    nearest = min(SMALLEST_FREQUENCY, *(max(n // 2, 1) for n in old))
    stretch = np.where((radius > 0) & (radius < nearest), nearest / np.where(radius, radius, 1), 1)
    places *= stretch
    out = np.empty((*spectrum.shape[: -len(shape)], *places.shape[1:]), complex)
    zero = (0,) * len(shape)
    for index in np.ndindex(out.shape[: -len(shape)]):
        smooth = spectrum[index].copy()
        # In place of the jump, what its neighbours say: splines are not local.
        around = [
            smooth[tuple(sign if a == axis else 0 for a in range(len(old)))]
            for axis, n in enumerate(old)
            for sign in (1, -1)
            if n > 1
        ]
        smooth[zero] = np.mean(around) if around else smooth[zero]
        for part in ("real", "imag"):
            values = scipy.ndimage.map_coordinates(
                getattr(smooth, part), places, order=3, mode="grid-wrap"
            )
            setattr(out[index], part, values)
        out[(*index, *zero)] = spectrum[(*index, *zero)]
    return out


def full_spectrum(taps: np.ndarray) -> np.ndarray:
    """All frequencies of kernels on their own grid."""
    support = taps.shape[2:]
    space = tuple(range(2, taps.ndim))
    moved = np.roll(taps, [-(n // 2) for n in support], axis=space)
    return fft.fftn(moved.astype(complex), axes=space)


def cut_taps(taps: np.ndarray, support: Sequence[int]) -> np.ndarray:
    """The middle of kernels, zero lag at support // 2.

    >>> cut_taps(np.arange(6.0)[None, None], (3,))
    array([[[2., 3., 4.]]])
    """
    middle: list[Any] = [
        slice(n // 2 - m // 2, n // 2 - m // 2 + m)
        for n, m in zip(taps.shape[2:], support, strict=True)
    ]
    return taps[(slice(None), slice(None), *middle)]


def truncated_taps(taps: np.ndarray, support: Sequence[int]) -> tuple[np.ndarray, float]:
    """The middle of kernels with the same sum over lags; and the share of energy left out.

    What was outside is spread evenly over the inside, so that uniform states have the same
    response as before.
    """
    space = tuple(range(2, taps.ndim))
    middle = cut_taps(taps, support)
    energy = float((taps**2).sum())
    left_out = 1 - float((middle**2).sum()) / energy if energy else 0.0
    missing = taps.sum(axis=space, keepdims=True) - middle.sum(axis=space, keepdims=True)
    return middle + missing / np.prod(support), max(left_out, 0.0)
