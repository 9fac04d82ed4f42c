"""What is remembered of samples for principal components: summaries that can be merged.

Every summary stands for the number n of samples, their mean, and their scatter
X^H X = sum_i (x_i - mean)^H (x_i - mean), where x_i are rows. :class:`Scatter` holds that matrix;
:class:`Rows` holds R with R^H R = X^H X, or nearly so once R has been truncated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg

from mksdask.errors import DataError

#: Bytes of temporaries a kernel may hold at once, besides one centred copy of a piece.
BATCH_BYTES = 32 * 2**20
#: Larger blocks are summarized piece by piece.
PIECE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Scatter:
    """Number, mean and scatter matrix of samples: for few features, exact."""

    n: int
    mean: np.ndarray
    matrix: np.ndarray

    @property
    def total(self) -> float:
        """Sum of the squared deviations of all features."""
        return float(np.trace(self.matrix).real)

    @classmethod
    def of(cls, x: np.ndarray) -> Scatter:
        """Summary of the rows of ``x``."""
        dtype = accumulator(x.dtype)
        mean = x.mean(axis=0, dtype=dtype)
        matrix = np.zeros((x.shape[1], x.shape[1]), dtype)
        for batch in batches(x):
            deviation = batch - mean
            matrix += adjoint(deviation) @ deviation
        return cls(len(x), mean, matrix)

    @classmethod
    def merged(cls, parts: Sequence[Scatter]) -> Scatter:
        """Summary of all samples of ``parts`` (Chan, Golub and LeVeque 1983)."""
        n = sum(p.n for p in parts)
        mean = sum(p.n / n * p.mean for p in parts)
        shifts = np.stack([np.sqrt(p.n) * (p.mean - mean) for p in parts])
        matrix = adjoint(shifts) @ shifts
        for p in parts:
            matrix += p.matrix
        return cls(n, np.asarray(mean), matrix)


@dataclass(frozen=True)
class Rows:
    """Number and mean of samples, and rows R with R^H R equal to their scatter, or below it.

    ``total`` is the sum of squared deviations of all features, of which the rows hold all
    (``exact``) or most.
    """

    n: int
    mean: np.ndarray
    rows: np.ndarray
    total: float
    exact: bool = True

    @property
    def lost(self) -> float:
        """Part of ``total`` that the rows no longer hold."""
        return 0.0 if self.exact else max(self.total - squares(self.rows), 0.0)

    @classmethod
    def of(cls, x: np.ndarray) -> Rows:
        """Exact summary of the rows of ``x``: one row less than samples, which the mean takes up.

        A Householder reflection that turns (1, ..., 1) into the first axis leaves the mean in the
        first row and the scatter in the others.
        """
        dtype = accumulator(x.dtype)
        n = len(x)
        mean = x.mean(axis=0, dtype=dtype)
        deviation = x - mean
        total = squares(deviation)
        # I - v v^T / v[0], v = (1 + 1/sqrt(n), 1/sqrt(n), ...), applied in place.
        root = np.sqrt(n)
        image = deviation[0] + deviation.sum(axis=0) / root
        deviation[1:] -= image / (root + 1)
        return cls(n, mean, deviation[1:], total)

    @classmethod
    def merged(cls, parts: Sequence[Rows], rank: int | None = None) -> Rows:
        """Summary of all samples of ``parts``, truncated to ``rank`` rows.

        Two summaries merge as [R1; R2; sqrt(n1 n2/(n1 + n2)) (mean1 - mean2)].
        """
        n, mean, total = parts[0].n, parts[0].mean, parts[0].total
        stacked = [parts[0].rows]
        for p in parts[1:]:
            between = np.sqrt(n * p.n / (n + p.n)) * (p.mean - mean)
            stacked += [p.rows, between[None]]
            total += p.total + squares(between)
            mean = mean + p.n / (n + p.n) * (p.mean - mean)
            n += p.n
        whole = cls(n, mean, np.concatenate(stacked), total, all(p.exact for p in parts))
        return whole if rank is None else whole.truncated(rank)

    def truncated(self, rank: int) -> Rows:
        """The ``rank`` leading directions of the rows.

        Rows U^H R, with U the leading left singular vectors, need no small singular value to be
        accurate, so the eigenvectors of R R^H will do.
        """
        if len(self.rows) <= rank:
            return self
        gram = self.rows @ adjoint(self.rows)
        m = len(gram)
        _, left = scipy.linalg.eigh(gram, subset_by_index=(m - rank, m - 1), check_finite=False)
        return replace(self, rows=adjoint(left) @ self.rows, exact=False)

    def as_scatter(self) -> Scatter:
        """The same as a matrix."""
        return Scatter(self.n, self.mean, adjoint(self.rows) @ self.rows)


Summary = Scatter | Rows


def rows_of_scatter(summary: Scatter) -> Rows:
    """The same as rows: the square root of the scatter matrix."""
    values, vectors = scipy.linalg.eigh(summary.matrix, check_finite=False)
    rows = np.sqrt(np.maximum(values, 0))[::-1, None] * adjoint(vectors[:, ::-1])
    return Rows(summary.n, summary.mean, rows[: max(summary.n - 1, 0)], summary.total)


def summary_to_saved(summary: Summary) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A summary as JSON and arrays."""
    facts: dict[str, Any] = {"summary": type(summary).__name__, "n": summary.n}
    if isinstance(summary, Scatter):
        return facts, {"mean": summary.mean, "matrix": summary.matrix}
    facts |= {"total": summary.total, "exact": summary.exact}
    return facts, {"mean": summary.mean, "rows": summary.rows}


