"""Create, extend and finish stored ensembles: whole blocks only, one writer, restartable.

The order of steps is what makes a killed run harmless:

1. the writer lock is taken;
2. the root says what is about to be written (``unfinished``);
3. arrays are laid out (or lengthened), then filled block by block, each block by one task and in
   one replacing step;
4. the root is replaced: the new samples exist, for all variables at once.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mksdask import progress as watch
from mksdask.ensemble import blocks, layout
from mksdask.ensemble.check import broken_blocks
from mksdask.ensemble.location import Location
from mksdask.ensemble.plan import parse_memory, plan_chunks
from mksdask.ensemble.read import assemble, open_ensemble, source_prefix
from mksdask.ensemble.schema import SAMPLE, SPACE, schema_violations
from mksdask.errors import DataError
from mksdask.lazy import is_lazy, visit

Store = str | os.PathLike[str]


def create_ensemble(
    store: Store,
    dataset: xr.Dataset,
    *,
    overwrite: bool = False,
    chunks: Mapping[str, int] | None = None,
    memory: int | str | None = None,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Compute a dataset block by block into a new store, and open it.

    Parameters
    ----------
    store
        Path or fsspec URL of the new ensemble.
    dataset
        Variables over ``sample`` (and space), lazy or not. Samples without a coordinate are
        numbered from 0. Coordinates and variables in memory with one number a sample are read at
        once; everything else is computed while it is written.
    overwrite
        Replace an existing ensemble. On a file system the old one is kept beside the new one until
        the new one is complete.
    chunks
        Chunk lengths by dimension; by default those of ``dataset`` if they are regular and fit the
        memory, else the plan of :func:`plan_chunks`.
    memory
        Memory of one worker, for planning.
    progress
        Show a progress bar; by default on terminals and in notebooks.
    storage_options
        Passed to fsspec.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> labels = xr.DataArray(np.eye(4, dtype="uint8")[None], dims=("sample", "x", "y"))
    >>> create_ensemble("memory://create.zarr", labels.to_dataset(name="phase")).phase.dims
    ('sample', 'x', 'y')
    """
    location = Location(store, storage_options)
    prepared = _prepared(dataset)
    unit = _choose_chunks(prepared, chunks, parse_memory(memory))
    _check_source(location, prepared)
    previous = None
    with _writing(location):
        if location.exists():
            previous = _move_aside(location, overwrite)
        with location.lock():
            if location.exists():
                raise DataError(f"{location.url} has just been created by another process")
            unfinished = {
                "kind": "create",
                "first": 0,
                "count": prepared.sizes[SAMPLE],
                "chunks": unit,
                "previous": previous.url if previous else None,
            }
            names = _lay_out(location, prepared, unfinished)
            _fill(location, prepared, dict.fromkeys(names), 0, progress)
            _finish(location)
    return open_ensemble(store, storage_options=storage_options)


