"""Polynomial regression against other solutions, and how often its intervals are right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from mksdask.linkage import PolynomialRegression


@given(n=st.integers(60, 90), q=st.integers(1, 3), degree=st.integers(1, 3), seed=st.integers(0, 9))
@settings(max_examples=15, deadline=None)
def test_equals_ordinary_least_squares(n, q, degree, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, q)) * 10.0 ** np.arange(q) + 5
    y = rng.standard_normal((n, 2))
    ours = PolynomialRegression(degree).fit(x, y)
    theirs = make_pipeline(
        StandardScaler(), PolynomialFeatures(degree), LinearRegression(fit_intercept=False)
    ).fit(x, y)
    new = rng.standard_normal((5, q)) * 10.0 ** np.arange(q) + 5
    np.testing.assert_allclose(ours.predict(new), theirs.predict(new), rtol=1e-8, atol=1e-8)
    assert ours.dof_ == n - 1 - len(ours.powers_)


def test_ridge_equals_scikit_learns_on_the_same_terms():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 3)), rng.standard_normal(50)
    ours = PolynomialRegression(2, ridge=0.01).fit(x, y)
    scaled = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(),
        Ridge(alpha=0.01 * 50),
    ).fit(x, y)  # fmt: skip
    np.testing.assert_allclose(ours.predict(x), scaled.predict(x), rtol=1e-10)
    again = PolynomialRegression(2, ridge=0.01).fit(np.tile(x, (2, 1)), np.tile(y, 2))
    np.testing.assert_allclose(again.predict(x), ours.predict(x), rtol=1e-10)


def test_interval_is_the_textbook_one():
    """Of a straight line: t s sqrt(1 + 1/n + (x - mean)^2 / sum (x - mean)^2)."""
    from scipy.stats import t

    x = np.array([1.0, 2.0, 4.0, 7.0, 8.0, 9.5])
    y = np.array([1.1, 1.9, 4.4, 6.8, 8.3, 9.2])
    line = PolynomialRegression(degree=1).fit(x[:, None], y)
    low, high = line.predict_interval([[3.0]], 0.9)
    slope, intercept = np.polyfit(x, y, 1)
    s = np.sqrt(((y - intercept - slope * x) ** 2).sum() / 4)
    half = (
        t.ppf(0.95, 4) * s * np.sqrt(1 + 1 / 6 + (3 - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    )
    np.testing.assert_allclose([low[0], high[0]], intercept + 3 * slope + np.array([-half, half]))


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_intervals_hold_as_often_as_they_say(ridge):
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(200):
        x = rng.uniform(-1, 1, (40, 2))
        y = 1 + x[:, 0] - x[:, 0] * x[:, 1] + 0.1 * rng.standard_normal(40)
        low, high = PolynomialRegression(2, ridge).fit(x[:30], y[:30]).predict_interval(x[30:], 0.8)
        inside += ((low <= y[30:]) & (y[30:] <= high)).tolist()
    # 2000 draws, alike in groups of ten: four standard errors of a mean of 200 groups.
    groups = np.reshape(inside, (200, 10)).mean(axis=1)
    assert abs(groups.mean() - 0.8) < 4 * groups.std() / np.sqrt(200)


def test_variables_that_depend_on_each_other_share_their_weight():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2))
    twice = np.column_stack([x, x[:, 0], np.ones(40)])
    y = x[:, 0] ** 2 + x[:, 1]
    model = PolynomialRegression(2).fit(twice, y)
    assert model.rank_ == 5  # the terms of two variables
    np.testing.assert_allclose(model.predict(twice), y, atol=1e-10)
    assert model.dof_ == 40 - 6
    low, high = model.predict_interval(twice)
    np.testing.assert_allclose(low, high, atol=1e-10)


def test_ill_conditioned_terms_keep_their_digits():
    """A cubic far from the origin, where raw powers have a condition number of 1e18."""
    x = np.linspace(1000, 1001, 50)[:, None]
    u = x[:, 0] - 1000.5
    y = 2 + u - 3 * u**2 + 4 * u**3
    np.testing.assert_allclose(PolynomialRegression(3).fit(x, y).predict(x), y, atol=1e-9)


def test_ridge_is_the_minimum_of_its_objective():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((20, 1)), rng.standard_normal(20)
    model = PolynomialRegression(1, ridge=0.3).fit(x, y)
    u = (x[:, 0] - x.mean()) / x.std()
    best = minimize(lambda p: ((y - p[0] - p[1] * u) ** 2).sum() + 0.3 * 20 * p[1] ** 2, [0, 0])
    np.testing.assert_allclose([model.intercept_[0], model.coef_[0, 0]], best.x, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        (PolynomialRegression(0), ValueError, "degree is 0"),
        (PolynomialRegression(1.5), TypeError, "degree is 1.5"),
        (PolynomialRegression(1, ridge=-1), ValueError, "ridge is -1"),
        (PolynomialRegression(3), ValueError, "19 terms of 3 variables, and there are 12 samples"),
    ],
)
def test_bad_parameters(model, error, said):
    x = np.random.default_rng(0).standard_normal((12, 3))
    with pytest.raises(error, match=said):
        model.fit(x, x[:, 0])


def test_bad_calls():
    x = np.random.default_rng(0).standard_normal((10, 3))
    model = PolynomialRegression(2).fit(x, x[:, 0])
    with pytest.raises(ValueError, match="wanted .sample, 3. as in fit"):
        model.predict(x[:, :2])
    with pytest.raises(ValueError, match="coverage is 95"):
        model.predict_interval(x, 95)
    with pytest.raises(ValueError, match="10 samples for 9 terms leave nothing"):
        model.predict_interval(x)
