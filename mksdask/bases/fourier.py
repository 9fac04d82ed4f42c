"""Complex exponentials of a periodic scalar local state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mksdask.bases.base import ScalarBasis, scaled


@dataclass(frozen=True)
class FourierBasis(ScalarBasis):
    """Complex exponentials, for a local state that is periodic on its domain (an angle).

    m_l(x) = exp(2 pi i l (x - a)/(b - a)),  l = 0, 1, -1, 2, -2, ...

    Parameters
    ----------
    n_states
        Number of exponentials.
    domain
        Interval (a, b) of the field; a and b are the same state.

    Examples
    --------
    >>> FourierBasis(3).expand(np.array([0.0, 0.25])).round(12) + 0
    array([[1.+0.j, 1.+0.j, 1.+0.j],
           [1.+0.j, 0.+1.j, 0.-1.j]])
    """

    kind: ClassVar[str] = "fourier"

    @property
    def is_complex(self) -> bool:
        """Exponentials are."""
        return True

    @property
    def constant(self) -> float:
        """The exponential of 0."""
        return 1.0

    def frequency(self, state: int) -> int:
        """The l of a state.

        >>> [FourierBasis(5).frequency(h) for h in range(5)]
        [0, 1, -1, 2, -2]
        """
        return (state + 1) // 2 * (1 if state % 2 else -1)

    def conjugate(self, state: int) -> tuple[int, int] | None:
        """The state of -l.

        >>> FourierBasis(4).conjugate(1), FourierBasis(4).conjugate(3)
        ((2, 1), None)
        """
        other = 0 if state == 0 else state + (1 if state % 2 else -1)
        return (other, 1) if other < self.n_states else None

    def coefficients(self, block: np.ndarray, states: Sequence[int]) -> np.ndarray:
        """Exponentials of ``states``."""
        out = np.empty((len(states), *block.shape), dtype=self.dtype(block.dtype))
        angle = scaled(block, out.dtype, self.domain)
        angle *= 2 * np.pi
        for i, h in enumerate(states):
            phase = angle * self.frequency(h)
            np.cos(phase, out=out[i].real)
            np.sin(phase, out=out[i].imag)
        return out
