"""Fitted models on disk: arrays as Zarr, everything else as JSON; nothing is ever unpickled.

The arrays lie in a group named after the commit that the document tells of. So a model is replaced
in one step, that of its document, and whatever a killed program leaves is the old model or the new.

A model takes part by having a class attribute ``saved_kind``, a method ``to_saved() -> (facts,
arrays)`` with JSON and NumPy content, a class method ``from_saved(facts, arrays)``, and a line in
:data:`KINDS`.
"""

from __future__ import annotations

import importlib
import os
import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr

from mksdask.ensemble import blocks, layout
from mksdask.ensemble.location import Location
from mksdask.errors import DataError
from mksdask.version import __version__

FORMAT = "mksdask model"
#: Raised when older programs could no longer read what is written.
VERSION = 2
#: Written last and read first: what has no such file is no model.
DOCUMENT = "model.json"
#: Where each kind of model is defined.
KINDS = {
    "HomogenizationModel": "mksdask.linkage.homogenization",
    "IncrementalPCA": "mksdask.reduction.pca",
    "StagedLocalization": "mksdask.linkage.staged_localization",
    "LocalizationModel": "mksdask.linkage.localization",
}

Store = str | os.PathLike[str]


def save_model(
    model: Any,
    store: Store,
    *,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write a fitted model, with all it needs to predict and to learn from further samples.

    Parameters
    ----------
    model
        A fitted model of this package.
    store
        Path or fsspec URL of a new Zarr group.
    overwrite
        Replace a model that is there already; anything else is never replaced.
    storage_options
        Passed to fsspec.

    Examples
    --------
    >>> from mksdask.reduction import IncrementalPCA
    >>> pca = IncrementalPCA(n_components=1).fit(np.array([[1.0, 2.0], [3.0, 5.0], [4.0, 4.0]]))
    >>> save_model(pca, "memory://pca.zarr")
    >>> load_model("memory://pca.zarr").n_samples_seen_
    3
    """
    kind = getattr(model, "saved_kind", None)
    if kind not in KINDS or not hasattr(model, "to_saved"):
        raise TypeError(f"model is a {type(model).__name__}; wanted one of {sorted(KINDS)}")
    facts, arrays = model.to_saved()
    place = Location(store, storage_options)
    before = None
    if place.exists():
        if not overwrite:
            raise FileExistsError(f"{place.url} exists: give another path, or overwrite=True")
        before = place.read_json(DOCUMENT)
        if before is None or "commit" not in before:
            raise ValueError(
                f"{place.url} is not a saved model and is not replaced: give another path"
            )
    commit = uuid.uuid4().hex
    written = place.sibling(f".{commit[:8]}")
    try:
        group = zarr.create_group(written.zarr_store(read_only=False))
        group.create_group(commit)
        for name, values in arrays.items():
            values = np.ascontiguousarray(values)
            array = group.create_array(
                f"{commit}/{name}",
                shape=values.shape,
                dtype=values.dtype,
                chunks=_chunks(values),
                compressors=layout.codecs(values.dtype),
                config={"write_empty_chunks": True},  # what does not exist is lost
            )
            array[...] = values
        document = {"format": FORMAT, "version": VERSION, "kind": kind}
        document |= {"written_by": f"mksdask {__version__}", "model": facts}
        # Tells this model from any other that is stored at the same place, before or after.
        document |= {"commit": commit, "arrays": sorted(arrays)}
        written.write_json(DOCUMENT, document)
        if before is None:
            written.move_to(place)
        else:
            written.sibling(f"/{commit}").move_to(place.sibling(f"/{commit}"))
            place.write_json(DOCUMENT, document)
            # Only this: another folder may be of somebody who replaces the model at this moment.
            place.sibling(f"/{before['commit']}").delete()
    finally:
        if written.exists():
            written.delete()


def model_kind(store: Store) -> str | None:
    """Name of the class of a stored model, without reading it; None where there is no model."""
    document = Location(store).read_json(DOCUMENT)
    return None if document is None else document.get("kind")


def load_model(store: Store, *, storage_options: Mapping[str, Any] | None = None) -> Any:
    """Read a model that :func:`save_model` wrote.

    Versions and kinds of models that this program does not know are refused, as is a store with
    a part missing or damaged.
    """
    place = Location(store, storage_options)
    if not place.exists():
        raise FileNotFoundError(f"no model at {place.url}: check the path")
    while True:
        document = _checked(place)
        try:
            arrays = {name: _read(place, document["commit"], name) for name in document["arrays"]}
            kind = document["kind"]
            found = getattr(importlib.import_module(KINDS[kind]), kind)
            return found.from_saved(document["model"], arrays)
        except (FileNotFoundError, KeyError, ValueError, TypeError, RuntimeError) as error:
            if _checked(place) != document:
                continue  # it has been replaced meanwhile
            raise DataError(
                f"{place.url} is damaged ({error}): fit and save the model again"
            ) from error


def _checked(place: Location) -> dict[str, Any]:
    """The document of a model that this program can read."""
    document = place.read_json(DOCUMENT)
    if document is None or document.get("format") != FORMAT:
        raise DataError(f"{place.url} is not a model written by save_model")
    version, kind = document.get("version"), document.get("kind")
    if version != VERSION:
        raise DataError(
            f"{place.url} has version {version} of the format of models (written by "
            f"{document.get('written_by')}); this is mksdask {__version__}, which reads version "
            f"{VERSION}: update mksdask, or fit and save the model again"
        )
    if kind not in KINDS:
        raise DataError(
            f"{place.url} holds a model of kind {kind!r}; wanted one of {sorted(KINDS)}"
        )
    return document


def _read(place: Location, commit: str, name: str) -> np.ndarray:
    array = place.array(f"{commit}/{name}")
    if blocks.all_blocks(array) - blocks.existing_blocks(place, array):
        raise DataError(f"a part of {name} is missing")
    return np.asarray(array[...])


def _chunks(values: np.ndarray) -> tuple[int, ...]:
    """Rows that make up to 64 MB: codecs take no more than 2 GB at once."""
    if values.ndim == 0:
        return ()
    rows = max(1, 2**26 // max(values.nbytes // max(len(values), 1), 1))
    return (max(1, min(rows, len(values))), *(max(1, n) for n in values.shape[1:]))
