"""Real and complex FFTs over the spatial axes; the only module that calls an FFT.

SciPy is the default backend. ``benchmarks/fft_backends.py`` compares it with pyFFTW on 2D and 3D
grids of prime and smooth sizes in both precisions: over all of them SciPy takes 1.1 times the time
of pyFFTW in float64 and 0.8 times in float32, and it needs no planning, which costs FFTW 0.2-5 s
for each new block shape. pyFFTW is up to 1.3 times faster on powers of two: choose it with
``use_backend("pyfftw")`` or ``MKSDASK_FFT=pyfftw`` when many blocks share one such shape.

Every transform runs on one thread, because Dask already runs one task a core; ``threads(n)``
raises it for work that is not inside a Dask graph.

Along a short last axis with a large prime factor (31, 51, 101 voxels ...) SciPy's real transform is
up to 8 times slower than a product with the matrix of the transform, which is taken there instead
(on one thread, see :mod:`mksdask.products`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft

from mksdask.errors import missing_extra
from mksdask.products import rows_times_matrix

BACKENDS = ("scipy", "pyfftw")

# A prime factor p of at least the first makes a transform slow. By matrix product go lengths of at
# most 2 p up to the second number, and of at most 3 p up to the third: beyond, SciPy is as quick.
DENSE_FACTOR = 11
DENSE_LENGTH = 256
DENSE_LENGTH_THRICE = 96

_backend: ContextVar[str | None] = ContextVar("fft_backend", default=None)
_threads: ContextVar[int] = ContextVar("fft_threads", default=1)
_plans = threading.local()


def rfftn(x: np.ndarray, axes: Sequence[int], s: Sequence[int] | None = None) -> np.ndarray:
    """Half-spectrum transform of a real array over ``axes``; zero-padded to ``s`` if given.

    X[k] = sum_x x[x] exp(-2 pi i k.x / N), the last of ``axes`` cut to N//2 + 1 frequencies.
    float32 in gives complex64 out.

    >>> rfftn(np.ones((1, 4)), axes=(1,)).real
    array([[4., 0., 0.]])
    """
    if backend() == "pyfftw":
        return _fftw("r2c", x, tuple(axes), None if s is None else tuple(s))
    if _is_dense(x.shape[axes[-1]] if s is None else s[-1]) and x.dtype.char in "?bhilBHILfd":
        return _dense_rfftn(x, axes, s)
    return scipy.fft.rfftn(x, s=s, axes=axes, workers=_threads.get())


def irfftn(
    x: np.ndarray, s: Sequence[int], axes: Sequence[int], overwrite: bool = False
) -> np.ndarray:
    """Inverse of :func:`rfftn` for real arrays of lengths ``s`` along ``axes``.

    With ``overwrite``, ``x`` may be destroyed, which saves a copy.

    >>> irfftn(rfftn(np.arange(5.0), axes=(0,)), s=(5,), axes=(0,)).round(12)
    array([0., 1., 2., 3., 4.])
    """
    if backend() == "pyfftw":
        return _fftw("c2r", x, tuple(axes), tuple(s))
    if _is_dense(s[-1]) and x.dtype.char in "FD":
        return _dense_irfftn(x, s, axes, overwrite)
    return scipy.fft.irfftn(x, s=s, axes=axes, overwrite_x=overwrite, workers=_threads.get())


def fftn(x: np.ndarray, axes: Sequence[int], s: Sequence[int] | None = None) -> np.ndarray:
    """Full complex transform over ``axes``, for complex bases.

    >>> fftn(np.ones(2), axes=(0,)).real
    array([2., 0.])
    """
    if backend() == "pyfftw":
        return _fftw("forward", x, tuple(axes), None if s is None else tuple(s))
    return scipy.fft.fftn(x, s=s, axes=axes, workers=_threads.get())


def ifftn(x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """Inverse of :func:`fftn`.

    >>> ifftn(fftn(np.arange(3.0), axes=(0,)), axes=(0,)).real.round(12)
    array([0., 1., 2.])
    """
    if backend() == "pyfftw":
        return _fftw("backward", x, tuple(axes), None)
    return scipy.fft.ifftn(x, axes=axes, workers=_threads.get())


def next_fast_len(n: int) -> int:
    """Smallest length >= n whose real transform is quick.

    >>> next_fast_len(101)
    108
    """
    return int(scipy.fft.next_fast_len(n, real=True))


def backend() -> str:
    """Name of the backend in use: the innermost :func:`use_backend`, else ``MKSDASK_FFT``.

    >>> backend() in BACKENDS
    True
    """
    return _backend.get() or _checked_backend(os.environ.get("MKSDASK_FFT", "scipy"))


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Transform with ``"scipy"`` or ``"pyfftw"`` inside the ``with`` block, on this thread.

    Dask's worker threads and processes do not see the choice of the thread that submits work: set
    the environment variable ``MKSDASK_FFT`` to switch them.

    >>> with use_backend("scipy"):
    ...     backend()
    'scipy'
    """
    token = _backend.set(_checked_backend(name))
    try:
        yield
    finally:
        _backend.reset(token)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let one transform use ``n`` threads inside the ``with`` block, on this thread only.

    >>> with threads(2):
    ...     rfftn(np.ones(4), axes=(0,)).shape
    (3,)
    """
    if n < 1:
        raise ValueError(f"n is {n}; wanted a number of threads of at least 1")
    token = _threads.set(n)
    try:
        yield
    finally:
        _threads.reset(token)


def _checked_backend(name: str) -> str:
    if name not in BACKENDS:
        raise ValueError(f"FFT backend {name!r} is unknown; choose one of {BACKENDS}")
    if name == "pyfftw":
        try:
            import pyfftw  # noqa: F401
        except ImportError:
            raise missing_extra("pyfftw", "fftw", "the pyfftw FFT backend") from None
    return name


def _fftw(kind: str, x: np.ndarray, axes: tuple[int, ...], s: tuple[int, ...] | None) -> np.ndarray:
    """Transform through a plan made once a thread, shape and precision.

    A plan owns its input and output buffers, so it must not be shared between threads; the copies
    in and out keep results independent of the next call.
    """
    real = np.float32 if x.dtype in (np.float32, np.complex64) else np.float64
    complex_ = np.result_type(real, np.complex64)
    axes = tuple(a % x.ndim for a in axes)
    logical = list(x.shape)
    if s is not None:
        for a, n in zip(axes, s, strict=True):
            logical[a] = n
    half = list(logical)
    if kind in ("r2c", "c2r"):
        half[axes[-1]] = logical[axes[-1]] // 2 + 1
    key = (kind, tuple(logical), np.dtype(real).char, axes, _threads.get())
    cache = _plans.__dict__.setdefault("cache", {})
    if key not in cache:
        cache[key] = _new_plan(kind, tuple(logical), tuple(half), real, complex_, axes)
    plan = cache[key]
    target = plan.input_array
    if x.shape == target.shape:
        target[...] = x
    else:
        target[...] = 0
        overlap = tuple(slice(0, min(a, b)) for a, b in zip(x.shape, target.shape, strict=True))
        target[overlap] = x[overlap]
    plan.execute()
    if kind in ("c2r", "backward"):
        scale = 1.0 / np.prod([logical[a] for a in axes])
        return plan.output_array * real(scale)
    return plan.output_array.copy()


def _new_plan(
    kind: str,
    logical: tuple[int, ...],
    half: tuple[int, ...],
    real: Any,
    complex_: Any,
    axes: tuple[int, ...],
) -> Any:
    import pyfftw

    shapes = {
        "r2c": ((logical, real), (half, complex_)),
        "c2r": ((half, complex_), (logical, real)),
        "forward": ((logical, complex_), (logical, complex_)),
        "backward": ((logical, complex_), (logical, complex_)),
    }
    (in_shape, in_dtype), (out_shape, out_dtype) = shapes[kind]
    return pyfftw.FFTW(
        pyfftw.empty_aligned(in_shape, in_dtype),
        pyfftw.empty_aligned(out_shape, out_dtype),
        axes=axes,
        direction="FFTW_FORWARD" if kind in ("r2c", "forward") else "FFTW_BACKWARD",
        flags=("FFTW_MEASURE",),
        threads=_threads.get(),
    )


@lru_cache(maxsize=256)
def _is_dense(n: int) -> bool:
    """Whether the real transform of this length goes by matrix product."""
    cofactor = 3 if n <= DENSE_LENGTH_THRICE else 2
    return n <= DENSE_LENGTH and any(
        n % m == 0 and _is_prime(n // m) and n // m >= DENSE_FACTOR for m in range(1, cofactor + 1)
    )


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % m for m in range(2, int(n**0.5) + 1))


@lru_cache(maxsize=16)
def _dense_matrices(n: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Matrices from n numbers to (real, imaginary) pairs of the half spectrum, and back."""
    half = n // 2 + 1
    angle = 2 * np.pi / n * (np.outer(np.arange(n), np.arange(half)) % n)
    forward = np.stack([np.cos(angle), -np.sin(angle)], axis=-1)
    twice = np.full(half, 2.0)  # every frequency but 0 and N/2 stands for its conjugate as well
    twice[0] = 1
    if n % 2 == 0:
        twice[-1] = 1
    backward = forward * (twice / n)[:, None]
    return (
        forward.reshape(n, 2 * half).astype(dtype),
        np.ascontiguousarray(backward.reshape(n, 2 * half).T).astype(dtype),
    )


