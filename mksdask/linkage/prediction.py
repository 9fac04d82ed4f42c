"""Kernels of prediction: from the descriptors of a block of samples to their properties."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import scipy.stats
import xarray as xr

from mksdask.errors import ExtrapolationWarning
from mksdask.lazy import ArrayLike
from mksdask.linkage.cloud import Cloud
from mksdask.linkage.properties import listed


@dataclass(frozen=True)
class Regression:
    """What maps descriptors to properties: the fitted regressor and the transform of targets."""

    regressor: Any
    target: Any
    shape: tuple[int, ...]

    def values(self, z: np.ndarray, references: np.ndarray | None) -> np.ndarray:
        """Properties (sample, target) from descriptors (sample, descriptor)."""
        return self._back(self.regressor.predict(z), references)

    def interval(self, z: np.ndarray, references: np.ndarray | None, coverage: float) -> np.ndarray:
        """Lower and upper ends, (sample, target, 2).

        The ends are mapped by the inverse of the transform of targets, which keeps probabilities
        since it is monotonic.
        """
        if hasattr(self.regressor, "predict_interval"):
            ends = self.regressor.predict_interval(z, coverage)
        else:
            mean, deviation = self.regressor.predict(z, return_std=True)
            half = scipy.stats.norm.ppf(0.5 + coverage / 2) * deviation
            ends = mean - half, mean + half
        return np.sort(np.stack([self._back(end, references) for end in ends], axis=-1), axis=-1)

    def check_interval(self) -> None:
        """Say so if the regressor does not know its errors."""
        steps = getattr(self.regressor, "steps", None)
        last = steps[-1][1] if steps else self.regressor
        known = hasattr(self.regressor, "predict_interval") or (
            "return_std" in inspect.signature(last.predict).parameters
        )
        if not known:
            raise TypeError(
                f"regressor is a {type(last).__name__}, which does not know its errors: take the "
                "default one, or one whose predict takes return_std, such as "
                "GaussianProcessRegressor"
            )

    def _back(self, predicted: Any, references: np.ndarray | None) -> np.ndarray:
        values = np.asarray(predicted, float).reshape(len(predicted), -1)
        if self.target is None:
            return values
        return np.asarray(self.target.inverse_transform(values, references), float)


def predict_block(
    names: np.ndarray,
    *blocks: np.ndarray,
    regression: Regression,
    cloud: Cloud,
    n_descriptors: int,
    coverage: float | None,
    warn: bool,
    dtype: Any,
) -> np.ndarray:
    """Kernel: descriptors (and references behind them) to properties of shape (sample, ...)."""
    z = side_by_side(*blocks[:n_descriptors])
    references = None
    if len(blocks) > n_descriptors:
        references = np.asarray(blocks[n_descriptors], float)
    if warn:
        warn_outside(names, cloud.distances(z))
    if coverage is None:
        values = regression.values(z, references).reshape(len(z), *regression.shape)
    else:
        values = regression.interval(z, references, coverage)
        values = values.reshape(len(z), *regression.shape, 2)
    return values.astype(dtype, copy=False)


def distances_of_block(*blocks: np.ndarray, cloud: Cloud) -> np.ndarray:
    """Kernel: descriptors to distances from the cloud."""
    return cloud.distances(side_by_side(*blocks))


def side_by_side(*blocks: np.ndarray) -> np.ndarray:
    """Kernel: descriptors of all kinds in one array (sample, descriptor)."""
    return np.concatenate([np.asarray(b, float) for b in blocks], axis=1)


def warn_outside(names: np.ndarray, distances: np.ndarray) -> None:
    """Warn once of all samples outside the cloud."""
    outside = names[distances > 1]
    if len(outside):
        warnings.warn(
            f"{len(outside)} of {len(names)} samples lie outside the training samples, up to "
            f"{distances.max():.2g} times as far from their mean as the farthest of these: "
            f"{listed(outside)}; their properties are extrapolated (extrapolation() gives the "
            "distances)",
            ExtrapolationWarning,
            stacklevel=2,
        )


def beside(names: np.ndarray, array: ArrayLike) -> da.Array:
    """Names of the samples, in chunks like those of an array of them."""
    return da.from_array(names, chunks=(array.chunks[0],))


def labelled(
    X: ArrayLike,
    values: ArrayLike,
    dims: Sequence[str],
    coords: Mapping[str, Any],
    name: str | None,
    attrs: Mapping[str, Any] | None = None,
) -> ArrayLike:
    """Values as the kind of array that ``X`` is, with the labels of its samples."""
    if not isinstance(X, xr.DataArray):
        return values
    of_samples = {k: c for k, c in X.coords.items() if c.dims == ("sample",)}
    return xr.DataArray(
        values, dims=dims, coords={**of_samples, **coords}, name=name, attrs=dict(attrs or {})
    )
