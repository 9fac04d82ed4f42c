"""Pictures of principal components: how much each explains, what it is, where samples lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mksdask.plot.canvas import (
    LINE_COLOURS,
    central_planes,
    make_figure,
    make_grid,
    pair_titles,
    show_plane,
    some_pairs,
    value_range,
)
from mksdask.progress import compute
from mksdask.statistics.lag_grid import PREFIX, lag_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = "os^DvPX*"


def explained_variance(ratios: Any) -> Figure:
    """Draw the share of the variance that each component explains, and their running sum.

    Parameters
    ----------
    ratios
        A fitted reducer with ``explained_variance_ratio_``, or these numbers.

    Examples
    --------
    >>> len(explained_variance([0.7, 0.2, 0.05]).axes)
    1
    """
    values = np.asarray(getattr(ratios, "explained_variance_ratio_", ratios))
    if values.ndim != 1 or values.size == 0 or values.dtype.kind not in "fiu":
        raise TypeError(
            f"ratios is a {type(ratios).__name__}; wanted a fitted reducer with "
            "explained_variance_ratio_, or one number a component"
        )
    number = np.arange(len(values))
    figure = make_figure(4.6, 3.2)
    from matplotlib.ticker import MaxNLocator

    axes = figure.add_subplot()
    axes.bar(number, 100 * values, color=LINE_COLOURS[0], label="each")
    axes.plot(number, 100 * values.cumsum(), "o-", color=LINE_COLOURS[1], ms=4, label="together")
    axes.set_xlabel("component")
    axes.set_ylabel("variance explained (%)")
    axes.set_ylim(0, 105)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="center right")
    return figure


def components(
    parts: xr.DataArray, *, count: int = 3, pairs: Sequence[str] | str | None = None
) -> Figure:
    """Draw components of two-point statistics as the statistics they add: a row each.

    White is no change, and the two colours are more and less. Two dimensions of lags are drawn
    whole, of three the planes through lag zero, one dimension as curves.

    Parameters
    ----------
    parts
        ``IncrementalPCA.components`` of a model fitted on labelled statistics.
    count
        How many components to show, from the first.
    pairs
        Pairs to show by name; all if None.

    Examples
    --------
    >>> parts = xr.DataArray(np.eye(9).reshape(9, 1, 3, 3),
    ...                      dims=("component", "pair", "lag_x", "lag_y"))
    >>> len(components(parts, count=2).axes)     # two maps and the colour bar
    3
    """
    if not isinstance(parts, xr.DataArray) or "component" not in parts.dims:
        raise TypeError(
            f"parts is a {type(parts).__name__}; wanted the components of a reducer fitted on "
            "labelled statistics, a DataArray with dim 'component'"
        )
    if parts.dtype.kind == "c":
        raise TypeError(f"parts has dtype {parts.dtype}; draw parts.real and parts.imag")
    if count < 1:
        raise ValueError(f"count is {count}; wanted at least 1")
    shown = some_pairs(parts.isel(component=slice(count)), pairs)
    grid = lag_grid(shown)
    titles = pair_titles(shown)
    if len(grid.dims) == 1:
        return _curves(shown, grid, titles)
    (values,) = compute(shown)
    planes = central_planes(values, grid.dims, grid.zero())
    lags = dict(zip(grid.dims, grid.lags, strict=True))
    rows = [(k, dims, plane) for k in range(len(shown["component"])) for dims, plane in planes]
    ratios = [
        np.ptp(_extent(lags[up])) / np.ptp(_extent(lags[right])) for _, (right, up), _ in rows
    ]
    figure, panels = make_grid(ratios, len(titles), 2.0)
    limit = max(map(abs, value_range([plane for _, plane in planes]))) or 1.0
    for row, (k, dims, plane) in enumerate(rows):
        stacked = plane.isel(component=k).transpose("pair", *dims).values
        extent = [*_extent(lags[dims[0]]), *_extent(lags[dims[1]])]
        for column, title in enumerate(titles):
            axes = panels[row, column]
            axes.set_facecolor("0.85")
            image = show_plane(
                axes, stacked[column], extent, vmin=-limit, vmax=limit, cmap="RdBu_r"
            )
            axes.set_xlabel(f"lag along {dims[0].removeprefix(PREFIX)}")
            if column == 0:
                label = f"lag along {dims[1].removeprefix(PREFIX)}"
                axes.set_ylabel(f"component {k}\n{label}")
            if row == 0:
                axes.set_title(title)
    figure.colorbar(image, ax=panels, label="weight", shrink=1.0 if len(rows) == 1 else 0.5)
    return figure


def scores(points: xr.DataArray, *, axes: Sequence[int] = (0, 1), classes: Any = None) -> Figure:
    """Draw samples as points in the space of two or three components, by class.

    Parameters
    ----------
    points
        Output of ``IncrementalPCA.transform``: dims (sample, component).
    axes
        The two or three components to show, from 0.
    classes
        A name a sample, or the name of a coordinate of ``points``; one colour and marker each.

    Examples
    --------
    >>> points = xr.DataArray(np.eye(4), dims=("sample", "component"))
    >>> len(scores(points, classes=["a", "a", "b", "b"]).axes)
    1
    """
    if not isinstance(points, xr.DataArray) or set(points.dims) != {"sample", "component"}:
        raise TypeError(
            f"points is a {type(points).__name__} with dims {getattr(points, 'dims', None)}; wanted "
            "a DataArray with dims ('sample', 'component')"
        )
    n = points.sizes["component"]
    if len(axes) not in (2, 3) or not all(0 <= k < n for k in axes):
        raise ValueError(f"axes is {tuple(axes)}; wanted two or three numbers from 0 to {n - 1}")
    (values,) = compute(points.isel(component=list(axes)).transpose("sample", "component"))
    if values.dtype.kind == "c":
        raise TypeError(f"points has dtype {values.dtype}; draw points.real or abs(points)")
    names = _class_names(points, classes)
    figure = make_figure(5.2, 4.2 if len(axes) == 2 else 4.8)
    from matplotlib.ticker import MaxNLocator

    panel: Any = figure.add_subplot(projection="3d" if len(axes) == 3 else None)
    for i, name in enumerate(dict.fromkeys(names.tolist())):
        panel.scatter(
            *values.values[names == name].T,
            s=14,
            alpha=0.8,
            color=LINE_COLOURS[i % len(LINE_COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            label=str(name),
        )
    for letter, k, column in zip("xyz", axes, range(len(axes)), strict=False):
        label = f"component {k}"
        if "explained_variance_ratio" in values.coords:
            share = 100 * float(values["explained_variance_ratio"].values[column])
            label += f" ({share:.2g} %)"
        getattr(panel, f"set_{letter}label")(label, labelpad=10 if len(axes) == 3 else None)
        getattr(panel, f"{letter}axis").set_major_locator(MaxNLocator(5))
    if classes is not None:
        figure.legend(*panel.get_legend_handles_labels(), frameon=False, loc="outside right upper")
    if len(axes) == 3:
        # Room for the labels, which automatic layout does not see.
        panel.set_box_aspect(None, zoom=0.8)
    return figure


def _class_names(points: xr.DataArray, classes: Any) -> np.ndarray:
    n = points.sizes["sample"]
    if classes is None:
        return np.zeros(n, int)
    if isinstance(classes, str):
        if classes not in points.coords or points[classes].dims != ("sample",):
            known = [str(k) for k, c in points.coords.items() if c.dims == ("sample",)]
            raise ValueError(f"classes is {classes!r}; wanted a name a sample, or one of {known}")
        return points[classes].values
    names = np.asarray(classes)
    if names.shape != (n,):
        raise ValueError(
            f"classes has shape {names.shape}; wanted one name for each of {n} samples"
        )
    return names


def _curves(parts: xr.DataArray, grid: Any, titles: Sequence[str]) -> Figure:
    figure, panels = make_grid([0.7], len(titles), 2.6)
    (values,) = compute(parts.transpose("component", "pair", *grid.dims))
    for column, title in enumerate(titles):
        for k, curve in enumerate(values.values[:, column]):
            colour = LINE_COLOURS[k % len(LINE_COLOURS)]
            panels[0, column].plot(grid.lags[0], curve, color=colour, label=f"component {k}")
        panels[0, column].set_title(title)
        panels[0, column].set_xlabel(f"lag along {grid.dims[0].removeprefix(PREFIX)}")
    panels[0, 0].set_ylabel("weight")
    panels[0, -1].legend(frameon=False)
    return figure


def _extent(lags: np.ndarray) -> tuple[float, float]:
    return float(lags[0]) - 0.5, float(lags[-1]) + 0.5
