"""What a homogenization model learns from: computed once, for one fit or for many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import xarray as xr

from mksdask.lazy import ArrayLike
from mksdask.linkage.descriptors import (
    chunked,
    further_features,
    references_of,
    statistics_features,
)
from mksdask.linkage.properties import (
    Properties,
    as_samples,
    missing_samples,
    n_samples,
    read_properties,
    sample_names,
)
from mksdask.progress import compute
from mksdask.reduction.features import plain

if TYPE_CHECKING:
    from mksdask.linkage.homogenization import HomogenizationModel

#: Attributes of microstructures that must be the same where a model is used.
DEFINING = ("voxel_size", "voxel_unit")


@dataclass(frozen=True)
class Grid:
    """Dimensions (None for plain arrays), shape and attributes of one microstructure."""

    dims: tuple[str, ...] | None
    shape: tuple[int, ...]
    dtype: str
    attrs: dict[str, Any]

    @classmethod
    def of(cls, X: ArrayLike) -> Grid:
        """Read from an array of samples."""
        if not isinstance(X, xr.DataArray):
            return cls(None, tuple(X.shape[1:]), str(X.dtype), {})
        dims = tuple(str(d) for d in X.dims if d != "sample")
        known = {k: plain(X.attrs[k]) for k in (*DEFINING, "phase_names") if k in X.attrs}
        return cls(dims, tuple(X.sizes[d] for d in dims), str(X.dtype), known)

    def check(self, X: ArrayLike) -> None:
        """Refuse microstructures of another shape or voxel size."""
        other = Grid.of(X)
        mine, theirs = self.shape, other.shape
        if self.dims is not None and other.dims is not None:
            if set(self.dims) != set(other.dims):
                raise ValueError(f"X has dims {other.dims}; wanted {self.dims} as in fit")
            theirs = tuple(X.sizes[d] for d in self.dims)
        if mine != theirs:
            raise ValueError(
                f"X has samples of shape {theirs}; wanted {mine} as in fit: a model holds for one "
                "grid, so cut or fill the samples to it, or fit a model on this one"
            )
        labelled = self.dims is not None and other.dims is not None
        for name in DEFINING:
            here, there = self.attrs.get(name), other.attrs.get(name)
            if labelled and name == "voxel_size":  # voxels are cubes of any size without it
                here = 1.0 if here is None and _boxes(there) else here
                there = 1.0 if there is None and _boxes(here) else there
            if here is not None and there is not None and not _same(here, there):
                raise ValueError(
                    f"X has {name} {there}; wanted {here} as in fit: a model holds for one size of "
                    "voxels, so resample, or fit a model on these"
                )

    def example(self) -> ArrayLike:
        """One microstructure like those of ``fit``, for what looks at shapes only."""
        values = da.zeros((1, *self.shape), dtype=self.dtype)
        if self.dims is None:
            return values
        return xr.DataArray(values, dims=("sample", *self.dims), attrs=self.attrs)


def _same(a: Any, b: Any) -> bool:
    """Whether lengths agree but for rounding (one length stands for all axes), or texts do.

    >>> _same([0.1 + 0.2, 0.3], 0.3), _same([1.0, 2.0], [1.0, 1.0]), _same("um", "um")
    (True, False, True)
    """
    x, y = np.ravel(a), np.ravel(b)
    if x.dtype.kind not in "iuf" or y.dtype.kind not in "iuf":
        return bool(a == b)
    one_for_all = len(x) == len(y) or 1 in (len(x), len(y))
    return one_for_all and bool(np.allclose(x, y, rtol=1e-6, atol=0))


def _boxes(voxel_size: Any) -> bool:
    return voxel_size is not None and not _same(voxel_size, np.ravel(voxel_size)[0])


@dataclass(frozen=True)
class Material:
    """Samples that can be learnt from: statistics (None if not wanted) and what else is known.

    ``features`` are (sample, feature), not computed yet; the others are NumPy arrays of shape
    (sample, ...).
    """

    grid: Grid
    statistics: Any
    features: da.Array | None
    further: np.ndarray
    names: tuple[str, ...]
    references: np.ndarray | None
    targets: np.ndarray
    properties: Properties
    samples: np.ndarray
    dropped: np.ndarray


def check_enough(n_components: int, n: int) -> None:
    """Refuse more components than samples have directions to vary in."""
    if n_components >= n:
        raise ValueError(
            f"n_components is {n_components}, but {n} samples to learn from vary in at most {n - 1} "
            "directions: ask for fewer components or give more samples"
        )


def gather(model: HomogenizationModel, X: ArrayLike, y: Any) -> Material:
    """Check the samples and their properties, and compute what needs no fitting."""
    X = as_samples(X)
    if isinstance(X, xr.DataArray) and "sample" not in X.dims:
        raise ValueError(f"X has dims {X.dims}; wanted 'sample' and one to three of ('x','y','z')")
    model._check_parameters()
    statistics = model._statistics().fit(X) if model.n_components else None
    targets, properties = read_properties(y, X)
    missing = missing_samples(targets, X, model.on_missing)
    dropped = sample_names(X)[missing]
    if missing.any():
        targets = targets[~missing]
        X = X.isel(sample=~missing) if isinstance(X, xr.DataArray) else X[~missing]
    if n_samples(X) < 3:
        raise ValueError(
            f"{n_samples(X)} samples with properties; wanted at least 3, to learn from"
        )
    check_enough(model.n_components, n_samples(X))
    X = chunked(X)
    features = None if statistics is None else statistics_features(statistics, X)
    further = further_features(model.features, X)
    references = references_of(model.target, X)
    *further, references = compute(*further, references, label="features")
    return Material(
        Grid.of(X),
        statistics,
        features,
        np.concatenate([np.empty((n_samples(X), 0)), *further], axis=1),
        tuple(str(n) for f in model.features for n in f.get_feature_names_out()),
        None if references is None else np.asarray(references, float),
        targets,
        properties,
        sample_names(X),
        dropped,
    )
