"""Wigner's small d functions, and the rotation matrices of harmonics made of them.

d^l_nm(b) in the convention of Edmonds and of Bunge's P: d^1_00 = cos b, d^l(-b) = d^l(b)^T.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.special import gammaln


def wigner_small_d(degree: int, angle: np.ndarray) -> np.ndarray:
    """d^l_nm(b) for n, m = -l .. l: shape (2 l + 1, 2 l + 1, *angle.shape).

    By the three-term recurrence in the degree, which is stable upwards.

    >>> wigner_small_d(1, np.array(np.pi / 3)).round(3)[1]
    array([-0.612,  0.5  ,  0.612])
    """
    return list(small_d_functions(degree, np.asarray(angle, float)))[-1]


def small_d_functions(max_degree: int, angle: np.ndarray) -> Iterator[np.ndarray]:
    """The same for all degrees 0 .. ``max_degree``, one after the other.

    With c = cos b and k^2 = (l^2 - n^2)(l^2 - m^2):
    l k_{l+1} d^{l+1} = (2 l + 1)(l (l + 1) c - n m) d^l - (l + 1) k_l d^{l-1},
    started at l = max(|n|, |m|), where d is one product of powers of sin and cos of b/2.
    """
    n, m = np.meshgrid(*[np.arange(-max_degree, max_degree + 1)] * 2, indexing="ij")
    lowest = np.maximum(np.abs(n), np.abs(m))
    shape = (*n.shape, *(1,) * angle.ndim)
    cosine = np.cos(angle)
    first = _lowest(n, m, angle)
    here = np.zeros((*n.shape, *angle.shape))
    before = np.zeros_like(here)
    for degree in range(max_degree + 1):
        here[lowest == degree] = first[lowest == degree]
        inner = slice(max_degree - degree, max_degree + degree + 1)
        yield here[inner, inner].copy()
        known = (lowest <= degree).reshape(shape)
        up, down = (
            np.sqrt(np.clip((j**2 - n**2) * (j**2 - m**2), 0, None).astype(float)).reshape(shape)
            for j in (degree + 1, degree)
        )
        if degree == 0:  # n = m = 0: Legendre's P_1
            following = np.where(known, cosine, 0.0)
        else:
            slope = degree * (degree + 1) * cosine - (n * m).reshape(shape)
            following = (2 * degree + 1) * slope * here - (degree + 1) * down * before
            following = np.where(known, following / np.where(known, degree * up, 1), 0.0)
        before, here = here, following


def _lowest(n: np.ndarray, m: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """d^l_nm at l = max(|n|, |m|): +-sqrt(binomial) cos(b/2)^p sin(b/2)^q, p = |n + m|."""
    l = np.maximum(np.abs(n), np.abs(m))  # noqa: E741
    p, q = np.abs(n + m), np.abs(n - m)
    size = np.exp(0.5 * (gammaln(2 * l + 1) - gammaln(p + 1) - gammaln(q + 1)))
    # The sign is that of the sine where the first index is the smaller one.
    sign = np.where((n < m) | (q % 2 == 0), 1.0, -1.0)
    shape = (*n.shape, *(1,) * angle.ndim)
    cosine, sine = np.cos(angle / 2), np.sin(angle / 2)
    powers = cosine ** p.reshape(shape) * sine ** q.reshape(shape)
    return (sign * size).reshape(shape) * powers


def rotation_matrices(degree: int, euler: np.ndarray) -> np.ndarray:
    """U^l_nm(g) = i^(n-m) d^l_nm(Phi) exp(i (n phi2 + m phi1)): shape (..., 2 l + 1, 2 l + 1).

    A representation of the rotations: U(g h) = U(g) U(h) for orientation matrices g and h.

    >>> g = np.array([0.3, 1.0, -0.4])
    >>> u = rotation_matrices(2, g)
    >>> np.allclose(u @ u.conj().T, np.eye(5))
    True
    """
    euler = np.asarray(euler, float)
    phi1, phi, phi2 = np.moveaxis(euler, -1, 0)
    order = np.arange(-degree, degree + 1)
    d = np.moveaxis(wigner_small_d(degree, phi), (0, 1), (-2, -1))
    turns = np.exp(1j * order * (phi2[..., None] + np.pi / 2))
    back = np.exp(1j * order * (phi1[..., None] - np.pi / 2))
    return turns[..., :, None] * d * back[..., None, :]


@lru_cache(maxsize=256)
def fourier_coefficients(degree: int) -> np.ndarray:
    """d^l_nm(b) as a sum over k = 0 .. l: shape (2 l + 1, 2 l + 1, l + 1).

    d = sum_k c_k cos(k b) where n - m is even, sum_k c_k sin(k b) where it is odd.

    >>> fourier_coefficients(1)[1, 1].round(12) + 0  # cos b
    array([0., 1.])
    """
    size = 2 * degree + 2
    samples = wigner_small_d(degree, 2 * np.pi / size * np.arange(size))
    waves = np.outer(np.arange(degree + 1), 2 * np.pi / size * np.arange(size))
    even = samples @ np.cos(waves).T
    odd = samples @ np.sin(waves).T
    even[..., 0] /= 2
    order = np.arange(2 * degree + 1)
    is_even = (order[:, None] - order) % 2 == 0
    out = np.where(is_even[..., None], even, odd) * (2 / size)
    out.flags.writeable = False
    return out
