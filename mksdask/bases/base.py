"""What every local-state basis offers: states, domain, expansion of a block, JSON in and out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
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
    #: Whether the coefficients of all states add up to 1 everywhere, so that one follows.
    redundant: ClassVar[bool] = False
    #: Trailing dimensions of the data that hold one local state (none for a scalar field).
    state_dims: ClassVar[tuple[str, ...]] = ()
    #: Their lengths.
    state_sizes: ClassVar[tuple[int, ...]] = ()

    n_states: int

    @property
    def is_complex(self) -> bool:
        """Whether the coefficients are complex."""
        return False

    @property
    def constant(self) -> float | None:
        """Value of state 0 if it is the same everywhere, whatever the data."""
        return None

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

    def conjugate(self, state: int) -> tuple[int, int] | None:
        """State and sign whose product is the complex conjugate of this one, if it is a state."""
        return None if self.is_complex else (state, 1)

    def turned(self, rotation: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What a rotation of the sample (3, 3) does to the states: sources and signs.

        The state h of the turned sample is sign[h] times state source[h] of the sample as it was.
        States without direction, as all but those of crystals are, stay what they are.
        """
        return tuple(range(self.n_states)), (1,) * self.n_states

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
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        return {"kind": self.kind, **{k: _listed(v) for k, v in given.items()}}


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


def _listed(value: Any) -> Any:
    return [_listed(v) for v in value] if isinstance(value, tuple) else value


def checked_count(count: Any, least: int, name: str = "n_states") -> int:
    """Return ``count`` as a Python integer, or say what is wrong with it."""
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)):
        raise TypeError(f"{name} is {count!r}; wanted an integer of at least {least}")
    if count < least:
        raise ValueError(f"{name} is {count}; wanted an integer of at least {least}")
    return int(count)


def checked_state_axes(basis: Basis, shape: Sequence[int]) -> None:
    """Say it if the last axes of data of ``shape`` cannot hold one local state."""
    n = len(basis.state_sizes)
    if n and tuple(shape[-n:]) != basis.state_sizes:
        raise ValueError(
            f"data has shape {tuple(shape)}; wanted {basis.state_dims} of lengths "
            f"{basis.state_sizes} as its last axes, for {basis!r}"
        )


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
