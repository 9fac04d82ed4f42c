"""Components of subsets from one pass equal those of fitting each subset."""

from __future__ import annotations

from collections import Counter

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask.reduction import IncrementalPCA
from mksdask.reduction.subsets import first_components, fit_subsets


@given(
    n=st.integers(30, 60),
    features=st.integers(4, 70),
    chunk=st.integers(5, 60),
    n_subsets=st.integers(1, 6),
    kind=st.sampled_from(["folds", "random"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_equal_to_fitting_each(n, features, chunk, n_subsets, kind, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, features)) * 0.8 ** np.arange(features)
    if kind == "folds":
        fold = rng.permutation(np.arange(n) % (n_subsets + 1))
        subsets = [np.flatnonzero(fold != k) for k in range(n_subsets + 1)] + [np.arange(n)]
    else:
        subsets = [np.sort(rng.choice(n, rng.integers(10, n), False)) for _ in range(n_subsets)]
    subsets = [s for s in subsets if len(s) > 4]
    found = fit_subsets(IncrementalPCA(3), da.from_array(x, chunks=(chunk, -1)), subsets)
    for model, subset in zip(found, subsets, strict=True):
        wanted = IncrementalPCA(3).fit(x[subset])
        np.testing.assert_allclose(model.mean_, wanted.mean_, atol=1e-12)
        np.testing.assert_allclose(model.singular_values_, wanted.singular_values_, rtol=1e-8)
        assert model.n_samples_seen_ == len(subset)


def test_truncated_summaries_stay_within_their_energy_lost():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 60)) * 0.9 ** np.arange(60)
    pca = IncrementalPCA(4, method="svd", oversampling=4)
    subsets = [np.arange(200), np.arange(100, 300)]
    for model, subset in zip(
        fit_subsets(pca, da.from_array(x, chunks=(70, -1)), subsets), subsets, strict=True
    ):
        s = np.linalg.svd(x[subset] - x[subset].mean(axis=0), compute_uv=False)
        total, found = (s**2).sum(), model.singular_values_**2
        assert (found <= s[:4] ** 2 + 1e-9 * total).all()
        assert (found >= s[:4] ** 2 - (model.energy_lost_ + 1e-9) * total).all()


def test_every_chunk_is_read_once():
    x = np.random.default_rng(0).standard_normal((60, 5))
    reads = Counter()

    def read(block_info=None):
        reads[block_info[None]["chunk-location"]] += 1
        return x[tuple(slice(*ends) for ends in block_info[None]["array-location"])]

    data = da.map_blocks(read, chunks=((20,) * 3, (5,)), dtype=float, meta=np.empty((0, 0)))
    fit_subsets(IncrementalPCA(2), data, [np.arange(k, 60) for k in range(5)])
    assert set(reads.values()) == {1}
    assert len(reads) == 3


def test_first_components_are_those_of_a_smaller_fit():
    x = np.random.default_rng(0).standard_normal((60, 5))
    fewer = first_components(IncrementalPCA(4).fit(x), 2)
    np.testing.assert_allclose(fewer.components_, IncrementalPCA(2).fit(x).components_, atol=1e-12)
    assert fewer.get_params()["n_components"] == 2


def test_too_few_samples_in_a_subset():
    x = np.zeros((10, 4))
    with pytest.raises(ValueError, match="3 samples vary in at most 2"):
        fit_subsets(IncrementalPCA(3), x, [np.arange(10), np.arange(3)])
