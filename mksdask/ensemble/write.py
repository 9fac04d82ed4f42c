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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import xarray as xr

from mksdask.ensemble import layout
from mksdask.ensemble.fill import check_same_data, fill, finish, lay_out, lengthen, todo_blocks
from mksdask.ensemble.location import INCOMING, Location
from mksdask.ensemble.plan import parse_memory
from mksdask.ensemble.prepare import (
    appended,
    check_count,
    check_fits,
    check_same,
    choose_chunks,
    fingerprint,
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
        numbered from 0. Lazy variables over ``sample`` are computed block by block while they are
        written; coordinates, and variables without ``sample``, are computed at once.
    overwrite
        Replace an existing ensemble. The new one is written beside it, and takes its place when it
        is complete; ``dataset`` may be read from the old one.
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
    with _writing(location):
        # A replacement that was killed between its two renames lies beside an empty place.
        replaces = location.exists() or location.sibling(INCOMING).exists()
        if replaces:
            _check_replaceable(location, overwrite)
        with location.lock():
            if location.exists() and not replaces:
                raise DataError(f"{location.url} has just been created by another process")
            target = location.sibling(INCOMING) if replaces else location
            if replaces:
                target.delete()
            unfinished = {
                "kind": "create",
                "first": 0,
                "count": new.sizes[SAMPLE],
                "chunks": unit,
                "fingerprint": fingerprint(new),
            }
            names = lay_out(target, new, unfinished)
            fill(target, new, dict.fromkeys(names), 0, progress)
            finish(target)
            if replaces:
                location.replace_by_incoming()
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
    layout.root_document(location)
    with _writing(location), location.lock():
        document = layout.root_document(location)
        ours = document["attributes"][layout.OURS]
        if ours["unfinished"] is not None or location.sibling(INCOMING).exists():
            raise DataError(
                f"{location.url} holds an interrupted write: finish it with resume_ensemble and its "
                "data, or drop it with discard_unfinished, and append then"
            )
        names = ours["blocks"]
        new = appended(location, document, dataset)
        first = assemble(location, document).sizes[SAMPLE]
        unfinished = {
            "kind": "append",
            "first": first,
            "count": new.sizes[SAMPLE],
            "provenance": new.attrs.get("provenance"),
            "fingerprint": fingerprint(new),
        }
        committed = layout.stored_arrays(document)
        attrs = layout.user_attrs(document)
        layout.commit_root(location, attrs, committed, names, unfinished, ours["store_id"])
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
    broken ones are computed and written. So that two different datasets are not mixed, everything
    in memory (sample names, columns, coordinates, attributes) must be equal, and three stored
    blocks of each variable are computed again and must agree. A complete store is checked the same
    way, and repaired where it is broken.

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
    incoming = location.sibling(INCOMING)
    with _writing(location), location.lock(break_lock=break_lock):
        target = incoming if incoming.exists() else location
        target.sweep()
        document = layout.root_document(target)
        ours = document["attributes"][layout.OURS]
        unfinished = ours["unfinished"] or {"kind": "create", "first": 0}
        first = unfinished["first"]
        if unfinished["kind"] == "append":
            new = appended(target, document, dataset)
            check_count(new, unfinished["count"])
            check_same(new, unfinished["fingerprint"])
            lengthen(target, new, ours["blocks"], first)
        else:
            new = prepare(dataset)
            if ours["unfinished"]:
                check_count(new, unfinished["count"])
            if not layout.stored_arrays(document):
                check_same(new, unfinished["fingerprint"])
                lay_out(target, new, unfinished)
                document = layout.root_document(target)
            stored = assemble(target, document)
            check_fits(stored, new)
            check_count(new, stored.sizes[SAMPLE])
            check_same(new, fingerprint(stored))
        names = document["attributes"][layout.OURS]["blocks"]
        todo = {name: todo_blocks(target, name, first, progress) for name in names}
        check_same_data(target, new, todo, first)
        fill(target, new, todo, first, progress)
        finish(target)
        if target is incoming:
            location.replace_by_incoming()
    return open_ensemble(store, storage_options=storage_options)


def discard_unfinished(
    store: Store,
    *,
    break_lock: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Drop what an interrupted append or replacement had written; what was before is not touched.

    An ensemble that was never complete is dropped by creating it again with ``overwrite=True``.

    >>> import numpy as np, xarray as xr
    >>> labels = xr.DataArray(np.eye(4, dtype="uint8")[None], dims=("sample", "x", "y"))
    >>> _ = create_ensemble("memory://discard.zarr", labels.to_dataset(name="phase"))
    >>> discard_unfinished("memory://discard.zarr")
    """
    location = Location(store, storage_options)
    with _writing(location), location.lock(break_lock=break_lock):
        location.sweep()
        document = layout.root_document(location)
        ours = document["attributes"][layout.OURS]
        if location.sibling(INCOMING).exists():
            location.sibling(INCOMING).delete()
            return
        if ours["unfinished"] is None:
            return
        if ours["unfinished"]["kind"] == "create":
            raise ValueError(
                f"{location.url} was never complete: finish it with resume_ensemble, or create it "
                "again with overwrite=True"
            )
        committed = layout.stored_arrays(document)
        for name, meta in committed.items():
            array = location.array(name, read_only=False)
            if array.shape != tuple(meta["shape"]):
                array.resize(tuple(meta["shape"]))
        attrs = layout.user_attrs(document)
        layout.commit_root(location, attrs, committed, ours["blocks"], None, ours["store_id"])


def _check_replaceable(location: Location, overwrite: bool) -> None:
    if not overwrite:
        raise FileExistsError(
            f"{location.url} exists: give another path, overwrite=True to replace it, "
            "append_samples to add to it, or resume_ensemble to finish it"
        )
    if location.exists():
        layout.root_document(location)  # refuses to replace what is not an ensemble of ours


@contextmanager
def _writing(location: Location) -> Iterator[None]:
    """Say what a failing disk means for the store."""
    try:
        yield
    except OSError as error:
        if error.filename and not str(error.filename).startswith(location.path):
            raise  # a file that the dataset is read from
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
