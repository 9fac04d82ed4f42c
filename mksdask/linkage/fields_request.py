"""Read the microstructures and the fields of response that a localization is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from mksdask.bases import Basis
from mksdask.lazy import ArrayLike, is_lazy, split_dims
from mksdask.statistics.lag_grid import voxel_attrs
from mksdask.statistics.request import SPACE, Layout, read_layout


@dataclass(frozen=True)
class Response:
    """What is predicted: one field, or several along a dimension ``component``.

    ``component`` is None for one field without such a dimension; labels, name, attributes and
    precision are those of the data of ``fit``.
    """

    n_components: int
    component: str | None
    coords: tuple[Any, ...] | None = None
    name: str | None = None
    attrs: dict[str, Any] = field(default_factory=dict)
    single: bool = False

    @property
    def axis_labels(self) -> tuple[str, ...] | None:
        """Names of the components after axes, "" for a single field; None without names."""
        if self.component is None:
            return ("",)
        return None if self.coords is None else tuple(map(str, self.coords))

    @property
    def labels(self) -> list[Any]:
        """Labels of the components, or their places."""
        return list(self.coords or range(self.n_components))

    def places(self, components: Any) -> list[int]:
        """Of the components that a user names, all if None."""
        labels = self.labels
        if components is None:
            return list(range(len(labels)))
        if self.component is None:
            raise ValueError("components is given, but the response has a single field")
        chosen = [components] if isinstance(components, (str, int)) else list(components)
        if not chosen or not set(chosen) <= set(labels) or len(set(chosen)) < len(chosen):
            raise ValueError(f"components is {components!r}; wanted some of {labels}, each once")
        return [labels.index(c) for c in chosen]

    def check_same(self, other: Response) -> None:
        """Say in which way the components of further data are not these."""
        mine, theirs = ((r.n_components, r.coords) for r in (self, other))
        unlabelled = self.coords is None or other.coords is None
        if mine[0] != theirs[0] or (not unlabelled and mine[1] != theirs[1]):
            raise ValueError(
                f"y has the components {other.coords or other.n_components}; wanted "
                f"{self.coords or self.n_components}, in this order, as in the first fit"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain lists and text."""
        coords = None if self.coords is None else list(self.coords)
        return {
            "n_components": self.n_components,
            "component": self.component,
            "coords": coords,
            "name": self.name,
            "attrs": self.attrs,
            "single": self.single,
        }

    @classmethod
    def from_json(cls, found: Any) -> Response:
        """The response that was written."""
        coords = None if found["coords"] is None else tuple(found["coords"])
        return cls(**{**found, "coords": coords})


class Training(NamedTuple):
    """Checked data without labels, (sample, *space, ...), and what they are.

    ``edges`` are those of a voxel as shares of the longest, if the microstructures tell.
    """

    X: ArrayLike
    y: ArrayLike
    layout: Layout
    response: Response
    edges: tuple[float, ...] | None


def read_training(X: Any, y: Any, basis: Basis) -> Training:
    """Microstructures and their responses, both lazy or both not."""
    X, layout = read_samples(X, basis)
    edges = read_edges(X, layout)
    y, response = read_response(y, X, layout)
    _check_whole(X, layout, "X")
    _check_whole(y, layout, "y")
    if isinstance(X, xr.DataArray):
        X = X.transpose(*layout.dims).data
    if is_lazy(y) and not is_lazy(X):
        X = da.from_array(np.asarray(X), chunks=(y.chunks[0], *X.shape[1:]))
    return Training(X, y, layout, response, edges)


def _check_whole(data: ArrayLike, layout: Layout, name: str) -> None:
    """Say if samples are in pieces: the transforms of calibration need them whole."""
    if isinstance(data, xr.DataArray):
        split = split_dims(data, layout.space)
        remedy = f"{name}.chunk({dict.fromkeys(split, -1)})"
    else:
        axes = range(1, 1 + len(layout.space)) if is_lazy(data) else ()
        cut = [axis for axis in axes if data.numblocks[axis] > 1]
        split = [layout.space[axis - 1] for axis in cut]
        remedy = f"{name}.rechunk({dict.fromkeys(cut, -1)})"
    if split:
        raise ValueError(
            f"{name} is chunked along {split}; wanted every sample in one piece: {remedy} first"
        )


def read_edges(X: ArrayLike, layout: Layout) -> tuple[float, ...] | None:
    """Edges of a voxel along each axis as shares of the longest, if ``attrs`` tell."""
    edges, _ = voxel_attrs(getattr(X, "attrs", {}), layout.space)
    return None if edges is None else tuple(float(e) for e in np.array(edges) / max(edges))


def check_edges(mine: Sequence[float] | None, theirs: Sequence[float] | None) -> None:
    """Say if voxels have another form than those of calibration, where both are known."""
    if mine is not None and theirs is not None and not np.allclose(mine, theirs, rtol=1e-5):
        raise ValueError(
            f"X has voxels with edges like {tuple(theirs)} (attrs['voxel_size']); wanted "
            f"{tuple(mine)} as in fit: resample the microstructures, or fit a model on these"
        )


def read_samples(X: Any, basis: Basis) -> tuple[ArrayLike, Layout]:
    """The microstructures with a dimension of samples, and their axes."""
    if not hasattr(X, "ndim"):
        X = np.asarray(X)
    layout = read_layout(X, basis)
    if not layout.has_sample:
        X = X.expand_dims("sample")
    return X, layout


