"""Correlation length: over what distance a structure forgets itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from mksdask.lazy import lift
from mksdask.statistics.lag_grid import PREFIX, auto_pairs, lag_grid, select_pairs


def correlation_length(statistics: Any, *, tail: float = 0.05, physical: bool | None = None) -> Any:
    """Integral range of the autocorrelations, along each axis or over the radius.

    With v = f(0) the volume fraction, the normalized covariance and its integral are

    C(r) = (f(r) - v^2) / (v - v^2),    l = integral_0^{r0} C(r) dr,

    where r0 is the first zero of C (found by linear interpolation), or the longest lag if C has
    none. The integral is a sum of trapezoids. C = exp(-r/a) gives a; a random checkerboard of
    cells of w voxels gives w/2. Beyond r0, C oscillates around zero and, for a periodic cell,
    integrates to about nothing, which is why the integral stops there.

    Parameters
    ----------
    statistics
        Statistics of sharp phases (sample, pair, lags), of which the autocorrelations are used;
        or, as a DataArray, their pair correlation (sample, pair, radius) over exact radii. In
        plain arrays every pair has to be an autocorrelation.
    tail
        C must come down to this value within the lags; else the lags end too early and the
        result is NaN (compute the statistics with a larger cutoff).
    physical
        True measures in ``attrs["voxel_size"]``, False in voxels. None is in voxels, and refused
        where voxels are not cubes. A pair correlation is integrated over its own ``radius``.

    Returns
    -------
    (sample, pair, axis), or (sample, pair) of a pair correlation; pairs are the autocorrelations.
    NaN where a phase fills all or nothing of a sample, since nothing varies there.

    Examples
    --------
    >>> f = 0.25 + 0.25 * np.exp(-abs(np.arange(-60, 61)) / 6)
    >>> correlation_length(f[None, None]).round(2)
    array([[[6.01]]])
    """
    if not 0 <= tail < 1:
        raise ValueError(f"tail is {tail}; wanted a number from 0 up to 1")
    if isinstance(statistics, xr.DataArray) and "radius" in statistics.dims:
        return _over_radius(statistics, tail, physical)
    grid = lag_grid(statistics)
    steps, unit = grid.steps(physical)
    zero = grid.zero()
    for d, lags, z in zip(grid.dims, grid.lags, zero, strict=True):
        if not np.array_equal(lags[: z + 1], np.arange(-z, 1)):
            raise ValueError(f"{d} begins with {lags[:4].tolist()}; wanted every lag from -n to 0")
    return lift(
        ranges_along_axes,
        _autocorrelations(statistics),
        dims=[grid.all_dims],
        out_dims=(*grid.leading, "axis"),
        dtype=_real_dtype(statistics),
        sizes={"axis": len(zero)},
        coords={"axis": [d.removeprefix(PREFIX) for d in grid.dims]},
        attrs={"units": unit},
        name="correlation_length",
        kwargs={"zero": zero, "steps": steps, "tail": tail},
    )


def _over_radius(g: xr.DataArray, tail: float, physical: bool | None) -> xr.DataArray:
    if physical is not None:
        raise ValueError(
            f"physical is {physical}, but a pair correlation has its radii already: say it in "
            "pair_correlation(f, physical=...)"
        )
    radius = g["radius"].values
    if radius[0] != 0 or len(radius) < 2:
        raise ValueError(
            f"radius begins at {radius[0]:g} and has {len(radius)} entries; wanted the radius 0 "
            "and others: use pair_correlation without bins"
        )
    g = _autocorrelations(g)
    leading = tuple(str(d) for d in g.dims if d != "radius")
    return lift(
        integral_range,
        g,
        dims=[(*leading, "radius")],
        out_dims=leading,
        dtype=_real_dtype(g),
        attrs={"units": g["radius"].attrs.get("units", "voxel")},
        name="correlation_length",
        kwargs={"distance": radius, "tail": tail},
    )


def ranges_along_axes(
    block: np.ndarray, *, zero: Sequence[int], steps: Sequence[float], tail: float
) -> np.ndarray:
    """Integral range along each axis: (..., lags) to (..., axis)."""
    found = []
    for axis, (z, step) in enumerate(zip(zero, steps, strict=True)):
        # An autocorrelation is even, and a periodic axis has its longest lag on this side only.
        backwards = slice(z, None, -1)
        place: tuple[Any, ...] = (..., *zero[:axis], backwards, *zero[axis + 1 :])
        found.append(integral_range(block[place], step * np.arange(z + 1), tail))
    return np.stack(found, axis=-1)


def integral_range(f: np.ndarray, distance: np.ndarray, tail: float) -> np.ndarray:
    """Integral of the normalized covariance up to its first zero: (..., r) to (...)."""
    curve = f.astype(float)
    v = curve[..., :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        c = (curve - v**2) / (v - v**2)
        left, right = c[..., :-1], c[..., 1:]
        # Up to its zero a falling segment is a triangle of base left / (left - right).
        area = np.where(right > 0, (left + right) / 2, left**2 / (2 * (left - right)))
        before_zero = np.logical_and.accumulate(~(left <= 0), axis=-1)
        length = np.where(before_zero, area * np.diff(distance), 0).sum(axis=-1)
        length = np.where((c <= tail).any(axis=-1), length, np.nan)
    # Rounding can make the variance of an all or nothing phase a little more than zero.
    varies = (v - v**2)[..., 0] > 1e-12
    return np.where(varies, length, np.nan).astype(f.dtype if f.dtype.kind == "f" else float)


def _autocorrelations(statistics: Any) -> Any:
    if not isinstance(statistics, xr.DataArray):
        return statistics
    auto = auto_pairs(statistics)
    if not auto.any():
        raise ValueError(
            "the statistics have no autocorrelation among their pairs: compute them with "
            "pairs='auto' or 'all'"
        )
    return select_pairs(statistics, auto)


def _real_dtype(statistics: Any) -> np.dtype:
    if statistics.dtype.kind == "c":
        raise TypeError(f"the statistics are {statistics.dtype}; wanted those of real phases")
    return np.dtype(statistics.dtype if statistics.dtype.kind == "f" else float)
