"""What products with neighbours gain, and what they cost."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import pandas as pd
from sklearn.base import clone

from mksdask import metrics
from mksdask.errors import RankDeficientWarning
from mksdask.lazy import ArrayLike
from mksdask.linkage.labelled_fields import as_field
from mksdask.linkage.localization import LocalizationModel
from mksdask.progress import compute


def neighbour_gain(
    model: LocalizationModel,
    X: ArrayLike,
    y: ArrayLike,
    held_out: tuple[ArrayLike, ArrayLike],
    neighbours: Sequence[Any] = (None, 1, 1.5),
) -> pd.DataFrame:
    """Fit a model with each choice of ``neighbours`` and judge it on held-out samples; computes now.

    Parameters
    ----------
    model
        Gives everything but the neighbours; it stays as it is.
    X, y
        Samples to calibrate on.
    held_out
        Microstructures and responses that no model has seen.
    neighbours
        Choices to compare, as for :class:`LocalizationModel`.

    Returns
    -------
    A row for each choice: ``features`` (fields a sample, hence transforms), ``r2`` and
    ``mean_absolute_strain_error`` on the held-out samples, ``fit_seconds``, ``predict_seconds``
    (of all held-out samples), and ``sums_mb``, the memory of the sums that are merged.

    Examples
    --------
    >>> import numpy as np
    >>> from mksdask.bases import PrimitiveBasis
    >>> X = np.random.default_rng(0).integers(0, 2, (40, 8, 8))
    >>> y = X * np.roll(X, 1, axis=2) + 1.0
    >>> table = neighbour_gain(
    ...     LocalizationModel(PrimitiveBasis(2)), X[:30], y[:30], (X[30:], y[30:]), [None, 1])
    >>> table.features.tolist(), table.r2.round(2).tolist()[1]
    ([1, 3], 1.0)
    """
    rows = []
    for choice in neighbours:
        candidate = clone(model).set_params(neighbours=choice)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RankDeficientWarning)  # the held-out samples tell
            candidate.fit(X, y)
        fitted = time.perf_counter()
        (predicted,) = compute(candidate.predict(held_out[0]), label="prediction")
        done = time.perf_counter()
        kernel = candidate.local_kernel_
        s, p = (as_field(a, kernel.response, kernel.space) for a in (held_out[1], predicted))
        r2, error = compute(metrics.r2(s, p), metrics.mean_absolute_strain_error(s, p))
        assert candidate.sums_ is not None
        rows.append(
            {
                "neighbours": choice,
                "features": candidate.n_features_,
                "r2": float(r2),
                "mean_absolute_strain_error": float(error),
                "fit_seconds": fitted - start,
                "predict_seconds": done - fitted,
                "sums_mb": sum(a.nbytes for a in candidate.sums_.to_saved()[1].values()) / 1e6,
            }
        )
    table = pd.DataFrame(rows)
    table["neighbours"] = pd.Series([row["neighbours"] for row in rows], dtype=object)
    return table
