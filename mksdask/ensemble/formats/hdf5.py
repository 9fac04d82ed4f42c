"""HDF5 datasets by path. Axis 0 is x."""

from __future__ import annotations

from typing import Any

import numpy as np

from mksdask import progress
from mksdask.ensemble.formats.protocol import Exported, Info, Options, Region
from mksdask.errors import missing_extra


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

    with h5py().File(path, "w") as file:
        sources, targets = [], []
        for name, data in exported.fields.items():
            lazy = da.asarray(data.data)
            target = file.create_dataset(
                name, data.shape, data.dtype, chunks=_chunks(lazy), compression="lzf", shuffle=True
            )
            target.attrs["dims"] = [str(d) for d in data.dims]
            sources.append(lazy)
            targets.append(target)
        for key, value in exported.attrs.items():
            file.attrs[key] = value
        if exported.spacing is not None:
            file.attrs["voxel_size"] = exported.spacing
        if exported.unit:
            file.attrs["voxel_unit"] = exported.unit
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


def _chunks(lazy: Any) -> tuple[int, ...] | None:
    # HDF5 reads a chunk whole, so those of the graph are cut down to about a megabyte.
    if not lazy.ndim or not lazy.size:
        return None
    chunks = list(lazy.chunksize)
    while np.prod(chunks, dtype=float) * lazy.dtype.itemsize > 1 << 20:
        axis = int(np.argmax(chunks))
        chunks[axis] = -(-chunks[axis] // 2)
    return tuple(chunks)
