"""The model against the same steps done by hand, for every kind of array and property."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures

from mksdask.bases import FourierBasis
from mksdask.errors import ExtrapolationWarning
from mksdask.linkage import HomogenizationModel, PolynomialRegression
from mksdask.statistics import TwoPointStatistics, two_point_statistics
from tests.linkage.cases import BASIS, Fraction, Ratio, cells


def by_hand(phase, y, new, k, degree):
    """Statistics, scikit-learn's PCA, polynomial features and least squares."""
    f, g = (
        two_point_statistics(np.asarray(p), BASIS, "auto").reshape(len(p), -1) for p in (phase, new)
    )
    steps = make_pipeline(PCA(k, svd_solver="full"), PolynomialFeatures(degree), LinearRegression())
    return steps.fit(f, np.asarray(y)).predict(g)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("kind", ["labelled", "lazy", "numpy", "dask"])
def test_equals_the_steps_by_hand(kind, degree):
    phase, y = cells()
    model = HomogenizationModel(BASIS, n_components=4, degree=degree)
    wanted = by_hand(phase[:40], y[:40], phase[40:], 4, degree)
    given = {
        "labelled": lambda p: p,
        "lazy": lambda p: p.chunk(sample=7),
        "numpy": lambda p: p.values,
        "dask": lambda p: da.from_array(p.values, chunks=(9, 8, 6)),
    }[kind]
    plain = kind in ("numpy", "dask")
    model.fit(given(phase[:40]), y[:40].values if plain else y[:40])
    found = model.predict(given(phase[40:]))
    lazy = kind in ("lazy", "dask")
    assert isinstance(
        found, np.ndarray if kind == "numpy" else da.Array if kind == "dask" else xr.DataArray
    )
    if kind == "labelled":
        assert found.name == "stiffness"
        assert found.attrs == {"unit": "GPa"}
        np.testing.assert_array_equal(found["sample"], phase["sample"][40:])
    if lazy:
        assert getattr(found, "chunks", None)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-8)
    residual = ((wanted - y[40:].values) ** 2).sum() / ((y[40:] - y[40:].mean()) ** 2).sum()
    known = y[40:].values if plain else y[40:]
    assert model.score(given(phase[40:]), known) == pytest.approx(1 - float(residual))


def test_chunks_do_not_matter():
    phase, y = cells()
    models = [
        HomogenizationModel(BASIS, n_components=5).fit(p, y)
        for p in (phase, phase.chunk(sample=60), phase.chunk(sample=11))
    ]
    wanted = models[0].predict(phase)
    for model in models[1:]:
        np.testing.assert_allclose(model.predict(phase.chunk(sample=13)), wanted, rtol=1e-10)


def test_tensors_are_learnt_entry_by_entry_and_come_back_with_their_labels():
    phase, y = cells()
    tensor = xr.concat([y, 2 * y, y**2], "row").assign_coords(row=["a", "b", "c"])
    tensor = (tensor * xr.DataArray([1.0, -1.0], dims="column")).transpose(
        "row", "sample", "column"
    )
    model = HomogenizationModel(BASIS, n_components=3).fit(
        phase[:40], tensor.isel(sample=slice(40))
    )
    found = model.predict(phase[40:].chunk(sample=5))
    assert found.dims == ("sample", "row", "column")
    np.testing.assert_array_equal(found["row"], ["a", "b", "c"])
    alone = HomogenizationModel(BASIS, n_components=3).fit(phase[:40], y[:40]).predict(phase[40:])
    np.testing.assert_allclose(found.sel(row="b", column=1), -2 * alone, rtol=1e-8)
    plain = model.predict(phase[40:].values)
    np.testing.assert_allclose(plain, found, rtol=1e-10)
    assert 0.9 < model.score(phase[40:], tensor.isel(sample=slice(40, None))) <= 1
    interval = model.predict_interval(phase[40:], 0.5)
    assert interval.dims == ("sample", "row", "column", "bound")
    assert bool(
        (interval.sel(bound="lower") < found).all() and (found < interval.sel(bound="upper")).all()
    )
    with pytest.raises(ValueError, match="wanted .'a', 'b', 'c'. as in fit"):
        model.score(phase[40:], tensor.isel(sample=slice(40, None))[[1, 0, 2]])


def test_samples_are_aligned_by_their_labels():
    phase, y = cells()
    order = np.random.default_rng(1).permutation(60)
    wanted = HomogenizationModel(BASIS, n_components=3).fit(phase[:40], y[:40])
    found = HomogenizationModel(BASIS, n_components=3).fit(phase[:40], y[order])
    np.testing.assert_array_equal(found.predict(phase), wanted.predict(phase))
    assert found.score(phase[40:], y[order]) == wanted.score(phase[40:], y[40:])


