"""What all feature sets share: nothing is learnt, names on request, samples in, features out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import dask.array as da
import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError

from mksdask.lazy import ArrayLike, lift
from mksdask.simulate.arguments import voxel_edges
from mksdask.statistics.phase_axes import SAMPLE, require_labels, spatial_dims


class FeatureSet(TransformerMixin, BaseEstimator):
    """Numbers that describe each microstructure, (sample, feature), computed lazily.

    A feature set learns nothing: ``fit`` returns it as it is, and ``transform`` gives the same
    numbers for a sample whatever the others are. Use it in a scikit-learn pipeline, or in
    ``HomogenizationModel(features=(...))`` beside the principal components of the statistics.
    """

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Look at the grid, for the names of the features; nothing is learnt of the samples."""
        values = X.data if isinstance(X, xr.DataArray) else X
        lazy = da.zeros(values.shape, dtype=values.dtype, chunks=-1)
        self.transform(X.copy(data=lazy) if isinstance(X, xr.DataArray) else lazy)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features of the grid last seen, by ``fit`` or ``transform``."""
        if not hasattr(self, "feature_names_"):
            raise NotFittedError(
                f"{type(self).__name__} has not seen a grid yet: names follow from it, so call "
                "fit or transform first"
            )
        return np.array(self.feature_names_, dtype=object)

    def _lifted(
        self,
        kernel: Callable[..., np.ndarray],
        phase: ArrayLike,
        names: list[str],
        **kwargs: Any,
    ) -> ArrayLike:
        """Apply a kernel from (sample, x[, y[, z]]) to (sample, feature)."""
        require_labels(phase)
        self.feature_names_ = tuple(names)
        return lift(
            kernel,
            phase,
            dims=[(SAMPLE, *spatial_dims(phase))],
            out_dims=(SAMPLE, "feature"),
            sizes={"feature": len(names)},
            coords={"feature": names},
            dtype=np.float64,
            name=type(self).__name__,
            kwargs=kwargs,
        )


def grid_of(phase: Any) -> dict[str, int]:
    """Voxels along each axis of space.

    >>> grid_of(np.zeros((3, 8, 5)))
    {'x': 8, 'y': 5}
    """
    space = spatial_dims(phase)
    if hasattr(phase, "sizes"):
        return {d: int(phase.sizes[d]) for d in space}
    return dict(zip(space, map(int, phase.shape[1:]), strict=True))


def voxel_of(phase: Any) -> tuple[float, ...]:
    """Edges of a voxel from ``attrs["voxel_size"]``, geometric mean 1; cubes without it.

    >>> voxel_of(xr.DataArray(np.zeros((1, 4, 4)), dims=("sample", "x", "y"))
    ...          .assign_attrs(voxel_size=[1.0, 4.0]))
    (0.5, 2.0)
    """
    voxel_size = getattr(phase, "attrs", {}).get("voxel_size")
    return voxel_edges(voxel_size, len(grid_of(phase)), "phase")


def label_of(state: Any, name: str = "state") -> int:
    """Label of a phase."""
    if isinstance(state, bool) or not isinstance(state, int | np.integer) or state < 0:
        raise ValueError(f"{name} is {state!r}; wanted the label of a phase, an integer from 0")
    return int(state)


def labels_of(states: Any) -> tuple[int, ...]:
    """Labels of phases, each once.

    >>> labels_of([0, np.int64(2)])
    (0, 2)
    """
    if isinstance(states, str) or not np.iterable(states):
        raise TypeError(f"states is {states!r}; wanted a list of labels of phases")
    found = tuple(label_of(s, "one of states") for s in states)
    if not found or len(set(found)) < len(found):
        raise ValueError(f"states is {states!r}; wanted labels of phases, each once")
    return found
