"""What must hold of a dataset before it is written to a new or an existing ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from mksdask.ensemble.location import Location
from mksdask.ensemble.plan import plan_chunks
from mksdask.ensemble.read import assemble, source_prefix
from mksdask.ensemble.schema import SAMPLE, SPACE, gathered, schema_violations
from mksdask.errors import DataError
from mksdask.lazy import is_lazy


def prepare(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with a sample coordinate and nothing the schema refuses."""
    if isinstance(dataset, xr.Dataset):
        dataset = gathered(dataset)
    violations = schema_violations(dataset)
    if violations:
        raise DataError("dataset cannot be stored: " + "; ".join(violations))
    if SAMPLE not in dataset.coords:
        dataset = dataset.assign_coords({SAMPLE: np.arange(dataset.sizes[SAMPLE])})
    coordinates = [str(c) for c in dataset.coords]
    spaced = [c for c in coordinates if " " in c]
    return dataset.reset_coords(spaced) if spaced else dataset


def _is_block(variable: xr.Variable, is_coord: bool) -> bool:
    """Whether a variable is computed block by block rather than stored at once."""
    return (
        not is_coord and SAMPLE in variable.dims and (is_lazy(variable.data) or variable.ndim > 1)
    )


def block_names(ds: xr.Dataset) -> list[str]:
    """Variables that are stored block by block."""
    names = [str(n) for n, v in ds.variables.items() if _is_block(v, n in ds.coords)]
    if not names:
        raise DataError(
            "dataset has no variable over 'sample' beyond coordinates: nothing to store"
        )
    return names


def choose_chunks(ds: xr.Dataset, chunks: Mapping[str, int] | None, memory: int) -> dict[str, int]:
    """The chunk lengths asked for, else those the data have, else the plan for the memory."""
    if chunks is not None:
        unknown = set(chunks) - set(map(str, ds.dims))
        bad = {d: n for d, n in chunks.items() if not int(n) >= 1}
        if unknown or bad:
            raise ValueError(
                f"chunks is {dict(chunks)}; wanted lengths of at least 1 for dimensions out of "
                f"{sorted(map(str, ds.dims))}"
            )
        return {d: min(int(n), ds.sizes[d]) for d, n in chunks.items()}
    candidates = [ds[n] for n in block_names(ds)]
    lazy = [v for v in candidates if is_lazy(v.data)]
    largest = max(lazy or candidates, key=lambda v: v.size)
    own = _regular_chunks(largest)
    if own is not None:
        voxels = int(np.prod([n for d, n in own.items() if d == SAMPLE or d in SPACE]))
        # 1/8 of the memory is the largest chunk that the plan would make (one whole sample).
        if 8 * voxels <= memory // 8:
            return own
    return dict(plan_chunks(largest, memory).chunks)


def _regular_chunks(array: xr.DataArray) -> dict[str, int] | None:
    """The chunk lengths of a lazy array if Zarr could store them as they are."""
    if not array.chunks:
        return None
    regular: dict[str, int] = {}
    for d, sizes in array.chunksizes.items():
        if len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0]:
            return None
        regular[str(d)] = sizes[0]
    return regular


def appended(location: Location, document: Mapping[str, Any], dataset: xr.Dataset) -> xr.Dataset:
    """The new samples, numbered on and known to fit those committed."""
    stored = assemble(location, document)
    new = prepare(_numbered_on(dataset, stored))
    check_fits(stored, new)
    _check_new_names(stored, new)
    return new


def _numbered_on(dataset: xr.Dataset, stored: xr.Dataset) -> xr.Dataset:
    if SAMPLE not in dataset.dims or SAMPLE in dataset.coords:
        return dataset
    names = stored.indexes[SAMPLE]
    if names.dtype.kind not in "iu":
        raise ValueError(
            "dataset has no 'sample' coordinate, while the stored samples have names: give each new "
            "sample a name with assign_coords(sample=[...])"
        )
    first = int(names.max()) + 1
    return dataset.assign_coords({SAMPLE: first + np.arange(dataset.sizes[SAMPLE])})


def check_source(location: Location, ds: xr.Dataset) -> None:
    """Refuse to write a store over what it is computed from."""
    prefix = source_prefix(location)
    for name, variable in ds.variables.items():
        if is_lazy(variable.data) and any(k.startswith(prefix) for k in variable.data.dask.layers):
            raise ValueError(
                f"variable {name!r} is read from {location.url}, the store to be written: choose "
                "another one and replace it afterwards"
            )


def check_fits(stored: xr.Dataset, new: xr.Dataset) -> None:
    """Same variables, types and grid; all differences are said at once."""
    found = []
    for name in sorted(set(map(str, stored.variables)) | set(map(str, new.variables))):
        if name not in new.variables:
            found.append(f"variable {name!r} is missing from the dataset")
        elif name not in stored.variables:
            found.append(f"variable {name!r} is not in the store")
        else:
            a, b = stored[name], new[name]
            if a.dims != b.dims:
                found.append(f"variable {name!r} has dims {b.dims}; stored {a.dims}")
            if a.dtype != b.dtype and not (a.dtype.kind in "UOT" and b.dtype.kind in "UOT"):
                found.append(f"variable {name!r} has dtype {b.dtype}; stored {a.dtype}")
    for d in set(stored.dims) & set(new.dims) - {SAMPLE}:
        if stored.sizes[d] != new.sizes[d]:
            found.append(f"dimension {d!r} has length {new.sizes[d]}; stored {stored.sizes[d]}")
    for key in ("voxel_size", "voxel_unit"):
        if key in stored.attrs and key in new.attrs:
            ours, theirs = np.asarray(stored.attrs[key]), np.asarray(new.attrs[key])
            if ours.shape != theirs.shape or not (ours == theirs).all():
                found.append(f"attribute {key!r} is {new.attrs[key]}; stored {stored.attrs[key]}")
    if found:
        raise DataError("dataset does not fit the store: " + "; ".join(found))


def check_count(new: xr.Dataset, wanted: int) -> None:
    """As many samples as the interrupted write had."""
    if new.sizes[SAMPLE] != wanted:
        raise DataError(
            f"dataset has {new.sizes[SAMPLE]} samples; the interrupted write had {wanted}: give the "
            "same dataset"
        )


def _check_new_names(stored: xr.Dataset, new: xr.Dataset) -> None:
    common = stored.indexes[SAMPLE].intersection(new.indexes[SAMPLE])
    if len(common):
        raise DataError(
            f"{len(common)} samples are in the store already, for example {list(common[:3])}: "
            "duplicate sample names are refused; rename or leave them out"
        )


def check_same_names(stored: xr.Dataset, new: xr.Dataset) -> None:
    """The samples of the interrupted write, in its order."""
    a, b = stored.indexes[SAMPLE], new.indexes[SAMPLE]
    if list(a) != list(b):
        raise DataError(
            "dataset has other sample names or another order than the interrupted write"
        )
