"""What the features of a sample are: their dimensions, shape and labels, to which to come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mksdask.lazy import ArrayLike
from mksdask.reduction.summary import PIECE_BYTES

# Attributes that say how features came about: features that differ in one are not the same.
_DEFINING = ("basis", "boundary", "voxel_size", "voxel_unit")


@dataclass(frozen=True)
class Features:
    """Dimensions (None for plain arrays), shape and labels of the features of one sample."""

    dims: tuple[str, ...] | None
    shape: tuple[int, ...]
    coords: Mapping[str, tuple[tuple[str, ...], np.ndarray]] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of features."""
        return int(np.prod(self.shape))

    @property
    def axes(self) -> tuple[str, ...]:
        """A name for each axis, made up where there is none."""
        return self.dims or tuple(f"feature_{i}" for i in range(len(self.shape)))

    def labelled(self, values: ArrayLike, first: str, **coords: Any) -> xr.DataArray:
        """``values`` of shape (first, *shape) with the names and coordinates of the features."""
        return xr.DataArray(
            values, dims=(first, *self.axes), coords={**self.coords, **coords}, attrs=self.attrs
        )

    def check_same(self, other: Features, what: str) -> None:
        """Say in which way the features of ``what`` are not these."""
        labelled = self.dims is not None and other.dims is not None
        if self.shape != other.shape or (labelled and self.dims != other.dims):
            raise ValueError(
                f"{what} has features of shape {other.shape} {other.dims or ''}; wanted "
                f"{self.shape} {self.dims or ''} as in fit: use the same grid, pairs and cutoff"
            )
        for name in (n for n in self.coords if n in other.coords):
            if not np.array_equal(self.coords[name][1], other.coords[name][1]):
                raise ValueError(
                    f"{what} has other {name!r} coordinates than the data of fit: select the same "
                    "features in the same order"
                )
        for name in _DEFINING:
            mine, theirs = (plain(f.attrs.get(name)) for f in (self, other))
            if mine is not None and theirs is not None and mine != theirs:
                raise ValueError(
                    f"{what} has {name} {theirs}; wanted {mine} as in fit: compute these features "
                    "the same way"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain lists and text."""
        coords = {
            name: {"dims": list(dims), "values": values.tolist(), "dtype": str(values.dtype)}
            for name, (dims, values) in self.coords.items()
            if values.dtype.kind in "iubfU"
        }
        attrs = {k: v for k, v in self.attrs.items() if _is_plain(v)}
        dims = None if self.dims is None else list(self.dims)
        return {"dims": dims, "shape": list(self.shape), "coords": coords, "attrs": attrs}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Features:
        """The features that were written."""
        coords = {
            name: (tuple(c["dims"]), np.array(c["values"], dtype=c["dtype"]))
            for name, c in found["coords"].items()
        }
        dims = None if found["dims"] is None else tuple(found["dims"])
        return cls(dims, tuple(found["shape"]), coords, found["attrs"])


def read_features(X: Any, like: Features | None = None) -> tuple[ArrayLike, Features]:
    """The samples as a NumPy or Dask array, samples first and features unsplit; and the features.

    With ``like``, the dimensions are brought into the order of those.
    """
    if not isinstance(X, (xr.DataArray, da.Array, np.ndarray)):
        X = np.asarray(X)
    if np.dtype(X.dtype).kind not in "iubfc":
        raise TypeError(f"X has dtype {X.dtype}; wanted numbers")
    if isinstance(X, xr.DataArray):
        names = tuple(str(d) for d in X.dims)
        if "sample" not in names or len(names) < 2:
            raise ValueError(f"X has dims {names}; wanted 'sample' and those of the features")
        dims = tuple(d for d in names if d != "sample")
        if like is not None and like.dims is not None and set(like.dims) == set(dims):
            dims = like.dims
        X = X.transpose("sample", *dims)
        coords = {
            str(k): (tuple(map(str, c.dims)), c.values)
            for k, c in X.coords.items()
            if c.dims and "sample" not in c.dims
        }
        data = X.data if isinstance(X.data, da.Array) else np.asarray(X.data)
        features = Features(dims, X.shape[1:], coords, {k: plain(v) for k, v in X.attrs.items()})
    else:
        if X.ndim < 2:
            raise ValueError(f"X has shape {X.shape}; wanted (sample, feature), samples first")
        data, features = X, Features(None, X.shape[1:])
    if any(np.isnan(n) for n in data.shape):
        raise ValueError(
            f"X has chunks of unknown length, shape {data.shape}: call .compute_chunk_sizes() first"
        )
    if features.size == 0 or len(data) == 0:
        raise ValueError(f"X has shape {data.shape}; wanted at least one sample and one feature")
    return _unsplit(data), features


def plain(value: Any) -> Any:
    """An attribute in types that JSON has, so that stored and fresh ones compare."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(v) for v in value)
    return value is None or isinstance(value, (str, int, float, bool))


def _unsplit(data: ArrayLike) -> ArrayLike:
    """One chunk of features; of samples so many as fit a piece, if features were split."""
    if not isinstance(data, da.Array) or all(n == 1 for n in data.numblocks[1:]):
        return data
    row = int(np.prod(data.shape[1:])) * data.dtype.itemsize
    rows = min(max(data.chunks[0]), max(1, PIECE_BYTES // row))
    return data.rechunk({0: rows, **dict.fromkeys(range(1, data.ndim), -1)})
