"""Orientations as Euler angles, quaternions and matrices, lazily."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from mksdask import euler_angles
from mksdask.errors import DataError
from mksdask.lazy import ArrayLike, lift
from mksdask.orientation.layout import ATTRS, LABELS, leading_dims

EULER = {"euler": 3}
QUATERNION = {"quaternion": 4}
MATRIX = {"crystal_axis": 3, "sample_axis": 3}
_COORDS: dict[str, Any] = {
    "euler": LABELS,
    "quaternion": {"quaternion": ("quaternion", ["w", "x", "y", "z"])},
    "crystal_axis": {},
}
# How far from a rotation a quaternion's or matrix's entries may be by rounding.
_TOLERANCE = 1e-4


def to_quaternion(orientation: ArrayLike) -> ArrayLike:
    """Bunge Euler angles (..., euler) to unit quaternions (..., quaternion), w x y z with w >= 0.

    q = (cos(Phi/2) cos s, sin(Phi/2) cos d, sin(Phi/2) sin d, cos(Phi/2) sin s) with
    s = (phi1 + phi2)/2 and d = (phi1 - phi2)/2: the turn of the sample's axes onto the crystal's.

    >>> to_quaternion(np.array([np.pi / 2, 0, np.pi / 2])).round(6)
    array([0., 0., 0., 1.])
    """
    kernel = partial(
        _converted, convert=euler_angles.euler_to_quaternion, check=euler_angles.checked_angles
    )
    return _lifted(kernel, orientation, EULER, QUATERNION)


def from_quaternion(quaternion: ArrayLike) -> ArrayLike:
    """Quaternions (..., 4), w x y z, to Euler angles with phi1, phi2 in [0, 2 pi), Phi in [0, pi].

    >>> from_quaternion(np.array([0.0, 1, 0, 0])).round(6)
    array([0.      , 3.141593, 0.      ])
    """
    kernel = partial(_converted, convert=euler_angles.quaternion_to_euler, check=_checked_unit)
    return _lifted(kernel, quaternion, QUATERNION, EULER, "quaternion")


def to_matrix(orientation: ArrayLike) -> ArrayLike:
    """Euler angles to orientation matrices g: crystal components = g @ sample components.

    g = Z(phi2) X(Phi) Z(phi1).

    >>> to_matrix(np.array([np.pi / 2, 0, 0])).round(6) + 0
    array([[ 0.,  1.,  0.],
           [-1.,  0.,  0.],
           [ 0.,  0.,  1.]])
    """
    kernel = partial(
        _converted, convert=euler_angles.euler_to_matrix, check=euler_angles.checked_angles
    )
    return _lifted(kernel, orientation, EULER, MATRIX)


def from_matrix(matrix: ArrayLike) -> ArrayLike:
    """Orientation matrices (..., 3, 3) to Euler angles.

    >>> from_matrix(np.eye(3))
    array([0., 0., 0.])
    """
    kernel = partial(_converted, convert=euler_angles.matrix_to_euler, check=_checked_rotation)
    return _lifted(kernel, matrix, MATRIX, EULER, "matrix")


def _lifted(
    kernel: Callable[..., np.ndarray],
    data: ArrayLike,
    given: dict[str, int],
    wanted: dict[str, int],
    name: str = "orientation",
) -> ArrayLike:
    leading = leading_dims(data, given, name)
    single = np.dtype(data.dtype) in (np.float32, np.float16)
    dtype = np.dtype(np.float32 if single else np.float64)
    return lift(
        partial(kernel, dtype=dtype),
        data,
        dims=[(*leading, *given)],
        out_dims=(*leading, *wanted),
        sizes=wanted,
        dtype=dtype,
        coords=_COORDS[next(iter(wanted))],
        attrs=(data.attrs if isinstance(data, xr.DataArray) else {})
        | (ATTRS if wanted is EULER else {}),
        name=next(iter(wanted)),
    )


def _converted(
    block: np.ndarray,
    *,
    convert: Callable[[np.ndarray], np.ndarray],
    check: Callable[[np.ndarray], np.ndarray],
    dtype: np.dtype,
) -> np.ndarray:
    return convert(check(block)).astype(dtype, copy=False)


def _checked_unit(quaternion: np.ndarray) -> np.ndarray:
    quaternion = np.asarray(quaternion, float)
    apart = np.abs((quaternion**2).sum(axis=-1) - 1).max(initial=0.0)
    if not apart < _TOLERANCE:
        raise DataError(
            f"quaternions differ from unit length (by up to {apart:g} in their squares); wanted "
            "w x y z of length 1: normalize them, and fill or leave out NaN"
        )
    return quaternion


def _checked_rotation(matrix: np.ndarray) -> np.ndarray:
    matrix = np.asarray(matrix, float)
    apart = np.abs(matrix @ np.swapaxes(matrix, -1, -2) - np.eye(3)).max(initial=0.0)
    if not apart < _TOLERANCE or (np.linalg.det(matrix) < 0).any():
        raise DataError(
            f"matrices are not rotations (g g^T differs from 1 by up to {apart:g}); wanted "
            "orthogonal matrices of determinant 1"
        )
    return matrix
