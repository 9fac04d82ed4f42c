"""Frequencies that symmetries take to each other: one least-squares problem for all of them.

The half spectrum of a real field falls into orbits under a group of maps of the axes. Normal
equations are brought to one frequency of each orbit and added there (``fold``): that is the sum
over all copies of the samples. Its solution gives the coefficients on the whole orbit (``unfold``),
which have the symmetry exactly. With the identity as only map this is the half spectrum itself, but
for frequencies it holds twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mksdask.linkage.frequency_equations import FrequencyEquations, Solution
from mksdask.linkage.symmetry import Action, Group


@dataclass(frozen=True)
class FrequencyOrbits:
    """Orbits of the half spectrum of a grid of ``shape``; ``n`` of them.

    ``source`` and ``opposite`` (map, frequency) tell where in the half spectrum Q^-1 k is, and
    whether it is its opposite -Q^-1 k that is there. ``place`` is the orbit of each frequency and
    ``element`` the map that takes the representative of the orbit there. ``weight`` is the number
    of frequencies of the whole spectrum in each orbit.
    """

    shape: tuple[int, ...]
    group: Group
    source: np.ndarray
    opposite: np.ndarray
    representatives: np.ndarray
    place: np.ndarray
    element: np.ndarray
    weight: np.ndarray

    @property
    def n(self) -> int:
        """Number of orbits."""
        return len(self.representatives)

    def fold(
        self, sums: FrequencyEquations, features: Sequence[Action], components: Sequence[Action]
    ) -> FrequencyEquations:
        """Sums over all copies of the samples, at the representatives.

        ``features`` and ``components`` have an action for every map of the group.
        """
        n_features, n_components = sums.moment.shape[:2]
        folded = FrequencyEquations.empty(n_features, n_components, self.n)
        rows = _rows(n_features)
        pairs = [(a, b) for a in range(n_features) for b in range(a, n_features)]
        for g, (acting, turning) in enumerate(zip(features, components, strict=True)):
            source = self.source[g, self.representatives]
            opposite = self.opposite[g, self.representatives]
            phases = self._phases(g, acting, self.representatives)
            for row, (a, b) in enumerate(pairs):
                i, j = acting.sources[a], acting.sources[b]
                values = sums.gram[rows[min(i, j), max(i, j)]][source]
                values = _conjugated(values, opposite != (i > j))
                if phases is not None:
                    values = values * (phases[a].conj() * phases[b])
                folded.gram[row] += acting.signs[a] * acting.signs[b] * values
            self._add_moved(folded.moment, sums.moment, source, opposite, acting, turning, phases)
            for c, i in enumerate(turning.sources):
                folded.power[c] += sums.power[i][source]
        folded.n_samples = sums.n_samples
        folded.epsilon = sums.epsilon
        return folded

    def unfold(
        self, values: np.ndarray, features: Sequence[Action], components: Sequence[Action]
    ) -> np.ndarray:
        """Coefficients (feature, component, orbit) on the half spectrum (.., frequency)."""
        found = np.zeros((*values.shape[:2], len(self.place)), complex)
        for g, (acting, turning) in enumerate(zip(features, components, strict=True)):
            here = np.flatnonzero(self.element == g)
            part = np.zeros((*values.shape[:2], len(here)), complex)
            phases = self._phases(g, acting, here)
            where, opposite = self.place[here], self.opposite[g, here]
            self._add_moved(part, values, where, opposite, acting, turning, phases)
            found[:, :, here] = part
        return found

    def _add_moved(
        self,
        into: np.ndarray,
        values: np.ndarray,
        source: np.ndarray,
        opposite: np.ndarray,
        acting: Action,
        turning: Action,
        phases: np.ndarray | None,
    ) -> None:
        for a, i in enumerate(acting.sources):
            for c, j in enumerate(turning.sources):
                moved = _conjugated(values[i, j][source], opposite)
                if phases is not None:
                    moved = moved * phases[a].conj()
                into[a, c] += acting.signs[a] * turning.signs[c] * moved

    def _phases(self, g: int, acting: Action, frequencies: np.ndarray) -> np.ndarray | None:
        """exp(-2 pi i q.t / N) at q = Q^-1 k of each feature's shift t."""
        if acting.shifts is None:
            return None
        back = self.group[g].back(_vectors(self.shape, frequencies))
        turns = np.zeros((len(acting.shifts), len(frequencies)))
        for q, n, steps in zip(back, self.shape, zip(*acting.shifts, strict=True), strict=True):
            turns += np.multiply.outer(np.array(steps), q) % n / n
        return np.exp(-2j * np.pi * turns)


