"""Mean and variance of statistics over the samples of an ensemble."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

SAMPLE = "sample"


def ensemble_mean(statistics: Any) -> Any:
    """Mean over the samples, lazily: <f> = 1/n sum_i f_i.

    Each chunk gives a sum, sums merge as a tree, so memory does not depend on the number of
    samples. Entries that are NaN in some samples (lags hidden by their masks) are averaged over
    the others. Sums are float64; float32 statistics give a float32 mean.

    >>> ensemble_mean(np.array([[1.0, 2.0], [3.0, np.nan]]))
    array([2., 2.])
    """
    f = _labelled(statistics)
    mean = f.mean(SAMPLE, dtype=_wide(f.dtype), skipna=True, keep_attrs=True)
    return _like(mean.astype(_narrow(f.dtype)), statistics)


def ensemble_variance(statistics: Any, ddof: int = 1) -> Any:
    """Variance over the samples, lazily: 1/(n - ddof) sum_i |f_i - <f>|^2.

    Each chunk gives its number, mean and sum of squared deviations; two such triples merge
    without cancellation, as a tree. NaN entries are left out, as in :func:`ensemble_mean`.

    >>> ensemble_variance(np.array([[1.0, 2.0], [3.0, 2.0]]))
    array([2., 0.])
    """
    f = _labelled(statistics)
    n = f.sizes[SAMPLE]
    if not 0 <= ddof < n:
        raise ValueError(f"ddof is {ddof} for {n} samples; wanted 0 to {n - 1}")
    real = f.real if f.dtype.kind == "c" else f
    variance = real.var(SAMPLE, dtype=float, ddof=ddof, skipna=True)
    if f.dtype.kind == "c":
        variance = variance + f.imag.var(SAMPLE, dtype=float, ddof=ddof, skipna=True)
    return _like(variance.astype(_narrow(real.dtype)).assign_attrs(f.attrs), statistics)


def _labelled(statistics: Any) -> xr.DataArray:
    if isinstance(statistics, xr.DataArray):
        if SAMPLE not in statistics.dims:
            raise ValueError(
                f"the statistics have dims {tuple(map(str, statistics.dims))}; wanted 'sample'"
            )
        f = statistics
    else:
        f = xr.DataArray(
            statistics, dims=(SAMPLE, *(f"axis_{i}" for i in range(1, statistics.ndim)))
        )
    if f.sizes[SAMPLE] == 0:
        raise ValueError("the statistics have no samples; wanted at least one")
    return f


def _like(result: xr.DataArray, given: Any) -> Any:
    return result if isinstance(given, xr.DataArray) else result.data


def _wide(dtype: np.dtype) -> np.dtype:
    return np.dtype(complex if dtype.kind == "c" else float)


def _narrow(dtype: np.dtype) -> np.dtype:
    return dtype if dtype.kind in "fc" else np.dtype(float)
