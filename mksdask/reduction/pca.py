"""Principal components of more samples than fit in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mksdask.lazy import ArrayLike, is_lazy, lift, summarize_samples
from mksdask.progress import compute
from mksdask.reduction.decompose import Decomposition, decompose
from mksdask.reduction.features import Features, plain, read_features
from mksdask.reduction.strategy import METHODS, Strategy, choose_kind
from mksdask.reduction.summary import (
    Rows,
    Summary,
    accumulator,
    adjoint,
    batches,
    summary_from_saved,
    summary_to_saved,
)


class IncrementalPCA(TransformerMixin, BaseEstimator):
    """Principal component analysis in one pass over the samples, which can go on with new ones.

    Samples x (rows) are written as x = mean + sum_k s_k v_k, with orthonormal components v_k along
    which they vary most: X - mean = U S V^H. Every chunk is read once and reduced to a small
    summary; summaries merge in any grouping, over the workers of a cluster, with those of later
    samples (``partial_fit``) and of other models (``merge``).

    Two kinds of summary are *exact*: the scatter matrix, where features are few (up to 2,000), and
    the samples themselves, where these are few (up to 1,000 with up to 2^24 values). Otherwise each
    chunk is reduced to its ``n_components + oversampling`` leading directions, and so is what is
    merged. That never overestimates a variance (nor any sum of leading variances) and
    underestimates each by at most ``energy_lost_`` times the total variance.

    Parameters
    ----------
    n_components
        Number of components; or a fraction, for so many that they explain this share of the
        variance; or None for every direction in which the samples vary. The last two need an exact
        summary.
    method
        ``"gram"`` keeps an exact summary (8 bytes times the squared number of features, or all
        samples in double precision, whichever is smaller), ``"svd"`` the leading directions.
        ``"auto"`` chooses by the sizes above.
    oversampling
        Directions kept beyond ``n_components``.
    power_iterations
        Rounds of refinement of each chunk's leading directions (in memory; data are read once).

    Attributes
    ----------
    components_, mean_
        Arrays of shape (n_components_, n_features_in_) and (n_features_in_,); :attr:`components`
        and :attr:`mean` have the dimensions and labels of the data given to ``fit``.
    explained_variance_, explained_variance_ratio_, singular_values_
        Of each component; s^2 / (n - 1), and its share in the variance of all features.
    n_components_, n_features_in_, n_samples_seen_
        Counts.
    energy_lost_
        Share of the total variance that the summary no longer holds, 0 for exact ones. (What the
        choice of ``n_components`` leaves out is ``1 - explained_variance_ratio_.sum()``.)
    summary_, features_
        What further samples are merged with; dimensions and labels of the features.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((50, 3)) * [3, 2, 1]
    >>> pca = IncrementalPCA(n_components=2).fit(X[:30]).partial_fit(X[30:])
    >>> pca.transform(X).shape, pca.n_samples_seen_, pca.energy_lost_
    ((50, 2), 50, 0.0)
    >>> bool(np.allclose(pca.components_, IncrementalPCA(n_components=2).fit(X).components_))
    True
    """

    saved_kind = "IncrementalPCA"

    def __init__(
        self,
        n_components: int | float | None = None,
        method: str = "auto",
        oversampling: int = 20,
        power_iterations: int = 1,
    ):
        self.n_components = n_components
        self.method = method
        self.oversampling = oversampling
        self.power_iterations = power_iterations

    def fit(self, X: ArrayLike, y: Any = None) -> IncrementalPCA:
        """Learn the components of samples; reads the data once, now."""
        return self._learn(X, None, None)

    def partial_fit(self, X: Any, y: Any = None) -> IncrementalPCA:
        """Go on with new samples, or with those of another fitted model."""
        if isinstance(X, IncrementalPCA):
            return self.merge(X)
        return self._learn(X, *self._seen())

    def merge(self, other: IncrementalPCA) -> IncrementalPCA:
        """Add the samples that another fitted model has seen."""
        if not isinstance(other, IncrementalPCA):
            raise TypeError(f"other is a {type(other).__name__}; wanted a fitted IncrementalPCA")
        check_is_fitted(other)
        seen, features = self._seen()
        if features is None:
            features = other.features_
        features.check_same(other.features_, "other")
        parts = [s for s in (seen, other.summary_) if s is not None]
        strategy = self._strategy(sum(p.n for p in parts), features.size, parts)
        return self._adopt(strategy.merge(parts), features)

    def transform(self, X: ArrayLike) -> ArrayLike:
        """Scores (X - mean) V of shape (sample, component), lazily; the kind that came in."""
        check_is_fitted(self)
        data, features = read_features(X, self.features_)
        self.features_.check_same(features, "X")
        if isinstance(X, xr.DataArray):
            data = xr.DataArray(
                data, dims=("sample", *features.axes), coords=_of_samples(X), name=X.name
            )
        axes = features.axes
        return lift(
            _scores,
            data,
            self.components_.reshape(-1, *features.shape),
            self.mean_.reshape(features.shape),
            dims=[("sample", *axes), ("component", *axes), axes],
            out_dims=("sample", "component"),
            dtype=_result_dtype(self.components_.dtype, data.dtype),
            coords=self._component_coords(),
            name="scores",
        )

    def inverse_transform(self, X: ArrayLike) -> ArrayLike:
        """Samples mean + X V^H with the given scores, lazily, in the shape of the data of ``fit``.

        Scores in a DataArray give one with the dimensions and labels of the data of ``fit``.
        """
        check_is_fitted(self)
        if not hasattr(X, "ndim"):
            X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != self.n_components_:
            raise ValueError(f"X has shape {X.shape}; wanted (sample, {self.n_components_}) scores")
        if is_lazy(X):
            X = X.chunk({X.dims[1]: -1}) if isinstance(X, xr.DataArray) else X.rechunk({1: -1})
        features = self.features_
        values = lift(
            _samples,
            X.drop_vars(_not_of_samples(X)) if isinstance(X, xr.DataArray) else X,
            self.components_.reshape(-1, *features.shape),
            self.mean_.reshape(features.shape),
            dims=[("sample", "component"), ("component", *features.axes), features.axes],
            out_dims=("sample", *features.axes),
            dtype=_result_dtype(self.components_.dtype, X.dtype),
            name="inverse",
        )
        if not isinstance(X, xr.DataArray):
            return values
        return features.labelled(values.data, "sample", **_of_samples(X))

    @property
    def components(self) -> xr.DataArray:
        """Components with the dimensions and labels of the data, to be drawn as statistics."""
        check_is_fitted(self)
        values = self.components_.reshape(-1, *self.features_.shape)
        named = self.features_.labelled(values, "component", **self._component_coords())
        return named.rename("components")

    @property
    def mean(self) -> xr.DataArray:
        """Mean of the samples with the dimensions and labels of the data."""
        check_is_fitted(self)
        values = self.mean_.reshape(1, *self.features_.shape)
        return self.features_.labelled(values, "component").isel(component=0).rename("mean")

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the scores: ``pc0``, ``pc1``, ..."""
        check_is_fitted(self)
        return np.array([f"pc{k}" for k in range(self.n_components_)], dtype=object)

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What :func:`mksdask.save_model` writes: JSON and arrays."""
        check_is_fitted(self)
        params = {k: plain(v) for k, v in self.get_params().items()}
        facts, arrays = summary_to_saved(self.summary_)
        facts |= {"params": params, "features": self.features_.to_json()}
        arrays |= {"components": self.components_, "singular_values": self.singular_values_}
        return facts, arrays

    @classmethod
    def from_saved(cls, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> IncrementalPCA:
        """The model that was saved."""
        model = cls(**facts["params"])
        found = Decomposition(arrays["singular_values"], arrays["components"])
        features = Features.from_json(facts["features"])
        return model._adopt(summary_from_saved(facts, arrays), features, found)

    def _learn(
        self, X: ArrayLike, seen: Summary | None, features: Features | None
    ) -> IncrementalPCA:
        data, found = read_features(X, features)
        if features is not None:
            features.check_same(found, "X")
        n = len(data) + (0 if seen is None else seen.n)
        strategy = self._strategy(n, found.size, [] if seen is None else [seen])
        if is_lazy(data):
            tree = summarize_samples(data, strategy.summarize, strategy.merge)
            (summary,) = compute(tree, label="principal components")
        else:
            summary = strategy.summarize(data)
        if seen is not None:
            summary = strategy.merge([seen, summary])
        return self._adopt(summary, features or found)

    def _seen(self) -> tuple[Summary | None, Features | None]:
        return getattr(self, "summary_", None), getattr(self, "features_", None)

    def _strategy(self, n_samples: int, n_features: int, seen: list[Summary]) -> Strategy:
        """Check the parameters against the sizes, and choose the summary."""
        k = self.n_components
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}; wanted one of {METHODS}")
        for name, least in (("oversampling", 0), ("power_iterations", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise TypeError(f"{name} is {value!r}; wanted an integer")
            if value < least:
                raise ValueError(f"{name} is {value}; wanted at least {least}")
        if isinstance(k, bool) or not isinstance(k, (int, float, np.number, type(None))):
            raise TypeError(f"n_components is {k!r}; wanted a number or None")
        if n_samples < 2:
            raise ValueError(f"{n_samples} sample; wanted at least 2, for a variance")
        if isinstance(k, (int, np.integer)):
            if not 1 <= k <= n_features:
                raise ValueError(f"n_components is {k}; wanted 1 to {n_features}, the features")
            if n_samples <= k:
                raise ValueError(
                    f"n_components is {k}, but {n_samples} samples vary in at most "
                    f"{n_samples - 1} directions: ask for fewer components or give more samples"
                )
        elif k is not None and not 0 < k <= 1:
            raise ValueError(f"n_components is {k}; wanted an integer, or a share in (0, 1]")
        kind = choose_kind(self.method, n_samples, n_features)
        if any(isinstance(s, Rows) and not s.exact for s in seen):
            kind = "truncated"
        if kind != "truncated":
            return Strategy(kind, 0, 0)
        if not isinstance(k, (int, np.integer)):
            raise ValueError(
                f"n_components is {k!r}, and {n_samples} samples of {n_features} features are too "
                f"many for an exact summary: give a number of components (or method='gram', which "
                f"takes {8 * min(n_features, n_samples) * n_features / 2**30:.2g} GiB a summary)"
            )
        rank = min(int(k) + int(self.oversampling), n_features)
        return Strategy(kind, rank, int(self.power_iterations))

    def _adopt(
        self, summary: Summary, features: Features, found: Decomposition | None = None
    ) -> IncrementalPCA:
        k = self.n_components
        if found is None:
            found = decompose(summary, int(k) if isinstance(k, np.integer) else k)
        self.summary_ = summary
        self.features_ = features
        self.n_samples_seen_ = summary.n
        self.n_features_in_ = features.size
        self.n_components_ = len(found.components)
        self.mean_ = summary.mean
        self.components_ = found.components
        self.singular_values_ = found.singular_values
        self.explained_variance_ = found.singular_values**2 / (summary.n - 1)
        self.explained_variance_ratio_ = found.singular_values**2 / summary.total
        self.energy_lost_ = summary.lost / summary.total if isinstance(summary, Rows) else 0.0
        return self

    def _component_coords(self) -> dict[str, Any]:
        return {
            "component": np.arange(self.n_components_),
            "explained_variance_ratio": ("component", self.explained_variance_ratio_),
        }


def _scores(block: np.ndarray, components: np.ndarray, mean: np.ndarray) -> np.ndarray:
    rows = block.reshape(len(block), -1)
    directions = adjoint(components.reshape(len(components), -1))
    dtype = _result_dtype(components.dtype, block.dtype)
    scores = np.empty((len(rows), directions.shape[1]), dtype)
    done = 0
    for batch in batches(rows):
        scores[done : done + len(batch)] = (batch - mean.ravel()) @ directions
        done += len(batch)
    return scores


def _samples(scores: np.ndarray, components: np.ndarray, mean: np.ndarray) -> np.ndarray:
    flat = components.reshape(len(components), -1)
    values = np.empty((len(scores), flat.shape[1]), _result_dtype(components.dtype, scores.dtype))
    for i, row in enumerate(scores.astype(accumulator(values.dtype), copy=False)):
        values[i] = row @ flat + mean.ravel()
    return values.reshape(len(scores), *mean.shape)


def _result_dtype(learned: np.dtype, given: np.dtype) -> np.dtype:
    """Complex if either is, and single precision if the data are."""
    single = np.dtype(given) in (np.float32, np.complex64, np.float16)
    if learned.kind == "c" or np.dtype(given).kind == "c":
        return np.dtype(np.complex64 if single else np.complex128)
    return np.dtype(np.float32 if single else np.float64)


def _of_samples(X: xr.DataArray) -> dict[str, Any]:
    return {str(k): c for k, c in X.coords.items() if c.dims == ("sample",)}


def _not_of_samples(X: xr.DataArray) -> list[str]:
    return [str(k) for k, c in X.coords.items() if c.dims != ("sample",)]