def append_samples(
    store: Store,
    dataset: xr.Dataset,
    *,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Add samples to an ensemble, and open it.

    The stored samples stay as they are and readable throughout; the new ones appear together when
    all of them are written. ``dataset`` must have the same variables, grid and types.

    Parameters
    ----------
    store, progress, storage_options
        As for :func:`create_ensemble`.
    dataset
        The new samples. Without a ``sample`` coordinate they are numbered on.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> labels = xr.DataArray(np.eye(4, dtype="uint8")[None], dims=("sample", "x", "y"))
    >>> ds = labels.to_dataset(name="phase")
    >>> _ = create_ensemble("memory://append.zarr", ds)
    >>> append_samples("memory://append.zarr", ds).sizes["sample"]
    2
    """
    location = Location(store, storage_options)
    document = layout.root_document(location)
    if document["attributes"][layout.OURS]["unfinished"] is not None:
        raise DataError(
            f"{location.url} holds an interrupted write: finish it with resume_ensemble and its "
            "data, or drop it with discard_unfinished, and append then"
        )
    with _writing(location), location.lock():
        # Read under the lock: the last writer may have finished between the two.
        document = layout.root_document(location)
        names = document["attributes"][layout.OURS]["blocks"]
        prepared = _appended(location, document, dataset)
        first = assemble(location, document).sizes[SAMPLE]
        unfinished = {
            "kind": "append",
            "first": first,
            "count": prepared.sizes[SAMPLE],
            "provenance": prepared.attrs.get("provenance"),
        }
        committed = layout.stored_arrays(document)
        layout.commit_root(location, _user_attrs(document), committed, names, unfinished)
        _lengthen(location, prepared, names, first)
        _fill(location, prepared, dict.fromkeys(names), first, progress)
        _finish(location)
    return open_ensemble(store, storage_options=storage_options)


def resume_ensemble(
    store: Store,
    dataset: xr.Dataset,
    *,
    break_lock: bool = False,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Finish an interrupted :func:`create_ensemble` or :func:`append_samples`, and open the store.

    Blocks found in the store are read once to see that their checksums hold; the missing and the
    broken ones are computed and written. One stored block is computed again first and must agree,
    so that two different datasets are never mixed. On a complete store nothing is done but the
    checking, so broken chunks are repaired.

    Parameters
    ----------
    store, progress, storage_options
        As for :func:`create_ensemble`.
    dataset
        The same dataset as was given to the interrupted call.
    break_lock
        Take over the lock of a killed writer, where locks outlive their process (object stores).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> labels = xr.DataArray(np.eye(4, dtype="uint8")[None], dims=("sample", "x", "y"))
    >>> ds = labels.to_dataset(name="phase")
    >>> _ = create_ensemble("memory://resume.zarr", ds)
    >>> resume_ensemble("memory://resume.zarr", ds).sizes["sample"]
    1
    """
    location = Location(store, storage_options)
    with _writing(location), location.lock(break_lock=break_lock):
        location.sweep()
        document = layout.root_document(location)
        ours = document["attributes"][layout.OURS]
        unfinished = ours["unfinished"] or {"kind": "create", "first": 0}
        first = unfinished["first"]
        if unfinished["kind"] == "append":
            names = ours["blocks"]
            prepared = _appended(location, document, dataset)
            _check_count(prepared, unfinished["count"])
            _lengthen(location, prepared, names, first)
        else:
            prepared = _prepared(dataset)
            if not layout.stored_arrays(document):
                _lay_out(location, prepared, unfinished)
                document = layout.root_document(location)
            names = document["attributes"][layout.OURS]["blocks"]
            stored = assemble(location, document)
            _check_fits(stored, prepared)
            _check_count(prepared, stored.sizes[SAMPLE])
            _check_same_names(stored, prepared)
        todo = {name: _todo(location, name, first, progress) for name in names}
        _check_same_data(location, prepared, todo, first)
        _fill(location, prepared, todo, first, progress)
        _finish(location)
    return open_ensemble(store, storage_options=storage_options)


def discard_unfinished(
    store: Store,
    *,
    break_lock: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Drop what an interrupted append had written; the samples before it are not touched.

    An interrupted creation is dropped by creating it again with ``overwrite=True``.

    >>> import numpy as np, xarray as xr
    >>> labels = xr.DataArray(np.eye(4, dtype="uint8")[None], dims=("sample", "x", "y"))
    >>> _ = create_ensemble("memory://discard.zarr", labels.to_dataset(name="phase"))
    >>> discard_unfinished("memory://discard.zarr")
    """
    location = Location(store, storage_options)
    with _writing(location), location.lock(break_lock=break_lock):
        location.sweep()
        document = layout.root_document(location)
        unfinished = document["attributes"][layout.OURS]["unfinished"]
        if unfinished is None:
            return
        if unfinished["kind"] == "create":
            raise ValueError(
                f"{location.url} was never complete: resume it, or create it again with overwrite=True"
            )
        for name, meta in layout.stored_arrays(document).items():
            array = location.array(name, read_only=False)
            if array.shape != tuple(meta["shape"]):
                array.resize(tuple(meta["shape"]))
        names = document["attributes"][layout.OURS]["blocks"]
        layout.commit_root(
            location, _user_attrs(document), layout.stored_arrays(document), names, None
        )


# --- preparing -------------------------------------------------------------------------------


def _prepared(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with a sample coordinate and nothing the schema refuses."""
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


def _block_names(ds: xr.Dataset) -> list[str]:
    names = [str(n) for n, v in ds.variables.items() if _is_block(v, n in ds.coords)]
    if not names:
        raise DataError(
            "dataset has no variable over 'sample' beyond coordinates: nothing to store"
        )
    return names


def _choose_chunks(ds: xr.Dataset, chunks: Mapping[str, int] | None, memory: int) -> dict[str, int]:
    if chunks is not None:
        unknown = set(chunks) - set(map(str, ds.dims))
        bad = {d: n for d, n in chunks.items() if not int(n) >= 1}
        if unknown or bad:
            raise ValueError(
                f"chunks is {dict(chunks)}; wanted lengths of at least 1 for dimensions out of "
                f"{sorted(map(str, ds.dims))}"
            )
        return {d: min(int(n), ds.sizes[d]) for d, n in chunks.items()}
    candidates = [ds[n] for n in _block_names(ds)]
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


def _appended(location: Location, document: Mapping[str, Any], dataset: xr.Dataset) -> xr.Dataset:
    """The new samples, numbered on and known to fit those committed."""
    stored = assemble(location, document)
    prepared = _prepared(_numbered_on(dataset, stored))
    _check_fits(stored, prepared)
    _check_new_names(stored, prepared)
    return prepared


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


# --- checking --------------------------------------------------------------------------------


def _check_source(location: Location, ds: xr.Dataset) -> None:
    prefix = source_prefix(location)
    for name, variable in ds.variables.items():
        if is_lazy(variable.data) and any(k.startswith(prefix) for k in variable.data.dask.layers):
            raise ValueError(
                f"variable {name!r} is read from {location.url}, the store to be written: choose "
                "another one and replace it afterwards"
            )


def _check_fits(stored: xr.Dataset, new: xr.Dataset) -> None:
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


def _check_count(new: xr.Dataset, wanted: int) -> None:
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


def _check_same_names(stored: xr.Dataset, new: xr.Dataset) -> None:
    a, b = stored.indexes[SAMPLE], new.indexes[SAMPLE]
    if list(a) != list(b):
        raise DataError(
            "dataset has other sample names or another order than the interrupted write"
        )


def _check_same_data(
    location: Location,
    ds: xr.Dataset,
    todo: Mapping[str, Sequence[blocks.Index]],
    first: int,
) -> None:
    """Compute one block of each variable that is stored already and compare."""
    pairs = []
    for name, missing in todo.items():
        array = location.array(name)
        source = _aligned(ds[name], layout.write_unit(array), first)
        kept = set(np.ndindex(source.numblocks)) - set(missing)
        if kept:
            index = min(kept)
            stored = layout.read_values(location, name, blocks.region(array, index, first))
            pairs.append((name, source.blocks[index], stored))
    computed = watch.compute(*(block for _, block, _ in pairs), progress=False)
    for (name, _, stored), block in zip(pairs, computed, strict=True):
        exact = stored.dtype.kind not in "fc"
        rtol = 0.0 if exact else (1e-4 if stored.dtype.itemsize in (2, 4) else 1e-8)
        scale = 0.0 if exact else float(np.nanmax(np.abs(stored), initial=0.0))
        same = (
            np.array_equal(block, stored)
            if exact
            else np.allclose(block, stored, rtol=rtol, atol=rtol * scale, equal_nan=True)
        )
        if not same:
            raise DataError(
                f"variable {name!r} of the dataset differs from what the interrupted write stored: "
                "resume with the same data, or create the store again with overwrite=True"
            )


# --- writing ---------------------------------------------------------------------------------


def _move_aside(location: Location, overwrite: bool) -> Location:
    if not overwrite:
        raise FileExistsError(
            f"{location.url} exists: give another path, overwrite=True to replace it, "
            "append_samples to add to it, or resume_ensemble to finish it"
        )
    layout.root_document(location)  # refuses to replace what is not an ensemble of ours
    aside = location.sibling(f".replaced-{uuid.uuid4().hex[:8]}")
    with location.lock():
        location.move_to(aside)
    return aside


def _lay_out(location: Location, ds: xr.Dataset, unfinished: Mapping[str, Any]) -> list[str]:
    attrs = dict(ds.attrs)
    extra = [str(c) for c in ds.coords if ds[c].dims != (c,)]
    if extra:
        attrs["coordinates"] = " ".join(extra)
    names = _block_names(ds)
    layout.commit_root(location, attrs, {}, names, unfinished)
    for key, variable in ds.variables.items():
        name = str(key)
        # Columns have one number a sample: they lie in few, large chunks.
        unit = unfinished["chunks"] if name in names else {SAMPLE: layout.COLUMN_CHUNK}
        chunks = tuple(unit.get(str(d), n) for d, n in variable.sizes.items())
        shape, dtype = variable.shape, variable.dtype
        layout.create_array(location, name, variable.dims, shape, dtype, chunks, variable.attrs)
        if name not in names:
            location.array(name, read_only=False)[...] = _values(variable)
    arrays = layout.written_arrays(location, map(str, ds.variables))
    layout.commit_root(location, attrs, arrays, names, unfinished)
    return names


def _lengthen(location: Location, ds: xr.Dataset, names: Sequence[str], first: int) -> None:
    """Make room for the new samples; readers do not see it before the root is replaced."""
    for key, variable in ds.variables.items():
        if SAMPLE not in variable.dims:
            continue
        array = location.array(str(key), read_only=False)
        wanted = first + ds.sizes[SAMPLE]
        if array.shape[0] != wanted:
            array.resize((wanted, *array.shape[1:]))
        if key not in names:
            array[first:] = _values(variable)


def _values(variable: xr.Variable) -> np.ndarray:
    """One number or name a sample, computed if lazy: columns are small and stored at once."""
    values = np.asarray(variable.values)
    return values.astype(object) if values.dtype.kind in "UOT" else values


def _fill(
    location: Location,
    ds: xr.Dataset,
    todo: Mapping[str, Sequence[blocks.Index] | None],
    first: int,
    progress: bool | None,
) -> None:
    """Write blocks (those in ``todo``, or all where it says None) in one computation."""
    work: list[Any] = []
    for name, indices in todo.items():
        source = _aligned(ds[name], layout.write_unit(location.array(name)), first)
        written = visit(source, blocks.BlockWriter(location, name, first))
        if indices is None:
            work.append(written)
        else:
            delayed = written.to_delayed()
            work += [delayed[index] for index in indices]
    if work:
        watch.compute(*work, label="writing", progress=progress)


def _aligned(array: xr.DataArray, unit: tuple[int, ...], first: int) -> da.Array:
    """The new data in chunks that are exactly the stored blocks, the first one cut at ``first``."""
    chunks: list[Any] = list(unit)
    held = first % unit[0]
    if array.dims[0] == SAMPLE and held:
        n = array.shape[0]
        head = min(unit[0] - held, n)
        rest = n - head
        chunks[0] = (
            head,
            *([unit[0]] * (rest // unit[0])),
            *([rest % unit[0]] if rest % unit[0] else []),
        )
    data = array.data
    if isinstance(data, da.Array):
        return data.rechunk(tuple(chunks))
    return da.from_array(data, chunks=tuple(chunks), name=False)


def _todo(location: Location, name: str, first: int, progress: bool | None) -> list[blocks.Index]:
    """Blocks of the new data that are missing or broken, in indices of the data."""
    array = location.array(name)
    unit = layout.write_unit(array)[0]
    wanted = {i for i in blocks.all_blocks(array) if (i[0] + 1) * unit > first}
    # A block shared with old samples exists whether or not the new ones are in it: write it again.
    shared = {i for i in wanted if i[0] * unit < first}
    present = (wanted - shared) & blocks.existing_blocks(location, array)
    broken = broken_blocks(location, name, sorted(present), progress)
    redo = (wanted - present) | set(broken)
    return sorted((i[0] - first // unit, *i[1:]) for i in redo)


def _finish(location: Location) -> None:
    document = layout.root_document(location)
    attrs = _user_attrs(document)
    ours = document["attributes"][layout.OURS]
    unfinished = ours["unfinished"] or {}
    if unfinished.get("provenance"):
        provenance = dict(attrs.get("provenance") or {})
        provenance["appended"] = [*provenance.get("appended", []), unfinished["provenance"]]
        attrs["provenance"] = provenance
    arrays = layout.written_arrays(location, layout.stored_arrays(document))
    layout.commit_root(location, attrs, arrays, ours["blocks"], None)
    if unfinished.get("previous"):
        Location(unfinished["previous"], location.options).delete()


@contextmanager
def _writing(location: Location) -> Iterator[None]:
    """Say what a failing disk means for the store."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                error.errno,
                f"no space left while writing {location.url}: what was complete before is intact; "
                "free some space and call resume_ensemble with the same dataset",
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise PermissionError(
                error.errno,
                f"cannot write to {location.url} ({error.strerror}): choose another path or change "
                "its permissions",
            ) from error
        raise


def _user_attrs(document: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in document["attributes"].items() if k != layout.OURS}
