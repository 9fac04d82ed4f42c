"""Two-point statistics as a step of a scikit-learn pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mksdask.bases import Basis, checked_basis
from mksdask.lazy import ArrayLike, is_lazy, lift
from mksdask.statistics.request import SPACE, read_mask
from mksdask.statistics.two_point import Problem, read_problem, statistics_of_block


class TwoPointStatistics(TransformerMixin, BaseEstimator):
    """Two-point statistics of every sample, as one row of features a sample.

    The transformer form of :func:`~mksdask.statistics.two_point_statistics`, for scikit-learn's
    pipelines and searches: ``transform`` gives f[h, h'; r] unravelled to (sample, feature), lazily
    where the data are lazy, and ``inverse_transform`` brings features (or the components of a
    reduction) back to labelled pairs and lags.

    Parameters
    ----------
    basis, pairs, cutoff, boundary
        As for :func:`~mksdask.statistics.two_point_statistics`.
    mask
        Weights in [0, 1] of the voxels, the same for all samples.
    shape
        Shape of one sample, for data that come flat as (sample, voxel).

    Attributes
    ----------
    problem_
        The arguments as read for the shape of the data given to ``fit``.
    n_features_in_, n_features_out_
        Number of voxels of a sample, and of statistics.

    Examples
    --------
    >>> from mksdask.bases import PrimitiveBasis
    >>> X = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    >>> step = TwoPointStatistics(PrimitiveBasis(n_states=2), pairs=[(1, 1)], shape=(4,))
    >>> step.fit_transform(X)
    array([[0.  , 0.25, 0.5 , 0.25],
           [0.5 , 0.  , 0.5 , 0.  ]])
    >>> step.inverse_transform(step.transform(X)).dims
    ('sample', 'pair', 'lag_x')
    """

    def __init__(
        self,
        basis: Basis,
        pairs: Any = "all",
        cutoff: Any = None,
        boundary: Any = "periodic",
        mask: ArrayLike | None = None,
        shape: tuple[int, ...] | None = None,
    ):
        self.basis = basis
        self.pairs = pairs
        self.cutoff = cutoff
        self.boundary = boundary
        self.mask = mask
        self.shape = shape

    def fit(self, X: ArrayLike, y: Any = None) -> TwoPointStatistics:
        """Check the parameters against the shape of the data; looks at no value of them."""
        data = self._shaped(X)
        self.problem_: Problem = read_problem(
            data, self.basis, self.pairs, self.cutoff, self.boundary, self.mask is not None
        )
        layout = self.problem_.layout
        if not layout.has_sample:
            raise ValueError(f"X has dims {data.dims}; wanted a dimension 'sample'")
        if self.mask is not None and read_mask(self.mask, data, layout)[1] != layout.space:
            raise ValueError(
                f"mask has shape {self.mask.shape}; wanted {layout.sizes}, the same for all "
                "samples (a pipeline takes samples out without their masks): call "
                "two_point_statistics for one mask a sample"
            )
        self.n_features_in_ = int(np.prod(layout.sizes))
        self.n_features_out_ = int(np.prod(list(self.problem_.out_sizes.values())))
        return self

    def transform(self, X: ArrayLike) -> ArrayLike:
        """Statistics of shape (sample, feature), the kind of array that came in."""
        check_is_fitted(self)
        data = self._shaped(X)
        problem = self.problem_
        now = read_problem(
            data, self.basis, problem.plan.pairs, self.cutoff, self.boundary, self.mask is not None
        )
        if now.layout.sizes != problem.layout.sizes:
            raise ValueError(
                f"X has samples of shape {now.layout.sizes}; wanted {problem.layout.sizes} as in "
                "fit"
            )
        arrays, dims = [data], [problem.layout.dims]
        if self.mask is not None:
            arrays.append(read_mask(self.mask, data, problem.layout)[0])
            dims.append(problem.layout.space)
        return lift(
            _features_of_block,
            *arrays,
            dims=dims,
            out_dims=("sample", "feature"),
            sizes={"feature": self.n_features_out_},
            dtype=self.basis.dtype(data.dtype),
            name="two_point_features",
            kwargs={"basis": self.basis, "axes": problem.axes, "plan": problem.plan},
        )

    def inverse_transform(self, X: ArrayLike) -> xr.DataArray:
        """Features (sample, feature) as statistics with named pairs and lags."""
        check_is_fitted(self)
        if X.ndim != 2 or X.shape[1] != self.n_features_out_:
            raise ValueError(
                f"X has shape {X.shape}; wanted (sample, {self.n_features_out_}) features"
            )
        labelled = isinstance(X, xr.DataArray)
        values = X.transpose("sample", "feature").data if labelled else X
        sizes = tuple(self.problem_.out_sizes.values())
        coords = dict(self.problem_.coords)
        if labelled:
            coords |= {k: c for k, c in X.coords.items() if c.dims == ("sample",)}
        return xr.DataArray(
            values.reshape((len(values), *sizes)),
            dims=self.problem_.out_dims,
            coords=coords,
            attrs=self.problem_.attrs,
            name="two_point_statistics",
        )

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names such as ``f[0,1; 2,-1]``, pair and lag."""
        check_is_fitted(self)
        lags = np.stack(
            np.meshgrid(*(axis.lags for axis in self.problem_.axes), indexing="ij"), axis=-1
        ).reshape(-1, len(self.problem_.axes))
        return np.array(
            [
                f"f[{pair}; {','.join(map(str, lag))}]"
                for pair in self.problem_.coords["pair"]
                for lag in lags.tolist()
            ],
            dtype=object,
        )

    def _shaped(self, X: ArrayLike) -> ArrayLike:
        checked_basis(self.basis)
        if not isinstance(X, xr.DataArray) and not hasattr(X, "reshape"):
            X = np.asarray(X)
        if self.shape is None or X.ndim != 2:
            return X
        if X.shape[1] != np.prod(self.shape):
            raise ValueError(
                f"X has {X.shape[1]} columns; wanted {np.prod(self.shape)} for samples of shape "
                f"{tuple(self.shape)}"
            )
        if isinstance(X, xr.DataArray):
            dims = ("sample", *SPACE[: len(self.shape)])
            if is_lazy(X):
                X = X.chunk({d: -1 for d in X.dims if d != "sample"})
            values = X.transpose("sample", ...).data.reshape((len(X), *self.shape))
            kept = {k: c for k, c in X.coords.items() if c.dims == ("sample",)}
            return xr.DataArray(values, dims=dims, coords=kept, attrs=X.attrs)
        if is_lazy(X):
            X = X.rechunk({1: -1})
        return X.reshape((len(X), *self.shape))


def _features_of_block(block: np.ndarray, *mask: np.ndarray, **options: Any) -> np.ndarray:
    return statistics_of_block(block, *mask, **options).reshape(len(block), -1)
