"""Both backends against direct sums and against each other."""

import concurrent.futures

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask import fft


@pytest.fixture(params=fft.BACKENDS)
def backend(request):
    if request.param == "pyfftw":
        pytest.importorskip("pyfftw")
    with fft.use_backend(request.param):
        yield request.param


def dft(x, axes):
    out = x.astype(complex)
    for axis in axes:
        n = x.shape[axis]
        k = np.arange(n)
        matrix = np.exp(-2j * np.pi * np.outer(k, k) / n)
        out = np.moveaxis(np.tensordot(matrix, out, axes=(1, axis)), 0, axis)
    return out


@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 6), (2, 3, 5, 7), (1, 8, 9)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_against_the_direct_sum(backend, shape, dtype, tolerance):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    axes = tuple(range(1, len(shape)))
    want = dft(x, axes)
    half = fft.rfftn(x, axes=axes)
    assert half.dtype == (np.complex64 if dtype == "float32" else np.complex128)
    np.testing.assert_allclose(half, want[..., : shape[-1] // 2 + 1], atol=tolerance * x.size)
    np.testing.assert_allclose(
        fft.fftn(x.astype(half.dtype), axes=axes), want, atol=tolerance * x.size
    )
    back = fft.irfftn(half, s=shape[1:], axes=axes)
    assert back.dtype == x.dtype
    np.testing.assert_allclose(back, x, atol=10 * tolerance)
    np.testing.assert_allclose(
        fft.ifftn(fft.fftn(x, axes=axes), axes=axes).real, x, atol=10 * tolerance
    )


def test_zero_padding_and_negative_axes(backend):
    x = np.random.default_rng(0).normal(size=(2, 5, 6))
    padded = np.zeros((2, 8, 9))
    padded[:, :5, :6] = x
    np.testing.assert_allclose(
        fft.rfftn(x, axes=(-2, -1), s=(8, 9)), fft.rfftn(padded, axes=(1, 2)), atol=1e-13
    )
    np.testing.assert_allclose(
        fft.fftn(x, axes=(-2, -1), s=(8, 9)), fft.fftn(padded, axes=(1, 2)), atol=1e-13
    )


def test_results_do_not_share_memory_with_the_next_call(backend):
    x = np.random.default_rng(0).normal(size=(2, 8))
    first = fft.rfftn(x, axes=(1,))
    kept = first.copy()
    fft.rfftn(2 * x, axes=(1,))
    np.testing.assert_array_equal(first, kept)
    back = fft.irfftn(first, s=(8,), axes=(1,))
    fft.irfftn(3 * first, s=(8,), axes=(1,))
    np.testing.assert_allclose(back, x, atol=1e-14)
    np.testing.assert_array_equal(first, kept)  # the inverse does not eat its input


def test_threads_transform_side_by_side(backend):
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(2, 16, 16)) for _ in range(16)]

    def transform(x):
        with fft.use_backend(backend):
            return fft.rfftn(x, axes=(1, 2))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for x, out in zip(inputs, pool.map(transform, inputs), strict=True):
            np.testing.assert_allclose(out, np.fft.rfftn(x, axes=(1, 2)), atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 10_000))
def test_fast_lengths(n):
    m = fft.next_fast_len(n)
    assert n <= m < 1.3 * n + 2
    for p in (2, 3, 5):
        while m % p == 0:
            m //= p
    assert m == 1


def test_refusals(monkeypatch):
    with pytest.raises(ValueError, match=r"'mkl' is unknown.*scipy"), fft.use_backend("mkl"):
        pass
    with pytest.raises(ValueError, match="at least 1"), fft.threads(0):
        pass
    monkeypatch.setenv("MKSDASK_FFT", "nonsense")
    with pytest.raises(ValueError, match="nonsense"):
        fft.rfftn(np.ones(3), axes=(0,))
    monkeypatch.setitem(__import__("sys").modules, "pyfftw", None)
    with (
        pytest.raises(ImportError, match=r"pip install 'mksdask\[fftw\]'"),
        fft.use_backend("pyfftw"),
    ):
        pass


def test_one_thread_unless_asked(monkeypatch):
    seen = []
    import scipy.fft

    plain = scipy.fft.rfftn
    monkeypatch.setattr(
        scipy.fft, "rfftn", lambda *a, **k: seen.append(k["workers"]) or plain(*a, **k)
    )
    with fft.use_backend("scipy"):
        fft.rfftn(np.ones(4), axes=(0,))
        with fft.threads(2):
            fft.rfftn(np.ones(4), axes=(0,))
    assert seen == [1, 2]
