"""Mean and variance of statistics over the samples of an ensemble."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from mksdask.lazy import reduce_samples

# Bytes of temporaries a kernel may hold at once.
_BATCH_BYTES = 32 * 2**20


def ensemble_mean(statistics: Any) -> Any:
    """Mean over the samples, lazily: <f> = 1/n sum_i f_i.

    Each chunk gives numbers and means, which merge as a tree, so memory does not depend on the
    number of samples. Entries that are NaN in some samples (lags hidden by their masks) are
    averaged over the others, and NaN where no sample has one. Sums are float64; float32
    statistics give a float32 mean.

    >>> ensemble_mean(np.array([[1.0, 2.0], [3.0, np.nan]]))
    array([2., 2.])
    """
    _check(statistics)
    dtype = _dtype(statistics)
    return reduce_samples(
        statistics, Moments.of, Moments.merged, partial(mean, dtype=dtype), dtype=dtype
    )


def ensemble_variance(statistics: Any, ddof: int = 1) -> Any:
    """Variance over the samples, lazily: 1/(n - ddof) sum_i |f_i - <f>|^2.

    Each chunk gives its number, mean and sum of squared deviations; such triples merge without
    cancellation (Chan, Golub and LeVeque 1983), as a tree. NaN entries are left out, as in
    :func:`ensemble_mean`; where no more than ``ddof`` samples are left the variance is NaN.

    >>> ensemble_variance(np.array([[1.0, 2.0], [3.0, 2.0]]))
    array([2., 0.])
    """
    n = _check(statistics)
    if not 0 <= ddof < n:
        raise ValueError(f"ddof is {ddof} for {n} samples; wanted 0 to {n - 1}")
    dtype = np.empty(0, _dtype(statistics)).real.dtype
    return reduce_samples(
        statistics,
        Moments.of,
        Moments.merged,
        partial(variance, ddof=ddof, dtype=dtype),
        dtype=dtype,
    )


class Moments(NamedTuple):
    """Number, mean and sum of squared deviations of some samples, entry by entry."""

    n: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, block: np.ndarray) -> Moments:
        """Moments of the samples (axis 0) of a block, without its NaN."""
        step = max(1, _BATCH_BYTES * len(block) // max(16 * block.size, 1))
        batches = [cls._of_batch(block[i : i + step]) for i in range(0, len(block), step)]
        return batches[0] if len(batches) == 1 else cls.merged(batches)

    @classmethod
    def _of_batch(cls, block: np.ndarray) -> Moments:
        f = block.astype(np.result_type(block.dtype, np.float64))
        hidden = np.isnan(f)
        f[hidden] = 0
        n = len(f) - hidden.sum(axis=0)
        mean = f.sum(axis=0) / np.maximum(n, 1)
        f -= mean
        f[hidden] = 0
        return cls(n, mean, _square(f).sum(axis=0))

    @classmethod
    def merged(cls, parts: list[Moments]) -> Moments:
        """Moments of all samples of some parts."""
        n = np.sum([p.n for p in parts], axis=0)
        total = np.sum([p.n * p.mean for p in parts], axis=0)
        mean = total / np.maximum(n, 1)
        squares = np.sum([p.squares + p.n * _square(p.mean - mean) for p in parts], axis=0)
        return cls(n, mean, squares)


def mean(moments: Moments, *, dtype: np.dtype) -> np.ndarray:
    """The mean, NaN where there is no number."""
    return np.where(moments.n > 0, moments.mean, np.nan).astype(dtype)


def variance(moments: Moments, *, ddof: int, dtype: np.dtype) -> np.ndarray:
    """The variance, NaN where there are too few numbers."""
    left = moments.n - ddof
    return np.where(left > 0, moments.squares / np.maximum(left, 1), np.nan).astype(dtype)


def _square(f: np.ndarray) -> np.ndarray:
    return f.real**2 + f.imag**2 if f.dtype.kind == "c" else f**2


def _check(statistics: Any) -> int:
    """Number of samples, of which there has to be one."""
    if isinstance(statistics, xr.DataArray):
        if "sample" not in statistics.dims:
            raise ValueError(
                f"the statistics have dims {tuple(map(str, statistics.dims))}; wanted 'sample'"
            )
        n = statistics.sizes["sample"]
    else:
        n = len(statistics)
    if n == 0:
        raise ValueError("the statistics have no samples; wanted at least one")
    return int(n)


def _dtype(statistics: Any) -> np.dtype:
    return np.dtype(statistics.dtype if statistics.dtype.kind in "fc" else float)
