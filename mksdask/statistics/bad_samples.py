"""Find the samples of an ensemble whose values a basis cannot take."""

from __future__ import annotations

import dask.array as da
import numpy as np
import xarray as xr

from mksdask.bases import Basis
from mksdask.errors import DataError
from mksdask.lazy import lift
from mksdask.progress import compute


def naming_bad(data: xr.DataArray, basis: Basis) -> xr.DataArray:
    """``data``, lazily, where a value that the basis refuses is an error that names its sample."""
    dims = tuple(map(str, data.dims))
    return lift(
        _named, data, _names(data), dims=[dims, ("sample",)], out_dims=dims, dtype=data.dtype,
        coords={str(k): v for k, v in data.coords.items()}, attrs=data.attrs,
        name=str(data.name), kwargs={"basis": basis},
    )  # fmt: skip


def bad_samples(data: xr.DataArray, basis: Basis, progress: bool | None = None) -> dict[str, str]:
    """Names of the samples that the basis refuses, and why; every sample is read once.

    >>> from mksdask.bases import PrimitiveBasis
    >>> labels = xr.DataArray([[0, 1], [0, 7]], dims=("sample", "x"), coords={"sample": ["a", "b"]})
    >>> list(bad_samples(labels, PrimitiveBasis(2)))
    ['b']
    """
    dims = tuple(map(str, data.dims))
    lazy = data.chunk({d: -1 for d in dims if d != "sample"})
    reasons = lift(
        _reasons, lazy, dims=[dims], out_dims=("sample",), dtype=object, kwargs={"basis": basis}
    )
    (found,) = compute(reasons, label="looking for bad samples", progress=progress)
    told = zip(data.indexes["sample"], found.values, strict=True)
    return {str(name): reason for name, reason in told if reason}


def _names(data: xr.DataArray) -> xr.DataArray:
    names = np.asarray(data.indexes["sample"])
    rows = data.chunksizes.get("sample", (len(names),))
    return xr.DataArray(da.from_array(names, chunks=(rows,)), dims="sample")


def _named(block: np.ndarray, names: np.ndarray, *, basis: Basis) -> np.ndarray:
    try:
        basis.check(block)
    except DataError as error:
        bad = [n for n, why in zip(names, _reasons(block, basis=basis), strict=True) if why]
        listed = ", ".join(map(str, bad[:8])) + ", ..." * (len(bad) > 8)
        raise DataError(f"sample {listed}: {error}") from None
    return block


def _reasons(block: np.ndarray, *, basis: Basis) -> np.ndarray:
    found = np.full(len(block), "", dtype=object)
    for i, sample in enumerate(block):
        try:
            basis.check(sample)
        except DataError as error:
            found[i] = str(error)
    return found
