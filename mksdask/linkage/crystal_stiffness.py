"""The stiffness of a turned crystal as a sum of harmonics of its orientation."""

from __future__ import annotations

from typing import Any

import numpy as np

from mksdask.bases import GSHBasis
from mksdask.bases.gsh import uniform_angles
from mksdask.simulate.stiffness import TENSOR, rotated

VOIGT = TENSOR[3]
_TOLERANCE = 1e-8


def stiffness_coefficients(stiffness: Any, basis: GSHBasis) -> np.ndarray:
    """C_h (state, 6, 6) with C(g) = sum_h C_h T_h(g), exact from degree 4 on.

    ``stiffness`` is that of the crystal in its own axes, Voigt order with engineering shear. The
    constant function has the mean over all orientations (Voigt's average).

    >>> c = np.diag([3.0, 3, 3, 0.5, 0.5, 0.5]) + np.pad(np.ones((3, 3)) - np.eye(3), (0, 3))
    >>> mean = stiffness_coefficients(c, GSHBasis("cubic", 4))[0]
    >>> mean[0, 0].round(6), mean[3, 3].round(6)  # isotropic: (C11 - C12)/2 = C44
    (np.float64(2.6), np.float64(0.7))
    """
    c = np.asarray(stiffness, float)
    if c.shape != (6, 6) or not np.allclose(c, c.T, rtol=1e-8, atol=0) or not np.isfinite(c).all():
        raise ValueError(f"stiffness is {stiffness!r}; wanted a symmetric 6 x 6 matrix")
    angles = uniform_angles(4 * basis.n_states + 100)
    turned = rotated(c, angles)
    harmonics = basis.expand(angles)
    found = np.linalg.lstsq(harmonics, turned.reshape(len(angles), -1), rcond=None)[0]
    apart = np.abs(harmonics @ found - turned.reshape(len(angles), -1)).max()
    if apart > _TOLERANCE * np.abs(c).max():
        raise ValueError(
            f"stiffness departs by {apart:.3g} from any sum of the functions of {basis!r}; wanted "
            "all functions up to degree 4, and a crystal with that symmetry"
        )
    return found.reshape(-1, 6, 6)


def stiffness_of_contrasts(
    features: str, stiffness: Any, basis: Any, labels: tuple[str, ...] | None
) -> Any:
    """Stiffness that each function of the basis stands for, as nested tuples; () if none is wanted.

    ``labels`` are those of the components of strain.
    """
    if (features == "polarization") != (stiffness is not None):
        raise ValueError(
            f"features is {features!r} and stiffness is {stiffness}; wanted the 6 x 6 "
            "stiffness of the crystal with features='polarization', and only then"
        )
    if stiffness is None:
        return ()
    if not isinstance(basis, GSHBasis) or basis.is_complex:
        raise TypeError(f"basis is {basis!r}; wanted a GSHBasis of real form")
    if labels != VOIGT:
        raise ValueError(f"y has the components {labels}; wanted all of {VOIGT}, in this order")
    found = stiffness_coefficients(stiffness, basis)
    constant = basis.constant is not None
    return tuple(tuple(map(tuple, c)) for c in found[constant:].tolist())
