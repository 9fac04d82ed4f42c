"""Where the summary is truncated: what holds, how close it comes, and one read of the data."""

from __future__ import annotations

from collections import Counter

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask.reduction import IncrementalPCA


def decaying(n, d, noise=1e-3, dtype="float32", seed=0):
    """Variances like 0.64^k over a floor of noise, and a mean."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((d, 50)))[0].T
    signal = (rng.standard_normal((n, 50)) * 0.8 ** np.arange(50)) @ directions
    return (signal + noise * rng.standard_normal((n, d)) + 0.25).astype(dtype)


def exact(x):
    deviation = x.astype(np.result_type(x.dtype, "float64")) - x.mean(axis=0, dtype=float)
    # Squares cost digits of the last singular values, which no test looks at.
    values, left = np.linalg.eigh(deviation @ deviation.conj().T)
    s = np.sqrt(np.maximum(values[::-1], 0))
    return s, left[:, ::-1][:, :10].conj().T @ deviation / s[:10, None]


def largest_angle(a, b):
    """Between the spaces spanned by orthonormal rows."""
    return np.arcsin(min(1.0, np.linalg.norm(a - (a @ b.conj().T) @ b, 2)))


@pytest.mark.parametrize("noise", [3e-4, 3e-3])
def test_leading_space_of_many_chunks(noise):
    """Within what truncation promises, derived from the energy lost.

    What truncation drops, L = X^H X - R^H R, has no negative eigenvalue, and its trace is
    ``energy_lost_`` times the total. So each s_k^2 falls short by at most trace(L) (Weyl). With P
    and Q the projectors on the exact and the found components, the found variances are those of
    R on Q, so they sum to at most trace(Q X^H X), and trace(P X^H X) - trace(Q X^H X) is at least
    (s_10^2 - s_11^2) times the squared sines between the two spaces.
    """
    x = decaying(1100, 2001, noise)
    pca = IncrementalPCA(n_components=10).fit(da.from_array(x, chunks=(200, -1)))
    assert type(pca.summary_).__name__ == "Rows"
    s, v = exact(x)
    total = (s**2).sum()
    lost = pca.energy_lost_ * total
    # Products of float32 data in single precision: eps times what is multiplied, twice.
    rounding = 2 * np.finfo("float32").eps * s[0] ** 2
    found = pca.singular_values_**2
    assert (found <= s[:10] ** 2 + rounding).all()
    assert (found >= s[:10] ** 2 - lost - rounding).all()
    np.testing.assert_allclose(pca.explained_variance_ratio_, found / total, rtol=1e-6)
    short = (s[:10] ** 2).sum() - found.sum() + 10 * rounding
    sines = np.linalg.norm(pca.components_ - (pca.components_ @ v.T) @ v) ** 2
    assert sines <= short / (s[9] ** 2 - s[10] ** 2)
    assert largest_angle(pca.components_, v[:10]) < 1e-3  # the goal of the default settings
    np.testing.assert_allclose(pca.components_ @ pca.components_.T, np.eye(10), atol=1e-10)
    # No 30 directions hold more than the leading 30; ten would hold less than what is kept.
    tail = np.cumsum((s**2)[::-1])[::-1] / total
    assert tail[30] * (1 - 1e-6) <= pca.energy_lost_ <= tail[10]


@given(
    n=st.integers(70, 300),
    chunk=st.integers(20, 300),
    decay=st.floats(0.3, 1.0),
    oversampling=st.integers(0, 10),
    power=st.integers(0, 2),
    kind=st.sampled_from(["float64", "complex128"]),
)
@settings(max_examples=20, deadline=None)
def test_variances_lie_within_the_energy_lost(n, chunk, decay, oversampling, power, kind):
    """Even for spectra without decay: never too large, never too small by more than is lost."""
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, 60)) * decay ** np.arange(60)
    if kind == "complex128":
        x = x * np.exp(2j * rng.random((n, 60)))
    pca = IncrementalPCA(
        n_components=4, method="svd", oversampling=oversampling, power_iterations=power
    ).fit(da.from_array(x, chunks=(chunk, -1)))
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    total = (s**2).sum()
    found = pca.singular_values_**2
    assert (found <= s[:4] ** 2 + 1e-9 * total).all()
    assert (found >= s[:4] ** 2 - (pca.energy_lost_ + 1e-9) * total).all()
    np.testing.assert_allclose(pca.mean_, x.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(pca.explained_variance_ratio_ * total, found, rtol=1e-9)


def test_any_split_gives_the_same_space():
    x = decaying(2400, 400, noise=1e-3)
    options = {"n_components": 10, "method": "svd"}
    _, v = exact(x)
    a, b, c = (IncrementalPCA(**options).fit(p) for p in np.split(x, [500, 1700]))
    continued = IncrementalPCA(**options).fit(x[:30])
    for first in range(30, 2400, 370):
        continued.partial_fit(x[first : first + 370])
    models = [
        IncrementalPCA(**options).fit(x),
        IncrementalPCA(**options).fit(da.from_array(x, chunks=(170, 90))),
        continued,
        c.merge(a.merge(b)),
    ]
    for model in models:
        assert model.n_samples_seen_ == 2400
        assert largest_angle(model.components_, v[:10]) < 1e-3
        np.testing.assert_allclose(model.singular_values_, models[0].singular_values_, rtol=1e-5)
        np.testing.assert_allclose(model.components_, models[0].components_, atol=1e-3)


def test_nothing_is_lost_of_data_of_low_rank():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 8)) @ rng.standard_normal((8, 300))
    pca = IncrementalPCA(n_components=8, method="svd").fit(da.from_array(x, chunks=(200, -1)))
    s, v = exact(x)
    np.testing.assert_allclose(pca.singular_values_, s[:8], rtol=1e-10)
    assert largest_angle(pca.components_, v[:8]) < 1e-10
    assert pca.energy_lost_ < 1e-12


def test_the_same_call_gives_the_same_bits():
    x = da.from_array(decaying(600, 300), chunks=(100, -1))
    with dask.config.set(scheduler="synchronous"):
        a, b = (IncrementalPCA(n_components=5, method="svd").fit(x) for _ in range(2))
    np.testing.assert_array_equal(a.components_, b.components_)


@pytest.mark.parametrize("method", ["gram", "svd"])
@pytest.mark.parametrize("features", [80, 25])
def test_every_chunk_is_read_once(method, features):
    x = decaying(300, 80, dtype="float64")
    reads = Counter()

    def read(block_info=None):
        place = tuple(slice(*ends) for ends in block_info[None]["array-location"])
        reads[block_info[None]["chunk-location"]] += 1
        return x[place]

    data = da.map_blocks(
        read,
        chunks=da.core.normalize_chunks((50, features), x.shape),
        dtype=float,
        meta=np.empty((0, 0)),
    )
    model = IncrementalPCA(n_components=3, method=method).fit(data)
    assert len(reads) == data.npartitions
    assert set(reads.values()) == {1}
    lazy = model.transform(data)
    back = model.inverse_transform(lazy)
    assert set(reads.values()) == {1}
    dask.compute(lazy, back)
    assert set(reads.values()) == {2}


def test_large_blocks_are_taken_in_pieces(monkeypatch):
    x = decaying(1000, 200, dtype="float64")
    whole = IncrementalPCA(n_components=5, method="svd").fit(x)
    monkeypatch.setattr("mksdask.reduction.summary.PIECE_BYTES", x.nbytes // 9)
    split = IncrementalPCA(n_components=5, method="svd").fit(x)
    assert largest_angle(whole.components_, split.components_) < 1e-5
