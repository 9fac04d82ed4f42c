"""What tuning and learning curves share: splits, and scores of samples under each split's PCA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, check_cv

from mksdask.linkage.descriptors import fit_reducer, held, scores
from mksdask.linkage.homogenization import HomogenizationModel
from mksdask.linkage.material import Material, check_enough
from mksdask.linkage.prediction import Regression
from mksdask.progress import compute
from mksdask.reduction import IncrementalPCA
from mksdask.reduction.subsets import first_components, fit_subsets

#: (true, predicted) of shape (sample, target) to a number, larger is better.
Scoring = Callable[[np.ndarray, np.ndarray], float]
Split = tuple[np.ndarray, np.ndarray]


def read_splits(cv: Any, n: int, groups: Any) -> list[Split]:
    """Numbers of the training and test samples of each split.

    A number of folds divides the samples at random (ensembles are often stored class by class),
    always in the same way.
    """
    if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool):
        if not 2 <= cv <= n:
            raise ValueError(f"cv is {cv}; wanted 2 to {n} folds, the number of samples")
        cv = KFold(int(cv), shuffle=True, random_state=0)
    elif cv is None or isinstance(cv, (bool, float, str)):
        raise TypeError(
            f"cv is {cv!r}; wanted a number of folds, a splitter or (train, test) pairs"
        )
    found = [
        (np.asarray(train), np.asarray(test))
        for train, test in check_cv(cv).split(np.zeros((n, 1)), None, groups)
    ]
    if not found:
        raise ValueError(f"cv is {cv!r}, which makes no split of {n} samples")
    return found


def r_squared(true: np.ndarray, predicted: np.ndarray) -> float:
    """Coefficient of determination, the mean over all targets."""
    return float(r2_score(true, predicted))


class SubsetScores:
    """Scores of all samples under the principal components of subsets of them.

    One fit of the reducer a subset, with the largest number of components that is asked for. The
    first components of that are those of a smaller number, if components are ordered by the
    variance they explain; a reducer of another kind is fitted for each number.
    """

    def __init__(
        self,
        model: HomogenizationModel,
        material: Material,
        subsets: Sequence[np.ndarray],
        counts: Sequence[int],
    ):
        for subset in subsets:
            check_enough(max(counts), len(subset))
        self.material = material
        self.features = None if material.features is None else held(material.features)
        self.reducers: dict[int, list[Any]] = {}
        self.values: dict[int, list[np.ndarray]] = {}
        wanted = sorted({k for k in counts if k > 0}, reverse=True)
        for k in wanted:
            if not self.nested:
                self._fit(clone(model).set_params(n_components=k), subsets)

    @property
    def nested(self) -> bool:
        """Whether all numbers of components are served by the largest."""
        return any(hasattr(r[0], "explained_variance_ratio_") for r in self.reducers.values())

    def descriptors(self, subset: int, n_components: int) -> np.ndarray:
        """Scores under the components of that subset, and further features, of all samples."""
        further = self.material.further
        if n_components == 0:
            return further
        k = n_components if n_components in self.values else max(self.values)
        return np.concatenate([self.values[k][subset][:, :n_components], further], axis=1)

    def reducer(self, subset: int, model: HomogenizationModel) -> Any:
        """The reducer of a subset with the components that ``model`` asks for."""
        k = model.n_components
        if k in self.reducers:
            return self.reducers[k][subset]
        largest = self.reducers[max(self.reducers)][subset]
        if isinstance(largest, IncrementalPCA):
            return first_components(largest, k)
        assert self.features is not None
        return fit_reducer(model._reducer(), self.features)

    def _fit(self, model: HomogenizationModel, subsets: Sequence[np.ndarray]) -> None:
        features, reducer = self.features, model._reducer()
        assert features is not None
        if isinstance(reducer, IncrementalPCA):
            fitted = fit_subsets(reducer, features, subsets)
        else:
            fitted = [fit_reducer(model._reducer(), features[np.sort(s)]) for s in subsets]
        found = compute(*(scores(r, features) for r in fitted), label="scores")
        self.reducers[model.n_components], self.values[model.n_components] = fitted, list(found)


def trained(
    model: HomogenizationModel, z: np.ndarray, material: Material, train: np.ndarray
) -> Regression:
    """The regression of a model on some samples, given the descriptors of all."""
    references = None if material.references is None else material.references[train]
    return model._regression(z[train], references, material.targets[train], material.properties)


def judged(
    regression: Regression, z: np.ndarray, material: Material, at: np.ndarray, scoring: Scoring
) -> float:
    """Score of the predictions for some samples."""
    references = None if material.references is None else material.references[at]
    return float(scoring(material.targets[at], regression.values(z[at], references)))
