"""Check computed statistics of phases against what must hold for any microstructure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mksdask.lazy import lift
from mksdask.progress import compute
from mksdask.statistics.lag_grid import LagGrid, lag_grid, pair_states

#: Columns of :func:`departures`.
CHECKS = ("finite", "range", "symmetry", "zero lag", "maximum")


@dataclass(frozen=True)
class Violation:
    """One law that statistics break."""

    #: Which law: one of ``CHECKS``, "volume fraction" or "fraction sum".
    check: str
    #: The pair that breaks it, by its name in the coordinate ``pair`` ("" if it is about all).
    pair: str
    #: In how many samples.
    n_samples: int
    #: Number of the sample where it is broken most.
    worst_sample: int
    #: By how much, there.
    excess: float

    def __str__(self) -> str:
        about = f" of pair {self.pair}" if self.pair else ""
        return (
            f"{self.check}{about}: broken in {self.n_samples} samples, "
            f"worst by {self.excess:.3g} in sample {self.worst_sample}"
        )


def check_statistics(
    f: xr.DataArray,
    fractions: Any = None,
    *,
    sharp: bool = True,
    tolerance: float | None = None,
    progress: bool | None = None,
) -> list[Violation]:
    """Compute statistics of the primitive basis and list the laws they break.

    - finite: no infinity, and a number at lag zero (NaN elsewhere is a lag hidden by a mask);
    - range: 0 <= f <= 1, they are probabilities;
    - symmetry: f[h, h; r] = f[h, h; -r], and f[h, h'; r] = f[h', h; -r] if both are there;
    - zero lag: f[h, h'; 0] = 0 for h != h', a voxel is in one phase (sharp interfaces);
    - maximum: f[h, h; r] <= f[h, h; 0] where all axes are periodic and there is no mask;
    - volume fraction: f[h, h; 0] = v_h, if ``fractions`` are given (sharp interfaces);
    - fraction sum: sum_h f[h, h; 0] = 1, if all autocorrelations are there (sharp interfaces).

    This computes ``f``, all of it once, chunk by chunk, and keeps a few numbers a sample.

    Parameters
    ----------
    f
        Statistics (sample, pair, lags) as :func:`two_point_statistics` makes them, with all lags.
    fractions
        Volume fractions (sample, state), for example of :func:`volume_fractions`; lazy or not.
    sharp
        False for fields whose voxels share states: leaves out what holds for whole voxels only.
    tolerance
        What is still taken for rounding: 1e-9, and 1e-5 for float32.
    progress
        Whether to show a progress bar (by default on terminals and in notebooks).

    Returns
    -------
    A list of violations, empty if there is none.

    Examples
    --------
    >>> f = xr.DataArray([[[0.2, 0.5, 0.1]]], dims=("sample", "pair", "lag_x"),
    ...                  coords={"pair": ["0,0"], "pair_first": ("pair", [0]),
    ...                          "pair_second": ("pair", [0])})
    >>> for violation in check_statistics(f):
    ...     print(violation)
    symmetry of pair 0,0: broken in 1 samples, worst by 0.1 in sample 0
    """
    grid = lag_grid(f)
    if f.dtype.kind != "f":
        raise TypeError(f"f has dtype {f.dtype}; wanted real statistics of the primitive basis")
    first, second = pair_states(f)
    for missing in ("pair", "sample"):
        if missing not in f.dims:
            f = f.expand_dims(missing)
    if tolerance is None:
        tolerance = 1e-5 if f.dtype == np.float32 else 1e-9
    measured = lift(
        departures,
        f,
        dims=[("sample", "pair", *grid.dims)],
        out_dims=("sample", "pair", "check"),
        whole=("pair",),
        dtype=float,
        sizes={"check": len(CHECKS) + 1},
        name="check_statistics",
        kwargs={
            "opposite": opposite_lags(grid),
            "partner": _partners(first, second),
            "zero": grid.zero(),
            "auto": first == second,
            "bounded": _is_bounded(f),
        },
    )
    measured, fractions = compute(measured, fractions, label="checking", progress=progress)
    values = np.asarray(measured.transpose("sample", "pair", "check").values)
    names = [str(p) for p in np.atleast_1d(f["pair"].values)] if "pair" in f.coords else []
    names = names or [f"{h},{k}" for h, k in zip(first, second, strict=True)]
    found: list[Violation] = []
    for column, check in enumerate(CHECKS):
        if check == "zero lag" and not sharp:
            continue
        for p, name in enumerate(names):
            found += _violations(check, name, values[:, p, column], tolerance)
    if sharp:
        at_zero = values[..., -1]
        found += _fraction_violations(f, at_zero, first, second, names, fractions, tolerance)
    return found


def departures(
    block: np.ndarray,
    *,
    opposite: Sequence[np.ndarray],
    partner: np.ndarray,
    zero: Sequence[int],
    auto: np.ndarray,
    bounded: bool,
) -> np.ndarray:
    """How far each sample and pair is from each law, and f(0): to (sample, pair, check + 1)."""
    out = np.zeros((*block.shape[:2], len(CHECKS) + 1))
    lag_axes = tuple(range(1, block.ndim - 1))
    has_partner = partner >= 0
    mirror = np.ix_(partner[has_partner], *opposite)
    for row, one in zip(out, block, strict=True):
        f = one.astype(float)
        at_zero = f[(slice(None), *zero)]
        row[:, 0] = np.isinf(f).sum(axis=lag_axes) + np.isnan(at_zero)
        f[~np.isfinite(f)] = np.nan
        # fmax and fmin pass over NaN, and start from what is no violation.
        top = np.fmax.reduce(f, axis=lag_axes, initial=0.0)
        row[:, 1] = np.maximum(top - 1, -np.fmin.reduce(f, axis=lag_axes, initial=0.0))
        apart = np.abs(f[has_partner] - f[mirror])
        row[has_partner, 2] = np.fmax.reduce(apart, axis=lag_axes, initial=0.0)
        row[:, 3] = np.where(auto, 0, np.nan_to_num(np.abs(at_zero)))
        if bounded:
            row[:, 4] = np.where(auto, np.nan_to_num(top - at_zero), 0)
        row[:, 5] = at_zero
    return out


def opposite_lags(grid: LagGrid) -> list[np.ndarray]:
    """For each axis, the position of -r for every lag r.

    >>> opposite_lags(lag_grid(np.zeros((1, 1, 4))))
    [array([0, 3, 2, 1])]
    """
    found = []
    for d, lags in zip(grid.dims, grid.lags, strict=True):
        n = len(lags)
        mirrored = -lags
        if n % 2 == 0:
            # Half a period forwards and backwards is the same lag of a periodic axis.
            mirrored = np.where(lags == -(n // 2), lags, mirrored)
        order = np.argsort(lags)
        place = np.searchsorted(lags[order], mirrored)
        if (place >= n).any() or not np.array_equal(lags[order][place], mirrored):
            raise ValueError(
                f"{d} goes from {lags.min()} to {lags.max()}; wanted each lag r with its -r: check "
                "statistics before selecting lags"
            )
        found.append(order[place])
    return found


def _partners(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    place = {pair: i for i, pair in enumerate(zip(first, second, strict=True))}
    return np.array([place.get((k, h), -1) for h, k in zip(first, second, strict=True)])


def _is_bounded(f: xr.DataArray) -> bool:
    boundary = f.attrs.get("boundary", ())
    periodic = len(boundary) > 0 and all(b == "periodic" for b in boundary)
    return periodic and not f.attrs.get("masked", True)


def _violations(check: str, pair: str, excess: np.ndarray, tolerance: float) -> list[Violation]:
    broken = ~(excess <= tolerance)
    if not broken.any():
        return []
    worst = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
    return [Violation(check, pair, int(broken.sum()), worst, float(excess[worst]))]


def _fraction_violations(
    f: xr.DataArray,
    at_zero: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    names: Sequence[str],
    fractions: Any,
    tolerance: float,
) -> list[Violation]:
    found: list[Violation] = []
    auto = np.flatnonzero(first == second).tolist()
    if fractions is not None:
        known = _known_fractions(fractions, len(at_zero))
        for p in auto:
            if first[p] not in known:
                raise ValueError(
                    f"fractions has the states {sorted(known)}; wanted state {first[p]} among them"
                )
            apart = np.abs(at_zero[:, p] - known[int(first[p])])
            found += _violations("volume fraction", names[p], apart, tolerance)
    n_states = json.loads(f.attrs["basis"]).get("n_states") if "basis" in f.attrs else None
    if n_states is not None and set(first[auto].tolist()) == set(range(n_states)):
        apart = np.abs(at_zero[:, auto].sum(axis=1) - 1)
        found += _violations("fraction sum", "", apart, tolerance * n_states)
    return found


def _known_fractions(fractions: Any, n_samples: int) -> dict[int, np.ndarray]:
    """Fractions of all samples by state."""
    if isinstance(fractions, xr.DataArray):
        values = fractions.transpose("sample", "state").values
        states = fractions["state"].values if "state" in fractions.coords else None
    else:
        values, states = np.asarray(fractions), None
    if values.ndim != 2 or len(values) != n_samples:
        raise ValueError(
            f"fractions has shape {values.shape}; wanted ({n_samples}, number of states)"
        )
    labels = range(values.shape[1]) if states is None else states.tolist()
    return {int(h): values[:, i] for i, h in enumerate(labels)}