def summary_from_saved(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Summary:
    """The summary that was saved."""
    if facts["summary"] == "Scatter":
        return Scatter(facts["n"], arrays["mean"], arrays["matrix"])
    return Rows(facts["n"], arrays["mean"], arrays["rows"], facts["total"], facts["exact"])


def accumulator(dtype: np.dtype) -> np.dtype:
    """Double precision, real or complex as ``dtype`` is."""
    return np.dtype(np.complex128 if np.dtype(dtype).kind == "c" else np.float64)


def adjoint(x: np.ndarray) -> np.ndarray:
    """Conjugate transpose, without a copy of real arrays (so that x^T x stays one array to BLAS)."""
    return x.conj().T if x.dtype.kind == "c" else x.T


def squares(x: np.ndarray) -> float:
    """Sum of |x|^2, row by row so that single precision does not add up its rounding."""
    return float(sum(np.vdot(row, row).real.astype(float) for row in np.atleast_2d(x)))


def batches(x: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of ``x`` in double precision, a few at a time."""
    dtype = accumulator(x.dtype)
    step = max(1, BATCH_BYTES // max(x.shape[1] * dtype.itemsize * 2, 1))
    for start in range(0, len(x), step):
        yield x[start : start + step].astype(dtype, copy=False)


def pieces(block: np.ndarray) -> Iterator[np.ndarray]:
    """The samples of a block as rows of floating-point features, a bounded number at a time."""
    step = max(1, PIECE_BYTES * len(block) // max(block.nbytes, 1))
    for start in range(0, len(block), step):
        piece = block[start : start + step].reshape(len(block[start : start + step]), -1)
        if piece.dtype not in (np.float32, np.complex64):
            piece = piece.astype(accumulator(piece.dtype), copy=False)
        _check_finite(piece, start, len(block))
        yield piece


def _check_finite(x: np.ndarray, start: int, n: int) -> None:
    # The sum is finite unless a value is not, or it overflows: look closely only then.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(x.sum()):
            return
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        raise DataError(
            f"NaN or infinite features in {bad.sum()} samples of a block of {n} (the first is "
            f"number {start + int(np.argmax(bad))} of it): leave these samples out, or the features "
            "(lags hidden by a mask are NaN)"
        )
