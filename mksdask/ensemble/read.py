"""Open a stored ensemble as a lazy Dataset."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from mksdask.ensemble import blocks, layout
from mksdask.ensemble.location import Location
from mksdask.ensemble.schema import SAMPLE, shared_attrs
from mksdask.errors import IncompleteEnsembleWarning


class StoredVariable:
    """Array-like view of one stored variable: opened where it is read, explicit when broken."""

    def __init__(self, location: Location, name: str, shape: tuple[int, ...], dtype: Any):
        self.location = location
        self.name = name
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.ndim = len(shape)

    def __getitem__(self, selection: Any) -> np.ndarray:
        return layout.read_values(self.location, self.name, selection)


def open_ensemble(
    store: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """Open an ensemble; nothing but coordinates is read.

    Variables come as Dask arrays with one chunk for each stored shard or chunk. A store whose
    writing was interrupted opens with the samples that are complete, and an
    :class:`~mksdask.errors.IncompleteEnsembleWarning` that names the missing ones.

    Parameters
    ----------
    store
        Path or fsspec URL.
    storage_options
        Passed to fsspec (credentials and the like).

    Examples
    --------
    >>> import mksdask as mks, numpy as np, xarray as xr
    >>> labels = xr.DataArray(np.zeros((3, 4, 4), "uint8"), dims=("sample", "x", "y"))
    >>> _ = mks.create_ensemble("memory://open.zarr", labels.to_dataset(name="phase"))
    >>> ds = mks.open_ensemble("memory://open.zarr")
    >>> ds.phase.shape, ds.phase.chunks is not None
    ((3, 4, 4), True)
    """
    location = Location(store, storage_options)
    document = layout.root_document(location)
    ds = assemble(location, document)
    unfinished = document["attributes"][layout.OURS]["unfinished"]
    if unfinished is None:
        return ds
    if unfinished["kind"] == "append":
        _warn(
            f"an append of {unfinished['count']} samples to {location.url} was interrupted: the "
            f"{unfinished['first']} samples before it are complete and shown; finish it with "
            "resume_ensemble and the same samples, or drop it with discard_unfinished"
        )
        return ds
    previous = unfinished.get("previous")
    kept = f" (what it replaces is kept in {previous} until then)" if previous else ""
    if SAMPLE not in ds.dims:
        _warn(
            f"{location.url} was interrupted before any of its {unfinished['count']} samples was "
            f"written; finish it with resume_ensemble and the same dataset{kept}"
        )
        return ds
    missing = blocks.missing_samples(location, document["attributes"][layout.OURS]["blocks"])
    _warn(
        f"{location.url} is incomplete: {int(missing.sum())} of {len(missing)} samples are missing "
        f"(numbers {blocks.ranges(missing)}) and left out here; finish it with resume_ensemble and "
        f"the same dataset{kept}"
    )
    return ds.isel({SAMPLE: np.flatnonzero(~missing)})


def source_prefix(location: Location) -> str:
    """What the Dask names of arrays read from this place start with."""
    return f"ensemble-{tokenize(location)[:12]}-"


def assemble(location: Location, document: Mapping[str, Any]) -> xr.Dataset:
    """The committed ensemble as a Dataset, whether or not all its blocks exist."""
    attributes = dict(document["attributes"])
    ours = attributes.pop(layout.OURS)
    coordinates = str(attributes.pop("coordinates", "")).split()
    data_vars: dict[str, xr.Variable] = {}
    coords: dict[str, xr.Variable] = {}
    for name, meta in layout.stored_arrays(document).items():
        dims = tuple(meta["dimension_names"] or ())
        shape = tuple(meta["shape"])
        data: Any
        if name in ours["blocks"]:
            data = _lazy(location, name, shape, ours["commit"])
        else:
            # The array may already be longer than what is committed.
            data = layout.read_values(location, name, tuple(slice(0, n) for n in shape))
        kind = coords if name in coordinates or dims == (name,) else data_vars
        shared = {k: attributes[k] for k in shared_attrs(name, dims) if k in attributes}
        kind[name] = xr.Variable(dims, data, attrs={**shared, **meta.get("attributes", {})})
    ds = xr.Dataset(data_vars, coords, attributes)
    ds.encoding["source"] = location.url
    return ds


def _lazy(location: Location, name: str, shape: tuple[int, ...], commit: str) -> da.Array:
    array = location.array(name)
    stored = StoredVariable(location, name, shape, array.dtype)
    return da.from_array(
        stored,
        chunks=layout.write_unit(array),
        name=f"{source_prefix(location)}{name}-{tokenize(commit, name)}",
        inline_array=True,
        meta=np.empty((0,) * len(shape), dtype=array.dtype),
    )


def _warn(message: str) -> None:
    warnings.warn(message, IncompleteEnsembleWarning, stacklevel=3)
