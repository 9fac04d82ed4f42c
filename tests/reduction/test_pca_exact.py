"""On data that fit in memory: the components of scikit-learn, whatever the chunks and the order."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

import mksdask.reduction.strategy as strategy
from mksdask.reduction import IncrementalPCA


def samples(n, d, dtype="float64", seed=0, offset=3.0):
    """Samples with a spectrum of distinct variances."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    x = rng.standard_normal((n, d)) * 0.8 ** np.arange(d)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal((n, d)) * 0.7 ** np.arange(d)
    return (x @ turn + offset).astype(dtype)


def aligned(components, like):
    """Components with the signs of ``like``."""
    return components * np.sign((components * like).sum(axis=1))[:, None]


def same(a, b, tolerance=1e-10):
    np.testing.assert_allclose(a.mean_, b.mean_, atol=tolerance)
    np.testing.assert_allclose(a.components_, b.components_, atol=tolerance)
    np.testing.assert_allclose(a.explained_variance_, b.explained_variance_, atol=tolerance)
    np.testing.assert_allclose(
        a.explained_variance_ratio_, b.explained_variance_ratio_, atol=tolerance
    )
    assert a.n_samples_seen_ == b.n_samples_seen_


@pytest.mark.parametrize(("n", "d", "kind"), [(200, 30, "Scatter"), (25, 60, "Rows")])
def test_whole_spectrum_is_that_of_scikit_learn(n, d, kind):
    x = samples(n, d)
    ours = IncrementalPCA().fit(da.from_array(x, chunks=(7, 11)))
    assert type(ours.summary_).__name__ == kind
    rank = min(n - 1, d)
    theirs = PCA(n_components=rank, svd_solver="full").fit(x)
    assert ours.n_components_ == rank
    np.testing.assert_allclose(ours.mean_, theirs.mean_, atol=1e-12)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(
        ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-8
    )
    np.testing.assert_allclose(ours.singular_values_, theirs.singular_values_, rtol=1e-8)
    np.testing.assert_allclose(
        aligned(ours.components_, theirs.components_), theirs.components_, atol=1e-8
    )
    assert ours.energy_lost_ == 0.0
    np.testing.assert_allclose(np.abs(ours.transform(x)), np.abs(theirs.transform(x)), atol=1e-8)
    np.testing.assert_allclose(ours.inverse_transform(ours.transform(x)), x, atol=1e-10)


@given(
    cuts=st.sets(st.integers(1, 39), max_size=6),
    chunk=st.integers(1, 40),
    features=st.integers(1, 12),
    d=st.sampled_from([12, 70]),
)
@settings(max_examples=15, deadline=None)
def test_any_split_gives_the_same(cuts, chunk, features, d):
    x = samples(40, d)
    whole = IncrementalPCA(n_components=6).fit(x)
    same(IncrementalPCA(n_components=6).fit(da.from_array(x, chunks=(chunk, features))), whole)
    parts = [p for p in np.split(x, sorted({7, *cuts} - set(range(1, 7)))) if len(p)]
    continued = IncrementalPCA(n_components=6)
    for part in parts:
        continued.partial_fit(da.from_array(part, chunks=(chunk, d)))
    same(continued, whole)


@pytest.mark.parametrize("d", [10, 90])
def test_merging_is_associative_and_commutative(d):
    a, b, c = (samples(20, d, seed=s) for s in range(3))
    a, b, c = ([IncrementalPCA(n_components=4).fit(x) for _ in range(3)] for x in (a, b, c))
    left = a[0].merge(b[0]).merge(c[0])
    right = a[1].merge(b[1].merge(c[1]))
    other = c[2].partial_fit(a[2]).partial_fit(b[2])
    same(left, right)
    same(left, other)
    whole = np.concatenate([samples(20, d, seed=s) for s in range(3)])
    same(left, IncrementalPCA(n_components=4).fit(whole))


def test_an_unfitted_model_takes_over_what_it_is_given():
    fitted = IncrementalPCA(n_components=3).fit(samples(30, 8))
    same(IncrementalPCA(n_components=3).merge(fitted), fitted)


@pytest.mark.parametrize(("n", "d"), [(80, 12), (20, 40)])
def test_complex_features(n, d):
    x = samples(n, d, "complex128")
    pca = IncrementalPCA(n_components=5).fit(da.from_array(x, chunks=(9, 5)))
    _, s, v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(pca.singular_values_, s[:5], rtol=1e-10)
    projector = v[:5].conj().T @ v[:5]
    np.testing.assert_allclose(pca.components_.conj().T @ pca.components_, projector, atol=1e-10)
    largest = np.take_along_axis(
        pca.components_, np.abs(pca.components_).argmax(axis=1)[:, None], axis=1
    )
    assert (largest.real > 0).all()
    np.testing.assert_allclose(
        pca.inverse_transform(pca.transform(x)), x.mean(0) + (x - x.mean(0)) @ projector, atol=1e-9
    )
    assert pca.explained_variance_.dtype == float


def test_single_precision_is_summed_in_double():
    x = samples(3000, 20, "float32", offset=100.0)
    pca = IncrementalPCA(n_components=5).fit(da.from_array(x, chunks=500))
    exact = PCA(n_components=5, svd_solver="full").fit(x.astype(float))
    np.testing.assert_allclose(pca.explained_variance_, exact.explained_variance_, rtol=1e-10)
    assert pca.transform(x).dtype == np.float32
    assert pca.inverse_transform(pca.transform(x)).dtype == np.float32


def test_share_of_variance_and_signs():
    x = samples(100, 10)
    pca = IncrementalPCA(n_components=0.9).fit(x)
    ratios = PCA().fit(x).explained_variance_ratio_
    assert pca.n_components_ == np.searchsorted(np.cumsum(ratios), 0.9) + 1
    assert IncrementalPCA(n_components=1.0).fit(x).n_components_ == 10
    flipped = IncrementalPCA(n_components=0.9).fit(-x)
    np.testing.assert_allclose(flipped.components_, pca.components_, atol=1e-10)


def test_schedulers_agree():
    x = da.from_array(samples(60, 100), chunks=(7, 100))
    with dask.config.set(scheduler="synchronous"):
        one = IncrementalPCA(n_components=4).fit(x)
    with dask.config.set(scheduler="threads"):
        same(one, IncrementalPCA(n_components=4).fit(x))


def test_few_samples_grow_into_many_without_a_break(monkeypatch):
    monkeypatch.setattr(strategy, "FEW_SAMPLES", 30)
    x = samples(200, 50)
    pca = IncrementalPCA(n_components=4).fit(x[:20])
    assert type(pca.summary_).__name__ == "Rows"
    pca.partial_fit(x[20:])
    assert type(pca.summary_).__name__ == "Scatter"
    same(pca, IncrementalPCA(n_components=4).fit(x))


def test_plain_arrays_of_any_shape():
    x = samples(30, 24)
    flat = IncrementalPCA(n_components=3).fit(x)
    shaped = IncrementalPCA(n_components=3).fit(x.reshape(30, 2, 3, 4))
    np.testing.assert_array_equal(flat.components_, shaped.components_)
    lazy = shaped.transform(da.from_array(x.reshape(30, 2, 3, 4), chunks=(7, 1, 3, 2)))
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy, flat.transform(x), atol=1e-12)
    back = shaped.inverse_transform(lazy)
    assert isinstance(back, da.Array)
    assert back.shape == (30, 2, 3, 4)
    labelled = IncrementalPCA(n_components=3).fit(xr.DataArray(x, dims=("sample", "feature")))
    np.testing.assert_allclose(labelled.components_, flat.components_, atol=1e-12)
