"""Two-point statistics averaged over the symmetries of what they are to predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mksdask.bases import Basis
from mksdask.lazy import ArrayLike, lift
from mksdask.simulate.arguments import voxel_edges
from mksdask.statistics.lags import Axis
from mksdask.statistics.transformer import TwoPointStatistics


class SymmetrizedStatistics(TransformerMixin, BaseEstimator):
    """Two-point statistics averaged over a group of reflections and swaps of axes.

    A constant such as C1111 does not change when the cell is reflected, or when y and z trade
    places; statistics averaged over these operations hold fewer numbers, and what is learnt from
    one cell is learnt for its images too. Every orbit (set of lags that the operations turn into
    one another) becomes one feature, the mean of f over its n lags times sqrt(n), so that
    distances between samples, and with them principal components, are those of the averaged maps.

    Takes the place of :class:`TwoPointStatistics` in pipelines and as
    ``HomogenizationModel(statistics=...)``.

    Parameters
    ----------
    basis, pairs, cutoff, boundary
        As for :func:`~mksdask.two_point_statistics`.
    symmetries
        Operations that generate the group: ``"-x"`` reflects x, ``"xy"`` swaps x and y. None takes
        all reflections. For C1111 ``("-x", "-y", "-z", "yz")``, for C1212 ``("-x", "-y", "-z",
        "xy")``; without swaps for both at once.

    Attributes
    ----------
    orbit_
        Number of the feature that each lag belongs to, in the shape of the lags.
    n_features_in_, n_features_out_
        Number of voxels of a sample, and of features.

    Examples
    --------
    >>> from mksdask.bases import PrimitiveBasis
    >>> X = np.array([[[0, 0, 1], [0, 1, 1], [0, 0, 0]]])
    >>> step = SymmetrizedStatistics(PrimitiveBasis(2), [(1, 1)], symmetries=("-x", "-y", "xy"))
    >>> step.fit_transform(X).round(3)
    array([[0.333, 0.111, 0.222]])
    >>> step.inverse_transform(step.transform(X)).values.round(3)[0, 0]
    array([[0.056, 0.111, 0.056],
           [0.111, 0.333, 0.111],
           [0.056, 0.111, 0.056]])
    """

    def __init__(
        self,
        basis: Basis,
        pairs: Any = "auto",
        cutoff: Any = None,
        boundary: Any = "periodic",
        symmetries: Sequence[str] | None = None,
    ):
        self.basis = basis
        self.pairs = pairs
        self.cutoff = cutoff
        self.boundary = boundary
        self.symmetries = symmetries

    def fit(self, X: ArrayLike, y: Any = None) -> SymmetrizedStatistics:
        """Find the orbits of the lags for the shape of the data; looks at no value of them."""
        self.statistics_ = TwoPointStatistics(
            self.basis, self.pairs, self.cutoff, self.boundary
        ).fit(X)
        problem = self.statistics_.problem_
        space = problem.layout.space
        given = [f"-{d}" for d in space] if self.symmetries is None else self.symmetries
        if isinstance(given, str):
            raise TypeError(f"symmetries is {given!r}; wanted a list such as ['-x', 'xy']")
        voxel = voxel_edges(getattr(X, "attrs", {}).get("voxel_size"), len(space), "X")
        images = [_image(op, space, problem.axes, voxel) for op in given]
        self.orbit_ = _orbits(images, tuple(len(axis.lags) for axis in problem.axes))
        n_pairs = len(problem.plan.pairs)
        self.n_features_in_ = self.statistics_.n_features_in_
        self.n_features_out_ = n_pairs * (int(self.orbit_.max()) + 1)
        return self

    def transform(self, X: ArrayLike) -> ArrayLike:
        """Averaged statistics of shape (sample, feature), the kind of array that came in."""
        check_is_fitted(self)
        features = self.statistics_.transform(X)
        return lift(
            _averaged,
            features,
            dims=[("sample", "feature")],
            out_dims=("sample", "feature"),
            sizes={"feature": self.n_features_out_},
            whole=("feature",),
            dtype=features.dtype,
            name="symmetrized_statistics",
            kwargs={"orbit": self.orbit_.ravel()},
        )

    def inverse_transform(self, X: ArrayLike) -> xr.DataArray:
        """Features (sample, feature) as averaged statistics with named pairs and lags."""
        check_is_fitted(self)
        if X.ndim != 2 or X.shape[1] != self.n_features_out_:
            raise ValueError(
                f"X has shape {X.shape}; wanted (sample, {self.n_features_out_}) features"
            )
        spread = lift(
            _spread,
            X,
            dims=[("sample", "feature")],
            out_dims=("sample", "feature"),
            sizes={"feature": self.statistics_.n_features_out_},
            whole=("feature",),
            dtype=X.dtype,
            kwargs={"orbit": self.orbit_.ravel()},
        )
        return self.statistics_.inverse_transform(spread)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names such as ``f[1,1; 2,0]``, the pair and one lag of the orbit."""
        check_is_fitted(self)
        names = self.statistics_.get_feature_names_out()
        n_lags, n = self.orbit_.size, int(self.orbit_.max()) + 1
        # the last lag of an orbit, in the order of the array, has the fewest minus signs
        last = np.zeros(n, int)
        last[self.orbit_.ravel()] = np.arange(n_lags)
        rows: np.ndarray = names.reshape(-1, n_lags)[:, last].ravel()
        return rows


