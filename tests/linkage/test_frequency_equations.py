"""Sums over samples and their solution against NumPy, frequency by frequency."""

from __future__ import annotations

import numpy as np
import pytest

from mksdask.errors import DataError
from mksdask.linkage.frequency_equations import FrequencyEquations

RNG = np.random.default_rng(0)


def spectra(n, n_fields, n_frequencies=7):
    return RNG.standard_normal((n, n_fields, n_frequencies)) + 1j * RNG.standard_normal(
        (n, n_fields, n_frequencies)
    )


def summed(features, responses):
    found = FrequencyEquations.empty(features.shape[1], responses.shape[1], features.shape[2])
    found.add(features, responses)
    return found


@pytest.mark.parametrize("n_features", [1, 2, 5])
@pytest.mark.parametrize("n", [3, 12])
def test_least_squares(n_features, n):
    features, responses = spectra(n, n_features), spectra(n, 2)
    equations = summed(features, responses)
    solved = equations.solve()
    for k in range(7):
        wanted, _, rank, _ = np.linalg.lstsq(features[..., k], responses[..., k])
        np.testing.assert_allclose(solved.coefficients[..., k], wanted, atol=1e-9)
        assert solved.rank[k] == rank
        left = responses[..., k] - features[..., k] @ wanted
        np.testing.assert_allclose(
            equations.squared_residual(solved.coefficients)[:, k],
            (abs(left) ** 2).sum(axis=0),
            atol=1e-10,
        )


def test_merging_and_selecting():
    features, responses = spectra(9, 4), spectra(9, 2)
    whole = summed(features, responses)
    parts = [summed(features[i : i + 2], responses[i : i + 2]) for i in range(0, 9, 2)]
    merged = FrequencyEquations.merged([FrequencyEquations.merged(parts[:2]), *parts[2:]])
    assert merged.n_samples == 9
    for name, values in whole.to_arrays().items():
        np.testing.assert_allclose(merged.to_arrays()[name], values, atol=1e-12)
    some = whole.select([3, 1])
    alone = summed(features[:, [3, 1]], responses)
    np.testing.assert_allclose(some.gram, alone.gram, atol=1e-12)
    np.testing.assert_allclose(some.solve().coefficients, alone.solve().coefficients, atol=1e-10)


@pytest.mark.parametrize("ridge", [1e-5, 0.5])
def test_ridge_does_not_depend_on_scales(ridge):
    features, responses = spectra(6, 3), spectra(6, 1)
    scale = np.array([1, 1e-4, 1e3])[:, None]
    plain = summed(features, responses).solve(ridge)
    scaled = summed(features * scale, responses).solve(ridge)
    np.testing.assert_allclose(scaled.coefficients * scale[:, None], plain.coefficients, rtol=1e-8)
    k = 2
    gram = features[..., k].conj().T @ features[..., k]
    wanted = np.linalg.solve(
        gram + ridge * np.diag(gram.diagonal()), features[..., k].conj().T @ responses[..., k]
    )
    np.testing.assert_allclose(plain.coefficients[..., k], wanted, rtol=1e-8)


def test_repeated_and_absent_features():
    features, responses = spectra(8, 3), spectra(8, 1)
    features[:, 2] = features[:, 0]
    features[:, 1, 3] = 0
    equations = summed(features, responses)
    solved, ridged = equations.solve(), equations.solve(1e-12)
    assert solved.rank.tolist() == [2, 2, 2, 1, 2, 2, 2]
    assert ridged.rank.tolist() == solved.rank.tolist()
    # The minimum norm shares equally between equals.
    for found in (solved, ridged):
        np.testing.assert_allclose(found.coefficients[0], found.coefficients[2], rtol=1e-3)
        assert found.coefficients[1, 0, 3] == 0


def test_infinite_sums_are_said():
    features = spectra(2, 1)
    features[0, 0, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        summed(features, spectra(2, 1)).solve()
