"""Harmonics that a crystal's rotations leave as they are, computed from the group itself."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mksdask.bases.wigner import rotation_matrices
from mksdask.euler_angles import matrix_to_euler
from mksdask.laue_groups import laue_group

# A projector's columns are either of this order or rounding.
_RANK_TOLERANCE = 1e-6


class Invariants(NamedTuple):
    """Orthonormal invariants of one degree.

    ``vectors`` (2 l + 1, number) are real, with rows n = -l .. l. The complex conjugate of the
    functions of invariant mu is ``signs[mu]`` times those of ``partners[mu]`` with -m, up to
    (-1)^m: see :func:`conjugate_of`.
    """

    vectors: np.ndarray
    partners: tuple[int, ...]
    signs: tuple[int, ...]


@lru_cache(maxsize=1024)
def invariants(symmetry: str, degree: int) -> Invariants:
    """Invariants of a Laue group in the representation of ``degree``.

    The columns of the projector P = 1/|G| sum_S U(S)^T, made orthonormal in the order n = 0, 1,
    -1, 2, -2, ..., each with a positive entry at the n it was made from, and then sorted by it. So
    the invariants of triclinic crystals are unit vectors, those of groups with two-fold axes across
    the main one mix no more than n and -n, and nothing depends on rounding.

    >>> invariants("cubic", 4).vectors[::4, 0].round(6)  # sqrt(5/24), sqrt(7/12), sqrt(5/24)
    array([0.456435, 0.763763, 0.456435])
    >>> [invariants("cubic", degree).vectors.shape[1] for degree in (4, 6, 12)]
    [1, 1, 2]
    """
    euler = matrix_to_euler(laue_group(symmetry).matrices)
    mean = rotation_matrices(degree, euler).mean(axis=0).T
    # With the settings of the groups the representation is real, or its mean is.
    assert np.abs(mean.imag).max() < _RANK_TOLERANCE
    projector = mean.real
    found: list[np.ndarray] = []
    made_from: list[int] = []
    for n in sorted(range(-degree, degree + 1), key=lambda n: (abs(n), n < 0)):
        vector = projector[:, n + degree].copy()
        for _ in range(2):  # twice is enough (Kahan)
            for other in found:
                vector -= other * (other @ vector)
        norm = np.linalg.norm(vector)
        if norm > _RANK_TOLERANCE:
            vector /= norm
            vector[np.abs(vector) < 1e-13] = 0
            found.append(vector)
            made_from.append(n)
    order = np.argsort(made_from)
    vectors = np.array([found[i] for i in order]).T.reshape(2 * degree + 1, len(found))
    return Invariants(vectors, *_conjugates(vectors, degree))


def _conjugates(vectors: np.ndarray, degree: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """conj U_nm = (-1)^(n + m) U_-n-m turns the vector A_n into (-1)^n A_-n."""
    turned = vectors[::-1] * (-1.0) ** np.arange(-degree, degree + 1)[:, None]
    overlap = vectors.T @ turned
    partners = np.argmax(np.abs(overlap), axis=0) if overlap.size else np.empty(0, int)
    signs = np.sign(overlap[partners, np.arange(len(partners))]) if overlap.size else partners
    return tuple(partners.tolist()), tuple(int(s) for s in signs)
