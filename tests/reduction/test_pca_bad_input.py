"""Wrong calls are said before anything is computed; faulty data are never passed over."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.exceptions import NotFittedError

from mksdask.bases import PrimitiveBasis
from mksdask.errors import DataError
from mksdask.reduction import IncrementalPCA
from mksdask.statistics import two_point_statistics


def unreadable(n, d):
    def fail(block):
        raise AssertionError("computed")

    return da.ones((n, d), chunks=(5, d)).map_blocks(fail, dtype=float, meta=np.empty((0, 0)))


@pytest.mark.parametrize(
    ("options", "shape", "error", "said"),
    [
        ({"n_components": 5}, (5, 9), ValueError, "5 samples vary in at most 4 directions"),
        ({"n_components": 10}, (50, 9), ValueError, "n_components is 10; wanted 1 to 9"),
        ({"n_components": 0}, (50, 9), ValueError, "n_components is 0"),
        ({"n_components": 1.5}, (50, 9), ValueError, "n_components is 1.5"),
        ({"n_components": float("nan")}, (50, 9), ValueError, "n_components is nan"),
        ({"n_components": "mle"}, (50, 9), TypeError, "n_components is 'mle'"),
        ({"n_components": True}, (50, 9), TypeError, "n_components is True"),
        ({}, (1, 9), ValueError, "1 sample; wanted at least 2"),
        ({"method": "qr"}, (50, 9), ValueError, "method is 'qr'"),
        ({"oversampling": -1}, (50, 9), ValueError, "oversampling is -1"),
        ({"oversampling": 2.5}, (50, 9), TypeError, "oversampling is 2.5"),
        ({"power_iterations": -1}, (50, 9), ValueError, "power_iterations is -1"),
        ({}, (5000, 5000), ValueError, "give a number of components"),
        ({"n_components": 0.9, "method": "svd"}, (50, 9), ValueError, "give a number of"),
    ],
)
def test_refused_before_computing(options, shape, error, said):
    with pytest.raises(error, match=said):
        IncrementalPCA(**options).fit(unreadable(*shape))


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (np.ones(5), ValueError, "samples first"),
        (np.ones((5, 0)), ValueError, "at least one sample and one feature"),
        (np.array([["a", "b"]]), TypeError, "wanted numbers"),
        (xr.DataArray(np.ones((5, 4)), dims=("x", "y")), ValueError, "wanted 'sample'"),
        (xr.DataArray(np.ones(5), dims=("sample",)), ValueError, "wanted 'sample'"),
        (da.ones((9, 3), chunks=3)[da.arange(9, chunks=3) > 3], ValueError, "chunk_sizes"),
    ],
)
def test_arrays_that_are_no_samples(data, error, said):
    with pytest.raises(error, match=said):
        IncrementalPCA().fit(data)


@pytest.mark.parametrize("method", ["gram", "svd"])
@pytest.mark.parametrize("shape", [(40, 8), (20, 60)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1e6])
def test_constant_features(method, shape, value):
    rng = np.random.default_rng(0)
    x = np.full(shape, value)
    with pytest.raises(DataError, match=f"all {shape[1]} features are constant"):
        IncrementalPCA(n_components=2, method=method).fit(da.from_array(x, chunks=(7, -1)))
    x[:, 2:5] += rng.standard_normal((len(x), 3))
    with pytest.raises(DataError, match=rf"3 directions only \({shape[1] - 3} of {shape[1]}"):
        IncrementalPCA(n_components=4, method=method).fit(da.from_array(x, chunks=(7, -1)))
    pca = IncrementalPCA(n_components=3, method=method).fit(x)
    assert np.abs(pca.components_[:, 5:]).max() < 1e-6
    np.testing.assert_allclose(pca.explained_variance_ratio_.sum(), 1, rtol=1e-9)


def test_samples_that_repeat():
    x = np.repeat(np.random.default_rng(0).standard_normal((3, 20)), 4, axis=0)
    assert IncrementalPCA().fit(x).n_components_ == 2
    with pytest.raises(DataError, match="2 directions only"):
        IncrementalPCA(n_components=3).fit(x)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["gram", "svd"])
def test_not_finite(bad, method):
    x = np.random.default_rng(0).standard_normal((30, 6))
    x[17, 2] = bad
    with pytest.raises(DataError, match=r"1 samples of a block of 10 \(the first is number 7"):
        IncrementalPCA(n_components=2, method=method).fit(da.from_array(x, chunks=(10, 6)))


def test_a_refused_fit_leaves_the_model_as_it_was():
    x = np.random.default_rng(0).standard_normal((30, 6))
    pca = IncrementalPCA(n_components=2).fit(x)
    before = pca.components_.copy()
    for wrong in (x[:, :5], np.full((3, 6), np.nan)):
        with pytest.raises(ValueError):
            pca.partial_fit(wrong)
    np.testing.assert_array_equal(pca.components_, before)
    assert pca.n_samples_seen_ == 30


def test_other_features_than_in_fit():
    phase = xr.DataArray(
        np.random.default_rng(0).integers(0, 2, (12, 8, 8)), dims=("sample", "x", "y")
    )
    basis = PrimitiveBasis(2)
    f = two_point_statistics(phase, basis, [(0, 0)], 2)
    pca = IncrementalPCA(n_components=2).fit(f)
    others = [
        (two_point_statistics(phase, basis, [(0, 0)], 3), "pairs and cutoff"),
        (two_point_statistics(phase, basis, [(1, 1)], 2), "other 'pair.*' coordinates"),
        (two_point_statistics(phase, basis, [(0, 0)], 2, "nonperiodic"), "boundary"),
        (two_point_statistics(phase, PrimitiveBasis(2, (0, 2)), [(0, 0)], 2), "basis"),
        (f.rename(lag_x="lag_z"), "features of shape"),
        (f.assign_attrs(voxel_size=[1.0, 2.0]), None),
    ]
    for other, said in others:
        if said is None:  # nothing is known of the voxels of the fit
            pca.transform(other)
            continue
        for call in (pca.transform, pca.partial_fit):
            with pytest.raises(ValueError, match=said):
                call(other)
        with pytest.raises(ValueError, match=said):
            pca.merge(IncrementalPCA(n_components=2).fit(other))


def test_not_fitted_and_wrong_kinds():
    pca = IncrementalPCA(n_components=2)
    x = np.random.default_rng(0).standard_normal((30, 6))
    for call in (
        lambda: pca.transform(x),
        lambda: pca.inverse_transform(x),
        lambda: pca.components,
        lambda: pca.merge(IncrementalPCA()),
    ):
        with pytest.raises(NotFittedError):
            call()
    with pytest.raises(TypeError, match="wanted a fitted IncrementalPCA"):
        pca.merge(x)
    with pytest.raises(ValueError, match="2\\) scores"):
        pca.fit(x).inverse_transform(x)