def test_missing_properties_are_dropped_if_asked():
    phase, y = cells()
    y = y.copy()
    y[[3, 7]] = np.nan
    model = HomogenizationModel(BASIS, n_components=3, on_missing="drop").fit(
        phase.chunk(sample=20), y
    )
    assert model.dropped_.tolist() == ["c0-3", "c0-7"]
    assert model.n_samples_ == 58
    keep = np.isfinite(y.values)
    wanted = HomogenizationModel(BASIS, n_components=3).fit(phase[keep], y[keep])
    np.testing.assert_allclose(model.predict(phase), wanted.predict(phase), rtol=1e-10)
    assert model.score(phase, y) == pytest.approx(wanted.score(phase[keep], y[keep]))


@pytest.mark.parametrize("lazy", [False, True])
def test_samples_outside_the_training_samples_are_named(lazy):
    phase, y = cells(200)
    model = HomogenizationModel(BASIS, n_components=3).fit(phase, y)
    strange = phase[:4].copy()
    strange[1] = 1
    strange[3] = 0
    given = strange.chunk(sample=4) if lazy else strange
    predicted = model.predict(given) if lazy else None
    with pytest.warns(ExtrapolationWarning, match="2 of 4 samples .*: c0-1, c0-3; ") as caught:
        predicted.compute(scheduler="synchronous") if lazy else model.predict(given)
    assert len(caught) == 1
    distance = model.extrapolation(given)
    assert distance.dims == ("sample",)
    np.testing.assert_array_equal(distance > 1, [False, True, False, True])
    model.score(given, y[:4])  # judges, and warns of nothing


def test_distance_is_that_of_mahalanobis_to_the_others():
    phase, y = cells(30)
    model = HomogenizationModel(BASIS, n_components=2).fit(phase, y)
    z = model.descriptors(phase).values
    alone = []
    for i in range(30):
        rest = np.delete(z, i, axis=0)
        d = z[i] - rest.mean(axis=0)
        alone.append(d @ np.linalg.inv(np.cov(rest.T)) @ d)
    assert model.cloud_.limit == pytest.approx(np.sqrt(max(alone)))
    d = z - z.mean(axis=0)
    wanted = np.sqrt(np.einsum("ij,jk,ik->i", d, np.linalg.inv(np.cov(z.T)), d)) / np.sqrt(
        max(alone)
    )
    np.testing.assert_allclose(model.extrapolation(phase), wanted)


def test_a_further_sample_is_outside_once_in_n_and_one():
    from mksdask.linkage.cloud import Cloud

    rng = np.random.default_rng(0)
    outside = []
    for _ in range(2000):
        z = rng.standard_t(4, (20, 3))
        outside.append(Cloud.of(z[:19]).distances(z[19:])[0] > 1)
    assert abs(np.mean(outside) - 1 / 20) < 4 * np.sqrt(0.05 * 0.95 / 2000)


def test_descriptors_that_did_not_vary_and_samples_that_are_too_few():
    from mksdask.linkage.cloud import Cloud

    rng = np.random.default_rng(0)
    z = np.column_stack([rng.normal(size=(30, 2)), np.full(30, 0.1), np.zeros(30)])
    plain, cloud = Cloud.of(z[:, :2]), Cloud.of(z)
    new = np.column_stack([rng.normal(size=(4, 2)), np.full(4, 0.1), np.zeros(4)])
    np.testing.assert_allclose(cloud.distances(new), plain.distances(new[:, :2]))
    new[0, 2], new[1, 3] = 0.11, 1e-6
    assert (cloud.distances(new)[:2] > 1).all()
    # a sample that alone varies in one direction does not blind the criterion
    z[7, 3] = 0.3
    assert Cloud.of(z).distances(np.array([[9.0, 9.0, 0.1, 0.0]]))[0] > 1
    for count in (2, 3, 5, 7):
        few = Cloud.of(rng.normal(size=(count, 6)))
        assert few.limit == np.inf
        assert np.isnan(few.distances(rng.normal(size=(3, 6)))).all()


def test_feature_sets_and_target_transforms():
    phase, y = cells()
    lazy = phase.chunk(sample=20)
    features = HomogenizationModel(BASIS, n_components=0, features=(Fraction(),), degree=2)
    features.fit(lazy[:40], y[:40])
    assert features.descriptor_names_ == ("v^1",)
    np.testing.assert_allclose(features.predict(phase[40:]), y[40:], rtol=1e-10)
    both = HomogenizationModel(BASIS, n_components=2, features=(Fraction(2),), degree=1)
    both.fit(lazy[:40], y[:40])
    assert both.descriptor_names_ == ("pc0", "pc1", "v^1", "v^2")
    np.testing.assert_allclose(both.predict(phase[40:].values), y[40:], rtol=1e-10)
    target = HomogenizationModel(BASIS, n_components=3, target=Ratio()).fit(lazy[:40], y[:40])
    plain = HomogenizationModel(BASIS, n_components=3)
    fraction = phase.mean(("x", "y"))
    plain.fit(phase[:40], np.log(y / (1 + fraction))[:40])
    wanted = (1 + fraction) * np.exp(plain.predict(phase))
    np.testing.assert_allclose(target.predict(lazy[40:]), wanted[40:], rtol=1e-8)
    interval = target.predict_interval(lazy[40:]).compute()
    assert bool((interval[:, 0] < interval[:, 1]).all())


