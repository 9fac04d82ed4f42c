"""Volume fractions, from microstructures or from their statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from mksdask.bases import Basis
from mksdask.errors import DataError
from mksdask.lazy import TilePlace, lift, split_dims, sum_tiles
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
        two-point statistics of labels: the autocorrelations at lag zero are looked up. Labels
        and fields may be chunked in space.
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
    space = spatial_dims(data, "data")
    kernel: Callable[..., np.ndarray]
    kwargs: dict[str, Any] = {"n_voxels": _n_voxels(data)}
    if isinstance(states, Basis):
        if states.state_dims:
            raise ValueError(f"states is {states!r}; wanted a basis of scalar fields, or a number")
        n_states, dtype = states.n_states, states.dtype(data.dtype)
        kernel, kwargs["basis"] = coefficient_fractions, states
    else:
        n_states, dtype = _checked_number(states), np.dtype(float)
        require_labels(data)
        kernel, kwargs["n_states"] = label_fractions, n_states
    dims = (SAMPLE, *space)
    labelled = data if isinstance(data, xr.DataArray) else xr.DataArray(data, dims=dims)
    if not split_dims(labelled, space):
        v = lift(
            kernel,
            data,
            dims=[dims],
            out_dims=(SAMPLE, "state"),
            dtype=np.result_type(dtype, float),
            sizes={"state": n_states},
            name="volume_fraction",
            kwargs=kwargs,
        )
    else:
        # Fractions of the whole volume found in each tile add up.
        v = sum_tiles(
            _of_tile,
            data,
            dims=[dims],
            space=space,
            reach=dict.fromkeys(space, (0, 0)),
            wrap=(),
            sizes={"state": n_states},
            dtype=np.result_type(dtype, float),
            kwargs={"kernel": kernel, **kwargs},
        )
    v = v.astype(dtype, copy=False)
    if not isinstance(v, xr.DataArray):
        return v
    return v.assign_coords(state=np.arange(n_states)).rename("volume_fraction")


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


def label_fractions(block: np.ndarray, *, n_states: int, n_voxels: int) -> np.ndarray:
    """Number of voxels of each label over ``n_voxels``: (sample, x[, y[, z]]) to (sample, state)."""
    out = np.empty((len(block), n_states))
    for one, labels in zip(out, block.reshape(len(block), -1), strict=True):
        low, high = labels.min(), labels.max()
        if low < 0 or high >= n_states:
            raise DataError(
                f"labels go from {low} to {high} in a sample; wanted 0 to {n_states - 1}: give "
                f"states={max(int(high) + 1, 1)} or relabel"
            )
        one[:] = np.bincount(labels, minlength=n_states)
    return out / n_voxels


def coefficient_fractions(block: np.ndarray, *, basis: Basis, n_voxels: int) -> np.ndarray:
    """Sum of each coefficient over ``n_voxels``: (sample, x[, y[, z]]) to (sample, state)."""
    rows = block.reshape(len(block), -1)
    dtype = np.result_type(basis.dtype(block.dtype), float)
    out = np.zeros((len(rows), basis.n_states), dtype=dtype)
    step = max(1, _BATCH_VOXELS // len(rows))
    for i in range(0, rows.shape[1], step):
        out += basis.expand(rows[:, i : i + step]).sum(axis=1, dtype=dtype)
    return out / n_voxels


def _of_tile(
    place: TilePlace, block: np.ndarray, *, kernel: Callable[..., np.ndarray], **kwargs: Any
) -> np.ndarray:
    return kernel(block, **kwargs)


def _n_voxels(data: Any) -> int:
    if isinstance(data, xr.DataArray):
        return int(data.size // data.sizes[SAMPLE])
    return int(np.prod(data.shape[1:]))


def _checked_number(states: Any) -> int:
    if isinstance(states, bool) or not isinstance(states, int | np.integer):
        raise TypeError(f"states is {states!r}; wanted the number of labels or a basis")
    if states < 1:
        raise ValueError(f"states is {states}; wanted at least 1")
    return int(states)
