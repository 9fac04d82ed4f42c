"""Volume fractions, from microstructures or from their statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mksdask.bases import Basis
from mksdask.errors import DataError
from mksdask.lazy import lift
from mksdask.statistics.lag_grid import auto_pairs, lag_grid, pair_states
from mksdask.statistics.phase_axes import SAMPLE, require_labels, spatial_dims

# Voxels expanded at once.
_BATCH_VOXELS = 2**20


def volume_fractions(data: Any, states: int | Basis | None = None) -> Any:
    """Volume fraction of each state in each sample.

    v_h = 1/S sum_s m[h; s]; for statistics of sharp phases v_h = f[h, h; 0].

    Parameters
    ----------
    data
        Integer labels (sample, x[, y[, z]]) with ``states`` their number, or a field with
        ``states`` a basis (v_h is then the mean of the coefficient h). Or, as a DataArray, the
        two-point statistics of labels: the autocorrelations at lag zero are looked up.
    states
        Number of labels, or a basis such as ``PrimitiveBasis(n_states=2)``.

    Returns
    -------
    (sample, state), the same kind of array as ``data``. From statistics, the states are those
    whose autocorrelation is there.

    Examples
    --------
    >>> volume_fractions(np.array([[[0, 1], [1, 1]]]), 2)
    array([[0.25, 0.75]])
    """
    if isinstance(data, xr.DataArray) and any(str(d).startswith("lag_") for d in data.dims):
        return _from_statistics(data)
    basis = states if isinstance(states, Basis) else None
    trailing = basis.state_dims if basis is not None else ()
    if basis is not None and trailing:
        raise ValueError(f"states is {basis!r}; wanted a basis of scalar fields, or a number")
    space = spatial_dims(data, "data")
    if basis is None:
        n_states = _checked_number(states)
        require_labels(data)
        dtype = np.dtype(float)
    else:
        n_states, dtype = basis.n_states, basis.dtype(data.dtype)
    return lift(
        _count_labels if basis is None else _mean_coefficients,
        data,
        dims=[(SAMPLE, *space)],
        out_dims=(SAMPLE, "state"),
        dtype=dtype,
        sizes={"state": n_states},
        coords={"state": np.arange(n_states)},
        name="volume_fraction",
        kwargs={"n_states": n_states} if basis is None else {"basis": basis},
    )


def _from_statistics(f: xr.DataArray) -> xr.DataArray:
    auto = auto_pairs(f)
    if not auto.any():
        raise ValueError(
            "data has no autocorrelation among its pairs; wanted pairs such as (0, 0), whose lag "
            "zero is a volume fraction: compute the statistics with pairs='auto' or 'all'"
        )
    grid = lag_grid(f)
    zero = f.isel(dict(zip(grid.dims, grid.zero(), strict=True))).drop_vars(
        grid.dims, errors="ignore"
    )
    states = pair_states(f)[0]
    if "pair" not in f.dims:
        return zero.rename("volume_fraction")
    zero = zero.isel(pair=np.flatnonzero(auto)).rename(pair="state")
    kept = zero.drop_vars(["state", "pair_first", "pair_second"], errors="ignore")
    return kept.assign_coords(state=states[auto]).rename("volume_fraction")


def _count_labels(block: np.ndarray, n_states: int) -> np.ndarray:
    out = np.empty((len(block), n_states))
    for one, labels in zip(out, block.reshape(len(block), -1), strict=True):
        low, high = labels.min(), labels.max()
        if low < 0 or high >= n_states:
            raise DataError(
                f"labels go from {low} to {high} in a sample; wanted 0 to {n_states - 1}: give "
                f"states={max(int(high) + 1, 1)} or relabel"
            )
        one[:] = np.bincount(labels, minlength=n_states)
    return out / np.prod(block.shape[1:])


def _mean_coefficients(block: np.ndarray, basis: Basis) -> np.ndarray:
    rows = block.reshape(len(block), -1)
    out = np.zeros(
        (len(rows), basis.n_states), dtype=np.result_type(basis.dtype(block.dtype), float)
    )
    step = max(1, _BATCH_VOXELS // len(rows))
    for i in range(0, rows.shape[1], step):
        out += basis.expand(rows[:, i : i + step]).sum(axis=1, dtype=out.dtype)
    return (out / rows.shape[1]).astype(basis.dtype(block.dtype))


def _checked_number(states: Any) -> int:
    if isinstance(states, bool) or not isinstance(states, int | np.integer):
        raise TypeError(f"states is {states!r}; wanted the number of labels or a basis")
    if states < 1:
        raise ValueError(f"states is {states}; wanted at least 1")
    return int(states)