@dataclass(frozen=True)
class Symmetrization:
    """Sums over all copies of the samples under a group of symmetries, and their solution.

    ``features`` and ``components`` tell what each map of the group does to them.
    """

    orbits: FrequencyOrbits
    features: Sequence[Action]
    components: Sequence[Action]

    def fold(self, sums: FrequencyEquations) -> FrequencyEquations:
        """Sums over all copies, at one frequency of each orbit."""
        return self.orbits.fold(sums, self.features, self.components)

    def unfold(self, coefficients: np.ndarray) -> np.ndarray:
        """Coefficients (feature, component, orbit) at all frequencies of half the spectrum."""
        return self.orbits.unfold(coefficients, self.features, self.components)

    def solve(self, sums: FrequencyEquations, ridge: float) -> Solution:
        """Coefficients for half the spectrum, from sums over the samples themselves."""
        found = self.fold(sums).solve(ridge)
        return Solution(self.unfold(found.coefficients), found.rank[self.orbits.place])

    def means(self, gram: np.ndarray, moment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations of the means, a constant the last feature, averaged over copies."""
        all_gram, all_moment = np.zeros_like(gram), np.zeros_like(moment)
        for acting, turning in zip(self.features, self.components, strict=True):
            rows = [*acting.sources, len(gram) - 1]
            signs = np.array([*acting.signs, 1])
            turned = np.multiply.outer(signs, turning.signs) * moment[rows][:, turning.sources]
            all_gram += np.multiply.outer(signs, signs) * gram[rows][:, rows]
            all_moment += turned
        return all_gram / len(self.features), all_moment / len(self.features)


@lru_cache(maxsize=8)
def frequency_orbits(shape: tuple[int, ...], group: Group) -> FrequencyOrbits:
    """The orbits of the half spectrum of a grid under a group of maps that take it to itself.

    >>> from mksdask.linkage.symmetry import grid_symmetries
    >>> frequency_orbits((5, 5), grid_symmetries((5, 5))).n
    6
    """
    half = int(np.prod(shape[:-1])) * (shape[-1] // 2 + 1)
    here = _vectors(shape, np.arange(half))
    found = [_in_half(shape, map_.back(here)) for map_ in group]
    source = np.stack([f[0] for f in found])
    opposite = np.stack([f[1] for f in found])
    element = source.argmin(axis=0)
    representatives, place = np.unique(source.min(axis=0), return_inverse=True)
    twice = 2 * here[-1] % shape[-1] != 0
    weight = np.bincount(place, weights=1 + twice)
    for array in (source, opposite, element, representatives, place, weight):
        array.flags.writeable = False
    return FrequencyOrbits(shape, group, source, opposite, representatives, place, element, weight)


def _vectors(shape: Sequence[int], flat: np.ndarray) -> tuple[np.ndarray, ...]:
    return np.unravel_index(flat, (*shape[:-1], shape[-1] // 2 + 1))


def _in_half(
    shape: Sequence[int], frequency: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Flat index in the half spectrum of k or -k, and whether it is -k.

    Where the half spectrum holds both, the one that comes first.
    """
    half = (*shape[:-1], shape[-1] // 2 + 1)
    candidates = []
    for sign in (1, -1):
        wrapped = [sign * k % n for k, n in zip(frequency, shape, strict=True)]
        inside = wrapped[-1] < half[-1]
        wrapped[-1] = np.where(inside, wrapped[-1], 0)
        flat = np.ravel_multi_index(tuple(wrapped), half)
        candidates.append(np.where(inside, flat, np.prod(half)))
    ahead, behind = candidates
    return np.minimum(ahead, behind), behind < ahead


def _rows(n: int) -> np.ndarray:
    """Row of ``gram`` that holds the pair (a, b), a <= b."""
    rows = np.zeros((n, n), int)
    rows[np.triu_indices(n)] = np.arange(n * (n + 1) // 2)
    return rows


def _conjugated(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """``values``, fresh from a selection, with some of them conjugated in place."""
    np.negative(values.imag, out=values.imag, where=where)
    return values
