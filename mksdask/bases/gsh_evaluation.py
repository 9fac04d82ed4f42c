"""Values of generalized spherical harmonics at many orientations.

Every real function of the basis is, with one order m >= 0,

    cos(m phi1) X(Phi, phi2) + sin(m phi1) Y(Phi, phi2),

where X and Y are short sums of cos(k Phi) (or sin) times cos(n phi2) (or sin): Wigner's functions
are trigonometric polynomials. Several functions share their X and Y. So a batch of orientations
costs a table of cosines, a few small matrix products for all different X and Y, and two
multiplications a function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mksdask.bases.wigner import fourier_coefficients
from mksdask.products import matrix_times_columns

# Orientations evaluated at once; their tables fit in the cache.
BATCH = 2048
# Coefficients below this are rounding: those of d are at most 1, times at most a few.
_ZERO = 1e-13

COSINE, SINE = 0, 1


class Column(NamedTuple):
    """The product of the cosine or sine of n phi2 and the cosine or sine of k Phi."""

    n: int
    wave: int
    k: int


@dataclass(frozen=True)
class Product:
    """Rows that are the same kind of sums: ``rows`` = ``matrix`` @ columns."""

    polar_wave: int
    columns: tuple[Column, ...]
    matrix: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Order:
    """Functions of one order m: which rows are their X and Y, with which factors, and which they are."""

    m: int
    functions: np.ndarray
    x_rows: np.ndarray
    x_factors: np.ndarray
    y_rows: np.ndarray
    y_factors: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """All that is needed to evaluate ``n_functions`` real functions."""

    n_functions: int
    n_rows: int
    products: tuple[Product, ...]
    orders: tuple[Order, ...]
    highest: tuple[int, int, int]

    def __call__(self, euler: np.ndarray) -> np.ndarray:
        """Angles (3, number) to values (n_functions, number), for up to ``BATCH`` orientations."""
        first, polar, second = (
            _multiples(angle, top) for angle, top in zip(euler, self.highest, strict=True)
        )
        n = euler.shape[1]
        rows = np.empty((self.n_rows, n))
        for product in self.products:
            columns = np.empty((len(product.columns), n))
            for out, column in zip(columns, product.columns, strict=True):
                wave, k = second[column.wave, column.n], polar[product.polar_wave, column.k]
                np.multiply(wave, k, out=out)
            rows[product.rows] = matrix_times_columns(product.matrix, columns)
        values = np.empty((self.n_functions, n))
        for order in self.orders:
            x = np.take(rows, order.x_rows, axis=0)
            x *= order.x_factors
            if order.m:
                x *= first[COSINE, order.m]
                y = np.take(rows, order.y_rows, axis=0)
                y *= order.y_factors
                y *= first[SINE, order.m]
                x += y
            values[order.functions] = x
        return values


def _multiples(angle: np.ndarray, top: int) -> np.ndarray:
    """Cosines and sines of 0 .. ``top`` times the angle: shape (2, top + 1, *angle.shape)."""
    out = np.empty((2, top + 1, *angle.shape))
    cosine, sine = out
    cosine[0], sine[0] = 1, 0
    if top:
        np.cos(angle, out=cosine[1])
        np.sin(angle, out=sine[1])
    for k in range(2, top + 1):
        # Halves rather than one step at a time: errors grow with log k.
        a, b = k // 2, k - k // 2
        np.multiply(cosine[a], cosine[b], out=cosine[k])
        cosine[k] -= sine[a] * sine[b]
        np.multiply(sine[a], cosine[b], out=sine[k])
        sine[k] += cosine[a] * sine[b]
    return out


class Harmonic(NamedTuple):
    """The real or imaginary part of ``factor`` times

    (2 l + 1) sum_mn B_m A_n i^(n-m) d^l_nm(Phi) exp(i (m phi1 + n phi2)).
    """

    degree: int
    left: np.ndarray
    right: np.ndarray
    imaginary: bool
    factor: float


def plan_evaluation(harmonics: Sequence[Harmonic]) -> Evaluation:
    """Find the different sums X and Y of ``harmonics``, and put equal kinds of sums together."""
    rows = _Rows()
    uses: dict[int, list[tuple[int, tuple[int, float], tuple[int, float]]]] = {}
    for i, harmonic in enumerate(harmonics):
        m, wave, x, y = _sums(harmonic)
        uses.setdefault(m, []).append((i, rows.number(wave, x), rows.number(wave, y)))
    products = rows.products()
    highest = (
        max(uses, default=0),
        max((c.k for p in products for c in p.columns), default=0),
        max((c.n for p in products for c in p.columns), default=0),
    )
    orders = tuple(_order(m, parts) for m, parts in sorted(uses.items()))
    return Evaluation(len(harmonics), len(rows.found), products, orders, highest)


def _order(m: int, parts: list[tuple[int, tuple[int, float], tuple[int, float]]]) -> Order:
    functions, x, y = zip(*parts, strict=True)
    (x_rows, x_factors), (y_rows, y_factors) = zip(*x, strict=True), zip(*y, strict=True)
    return Order(
        m,
        np.array(functions),
        np.array(x_rows),
        np.array(x_factors)[:, None],
        np.array(y_rows),
        np.array(y_factors)[:, None],
    )


#: Coefficients of the waves in Phi, k = 0 .. l, for each n and wave in phi2.
Sums = dict[tuple[int, int], np.ndarray]


def _sums(harmonic: Harmonic) -> tuple[int, int, Sums, Sums]:
    """Order m, wave in Phi, and the coefficients of X and Y."""
    degree = harmonic.degree
    d = fourier_coefficients(degree)
    (m,) = {abs(int(i) - degree) for i in np.flatnonzero(harmonic.left)}
    orders = (np.flatnonzero(harmonic.right) - degree).tolist()
    wave = COSINE if (orders[0] - m) % 2 == 0 else SINE
    x: Sums = {}
    y: Sums = {}
    part = np.imag if harmonic.imaginary else np.real
    for left in {m, -m}:
        for n in orders:
            size = harmonic.left[left + degree] * harmonic.right[n + degree]
            if size == 0:
                continue
            z = harmonic.factor * (2 * degree + 1) * size * 1j ** ((n - left) % 4)
            # exp(i m phi1) = cos(|m| phi1) + i sgn(m) sin(|m| phi1), and so on for n.
            for sums, turn in ((x, z), (y, 1j * np.sign(left) * z)):
                for second, spin in ((COSINE, turn), (SINE, 1j * np.sign(n) * turn)):
                    value = part(spin)
                    if value != 0:
                        more = value * d[n + degree, left + degree]
                        key = (abs(n), second)
                        sums[key] = sums[key] + more if key in sums else more
    return m, wave, x, y


class _Rows:
    """The different rows, each once, whatever factor it comes with."""

    def __init__(self) -> None:
        self.found: dict[tuple, int] = {}
        self.kinds: dict[tuple, list[tuple[int, Sums]]] = {}

    def number(self, wave: int, sums: Sums) -> tuple[int, float]:
        """Number of the row that is ``sums`` divided by the factor returned."""
        kept = {key: c for key, c in sorted(sums.items()) if np.abs(c).max() > _ZERO}
        if not kept:
            return 0, 0.0
        factor = max((c[np.argmax(np.abs(c))] for c in kept.values()), key=abs)
        # Adding zero turns -0 into 0, so that equal rows have equal bytes.
        row = {key: np.round(c / factor, 14) + 0.0 for key, c in kept.items()}
        name = (wave, *((key, c.tobytes()) for key, c in row.items()))
        if name not in self.found:
            self.found[name] = len(self.found)
            self.kinds.setdefault(_kind(wave, row), []).append((self.found[name], row))
        return self.found[name], float(factor)

    def products(self) -> tuple[Product, ...]:
        """Rows of one kind as one matrix."""
        made = []
        for (wave, *_), members in self.kinds.items():
            used = {
                Column(*key, k)
                for _, row in members
                for key, c in row.items()
                for k in np.flatnonzero(c).tolist()
            }
            columns = sorted(used)
            place = {column: j for j, column in enumerate(columns)}
            matrix = np.zeros((len(members), len(columns)))
            for i, (_, row) in enumerate(members):
                for key, c in row.items():
                    for k in np.flatnonzero(c).tolist():
                        matrix[i, place[Column(*key, k)]] = c[k]
            numbers = np.array([number for number, _ in members])
            made.append(Product(wave, tuple(columns), matrix, numbers))
        return tuple(made)


def _kind(wave: int, row: Sums) -> tuple:
    """Rows that need mostly the same columns: equal waves, one n or several, parity of k."""
    n = {key[0] for key in row}
    second = {key[1] for key in row}
    parity = {k % 2 for c in row.values() for k in np.flatnonzero(c).tolist()}
    return (
        wave,
        n.pop() if len(n) == 1 else -1,
        second.pop() if len(second) == 1 else -1,
        parity.pop() if len(parity) == 1 else -1,
    )
