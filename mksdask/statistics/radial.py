"""Pair correlation: two-point statistics averaged over directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr

from mksdask.lazy import is_lazy, lift
from mksdask.statistics.lag_grid import LagGrid, lag_grid

# Lengths that agree to this fraction of the longest are the same length.
_SAME_LENGTH = 1e-9


def pair_correlation(
    f: Any,
    bins: int | Sequence[float] | np.ndarray | None = None,
    *,
    physical: bool | None = None,
    masked: bool | None = None,
) -> Any:
    """Average two-point statistics over all lags of equal length.

    g(R) = 1/n(R) sum_{|r| = R} f(r), n(R) the number of lags of length R.

    Every lag present in ``f`` counts. Beyond the shortest half-width of ``f`` only the directions
    towards its corners are left, which ``count`` shows. For an isotropic structure g carries all
    of f; for others it is the mean over directions, weighted by the lags of the grid.

    Parameters
    ----------
    f
        Statistics (sample, pair, lag_x[, lag_y[, lag_z]]), real or complex, zero lag in the
        middle (at position n // 2 of an axis of n lags without coordinate). A DataArray may lack
        ``sample`` or ``pair``. Lags that are NaN (hidden by a mask) are left out.
    bins
        None for exact lengths: one radius for each length that occurs. A number of bins of equal
        width from zero to the longest lag, or increasing edges; each bin is closed on the left
        and open on the right, the last closed on both sides. Lags outside the edges are left out.
    physical
        True measures radii (and ``bins``) by ``f.attrs["voxel_size"]``, False in voxels. None is
        in voxels, and refused where voxels are not cubes.
    masked
        Whether lags of ``f`` can be NaN, so that the number of lags in each mean depends on the
        sample. None looks at ``f.attrs["masked"]``, else at ``f`` itself if it is in memory, else
        takes it as False. A NaN met where ``masked`` is False gives NaN, never a mean with a
        wrong count. For DataArrays only; plain arrays have no counts and skip NaN.

    Returns
    -------
    (sample, pair, radius), the same kind of array as ``f``, float32 for float32. A DataArray has
    the coordinates ``radius`` (in bins: mean length of the lags in the bin, its centre if there
    is none) and ``count``, the number of lags in each mean: (radius), or where ``masked`` the
    (lazy) number of lags that were not NaN, (sample, pair, radius). Without any lag the mean is
    NaN.

    Examples
    --------
    >>> f = np.zeros((1, 1, 3, 3)); f[0, 0, 1, 1] = 0.5; f[0, 0, 1, 0] = 0.2
    >>> pair_correlation(f).round(3)       # radii 0, 1 and the square root of 2
    array([[[0.5 , 0.05, 0.  ]]])
    >>> g = pair_correlation(xr.DataArray(f, dims=("sample", "pair", "lag_x", "lag_y")))
    >>> g.radius.values.round(3), g["count"].values
    (array([0.   , 1.   , 1.414]), array([1, 4, 4]))
    """
    grid = lag_grid(f)
    steps, unit = grid.steps(physical)
    spec = RadialBins(
        tuple(tuple(lag.tolist()) for lag in grid.lags), steps, _edges(bins, grid, steps)
    )
    radius = radial_index(spec)[1].copy()
    labelled = isinstance(f, xr.DataArray)
    skip_nan = True if not labelled else _is_masked(f, masked)
    g = lift(
        radial_mean,
        f,
        dims=[grid.all_dims],
        out_dims=(*grid.leading, "radius"),
        dtype=f.dtype if f.dtype.kind in "fc" else np.dtype(float),
        sizes={"radius": len(radius)},
        coords={"radius": ("radius", radius, {"units": unit})},
        attrs=f.attrs if labelled else None,
        name="pair_correlation",
        kwargs={"bins": spec, "skip_nan": skip_nan},
    )
    if not labelled:
        return g
    if not skip_nan:
        return g.assign_coords(count=("radius", _table(spec)[1].copy()))
    valid = lift(
        radial_count,
        f,
        dims=[grid.all_dims],
        out_dims=(*grid.leading, "radius"),
        dtype=np.int64,
        sizes={"radius": len(radius)},
        name="pair_correlation_count",
        kwargs={"bins": spec},
    )
    return g.assign_coords(count=((*grid.leading, "radius"), valid.data))


@dataclass(frozen=True)
class RadialBins:
    """Which lags belong to which radius; small, so that every task can carry it."""

    #: Lags of each axis, in voxels.
    lags: tuple[tuple[int, ...], ...]
    #: Edge lengths of a voxel.
    steps: tuple[float, ...]
    #: Edges of the bins, None for exact lengths.
    edges: tuple[float, ...] | None

    def lengths(self) -> np.ndarray:
        """Length of every lag, flat."""
        squares = [
            (np.array(lag) * step) ** 2 for lag, step in zip(self.lags, self.steps, strict=True)
        ]
        return np.sqrt(sum(np.ix_(*squares), start=np.zeros(()))).ravel()


@lru_cache(maxsize=8)
def radial_index(bins: RadialBins) -> tuple[np.ndarray, np.ndarray]:
    """For each lag (flat) the number of its radius, -1 for none; and the radii.

    >>> bins = RadialBins(((-1, 0, 1), (-1, 0, 1)), (1.0, 1.0), None)
    >>> radial_index(bins)[0].reshape(3, 3)
    array([[2, 1, 2],
           [1, 0, 1],
           [2, 1, 2]])
    """
    length = bins.lengths()
    slack = _SAME_LENGTH * float(length.max())
    if bins.edges is None:
        order = np.argsort(length, kind="stable")
        first = np.diff(length[order], prepend=-np.inf) > slack
        bin_of = np.empty(length.size, dtype=np.intp)
        bin_of[order] = np.cumsum(first) - 1
        return bin_of, length[order][first]
    edges = np.array(bins.edges)
    # The slack keeps a length on an edge in the bin that begins there, however it was rounded.
    bin_of = np.searchsorted(edges, length + slack, side="right") - 1
    bin_of[np.abs(length - edges[-1]) <= slack] = len(edges) - 2
    bin_of[bin_of >= len(edges) - 1] = -1
    inside = bin_of >= 0
    n = np.bincount(bin_of[inside], minlength=len(edges) - 1)
    total = np.bincount(bin_of[inside], weights=length[inside], minlength=len(edges) - 1)
    centre = (edges[1:] + edges[:-1]) / 2
    return bin_of, np.where(n > 0, total / np.maximum(n, 1), centre)


def radial_mean(block: np.ndarray, *, bins: RadialBins, skip_nan: bool) -> np.ndarray:
    """Mean over the lags of each radius: (..., lags) to (..., radius)."""
    bin_of, lags_of = _table(bins)
    leading = block.shape[: block.ndim - len(bins.lags)]
    rows = block.reshape(-1, len(bin_of))
    kind = block.dtype if block.dtype.kind in "fc" else np.dtype(float)
    total = np.empty((len(rows), len(lags_of)), dtype=np.result_type(kind, np.float64))
    # One bincount a row is one pass; sorted or matrix forms of this sum take two or more.
    for sums, row in zip(total, rows, strict=True):
        sums[:] = _sums(bin_of, row, len(lags_of))
    n: np.ndarray = lags_of
    if skip_nan:
        n = np.broadcast_to(lags_of, total.shape).copy()
        for i in np.flatnonzero(np.isnan(total).any(axis=1)):
            hidden = np.isnan(rows[i])
            total[i] = _sums(bin_of, np.where(hidden, 0, rows[i]), len(lags_of))
            n[i] = _sums(bin_of, ~hidden, len(lags_of))
    with np.errstate(invalid="ignore"):  # no lag at all: 0 / 0 is NaN, as meant
        return (total / n).astype(kind, copy=False).reshape(*leading, -1)


def radial_count(block: np.ndarray, *, bins: RadialBins) -> np.ndarray:
    """Count the lags of each radius that are not NaN: (..., lags) to (..., radius)."""
    bin_of, lags_of = _table(bins)
    leading = block.shape[: block.ndim - len(bins.lags)]
    rows = block.reshape(-1, len(bin_of))
    counts = [_sums(bin_of, ~np.isnan(row), len(lags_of)) for row in rows]
    return np.array(counts).astype(np.int64).reshape(*leading, len(lags_of))


@lru_cache(maxsize=8)
def _table(bins: RadialBins) -> tuple[np.ndarray, np.ndarray]:
    """Number of the radius of every lag, and number of lags of every radius.

    Lags without a radius go into an extra one at the end.
    """
    bin_of, radius = radial_index(bins)
    bin_of = np.where(bin_of < 0, len(radius), bin_of)
    return bin_of, np.bincount(bin_of, minlength=len(radius) + 1)[: len(radius)]


def _sums(bin_of: np.ndarray, row: np.ndarray, n_bins: int) -> np.ndarray:
    if row.dtype.kind == "c":
        return _sums(bin_of, row.real, n_bins) + 1j * _sums(bin_of, row.imag, n_bins)
    return np.bincount(bin_of, weights=row, minlength=n_bins + 1)[:n_bins]


def _edges(
    bins: int | Sequence[float] | np.ndarray | None, grid: LagGrid, steps: Sequence[float]
) -> tuple[float, ...] | None:
    if bins is None:
        return None
    if isinstance(bins, bool | np.bool_):
        raise TypeError(f"bins is {bins!r}; wanted None, a number of bins or increasing edges")
    if isinstance(bins, int | np.integer):
        if bins < 1:
            raise ValueError(f"bins is {bins}; wanted at least 1, or increasing edges")
        ends = [np.abs(lag).max() * step for lag, step in zip(grid.lags, steps, strict=True)]
        longest = float(np.linalg.norm(ends))
        return tuple(np.linspace(0.0, longest or 1.0, int(bins) + 1).tolist())
    edges = np.asarray(bins, dtype=float)
    increasing = edges.ndim == 1 and len(edges) > 1 and bool((np.diff(edges) > 0).all())
    if not increasing or edges[0] < 0 or not np.isfinite(edges).all():
        raise ValueError(
            f"bins is {bins!r}; wanted a number of bins, or at least 2 finite edges from 0 on, "
            "each larger than the one before"
        )
    return tuple(edges.tolist())


def _is_masked(f: xr.DataArray, masked: bool | None) -> bool:
    if masked is not None:
        return bool(masked)
    if "masked" in f.attrs:
        return bool(f.attrs["masked"])
    return not is_lazy(f) and bool(np.isnan(f.values).any())
