"""Generalized spherical harmonics of crystal orientations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np

from mksdask.bases.base import Basis, checked_count
from mksdask.bases.distinct import distinct_rows
from mksdask.bases.gsh_evaluation import BATCH, Evaluation, Harmonic, plan_evaluation
from mksdask.bases.invariants import invariants
from mksdask.euler_angles import check_angles, euler_to_matrix, matrix_to_euler
from mksdask.laue_groups import laue_group

#: Symmetries of the process that made the sample, and the groups of rotations they stand for.
SAMPLE_SYMMETRIES = {"triclinic": "triclinic", "orthotropic": "orthorhombic"}
FORMS = ("real", "complex")

Index = tuple[int, int, int]


@dataclass(frozen=True)
class GSHBasis(Basis):
    """Generalized spherical harmonics of Bunge Euler angles, symmetric as the crystal is.

    T_l^{m mu}(g) = (2 l + 1) sum_n A^l_{n mu} i^(n-m) d^l_nm(Phi) exp(i (m phi1 + n phi2)),

    with d Wigner's small functions and A^l an orthonormal basis of the harmonics of degree l that
    the rotations of the crystal leave as they are, computed from these rotations. The mean of
    conj(T) T' over all orientations is 2 l + 1 for equal functions and 0 for others.

    The functions T_l^{-m} are those of m conjugated, up to sign and the order of mu. The *real form*
    holds the same in real functions: sqrt(2) times the real part in place of the one of such a pair
    that has m > 0 (or m = 0 and the larger mu), sqrt(2) times the imaginary part in place of the
    other, and what is not zero of a function without partner.

    Parameters
    ----------
    symmetry
        Laue group of the crystal, such as "cubic" (also "m-3m" or "432"), "hexagonal",
        "orthorhombic", "triclinic".
    max_degree
        All functions of degree l up to this one.
    indices
        In its place, the functions wanted: a list of (l, m, mu), with mu from 1.
    form
        ``"real"`` or ``"complex"``.
    sample_symmetry
        ``"orthotropic"`` keeps only what is symmetric under half turns about the axes of the
        sample, as textures of rolled sheet are; m then counts these combinations from 1.

    Attributes
    ----------
    functions
        (l, m, mu) of every state, sorted by them.

    Examples
    --------
    >>> basis = GSHBasis("cubic", max_degree=4)
    >>> basis.n_states, basis.functions[:3]
    (10, ((0, 0, 1), (4, -4, 1), (4, -3, 1)))
    >>> g = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3 + np.pi / 2]])  # turned about a cube axis
    >>> np.allclose(*basis.expand(g))
    True
    """

    kind: ClassVar[str] = "gsh"
    state_dims: ClassVar[tuple[str, ...]] = ("euler",)
    state_sizes: ClassVar[tuple[int, ...]] = (3,)

    n_states: int = field(init=False, repr=False, compare=False, default=0)
    symmetry: str
    max_degree: int | None = None
    indices: tuple[Index, ...] | None = None
    form: str = "real"
    sample_symmetry: str = "triclinic"

    def __post_init__(self) -> None:
        object.__setattr__(self, "symmetry", laue_group(self.symmetry).name)
        for name, known in (("form", FORMS), ("sample_symmetry", tuple(SAMPLE_SYMMETRIES))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; wanted one of {known}")
        if (self.max_degree is None) == (self.indices is None):
            raise ValueError(
                f"max_degree is {self.max_degree} and indices is {self.indices}; wanted one of them"
            )
        if self.max_degree is not None:
            object.__setattr__(self, "max_degree", checked_count(self.max_degree, 0, "max_degree"))
        else:
            object.__setattr__(self, "indices", self._checked_indices(self.indices))
        object.__setattr__(self, "n_states", len(self.functions))

    @property
    def is_complex(self) -> bool:
        """Whether the coefficients are complex."""
        return self.form == "complex"

    @cached_property
    def functions(self) -> tuple[Index, ...]:
        """(l, m, mu) of every state."""
        if self.indices is not None:
            return self.indices
        assert self.max_degree is not None
        return tuple(f for degree in range(self.max_degree + 1) for f in self._of_degree(degree))

    @property
    def degrees(self) -> np.ndarray:
        """Degree l of every state."""
        return np.array([degree for degree, _, _ in self.functions])

    @property
    def constant(self) -> float | None:
        """1 for the function of degree 0."""
        return 1.0 if self.functions[0][0] == 0 else None

    def conjugate(self, state: int) -> tuple[int, int] | None:
        """The state of -m, with its sign.

        >>> GSHBasis("cubic", 4, form="complex").conjugate(4)  # m = -1
        (6, -1)
        """
        if not self.is_complex:
            return state, 1
        partner, sign = self._conjugate(self.functions[state])
        other = self._places.get(partner)
        return None if other is None else (other, sign)

    def turned(self, rotation: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What a rotation of the sample does to the states, if it exchanges them up to sign.

        Turns about z by quarters of a circle, and half turns about x, y and their bisectors, do so
        in the real form; for others it raises ValueError.
        """
        # More orientations than functions tell them apart; any will do.
        g = euler_to_matrix(uniform_angles(4 * self.n_states))
        before = self.expand(matrix_to_euler(g))
        after = self.expand(matrix_to_euler(g @ rotation.T))
        scale = np.linalg.norm(before, axis=0)
        overlap = (before / scale).T.conj() @ (after / scale)
        sources = np.argmax(np.abs(overlap), axis=0)
        signs = np.sign(overlap[sources, np.arange(self.n_states)].real)
        if not np.allclose(before[:, sources] * signs, after, rtol=0, atol=1e-8 * scale.max()):
            raise ValueError(
                f"{self!r} is not turned into itself up to signs by the rotation "
                f"{rotation.round(3).tolist()}; wanted the real form and rotations that keep the "
                "z axis: put the load along z, or give fewer symmetries"
            )
        return tuple(sources.tolist()), tuple(signs.astype(int).tolist())

    @cached_property
    def _places(self) -> dict[Index, int]:
        return {f: i for i, f in enumerate(self.functions)}

    def check(self, block: np.ndarray) -> None:
        """Raise DataError for NaN, and for angles that must be degrees."""
        check_angles(block)

    def coefficients(self, block: np.ndarray, states: Sequence[int]) -> np.ndarray:
        """Values of the functions ``states``; of equal orientations only once."""
        out = np.empty((len(states), *block.shape[:-1]), self.dtype(block.dtype))
        evaluation = _evaluation(self, tuple(states))
        flat = block.reshape(-1, 3)
        target = out.reshape(len(states), -1)
        found = distinct_rows(flat)
        if found is None:
            _evaluate(evaluation, flat, target)
        else:
            rows, inverse = found
            values = np.empty((len(states), len(rows)), out.dtype)
            _evaluate(evaluation, rows, values)
            np.take(values, inverse, axis=1, out=target, mode="clip")
        return out

    def _of_degree(self, degree: int) -> list[Index]:
        left, right = self._sides(degree)
        first = -degree if self.sample_symmetry == "triclinic" else 1
        return [
            (degree, first + i, 1 + j)
            for i in range(left.vectors.shape[1])
            for j in range(right.vectors.shape[1])
        ]

    def _sides(self, degree: int) -> Any:
        group = SAMPLE_SYMMETRIES[self.sample_symmetry]
        return invariants(group, degree), invariants(self.symmetry, degree)

    def _positions(self, function: Index) -> tuple[int, int]:
        degree, m, mu = function
        return m + (degree if self.sample_symmetry == "triclinic" else -1), mu - 1

    def _conjugate(self, function: Index) -> tuple[Index, int]:
        degree, m, mu = function
        left, right = self._sides(degree)
        i, j = self._positions(function)
        sign = left.signs[i] * right.signs[j]
        return (degree, m + left.partners[i] - i, mu + right.partners[j] - j), sign

    def _harmonics(self, function: Index) -> list[Harmonic]:
        """The real functions of a state: one, or real and imaginary part."""
        if self.is_complex:
            return [self._harmonic(function, imaginary, 1.0) for imaginary in (False, True)]
        partner, sign = self._conjugate(function)
        if partner == function:
            return [self._harmonic(function, sign < 0, 1.0)]
        return [self._harmonic(max(function, partner), function < partner, np.sqrt(2))]

    def _harmonic(self, function: Index, imaginary: bool, factor: float) -> Harmonic:
        left, right = self._sides(function[0])
        i, j = self._positions(function)
        return Harmonic(function[0], left.vectors[:, i], right.vectors[:, j], imaginary, factor)

    def _checked_indices(self, indices: Any) -> tuple[Index, ...]:
        wanted = "a list of (l, m, mu) such as [(0, 0, 1), (4, -4, 1)]"
        if isinstance(indices, str) or not isinstance(indices, Iterable):
            raise TypeError(f"indices is {indices!r}; wanted {wanted}")
        found: list[Index] = []
        for entry in indices:
            numbers = np.shape(entry) == (3,) and np.asarray(entry).dtype.kind in "iuf"
            if not numbers or any(v % 1 != 0 for v in entry):
                raise ValueError(f"indices has {entry!r}; wanted {wanted}")
            degree, m, mu = (int(v) for v in entry)
            known = self._of_degree(degree) if degree >= 0 else []
            if (degree, m, mu) not in known:
                raise ValueError(
                    f"indices has {(degree, m, mu)}; of degree {degree} the group "
                    f"{self.symmetry!r} has "
                    + (f"{known[0]} to {known[-1]}" if known else "no function")
                )
            found.append((degree, m, mu))
        if not found or len(set(found)) < len(found):
            raise ValueError(f"indices is {indices!r}; wanted each function once, at least one")
        return tuple(sorted(found))


