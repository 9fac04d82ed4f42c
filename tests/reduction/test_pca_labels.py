"""Names survive: components are statistics, scores know their samples; steps of pipelines."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from mksdask import plot
from mksdask.bases import FourierBasis, PrimitiveBasis
from mksdask.reduction import IncrementalPCA
from mksdask.statistics import TwoPointStatistics, two_point_statistics


def phases(n=30):
    rng = np.random.default_rng(0)
    return xr.DataArray(
        rng.integers(0, 2, (n, 8, 6)),
        dims=("sample", "x", "y"),
        coords={"sample": [f"cut-{i}" for i in range(n)], "batch": ("sample", np.arange(n) // 5)},
        attrs={"phase_names": ["matrix", "fibre"], "voxel_size": [0.5, 0.5]},
    )


@pytest.mark.parametrize("chunks", [{}, {"sample": 7}, {"sample": 7, "pair": 1, "lag_x": 2}])
def test_statistics_come_back_with_their_lags(chunks):
    f = two_point_statistics(phases(), PrimitiveBasis(2), cutoff=2)
    f = f.chunk(chunks) if chunks else f
    pca = IncrementalPCA().fit(f)
    components = pca.components
    assert components.dims == ("component", "pair", "lag_x", "lag_y")
    for name in ("pair", "pair_first", "lag_x", "lag_y"):
        np.testing.assert_array_equal(components[name], f[name])
    assert components.attrs["voxel_size"] == [0.5, 0.5]
    np.testing.assert_allclose(pca.mean, f.mean("sample"), atol=1e-12)
    assert pca.mean.dims == f.dims[1:]
    scores = pca.transform(f)
    assert scores.dims == ("sample", "component")
    assert isinstance(scores.data, da.Array) == bool(chunks)
    for name in ("sample", "batch"):
        np.testing.assert_array_equal(scores[name], f[name])
    back = pca.inverse_transform(scores)
    assert isinstance(back.data, da.Array) == bool(chunks)
    xr.testing.assert_allclose(back, f.rename(None), atol=1e-10)
    assert set(back.coords) == set(f.coords)
    np.testing.assert_allclose(
        ((f - pca.mean) * components).sum(["pair", "lag_x", "lag_y"]).transpose("sample", ...),
        scores,
        atol=1e-10,
    )
    plot.two_point(components.isel(component=0, drop=True))


def test_order_of_dims_does_not_matter():
    f = two_point_statistics(phases(), PrimitiveBasis(2), cutoff=2)
    pca = IncrementalPCA(n_components=3).fit(f)
    turned = f.transpose("lag_y", "sample", "pair", "lag_x")
    xr.testing.assert_allclose(pca.transform(turned), pca.transform(f))
    np.testing.assert_allclose(
        pca.partial_fit(turned).components_,
        IncrementalPCA(n_components=3).fit(f).components_,
        atol=1e-10,
    )


def test_types():
    f = two_point_statistics(phases(), PrimitiveBasis(2), cutoff=2).chunk(sample=10)
    single = IncrementalPCA(n_components=2).fit(f.astype("float32"))
    lazy = single.transform(f.astype("float32"))
    assert lazy.dtype == single.inverse_transform(lazy).dtype == np.float32
    assert lazy.compute().dtype == np.float32
    fourier = two_point_statistics(
        phases().astype(float), FourierBasis(3, (0, 2)), [(0, 1), (1, 2)], 2
    )
    pca = IncrementalPCA(n_components=2).fit(fourier)
    assert pca.transform(fourier.chunk(sample=4)).compute().dtype == np.complex128
    integers = IncrementalPCA(n_components=2).fit(phases())
    assert integers.transform(phases()).dtype == np.float64


def test_pipeline_of_statistics_components_and_regression():
    phase = phases(40)
    y = phase.mean(["x", "y"]).values
    steps = make_pipeline(
        TwoPointStatistics(PrimitiveBasis(2), shape=(8, 6)),
        IncrementalPCA(n_components=5),
        LinearRegression(),
    )
    flat = phase.values.reshape(40, -1)
    steps.fit(flat, y)
    assert steps.score(flat, y) > 0.9
    search = GridSearchCV(steps, {"incrementalpca__n_components": [1, 4]}, cv=3)
    assert search.fit(flat, y).best_params_ == {"incrementalpca__n_components": 4}
    features = steps[:2]
    lazy = features.transform(phase.chunk(sample=9))
    assert isinstance(lazy.data, da.Array)
    np.testing.assert_allclose(lazy, features.transform(flat), atol=1e-10)
    assert list(features.get_feature_names_out()) == [f"pc{k}" for k in range(5)]
    named = steps[0].inverse_transform(steps[1].components_)
    assert named.dims == ("sample", "pair", "lag_x", "lag_y")


def test_scikit_learn_protocol():
    pca = IncrementalPCA(n_components=3, method="gram", oversampling=7, power_iterations=2)
    x = np.random.default_rng(0).standard_normal((30, 6))
    fresh = clone(pca.fit(x))
    assert fresh.get_params() == pca.get_params()
    assert not hasattr(fresh, "components_")
    assert fresh.set_params(n_components=2).fit_transform(x).shape == (30, 2)
    assert fresh.fit(x[:20]).n_samples_seen_ == 20
    assert pca.fit(x.tolist()).n_features_in_ == 6
    assert IncrementalPCA(n_components=np.int64(2)).fit(x).n_components_ == 2