def test_regressors_and_reducers_of_others():
    phase, y = cells()
    wanted = HomogenizationModel(BASIS, n_components=4, degree=1).fit(phase[:40], y[:40])
    for options in (
        {"regressor": LinearRegression()},
        {"reducer": PCA(svd_solver="full"), "degree": 1},
        {"regressor": PolynomialRegression(), "degree": 1},
        {"statistics": TwoPointStatistics(BASIS, "auto"), "degree": 1},
    ):
        model = HomogenizationModel(BASIS, n_components=4, **options).fit(phase[:40], y[:40])
        found = model.predict(phase[40:].chunk(sample=7))
        np.testing.assert_allclose(found, wanted.predict(phase[40:]), rtol=1e-8)
    forest = HomogenizationModel(
        BASIS, n_components=4, regressor=RandomForestRegressor(10, random_state=0)
    ).fit(phase[:40], y[:40])
    assert forest.score(phase[40:], y[40:]) > 0.8
    gaussian = HomogenizationModel(
        BASIS, n_components=4, regressor=GaussianProcessRegressor(alpha=1e-2, normalize_y=True)
    ).fit(phase[:40], y[:40])
    interval = gaussian.predict_interval(phase[40:])
    assert bool((interval[:, 0] < gaussian.predict(phase[40:])).all())


def test_complex_bases_and_single_precision():
    rng = np.random.default_rng(0)
    field = rng.random((40, 6, 6)).astype("float32")
    y = field.mean(axis=(1, 2))
    model = HomogenizationModel(FourierBasis(3), pairs="all", n_components=3, degree=1).fit(
        field, y
    )
    predicted = model.predict(field)
    assert predicted.dtype == np.float32
    assert model.components.dtype.kind == "c"
    assert model.components.dims == ("component", "pair", "lag_x", "lag_y")


def test_components_and_scores_are_those_of_the_statistics():
    phase, y = cells()
    model = HomogenizationModel(BASIS, n_components=3).fit(phase, y)
    f = two_point_statistics(phase, BASIS, "auto")
    centred = f - f.mean("sample")
    found = model.scores(phase.chunk(sample=30))
    wanted = xr.dot(centred, model.components, dim=("pair", "lag_x", "lag_y"))
    np.testing.assert_allclose(found, wanted.transpose("sample", "component"), atol=1e-10)
    assert "explained_variance_ratio" in found.coords
    np.testing.assert_allclose(model.descriptors(phase).values, found, atol=1e-10)


def test_works_as_an_estimator_of_scikit_learn():
    phase, y = cells()
    model = HomogenizationModel(BASIS, features=(Fraction(),), n_components=2)
    again = clone(model)
    assert again.get_params()["n_components"] == 2
    assert again.features[0] is not model.features[0]
    pipeline = Pipeline([("as it is", FunctionTransformer()), ("model", model)])
    pipeline.fit(phase.values, y.values)
    assert pipeline.score(phase.values, y.values) > 0.99
    flat = HomogenizationModel(
        BASIS, statistics=TwoPointStatistics(BASIS, "auto", shape=(8, 6)), n_components=2
    )
    flat.fit(phase.values.reshape(60, -1), y.values)
    scores = cross_val_score(flat, phase.values.reshape(60, -1), y.values, cv=3)
    assert scores.min() > 0.9


@pytest.mark.parametrize("kind", ["labelled", "lazy", "numpy"])
def test_grid_search_of_scikit_learn(kind):
    phase, y = cells()
    X, known = {
        "labelled": (phase, y), "lazy": (phase.chunk(sample=20), y), "numpy": (phase.values, y.values)
    }[kind]  # fmt: skip
    search = GridSearchCV(
        HomogenizationModel(BASIS),
        {"degree": [1, 2], "n_components": [1, 3]},
        cv=KFold(3, shuffle=True, random_state=0),
    ).fit(X, known)
    assert search.best_estimator_.score(X, known) > 0.99


def test_grid_search_of_dask_ml():
    searches = pytest.importorskip("dask_ml.model_selection", reason="dask-ml is not installed")
    phase, y = cells()
    grid = {"degree": [1, 2], "n_components": [1, 3]}
    cv = KFold(3, shuffle=True, random_state=0)
    found = searches.GridSearchCV(HomogenizationModel(BASIS), grid, cv=cv).fit(
        phase.values, y.values
    )
    wanted = GridSearchCV(HomogenizationModel(BASIS), grid, cv=cv).fit(phase.values, y.values)
    assert found.best_params_ == wanted.best_params_
    np.testing.assert_allclose(
        found.cv_results_["mean_test_score"], wanted.cv_results_["mean_test_score"], rtol=1e-8
    )


def test_ridge_of_scikit_learn_sees_the_scores():
    phase, y = cells()
    model = HomogenizationModel(BASIS, n_components=3, regressor=Ridge(alpha=2.0)).fit(phase, y)
    z = model.descriptors(phase).values
    wanted = Ridge(alpha=2.0).fit(z, y.values).predict(z)
    np.testing.assert_allclose(model.predict(phase), wanted, rtol=1e-10)
