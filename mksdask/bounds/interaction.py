"""How phases act on one another through a homogeneous medium: a linear functional of statistics.

With m_a^(k) the transform of the indicator of phase a and Gamma(k) the Green operator of the
medium, which turns a polarization stress into a strain,

    A_ab = 1/S^2 sum_{k != 0} Re[m_a^(k)* m_b^(k)] Gamma(k),      Gamma = N G N^T,

in Voigt notation. G is the solver's own inverse of the homogeneous voxel operator and N its mean
strain of a voxel, so that what follows from A holds for solved cells to rounding, not only in the
limit of fine grids.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from mksdask import fft
from mksdask.simulate.stiffness import PAIRS
from mksdask.statistics.correlate import batches


def half_weights(grid: Sequence[int]) -> np.ndarray:
    """How many frequencies each one of the half spectrum stands for, along its last axis.

    >>> half_weights((8, 4)), half_weights((8, 5))
    (array([1., 2., 1.]), array([1., 2., 2.]))
    """
    last = grid[-1]
    weights = np.full(last // 2 + 1, 2.0)
    weights[0] = 1
    if last % 2 == 0:
        weights[-1] = 1
    return weights


def phase_powers(labels: np.ndarray, n_phases: int) -> tuple[np.ndarray, np.ndarray]:
    """Volume fractions (sample, phase) and power (sample, pair, frequency) of labelled cells.

    Pairs (a, b) with 1 <= a <= b: the indicators sum to 1, so phase 0 follows from the others.
    Powers are Re[m_a^* m_b^] / S^2 on the half spectrum, flat, times what each frequency stands
    for.
    """
    space = labels.shape[1:]
    voxels = int(np.prod(space))
    axes = tuple(range(1, 1 + len(space)))
    pairs = upper_pairs(n_phases - 1)
    weights = half_weights(space) / voxels**2
    fractions = np.empty((len(labels), n_phases))
    frequencies = voxels // space[-1] * (space[-1] // 2 + 1)
    powers = np.empty((len(labels), len(pairs), frequencies))
    for part in batches(len(labels), 16 * voxels * max(1, n_phases - 1)):
        block = labels[part]
        spectra = []
        for a in range(1, n_phases):
            spectrum = fft.rfftn((block == a).astype(np.float64), axes=axes)
            fractions[part, a] = spectrum.reshape(len(block), -1)[:, 0].real / voxels
            spectra.append(spectrum)
        for n, (a, b) in enumerate(pairs):
            product = spectra[a].real * spectra[b].real + spectra[a].imag * spectra[b].imag
            product *= weights
            powers[part, n] = product.reshape(len(block), -1)
    fractions[:, 0] = 1 - fractions[:, 1:].sum(axis=1)
    return np.clip(fractions, 0, 1), powers


def statistics_powers(f: np.ndarray) -> np.ndarray:
    """Powers (sample, pair, frequency) of two-point statistics (sample, pair, all lags)."""
    space = f.shape[2:]
    axes = tuple(range(2, f.ndim))
    spectrum = fft.rfftn(np.fft.ifftshift(np.asarray(f, float), axes=axes), axes=axes).real
    spectrum *= half_weights(space) / np.prod(space)
    return spectrum.reshape(*f.shape[:2], -1)


def upper_pairs(n: int) -> list[tuple[int, int]]:
    """Pairs (a, b), a <= b, of n states.

    >>> upper_pairs(2)
    [(0, 0), (0, 1), (1, 1)]
    """
    return [(a, b) for a in range(n) for b in range(a, n)]


def interactions(powers: np.ndarray, gamma: np.ndarray, n_phases: int) -> np.ndarray:
    """A (sample, phase, phase, Voigt, Voigt) from powers and :func:`green_average`."""
    n_voigt = 6 if len(gamma) == 21 else 3
    rows = powers.reshape(-1, powers.shape[-1]) @ gamma.T
    tensors = np.empty((len(rows), n_voigt, n_voigt))
    upper = np.triu_indices(n_voigt)
    tensors[:, upper[0], upper[1]] = rows
    tensors[:, upper[1], upper[0]] = rows
    tensors = tensors.reshape(*powers.shape[:2], n_voigt, n_voigt)
    out = np.zeros((len(powers), n_phases, n_phases, n_voigt, n_voigt))
    for n, (a, b) in enumerate(upper_pairs(n_phases - 1)):
        out[:, a + 1, b + 1] = out[:, b + 1, a + 1] = tensors[:, n]
    # the indicators sum to 1, so each row and column of A sums to zero
    out[:, 0, 1:] = -out[:, 1:, 1:].sum(axis=1)
    out[:, 1:, 0] = out[:, 0, 1:]
    out[:, 0, 0] = -out[:, 0, 1:].sum(axis=1)
    return out


def green_average(stiffness: np.ndarray, grid: Sequence[int]) -> np.ndarray:
    """Gamma between voxel averages: upper triangle in Voigt order, then the half spectrum, flat.

    >>> green_average(np.eye(3) * 2.0, (4, 1))[0].round(3)  # 1 / C11 wherever a strain xx can be
    array([0. , 0.5, 0.5, 0.5])
    """
    from mksdask.simulate.green import green_blocks  # here, as it brings in the compiler

    blocks = green_blocks(stiffness, grid)
    d = len(grid)
    pairs = PAIRS if d == 3 else ((0, 0), (1, 1), (0, 1))
    place = {p: n for n, p in enumerate(pairs)} | {(j, i): n for n, (i, j) in enumerate(pairs)}
    n = _mean_gradient(tuple(grid))
    flat = blocks.reshape(len(blocks), -1)
    # strain_p = sum_i N_pi u_i: a normal strain has one term, an engineering shear two
    terms = [[(i, n[i])] if i == j else [(i, n[j]), (j, n[i])] for i, j in pairs]
    out = np.empty((len(pairs) * (len(pairs) + 1) // 2, flat.shape[1]))
    for row, (p, q) in enumerate(zip(*np.triu_indices(len(pairs)), strict=True)):
        out[row] = sum(a * flat[place[i, j]] * b for i, a in terms[p] for j, b in terms[q])
    return out


@lru_cache(maxsize=4)
def green_average_of(constants: tuple[tuple[float, ...], ...], grid: tuple[int, ...]) -> np.ndarray:
    """:func:`green_average` remembered for the few media that bounds are made from."""
    return green_average(np.array(constants), grid)


@lru_cache(maxsize=4)
def _mean_gradient(grid: tuple[int, ...]) -> np.ndarray:
    """Mean gradient of a multilinear element, (axis, frequency), up to a phase common to all axes.

    Along its own axis a difference, 2 sin(k/2), along the others a mean, cos(k/2).
    """
    d = len(grid)
    angles = [np.pi * np.fft.fftfreq(n) for n in grid[:-1]]
    angles.append(np.pi * np.fft.rfftfreq(grid[-1]))
    shaped = [k.reshape([-1 if a == b else 1 for b in range(d)]) for a, k in enumerate(angles)]
    factors = [
        [2 * np.sin(k) if a == axis else np.cos(k) for a, k in enumerate(shaped)]
        for axis in range(d)
    ]
    return np.stack([np.prod(np.broadcast_arrays(*f), axis=0).ravel() for f in factors])
