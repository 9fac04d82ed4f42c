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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import xarray as xr

from mksdask.ensemble import layout
from mksdask.ensemble.fill import check_same_data, fill, finish, lay_out, lengthen, todo_blocks
from mksdask.ensemble.location import Location
from mksdask.ensemble.plan import parse_memory
from mksdask.ensemble.prepare import (
    appended,
    check_count,
    check_fits,
    check_same_names,
    check_source,
    choose_chunks,
    prepare,
)
from mksdask.ensemble.read import assemble, open_ensemble
from mksdask.ensemble.schema import SAMPLE
from mksdask.errors import DataError

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
    new = prepare(dataset)
    unit = choose_chunks(new, chunks, parse_memory(memory))
    check_source(location, new)
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
                "count": new.sizes[SAMPLE],
                "chunks": unit,
                "previous": previous.url if previous else None,
            }
            names = lay_out(location, new, unfinished)
            fill(location, new, dict.fromkeys(names), 0, progress)
            finish(location)
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
        new = appended(location, document, dataset)
        first = assemble(location, document).sizes[SAMPLE]
        unfinished = {
            "kind": "append",
            "first": first,
            "count": new.sizes[SAMPLE],
            "provenance": new.attrs.get("provenance"),
        }
        committed = layout.stored_arrays(document)
        layout.commit_root(location, layout.user_attrs(document), committed, names, unfinished)
        lengthen(location, new, names, first)
        fill(location, new, dict.fromkeys(names), first, progress)
        finish(location)
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
            new = appended(location, document, dataset)
            check_count(new, unfinished["count"])
            lengthen(location, new, names, first)
        else:
            new = prepare(dataset)
            if not layout.stored_arrays(document):
                lay_out(location, new, unfinished)
                document = layout.root_document(location)
            names = document["attributes"][layout.OURS]["blocks"]
            stored = assemble(location, document)
            check_fits(stored, new)
            check_count(new, stored.sizes[SAMPLE])
            check_same_names(stored, new)
        todo = {name: todo_blocks(location, name, first, progress) for name in names}
        check_same_data(location, new, todo, first)
        fill(location, new, todo, first, progress)
        finish(location)
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
            location, layout.user_attrs(document), layout.stored_arrays(document), names, None
        )


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
