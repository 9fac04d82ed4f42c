"""Homogeneous media softer or stiffer than every phase, from which bounds are made.

A <= B means that B - A has no negative eigenvalue, so that no strain stores less energy in B.
"""

from __future__ import annotations

import numpy as np

from mksdask.simulate.stiffness import isotropic

# Rounding allowed for when a smallest eigenvalue is compared with zero, relative to the largest.
ROUNDING = 1e-12


def softest(table: np.ndarray) -> np.ndarray:
    """A medium C0 <= C_r for every phase r of ``table`` (phase, n, n), as stiff as simple means go.

    The softest phase if there is one; for isotropic phases whose bulk and shear moduli are not in
    the same order, the smallest of each; else the mean of the phases, scaled down until it fits.

    >>> softest(np.array([isotropic(2.0, 0.3), isotropic(1.0, 0.3)]))[5, 5].round(6)
    np.float64(0.384615)
    """
    return _extreme(table, 1.0)


def stiffest(table: np.ndarray) -> np.ndarray:
    """A medium C0 >= C_r for every phase r, as :func:`softest`.

    >>> stiffest(np.array([isotropic(2.0, 0.3), isotropic(1.0, 0.3)]))[5, 5].round(6)
    np.float64(0.769231)
    """
    return _extreme(table, -1.0)


def _extreme(table: np.ndarray, sign: float) -> np.ndarray:
    for candidate in table:
        if _is_below(sign * candidate, sign * table):
            return candidate
    pick = np.min if sign > 0 else np.max
    spheres = _as_isotropic(table)
    if spheres is not None:
        bulk, shear = (pick(m) for m in spheres)
        young = 9 * bulk * shear / (3 * bulk + shear)
        return isotropic(young, (3 * bulk - 2 * shear) / (2 * (3 * bulk + shear)))
    mean = table.mean(axis=0)
    root = np.linalg.inv(np.linalg.cholesky(mean))
    scales = np.linalg.eigvalsh(root @ table @ root.T)
    return mean * pick(scales)


def _is_below(candidate: np.ndarray, table: np.ndarray) -> bool:
    lowest = np.linalg.eigvalsh(table - candidate)[:, 0]
    return bool((lowest >= -ROUNDING * np.abs(table).max()).all())


def _as_isotropic(table: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Bulk and shear moduli (phase,), if all phases are isotropic in space."""
    if table.shape[-1] != 6:
        return None
    lam, shear = table[:, 0, 1], table[:, 5, 5]
    # Not by `isotropic`, which refuses the moduli that other materials would seem to have.
    stretch, normal = np.diag([2.0, 2, 2, 1, 1, 1]), np.zeros((6, 6))
    normal[:3, :3] = 1
    made = np.multiply.outer(lam, normal) + np.multiply.outer(shear, stretch)
    return (lam + 2 * shear / 3, shear) if np.allclose(made, table, rtol=1e-9) else None
