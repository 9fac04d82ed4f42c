"""Transforms of properties in which they are easier to learn: logarithm, position between bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from mksdask.bounds import stiffness_bounds
from mksdask.errors import DataError
from mksdask.lazy import ArrayLike, lift
from mksdask.simulate.stiffness import TENSOR

# Positions closer to a bound than this are taken to be this far from it, so that logits stay
# finite; where the bounds meet the position says nothing and is of no consequence.
_EDGE = 1e-4
# Properties may lie outside their bounds by the error of the solver.
_ALLOWED = 1e-3


class LogTarget(BaseEstimator):
    """Learn log y: errors are relative, and predictions are positive.

    Examples
    --------
    >>> t = LogTarget().transform(np.array([[1.0], [np.e]]), None)
    >>> t.ravel(), LogTarget().inverse_transform(t, None).ravel().round(3)
    (array([0., 1.]), array([1.   , 2.718]))
    """

    def references(self, phase: ArrayLike) -> None:
        """Nothing needs to be known of the samples."""

    def transform(self, y: np.ndarray, references: np.ndarray | None = None) -> np.ndarray:
        """log y of positive properties (sample, target)."""
        y = np.asarray(y, float)
        if not (y > 0).all():
            raise DataError(
                f"a property is {np.min(y):g}; wanted positive ones for LogTarget: take another "
                "target transform, or none"
            )
        return np.log(y)

    def inverse_transform(self, t: np.ndarray, references: np.ndarray | None = None) -> np.ndarray:
        """exp t."""
        return np.exp(t)


class BoundsPosition(BaseEstimator):
    """Learn where a stiffness lies between the bounds that the two-point statistics put on it.

    t = log(p / (1 - p)),    p = log(C / lower) / log(upper / lower),

    with the Hashin-Shtrikman-Willis bounds of :func:`mksdask.stiffness_bounds`. What the statistics
    say for certain, most of it at the ends of the range of volume fractions, need not be learnt,
    and no prediction violates it.

    Parameters
    ----------
    youngs_modulus, poissons_ratio, stiffness, plane
        Of the phases, as for :func:`mksdask.simulate.effective_stiffness`.
    components
        The constant that each target is, by its load: ``("xx", "xy")`` are C1111 and C1212. Only
        diagonal constants are bounded.

    Examples
    --------
    >>> checkers = np.indices((4, 4)).sum(axis=0)[None] // 2 % 2
    >>> target = BoundsPosition((1.0, 3.0), (0.0, 0.0), components=("xx",))
    >>> bounds = target.references(checkers)
    >>> t = target.transform(np.array([[1.75]]), bounds)
    >>> target.inverse_transform(t, bounds).round(6)
    array([[1.75]])
    """

    def __init__(
        self,
        youngs_modulus: Any = None,
        poissons_ratio: Any = None,
        stiffness: Any = None,
        plane: str = "strain",
        components: Sequence[str] = ("xx",),
    ):
        self.youngs_modulus = youngs_modulus
        self.poissons_ratio = poissons_ratio
        self.stiffness = stiffness
        self.plane = plane
        self.components = components

    def references(self, phase: ArrayLike) -> ArrayLike:
        """Logarithms of the bounds, (sample, reference): lower ones of all targets, then upper."""
        bounds = stiffness_bounds(
            phase,
            self.youngs_modulus,
            self.poissons_ratio,
            stiffness=self.stiffness,
            plane=self.plane,
        )
        names = self._components()
        d = 3 if bounds.shape[-1] == 6 else 2
        unknown = [c for c in names if c not in TENSOR[d]]
        if unknown:
            raise ValueError(f"components has {unknown}; wanted some of {TENSOR[d]}")
        return lift(
            _log_diagonal,
            bounds,
            dims=[("sample", "bound", "tensor", "tensor_2")],
            out_dims=("sample", "reference"),
            sizes={"reference": 2 * len(names)},
            dtype=np.float64,
            name="bounds",
            kwargs={"which": tuple(TENSOR[d].index(c) for c in names)},
        )

    def transform(self, y: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Logits of the position of log y between the bounds, (sample, target)."""
        y = np.asarray(y, float)
        lower, upper = self._split(references, y)
        outside = ~((np.log(y) > lower - _ALLOWED) & (np.log(y) < upper + _ALLOWED))
        if outside.any():
            row, column = np.argwhere(outside)[0]
            raise DataError(
                f"{outside.sum()} properties lie outside their bounds, first {y[row, column]:g} of "
                f"row {row}, which the bounds put in {np.exp(lower[row, column]):g} to "
                f"{np.exp(upper[row, column]):g}; wanted {self._components()} of periodic cells "
                "with these moduli: check moduli, components and boundary"
            )
        width = np.maximum(upper - lower, np.finfo(float).tiny)
        p = np.clip((np.log(y) - lower) / width, _EDGE, 1 - _EDGE)
        return np.log(p / (1 - p))

    def inverse_transform(self, t: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Properties at these positions, (sample, target)."""
        t = np.asarray(t, float)
        lower, upper = self._split(references, t)
        return np.exp(lower + (upper - lower) / (1 + np.exp(-np.clip(t, -40, 40))))

    def _components(self) -> tuple[str, ...]:
        given = self.components
        return (given,) if isinstance(given, str) else tuple(given)

    def _split(self, references: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = len(self._components())
        if y.ndim != 2 or y.shape[1] != n:
            raise ValueError(
                f"the properties have shape {y.shape}; wanted (sample, {n}), one for each of "
                f"components = {self._components()}"
            )
        return references[:, :n], references[:, n:]


def _log_diagonal(block: np.ndarray, *, which: tuple[int, ...]) -> np.ndarray:
    diagonal = block[:, :, list(which), list(which)]
    return np.log(diagonal).reshape(len(block), -1)
