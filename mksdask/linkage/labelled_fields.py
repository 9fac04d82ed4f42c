"""Predicted fields with the names of the response they stand for, and their score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from mksdask import metrics
from mksdask.lazy import ArrayLike
from mksdask.linkage.fields_request import Response
from mksdask.progress import compute
from mksdask.statistics.request import Layout


def named(
    found: xr.DataArray, response: Response, picked: Sequence[int] | None = None
) -> xr.DataArray:
    """With labels on the components (those ``picked``), or without that dimension."""
    if response.component is None:
        return found.isel(component=0)
    if response.coords is None:
        return found
    labels = [response.coords[i] for i in picked or range(response.n_components)]
    return found.assign_coords({response.component: labels})


def labelled(
    found: ArrayLike, response: Response, layout: Layout, picked: Sequence[int] | None = None
) -> ArrayLike:
    """A prediction (sample, *space, component) as the response was given in calibration."""
    if not isinstance(found, xr.DataArray):
        return found if response.component else found[..., 0]
    found = named(found, response, picked)
    if not layout.has_sample:
        found = found.isel(sample=0)
    return found.assign_attrs(response.attrs).rename(response.name)


def with_lags(
    taps: np.ndarray, response: Response, space: Sequence[str], first: str, labels: Any
) -> xr.DataArray:
    """Real-space kernels (first, component, *support) with their lags, zero in the middle."""
    lags = {f"lag_{d}": np.arange(n) - n // 2 for d, n in zip(space, taps.shape[2:], strict=True)}
    component = response.component or "component"
    return xr.DataArray(
        taps, dims=(first, component, *lags), coords={first: labels, **lags}, name="kernel"
    )


def as_field(values: ArrayLike, response: Response, space: Sequence[str]) -> xr.DataArray:
    """Plain or labelled fields, of samples or of one, as (sample, *space[, component])."""
    dims = ["sample", *space, *([response.component] if response.component else [])]
    if not hasattr(values, "ndim"):
        values = np.asarray(values)
    if not isinstance(values, xr.DataArray):
        if values.ndim not in (len(dims) - 1, len(dims)):
            raise ValueError(f"y has shape {values.shape}; wanted axes {tuple(dims)}")
        values = xr.DataArray(values, dims=dims[len(dims) - values.ndim :])
    return values if "sample" in values.dims else values.expand_dims("sample")


def score(
    simulated: ArrayLike, predicted: ArrayLike, response: Response, space: Sequence[str]
) -> float:
    """R^2 over all voxels, samples and components, of labelled and plain arrays; computes now."""
    s, p = (as_field(a, response, space) for a in (simulated, predicted))
    (found,) = compute(metrics.r2(s, p), label="score")
    return float(found)
