"""What every local-state basis offers: states, domain, expansion of a block, JSON in and out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from mksdask.errors import DataError


@dataclass(frozen=True)
class Basis(ABC):
    """Functions of the local state in which a microstructure is expanded.

    m[h; s] = chi_h(x[s]) for the states h = 0 .. n_states - 1.

    Subclasses are frozen dataclasses, hence hashable, comparable and printable; their fields must
    be plain numbers, strings or tuples of them, so that :meth:`to_dict` is valid JSON. A subclass
    defines :meth:`coefficients` and, where they differ from the defaults, the class attributes.
    """

    #: Name under which the basis is written to JSON.
    kind: ClassVar[str] = ""
    #: Whether the coefficients are complex.
    is_complex: ClassVar[bool] = False
    #: Whether the coefficients of all states add up to 1 everywhere, so that one follows.
    redundant: ClassVar[bool] = False
    #: Trailing dimensions of the data that hold one local state (none for a scalar field).
    state_dims: ClassVar[tuple[str, ...]] = ()

    n_states: int

    @abstractmethod
    def coefficients(self, block: np.ndarray, states: Sequence[int]) -> np.ndarray:
        """Expand checked values: shape (..., *state_dims) to (len(states), ...).

        The states lead, so that each one is contiguous for the transforms that follow.
        """

    @abstractmethod
    def check(self, block: np.ndarray) -> None:
        """Raise :class:`~mksdask.errors.DataError` if a value is NaN or outside the domain."""

    def expand(self, block: np.ndarray) -> np.ndarray:
        """Coefficients of a block: shape (..., *state_dims) to (..., n_states)."""
        block = np.asarray(block)
        self.check(block)
        leading = self.coefficients(block, range(self.n_states))
        return np.ascontiguousarray(np.moveaxis(leading, 0, -1))

    def label_offset(self, dtype: Any) -> int | None:
        """Label of state 0 if data of ``dtype`` are labels expanded one-hot, else None."""
        return None

    @property
    def filler(self) -> float:
        """A value inside the domain, put where a mask says that there are no data."""
        return 0.0

    def dtype(self, data_dtype: Any) -> np.dtype:
        """Type of the coefficients of data of ``data_dtype``: float32 stays single precision."""
        single = np.dtype(data_dtype) in (np.float32, np.float16)
        if self.is_complex:
            return np.dtype(np.complex64 if single else np.complex128)
        return np.dtype(np.float32 if single else np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists from which :func:`basis_from_dict` makes it again."""
        fields = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"kind": self.kind, **fields}


@dataclass(frozen=True)
class ScalarBasis(Basis):
    """A basis of one real number a voxel on an interval ``domain = (a, b)``."""

    domain: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_states", checked_count(self.n_states, 1))
        object.__setattr__(self, "domain", checked_domain(self.domain))

    @property
    def filler(self) -> float:
        """Start of the domain, rounded up so that it is a valid label too."""
        a, b = self.domain
        return float(np.ceil(a)) if np.ceil(a) <= b else a

    def check(self, block: np.ndarray) -> None:
        """Raise DataError naming the values found if any is NaN or outside the domain."""
        if block.dtype == bool or block.size == 0:
            return
        if np.iscomplexobj(block):
            raise DataError(f"the field is {block.dtype}; {self!r} expands real numbers")
        low, high = block.min(), block.max()
        a, b = self.domain
        # min and max propagate NaN, and a comparison with NaN is false.
        if low >= a and high <= b:
            return
        if np.isnan(low):
            raise DataError(
                f"the field has {int(np.isnan(block).sum())} NaN values in a block of shape "
                f"{block.shape}: fill them or leave them out with mask="
            )
        raise DataError(
            f"the field has values from {low:g} to {high:g}, outside the domain "
            f"[{a:g}, {b:g}] of {self!r}: give a basis with a wider domain or clip the field"
        )


def checked_count(n_states: Any, least: int) -> int:
    """Return ``n_states`` as a Python integer, or say what is wrong with it."""
    if isinstance(n_states, bool) or not isinstance(n_states, (int, np.integer)):
        raise TypeError(f"n_states is {n_states!r}; wanted an integer of at least {least}")
    if n_states < least:
        raise ValueError(f"n_states is {n_states}; wanted an integer of at least {least}")
    return int(n_states)


def checked_domain(domain: Iterable[float]) -> tuple[float, float]:
    """Return ``domain`` as two floats a < b, or say what is wrong with it."""
    try:
        a, b = (float(x) for x in domain)
    except (TypeError, ValueError):
        raise TypeError(f"domain is {domain!r}; wanted two numbers (a, b)") from None
    if not (np.isfinite(a) and np.isfinite(b) and a < b):
        raise ValueError(f"domain is {(a, b)}; wanted two finite numbers with a < b")
    return a, b


def scaled(block: np.ndarray, dtype: Any, domain: tuple[float, float]) -> np.ndarray:
    """(x - a)/(b - a) in the real type that belongs to ``dtype``.

    >>> scaled(np.array([1, 2, 3]), np.complex128, (1, 3))
    array([0. , 0.5, 1. ])
    """
    a, b = domain
    real = np.zeros(0, dtype).real.dtype
    return (block.astype(real) - real.type(a)) * real.type(1 / (b - a))
