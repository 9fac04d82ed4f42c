"""Transforms of targets: round trips, limits, refusals, and at work in a model."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import mksdask as mks
from mksdask.bounds import stiffness_bounds
from mksdask.errors import DataError
from mksdask.features import Interaction, SolverEstimates
from mksdask.linkage import BoundsPosition, HomogenizationModel, LogTarget
from mksdask.simulate import effective_stiffness
from mksdask.statistics import SymmetrizedStatistics

MODULI = ((1.0, 20.0), (0.3, 0.3))


def cells(n=60, seed=0, shape=(7, 7, 7)):
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.1, 0.9, n)
    grains = rng.integers(1, 7, (n, len(shape)))
    return mks.generate.multiphase(n, shape, grains, np.stack([1 - v, v], 1), seed=seed).values


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=5))
def test_log_round_trip(values):
    y = np.array(values)[:, None]
    target = LogTarget()
    assert target.references(None) is None
    np.testing.assert_allclose(target.inverse_transform(target.transform(y)), y)


@settings(deadline=None)
@given(
    lower=st.floats(0.1, 10),
    ratio=st.floats(1.01, 100),
    p=st.floats(0.001, 0.999),
)
def test_position_round_trip(lower, ratio, p):
    target = BoundsPosition(*MODULI)
    references = np.log([[lower, lower * ratio]])
    y = np.array([[lower * ratio**p]])
    t = target.transform(y, references)
    assert t[0, 0] == pytest.approx(np.log(p / (1 - p)), abs=1e-6)
    np.testing.assert_allclose(target.inverse_transform(t, references), y)


def test_bounds_that_meet():
    target = BoundsPosition(*MODULI)
    references = np.log([[2.0, 2.0]])
    t = target.transform(np.array([[2.0]]), references)
    assert np.isfinite(t).all()
    np.testing.assert_allclose(target.inverse_transform(t + 100, references), 2.0)


def test_references_are_the_bounds():
    phase = cells(4)
    target = clone(BoundsPosition(*MODULI, components=("xx", "xy")))
    bounds = stiffness_bounds(phase, *MODULI)
    expected = np.log(
        [bounds[:, 0, 0, 0], bounds[:, 0, 5, 5], bounds[:, 1, 0, 0], bounds[:, 1, 5, 5]]
    ).T
    np.testing.assert_allclose(target.references(phase), expected)
    lazy = target.references(da.from_array(phase, chunks=(2, 7, 7, 7)))
    np.testing.assert_allclose(lazy.compute(), expected)
    named = target.references(xr.DataArray(phase, dims=("sample", "x", "y", "z")))
    assert named.dims == ("sample", "reference")


def test_refusals():
    with pytest.raises(DataError, match="wanted positive ones for LogTarget"):
        LogTarget().transform(np.array([[0.0]]))
    target = BoundsPosition(*MODULI)
    with pytest.raises(DataError, match="1 properties lie outside their bounds, first 9 of row 1"):
        target.transform(np.array([[1.5], [9.0]]), np.log([[1.0, 2.0], [1.0, 2.0]]))
    with pytest.raises(DataError, match="outside their bounds"):
        target.transform(np.array([[np.nan]]), np.log([[1.0, 2.0]]))
    with pytest.raises(ValueError, match=r"wanted \(sample, 1\)"):
        target.transform(np.ones((2, 3)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="components has"):
        BoundsPosition(*MODULI, components=("zx",)).references(cells(2))


@pytest.mark.filterwarnings("ignore::mksdask.errors.ExtrapolationWarning")
def test_at_work_in_a_model(tmp_path):
    """Between the bounds few cells teach more; the model is saved with all its parts."""
    phase = cells()
    y = effective_stiffness(phase, *MODULI)[:, [0, 5], [0, 5]]
    train, test = slice(0, 40), slice(40, None)
    basis = mks.PrimitiveBasis(n_states=2)
    errors = {}
    for name, target in (
        ("log", LogTarget()),
        ("bounds", BoundsPosition(*MODULI, components=("xx", "xy"))),
    ):
        model = HomogenizationModel(
            basis, n_components=0, features=(Interaction(),), target=target, degree=1
        ).fit(phase[train], y[train])
        errors[name] = np.abs(model.predict(phase[test]) / y[test] - 1).mean()
    assert errors["bounds"] < 0.7 * errors["log"]
    full = HomogenizationModel(
        basis,
        n_components=3,
        statistics=SymmetrizedStatistics(basis, [(1, 1)]),
        features=(Interaction(), SolverEstimates(*MODULI)),
        target=BoundsPosition(*MODULI, components=("xx", "xy")),
        degree=1,
    ).fit(phase[train], y[train])
    assert np.abs(full.predict(phase[test]) / y[test] - 1).mean() < errors["bounds"]
    mks.save_model(full, tmp_path / "model")
    again = mks.load_model(tmp_path / "model")
    np.testing.assert_allclose(again.predict(phase[test]), full.predict(phase[test]), rtol=1e-10)
