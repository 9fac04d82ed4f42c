"""From microstructures to effective properties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from mksdask.bases import Basis
from mksdask.errors import DataError
from mksdask.lazy import ArrayLike, is_lazy, lift
from mksdask.linkage import saved
from mksdask.linkage.cloud import Cloud
from mksdask.linkage.descriptors import (
    chunked,
    fit_reducer,
    further_features,
    held,
    references_of,
    scores,
    statistics_features,
)
from mksdask.linkage.material import Material, gather
from mksdask.linkage.parts import part_from_saved
from mksdask.linkage.polynomial import PolynomialRegression
from mksdask.linkage.prediction import (
    Regression,
    beside,
    distances_of_block,
    labelled,
    predict_block,
    side_by_side,
    warn_outside,
)
from mksdask.linkage.properties import (
    Properties,
    as_samples,
    missing_samples,
    read_properties,
    sample_names,
)
from mksdask.progress import compute
from mksdask.reduction import IncrementalPCA
from mksdask.reduction.features import plain
from mksdask.statistics import TwoPointStatistics

#: Parameters that the fitted parts stand for: a model is fitted again when one has changed.
FIXED = (
    *("basis", "pairs", "cutoff", "boundary", "n_components", "degree"),
    *("features", "target", "statistics"),
)


class HomogenizationModel(RegressorMixin, BaseEstimator):
    """A linkage from microstructures to effective properties, learnt from examples.

    p_eff = F(scores of the two-point statistics):  every sample becomes its two-point statistics,
    these become their coordinates along a few principal components, and a regression (polynomial
    unless another is given) maps these to the property. Statistics are read chunk by chunk; only
    scores and properties of all samples are in memory.

    Parameters
    ----------
    basis, pairs, cutoff, boundary
        Of the statistics, see :func:`~mksdask.two_point_statistics`. For phases, one pair holds as
        much as several that follow from it; ``"auto"`` takes h = h'.
    reducer
        ``IncrementalPCA()`` if None, or any object with ``fit`` and ``transform``.
        ``n_components`` is set in it, if it has such a parameter.
    n_components
        Number of components. With 0 the properties are regressed on ``features`` alone.
    regressor
        None for :class:`~mksdask.linkage.PolynomialRegression`, or any regressor of scikit-learn's
        kind, given the scores and ``features`` as they are.
    degree
        Of the polynomial (also of a ``PolynomialRegression`` given as ``regressor``; others do not
        see it).
    features
        Feature sets: objects whose ``transform(X)`` gives (sample, feature), put behind the scores.
    target
        Transform of the properties in which the regression is done: ``references(X)`` gives what it
        must know of each sample, or None; ``transform(y, references)`` and
        ``inverse_transform(t, references)`` map arrays (sample, target), monotonically.
    statistics
        Transformer to take instead of ``TwoPointStatistics(basis, pairs, cutoff, boundary)``; these
        are then left as they are.
    on_missing
        What to do with samples whose properties are NaN: ``"raise"``, which names them, or
        ``"drop"``, which leaves them out.

    Attributes
    ----------
    statistics_, reducer_, regressor_
        The fitted parts.
    properties_
        Dimensions and labels of the properties. Tensors become one target an entry.
    cloud_
        Where the training samples lie; see :meth:`extrapolation`.
    descriptor_names_, n_samples_, dropped_
        Names of the variables of the regression; number of samples learnt from; those dropped.

    Examples
    --------
    >>> from mksdask.bases import PrimitiveBasis
    >>> phase = np.random.default_rng(0).integers(0, 2, (40, 8, 8))
    >>> fraction = phase.mean(axis=(1, 2))
    >>> model = HomogenizationModel(PrimitiveBasis(2), n_components=4, degree=1)
    >>> model = model.fit(phase[:30], fraction[:30])
    >>> model.score(phase[30:], fraction[30:]) > 0.9
    True
    """

    saved_kind = "HomogenizationModel"

    def __init__(
        self,
        basis: Basis,
        pairs: Any = "auto",
        cutoff: Any = None,
        boundary: Any = "periodic",
        reducer: Any = None,
        n_components: int = 5,
        regressor: Any = None,
        degree: int = 2,
        features: Sequence[Any] = (),
        target: Any = None,
        statistics: Any = None,
        on_missing: str = "raise",
    ):
        self.basis = basis
        self.pairs = pairs
        self.cutoff = cutoff
        self.boundary = boundary
        self.reducer = reducer
        self.n_components = n_components
        self.regressor = regressor
        self.degree = degree
        self.features = features
        self.target = target
        self.statistics = statistics
        self.on_missing = on_missing

    def fit(self, X: ArrayLike, y: Any) -> HomogenizationModel:
        """Learn from microstructures (sample, space) and properties (sample, ...), now.

        Where both are DataArrays with a coordinate ``sample``, properties are brought into the order
        of the microstructures by it.
        """
        material = gather(self, X, y)
        if material.features is None:
            return self._adopt(material, None, np.empty((len(material.targets), 0)))
        features = held(material.features)
        reducer = fit_reducer(self._reducer(), features)
        (found,) = compute(scores(reducer, features), label="scores")
        return self._adopt(material, reducer, found)

    def predict(self, X: ArrayLike) -> ArrayLike:
        """Properties (sample, ...) of microstructures, lazily; the kind of array that came in.

        Warns with :class:`~mksdask.errors.ExtrapolationWarning` of samples outside the cloud of the
        training samples: at once for arrays in memory, and for lazy ones when a chunk is computed.
        """
        return self._predicted(X)

    def predict_interval(self, X: ArrayLike, coverage: float = 0.95) -> ArrayLike:
        """Ends of the interval in which the property of a sample lies with that probability.

        Of shape (sample, ..., bound), lower and upper; lazily. Needs a regressor that knows its
        errors: the default one, or one whose ``predict`` takes ``return_std``.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage is {coverage}; wanted a probability between 0 and 1")
        return self._predicted(X, coverage=coverage)

    def extrapolation(self, X: ArrayLike) -> ArrayLike:
        """How far samples lie from the training samples, (sample,), lazily: outside where above 1.

        The Mahalanobis distance of the descriptors from the mean of the training samples, in units
        of the largest that one of these has from the others. What differs only in directions that
        the components leave out is not seen by this. NaN if there were too few training samples for
        their descriptors to tell.
        """
        check_is_fitted(self)
        X = as_samples(X)
        found = self._distances(self._descriptor_arrays(chunked(X)))
        if not is_lazy(X):
            (found,) = compute(found, label="extrapolation")
        return labelled(X, found, ("sample",), {}, "extrapolation")

    def scores(self, X: ArrayLike) -> xr.DataArray:
        """Principal component scores (sample, component), lazily, to be drawn by class."""
        check_is_fitted(self)
        if self.statistics_ is None:
            raise ValueError("n_components is 0: this model has no principal components")
        X = as_samples(X)
        self.grid_.check(X)
        found = scores(self.reducer_, statistics_features(self.statistics_, chunked(X)))
        if not is_lazy(X):
            (found,) = compute(found, label="scores")
        coords = {}
        if hasattr(self.reducer_, "explained_variance_ratio_"):
            shares = self.reducer_.explained_variance_ratio_
            coords = {"explained_variance_ratio": ("component", shares)}
        of_samples = X.coords if isinstance(X, xr.DataArray) else {}
        coords |= {str(k): c for k, c in of_samples.items() if c.dims == ("sample",)}
        return xr.DataArray(found, dims=("sample", "component"), coords=coords, name="scores")

    def descriptors(self, X: ArrayLike) -> ArrayLike:
        """What the regression sees, (sample, descriptor): scores, then features; lazily."""
        check_is_fitted(self)
        X = as_samples(X)
        arrays = self._descriptor_arrays(chunked(X))
        names = list(self.descriptor_names_)
        found = lift(
            side_by_side,
            *arrays,
            dims=[("sample", f"descriptor_{i}") for i in range(len(arrays))],
            out_dims=("sample", "descriptor"),
            sizes={"descriptor": len(names)},
            dtype=np.float64,
            name="descriptors",
        )
        if not is_lazy(X):
            (found,) = compute(found, label="descriptors")
        return labelled(X, found, ("sample", "descriptor"), {"descriptor": names}, "descriptors")

    def score(self, X: ArrayLike, y: Any, sample_weight: Any = None) -> float:
        """Coefficient of determination R^2 of the predictions, the mean over all targets.

        Every target counts alike, whatever its size: leave out entries of a tensor that vanish.
        """
        check_is_fitted(self)
        X = as_samples(X)
        self.grid_.check(X)
        targets, _ = read_properties(y, X, self.properties_)
        keep = ~missing_samples(targets, X, self.on_missing)
        predicted = self._predicted(X, warn=False)
        (values,) = compute(predicted.data if isinstance(predicted, xr.DataArray) else predicted)
        weight = None if sample_weight is None else np.asarray(sample_weight)[keep]
        return float(
            r2_score(targets[keep], values.reshape(len(targets), -1)[keep], sample_weight=weight)
        )

    @property
    def components(self) -> xr.DataArray:
        """Principal components as statistics, with pairs and lags, to be drawn."""
        check_is_fitted(self)
        if self.reducer_ is None or not hasattr(self.reducer_, "components_"):
            raise AttributeError("the reducer of this model has no components_")
        rows = self.reducer_.components_
        if self.statistics_.n_features_out_ != rows.shape[1]:
            half = rows.shape[1] // 2
            rows = rows[:, :half] + 1j * rows[:, half:]
        named = self.statistics_.inverse_transform(rows)
        return named.rename("components").rename({"sample": "component"})

    def to_saved(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What :func:`mksdask.save_model` writes: JSON and arrays."""
        check_is_fitted(self)
        return saved.to_saved(self)

    @classmethod
    def from_saved(
        cls, facts: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> HomogenizationModel:
        """The model that was saved."""
        model = cls(**{k: part_from_saved(v, arrays) for k, v in facts["params"].items()})
        saved.from_saved(model, facts, arrays)
        model.fitted_with_ = model._fixed()
        return model

    def _fixed(self) -> dict[str, tuple[Any, str]]:
        """What the fitted parts stand for, to compare and to show."""
        return {k: (_described(getattr(self, k)), repr(getattr(self, k))) for k in FIXED}

    def _check_parameters(self) -> None:
        k = self.n_components
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
            raise TypeError(f"n_components is {k!r}; wanted a whole number")
        if k < 0:
            raise ValueError(f"n_components is {k}; wanted at least 0")
        if k == 0 and not len(self.features):
            raise ValueError("n_components is 0 and features is empty: there is nothing to regress")
        if self.statistics is not None:
            for name, default in (("pairs", "auto"), ("cutoff", None), ("boundary", "periodic")):
                if not _equal(getattr(self, name), default):
                    raise ValueError(
                        f"{name} is {getattr(self, name)!r} and statistics is given, which has its "
                        f"own: set it there and leave {name} out"
                    )

    def _statistics(self) -> Any:
        if self.statistics is not None:
            return clone(self.statistics)
        return TwoPointStatistics(self.basis, self.pairs, self.cutoff, self.boundary)

    def _reducer(self) -> Any:
        reducer = IncrementalPCA() if self.reducer is None else clone(self.reducer, safe=False)
        if hasattr(reducer, "get_params") and "n_components" in reducer.get_params():
            reducer.set_params(n_components=self.n_components)
        return reducer

    def _regressor(self) -> Any:
        if self.regressor is None:
            return PolynomialRegression(degree=self.degree)
        regressor = clone(self.regressor)
        if isinstance(regressor, PolynomialRegression):
            regressor.set_params(degree=self.degree)
        return regressor

    def _adopt(self, material: Material, reducer: Any, found: np.ndarray) -> HomogenizationModel:
        """Take over the fitted parts, and fit the regression of the properties on the scores."""
        self.grid_ = material.grid
        self.statistics_, self.reducer_ = material.statistics, reducer
        self.properties_ = material.properties
        self.dropped_ = material.dropped
        self.n_samples_ = len(material.targets)
        self.descriptor_names_ = (*(f"pc{k}" for k in range(found.shape[1])), *material.names)
        self.fitted_with_ = self._fixed()
        z = np.concatenate([found, material.further], axis=1)
        if not np.isfinite(z).all():
            bad = np.array(self.descriptor_names_)[~np.isfinite(z).all(axis=0)]
            raise DataError(f"the descriptors {list(bad)} are NaN or infinite for some samples")
        references, targets = material.references, material.targets
        regression = self._regression(z, references, targets, material.properties)
        self.regressor_ = regression.regressor
        self.cloud_, self.spread_ = Cloud.of(z), z.std(axis=0)
        return self

    def _regression(
        self,
        z: np.ndarray,
        references: np.ndarray | None,
        targets: np.ndarray,
        properties: Properties,
    ) -> Regression:
        """A regressor fitted to descriptors and targets; leaves the model as it is."""
        learnt = targets if self.target is None else self.target.transform(targets, references)
        one = learnt.shape[1] == 1
        regressor = self._regressor().fit(z, learnt[:, 0] if one else learnt)
        return Regression(regressor, self.target, properties.shape)

    def _descriptor_arrays(self, X: ArrayLike) -> list[ArrayLike]:
        """Scores and features of new samples in chunks, (sample, descriptor) each, lazily."""
        for name, (now, told) in self._fixed().items():
            then, shown = self.fitted_with_[name]
            if now != then:
                raise ValueError(
                    f"{name} is {told}, and the model was fitted with {shown}: fit it again"
                )
        self.grid_.check(X)
        arrays = further_features(self.features, X)
        if self.statistics_ is not None:
            arrays.insert(0, scores(self.reducer_, statistics_features(self.statistics_, X)))
        return arrays

    def _predicted(
        self, X: ArrayLike, *, coverage: float | None = None, warn: bool = True
    ) -> ArrayLike:
        check_is_fitted(self)
        regression = Regression(self.regressor_, self.target, self.properties_.shape)
        if coverage is not None:
            regression.check_interval()
        X = as_samples(X)
        data = chunked(X)
        arrays = self._descriptor_arrays(data)
        n_descriptors = len(arrays)
        references = references_of(self.target, data)
        names = sample_names(X)
        properties = self.properties_
        bound = () if coverage is None else ("bound",)
        coords = dict(properties.coords)
        predicted = lift(
            predict_block,
            beside(names, arrays[0]),
            *arrays,
            *([] if references is None else [references]),
            dims=[
                ("sample",),
                *(("sample", f"descriptor_{i}") for i in range(n_descriptors)),
                *([] if references is None else [("sample", "reference")]),
            ],
            out_dims=("sample", *properties.dims, *bound),
            sizes={**dict(zip(properties.dims, properties.shape, strict=True)), "bound": 2},
            dtype=np.float32 if np.dtype(X.dtype) == np.float32 else np.float64,
            name="homogenization",
            kwargs={
                "regression": regression,
                "cloud": self.cloud_,
                "n_descriptors": n_descriptors,
                "coverage": coverage,
                "warn": warn and is_lazy(X),
                "dtype": np.float32 if np.dtype(X.dtype) == np.float32 else np.float64,
            },
        )
        if not is_lazy(X):
            predicted, distances = compute(predicted, self._distances(arrays), label="prediction")
            if warn:
                warn_outside(names, distances)
        if coverage is not None:
            coords["bound"] = (("bound",), np.array(["lower", "upper"]))
        dims = ("sample", *properties.dims, *bound)
        return labelled(X, predicted, dims, coords, properties.name, properties.attrs)

    def _distances(self, arrays: list[ArrayLike]) -> ArrayLike:
        return lift(
            distances_of_block,
            *arrays,
            dims=[("sample", f"descriptor_{i}") for i in range(len(arrays))],
            out_dims=("sample",),
            dtype=np.float64,
            name="extrapolation",
            kwargs={"cloud": self.cloud_},
        )


def _equal(a: Any, b: Any) -> bool:
    return bool(_described(a) == _described(b))


def _described(value: Any) -> Any:
    """A parameter as plain values that compare, whatever happens to the object itself.

    >>> from mksdask.linkage import LogTarget
    >>> _described((LogTarget(), np.arange(2))) == _described([LogTarget(), (0, 1)])
    True
    """
    if isinstance(value, (list, tuple)):
        return [_described(v) for v in value]
    if hasattr(value, "get_params"):
        params = value.get_params(deep=False)
        return type(value), {k: _described(v) for k, v in params.items()}
    if isinstance(value, (xr.DataArray, da.Array)):
        return tokenize(value)
    return plain(value)
