"""Descriptors against one plain pass over the same array, side by side in one run.

python benchmarks/descriptors.py

Pair correlation reads each value of the statistics once, and chords and lineal paths each voxel
once, so the floor is NumPy reading the same array: a float64 sum, and a comparison with a count.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from mksdask.statistics import chord_length_distribution, lineal_path, pair_correlation


def interleaved(floor: Callable[[], object], ours: Callable[[], object], rounds: int = 7) -> float:
    """Smallest time of ours over smallest time of the floor, measured in turn."""
    best = [np.inf, np.inf]
    for _ in range(rounds):
        for i, run in enumerate((floor, ours)):
            begin = time.perf_counter()
            run()
            best[i] = min(best[i], time.perf_counter() - begin)
    return best[1] / best[0]


def by_bincount(f: np.ndarray) -> np.ndarray:
    """The same means with nothing but NumPy on arrays in memory: one np.bincount a row."""
    lags = [np.arange(n) - n // 2 for n in f.shape[2:]]
    squares = sum(np.ix_(*(lag**2 for lag in lags))).ravel()
    _, which, counts = np.unique(squares, return_inverse=True, return_counts=True)
    rows = f.reshape(-1, squares.size)
    return np.array([np.bincount(which, weights=row) for row in rows]) / counts


def main() -> None:
    """Print the ratios."""
    rng = np.random.default_rng(0)
    for shape in ((500, 3, 41, 41), (60, 3, 41, 41, 41)):
        f = rng.random(shape)
        size = " x ".join(map(str, shape))
        ratio = interleaved(lambda f=f: f.sum(axis=0), lambda f=f: pair_correlation(f))
        print(f"pair correlation of {size}: {ratio:.2f} x summing the array")
        ratio = interleaved(lambda f=f: by_bincount(f), lambda f=f: pair_correlation(f), 3)
        print(f"pair correlation of {size}: {ratio:.2f} x the obvious loop")
    phase = np.repeat(rng.integers(0, 2, (40, 17, 51, 51), dtype=np.uint8), 3, axis=1)
    for axis in ("x", "z"):
        for name, run in (
            ("chords", lambda axis=axis: chord_length_distribution(phase, 1, axis)),
            ("lineal path", lambda axis=axis: lineal_path(phase, 1, axis)),
        ):
            ratio = interleaved(lambda: np.count_nonzero(phase.astype(float) == 1), run)
            print(f"{name} of 40 x 51^3 along {axis}: {ratio:.2f} x comparing in float64")


if __name__ == "__main__":
    main()
