"""Bounds and estimates of the stiffness from two-point statistics: Hashin-Shtrikman-Willis.

Polarize every phase r uniformly, by (C_r - C0) e_r, in a homogeneous medium C0. The best mean
strains e_r of the phases under the mean strain I satisfy

    v_r e_r + sum_s A_rs (C_s - C0) e_s = v_r I,          C = C0 + sum_r v_r (C_r - C0) e_r,

with A of :mod:`mksdask.bounds.interaction`. If C0 <= C_r for all phases, C bounds the stiffness
from below, if C0 >= C_r from above, and it sees the anisotropy of the statistics. If C = C0 it is
the self-consistent estimate (J. R. Willis, J. Mech. Phys. Solids 25, 185, 1977).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mksdask.bounds.interaction import (
    green_average,
    green_average_of,
    interactions,
    phase_powers,
    statistics_powers,
    upper_pairs,
)
from mksdask.errors import DataError
from mksdask.statistics.correlate import batches

# Steps of the self-consistent iteration; each halves the distance at worst (contrast 50).
MOST_STEPS = 500
# Volume fractions below this are rounding of single precision statistics.
EMPTY = 1e-6


def estimates(
    fractions: np.ndarray, interaction: np.ndarray, table: np.ndarray, medium: np.ndarray
) -> np.ndarray:
    """Stiffness (sample, Voigt, Voigt) by uniform polarizations in ``medium``.

    ``fractions`` (sample, phase), ``interaction`` (sample, phase, phase, Voigt, Voigt), ``table``
    (phase, Voigt, Voigt). A phase that a sample lacks does not count.
    """
    n_samples, n_phases = fractions.shape
    n = table.shape[-1]
    excess = table - medium
    present = fractions > 0
    each = np.divide(1.0, fractions, out=np.zeros_like(fractions), where=present)
    coupling = interaction @ excess * each[:, :, None, None, None]
    system = coupling.transpose(0, 1, 3, 2, 4).reshape(n_samples, n_phases * n, n_phases * n)
    system[:, range(n_phases * n), range(n_phases * n)] += 1
    right = np.tile(np.eye(n), (n_phases, 1))
    strain = np.linalg.solve(system, np.broadcast_to(right, (n_samples, *right.shape)))
    strain = strain.reshape(n_samples, n_phases, n, n)
    found = medium + np.einsum("jr,rab,jrbc->jac", fractions, excess, strain)
    return (found + found.transpose(0, 2, 1)) / 2


def bounds_of_block(
    block: np.ndarray, *, table: np.ndarray, media: np.ndarray, scale: np.ndarray, source: Source
) -> np.ndarray:
    """Estimates (sample, medium, Voigt, Voigt) in each of ``media``.

    ``table`` and ``media`` are of the unit voxels that stand for boxes, C_pq times
    ``scale``_p ``scale``_q (:attr:`mksdask.simulate.cells.ElasticPhases.scale`).
    """
    out = np.empty((len(block), len(media), *table.shape[1:]))
    for part in source.parts(block):
        fractions, powers, space = source.read(block[part])
        for n, medium in enumerate(media):
            gamma = green_average_of(tuple(map(tuple, medium.tolist())), space)
            interaction = interactions(powers, gamma, len(table))
            out[part, n] = estimates(fractions, interaction, table, medium)
    return out / np.multiply.outer(scale, scale)


def self_consistent_of_block(
    block: np.ndarray,
    *,
    table: np.ndarray,
    media: np.ndarray,
    scale: np.ndarray,
    source: Source,
    tolerance: float,
) -> np.ndarray:
    """The medium in which the estimate is the medium itself, (sample, Voigt, Voigt)."""
    out = np.empty((len(block), *table.shape[1:]))
    for i in range(len(block)):
        fractions, powers, space = source.read(block[i : i + 1])
        # Far from a fixed point one step between the bounds is as good as any.
        medium = media.mean(axis=0)
        for _ in range(MOST_STEPS):
            interaction = interactions(powers, green_average(medium, space), len(table))
            found = estimates(fractions, interaction, table, medium)[0]
            change = np.abs(found - medium).max() / np.abs(found).max()
            medium = found
            if change <= tolerance:
                break
        else:
            raise DataError(
                f"the self-consistent stiffness of a cell did not settle in {MOST_STEPS} steps "
                f"(last change {change:.1e}, wanted {tolerance:g}); use a larger tolerance"
            )
        out[i] = medium
    return out / np.multiply.outer(scale, scale)


@dataclass(frozen=True)
class Source:
    """How to read volume fractions and powers off a block: labels, or statistics of phases."""

    n_phases: int
    #: Position along ``pair`` of the pairs of all phases but the first; None for labels.
    pairs: tuple[int, ...] | None = None

    def parts(self, block: np.ndarray) -> Iterator[slice]:
        """Slices of a few samples, whose powers take little memory."""
        n_pairs = self.n_phases * (self.n_phases - 1) // 2
        return batches(len(block), 16 * int(np.prod(block.shape[1:])) * max(1, n_pairs))

    def read(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
        """Volume fractions (sample, phase), powers (sample, pair, frequency), the grid."""
        if self.pairs is None:
            low, high = int(block.min(initial=0)), int(block.max(initial=0))
            if low < 0 or high >= self.n_phases:
                raise DataError(
                    f"phase holds the label {low if low < 0 else high}, and moduli are given for "
                    f"{self.n_phases} phases; wanted labels from 0 to {self.n_phases - 1}"
                )
            fractions, powers = phase_powers(block, self.n_phases)
            return fractions, powers, block.shape[1:]
        f = block[:, list(self.pairs)].astype(np.float64)
        if not np.isfinite(f).all():
            raise DataError("the statistics hold NaN or infinity; wanted those of whole cells")
        space = f.shape[2:]
        zero = (slice(None), slice(None), *(n // 2 for n in space))
        same = [n for n, (a, b) in enumerate(upper_pairs(self.n_phases - 1)) if a == b]
        fractions = np.empty((len(f), self.n_phases))
        fractions[:, 1:] = f[zero][:, same]
        fractions[:, 0] = 1 - fractions[:, 1:].sum(axis=1)
        fractions[np.abs(fractions) < EMPTY] = 0
        return fractions, statistics_powers(f), space
