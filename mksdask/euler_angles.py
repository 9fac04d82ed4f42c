"""Bunge Euler angles, quaternions and orientation matrices: the formulas, on NumPy arrays.

An orientation is written as

- Bunge's angles (phi1, Phi, phi2) in radians: turns about Z, then X', then Z'' which bring the axes
  of the sample onto those of the crystal;
- the matrix g = Z(phi2) X(Phi) Z(phi1), crystal components = g @ sample components;
- the unit quaternion (w, x, y, z), w >= 0, of the same turn of the axes, so that the active
  rotation by it is g transposed.

Angles come from half their sum and half their difference, each of which is well defined where the
other is not: at Phi = 0 and Phi = pi (gimbal lock) nothing is lost.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from mksdask.errors import DataError

# Twice the usual range of Euler angles in radians; in degrees some angle is beyond it.
_LARGEST_ANGLE = 4 * np.pi


def euler_to_quaternion(euler: np.ndarray) -> np.ndarray:
    """(..., 3) to (..., 4).

    >>> euler_to_quaternion(np.array([0, np.pi / 2, 0])).round(6)
    array([0.707107, 0.707107, 0.      , 0.      ])
    """
    phi1, phi, phi2 = np.moveaxis(np.asarray(euler, float), -1, 0)
    half, total, apart = phi / 2, (phi1 + phi2) / 2, (phi1 - phi2) / 2
    cosine, sine = np.cos(half), np.sin(half)
    q = np.stack(
        [
            cosine * np.cos(total),
            sine * np.cos(apart),
            sine * np.sin(apart),
            cosine * np.sin(total),
        ],
        axis=-1,
    )
    return with_positive_scalar(q)


def quaternion_to_euler(quaternion: np.ndarray) -> np.ndarray:
    """(..., 4) to (..., 3), with phi1 and phi2 in [0, 2 pi) and Phi in [0, pi].

    Where Phi is 0 (pi), only phi1 + phi2 (phi1 - phi2) is defined, and phi2 = 0 is chosen.

    >>> quaternion_to_euler(np.array([1.0, 0, 0, 1])).round(6)  # any length
    array([1.570796, 0.      , 0.      ])
    """
    w, x, y, z = np.moveaxis(np.asarray(quaternion, float), -1, 0)
    across, along = np.hypot(x, y), np.hypot(w, z)
    total = np.where(along > 0, np.arctan2(z, w), np.arctan2(y, x))
    apart = np.where(across > 0, np.arctan2(y, x), total)
    euler = np.stack([total + apart, 2 * np.arctan2(across, along), total - apart], axis=-1)
    turns = euler[..., ::2]
    turns %= 2 * np.pi
    turns[turns >= 2 * np.pi] = 0  # a tiny negative angle is rounded up to a whole turn
    return euler


def euler_to_matrix(euler: np.ndarray) -> np.ndarray:
    """(..., 3) to (..., 3, 3), rows along the axes of the crystal.

    >>> euler_to_matrix(np.array([np.pi / 2, 0, 0])).round(12) @ [0, 1, 0]
    array([1., 0., 0.])
    """
    euler = np.asarray(euler, float)
    (c1, c, c2), (s1, s, s2) = np.moveaxis(np.cos(euler), -1, 0), np.moveaxis(np.sin(euler), -1, 0)
    rows = [
        [c1 * c2 - s1 * s2 * c, s1 * c2 + c1 * s2 * c, s2 * s],
        [-c1 * s2 - s1 * c2 * c, -s1 * s2 + c1 * c2 * c, c2 * s],
        [s1 * s, -c1 * s, c],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) to (..., 4).

    >>> matrix_to_quaternion(np.eye(3))
    array([1., 0., 0., 0.])
    """
    matrix = np.asarray(matrix, float)
    flat = np.swapaxes(matrix, -1, -2).reshape(-1, 3, 3)
    q = Rotation.from_matrix(flat).as_quat(scalar_first=True) if len(flat) else np.empty((0, 4))
    return with_positive_scalar(q.reshape(*matrix.shape[:-2], 4))


def quaternion_to_matrix(quaternion: np.ndarray) -> np.ndarray:
    """(..., 4) to (..., 3, 3).

    >>> quaternion_to_matrix(np.array([1.0, 0, 0, 1])).round(12)[0]
    array([0., 1., 0.])
    """
    q = np.asarray(quaternion, float)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [w * w + x * x - y * y - z * z, 2 * (x * y + w * z), 2 * (x * z - w * y)],
        [2 * (x * y - w * z), w * w - x * x + y * y - z * z, 2 * (y * z + w * x)],
        [2 * (x * z + w * y), 2 * (y * z - w * x), w * w - x * x - y * y + z * z],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_euler(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) to (..., 3).

    >>> matrix_to_euler(np.eye(3))
    array([0., 0., 0.])
    """
    return quaternion_to_euler(matrix_to_quaternion(matrix))


def quaternion_product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Hamilton product of (..., 4) arrays; the matrices multiply in the opposite order.

    >>> quaternion_product(np.array([0.0, 1, 0, 0]), np.array([0.0, 0, 1, 0]))
    array([0., 0., 0., 1.])
    """
    a, b, c, d = np.moveaxis(first, -1, 0)
    w, x, y, z = np.moveaxis(second, -1, 0)
    return np.stack(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ],
        axis=-1,
    )


def with_positive_scalar(quaternion: np.ndarray) -> np.ndarray:
    """The one of q and -q, which are the same rotation, whose first nonzero entry is positive.

    >>> with_positive_scalar(np.array([[-0.6, 0.8, 0, 0], [0, 0, -1, 0]]))
    array([[ 0.6, -0.8, -0. , -0. ],
           [-0. , -0. ,  1. , -0. ]])
    """
    first = np.argmax(quaternion != 0, axis=-1)[..., None]
    leading = np.take_along_axis(quaternion, first, axis=-1)
    return np.where(leading < 0, -quaternion, quaternion)


def checked_angles(euler: np.ndarray) -> np.ndarray:
    """Angles in double precision, or a DataError for NaN and for what must be degrees.

    >>> checked_angles(np.array([90, 45, 0]))
    Traceback (most recent call last):
    mksdask.errors.DataError: Euler angles go from 0 to 90; wanted radians...
    """
    check_angles(euler)
    return np.asarray(euler, float)


def check_angles(euler: np.ndarray) -> None:
    """Raise that error."""
    if euler.dtype.kind not in "iuf":
        raise DataError(f"Euler angles are of type {euler.dtype}; wanted real numbers, in radians")
    if euler.size == 0:
        return
    low, high = euler.min(), euler.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        missing = ~np.isfinite(euler).all(axis=-1)
        raise DataError(
            f"{int(missing.sum())} of {missing.size} orientations are NaN or infinite in a block "
            f"of shape {euler.shape}: fill them, or leave them out (mask=, or weights of 0)"
        )
    if max(-low, high) > _LARGEST_ANGLE:
        raise DataError(
            f"Euler angles go from {low:g} to {high:g}; wanted radians. These look like degrees: "
            "convert them with np.deg2rad (or, if they are radians counted over several turns, "
            "take them modulo 2 pi)"
        )
