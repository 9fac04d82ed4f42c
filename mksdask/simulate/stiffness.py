"""Stiffness matrices: from moduli and symmetry classes, reduced to the plane, rotated, checked.

Voigt order xx yy zz yz xz xy with engineering shear: stress = C strain, gamma_xy = 2 eps_xy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mksdask.euler_angles import euler_to_matrix

TENSOR = {2: ("xx", "yy", "xy"), 3: ("xx", "yy", "zz", "yz", "xz", "xy")}
IN_PLANE = [0, 1, 5]
OUT_OF_PLANE_SHEAR = [3, 4]
PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def isotropic(youngs_modulus: float, poissons_ratio: float) -> np.ndarray:
    """Stiffness of an isotropic solid: lambda = E nu / ((1 + nu)(1 - 2 nu)), mu = E / (2 (1 + nu)).

    >>> isotropic(2.5, 0.25)[:2, :2]
    array([[3., 1.],
           [1., 3.]])
    """
    e, nu = float(youngs_modulus), float(poissons_ratio)
    if not (np.isfinite(e) and e > 0):
        raise ValueError(
            f"youngs_modulus is {e:g}; wanted a positive, finite number: for a void take a small "
            "one, say 1e-4 of the others, for a rigid phase a large one"
        )
    if not -1 < nu < 0.5:
        raise ValueError(
            f"poissons_ratio is {nu:g}; wanted a number between -1 and 0.5, both excluded: for a "
            "nearly incompressible phase take 0.499"
        )
    lam, mu = e * nu / ((1 + nu) * (1 - 2 * nu)), e / (2 * (1 + nu))
    return cubic(lam + 2 * mu, lam, mu)


def cubic(c11: float, c12: float, c44: float) -> np.ndarray:
    """Stiffness of a cubic crystal in its own axes.

    >>> copper = cubic(168.4, 121.4, 75.4)
    >>> float(copper[0, 1]), float(copper[3, 3])
    (121.4, 75.4)
    """
    c = np.zeros((6, 6))
    c[:3, :3] = c12
    c[range(3), range(3)] = c11
    c[range(3, 6), range(3, 6)] = c44
    return checked(c)


def hexagonal(c11: float, c12: float, c13: float, c33: float, c44: float) -> np.ndarray:
    """Stiffness of a hexagonal (transversely isotropic) crystal with its axis along z.

    >>> titanium = hexagonal(162.4, 92.0, 69.0, 180.7, 46.7)
    >>> float(titanium[5, 5])  # (c11 - c12) / 2
    35.2
    """
    c = np.zeros((6, 6))
    c[:2, :2] = c12
    c[range(2), range(2)] = c11
    c[:2, 2] = c[2, :2] = c13
    c[2, 2] = c33
    c[3, 3] = c[4, 4] = c44
    c[5, 5] = (c11 - c12) / 2
    return checked(c)


def checked(stiffness: Any, name: str = "stiffness") -> np.ndarray:
    """Return a symmetric positive definite Voigt matrix, or say what is wrong with it.

    >>> checked(np.eye(6)).shape
    (6, 6)
    """
    c = np.asarray(stiffness, float)
    if c.shape not in ((6, 6), (3, 3)):
        raise ValueError(
            f"{name} has shape {c.shape}; wanted (6, 6) in the order xx yy zz yz xz xy, or for "
            "cells in the plane (3, 3) in the order xx yy xy"
        )
    if not np.isfinite(c).all():
        raise ValueError(f"{name} holds NaN or infinity; wanted finite constants")
    if not np.allclose(c, c.T, rtol=1e-8, atol=1e-8 * abs(c).max()):
        raise ValueError(f"{name} is not symmetric; wanted C_ij = C_ji")
    c = (c + c.T) / 2
    lowest = np.linalg.eigvalsh(c)[0]
    if lowest <= 0:
        raise ValueError(
            f"{name} is not positive definite (smallest eigenvalue {lowest:g}); wanted a stable "
            "material: check the order of the constants"
        )
    return c


def rotated(stiffness: np.ndarray, euler: np.ndarray) -> np.ndarray:
    """Stiffness in the axes of the sample of crystals with Bunge Euler angles (phi1, Phi, phi2).

    C_ijkl = g_ai g_bj g_ck g_dl C'_abcd, with g = Z(phi2) X(Phi) Z(phi1) taking sample axes to
    crystal axes. ``stiffness`` (..., 6, 6) and ``euler`` (..., 3), in radians, broadcast.

    >>> turned = rotated(hexagonal(162.4, 92.0, 69.0, 180.7, 46.7), np.array([0, np.pi / 2, 0]))
    >>> turned[1, 1].round(6)  # the axis has gone from z to y
    np.float64(180.7)
    """
    r = np.swapaxes(rotation(euler), -1, -2)  # crystal to sample
    first, second = np.array(PAIRS).T
    # stress_P = sum_Q m_PQ stress'_Q: both orders of an off-diagonal pair count
    m = r[..., first[:, None], first] * r[..., second[:, None], second]
    swapped = r[..., first[:, None], second] * r[..., second[:, None], first]
    m = m + np.where(first == second, 0.0, swapped)
    return m @ stiffness @ np.swapaxes(m, -1, -2)


def rotation(euler: np.ndarray) -> np.ndarray:
    """Bunge's orientation matrix g (..., 3, 3): crystal components = g @ sample components.

    >>> rotation(np.array([np.pi / 2, 0, 0])).round(12) @ [0, 1, 0]
    array([1., 0., 0.])
    """
    return euler_to_matrix(euler)


def in_plane(stiffness: np.ndarray, plane: str, rounding: float = 1e-9) -> np.ndarray:
    """3 x 3 stiffness (..., xx yy xy) of cells in the plane, from 6 x 6 ones.

    Plane strain keeps the rows and columns in the plane; plane stress eliminates zz:
    C_ij - C_i3 C_3j / C_33. Materials which couple the plane to shear out of it, by more than
    ``rounding`` of the largest constant, have no plane problem and are refused.

    >>> in_plane(isotropic(1.0, 0.3), "stress")[0, 0].round(6)  # E / (1 - nu^2)
    np.float64(1.098901)
    """
    coupling = stiffness[..., [0, 1, 2, 5], :][..., OUT_OF_PLANE_SHEAR]
    if np.abs(coupling).max(initial=0.0) > rounding * np.abs(stiffness).max(initial=0.0):
        raise ValueError(
            "the stiffness couples the plane to shear out of it (c14, c15, c24, c25, c34, c35, "
            "c46 or c56 is not zero), so there is no plane problem: solve a 3D cell one voxel thick"
        )
    c = stiffness[..., IN_PLANE, :][..., IN_PLANE]
    if plane == "strain":
        return c
    across = stiffness[..., IN_PLANE, 2]
    return c - across[..., :, None] * across[..., None, :] / stiffness[..., 2, 2, None, None]


def isotropic_average(stiffness: np.ndarray) -> np.ndarray:
    """Mean of a stiffness over all orientations (Voigt average).

    >>> np.allclose(isotropic_average(isotropic(1.0, 0.3)), isotropic(1.0, 0.3))
    True
    """
    direct = np.trace(stiffness[:3, :3])
    cross = stiffness[0, 1] + stiffness[0, 2] + stiffness[1, 2]
    bulk = (direct + 2 * cross) / 9
    shear = (direct - cross + 3 * np.trace(stiffness[3:, 3:])) / 15
    return cubic(bulk + 4 * shear / 3, bulk - 2 * shear / 3, shear)
