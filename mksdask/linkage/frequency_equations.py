"""Least squares at every frequency of a grid at once, from sums over samples.

A response that is a sum of convolutions, p = sum_a A_a * f_a, is a product at each frequency k,
P_c[k] = sum_a A_ac[k] F_a[k]. The best A over samples j solves the normal equations G A = b of

    G_ab[k] = sum_j conj(F_a,j[k]) F_b,j[k],    b_ac[k] = sum_j conj(F_a,j[k]) P_c,j[k],

one small system a frequency. Real fields need half of the frequencies. G and b are sums over
samples: made block by block, merged in any grouping, and continued with later samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mksdask.errors import DataError

#: Directions with less than this share of the largest eigenvalue of a frequency are not resolved.
#: It is a share of squares: amplitudes below 1e-6 of the largest are lost.
RESOLUTION = 1e-12
#: Amplitudes below so many rounding errors of the mean amplitude are taken to be zero.
ROUNDING_ERRORS = 16
#: Systems solved in one call; bounds the temporaries.
_SLAB_BYTES = 2**25
# A Cholesky factor whose smallest pivot is above this share of the largest diagonal element is
# trusted to have full rank without its eigenvalues.
_SAFE_PIVOT = 1e-6


@dataclass(frozen=True)
class Solution:
    """Coefficients (features, components, frequencies), and the rank found at each frequency."""

    coefficients: np.ndarray
    rank: np.ndarray


@dataclass
class FrequencyEquations:
    """Sums over samples of products of spectra, frequencies on one flat axis.

    ``gram`` holds G_ab for a <= b (the rest are conjugates), shape (F (F + 1) / 2, K); ``moment``
    b of shape (F, C, K); ``power`` sum_j |P_c,j|^2 of shape (C, K); all in double precision.
    ``epsilon`` is the relative precision of the spectra.

    >>> spectra = np.array([[[1, 2j, 0]], [[2, 1, 0]]])  # two samples, one feature
    >>> equations = FrequencyEquations.empty(1, 1, 3)
    >>> equations.add(spectra, 3j * spectra)
    >>> solved = equations.solve()
    >>> solved.coefficients, solved.rank
    (array([[[0.+3.j, 0.+3.j, 0.+0.j]]]), array([1, 1, 0]))
    """

    n_samples: int
    gram: np.ndarray
    moment: np.ndarray
    power: np.ndarray
    epsilon: float = float(np.finfo(float).eps)

    @classmethod
    def empty(cls, n_features: int, n_components: int, n_frequencies: int) -> FrequencyEquations:
        """Sums over no samples."""
        return cls(
            0,
            np.zeros((n_features * (n_features + 1) // 2, n_frequencies), complex),
            np.zeros((n_features, n_components, n_frequencies), complex),
            np.zeros((n_components, n_frequencies)),
        )

    @property
    def n_features(self) -> int:
        """Number F of features."""
        return len(self.moment)

    @property
    def squares(self) -> np.ndarray:
        """sum_j |F_a,j[k]|^2 of shape (F, K)."""
        return self.gram[self._places().diagonal()].real

    def add(self, features: np.ndarray, responses: np.ndarray) -> None:
        """Add samples, in place: spectra (samples, features, K) and (samples, components, K).

        Axes may be strided views; a few samples at a time keep the products in the cache.
        """
        conjugates = np.conj(features)
        pair = 0
        for a in range(self.n_features):
            self.gram[pair] += _summed_squares(features[:, a])
            for b in range(a + 1, self.n_features):
                self.gram[pair + b - a] += _summed_products(conjugates[:, a], features[:, b])
            pair += self.n_features - a
            for c in range(self.moment.shape[1]):
                self.moment[a, c] += _summed_products(conjugates[:, a], responses[:, c])
        for c in range(self.moment.shape[1]):
            self.power[c] += _summed_squares(responses[:, c])
        self.n_samples += len(features)
        for spectra in (features, responses):
            self.epsilon = max(self.epsilon, float(np.finfo(spectra.dtype).eps))

    @classmethod
    def merged(cls, parts: Sequence[FrequencyEquations]) -> FrequencyEquations:
        """Sums over the samples of all ``parts``, which stay as they are."""
        first, *others = parts
        if not others:
            return first
        gram, moment, power = first.gram.copy(), first.moment.copy(), first.power.copy()
        for part in others:
            gram += part.gram
            moment += part.moment
            power += part.power
        n_samples = sum(p.n_samples for p in parts)
        return cls(n_samples, gram, moment, power, max(p.epsilon for p in parts))

    def select(self, features: Sequence[int]) -> FrequencyEquations:
        """The equations of some of the features."""
        place = self._places()
        pairs = [place[min(a, b), max(a, b)] for i, a in enumerate(features) for b in features[i:]]
        gram = self.gram[pairs]
        flipped = [a > b for i, a in enumerate(features) for b in features[i:]]
        gram[flipped] = gram[flipped].conj()
        return FrequencyEquations(
            self.n_samples, gram, self.moment[list(features)], self.power, self.epsilon
        )

    def solve(self, ridge: float = 0.0) -> Solution:
        """Coefficients that minimize sum_j |P - sum_a A_a F_a|^2 at every frequency.

        Without ``ridge``, directions of the features that the samples do not resolve (see
        :data:`RESOLUTION`, and the rounding of the transforms) get no coefficient: the solution
        of minimum norm. With it, G_aa is raised to (1 + ridge) G_aa, whatever the scales of the
        features.
        """
        n, n_frequencies = self.n_features, self.gram.shape[1]
        floor = self.rounding_floor()
        coefficients = np.empty(self.moment.shape, complex)
        rank = np.empty(n_frequencies, int)
        step = max(1, _SLAB_BYTES // (16 * n * (n + self.moment.shape[1])))
        for start in range(0, n_frequencies, step):
            slab = slice(start, min(start + step, n_frequencies))
            systems = self._systems(slab)
            sides = self.moment[:, :, slab].transpose(2, 0, 1)
            found, rank[slab] = _solved(systems, sides, ridge, floor)
            coefficients[:, :, slab] = found.transpose(1, 2, 0)
        return Solution(coefficients, rank)

    def rounding_floor(self) -> float:
        """Eigenvalue below which there is nothing but the rounding of the transforms."""
        diagonal = self.squares
        if not np.isfinite(diagonal).all():
            raise DataError("the sums over samples are not finite: a field holds NaN or infinity")
        mean = float(diagonal.mean(axis=1).max(initial=0))
        return max((ROUNDING_ERRORS * self.epsilon) ** 2 * mean, float(np.finfo(float).tiny))

    def squared_residual(self, coefficients: np.ndarray) -> np.ndarray:
        """sum_j |P_c - sum_a A_ac F_a|^2 for each component and frequency, shape (C, K)."""
        total = self.power.copy()
        for frequencies in _slabs(self.gram.shape[1], 2**14):
            systems = self._systems(frequencies)
            a = coefficients[:, :, frequencies].transpose(2, 0, 1)
            b = self.moment[:, :, frequencies].transpose(2, 0, 1)
            total[:, frequencies] += (a.conj() * (systems @ a - 2 * b)).sum(axis=1).real.T
        return np.maximum(total, 0)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The sums as named arrays."""
        return {"gram": self.gram, "moment": self.moment, "power": self.power}

    def _places(self) -> np.ndarray:
        """Row of ``gram`` that holds the pair (a, b), a <= b."""
        n = self.n_features
        place = np.zeros((n, n), int)
        place[np.triu_indices(n)] = np.arange(n * (n + 1) // 2)
        return place

    def _systems(self, frequencies: slice) -> np.ndarray:
        """Matrices G, shape (k, F, F)."""
        n = self.n_features
        part = self.gram[:, frequencies]
        systems = np.empty((part.shape[1], n, n), complex)
        for (a, b), values in zip(zip(*np.triu_indices(n), strict=True), part, strict=True):
            systems[:, b, a] = values.conj()
            systems[:, a, b] = values
        return systems


def _summed_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if len(a) == 1:
        return a[0] * b[0]
    return np.einsum("jk,jk->k", a, b, dtype=np.complex128)


def _summed_squares(a: np.ndarray) -> np.ndarray:
    if len(a) == 1:
        return a[0].real ** 2 + a[0].imag ** 2
    squares = np.einsum("jk,jk->k", a.real, a.real, dtype=np.float64)
    squares += np.einsum("jk,jk->k", a.imag, a.imag, dtype=np.float64)
    return squares


def _slabs(n: int, step: int) -> Iterator[slice]:
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _solved(
    systems: np.ndarray, sides: np.ndarray, ridge: float, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Solutions (k, F, C) and ranks of Hermitian systems (k, F, F) with right sides (k, F, C)."""
    if ridge > 0:
        rank = _ranks(systems, floor)
        diagonal = np.einsum("kaa->ka", systems).real
        # A feature without content at a frequency has the equation ridge x = 0.
        present = diagonal > floor
        scale = np.where(present, 1 / np.sqrt(np.where(present, diagonal, 1)), 0)
        scaled = systems * scale[:, :, None] * scale[:, None, :]
        np.einsum("kaa->ka", scaled)[...] += ridge
        return scale[:, :, None] * np.linalg.solve(scaled, scale[:, :, None] * sides), rank
    if systems.shape[1] == 1:
        square = systems[:, 0, 0].real
        present = square > floor
        inverse = np.where(present, 1 / np.where(present, square, 1), 0)
        return inverse[:, None, None] * sides, present.astype(int)
    safe = _is_safe(systems, floor)
    solution = np.empty(sides.shape, complex)
    rank = np.full(len(systems), systems.shape[1])
    if safe.any():
        solution[safe] = np.linalg.solve(systems[safe], sides[safe])
    if not safe.all():
        values, vectors = np.linalg.eigh(systems[~safe])
        kept = _resolved(values, floor)
        inverse = np.where(kept, 1 / np.where(kept, values, 1), 0)
        amplitudes = inverse[:, :, None] * (vectors.conj().transpose(0, 2, 1) @ sides[~safe])
        solution[~safe] = vectors @ amplitudes
        rank[~safe] = kept.sum(axis=1)
    return solution, rank


def _ranks(systems: np.ndarray, floor: float) -> np.ndarray:
    rank = np.full(len(systems), systems.shape[1])
    safe = _is_safe(systems, floor)
    if not safe.all():
        rank[~safe] = _resolved(np.linalg.eigvalsh(systems[~safe]), floor).sum(axis=1)
    return rank


def _resolved(eigenvalues: np.ndarray, floor: float) -> np.ndarray:
    largest = eigenvalues[:, -1:]
    return eigenvalues > np.maximum(RESOLUTION * largest, floor)


def _is_safe(systems: np.ndarray, floor: float) -> np.ndarray:
    """Whether a quick look finds full rank, far from its limit."""
    try:
        factors = np.linalg.cholesky(systems)
    except np.linalg.LinAlgError:  # of one of them; the eigenvalues will tell which
        return np.zeros(len(systems), bool)
    pivots = np.einsum("kaa->ka", factors).real ** 2
    largest = np.einsum("kaa->ka", systems).real.max(axis=1)
    return pivots.min(axis=1) > np.maximum(_SAFE_PIVOT * largest, 100 * floor)