def _image(
    operation: Any, space: Sequence[str], axes: Sequence[Axis], voxel: Sequence[float]
) -> np.ndarray:
    """Where an operation takes each lag: flat indices in the shape of the lags."""
    index = np.arange(int(np.prod([len(axis.lags) for axis in axes])))
    index = index.reshape([len(axis.lags) for axis in axes])
    if isinstance(operation, str) and operation[:1] == "-" and operation[1:] in space:
        number = space.index(operation[1:])
        return np.take(index, axes[number].opposite, axis=number)
    if isinstance(operation, str) and len(set(operation)) == 2 and set(operation) <= set(space):
        first, second = (space.index(d) for d in operation)
        same = np.array_equal(axes[first].lags, axes[second].lags)
        if not same or axes[first] != axes[second]:
            raise ValueError(
                f"symmetries has {operation!r}, and axes {operation[0]} and {operation[1]} have "
                f"{axes[first].size} and {axes[second].size} voxels, cutoffs "
                f"{axes[first].cutoff} and {axes[second].cutoff}; wanted equal axes to swap"
            )
        if not np.isclose(voxel[first], voxel[second], rtol=1e-5):
            raise ValueError(
                f"symmetries has {operation!r}, and voxels have other edges along {operation[0]} "
                f"than along {operation[1]} (attrs['voxel_size']); wanted equal axes to swap"
            )
        return np.swapaxes(index, first, second)
    raise ValueError(
        f"symmetries has {operation!r}; wanted operations such as '-x', which reflects, or 'xy', "
        f"which swaps, on the axes {tuple(space)}"
    )


def _orbits(images: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Number of the orbit of every lag; orbit 0 holds lag zero."""
    n = int(np.prod(shape))
    lowest = np.arange(n)
    while True:
        before = lowest.copy()
        for image in images:
            # the operations are their own inverses, so each joins lags in pairs
            lowest = np.minimum(lowest, lowest[image.ravel()])
        lowest = lowest[lowest]
        if np.array_equal(before, lowest):
            break
    centre = int(np.ravel_multi_index([m // 2 for m in shape], shape))
    found = np.unique(lowest, return_inverse=True)[1].ravel()
    # bring the orbit of lag zero to the front
    zero = found[centre]
    found = np.where(found == zero, 0, np.where(found < zero, found + 1, found))
    return found.reshape(shape)


def _averaged(block: np.ndarray, *, orbit: np.ndarray) -> np.ndarray:
    n = int(orbit.max()) + 1
    rows = block.reshape(-1, len(orbit))
    scale = np.sqrt(np.bincount(orbit, minlength=n))
    out = np.empty((len(rows), n), np.result_type(block.dtype, np.float64))
    for target, row in zip(out, rows, strict=True):
        if row.dtype.kind == "c":
            target[:] = np.bincount(orbit, row.real, n) + 1j * np.bincount(orbit, row.imag, n)
        else:
            target[:] = np.bincount(orbit, row, n)
    out /= scale
    return out.reshape(len(block), -1).astype(block.dtype, copy=False)


def _spread(block: np.ndarray, *, orbit: np.ndarray) -> np.ndarray:
    n = int(orbit.max()) + 1
    scale = np.sqrt(np.bincount(orbit, minlength=n)).astype(block.real.dtype)
    rows = block.reshape(-1, n) / scale
    return rows[:, orbit].reshape(len(block), -1)
