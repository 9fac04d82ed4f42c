"""Real transforms by matrix product, where the last axis has a large prime factor."""

import numpy as np
import pytest
import scipy.fft

from mksdask import fft


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((31,), (0,)),
        ((3, 58), (1,)),
        ((2, 6, 101), (1, 2)),
        ((2, 31, 6), (2, 1)),
        ((2, 37, 5), (1,)),
        ((2, 5, 6, 29), (1, 2, 3)),
        ((2, 9, 51), (1, 2)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, bool])
def test_dense_transforms_are_the_transforms(shape, axes, dtype):
    x = (10 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)
    wanted = scipy.fft.rfftn(x.astype(float), axes=axes)
    found = fft.rfftn(x, axes=axes)
    single = dtype is np.float32
    assert found.dtype == (np.complex64 if single else np.complex128)
    tolerance = (1e-5 if single else 1e-13) * abs(wanted).max()
    np.testing.assert_allclose(found, wanted, atol=tolerance)
    lengths = [shape[a] for a in axes]
    back = fft.irfftn(found, s=lengths, axes=axes)
    assert back.dtype == (np.float32 if single else np.float64)
    np.testing.assert_allclose(back, x, atol=1e-4 if single else 1e-12)


@pytest.mark.parametrize("s", [(8, 31), (4, 31), (5, 58), (7, 29)])
def test_padding_and_cropping(s):
    x = np.random.default_rng(1).standard_normal((2, 5, 30))
    wanted = scipy.fft.rfftn(x, s=s, axes=(1, 2))
    np.testing.assert_allclose(fft.rfftn(x, axes=(1, 2), s=s), wanted, atol=1e-12)
    half = scipy.fft.rfftn(x, axes=(1, 2))
    wanted = scipy.fft.irfftn(half, s=s, axes=(1, 2))
    np.testing.assert_allclose(fft.irfftn(half, s=s, axes=(1, 2)), wanted, atol=1e-12)


def test_only_short_lengths_with_large_prime_factors_are_dense():
    dense = [11, 13, 17, 19, 22, 23, 26, 29, 31, 33, 34, 37, 38, 39]
    assert [n for n in range(1, 41) if fft._is_dense(n)] == dense
    assert all(fft._is_dense(n) for n in (51, 93, 101, 202, 251))
    assert not any(fft._is_dense(n) for n in (44, 49, 52, 111, 257))
