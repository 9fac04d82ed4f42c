"""Checks of the arguments that the generators share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

AXES = ("x", "y", "z")
CHUNK_BYTES = 64 * 2**20
MAX_PHASES = 256


def checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return ``shape`` as a tuple of one to three positive integers, or say what is wrong.

    >>> checked_shape([4, 5])
    (4, 5)
    """
    found = tuple(np.atleast_1d(shape).tolist())
    if not 1 <= len(found) <= 3:
        raise ValueError(f"shape is {found}; wanted one to three numbers of voxels (x, y, z)")
    if any(not float(n).is_integer() or n < 1 for n in found):
        raise ValueError(f"shape is {found}; wanted positive whole numbers of voxels")
    return tuple(int(n) for n in found)


def checked_samples(
    n_samples: int, first_sample: int, chunks: int | None, shape: Sequence[int], seed: int
) -> tuple[int, int]:
    """Return the number of samples and the samples a chunk, or say what is wrong.

    >>> checked_samples(1000, 0, None, (51, 51, 51), 0)
    (1000, 63)
    """
    if not is_whole(n_samples) or n_samples < 1:
        raise ValueError(f"n_samples is {n_samples!r}; wanted a whole number of at least 1")
    if not is_whole(first_sample) or first_sample < 0:
        raise ValueError(f"first_sample is {first_sample!r}; wanted a whole number of at least 0")
    if not is_whole(seed) or seed < 0:
        raise ValueError(f"seed is {seed!r}; wanted a whole number of at least 0")
    if chunks is None:
        chunks = max(1, CHUNK_BYTES // (8 * int(np.prod(shape))))
    elif not is_whole(chunks) or chunks < 1:
        raise ValueError(f"chunks is {chunks!r}; wanted a whole number of samples of at least 1")
    return int(n_samples), min(int(chunks), int(n_samples))


def is_whole(value: Any) -> bool:
    """Whether a value is an integer, and not a boolean.

    >>> is_whole(3), is_whole(3.0), is_whole(True)
    (True, False, False)
    """
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def checked_grain_sizes(
    grain_size: npt.ArrayLike | None, shape: tuple[int, ...], n_samples: int
) -> tuple[np.ndarray, bool]:
    """Return grain sizes with one row a sample, and whether they were given row by row.

    >>> checked_grain_sizes(4, (8, 8), 3)[0].shape
    (3, 2)
    """
    if grain_size is None:
        raise ValueError(
            "grain_size is missing: give the typical grain size in voxels along each axis"
        )
    given = np.asarray(grain_size, dtype=float)
    wanted = (n_samples, len(shape))
    if given.shape not in ((), wanted[1:], wanted, (n_samples, 1)):
        raise ValueError(
            f"grain_size has shape {given.shape} for microstructures of shape {shape}; wanted one "
            f"number, {len(shape)} numbers, or an array of shape {wanted} with one row a sample"
        )
    sizes = np.broadcast_to(given, wanted)
    bad = ~(sizes >= 1)
    if bad.any():
        raise ValueError(f"grain_size has the value {sizes[bad][0]:g}; wanted at least 1 voxel")
    for axis, n in enumerate(shape):
        if (sizes[:, axis] > n).any():
            raise ValueError(
                f"grain_size along {AXES[axis]} is {sizes[:, axis].max():g}, longer than the axis "
                f"of {n} voxels: choose smaller grains or a larger shape"
            )
    return sizes, given.ndim == 2


def checked_fractions(
    fractions: npt.ArrayLike, n_samples: int, n_phases: int | None = None
) -> tuple[np.ndarray, bool]:
    """Return volume fractions with one row a sample, and whether they were given row by row.

    >>> checked_fractions((0.25, 0.75), 2)[0]
    array([[0.25, 0.75],
           [0.25, 0.75]])
    """
    given = np.asarray(fractions, dtype=float)
    if given.ndim not in (1, 2) or (given.ndim == 2 and len(given) != n_samples) or not given.size:
        raise ValueError(
            f"fractions has shape {given.shape}; wanted one number a phase, or {n_samples} rows of "
            "them, one a sample"
        )
    if n_phases is not None and given.shape[-1] != n_phases:
        raise ValueError(
            f"n_phases is {n_phases} but {given.shape[-1]} fractions are given: leave n_phases out"
        )
    checked_phases(given.shape[-1])
    if not (given >= 0).all():
        raise ValueError(f"fractions has the value {given[~(given >= 0)][0]:g}; wanted 0 to 1")
    sums = np.atleast_1d(given.sum(axis=-1))
    bad = ~(np.abs(sums - 1) <= 1e-6)
    if bad.any():
        raise ValueError(
            f"fractions sum to {sums[bad][0]:g}; wanted a sum of 1: divide them by their sum"
        )
    return np.broadcast_to(given, (n_samples, given.shape[-1])), given.ndim == 2


def checked_phases(n_phases: Any) -> int:
    """Return the number of phases, or say what is wrong.

    >>> checked_phases(3)
    3
    """
    if not is_whole(n_phases) or not 1 <= n_phases <= MAX_PHASES:
        raise ValueError(f"n_phases is {n_phases!r}; wanted a whole number from 1 to {MAX_PHASES}")
    return int(n_phases)