def _dense_rfftn(x: np.ndarray, axes: Sequence[int], s: Sequence[int] | None) -> np.ndarray:
    *others, last = axes
    n = x.shape[last] if s is None else s[-1]
    real = np.dtype("f" if x.dtype.char == "f" else "d")
    lines = np.moveaxis(x, last, -1)[..., :n].astype(real, copy=False)
    forward, _ = _dense_matrices(n, real.char)
    half = rows_times_matrix(lines, forward[: lines.shape[-1]]).view(np.result_type(real, "F"))
    half = np.moveaxis(half, -1, last)
    if not others:
        return half
    shape = None if s is None else s[:-1]
    return scipy.fft.fftn(half, s=shape, axes=others, overwrite_x=True, workers=_threads.get())


def _dense_irfftn(
    x: np.ndarray, s: Sequence[int], axes: Sequence[int], overwrite: bool
) -> np.ndarray:
    *others, last = axes
    if others:
        x = scipy.fft.ifftn(x, s=s[:-1], axes=others, overwrite_x=overwrite, workers=_threads.get())
    real = np.dtype("f" if x.dtype.char == "F" else "d")
    half = np.moveaxis(x, last, -1)[..., : s[-1] // 2 + 1]
    _, backward = _dense_matrices(s[-1], real.char)
    pairs = np.ascontiguousarray(half).view(real)
    return np.moveaxis(rows_times_matrix(pairs, backward[: pairs.shape[-1]]), -1, last)
