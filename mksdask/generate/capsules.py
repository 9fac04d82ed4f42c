"""Capsules in a periodic box: all points within a radius of a segment; spheres have no length.

A capsule is a center c, a half axis h (the segment runs from c - h to c + h) and a radius r.
Nothing here knows how they came about.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gamma, pi

import numpy as np
from scipy.spatial import cKDTree


def ball_volume(ndim: int) -> float:
    """Volume of the unit ball: 2, pi, 4 pi / 3.

    >>> round(ball_volume(3), 4)
    4.1888
    """
    return pi ** (ndim / 2) / gamma(ndim / 2 + 1)


def capsule_volumes(half_axes: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Volume of each capsule: a ball and a cylinder.

    >>> capsule_volumes(np.array([[1.5, 0.0]]), np.array([1.0])).round(4)
    array([9.1416])
    """
    ndim = half_axes.shape[1]
    cores = 2 * np.linalg.norm(half_axes, axis=1)
    return ball_volume(ndim) * radii**ndim + ball_volume(ndim - 1) * radii ** (ndim - 1) * cores


def paint(field: np.ndarray, center: np.ndarray, half_axis: np.ndarray, radius: float) -> int:
    """Lower ``field`` to distance / radius inside one capsule; count the voxels newly below 1.

    The box is periodic, and longer than the capsule along each axis; voxel i is judged by its
    middle, i + 1/2.

    >>> field = np.full(6, np.inf)
    >>> paint(field, np.array([0.0]), np.array([0.0]), 1.0), field
    (2, array([0.5, inf, inf, inf, inf, 0.5]))
    """
    reach = np.abs(half_axis) + radius
    first = np.ceil(center - reach - 0.5).astype(int)
    last = np.floor(center + reach - 0.5).astype(int)
    index = [np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]
    offsets = np.ix_(*(i + 0.5 - c for i, c in zip(index, center, strict=True)))
    along: np.ndarray | float = 0.0
    if half_axis.any():
        along = sum(o * h for o, h in zip(offsets, half_axis, strict=True)) / (half_axis**2).sum()
        along = np.clip(along, -1, 1)
    squared = sum((o - along * h) ** 2 for o, h in zip(offsets, half_axis, strict=True))
    scaled = np.sqrt(squared) / radius
    where = np.ix_(*(i % n for i, n in zip(index, field.shape, strict=True)))
    before = field[where]
    field[where] = np.minimum(before, np.where(scaled <= 1, scaled, np.inf))
    return int(((scaled <= 1) & (before > 1)).sum())


def contacts(
    centers: np.ndarray, half_axes: np.ndarray, reach: float, shape: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs i < j of segments whose centers are within ``reach``, and the shortest vector i - j.

    Every periodic image of j counts as a pair of its own. No two images of one segment come
    within reach as long as it is shorter than the box.

    >>> first, second, apart = contacts(
    ...     np.array([[0.5, 1.0], [5.5, 1.0]]), np.zeros((2, 2)), 2.0, (6, 6))
    >>> first, second, apart
    (array([0], dtype=int32), array([1], dtype=int32), array([[1., 0.]]))
    """
    box = np.array(shape, dtype=float)
    owners, images = [np.arange(len(centers))], [centers % box]
    for axis, n in enumerate(box):
        seen, at = np.concatenate(owners), np.concatenate(images)
        for shift, near in ((n, at[:, axis] < reach), (-n, at[:, axis] > n - reach)):
            moved = at[near]
            moved[:, axis] += shift
            owners.append(seen[near])
            images.append(moved)
    owner, image = np.concatenate(owners), np.concatenate(images)
    close = cKDTree(images[0]).sparse_distance_matrix(
        cKDTree(image), reach, output_type="coo_matrix"
    )
    first, copy = close.row, close.col
    second = owner[copy].astype(first.dtype)
    keep = first < second
    first, second, copy = first[keep], second[keep], copy[keep]
    between = images[0][first] - image[copy]
    return first, second, between + _across(between, half_axes[first], half_axes[second])


def _across(between: np.ndarray, h1: np.ndarray, h2: np.ndarray) -> np.ndarray:
    """From the vector between two centers to the shortest one between the segments, the change.

    Minimizes |between + s h1 - t h2| over s, t in [-1, 1]: the free minimum along both lines, s
    clamped, the best t for it, and where that is clamped the best s for it again.
    """
    a, b, e = (h1 * h1).sum(1), (h1 * h2).sum(1), (h2 * h2).sum(1)
    c, f = (h1 * between).sum(1), (h2 * between).sum(1)

    def ratio(above: np.ndarray, below: np.ndarray, least: np.ndarray | float) -> np.ndarray:
        return np.divide(above, below, out=np.zeros_like(above), where=below > least)

    s = np.clip(ratio(b * f - c * e, a * e - b * b, 1e-12 * a * e), -1, 1)
    t = ratio(b * s + f, e, 0.0)
    inside = np.abs(t) <= 1
    t = np.clip(t, -1, 1)
    s = np.where(inside & (e > 0), s, np.clip(ratio(b * t - c, a, 0.0), -1, 1))
    return s[:, None] * h1 - t[:, None] * h2
