"""Read stored values; what is missing or broken is said with variable, samples and store."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr

from mksdask.ensemble import blocks
from mksdask.ensemble.location import Location
from mksdask.ensemble.schema import SAMPLE
from mksdask.errors import DataError, is_passing


def read_values(location: Location, name: str, selection: Any = ...) -> np.ndarray:
    """Values of a stored array; text comes back as NumPy unicode."""
    values = read_checked(location, open_array(location, name), selection)
    # By way of lists: NumPy does not cast its variable-width text to fixed-width text of any length.
    return np.array(values.tolist(), dtype=str) if values.dtype.kind in "OT" else values


def open_array(location: Location, name: str) -> zarr.Array[Any]:
    """A stored array, or a ``DataError`` that says that its metadata are gone or broken."""
    try:
        return location.array(name)
    except (PermissionError, MemoryError):
        raise
    except Exception as error:
        if is_passing(error):
            raise
        raise DataError(
            f"variable {name!r} of {location.url} has no readable metadata "
            f"({type(error).__name__}): restore {name}/zarr.json from a copy"
        ) from error


def read_checked(location: Location, array: zarr.Array[Any], selection: Any) -> np.ndarray:
    """Part of an array.

    Zarr reads a chunk that does not exist as fill values, which for labels and flags look like data:
    here it is an error.
    """
    for index in blocks.touched_blocks(array, selection):
        if not location.holds(f"{array.path}/{blocks.block_key(index)}"):
            raise DataError(
                f"variable {array.path!r}{_samples_of(array, selection)} of {location.url} is missing: "
                "restore it from a copy, or run resume_ensemble with the original dataset"
            )
    try:
        return np.asarray(array[selection])
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # decompressors raise what they like on flipped bytes
        if is_passing(error):
            raise
        raise DataError(
            f"variable {array.path!r}{_samples_of(array, selection)} of {location.url} is corrupt "
            f"(checksum or decompression failed: {type(error).__name__}): restore it from a copy, or "
            "run resume_ensemble with the original dataset"
        ) from error


def _samples_of(array: zarr.Array[Any], selection: Any) -> str:
    dims = array.metadata.dimension_names  # type: ignore[union-attr]
    if not dims or dims[0] != SAMPLE:
        return ""
    first = selection[0] if isinstance(selection, tuple) and selection else selection
    if isinstance(first, int | np.integer):
        return f", sample {first},"
    whole = slice(0, array.shape[0])
    start, stop, _ = (first if isinstance(first, slice) else whole).indices(array.shape[0])
    return f", samples {start} to {stop - 1},"
