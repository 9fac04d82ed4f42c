"""Polynomial regression with prediction intervals."""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb
from typing import Any

import numpy as np
import scipy.linalg
import scipy.stats
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

# Rows of terms made at once.
BATCH_VALUES = 2**22


class PolynomialRegression(RegressorMixin, BaseEstimator):
    """Least squares in all monomials of standardized variables up to a degree.

    With u_i = (x_i - mean_i) / std_i and phi the monomials of degree 1 to ``degree`` in u, each
    centred and scaled to unit variance over the samples,

    y = c + phi b,   min over b of  sum_samples (y - c - phi b)^2 + ridge n_samples |b|^2,

    solved by an orthogonal decomposition, so that the condition of the terms is not squared. Terms
    that depend on each other share their weight (the solution of smallest norm).

    Errors taken as normal and alike everywhere, a new observation lies with probability
    ``coverage`` in  y +- t(coverage, dof) s sqrt(1 + 1/n + phi (Phi^T Phi + ridge n)^-1 phi^T),
    with s^2 the sum of squared residuals over dof, and dof the samples less the fitted parameters
    (with a ridge: less the trace of the matrix that gives the fit from the data).

    Parameters
    ----------
    degree
        Largest degree of the monomials; with q variables there are
        (q + degree)! / (q! degree!) - 1 of them.
    ridge
        Weight of the penalty, relative to terms of unit variance; whatever the number of samples.

    Attributes
    ----------
    coef_, intercept_
        Weights of the scaled monomials, shape (target, term), and the mean of the targets.
    powers_
        Exponent of each variable in each term, shape (term, variable).
    rank_, dof_, residual_variance_
        Independent terms; degrees of freedom left; s^2 of each target.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 9)[:, None]
    >>> model = PolynomialRegression(degree=2).fit(x, 3 + x[:, 0] - 2 * x[:, 0] ** 2)
    >>> model.predict([[0.5]]).round(12)
    array([3.])
    """

    def __init__(self, degree: int = 2, ridge: float = 0.0):
        self.degree = degree
        self.ridge = ridge

    def fit(self, X: Any, y: Any) -> PolynomialRegression:
        """Fit to X of shape (sample, variable) and y of shape (sample,) or (sample, target)."""
        x, targets = np.asarray(X, float), np.asarray(y, float)
        n = len(x)
        self._check(n, x.shape[1])
        self.n_features_in_ = x.shape[1]
        self.single_ = targets.ndim == 1
        targets = targets.reshape(n, -1)
        self.powers_ = monomials(x.shape[1], self.degree)
        self.centre_, self.scale_ = x.mean(axis=0), _spread(x)
        terms = _terms((x - self.centre_) / self.scale_, self.powers_)
        self.term_centre_, self.term_scale_ = terms.mean(axis=0), _spread(terms)
        terms = (terms - self.term_centre_) / self.term_scale_
        self.intercept_ = targets.mean(axis=0)
        self.root_, weights, self.rank_ = _solve(terms, targets - self.intercept_, self.ridge * n)
        self.coef_ = weights.T
        self.n_samples_ = n
        residuals = targets - self.intercept_ - terms @ weights
        used = float(self.rank_) if not self.ridge else float(((terms @ self.root_) ** 2).sum())
        self.dof_ = n - 1 - used
        with np.errstate(divide="ignore", invalid="ignore"):
            self.residual_variance_ = (residuals**2).sum(axis=0) / self.dof_
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Targets of shape (sample,) or (sample, target), as ``y`` was in ``fit``."""
        values, _ = self._evaluate(X, leverage=False)
        return values[:, 0] if self.single_ else values

    def predict_interval(self, X: Any, coverage: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of the interval in which an observation lies so often."""
        if not 0 < coverage < 1:
            raise ValueError(f"coverage is {coverage}; wanted a probability between 0 and 1")
        check_is_fitted(self)
        if self.dof_ < 1:
            raise ValueError(
                f"{self.n_samples_} samples for {len(self.powers_)} terms leave nothing to judge "
                "errors by: lower the degree or the number of components, or give more samples"
            )
        values, leverage = self._evaluate(X, leverage=True)
        deviation = np.sqrt(np.outer(1 + leverage, self.residual_variance_))
        half = scipy.stats.t.ppf(0.5 + coverage / 2, self.dof_) * deviation
        low, high = values - half, values + half
        return (low[:, 0], high[:, 0]) if self.single_ else (low, high)

    def _check(self, n: int, n_variables: int) -> None:
        if isinstance(self.degree, bool) or not isinstance(self.degree, (int, np.integer)):
            raise TypeError(f"degree is {self.degree!r}; wanted a whole number of at least 1")
        if self.degree < 1:
            raise ValueError(f"degree is {self.degree}; wanted at least 1")
        if not 0 <= self.ridge < np.inf:
            raise ValueError(f"ridge is {self.ridge}; wanted a number of at least 0")
        n_terms = comb(n_variables + int(self.degree), int(self.degree)) - 1
        if n_terms >= n and not self.ridge:
            raise ValueError(
                f"degree is {self.degree}, which makes {n_terms} terms of {n_variables} variables, "
                f"and there are {n} samples: lower the degree or n_components, give more samples, "
                "or take PolynomialRegression(ridge=1e-6)"
            )

    def _evaluate(self, X: Any, leverage: bool) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        x = np.asarray(X, float)
        if x.ndim != 2 or x.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has shape {x.shape}; wanted (sample, {self.n_features_in_}) as in fit"
            )
        values = np.empty((len(x), len(self.coef_)))
        levers = np.empty(len(x) if leverage else 0)
        step = max(1, BATCH_VALUES // len(self.powers_))
        for i in range(0, len(x), step):
            terms = _terms((x[i : i + step] - self.centre_) / self.scale_, self.powers_)
            terms = (terms - self.term_centre_) / self.term_scale_
            values[i : i + step] = terms @ self.coef_.T + self.intercept_
            if leverage:
                levers[i : i + step] = 1 / self.n_samples_ + ((terms @ self.root_) ** 2).sum(axis=1)
        return values, levers


def monomials(n_variables: int, degree: int) -> np.ndarray:
    """Exponents of all monomials of degree 1 to ``degree``, shape (term, variable).

    >>> monomials(2, 2).tolist()
    [[1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    rows = [
        np.bincount(chosen, minlength=n_variables)
        for d in range(1, degree + 1)
        for chosen in combinations_with_replacement(range(n_variables), d)
    ]
    return np.array(rows)


def _terms(u: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Each monomial is a variable times one of the monomials before it."""
    out = np.empty((len(u), len(powers)), order="F")
    place = {tuple(p): i for i, p in enumerate(powers.tolist())}
    for i, power in enumerate(powers.tolist()):
        first = next(k for k, p in enumerate(power) if p)
        power[first] -= 1
        rest = place.get(tuple(power))
        out[:, i] = u[:, first] if rest is None else u[:, first] * out[:, rest]
    return out


def _spread(x: np.ndarray) -> np.ndarray:
    """Standard deviations; 1 for what is constant up to rounding."""
    size = np.abs(x).max(axis=0, initial=0)
    spread = x.std(axis=0)
    return np.where(spread > 8 * np.finfo(float).eps * size, spread, 1.0)


def _solve(terms: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Root W of (terms^T terms + penalty)^-1 = W W^T, the weights of the terms, and their rank."""
    p = terms.shape[1]
    if penalty:
        terms = np.vstack([terms, np.sqrt(penalty) * np.eye(p)])
        y = np.vstack([y, np.zeros((p, y.shape[1]))])
    # The triangle of terms and targets together holds Q^T y, so Q itself is not needed.
    (both,) = scipy.linalg.qr(np.hstack([terms, y]), mode="r", overwrite_a=True, check_finite=False)
    r, image = both[:p, :p], both[:p, p:]
    inverse, singular = scipy.linalg.lapack.dtrtri(r)
    condition = _norm(r) * _norm(inverse)
    if not singular and condition * max(terms.shape) * np.finfo(float).eps < 1:
        return inverse, inverse @ image, p
    left, values, right = scipy.linalg.svd(r, full_matrices=False, check_finite=False)
    kept = values > max(terms.shape) * np.finfo(float).eps * values[:1].max(initial=0)
    root = right[kept].T / values[kept]
    return root, root @ (left[:, kept].T @ image), int(np.count_nonzero(kept))


def _norm(matrix: np.ndarray) -> float:
    """The largest column sum."""
    return float(np.abs(matrix).sum(axis=0).max())
