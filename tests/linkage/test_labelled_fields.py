"""Scores and labels are the same whatever kind of array the fields come in."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from sklearn.metrics import r2_score

from mksdask.bases import PrimitiveBasis
from mksdask.linkage import LocalizationModel, StagedLocalization, neighbour_gain
from tests.linkage.staged_cases import solved_cells

MODELS = {
    "first order": LocalizationModel(PrimitiveBasis(2), ridge=1e-5),
    "staged": StagedLocalization(PrimitiveBasis(2), sweeps=1),
}


@pytest.fixture(scope="module")
def plane():
    return solved_cells(12, (7, 6))


@pytest.mark.parametrize("name", MODELS)
def test_score_of_any_kind_of_array(plane, name):
    """Components have means of their own, which are not what a model must find."""
    phase, strain = plane
    model = MODELS[name].fit(phase[:8], strain[:8])
    unseen, truth = phase[8:], strain[8:]
    flat = [a.values.reshape(-1, 3) for a in (truth, model.predict(unseen))]
    spread = flat[0].var(axis=0)
    wanted = r2_score(*flat, multioutput="variance_weighted")
    assert spread.min() > 0
    kinds = {
        "labelled": (unseen, truth),
        "plain": (unseen.values, truth.values),
        "plain response": (unseen, truth.values),
        "plain microstructures": (unseen.values, truth),
        "list": (unseen, truth.values.tolist()),
        "lazy": (unseen.chunk(sample=3), truth.chunk(sample=2, x=4, tensor=1)),
        "lazy and plain": (
            da.from_array(unseen.values, chunks=(1, 7, 6)),
            da.from_array(truth.values, chunks=(3, 7, 5, 2)),
        ),
    }
    for kind, (X, y) in kinds.items():
        assert model.score(X, y) == pytest.approx(wanted, abs=1e-12), kind
    one = model.score(unseen[0], truth[0])
    assert one == pytest.approx(model.score(unseen[:1], truth[:1]), abs=1e-12)
    for y in (truth[0].values, truth[:1].values):
        assert model.score(unseen[0], y) == pytest.approx(one, abs=1e-12)
    with pytest.raises(ValueError, match="y has shape"):
        model.score(unseen, truth.values[0, 0])


def test_gain_of_neighbours_in_any_kind_of_array(plane):
    phase, strain = plane
    model = LocalizationModel(PrimitiveBasis(2), ridge=1e-4)
    tables = [
        neighbour_gain(model, X[:8], y[:8], (X[8:], y[8:]), [1])
        for X, y in ((phase, strain), (phase.values, strain.values))
    ]
    for name in ("r2", "mean_absolute_strain_error"):
        assert tables[0][name][0] == pytest.approx(tables[1][name][0], abs=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_responses_chunked_by_component(plane, name):
    phase, strain = plane
    wanted = MODELS[name].fit(phase, strain).predict(phase)
    found = MODELS[name].fit(phase.chunk(sample=(5, 7)), strain.chunk(sample=(3, 9), tensor=1))
    np.testing.assert_allclose(found.predict(phase), wanted, atol=1e-10)
