"""Statistics of crystal orientations: harmonics as states, real and in conjugate pairs."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.bases import FourierBasis, GSHBasis
from mksdask.generate import uniform_orientations
from mksdask.reduction import IncrementalPCA
from mksdask.statistics import TwoPointStatistics, two_point_statistics
from mksdask.statistics.pairs import make_plan
from tests.statistics.oracle import direct

FULL = GSHBasis("cubic", max_degree=4, form="complex")
CONJUGATES = [FULL.conjugate(h) for h in range(10)]
REAL = GSHBasis("cubic", max_degree=4)
EVERY = [(h, k) for h in range(10) for k in range(10)]


def cells(n=2, shape=(5, 4), seed=0):
    angles = uniform_orientations(np.random.default_rng(seed), n * int(np.prod(shape)))
    return angles.reshape(n, *shape, 3)


@pytest.mark.parametrize("basis", [FULL, REAL], ids=["complex", "real"])
@pytest.mark.parametrize(
    ("boundary", "cutoff", "masked"),
    [("periodic", [2, 2], False), (["nonperiodic", "periodic"], [3, 1], False),
     ("nonperiodic", [2, 2], True)],
)  # fmt: skip
def test_direct_summation(basis, boundary, cutoff, masked):
    g = cells()
    mask = np.random.default_rng(1).random((2, 5, 4)) if masked else None
    f = two_point_statistics(g, basis, EVERY, cutoff, boundary, mask)
    tiled = two_point_statistics(
        da.from_array(g, chunks=(1, 2, 3, 3)), basis, EVERY, cutoff, boundary, mask
    )
    periodic = [b == "periodic" for b in np.broadcast_to(boundary, 2)]
    m = np.moveaxis(basis.expand(g), -1, 0)
    for j in range(2):
        weight = None if mask is None else mask[j]
        expected = direct(m[:, j], EVERY, periodic, cutoff, weight)
        np.testing.assert_allclose(f[j], expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(tiled.compute(scheduler="synchronous"), f, rtol=0, atol=1e-10)


def test_exchanging_the_states_turns_the_lag_around_and_conjugates():
    f = two_point_statistics(cells(), FULL, EVERY, 1, "nonperiodic")
    square = f.reshape(2, 10, 10, 3, 3)
    np.testing.assert_allclose(square.swapaxes(1, 2), square[..., ::-1, ::-1].conj(), atol=1e-11)
    middle = np.einsum("jhhxy->jhxy", square)[:, :, 1, 1]
    assert np.abs(middle.imag).max() < 1e-12  # the mean of |m|^2
    assert (middle.real > 0).all()


def test_conjugate_pairs_halve_the_work():
    plan = make_plan(EVERY, 10, False, masked=False, conjugates=CONJUGATES)
    plain = make_plan(EVERY, 10, False, masked=False)
    assert len(plain.terms) == 55
    assert len(plan.terms) == 31  # half of 55 and of the 7 that are their own conjugates
    auto = [(h, h) for h in range(10)]
    assert len(make_plan(auto, 10, False, masked=False, conjugates=CONJUGATES).terms) == 6


def test_conjugates_that_are_not_in_the_basis():
    alone = GSHBasis("cubic", indices=[(4, 1, 1), (4, -2, 1), (4, 2, 1)], form="complex")
    assert [alone.conjugate(h) for h in range(3)] == [(2, 1), None, (0, 1)]
    x = np.random.default_rng(0).uniform(0, 1, (1, 6))
    for basis, data in ((alone, cells(1, (6,))), (FourierBasis(4), x)):
        every = [(h, k) for h in range(basis.n_states) for k in range(basis.n_states)]
        m = np.moveaxis(basis.expand(data), -1, 0)
        f = two_point_statistics(data, basis, every)
        np.testing.assert_allclose(f[0], direct(m[:, 0], every, [True], [3]), rtol=0, atol=1e-11)


def test_real_and_complex_form_hold_the_same_energy():
    g = cells()
    a, b = (two_point_statistics(g, basis, "auto") for basis in (REAL, FULL))
    np.testing.assert_allclose(a.sum(axis=1), b.sum(axis=1), atol=1e-10)


def test_components_of_complex_statistics():
    g = xr.DataArray(cells(12), dims=("sample", "x", "y", "euler")).chunk(sample=5)
    step = TwoPointStatistics(FULL, pairs=[(1, 2), (3, 3)])
    features = step.fit_transform(g)
    assert features.dtype == complex
    pca = IncrementalPCA(n_components=3).fit(features)
    X = features.values
    centred = X - X.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    np.testing.assert_allclose(pca.singular_values_, values[:3], rtol=1e-10)
    scores = pca.transform(features).values
    back = scores @ pca.components_ + pca.mean_
    u, s, vh = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(back, (u[:, :3] * s[:3]) @ vh[:3] + X.mean(axis=0), atol=1e-10)
    assert step.inverse_transform(pca.inverse_transform(scores)).dtype == complex


def test_what_is_refused():
    with pytest.raises(ValueError, match="wanted .*euler.* of lengths"):
        two_point_statistics(np.zeros((2, 4, 4)), REAL)
    with pytest.raises(ValueError, match="'euler'"):
        two_point_statistics(xr.DataArray(np.zeros((2, 4)), dims=("sample", "x")), REAL)
