"""Move overlapping capsules apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mksdask.generate.capsules import contacts

MAX_ROUNDS = 3000
# The capsules are pushed to this much more than their radius, so that they end apart and not at
# the edge of overlap.
SKIN = 0.02


def separated(
    rng: np.random.Generator, half_axes: np.ndarray, radii: np.ndarray, shape: Sequence[int]
) -> np.ndarray | None:
    """Centers of capsules that do not overlap in a periodic box, or None if none are found.

    They begin anywhere and are pushed apart along the shortest line between each overlapping
    pair, all pairs at once, without turning.

    >>> centers = separated(np.random.default_rng(0), np.zeros((6, 2)), np.full(6, 1.0), (6, 6))
    >>> centers.shape
    (6, 2)
    """
    box = np.array(shape, dtype=float)
    centers = rng.random((len(radii), len(box))) * box
    grown = (1 + SKIN) * radii
    reach = 2 * float((np.linalg.norm(half_axes, axis=1) + grown).max())
    for _ in range(MAX_ROUNDS):
        first, second, apart = contacts(centers, half_axes, reach, shape)
        distance = np.linalg.norm(apart, axis=1)
        if not (distance < radii[first] + radii[second]).any():
            return centers % box
        overlap = grown[first] + grown[second] - distance
        touching = overlap > 0
        first, second, apart = first[touching], second[touching], apart[touching]
        distance, overlap = distance[touching], overlap[touching]
        same = distance < 1e-9  # crossing axes: any way out is as good
        apart[same] = rng.standard_normal((int(same.sum()), len(box)))
        distance[same] = np.linalg.norm(apart[same], axis=1)
        push = apart * (0.5 * overlap / distance)[:, None]
        for axis in range(len(box)):
            centers[:, axis] += np.bincount(first, push[:, axis], len(radii))
            centers[:, axis] -= np.bincount(second, push[:, axis], len(radii))
    return None
