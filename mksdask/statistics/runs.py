"""Runs of one phase along the lines of an axis: what chords and lineal paths are counted from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Voxels turned into runs at once; the temporaries take some ten bytes for each.
_BATCH_VOXELS = 2**21


class Runs(NamedTuple):
    """All runs of a phase in some samples, one entry a run."""

    #: Which sample of the block.
    sample: np.ndarray
    #: Number of voxels.
    length: np.ndarray
    #: Whether it touches the border of the volume (never, along a periodic axis).
    cut: np.ndarray
    #: Whether it fills its line from end to end.
    full: np.ndarray


def run_histograms(
    block: np.ndarray, state: int, axis: int, periodic: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of runs by length, for uncut, cut and full runs, each (sample, N + 1).

    >>> inside, cut, full = run_histograms(np.array([[1, 0, 1, 1, 0, 0, 1]]), 1, 0, False)
    >>> inside.tolist(), cut.tolist()
    ([[0, 0, 1, 0, 0, 0, 0, 0]], [[0, 2, 0, 0, 0, 0, 0, 0]])
    """
    n_bins = block.shape[1 + axis] + 1
    out = np.zeros((3, len(block), n_bins), dtype=np.int64)
    per_sample = int(np.prod(block.shape[1:]))
    step = max(1, _BATCH_VOXELS // per_sample)
    for i in range(0, len(block), step):
        runs = find_runs(block[i : i + step] == state, axis, periodic)
        place = (runs.sample + i) * n_bins + runs.length
        kinds = (~runs.cut & ~runs.full, runs.cut & ~runs.full, runs.full)
        for k, kind in enumerate(kinds):
            out[k] += np.bincount(place[kind], minlength=out[k].size).reshape(out[k].shape)
    return out[0], out[1], out[2]


def find_runs(inside: np.ndarray, axis: int, periodic: bool) -> Runs:
    """Runs of True along spatial axis ``axis`` of (sample, x[, y[, z]]).

    Along a periodic axis the run at the end of a line goes on at its beginning.
    """
    lines = np.moveaxis(inside, 1 + axis, -1)
    n_samples, n = lines.shape[0], lines.shape[-1]
    # A False after each line, and one before the first, separate lines: runs never span two.
    flat = np.zeros((lines.size // n) * (n + 1) + 1, dtype=bool)
    flat[1:].reshape(*lines.shape[:-1], n + 1)[..., :n] = lines
    change = np.flatnonzero(flat[1:] != flat[:-1])
    begin, end = change[::2], change[1::2]
    line, first = np.divmod(begin, n + 1)
    length = end - begin
    at_start, at_end = first == 0, first + length == n
    full = at_start & at_end
    cut = at_start | at_end
    if periodic:
        length, keep = _joined(line, length, at_start & ~full, at_end & ~full, lines.size // n)
        line, length, full = line[keep], length[keep], full[keep]
        cut = np.zeros_like(full)
    return Runs(line // (lines.size // n // n_samples), length, cut, full)


def _joined(
    line: np.ndarray, length: np.ndarray, at_start: np.ndarray, at_end: np.ndarray, n_lines: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add each run at the end of a line to the one at its start; say which runs remain."""
    tail = np.zeros(n_lines, dtype=length.dtype)
    tail[line[at_end]] = length[at_end]
    has_start = np.zeros(n_lines, dtype=bool)
    has_start[line[at_start]] = True
    length = length.copy()
    length[at_start] += tail[line[at_start]]
    return length, ~(at_end & has_start[line])
