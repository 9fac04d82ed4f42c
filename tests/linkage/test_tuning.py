"""Searches give what refitting everything gives, from statistics computed once."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA, KernelPCA
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

from mksdask.linkage import HomogenizationModel, PolynomialRegression, learning_curve, tune
from mksdask.reduction import IncrementalPCA
from tests.linkage.cases import BASIS, Fraction, Ratio, cells

GRID = {"n_components": [2, 3, 5], "degree": [1, 2]}


def from_scratch(model, candidate, phase, y, splits):
    """Score of every split with all parts fitted on its training samples only."""
    found = []
    for train, test in splits:
        fitted = clone(model).set_params(**candidate).fit(phase[train], y[train])
        predicted = fitted._predicted(phase[test], warn=False)
        found.append(r2_score(y[test], predicted))
    return found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reducer": PCA(svd_solver="full")},
        {"reducer": IncrementalPCA(method="gram")},
        {"features": (Fraction(),), "target": Ratio()},
        {"boundary": "nonperiodic", "cutoff": 3},
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_equals_refitting_everything(options, lazy):
    phase, y = cells()
    model = HomogenizationModel(BASIS, **options)
    cv = KFold(3, shuffle=True, random_state=1)
    found = tune(model, phase.chunk(sample=13) if lazy else phase, y, GRID, cv=cv)
    splits = list(cv.split(phase))
    assert len(found.table) == 6
    for row in found.table.to_dict("records"):
        candidate = {k: row[k] for k in GRID}
        wanted = from_scratch(model, candidate, phase, y, splits)
        np.testing.assert_allclose([row[f"split_{j}"] for j in range(3)], wanted, atol=1e-9)
        assert row["score"] == pytest.approx(np.mean(wanted))
        assert row["std"] == pytest.approx(np.std(wanted), abs=1e-9)
    assert found.best_score == found.table.score.max()
    best = clone(model).set_params(**found.best_params).fit(phase, y)
    np.testing.assert_allclose(
        found.model._predicted(phase, warn=False), best._predicted(phase, warn=False), rtol=1e-8
    )
    assert found.model.reducer_.n_components_ == found.best_params["n_components"]


@pytest.fixture
def counted(monkeypatch):
    """Samples that went through a transform, and times that components were found."""
    counts = {"samples": 0, "decompositions": 0}
    from mksdask import fft
    from mksdask.reduction import decompose, pca

    transform, find = fft.rfftn, decompose.decompose

    def rfftn(x, axes, s=None):
        counts["samples"] += len(x)
        return transform(x, axes, s)

    def found(*args):
        counts["decompositions"] += 1
        return find(*args)

    monkeypatch.setattr(fft, "rfftn", rfftn)
    monkeypatch.setattr(pca, "decompose", found)
    return counts


@pytest.mark.parametrize("lazy", [False, True])
def test_statistics_once_and_components_once_a_split(counted, lazy):
    """Whatever the number of candidates."""
    phase, y = cells()
    given = phase.chunk(sample=13) if lazy else phase
    HomogenizationModel(BASIS, n_components=2).fit(given, y)
    once = counted["samples"]
    assert once == 60
    assert counted["decompositions"] == 1
    for grid, extra in ((GRID, 1), ({"n_components": [1, 2, 3, 4, 5], "degree": [1]}, 1)):
        counted["samples"] = counted["decompositions"] = 0
        found = tune(HomogenizationModel(BASIS), given, y, grid, cv=4)
        largest = found.best_params["n_components"] == max(grid["n_components"])
        assert counted["samples"] == once
        # Four splits and all samples together, and the first of these components if fewer.
        assert counted["decompositions"] == 5 + (0 if largest else extra)


def test_statistics_twice_where_they_are_not_held(counted, monkeypatch):
    phase, y = cells()
    wanted = tune(HomogenizationModel(BASIS), phase, y, GRID, cv=4)
    counted["samples"] = 0
    monkeypatch.setattr("mksdask.linkage.descriptors.HELD_BYTES", 0)
    found = tune(HomogenizationModel(BASIS), phase.chunk(sample=13), y, GRID, cv=4)
    assert counted["samples"] == 2 * 60
    np.testing.assert_allclose(found.table.score, wanted.table.score, atol=1e-9)
    with pytest.raises(ValueError, match="PCA, which takes all features at once"):
        tune(HomogenizationModel(BASIS, reducer=PCA()), phase.chunk(sample=13), y, GRID)


def test_reducers_whose_components_are_not_nested_are_fitted_for_each_number():
    phase, y = cells()
    model = HomogenizationModel(BASIS, reducer=KernelPCA(kernel="cosine"), degree=1)
    cv = KFold(3, shuffle=True, random_state=1)
    found = tune(model, phase, y, {"n_components": [2, 3]}, cv=cv)
    for k, score in zip(found.table.n_components, found.table.score, strict=True):
        wanted = from_scratch(model, {"n_components": k}, phase, y, list(cv.split(phase)))
        assert score == pytest.approx(np.mean(wanted), abs=1e-6)


def test_nothing_of_the_left_out_samples_is_learnt():
    """Their microstructures can be anything without a change to the model they are judged by."""
    phase, y = cells()
    split = [(np.arange(40), np.arange(40, 60))]
    seen = []

    def scoring(true, predicted):
        seen.append(predicted)
        return 0.0

    for other in (phase, phase.copy(data=np.concatenate([phase[:40], 1 - phase[40:]]))):
        tune(HomogenizationModel(BASIS), other, y, {"degree": [1]}, cv=split, scoring=scoring)
    model = HomogenizationModel(BASIS, degree=1).fit(phase[:40], y[:40])
    np.testing.assert_allclose(seen[0][:, 0], model._predicted(phase[40:], warn=False), rtol=1e-9)
    np.testing.assert_allclose(
        seen[1][:, 0], model._predicted(1 - phase[40:], warn=False), rtol=1e-9
    )


def test_parameters_of_regressors():
    phase, y = cells()
    grid = [
        {"regressor": [Ridge()], "regressor__alpha": [0.1, 10.0]},
        {"regressor": [PolynomialRegression()], "regressor__ridge": [0.0, 0.1], "degree": [1]},
    ]
    found = tune(HomogenizationModel(BASIS, n_components=3), phase, y, grid, cv=3)
    assert len(found.table) == 4
    cv = KFold(3, shuffle=True, random_state=0)
    for row, candidate in (
        (1, {"regressor": Ridge(alpha=10.0)}),
        (3, {"regressor": PolynomialRegression(ridge=0.1), "degree": 1}),
    ):
        model = HomogenizationModel(BASIS, n_components=3)
        wanted = from_scratch(model, candidate, phase, y, list(cv.split(phase)))
        assert found.table.score.iloc[row] == pytest.approx(np.mean(wanted))


def test_features_without_components():
    phase, y = cells()
    model = HomogenizationModel(BASIS, features=(Fraction(),))
    found = tune(model, phase, y, {"n_components": [0, 2], "degree": [2]}, cv=3)
    assert found.best_params["n_components"] == 0
    assert found.model.statistics_ is None
    np.testing.assert_allclose(found.model.predict(phase), y, rtol=1e-10)


def test_splitters_and_groups():
    phase, y = cells()
    groups = np.arange(60) % 4
    found = tune(
        HomogenizationModel(BASIS), phase, y, {"degree": [1]}, cv=GroupKFold(4), groups=groups
    )
    splits = list(GroupKFold(4).split(phase, groups=groups))
    wanted = from_scratch(HomogenizationModel(BASIS), {"degree": 1}, phase, y, splits)
    np.testing.assert_allclose(
        found.table[[f"split_{j}" for j in range(4)]].values[0], wanted, atol=1e-9
    )
    overlapping = ShuffleSplit(6, random_state=0)
    found = tune(HomogenizationModel(BASIS), phase, y, {"degree": [1]}, cv=overlapping)
    wanted = from_scratch(
        HomogenizationModel(BASIS), {"degree": 1}, phase, y, list(overlapping.split(phase))
    )
    assert found.best_score == pytest.approx(np.mean(wanted))


def test_candidates_that_cannot_be_fitted_are_told():
    phase, y = cells(30)
    grid = {"n_components": [2, 4], "degree": [1, 3]}
    with pytest.warns(UserWarning, match="1 of 4 candidates could not be fitted .* 34 terms"):
        found = tune(HomogenizationModel(BASIS), phase, y, grid, cv=3)
    failed = found.table[found.table.failure != ""]
    assert (failed.n_components.item(), failed.degree.item()) == (4, 3)
    assert failed.score.isna().all()


def test_missing_properties_are_dropped_before_the_split():
    phase, y = cells()
    y = y.copy()
    y[[3, 7]] = np.nan
    keep = np.isfinite(y.values)
    model = HomogenizationModel(BASIS, on_missing="drop")
    found = tune(model, phase, y, {"degree": [1, 2]}, cv=3)
    wanted = tune(model, phase[keep], y[keep], {"degree": [1, 2]}, cv=3)
    np.testing.assert_allclose(found.table.score, wanted.table.score, rtol=1e-9)
    assert found.model.dropped_.tolist() == ["c0-3", "c0-7"]


def test_learning_curve_equals_refitting_everything():
    phase, y = cells()
    model = HomogenizationModel(BASIS, n_components=3, degree=1)
    cv = KFold(3, shuffle=True, random_state=0)
    found = learning_curve(model, phase.chunk(sample=20), y, sizes=[10, 20, 40], cv=cv, seed=5)
    rng = np.random.default_rng(5)
    splits = [(rng.permutation(train), test) for train, test in cv.split(phase)]
    for row in found.table.to_dict("records"):
        cut = [(np.sort(train[: int(row["n_train"])]), test) for train, test in splits]
        wanted = from_scratch(model, {}, phase, y, cut)
        assert row["test_score"] == pytest.approx(np.mean(wanted))
        assert row["test_std"] == pytest.approx(np.std(wanted))
        inside = from_scratch(model, {}, phase, y, [(train, train) for train, _ in cut])
        assert row["train_score"] == pytest.approx(np.mean(inside))
    assert found.table.n_train.tolist() == [10, 20, 40]
    shares = learning_curve(model, phase, y, sizes=[0.25, 0.5, 1.0], cv=cv, seed=5)
    np.testing.assert_allclose(shares.table.test_score, found.table.test_score, atol=1e-9)
