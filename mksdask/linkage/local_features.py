"""The real fields a localization is linear in: functions of the local state, and their products.

Of the functions of a basis, those that carry no information of their own are left out: one of a
set that adds up to 1, and constants (a constant is zero at all frequencies but k = 0, where a
localization has a constant anyway). A complex function stands for its real and imaginary part,
times sqrt(2) where its conjugate is a state too, which it then stands for as well; that turns
states into features by a unitary matrix. A real field is half the work of a complex one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mksdask.bases import Basis


@dataclass(frozen=True)
class Part:
    """A real function: a state (``part`` "whole"), or the real or imaginary part of one."""

    state: int
    part: str = "whole"
    scale: float = 1.0


@dataclass(frozen=True)
class Product:
    """The field f_a[s] f_b[s + offset] of two features of the basis."""

    first: int
    second: int
    offset: tuple[int, ...]


@dataclass(frozen=True)
class LocalFeatures:
    """Real fields made of a block of microstructures, in a fixed order.

    ``offsets`` are those of neighbours whose products are features too, after the functions of the
    basis themselves.

    >>> from mksdask.bases import LegendreBasis, PrimitiveBasis
    >>> LocalFeatures(PrimitiveBasis(2), ((1,),)).fields(np.array([[0, 1, 1, 0]]), (True,))
    array([[[1., 0., 0., 1.]],
           [[0., 0., 0., 1.]]])
    >>> [part.state for part in LocalFeatures(LegendreBasis(3)).parts]
    [1, 2]
    """

    basis: Basis
    offsets: tuple[tuple[int, ...], ...] = ()

    @cached_property
    def all_parts(self) -> tuple[Part, ...]:
        """Real functions that span those of the basis, redundant and constant ones included."""
        if not self.basis.is_complex:
            return tuple(Part(h) for h in range(self.basis.n_states))
        found = []
        for h in range(self.basis.n_states):
            other, sign = self.basis.conjugate(h) or (None, 1)
            if other == h:
                found.append(Part(h, "whole" if sign > 0 else "imag"))
            elif other is None or other > h:
                scale = 1.0 if other is None else 2**0.5
                found += [Part(h, "real", scale), Part(h, "imag", scale)]
        return tuple(found)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Functions of the basis that are features."""
        found = self.all_parts
        if self.basis.constant is not None:
            found = tuple(p for p in found if p.state != 0)
        return found[:-1] if self.basis.redundant else found

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """Products of features with those of neighbours, each once.

        Products with a left out function follow from others, as do those at the opposite offset,
        which are the same up to a shift.
        """
        n = len(self.parts)
        return tuple(
            Product(a, b, offset) for offset in self.offsets for a in range(n) for b in range(n)
        )

    @property
    def n_features(self) -> int:
        """Number of fields."""
        return len(self.parts) + len(self.products)

    @cached_property
    def from_features(self) -> np.ndarray:
        """Matrix from the features and 1 to all functions of the basis, then the products."""
        rows = len(self.all_parts) + len(self.products)
        matrix = np.zeros((rows, self.n_features + 1))
        for i, part in enumerate(self.all_parts):
            if part in self.parts:
                matrix[i, self.parts.index(part)] = 1
            elif self.basis.constant is not None:
                matrix[i, -1] = self.basis.constant
            else:
                matrix[i, : len(self.parts)], matrix[i, -1] = -1, 1
        matrix[len(self.all_parts) :, len(self.parts) : -1] = np.eye(len(self.products))
        return matrix

    @cached_property
    def to_states(self) -> np.ndarray:
        """Matrix from coefficients of all real functions of the basis to those of the states."""
        dtype = complex if self.basis.is_complex else float
        matrix: np.ndarray = np.zeros((self.basis.n_states, len(self.all_parts)), dtype)
        for i, (state, part, scale) in enumerate(
            (p.state, p.part, p.scale) for p in self.all_parts
        ):
            # a Re m + b Im m = Re((a - i b) m), shared with the conjugate if there is one.
            share = scale / 2 if scale != 1 else 1.0
            factor = {"whole": 1.0, "real": share, "imag": -1j * share}[part]
            matrix[state, i] = factor
            other, sign = self.basis.conjugate(state) or (None, 1)
            if scale != 1 and other is not None:
                matrix[other, i] = sign * np.conj(factor)
        return matrix

    @property
    def reach(self) -> tuple[int, ...]:
        """Voxels along each axis from which a product takes its values; 0 without products."""
        if not self.offsets:
            return ()
        return tuple(max(abs(t) for t in along) for along in zip(*self.offsets, strict=True))

    def fields(self, block: np.ndarray, wrap: Sequence[bool]) -> np.ndarray:
        """Checked microstructures (samples, *space, *state_dims) to (features, samples, *space).

        Along axes that do not ``wrap`` around, the nearest voxel stands in for a neighbour
        outside.
        """
        n = len(self.parts)
        states = list(dict.fromkeys(p.state for p in self.parts))
        values = self.basis.coefficients(block, states)
        if not self.basis.is_complex and not self.products:
            return values
        fields = np.empty((self.n_features, *values.shape[1:]), values.real.dtype)
        for field, part in zip(fields, self.parts, strict=False):
            value = values[states.index(part.state)]
            if part.part == "whole":
                field[...] = value.real
            else:
                np.multiply(getattr(value, part.part), field.dtype.type(part.scale), out=field)
        for field, product in zip(fields[n:], self.products, strict=True):
            other = shifted(fields[product.second], product.offset, wrap)
            np.multiply(fields[product.first], other, out=field)
        return fields

    def dtype(self, data_dtype: Any) -> np.dtype:
        """Type of the fields."""
        return np.zeros(0, self.basis.dtype(data_dtype)).real.dtype


def shifted(field: np.ndarray, offset: Sequence[int], wrap: Sequence[bool]) -> np.ndarray:
    """field[s + offset] for (samples, *space).

    >>> shifted(np.array([[0, 1, 2]]), (1,), (True,)), shifted(np.array([[0, 1, 2]]), (1,), (False,))
    (array([[1, 2, 0]]), array([[1, 2, 2]]))
    """
    for axis, (step, around) in enumerate(zip(offset, wrap, strict=True), start=1):
        if step:
            places = np.arange(field.shape[axis]) + step
            places = places % len(places) if around else np.clip(places, 0, len(places) - 1)
            field = np.take(field, places, axis=axis)
    return field
