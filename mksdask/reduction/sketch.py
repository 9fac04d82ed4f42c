"""The leading directions of one block of samples, by a randomized range finder."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from mksdask.reduction.summary import Rows, accumulator, adjoint, squares


def sketched(x: np.ndarray, rank: int, power_iterations: int) -> Rows:
    """Summary of the rows of ``x`` truncated to about its ``rank`` leading directions.

    With D the deviations from the mean and Q an orthonormal basis of (D D^H)^q D G, where G is
    random (Halko, Martinsson and Tropp 2011, algorithm 4.4), the rows Q^H D hold as much of the
    scatter as rank-``rank`` truncation does, up to (s_rank / s_j)^(2q + 1) in direction j. What is
    left out, D^H (1 - Q Q^H) D, has no negative eigenvalue, so variances are never overestimated.

    The products are in the precision of ``x``; D is the one copy of the block that is made.
    """
    if len(x) <= 2 * rank:
        return Rows.of(x).truncated(rank)
    mean = x.mean(axis=0, dtype=accumulator(x.dtype))
    deviation = x - mean.astype(x.dtype)
    # The same test matrix for every block: blocks of equal samples give equal summaries.
    random = np.random.default_rng(0)
    real = np.float32 if x.dtype in (np.float32, np.complex64) else np.float64
    test = random.standard_normal((x.shape[1], rank), dtype=real)
    basis = _orthonormal(deviation @ test.astype(x.dtype))
    for _ in range(power_iterations):
        basis = _orthonormal(deviation @ _orthonormal(adjoint(deviation) @ basis))
    rows = (adjoint(basis) @ deviation).astype(mean.dtype)
    return Rows(len(x), mean, rows, squares(deviation), exact=False)


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    q, _ = scipy.linalg.qr(columns, mode="economic", overwrite_a=True, check_finite=False)
    return q
