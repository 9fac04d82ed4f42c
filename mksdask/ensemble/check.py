"""Read stored blocks once to see that their checksums hold and their labels make sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dask.array as da
import numpy as np

from mksdask import progress as watch
from mksdask.ensemble import blocks, values
from mksdask.ensemble.location import Location
from mksdask.errors import DataError
from mksdask.lazy import lift

# What one check says of a block: readable?, any NaN?, smallest and largest value.
_FIELDS = 4


@dataclass(frozen=True)
class BlockCheck:
    """What was found in one stored block."""

    index: blocks.Index
    readable: bool
    has_nan: bool
    smallest: float
    largest: float


def check_blocks(
    location: Location, name: str, indices: Sequence[blocks.Index], progress: bool | None = None
) -> list[BlockCheck]:
    """Read the blocks ``indices`` of variable ``name``, one task each."""
    if not indices:
        return []
    rows = np.asarray(indices, dtype=np.int64).reshape(len(indices), -1)
    table = da.from_array(rows, chunks=(1, -1), name=False)
    results = lift(
        _check,
        table,
        dims=[("block", "axis")],
        out_dims=("block", "field"),
        sizes={"field": _FIELDS},
        dtype=np.float64,
        kwargs={"location": location, "name": name},
    )
    (found,) = watch.compute(results, label=f"checking {name}", progress=progress)
    return [
        BlockCheck(index, bool(ok), bool(nan), low, high)
        for index, (ok, nan, low, high) in zip(indices, found, strict=True)
    ]


def _check(indices: np.ndarray, location: Location, name: str) -> np.ndarray:
    array = values.open_array(location, name)
    found = np.zeros((len(indices), _FIELDS))
    for row, index in zip(found, indices, strict=True):
        region = blocks.region(array, tuple(int(i) for i in index))
        try:
            block = values.read_checked(location, array, region)
        except DataError:
            continue
        row[0] = 1
        if block.dtype.kind in "fc":
            row[1] = np.isnan(block).any()
        if block.dtype.kind in "biuf":
            with np.errstate(all="ignore"):
                row[2] = np.fmin.reduce(block, axis=None)
                row[3] = np.fmax.reduce(block, axis=None)
    return found
