"""How predictions improve with the number of training samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mksdask.lazy import ArrayLike
from mksdask.linkage.homogenization import HomogenizationModel
from mksdask.linkage.material import gather
from mksdask.linkage.resampling import (
    Scoring,
    SubsetScores,
    judged,
    r_squared,
    read_splits,
    trained,
)
from mksdask.progress import watched


@dataclass(frozen=True)
class LearningCurve:
    """Outcome of :func:`learning_curve`.

    ``table`` has a row a number of training samples: ``n_train``, and mean and standard deviation
    over the splits of the scores of the samples trained on and of the samples left out:
    ``train_score``, ``train_std``, ``test_score``, ``test_std``.
    """

    table: pd.DataFrame


def learning_curve(
    model: HomogenizationModel,
    X: ArrayLike,
    y: Any,
    *,
    sizes: Sequence[float] = (0.1, 0.2, 0.4, 0.7, 1.0),
    cv: Any = 5,
    scoring: Scoring = r_squared,
    groups: Any = None,
    seed: int = 0,
    progress: bool | None = None,
) -> LearningCurve:
    """Score of a model by the number of training samples, cross-validated.

    In every split the model is fitted to random parts of the training samples, each holding the
    smaller ones, and judged by the test samples. The statistics are computed once, as in
    :func:`tune`, and the principal components from each part alone.

    Parameters
    ----------
    model, X, y, cv, scoring, groups
        As for :func:`tune`.
    sizes
        Numbers of training samples; or shares of those there are, up to 1.0.
    seed
        Of the order in which training samples are added.

    Examples
    --------
    >>> from mksdask.bases import PrimitiveBasis
    >>> phase = np.random.default_rng(0).integers(0, 2, (60, 8, 8))
    >>> model = HomogenizationModel(PrimitiveBasis(2), n_components=6, degree=1)
    >>> curve = learning_curve(model, phase, phase.mean(axis=(1, 2)), sizes=[10, 40], cv=3)
    >>> curve.table.n_train.tolist(), bool(curve.table.test_score.is_monotonic_increasing)
    ([10, 40], True)
    """
    if not isinstance(model, HomogenizationModel):
        raise TypeError(f"model is a {type(model).__name__}; wanted a HomogenizationModel")
    material = gather(model, X, y)
    splits = read_splits(cv, len(material.targets), groups)
    numbers = _numbers(sizes, min(len(train) for train, _ in splits))
    rng = np.random.default_rng(seed)
    parts = []
    for train, test in splits:
        order = rng.permutation(train)
        parts += [(number, np.sort(order[:number]), test) for number in numbers]
    found = SubsetScores(model, material, [p[1] for p in parts], [model.n_components])
    rows = []
    for i, (number, train, test) in enumerate(watched(parts, "learning curve", progress)):
        z = found.descriptors(i, model.n_components)
        regression = trained(model, z, material, train)
        ends = (judged(regression, z, material, at, scoring) for at in (train, test))
        rows.append((number, *ends))
    each = pd.DataFrame(rows, columns=["n_train", "train", "test"]).groupby("n_train")
    mean, std = each.mean(), each.std(ddof=0)
    table = pd.DataFrame(
        {
            "n_train": mean.index,
            "train_score": mean["train"].to_numpy(),
            "train_std": std["train"].to_numpy(),
            "test_score": mean["test"].to_numpy(),
            "test_std": std["test"].to_numpy(),
        }
    )
    return LearningCurve(table)


def _numbers(sizes: Sequence[float], most: int) -> list[int]:
    """Numbers of samples from numbers or shares, in order.

    >>> _numbers([0.5, 1.0], 30), _numbers([20, 10], 30)
    ([15, 30], [10, 20])
    """
    given = np.asarray(sizes)
    if given.ndim != 1 or len(given) == 0 or given.dtype.kind not in "iuf":
        raise TypeError(f"sizes is {sizes!r}; wanted numbers of samples, or shares up to 1.0")
    shares = given.dtype.kind == "f"
    if given.min() <= 0 or given.max() > (1 if shares else most):
        raise ValueError(
            f"sizes is {list(sizes)}; wanted "
            + ("shares in (0, 1]" if shares else f"1 to {most}, the training samples of a split")
        )
    return sorted({round(s * most) if shares else int(s) for s in given})
