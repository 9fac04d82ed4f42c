"""Choice of components, degree and regressor by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from mksdask.lazy import ArrayLike
from mksdask.linkage.homogenization import HomogenizationModel
from mksdask.linkage.material import Material, gather
from mksdask.linkage.polynomial import PolynomialRegression
from mksdask.linkage.resampling import (
    Scoring,
    SubsetScores,
    judged,
    r_squared,
    read_splits,
    trained,
)
from mksdask.progress import watched

#: Parameters that need nothing else of the samples.
TUNABLE = ("n_components", "degree", "regressor")


@dataclass(frozen=True)
class Tuning:
    """Outcome of :func:`tune`.

    Attributes
    ----------
    table
        A row a candidate: its parameters, ``score`` (mean over the splits), ``std`` (standard
        deviation over the splits), the score of each split, and why a candidate could not be
        fitted.
    best_params, best_score
        The candidate of the largest mean score, the first of these.
    model
        That candidate fitted to all samples that were given.
    """

    table: pd.DataFrame
    best_params: dict[str, Any]
    best_score: float
    model: HomogenizationModel


def tune(
    model: HomogenizationModel,
    X: ArrayLike,
    y: Any,
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]],
    *,
    cv: Any = 5,
    scoring: Scoring = r_squared,
    groups: Any = None,
    progress: bool | None = None,
) -> Tuning:
    """Choose parameters of a homogenization model by cross-validation.

    As scikit-learn's ``GridSearchCV`` does, with much less work: the statistics are computed once,
    and the principal components once a split, from its training samples alone, whatever the number
    of candidates. (Statistics of more than 256 MiB are computed twice, and never held.) Samples are
    divided before anything is learnt, so no choice sees the sample it is judged by.

    Parameters
    ----------
    model
        With all parameters that are not in ``grid``.
    X, y
        Microstructures and properties, as for ``fit``.
    grid
        Values to try of ``n_components``, ``degree``, ``regressor`` and its own parameters
        (``regressor__alpha``): all combinations, or those of each mapping of a list.
    cv
        Number of folds (samples divided at random, the same way each time), or one of
        scikit-learn's splitters, or pairs of numbers of (training, test) samples.
    scoring
        ``scoring(true, predicted)`` of arrays (sample, target), larger is better: R^2 by default.
    groups
        Group of each sample, for splitters that keep groups together.

    Examples
    --------
    >>> from mksdask.bases import PrimitiveBasis
    >>> phase = np.random.default_rng(0).integers(0, 2, (60, 8, 8))
    >>> fraction = phase.mean(axis=(1, 2))
    >>> found = tune(HomogenizationModel(PrimitiveBasis(2)), phase, fraction,
    ...              {"n_components": [1, 4], "degree": [1, 2]}, cv=3)
    >>> found.best_params, len(found.table), found.model.n_components
    ({'degree': 2, 'n_components': 4}, 4, 4)
    """
    candidates = _checked(model, grid)
    models = [clone(model).set_params(**candidate) for candidate in candidates]
    for each in models:
        each._check_parameters()
    counts = [each.n_components for each in models]
    material = gather(clone(model).set_params(n_components=max(counts)), X, y)
    n = len(material.targets)
    splits = read_splits(cv, n, groups)
    subsets = [train for train, _ in splits] + [np.arange(n)]
    found = SubsetScores(model, material, subsets, counts)
    results = np.full((len(models), len(splits)), np.nan)
    failures = [""] * len(models)
    for i, each in enumerate(watched(models, "candidates", progress)):
        for j, (train, test) in enumerate(splits):
            z = found.descriptors(j, each.n_components)
            try:
                regression = trained(each, z, material, train)
            except ValueError as error:
                failures[i] = str(error)
                break
            results[i, j] = judged(regression, z, material, test, scoring)
    means = results.mean(axis=1)
    if not np.isfinite(means).any():
        raise ValueError(f"no candidate could be fitted: {failures[0] or 'all scores are NaN'}")
    if any(failures):
        warnings.warn(
            f"{sum(map(bool, failures))} of {len(models)} candidates could not be fitted (see "
            f"table.failure): {next(filter(None, failures))}",
            stacklevel=2,
        )
    table = pd.DataFrame(candidates)
    table["score"], table["std"] = means, results.std(axis=1)
    for j in range(len(splits)):
        table[f"split_{j}"] = results[:, j]
    table["failure"] = failures
    best = int(np.nanargmax(means))
    return Tuning(
        table,
        candidates[best],
        float(means[best]),
        _fitted(models[best], found, material, len(splits)),
    )


def _fitted(
    model: HomogenizationModel, found: SubsetScores, material: Material, subset: int
) -> HomogenizationModel:
    k = model.n_components
    if k == 0:
        return model._adopt(
            replace(material, statistics=None), None, np.empty((len(material.targets), 0))
        )
    z = found.descriptors(subset, k)
    n_scores = z.shape[1] - material.further.shape[1]
    return model._adopt(material, found.reducer(subset, model), z[:, :n_scores])


def _checked(model: Any, grid: Any) -> list[dict[str, Any]]:
    if not isinstance(model, HomogenizationModel):
        raise TypeError(f"model is a {type(model).__name__}; wanted a HomogenizationModel")
    candidates = list(ParameterGrid(grid))
    names = {name for candidate in candidates for name in candidate}
    unknown = sorted(n for n in names if n.split("__")[0] not in TUNABLE)
    if unknown or not names:
        raise ValueError(
            f"grid has {unknown or 'no parameters'}; wanted some of {TUNABLE} or parameters of the "
            "regressor (regressor__alpha): others need other data of the samples, so call tune once "
            "for each value of these"
        )
    for candidate in candidates:
        regressor = candidate.get("regressor", model.regressor)
        if "degree" in candidate and not isinstance(regressor, (PolynomialRegression, type(None))):
            raise ValueError(
                f"grid has degree, which regressor={regressor!r} does not see: tune its own "
                "parameters, such as regressor__degree"
            )
    return candidates
