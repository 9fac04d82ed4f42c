"""Against the definition, over dims, sizes, boundaries, masks, pairs, cutoffs, bases, chunks."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask.bases import PrimitiveBasis
from mksdask.statistics import two_point_statistics
from tests.statistics.cases import cases, chunkings
from tests.statistics.oracle import direct


def assert_is_direct_sum(f, case, tolerance=1e-11):
    m = np.moveaxis(case.basis.expand(case.data.astype(float)), -1, 0)
    for j in range(len(case.data)):
        expected = direct(m[:, j], case.pairs, case.periodic, case.cutoff, case.sample_weight(j))
        np.testing.assert_allclose(f[j], expected, rtol=0, atol=tolerance)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_direct_summation(case):
    f = two_point_statistics(
        case.data, case.basis, case.pairs, case.cutoff, case.boundary, case.mask
    )
    assert f.dtype == (complex if case.basis.is_complex else float)
    assert_is_direct_sum(f, case)


@settings(max_examples=40, deadline=None)
@given(cases(), st.data())
def test_direct_summation_over_any_chunks(case, data):
    """In space too: the same function, tile by tile."""
    chunks = data.draw(chunkings(case.data.shape))
    lazy = da.from_array(case.data, chunks=chunks)
    f = two_point_statistics(
        lazy, case.basis, case.pairs, case.cutoff, case.boundary, case.mask
    ).compute(scheduler="synchronous")
    assert_is_direct_sum(f, case)


@settings(max_examples=20, deadline=None)
@given(cases())
def test_single_precision(case):
    if case.data.dtype == np.float64:
        case.data = case.data.astype(np.float32)
        f = two_point_statistics(
            case.data, case.basis, case.pairs, case.cutoff, case.boundary, case.mask
        )
        assert f.dtype == (np.complex64 if case.basis.is_complex else np.float32)
        assert_is_direct_sum(f, case, tolerance=2e-5 * case.basis.n_states**2)


@pytest.mark.parametrize(
    ("shape", "cutoff"), [((53, 3), 20), ((53, 3), None), ((40, 36), 4), ((4, 40, 3), [1, 20, 1])]
)
@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
@pytest.mark.parametrize("dtype", [np.uint8, float])
def test_inverse_by_matrices_and_by_fft(shape, cutoff, boundary, dtype):
    """Sizes on both sides of the choice between matrix products and fast transforms."""
    labels = np.random.default_rng(0).integers(0, 3, (1, *shape)).astype(dtype)
    if cutoff == 20:
        cutoff = [20, 1]
    f = two_point_statistics(labels, PrimitiveBasis(3), "all", cutoff, boundary)
    periodic = [boundary == "periodic"] * len(shape)
    if cutoff is None:
        cutoff = [n // 2 if boundary == "periodic" else n - 1 for n in shape]
    cutoff = np.broadcast_to(cutoff, len(shape)).tolist()
    m = np.moveaxis(np.eye(3)[labels[0].astype(int)], -1, 0)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    np.testing.assert_allclose(f[0], direct(m, pairs, periodic, cutoff), rtol=0, atol=1e-12)
