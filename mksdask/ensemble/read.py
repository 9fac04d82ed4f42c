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

from mksdask.ensemble import blocks, layout, values
from mksdask.ensemble.location import Location
from mksdask.ensemble.schema import SAMPLE, shared_attrs
from mksdask.errors import DataError, IncompleteEnsembleWarning

REMEDY = "; finish it with resume_ensemble and the same dataset, or drop it with discard_unfinished"


class StoredVariable:
    """Array-like view of one stored variable: opened where it is read, explicit when broken."""

    def __init__(
        self, location: Location, name: str, shape: tuple[int, ...], dtype: Any, store_id: str
    ):
        self.location = location
        self.name = name
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.ndim = len(shape)
        self.store_id = store_id

    def __getitem__(self, selection: Any) -> np.ndarray:
        root = layout.root_document(self.location)["attributes"][layout.OURS]
        if root["store_id"] != self.store_id:
            raise DataError(
                f"{self.location.url} has been replaced since it was opened: open it again"
            )
        return values.read_values(self.location, self.name, selection)


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
    ds, unfinished = open_unfinished(Location(store, storage_options))
    for message in unfinished:
        warnings.warn(message, IncompleteEnsembleWarning, stacklevel=2)
    return ds


def open_unfinished(location: Location) -> tuple[xr.Dataset, list[str]]:
    """What can be read of an ensemble, and in words what of it is not there (yet)."""
    document = layout.root_document(location)
    ds = assemble(location, document)
    said = []
    if location.has_incoming():
        said.append(
            f"a replacement of {location.url} {_state(location)}: shown is the ensemble before it"
        )
    unfinished = document["attributes"][layout.OURS]["unfinished"]
    if unfinished is not None:
        count = unfinished["count"]
        if unfinished["kind"] == "append":
            said.append(
                f"an append of {count} samples to {location.url} {_state(location)}: the "
                f"{unfinished['first']} samples before it are complete and shown"
            )
        elif SAMPLE not in ds.dims:
            said.append(f"{location.url} {_state(location)} before any of its {count} samples")
        else:
            names = document["attributes"][layout.OURS]["blocks"]
            missing = blocks.missing_samples(location, names)
            said.append(
                f"{location.url} is incomplete, it {_state(location)}: {int(missing.sum())} of "
                f"{len(missing)} samples are missing (numbers {blocks.ranges(missing)}) and left "
                "out here"
            )
            ds = ds.isel({SAMPLE: np.flatnonzero(~missing)})
    remedy = REMEDY if said and not location.writer() else ""
    return ds, [message + remedy for message in said]


def _state(location: Location) -> str:
    holder = location.writer()
    return f"is being written by {holder}" if holder else "was interrupted"


def assemble(location: Location, document: Mapping[str, Any]) -> xr.Dataset:
    """The committed ensemble as a Dataset, whether or not all its blocks exist."""
    attributes = dict(document["attributes"])
    ours = attributes.pop(layout.OURS)
    coordinates = str(attributes.pop("coordinates", "")).split()
    data_vars: dict[str, xr.Variable] = {}
    coords: dict[str, xr.Variable] = {}
    for name, meta in layout.stored_arrays(document).items():
        dims = tuple(meta.get("dimension_names") or ())
        shape = tuple(meta["shape"])
        data: Any
        if name in ours["blocks"]:
            data = _lazy(location, name, shape, ours)
        else:
            # The array may already be longer than what is committed.
            data = values.read_values(location, name, tuple(slice(0, n) for n in shape))
        shared = {k: attributes[k] for k in shared_attrs(name, dims) if k in attributes}
        kind = coords if name in coordinates or dims == (name,) else data_vars
        kind[name] = xr.Variable(dims, data, attrs={**shared, **meta.get("attributes", {})})
    ds = xr.Dataset(data_vars, coords, attributes)
    ds.encoding["source"] = location.url
    return ds


def _lazy(
    location: Location, name: str, shape: tuple[int, ...], ours: Mapping[str, Any]
) -> da.Array:
    array = values.open_array(location, name)
    dtype = np.dtype(str) if array.dtype.kind in "OT" else array.dtype
    return da.from_array(
        StoredVariable(location, name, shape, dtype, ours["store_id"]),
        chunks=layout.write_unit(array),
        name=f"ensemble-{name}-{tokenize(location, ours['commit'], name)}",
        inline_array=True,
        meta=np.empty((0,) * len(shape), dtype=dtype),
    )
