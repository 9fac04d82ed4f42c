"""Comparing and averaging orientations of symmetric crystals.

Turning a crystal by a rotation of its own point group gives the same crystal: orientations g and
S g are one. In quaternions that is q and q s.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import xarray as xr

from mksdask.euler_angles import (
    checked_angles,
    euler_to_quaternion,
    matrix_to_quaternion,
    quaternion_product,
    quaternion_to_euler,
    with_positive_scalar,
)
from mksdask.laue_groups import laue_group
from mksdask.lazy import ArrayLike, lift
from mksdask.orientation.layout import ATTRS, LABELS, leading_dims, sample_dims

# Orientations treated at once, each with all its equivalents.
_BATCH = 8192
# Entries of quaternions closer than this are equal.
_TIE = 1e-9
_ROUNDS = 5

_CONJUGATE = np.array([1.0, -1, -1, -1])


def misorientation_angle(
    first: ArrayLike, second: ArrayLike, symmetry: str = "triclinic"
) -> ArrayLike:
    """Smallest angle by which a crystal must be turned from one orientation to the other.

    min over S of arccos((trace(S g2 g1^T) - 1)/2), in radians, lazily.

    Parameters
    ----------
    first, second
        Bunge Euler angles (..., euler) in radians, of equal shape.
    symmetry
        Laue group of the crystals, such as "cubic".

    Examples
    --------
    >>> a, b = np.array([[0.0, 0, 0]]), np.array([[1.0, 0, np.pi / 2]])
    >>> misorientation_angle(a, b, "cubic").round(6)
    array([0.570796])
    """
    dims = leading_dims(first, {"euler": 3}, "first")
    leading_dims(second, {"euler": 3}, "second")
    return lift(
        _angles,
        first,
        second,
        dims=[(*dims, "euler")] * 2,
        out_dims=dims,
        dtype=np.float64,
        attrs={"units": "radian"},
        name="misorientation",
        kwargs={"symmetry": laue_group(symmetry).name},
    )


def fundamental_zone(orientation: ArrayLike, symmetry: str) -> ArrayLike:
    """Replace every orientation by the equivalent one with the smallest angle of rotation, lazily.

    Of several (on the border of the zone) the one with the largest x, then y, then z of its
    quaternion. Equal crystals then have equal angles, up to rounding.

    >>> fundamental_zone(np.array([[0.3 + np.pi / 2, 0, np.pi]]), "cubic").round(6)
    array([[0.3, 0. , 0. ]])
    """
    dims = leading_dims(orientation, {"euler": 3})
    return lift(
        _reduced,
        orientation,
        dims=[(*dims, "euler")],
        out_dims=(*dims, "euler"),
        dtype=np.float64,
        coords=LABELS,
        attrs=(orientation.attrs if isinstance(orientation, xr.DataArray) else {}) | ATTRS,
        name="orientation",
        kwargs={"symmetry": laue_group(symmetry).name},
    )


def mean_orientation(orientation: ArrayLike, symmetry: str = "triclinic") -> ArrayLike:
    """Mean orientation of every sample (axis 0, dimension ``sample``), lazily.

    The rotation q that maximizes sum_i (q . q_i)^2, with each q_i the equivalent closest to it:
    meant for one crystal with some spread (a grain), not for a random texture, of which no
    orientation is the mean.

    Returns
    -------
    Bunge Euler angles (sample, euler), in the fundamental zone.

    Examples
    --------
    >>> angles = np.array([[[0.1, 0.2, 0.3], [0.1, 0.2, 0.3 + np.pi / 2]]])
    >>> mean_orientation(angles, "cubic").round(6)
    array([[0.1, 0.2, 0.3]])
    """
    dims = sample_dims(orientation)
    return lift(
        _means,
        orientation,
        dims=[(*dims, "euler")],
        out_dims=(dims[0], "euler"),
        dtype=np.float64,
        coords=LABELS,
        attrs=ATTRS,
        name="mean_orientation",
        kwargs={"symmetry": laue_group(symmetry).name},
    )


@lru_cache(maxsize=16)
def _symmetry_quaternions(symmetry: str) -> np.ndarray:
    return matrix_to_quaternion(laue_group(symmetry).matrices)


def _batches(n: int) -> Iterator[slice]:
    for start in range(0, n, _BATCH):
        yield slice(start, start + _BATCH)


def _angles(first: np.ndarray, second: np.ndarray, symmetry: str) -> np.ndarray:
    shape = first.shape[:-1]
    a, b = (checked_angles(x).reshape(-1, 3) for x in (first, second))
    out = np.empty(len(a))
    for part in _batches(len(a)):
        turn = quaternion_product(
            euler_to_quaternion(a[part]) * _CONJUGATE, euler_to_quaternion(b[part])
        )
        closest = _smallest(turn, symmetry)
        out[part] = 2 * np.arctan2(np.linalg.norm(closest[:, 1:], axis=1), np.abs(closest[:, 0]))
    return out.reshape(shape)


def _smallest(q: np.ndarray, symmetry: str) -> np.ndarray:
    """The equivalents q s with the largest scalar part."""
    s = _symmetry_quaternions(symmetry)
    best = np.argmax(np.abs(q @ (s * _CONJUGATE).T), axis=1)
    return quaternion_product(q, s[best])


def _reduced(block: np.ndarray, symmetry: str) -> np.ndarray:
    flat = checked_angles(block).reshape(-1, 3)
    out = np.empty_like(flat)
    s = _symmetry_quaternions(symmetry)
    for part in _batches(len(flat)):
        q = euler_to_quaternion(flat[part])
        equal = with_positive_scalar(quaternion_product(q[:, None], s[None]))
        equal[np.abs(equal) < _TIE] = 0
        equal = with_positive_scalar(equal)
        left = np.ones(equal.shape[:2], bool)
        for entry in range(4):
            values = np.where(left, equal[..., entry], -np.inf)
            left &= values >= values.max(axis=1, keepdims=True) - _TIE
        chosen = np.argmax(left, axis=1)
        out[part] = quaternion_to_euler(equal[np.arange(len(q)), chosen])
    return out.reshape(block.shape)


def _means(block: np.ndarray, symmetry: str) -> np.ndarray:
    out = np.empty((len(block), 3))
    for target, sample in zip(out, block, strict=True):
        flat = checked_angles(sample).reshape(-1, 3)
        center = euler_to_quaternion(flat[0])
        for _ in range(_ROUNDS):
            scatter = np.zeros((4, 4))
            for part in _batches(len(flat)):
                turn = quaternion_product(center * _CONJUGATE, euler_to_quaternion(flat[part]))
                near = quaternion_product(center[None], _smallest(turn, symmetry))
                scatter += near.T @ near
            before, center = center, np.linalg.eigh(scatter)[1][:, -1]
            if abs(before @ center) > 1 - 1e-15:
                break
        target[:] = _reduced(quaternion_to_euler(center)[None], symmetry)[0]
    return out
