"""Legendre polynomials of a scalar field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mksdask.bases.base import ScalarBasis, scaled


@dataclass(frozen=True)
class LegendreBasis(ScalarBasis):
    """Legendre polynomials, normalized so that the coefficients are those of the expansion.

    m_h(x) = (h + 1/2) P_h(t),  t = 2 (x - a)/(b - a) - 1.

    Parameters
    ----------
    n_states
        Number of polynomials, degrees 0 .. n_states - 1.
    domain
        Interval (a, b) of the field, mapped to [-1, 1].

    Examples
    --------
    >>> LegendreBasis(3, domain=(0, 2)).expand(np.array([0.0, 1.0, 2.0]))
    array([[ 0.5 , -1.5 ,  2.5 ],
           [ 0.5 ,  0.  , -1.25],
           [ 0.5 ,  1.5 ,  2.5 ]])
    """

    kind: ClassVar[str] = "legendre"

    @property
    def constant(self) -> float:
        """The polynomial of degree 0, times its norm."""
        return 0.5

    def coefficients(self, block: np.ndarray, states: Sequence[int]) -> np.ndarray:
        """Polynomials by the three-term recurrence, which is stable on [-1, 1]."""
        out = np.empty((len(states), *block.shape), dtype=self.dtype(block.dtype))
        t = 2 * scaled(block, out.dtype, self.domain) - 1
        before, here = np.zeros_like(t), np.ones_like(t)
        for degree in range(max(states, default=-1) + 1):
            for i in (i for i, h in enumerate(states) if h == degree):
                np.multiply(here, degree + 0.5, out=out[i])
            following = ((2 * degree + 1) * t * here - degree * before) / (degree + 1)
            before, here = here, following
        return out
