"""What must hold of a dataset before it is written to a new or an existing ensemble."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from mksdask.ensemble.location import Location
from mksdask.ensemble.plan import SAMPLES_IN_MEMORY, plan_chunks
from mksdask.ensemble.read import assemble
from mksdask.ensemble.schema import (
    GRID_ATTRS,
    SAMPLE,
    gathered,
    plain_attrs,
    schema_violations,
)
from mksdask.errors import DataError
from mksdask.lazy import is_lazy


def prepare(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with a sample coordinate and nothing the schema refuses.

    What is not stored block by block (coordinates, variables without ``sample``) is computed here:
    it is small and describes the whole ensemble.
    """
    if isinstance(dataset, xr.Dataset):
        dataset = gathered(dataset)
    violations = schema_violations(dataset)
    if violations:
        raise DataError("dataset cannot be stored: " + "; ".join(violations))
    if SAMPLE not in dataset.coords:
        dataset = dataset.assign_coords({SAMPLE: np.arange(dataset.sizes[SAMPLE])})
    # The store lists coordinates separated by blanks.
    spaced = [str(c) for c in dataset.coords if " " in str(c)]
    dataset = dataset.reset_coords(spaced) if spaced else dataset
    foreign = {n: v for n, v in dataset.variables.items() if not v.dtype.isnative}
    dataset = dataset.assign({n: v.astype(v.dtype.newbyteorder("=")) for n, v in foreign.items()})
    small = {
        n: v.compute()
        for n, v in dataset.variables.items()
        if is_lazy(v.data) and not _is_block(v, n in dataset.coords)
    }
    return dataset.assign(small) if small else dataset


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
        bad = {d: n for d, n in chunks.items() if not (int(n) >= 1 or n == -1)}
        if unknown or bad:
            raise ValueError(
                f"chunks is {dict(chunks)}; wanted lengths of at least 1, or -1 for whole, of "
                f"{sorted(map(str, ds.dims))}"
            )
        return {d: min(int(n), ds.sizes[d]) if n > 0 else ds.sizes[d] for d, n in chunks.items()}
    candidates = [ds[n] for n in block_names(ds)]
    lazy = [v for v in candidates if is_lazy(v.data)]
    largest = max(lazy or candidates, key=lambda v: v.size)
    own = _regular_chunks(largest)
    # One whole sample of this size is the largest chunk that the plan would make.
    if own is not None and 8 * math.prod(own.values()) <= memory // SAMPLES_IN_MEMORY:
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
    numbers = first + np.arange(dataset.sizes[SAMPLE])
    return dataset.assign_coords({SAMPLE: numbers.astype(stored[SAMPLE].dtype)})


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
            if SAMPLE not in a.dims and a.sizes == b.sizes and not _same_values(a, b):
                found.append(f"variable {name!r} has other values than the stored one")
    for d in set(stored.dims) & set(new.dims) - {SAMPLE}:
        if stored.sizes[d] != new.sizes[d]:
            found.append(f"dimension {d!r} has length {new.sizes[d]}; stored {stored.sizes[d]}")
    for key in (*GRID_ATTRS, "phase_names"):
        if key in stored.attrs and key in new.attrs:
            ours, theirs = plain_attrs(stored.attrs[key]), plain_attrs(new.attrs[key])
            if ours != theirs:
                found.append(f"attribute {key!r} is {theirs}; stored {ours}")
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


def fingerprint(ds: xr.Dataset) -> str:
    """Digest of all that is in memory: names, types, attributes, columns and coordinates.

    Two datasets that differ in it are not the same one. Lazy variables count by name, type and
    shape; ``provenance`` does not count, since appends add to it.
    """
    ds = gathered(ds)
    digest = hashlib.sha256()
    attrs = {k: v for k, v in ds.attrs.items() if k != "provenance"}
    digest.update(json.dumps(plain_attrs(attrs), sort_keys=True).encode())
    lazy = set(block_names(ds))
    for key in sorted(map(str, ds.variables)):
        variable = ds.variables[key]
        kind = "text" if variable.dtype.kind in "UOT" else variable.dtype.str
        about = [key, kind, *map(str, variable.dims), *map(str, variable.shape)]
        digest.update(json.dumps([about, plain_attrs(variable.attrs)], sort_keys=True).encode())
        if key not in lazy:
            entries = np.asarray(variable.values)
            text = kind == "text"
            digest.update(json.dumps(entries.tolist()).encode() if text else entries.tobytes())
    return digest.hexdigest()


def check_same(new: xr.Dataset, wanted: str) -> None:
    """The dataset of the interrupted write, as far as its digest tells."""
    if fingerprint(new) != wanted:
        raise DataError(
            "dataset is not the one of the interrupted write: sample names or their order, columns, "
            "coordinates or attributes differ; give the same dataset, or create the store again with "
            "overwrite=True"
        )


def _same_values(a: xr.DataArray, b: xr.DataArray) -> bool:
    """Equal, up to rounding of numbers computed again."""
    if a.dtype.kind in "fc" and b.dtype.kind in "fc":
        return bool(np.allclose(a.values, b.values, rtol=1e-6, atol=0, equal_nan=True))
    return bool(np.array_equal(a.values, b.values))
