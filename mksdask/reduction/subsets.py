"""Principal components of many subsets of the same samples, from one pass over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dask.array as da
import numpy as np
from sklearn.base import clone

from mksdask.lazy import ArrayLike, is_lazy, summarize_samples
from mksdask.progress import compute
from mksdask.reduction.features import read_features
from mksdask.reduction.pca import IncrementalPCA
from mksdask.reduction.strategy import Strategy
from mksdask.reduction.summary import Summary


def fit_subsets(
    pca: IncrementalPCA, X: ArrayLike, subsets: Sequence[np.ndarray]
) -> list[IncrementalPCA]:
    """A copy of ``pca`` fitted on each subset of the samples; reads the data once.

    The samples are divided into parts, such that every subset consists of whole parts (the folds
    of a cross-validation, for the subsets that leave one out). Each part is summarized once, and
    the summaries of the parts of each subset are merged.

    Parameters
    ----------
    pca
        Its parameters count, whatever it was fitted on.
    X
        Samples as for ``fit``, on axis 0.
    subsets
        Numbers of the samples of each subset.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((30, 4))
    >>> first, last = fit_subsets(IncrementalPCA(2), X, [np.arange(20), np.arange(10, 30)])
    >>> bool(np.allclose(last.mean_, X[10:].mean(axis=0))), last.n_samples_seen_
    (True, 20)
    """
    data, features = read_features(X)
    models = [clone(pca) for _ in subsets]
    for model, subset in zip(models, subsets, strict=True):
        model._strategy(len(subset), features.size, [])  # refuses subsets with too few samples
    strategy = pca._strategy(max(map(len, subsets)), features.size, [])
    parts, numbers = _divide(subsets, len(data))
    work = _Parts(strategy, parts)
    if not is_lazy(data):
        data = da.from_array(data, chunks=(-1, *data.shape[1:]), name=False)
    tree = summarize_samples(data, work.summarize, work.merge, np.arange(len(data)))
    (found,) = compute(tree, label="principal components")
    for model, members in zip(models, numbers, strict=True):
        merged = strategy.merge([found[i] for i in members])
        model._adopt(merged, features)
    return models


def first_components(pca: IncrementalPCA, n_components: int) -> IncrementalPCA:
    """A model of the same samples with fewer components; looks at no data.

    >>> X = np.random.default_rng(0).standard_normal((30, 4))
    >>> first_components(IncrementalPCA(3).fit(X), 2).components_.shape
    (2, 4)
    """
    fewer = clone(pca).set_params(n_components=n_components)
    return fewer._adopt(pca.summary_, pca.features_)


@dataclass(frozen=True)
class _Parts:
    """Summaries of several parts of the samples, each of which has sorted numbers of samples."""

    strategy: Strategy
    parts: Sequence[np.ndarray]

    def summarize(self, block: np.ndarray, numbers: np.ndarray) -> dict[int, Summary]:
        found = {}
        for i, part in enumerate(self.parts):
            inside = np.isin(numbers, part, assume_unique=True)
            if inside.any():
                whole = inside.all()
                found[i] = self.strategy.summarize(block if whole else block[inside])
        return found

    def merge(self, given: list[dict[int, Summary]]) -> dict[int, Summary]:
        keys = sorted({i for each in given for i in each})
        return {i: self.strategy.merge([g[i] for g in given if i in g]) for i in keys}


def _divide(subsets: Sequence[np.ndarray], n: int) -> tuple[list[np.ndarray], list[list[int]]]:
    """Parts of 0 .. n-1, and the numbers of those that make up each subset.

    >>> parts, numbers = _divide([np.array([0, 1]), np.array([1, 2])], 4)
    >>> [p.tolist() for p in parts], numbers
    ([[2], [0], [1]], [[1, 2], [0, 2]])
    """
    inside = np.zeros((n, len(subsets)), bool)
    for column, subset in enumerate(subsets):
        inside[subset, column] = True
    patterns, which = np.unique(inside, axis=0, return_inverse=True)
    which = which.ravel()
    used = np.flatnonzero(patterns.any(axis=1))
    if len(used) > len(subsets) + 1:  # parts would be more work than the subsets themselves
        return [np.sort(s) for s in subsets], [[i] for i in range(len(subsets))]
    parts = [np.flatnonzero(which == i) for i in used]
    numbers = [np.flatnonzero(patterns[used, c]).tolist() for c in range(len(subsets))]
    return parts, numbers
