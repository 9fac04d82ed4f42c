"""Which neighbours of a voxel a localization takes into account."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

Offset = tuple[int, ...]


def read_neighbours(neighbours: Any, shape: tuple[int, ...]) -> tuple[Offset, ...]:
    """Offsets to neighbours, one of each opposite pair, nearest first.

    ``neighbours`` is a radius in voxels (1: those that share a face; 1.5: an edge as well; 1.8: a
    corner as well), or a list of offsets.

    >>> read_neighbours(1, (5, 5)), read_neighbours([(0, 2), (0, -2)], (5, 5))
    (((0, 1), (1, 0)), ((0, 2),))
    >>> len(read_neighbours(1.5, (9, 9, 9))), len(read_neighbours(1.8, (9, 9, 9)))
    (9, 13)
    """
    if neighbours is None:
        return ()
    n_space = len(shape)
    if isinstance(neighbours, (int, float, np.number)) and not isinstance(neighbours, bool):
        offsets = _within(float(neighbours), n_space)
    else:
        offsets = _listed(neighbours, n_space)
    for offset in offsets:
        if any(2 * abs(t) >= n for t, n in zip(offset, shape, strict=True)):
            raise ValueError(
                f"neighbours has the offset {offset}, half or more of a grid of {shape} voxels; "
                "wanted nearer neighbours"
            )
    one_way = {max(o, tuple(-t for t in o)) for o in offsets}
    return tuple(sorted(one_way, key=lambda o: (sum(t * t for t in o), o)))


def _within(radius: float, n_space: int) -> list[Offset]:
    if not 1 <= radius < 10:
        raise ValueError(
            f"neighbours is {radius:g}; wanted a radius of 1 (neighbours across a face) to 10 "
            "voxels, a list of offsets, or None"
        )
    steps = range(-int(radius), int(radius) + 1)
    cube = product(steps, repeat=n_space)
    return [o for o in cube if any(o) and sum(t * t for t in o) <= radius**2]


def _listed(neighbours: Any, n_space: int) -> list[Offset]:
    try:
        offsets = [tuple(neighbour) for neighbour in neighbours]
    except TypeError:
        raise TypeError(
            f"neighbours is {neighbours!r}; wanted a radius in voxels, a list of offsets such as "
            f"{[(1,) + (0,) * (n_space - 1)]}, or None"
        ) from None
    for offset in offsets:
        whole = all(isinstance(t, (int, np.integer)) and not isinstance(t, bool) for t in offset)
        if len(offset) != n_space or not whole or not any(offset):
            raise ValueError(
                f"neighbours has {offset}; wanted {n_space} whole numbers of voxels, not all 0 "
                "(a product of a voxel with itself belongs into the basis: give it more states)"
            )
    if not offsets:
        raise ValueError("neighbours is empty; wanted offsets, a radius, or None")
    return [tuple(int(t) for t in offset) for offset in offsets]
