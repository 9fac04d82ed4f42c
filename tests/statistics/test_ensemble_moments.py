"""Mean and variance over samples against NumPy on data in memory."""

from __future__ import annotations

import pickle

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask.statistics import (
    ensemble_mean,
    ensemble_moments,
    ensemble_variance,
    pair_correlation,
)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 9),
    chunk=st.integers(1, 4),
    ddof=st.integers(0, 1),
    dtype=st.sampled_from(["float32", "float64", "complex64", "complex128"]),
    seed=st.integers(0, 99),
)
def test_agrees_with_numpy(n, chunk, ddof, dtype, seed):
    rng = np.random.default_rng(seed)
    f = rng.normal(size=(n, 2, 3))
    f = (f + 1j * rng.normal(size=f.shape) if dtype.startswith("c") else f).astype(dtype)
    wide = f.astype(complex if dtype.startswith("c") else float)
    single = dtype in ("float32", "complex64")
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if single else {"rtol": 1e-11, "atol": 1e-12}
    lazy = da.from_array(f, chunks=(chunk, 1, 2))
    for given_f in (f, lazy):
        mean = ensemble_mean(given_f)
        variance = ensemble_variance(given_f, ddof)
        assert isinstance(mean, type(given_f))
        assert isinstance(variance, type(given_f))
        assert mean.dtype == dtype
        assert variance.dtype == np.empty(0, dtype).real.dtype
        np.testing.assert_allclose(np.asarray(mean), wide.mean(axis=0), **tolerance)
        np.testing.assert_allclose(np.asarray(variance), wide.var(axis=0, ddof=ddof), **tolerance)


def test_no_cancellation_beside_a_large_mean():
    f = 1e6 + np.random.default_rng(0).normal(size=(400, 3))
    variance = ensemble_variance(da.from_array(f, chunks=(7, 3)))
    np.testing.assert_allclose(variance.compute(), f.var(axis=0, ddof=1), rtol=1e-9)


def test_single_precision_sums_in_double():
    f = np.full((50_000, 1), 0.1, dtype="float32")
    f[0] = 1e5
    mean = ensemble_mean(da.from_array(f, chunks=(50_000, 1))).compute()
    assert mean[0] == np.float32(f.astype(float).mean())


def test_hidden_lags_are_averaged_over_the_others():
    f = np.random.default_rng(1).random((6, 2, 5))
    f[2, :, 0] = np.nan
    f[:5, :, 1] = np.nan
    f[:, :, 2] = np.nan
    data = xr.DataArray(f, dims=("sample", "pair", "lag_x"), attrs={"voxel_size": [1.0]})
    for given_f in (data, data.chunk(sample=2)):
        mean = ensemble_mean(given_f).compute()
        variance = ensemble_variance(given_f).compute()
        assert mean.dims == ("pair", "lag_x")
        assert mean.attrs == variance.attrs == data.attrs
        keep = [0, 3, 4]
        np.testing.assert_allclose(mean[:, keep], np.nanmean(f[..., keep], axis=0))
        np.testing.assert_allclose(variance[:, keep], np.nanvar(f[..., keep], axis=0, ddof=1))
        np.testing.assert_allclose(mean[:, 1], f[5, :, 1])
        assert np.isnan(mean[:, 2]).all()
        assert np.isnan(variance[:, 1:3]).all()


def test_blocks_are_worked_off_in_batches(monkeypatch):
    f = np.random.default_rng(3).random((11, 2, 5))
    monkeypatch.setattr(ensemble_moments, "_BATCH_BYTES", 3 * 10 * 16)
    np.testing.assert_allclose(ensemble_mean(f), f.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(ensemble_variance(f), f.var(axis=0, ddof=1), rtol=1e-13)


def test_graphs_travel_to_other_processes():
    f = xr.DataArray(np.random.default_rng(4).random((5, 1, 7)), dims=("sample", "pair", "lag_x"))
    lazy = f.chunk(sample=2)
    for there in (ensemble_variance(lazy), pair_correlation(lazy)):
        back = pickle.loads(pickle.dumps(there))  # noqa: S301
        np.testing.assert_array_equal(back.compute(), there.compute())


def test_few_tasks_a_chunk():
    f = xr.DataArray(da.zeros((1000, 2, 9), chunks=(1, 2, 9)), dims=("sample", "pair", "lag_x"))
    for moment in (ensemble_mean(f), ensemble_variance(f)):
        assert len(moment.data.dask) <= 3 * 1000


def test_bad_calls():
    f = np.zeros((2, 3))
    with pytest.raises(ValueError, match="ddof is 2 for 2 samples"):
        ensemble_variance(f, ddof=2)
    with pytest.raises(ValueError, match="wanted 'sample'"):
        ensemble_mean(xr.DataArray(f))
    with pytest.raises(ValueError, match="no samples"):
        ensemble_mean(f[:0])
