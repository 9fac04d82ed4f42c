"""The properties to learn: brought into the order of the samples, flattened, and labelled again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mksdask.errors import DataError
from mksdask.lazy import ArrayLike
from mksdask.progress import compute
from mksdask.reduction.features import plain

SPACE = ("x", "y", "z")
#: How many samples are named in a message.
NAMED = 10


@dataclass(frozen=True)
class Properties:
    """Dimensions, shape and labels of the properties of one sample; () for a single number."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    coords: Mapping[str, tuple[tuple[str, ...], np.ndarray]] = field(default_factory=dict)
    name: str | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of targets."""
        return int(np.prod(self.shape))

    def check_same(self, other: Properties) -> None:
        """Say in which way other properties are not those of ``fit``."""
        if self.shape != other.shape:
            raise ValueError(
                f"y has shape (sample, {', '.join(map(str, other.shape))}); wanted (sample, "
                f"{', '.join(map(str, self.shape))}) as in fit"
            )
        for name in (n for n in self.coords if n in other.coords):
            if not np.array_equal(self.coords[name][1], other.coords[name][1]):
                raise ValueError(
                    f"y has {name!r} {other.coords[name][1].tolist()}; wanted "
                    f"{self.coords[name][1].tolist()} as in fit: select the same in the same order"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain lists and text."""
        coords = {k: [list(d), v.tolist()] for k, (d, v) in self.coords.items()}
        attrs = {k: v for k, v in self.attrs.items() if isinstance(v, (str, int, float, list))}
        found = {"dims": list(self.dims), "shape": list(self.shape), "coords": coords}
        return {**found, "name": self.name, "attrs": attrs}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Properties:
        """The properties that were written."""
        coords = {k: (tuple(d), np.array(v)) for k, (d, v) in found["coords"].items()}
        return cls(
            tuple(found["dims"]), tuple(found["shape"]), coords, found["name"], found["attrs"]
        )


def read_properties(
    y: Any, X: ArrayLike, like: Properties | None = None
) -> tuple[np.ndarray, Properties]:
    """Targets of shape (sample, target) in the order of the samples of ``X``; computes ``y``.

    Properties of several numbers a sample, (sample, ...), become one target an entry, in the order
    of C; DataArrays are brought into the order (sample, ...), that of ``like`` if given.
    """
    if isinstance(y, xr.Dataset):
        raise TypeError(
            f"y is a Dataset with {sorted(map(str, y.data_vars))}; wanted one array: select a "
            'variable, or put several together with ds[[...]].to_array("property")'
        )
    if not isinstance(y, (xr.DataArray, da.Array, np.ndarray)):
        y = np.asarray(y)
    if np.dtype(y.dtype).kind not in "iubf":
        raise TypeError(f"y has dtype {y.dtype}; wanted real numbers, one property or several")
    n = n_samples(X)
    if isinstance(y, xr.DataArray):
        y, properties = _read_labelled(y, X, like)
    else:
        if y.ndim == 0:
            raise ValueError("y is a single number; wanted (sample,) or (sample, ...)")
        space = X.shape[1:]
        if y.ndim > 1 and y.shape[1:] == space:
            raise ValueError(
                f"y has shape {y.shape}, that of the microstructures: a field, not a property; "
                "average it over each sample, or give a DataArray that names its dimensions"
            )
        dims = tuple("target" if i == 0 else f"target_{i + 1}" for i in range(y.ndim - 1))
        properties = Properties(dims, tuple(y.shape[1:]))
    if len(y) != n:
        raise ValueError(
            f"y has {len(y)} samples and the microstructures are {n}: give one property a sample"
        )
    if like is not None:
        like.check_same(properties)
    (values,) = compute(y.data if isinstance(y, xr.DataArray) else y, label="properties")
    return np.asarray(values, float).reshape(n, properties.size), properties


def missing_samples(targets: np.ndarray, X: ArrayLike, on_missing: str) -> np.ndarray:
    """Which samples lack a property; says their names unless they may be dropped."""
    if on_missing not in ("raise", "drop"):
        raise ValueError(f"on_missing is {on_missing!r}; wanted 'raise' or 'drop'")
    missing = ~np.isfinite(targets).all(axis=1)
    if not missing.any():
        return missing
    names = sample_names(X)[missing]
    if on_missing == "raise":
        raise DataError(
            f"y is NaN or infinite for {missing.sum()} of {len(missing)} samples: {listed(names)}: "
            "leave them out, or say on_missing='drop'"
        )
    if missing.all():
        raise DataError(f"y is NaN or infinite for all {len(missing)} samples")
    return missing


def sample_names(X: ArrayLike) -> np.ndarray:
    """Labels of the samples, or their numbers where they have none."""
    if isinstance(X, xr.DataArray) and "sample" in X.coords:
        return X["sample"].values
    return np.arange(n_samples(X))


def as_samples(X: Any) -> ArrayLike:
    """What is no array yet, such as a list, as one."""
    return X if hasattr(X, "ndim") else np.asarray(X)


def n_samples(X: ArrayLike) -> int:
    """Number of samples of an array, labelled or not."""
    return int(X.sizes["sample"] if isinstance(X, xr.DataArray) else X.shape[0])


def listed(names: Any) -> str:
    """The first few names and how many more there are.

    >>> listed(["a", "b"]), listed(range(12))
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more')
    """
    shown = ", ".join(str(name) for name in list(names)[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _read_labelled(
    y: xr.DataArray, X: ArrayLike, like: Properties | None
) -> tuple[xr.DataArray, Properties]:
    if "sample" not in y.dims:
        raise ValueError(f"y has dims {y.dims}; wanted 'sample', alone or with others")
    field_dims = [d for d in y.dims if d in SPACE]
    if field_dims:
        raise ValueError(
            f"y has dims {y.dims}: a field over {field_dims}, not a property; average it over each "
            f"sample with .mean({field_dims})"
        )
    reorder = like is not None and set(like.dims) == set(y.dims) - {"sample"}
    y = y.transpose("sample", *(like.dims if like is not None and reorder else (...,)))
    if isinstance(X, xr.DataArray) and "sample" in X.indexes and "sample" in y.indexes:
        y = _in_order_of(y, X)
    dims = tuple(str(d) for d in y.dims[1:])
    coords = {
        str(k): (tuple(map(str, c.dims)), c.values)
        for k, c in y.coords.items()
        if c.dims and "sample" not in c.dims and c.values.dtype.kind in "iubfU"
    }
    name = None if y.name is None else str(y.name)
    attrs = {str(k): plain(v) for k, v in y.attrs.items()}
    return y, Properties(dims, tuple(y.shape[1:]), coords, name, attrs)


def _in_order_of(y: xr.DataArray, X: xr.DataArray) -> xr.DataArray:
    mine, wanted = y.indexes["sample"], X.indexes["sample"]
    if mine.equals(wanted):
        return y
    for what, labels in (("y", mine), ("the microstructures", wanted)):
        if labels.has_duplicates:
            twice = labels[labels.duplicated()].unique()
            raise ValueError(
                f"{what} have samples of the same label ({listed(twice)}), so properties cannot be "
                "told apart: give every sample a label of its own"
            )
    absent = wanted.difference(mine, sort=False)
    if len(absent):
        raise ValueError(
            f"y has no value for {len(absent)} of {len(wanted)} samples: {listed(absent)}: select "
            "the samples that both have, for example with xarray.align(..., join='inner')"
        )
    return y.sel(sample=wanted)
