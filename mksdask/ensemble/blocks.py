"""Which blocks of an ensemble there are, and which of them exist.

A block is the write unit of an array (shard or chunk). It is always written whole, by one task, in
one replacing step, so it exists exactly when it is complete.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import zarr

from mksdask.ensemble.layout import write_unit
from mksdask.ensemble.location import Location

Index = tuple[int, ...]


def region(array: zarr.Array[Any], index: Index, first: int = 0) -> tuple[slice, ...]:
    """Where block ``index`` lies; indices along ``sample`` count from the block of ``first``."""
    unit = write_unit(array)
    start = [i * n for i, n in zip(index, unit, strict=True)]
    if start:
        start[0] += first - first % unit[0]
    return tuple(
        slice(a, min(a + n, size)) for a, n, size in zip(start, unit, array.shape, strict=True)
    )


def grid_shape(array: zarr.Array[Any]) -> Index:
    """Number of blocks along each axis."""
    return tuple(math.ceil(n / c) for n, c in zip(array.shape, write_unit(array), strict=True))


def block_key(index: Index) -> str:
    """Key of a block below the key of its array.

    >>> block_key((0, 2)), block_key(())
    ('c/0/2', 'c')
    """
    return "/".join(["c", *map(str, index)])


def existing_blocks(location: Location, array: zarr.Array[Any]) -> set[Index]:
    """Indices of the blocks in the store, by listing and not by reading."""
    found = location.keys(array.path)
    return {i for i in all_blocks(array) if f"{array.path}/{block_key(i)}" in found}


def touched_blocks(array: zarr.Array[Any], selection: Any) -> set[Index]:
    """Indices of the blocks that a selection of slices and whole numbers reads."""
    chosen = selection if isinstance(selection, tuple) else (selection,)
    chosen = (*(c for c in chosen if c is not Ellipsis), *([slice(None)] * array.ndim))
    ranges = []
    for part, unit, size in zip(chosen[: array.ndim], write_unit(array), array.shape, strict=True):
        entries = range(size)[part] if isinstance(part, slice) else range(size)
        if isinstance(part, int | np.integer):
            entries = range(int(part) % size, int(part) % size + 1)
        ranges.append(range(entries[0] // unit, entries[-1] // unit + 1) if entries else range(0))
    return set(itertools.product(*ranges))


def all_blocks(array: zarr.Array[Any]) -> set[Index]:
    """Indices of all blocks the array should have."""
    return set(itertools.product(*(range(n) for n in grid_shape(array))))


def missing_samples(location: Location, names: Iterable[str]) -> np.ndarray:
    """Boolean a sample: whether any block that holds part of it is not in the store."""
    missing: np.ndarray | None = None
    for name in names:
        array = location.array(name)
        if missing is None:
            missing = np.zeros(array.shape[0], dtype=bool)
        unit = write_unit(array)[0]
        for index in all_blocks(array) - existing_blocks(location, array):
            missing[index[0] * unit : (index[0] + 1) * unit] = True
    return np.zeros(0, dtype=bool) if missing is None else missing


def ranges(flags: np.ndarray) -> str:
    """Where ``flags`` is true, as text.

    >>> ranges(np.array([True, True, False, True]))
    '0-1, 3'
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    pairs = [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
    said = [f"{a}-{b}" if b > a else f"{a}" for a, b in pairs[:20]]
    return ", ".join(said) + (f", and {len(pairs) - 20} more ranges" if len(pairs) > 20 else "")
