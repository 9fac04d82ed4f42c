"""From microstructures to what a property is regressed on: statistics, scores, further features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr

from mksdask.lazy import ArrayLike, is_lazy, lift
from mksdask.linkage.properties import n_samples
from mksdask.reduction import IncrementalPCA

#: Statistics of all samples that take no more bytes are kept in memory while a model is fitted;
#: larger ones are computed a second time, when their components are known.
HELD_BYTES = 2**28
#: Bytes of microstructures in double precision that make up a chunk of plain arrays.
CHUNK_BYTES = 2**25


def chunked(X: ArrayLike) -> ArrayLike:
    """The samples in chunks, so that their statistics never exist all at once."""
    if is_lazy(X):
        return X
    if not isinstance(X, xr.DataArray):
        X = np.asarray(X)
    rows = max(1, CHUNK_BYTES // max(8 * int(np.prod(X.shape)) // max(n_samples(X), 1), 1))
    if isinstance(X, xr.DataArray):
        return X.chunk({d: rows if d == "sample" else -1 for d in X.dims})
    return da.from_array(X, chunks=(rows, *X.shape[1:]), name=False)


def statistics_features(statistics: Any, X: ArrayLike) -> da.Array:
    """Real features (sample, feature) of a fitted statistics transformer, lazily.

    Complex ones count as real and imaginary parts, one after the other.
    """
    features = statistics.transform(X)
    data = features.data if isinstance(features, xr.DataArray) else features
    if np.dtype(data.dtype).kind != "c":
        return data
    return lift(
        _real_and_imaginary,
        data,
        dims=[("sample", "part")],
        out_dims=("sample", "feature"),
        sizes={"feature": 2 * data.shape[1]},
        dtype=data.real.dtype,
    )


def held(features: da.Array) -> da.Array:
    """The features in memory (of the cluster, if there is one) unless they are too large."""
    return dask.persist(features)[0] if features.nbytes <= HELD_BYTES else features


def fit_reducer(reducer: Any, features: da.Array) -> Any:
    """Fit any reducer: ours and dask-ml's read chunks, others get all features if these fit."""
    if isinstance(reducer, IncrementalPCA) or type(reducer).__module__.startswith("dask_ml"):
        return reducer.fit(features)
    if features.nbytes > HELD_BYTES:
        raise ValueError(
            f"reducer is a {type(reducer).__name__}, which takes all features at once, "
            f"{features.nbytes / 2**30:.2g} GiB here (at most {HELD_BYTES / 2**30:.2g}): take "
            "IncrementalPCA, which reads chunk by chunk, or a smaller cutoff"
        )
    return reducer.fit(features.compute())


def scores(reducer: Any, features: ArrayLike) -> ArrayLike:
    """Scores (sample, component) of a fitted reducer, lazily."""
    if isinstance(reducer, IncrementalPCA):
        return reducer.transform(features)
    n = reducer.transform(np.zeros((1, features.shape[1]), features.dtype)).shape[1]
    return lift(
        _reduced,
        features,
        dims=[("sample", "feature")],
        out_dims=("sample", "component"),
        sizes={"component": n},
        dtype=np.float64,
        name="scores",
        kwargs={"reducer": reducer},
    )


def further_features(feature_sets: Sequence[Any], X: ArrayLike) -> list[ArrayLike]:
    """What each feature set gives, (sample, feature), lazily and without labels."""
    found = []
    for feature_set in feature_sets:
        values = feature_set.transform(X)
        if isinstance(values, xr.DataArray):
            values = values.transpose("sample", ...).data
        if values.ndim != 2:
            raise ValueError(
                f"{feature_set!r} gives shape {values.shape}; wanted (sample, feature)"
            )
        found.append(values)
    return found


def references_of(target: Any, X: ArrayLike) -> ArrayLike | None:
    """What a target transform must know of each sample, (sample, reference), or None."""
    values = None if target is None else target.references(X)
    return values.transpose("sample", ...).data if isinstance(values, xr.DataArray) else values


def _real_and_imaginary(block: np.ndarray) -> np.ndarray:
    return np.concatenate([block.real, block.imag], axis=1)


def _reduced(block: np.ndarray, reducer: Any) -> np.ndarray:
    return np.asarray(reducer.transform(block), float)