def read_response(y: Any, X: ArrayLike, layout: Layout) -> tuple[ArrayLike, Response]:
    """The response as an array (sample, *space, component), with what it is called."""
    if not hasattr(y, "ndim"):
        y = np.asarray(y)
    if np.dtype(y.dtype).kind not in "iubf":
        raise TypeError(
            f"y has dtype {y.dtype}; wanted real numbers (give real and imaginary part as two "
            "components)"
        )
    n_samples = X.sizes["sample"] if isinstance(X, xr.DataArray) else len(X)
    wanted = (n_samples, *layout.sizes)
    single = np.dtype(y.dtype) in (np.float32, np.float16)
    if isinstance(y, xr.DataArray):
        dims = [str(d) for d in y.dims]
        if "sample" not in dims and n_samples == 1:
            y, dims = y.expand_dims("sample"), ["sample", *dims]
        extra = [d for d in dims if d not in ("sample", *layout.space)]
        missing = [d for d in ("sample", *layout.space) if d not in dims]
        if missing or len(extra) > 1 or any(d in SPACE for d in extra):
            raise ValueError(
                f"y has dims {tuple(dims)}; wanted {('sample', *layout.space)} as the "
                "microstructures have, and at most one more for components: rename, select or "
                "stack them"
            )
        y = y.transpose("sample", *layout.space, *extra)
        _check_shape(y.shape[: len(wanted)], wanted)
        if isinstance(X, xr.DataArray) and "sample" in X.coords and "sample" in y.coords:
            mine, theirs = X["sample"].values, y["sample"].values
            if not np.array_equal(mine, theirs):
                raise ValueError(
                    "the 'sample' coordinates of X and y differ: bring both into the same order, "
                    "for example with xarray.align(X, y, join='inner')"
                )
        if isinstance(X, xr.DataArray):
            _check_places(X, y, layout.space)
        coords = tuple(y[extra[0]].values.tolist()) if extra and extra[0] in y.coords else None
        response = Response(
            y.shape[-1] if extra else 1,
            extra[0] if extra else None,
            coords,
            None if y.name is None else str(y.name),
            {k: v for k, v in y.attrs.items() if isinstance(v, (str, int, float))},
            single,
        )
        y = y.data
    else:
        if y.ndim not in (len(wanted), len(wanted) + 1):
            raise ValueError(
                f"y has shape {tuple(y.shape)}; wanted {wanted}, or this and an axis of components"
            )
        _check_shape(y.shape[: len(wanted)], wanted)
        several = y.ndim > len(wanted)
        response = Response(
            y.shape[-1] if several else 1, "component" if several else None, single=single
        )
    if response.n_components == 0:
        raise ValueError("y has no components; wanted at least one: check the selection")
    if not isinstance(y, da.Array):
        y = np.asarray(y)
    if y.ndim == len(wanted):
        return y[..., None], response
    return (y.rechunk({y.ndim - 1: -1}) if is_lazy(y) else y), response


def _check_places(X: xr.DataArray, y: xr.DataArray, space: Sequence[str]) -> None:
    """Say if the voxels of the response are at other places, or in another order."""
    for d in space:
        if (
            d in X.coords
            and d in y.coords
            and X[d].dtype.kind in "iuf"
            and y[d].dtype.kind in "iuf"
        ):
            mine, theirs = X[d].values, y[d].values
            step = np.abs(np.diff(mine.astype(float))).min(initial=np.inf)
            if not np.allclose(mine, theirs, rtol=0, atol=1e-3 * step):
                raise ValueError(
                    f"the {d!r} coordinates of X and y differ: give both on the same grid in the "
                    "same order"
                )


def _check_shape(found: Sequence[int], wanted: Sequence[int]) -> None:
    if tuple(found) != tuple(wanted):
        raise ValueError(
            f"y has (samples, voxels) {tuple(found)}; wanted {tuple(wanted)} as the "
            "microstructures have: select the same samples on the same grid"
        )


def check_ridge(ridge: Any) -> None:
    """Refuse what is not a number of at least 0."""
    if isinstance(ridge, bool) or not isinstance(ridge, (int, float, np.number)):
        raise TypeError(f"ridge is {ridge!r}; wanted a number of at least 0")
    if not 0 <= ridge < np.inf:
        raise ValueError(f"ridge is {ridge}; wanted a number of at least 0")


def read_wrap(boundary: Any, space: Sequence[str]) -> tuple[bool, ...]:
    """Which axes are periodic.

    >>> read_wrap({"x": "nonperiodic"}, ("x", "y"))
    (False, True)
    """
    by_axis = boundary if isinstance(boundary, dict) else dict.fromkeys(space, boundary)
    unknown = [d for d in by_axis if d not in SPACE]
    wrong = [b for b in by_axis.values() if b not in ("periodic", "nonperiodic")]
    if unknown or wrong:
        raise ValueError(
            f"boundary is {boundary!r}; wanted 'periodic' or 'nonperiodic', or one of them by "
            f"axis, such as {{'{space[-1]}': 'nonperiodic'}}"
        )
    return tuple(by_axis.get(d, "periodic") == "periodic" for d in space)
