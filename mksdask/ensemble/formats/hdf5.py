"""HDF5 datasets by path. Axis 0 is x."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mksdask import progress
from mksdask.ensemble.formats.protocol import Exported, Info, Options, Region
from mksdask.errors import missing_extra

_LONG_ATTRIBUTE = 60_000


def probe(path: str, options: Options) -> Info:
    """Shape and type of the dataset."""
    with h5py().File(path, "r") as file:
        dataset = find_dataset(file, options)
        return Info(dataset.shape, dataset.dtype, sliceable=dataset.ndim)


def read(path: str, options: Options, region: Region = None) -> np.ndarray:
    """The values."""
    with h5py().File(path, "r") as file:
        return find_dataset(file, options)[() if region is None else region]


def write(path: str, exported: Exported) -> None:
    """Write variables as datasets of the root, chunk by chunk, so they may be larger than memory."""
    import dask.array as da

    attrs = dict(exported.attrs)
    if exported.spacing is not None:
        attrs["voxel_size"] = exported.spacing
    if exported.unit:
        attrs["voxel_unit"] = exported.unit
    # The older layout, which every program reads, holds attributes of up to 64 KiB.
    long = any(isinstance(v, str) and len(v.encode()) > _LONG_ATTRIBUTE for v in attrs.values())
    with h5py().File(path, "w", libver=("v110", "v110") if long else None) as file:
        file.attrs.update(attrs)
        sources, targets = [], []
        for name, data in {**exported.fields, **_sample_names(exported)}.items():
            if data.dtype.kind in "UOT":
                values = data.values.astype(object)
                target = file.create_dataset(name, data=values, dtype=h5py().string_dtype())
            else:
                lazy = da.asarray(data.data)
                target = file.create_dataset(
                    name, data.shape, data.dtype, chunks=_chunks(lazy), **_filters(lazy)
                )
                sources.append(lazy)
                targets.append(target)
            target.attrs["dims"] = [str(d) for d in data.dims]
        if sources:
            progress.compute(da.store(sources, targets, lock=True, compute=False), label="export")


def find_dataset(file: Any, options: Options) -> Any:
    """The dataset asked for, the only one, or the one named as the variable."""
    import h5py as library

    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if hasattr(item, "shape") else None)
    wanted = options.dataset or (found[0] if len(found) == 1 else options.variable) or ""
    dataset = file.get(wanted)
    if not isinstance(dataset, library.Dataset):
        listed = ", ".join("/" + n for n in found[:8])
        raise ValueError(f"has no dataset {wanted!r}; it has {listed}: choose one with dataset=")
    return dataset


def h5py() -> Any:
    """The library, or the sentence that says how to get it."""
    try:
        import h5py as library
    except ImportError:
        raise missing_extra("h5py", "formats", "reading and writing HDF5") from None
    return library


def _sample_names(exported: Exported) -> dict[str, xr.DataArray]:
    for data in exported.fields.values():
        if "sample" in data.dims and "sample" in data.coords:
            return {"sample": data["sample"]}
    return {}


def _filters(lazy: Any) -> dict[str, Any]:
    return {"compression": "lzf", "shuffle": True} if lazy.ndim and lazy.size else {}


def _chunks(lazy: Any) -> tuple[int, ...] | None:
    # HDF5 reads a chunk whole, so those of the graph are cut down to about a megabyte.
    if not lazy.ndim or not lazy.size:
        return None
    chunks = list(lazy.chunksize)
    while np.prod(chunks, dtype=float) * lazy.dtype.itemsize > 1 << 20:
        axis = int(np.argmax(chunks))
        chunks[axis] = -(-chunks[axis] // 2)
    return tuple(chunks)
