"""From a summary of samples to its principal components."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg

from mksdask.errors import DataError
from mksdask.reduction.summary import Rows, Scatter, Summary, adjoint, squares

# Entries this close to the largest count as equally large: symmetric maps have pairs of them, and
# rounding must not choose between them.
_TIE = 1e-3


class Decomposition(NamedTuple):
    """Leading singular values and right singular vectors (as rows) of centred samples."""

    singular_values: np.ndarray
    components: np.ndarray


def decompose(summary: Summary, n_components: int | float | None) -> Decomposition:
    """Principal components of the samples behind a summary, signs fixed.

    ``n_components`` as a fraction is the share of the variance to be explained; None takes every
    direction in which the samples vary.
    """
    n = summary.n
    noise = 8 * np.finfo(float).eps * np.sqrt(n * squares(summary.mean))
    count = n_components if isinstance(n_components, int) else None
    if isinstance(summary, Scatter):
        values, vectors = _of_scatter(summary, count)
        # Squares lose half the digits: what is below rounding of the largest is not known.
        floor = np.sqrt(len(summary.matrix) * np.finfo(float).eps) * values[:1].max(initial=0)
    else:
        values, vectors = _of_rows(summary)
        floor = max(summary.rows.shape) * np.finfo(float).eps * values[:1].max(initial=0)
    rank = int(np.count_nonzero(values > max(floor, noise)))
    if rank == 0:
        raise DataError(
            f"all {len(summary.mean)} features are constant over the {n} samples: there is no "
            "variance to explain"
        )
    if n_components is None:
        keep = rank
    elif isinstance(n_components, int):
        keep = n_components
        if keep > rank:
            raise DataError(
                f"n_components is {keep}, but the {n} samples vary in {rank} directions only "
                f"({_n_constant(summary, noise)} of {len(summary.mean)} features are constant): "
                f"ask for at most {rank}, or give samples that differ more"
            )
    else:
        explained = np.cumsum(values[:rank] ** 2) / summary.total
        # Rounding may leave the sum of all just below 1.
        keep = min(int(np.searchsorted(explained, n_components)) + 1, rank)
    return Decomposition(values[:keep], with_fixed_phase(vectors[:keep]))


def with_fixed_phase(vectors: np.ndarray) -> np.ndarray:
    """Each row times the sign (or phase) that makes its first largest entry positive.

    >>> with_fixed_phase(np.array([[0.6, -0.8], [-0.8, -0.6]]))
    array([[-0.6,  0.8],
           [ 0.8,  0.6]])
    """
    size = np.abs(vectors)
    first = np.argmax(size >= (1 - _TIE) * size.max(axis=1, keepdims=True), axis=1)
    pivot = np.take_along_axis(vectors, first[:, None], axis=1)
    return vectors * (np.abs(pivot) / pivot)


def _of_scatter(summary: Scatter, count: int | None) -> Decomposition:
    d = len(summary.matrix)
    subset = None if count is None else (d - count, d - 1)
    values, vectors = scipy.linalg.eigh(summary.matrix, subset_by_index=subset, check_finite=False)
    return Decomposition(np.sqrt(np.maximum(values[::-1], 0)), adjoint(vectors[:, ::-1]))


def _of_rows(summary: Rows) -> Decomposition:
    if len(summary.rows) == 0:
        return Decomposition(np.empty(0), summary.rows)
    q, r = scipy.linalg.qr(adjoint(summary.rows), mode="economic", check_finite=False)
    _, values, right = scipy.linalg.svd(adjoint(r), full_matrices=False, check_finite=False)
    return Decomposition(values, right @ adjoint(q))


def _n_constant(summary: Summary, noise: float) -> int:
    if isinstance(summary, Scatter):
        spread = np.sqrt(np.maximum(np.diagonal(summary.matrix).real, 0))
    else:
        spread = np.sqrt((np.abs(summary.rows) ** 2).sum(axis=0))
    return int(np.count_nonzero(spread <= noise))
