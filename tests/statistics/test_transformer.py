"""TwoPointStatistics in scikit-learn's company."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from mksdask.bases import FourierBasis, PrimitiveBasis
from mksdask.statistics import TwoPointStatistics, two_point_statistics

BASIS = PrimitiveBasis(2)
X = np.random.default_rng(0).integers(0, 2, (20, 7, 6)).astype(np.uint8)
MASK = np.random.default_rng(1).random((7, 6))


def test_features_are_the_statistics_unravelled():
    step = TwoPointStatistics(BASIS, [(0, 1), (1, 1)], [2, 3], "nonperiodic", MASK)
    expected = two_point_statistics(X, BASIS, [(0, 1), (1, 1)], [2, 3], "nonperiodic", MASK)
    features = step.fit_transform(X)
    np.testing.assert_array_equal(features, expected.reshape(20, -1))
    back = step.inverse_transform(features)
    assert back.dims == ("sample", "pair", "lag_x", "lag_y")
    assert back.lag_y.values.tolist() == list(range(-3, 4))
    np.testing.assert_array_equal(back, expected)
    names = step.get_feature_names_out()
    assert len(names) == features.shape[1] == step.n_features_out_
    assert names[0] == "f[0,1; -2,-3]"
    assert float(back.sel(pair="0,1", lag_x=1, lag_y=0)[4]) == features[4, names == "f[0,1; 1,0]"]


@pytest.mark.parametrize("kind", ["numpy", "dask", "dataarray", "lists"])
def test_flat_samples_with_a_shape(kind):
    flat = X.reshape(20, -1)
    given = {
        "numpy": flat,
        "dask": da.from_array(flat, chunks=(6, 10)),
        "dataarray": xr.DataArray(
            da.from_array(flat, chunks=(6, -1)),
            dims=("sample", "voxel"),
            coords={"sample": range(100, 120)},
        ),
        "lists": flat.tolist(),
    }[kind]
    step = TwoPointStatistics(BASIS, cutoff=2, shape=(7, 6)).fit(given)
    features = step.transform(given)
    expected = two_point_statistics(X, BASIS, cutoff=2).reshape(20, -1)
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-15)
    if kind == "dask":
        assert isinstance(features, da.Array)
    if kind == "dataarray":
        assert features.dims == ("sample", "feature")
        assert features.sample.values[0] == 100
        assert step.inverse_transform(features).sample.values[0] == 100


def test_lazy_until_asked():
    step = TwoPointStatistics(BASIS, cutoff=2)
    lazy = da.from_array(X, chunks=(6, 7, 6))
    features = step.fit_transform(lazy)
    assert isinstance(features, da.Array)
    assert features.chunks == ((6, 6, 6, 2), (75,))
    assert isinstance(step.inverse_transform(features).data, da.Array)


def test_clone_and_parameters():
    step = TwoPointStatistics(BASIS, [(0, 0)], 2, "nonperiodic", shape=(7, 6))
    again = clone(step).set_params(cutoff=3)
    assert step.get_params()["cutoff"] == 2
    assert again.get_params()["basis"] == BASIS
    assert again.fit(X).n_features_out_ == 49


def test_pipeline_and_grid_search():
    y = X.mean(axis=(1, 2))
    model = make_pipeline(
        TwoPointStatistics(BASIS, [(1, 1)], cutoff=1, shape=(7, 6)), PCA(3), LinearRegression()
    )
    search = GridSearchCV(model, {"twopointstatistics__cutoff": [1, 2]}, cv=3)
    search.fit(X.reshape(20, -1), y)
    assert search.best_score_ > 0.5


def test_complex_statistics_go_there_and_back():
    x = np.random.default_rng(0).random((3, 5))
    step = TwoPointStatistics(FourierBasis(3), [(1, 2)])
    assert step.inverse_transform(step.fit_transform(x)).dtype == complex


@pytest.mark.parametrize(
    ("act", "match"),
    [
        (lambda: TwoPointStatistics(BASIS, mask=np.ones((20, 7, 6))).fit(X), "the same for all"),
        (lambda: TwoPointStatistics(BASIS, shape=(7, 5)).fit(X.reshape(20, -1)), "42 columns"),
        (lambda: TwoPointStatistics(BASIS).fit(X).transform(X[:, 1:]), "as in fit"),
        (lambda: TwoPointStatistics(BASIS).fit(X).inverse_transform(X[0]), "features"),
        (lambda: TwoPointStatistics(BASIS, cutoff=9).fit(X), "cutoff of axis 'x' is 9"),
        (
            lambda: TwoPointStatistics(BASIS).fit(xr.DataArray(X[0], dims=("x", "y"))),
            "wanted a dimension 'sample'",
        ),
    ],
)
def test_bad_input(act, match):
    with pytest.raises(ValueError, match=match):
        act()