def uniform_angles(n: int) -> np.ndarray:
    """``n`` orientations spread over all, always the same.

    >>> uniform_angles(2).shape
    (2, 3)
    """
    # The generalized golden ratio fills the cube evenly (Roberts 2018).
    step = 1.2207440846057596 ** -np.arange(1, 4)
    points = (0.5 + np.outer(np.arange(n), step)) % 1
    return np.stack(
        [
            2 * np.pi * points[:, 0],
            np.arccos(1 - 2 * points[:, 1]),
            2 * np.pi * points[:, 2],
        ],
        axis=-1,
    )


@lru_cache(maxsize=64)
def _evaluation(basis: GSHBasis, states: tuple[int, ...]) -> Evaluation:
    chosen = [basis.functions[h] for h in states]
    return plan_evaluation([part for f in chosen for part in basis._harmonics(f)])


def _evaluate(evaluation: Evaluation, euler: np.ndarray, out: np.ndarray) -> None:
    """Fill ``out`` (states, number) from angles (number, 3), batch by batch."""
    for start in range(0, len(euler), BATCH):
        batch = np.ascontiguousarray(euler[start : start + BATCH].T, dtype=np.float64)
        values = evaluation(batch)
        here = out[:, start : start + BATCH]
        if np.iscomplexobj(out):
            here.real, here.imag = values[::2], values[1::2]
        else:
            here[...] = values
