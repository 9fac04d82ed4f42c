"""Random crystal orientations."""

from __future__ import annotations

import numpy as np


def uniform_orientations(rng: np.random.Generator, n: int) -> np.ndarray:
    """Bunge Euler angles (phi1, Phi, phi2) in radians of ``n`` uniformly random rotations.

    The invariant measure is sin(Phi) dphi1 dPhi dphi2: phi1 and phi2 are uniform in [0, 2 pi) and
    cos(Phi) in [-1, 1].

    >>> uniform_orientations(np.random.default_rng(0), 5).shape
    (5, 3)
    """
    angles = rng.random((n, 3)) * (2 * np.pi, 2.0, 2 * np.pi)
    angles[:, 1] = np.arccos(1 - angles[:, 1])
    return angles
