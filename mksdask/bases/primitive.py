"""Hat functions: one state a phase for labels, linear interpolation between states for fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mksdask.bases.base import ScalarBasis, checked_count, scaled


@dataclass(frozen=True)
class PrimitiveBasis(ScalarBasis):
    """Hat functions centred on ``n_states`` equally spaced values of the domain.

    m_h(x) = max(0, 1 - |x - c_h| / (c_1 - c_0)),  c = linspace(a, b, n_states).

    The coefficients are at least 0 and add up to 1 in every voxel. Integer labels 0 .. n - 1 (the
    default domain) become one-hot vectors: m_h is 1 in phase h and 0 elsewhere.

    Parameters
    ----------
    n_states
        Number of states, at least 2.
    domain
        Interval (a, b) of the field; (0, n_states - 1) if not given.

    Examples
    --------
    >>> PrimitiveBasis(3).expand(np.array([0, 2, 1]))
    array([[1., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]])
    >>> PrimitiveBasis(3, domain=(-1, 1)).expand(np.array([0.25]))
    array([[0.  , 0.75, 0.25]])
    """

    kind: ClassVar[str] = "primitive"
    redundant: ClassVar[bool] = True

    n_states: int = 2
    domain: tuple[float, float] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        n = checked_count(self.n_states, 2)
        if self.domain is None:
            object.__setattr__(self, "domain", (0.0, n - 1.0))
        super().__post_init__()

    def label_offset(self, dtype: Any) -> int | None:
        """Label of state 0 for integers one apart, which are expanded one-hot."""
        a, b = self.domain
        integers = np.dtype(dtype).kind in "iub"
        if integers and a.is_integer() and b - a == self.n_states - 1:
            return int(a)
        return None

    def coefficients(self, block: np.ndarray, states: Sequence[int]) -> np.ndarray:
        """Hat functions of ``states``; for labels a comparison, without arithmetic."""
        out = np.empty((len(states), *block.shape), dtype=self.dtype(block.dtype))
        offset = self.label_offset(block.dtype)
        if offset is not None:
            for i, h in enumerate(states):
                np.equal(block, h + offset, out=out[i])
            return out
        x = scaled(block, out.dtype, self.domain)
        x *= self.n_states - 1
        for i, h in enumerate(states):
            np.subtract(x, h, out=out[i])
            np.abs(out[i], out=out[i])
            np.subtract(1, out[i], out=out[i])
            np.maximum(out[i], 0, out=out[i])
        return out
