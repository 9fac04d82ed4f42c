"""Rows of an array that are equal, found without sorting."""

from __future__ import annotations

import numpy as np
import pandas as pd

# Looking for equal rows pays where neighbours often are.
_LEAST_REPEATED = 0.25
_BATCH = 2**16


def distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Different rows (in order of appearance) and the number of each row's own; None if too many.

    Meant for fields of grains, in which most voxels equal the one before: if few do, None comes
    back at once.

    >>> distinct_rows(np.repeat([[1.0, 2.0], [3.0, 4.0]], 3, axis=0))
    (array([[1., 2.], [3., 4.]]), array([0, 0, 0, 1, 1, 1]))
    """
    n = len(rows)
    if n < 2 or not _often_repeated(rows):
        return None
    keys = np.zeros(n, np.uint64)
    for column in range(rows.shape[1]):
        bits = np.ascontiguousarray(rows[:, column]).view(f"u{rows.dtype.itemsize}")
        keys = (keys ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    inverse, found = pd.factorize(keys)
    if len(found) > n // 2:
        return None
    first = np.empty(len(found), np.intp)
    first[inverse[::-1]] = np.arange(n - 1, -1, -1)  # the last one written is the first row
    unique = rows[first]
    for start in range(0, n, _BATCH):
        # Different rows may have equal keys: rare, and looked for.
        part = slice(start, start + _BATCH)
        if not np.array_equal(unique[inverse[part]], rows[part]):
            return None
    return unique, inverse


def _often_repeated(rows: np.ndarray) -> bool:
    repeated = 0
    for start in range(1, len(rows), _BATCH):
        here, before = rows[start : start + _BATCH], rows[start - 1 : start - 1 + _BATCH]
        repeated += int((here == before[: len(here)]).all(axis=1).sum())
    return repeated >= _LEAST_REPEATED * (len(rows) - 1)
