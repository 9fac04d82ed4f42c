"""Picture of two-point statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from mksdask.plot.canvas import (
    LINE_COLOURS,
    central_planes,
    make_figure,
    make_grid,
    one_sample,
    pair_titles,
    show_plane,
    some_pairs,
    unit_label,
    value_range,
)
from mksdask.progress import compute
from mksdask.statistics.lag_grid import PREFIX, lag_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def two_point(
    f: xr.DataArray,
    *,
    sample: int = 0,
    pairs: Sequence[str] | str | None = None,
    physical: bool | None = None,
    cmap: str = "viridis",
) -> Figure:
    """Draw the two-point statistics of one sample: a column a pair, one colour scale for all.

    One dimension is drawn as curves, two as maps over the lag with its zero in the middle, three
    as the three planes through lag zero. Only the sample shown is computed.

    Parameters
    ----------
    f
        Output of :func:`mksdask.statistics.two_point_statistics`, or its mean over the samples.
    sample
        Number of the sample to show, if ``f`` has several.
    pairs
        Pairs to show by name (``f.pair``); all if None.
    physical
        Lags in the unit of ``f.attrs["voxel_unit"]`` (True) or in voxels (False). None takes the
        unit if ``f`` has a ``voxel_size``.
    cmap
        Name of a matplotlib colour map.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> f = xr.DataArray(np.ones((1, 2, 5, 5)), dims=("sample", "pair", "lag_x", "lag_y"))
    >>> len(two_point(f).axes)     # two maps and the colour bar
    3
    """
    one = some_pairs(one_sample(f, sample, "f"), pairs)
    if one.dtype.kind == "c":
        raise TypeError(f"f has dtype {one.dtype}; wanted real statistics: draw f.real and f.imag")
    grid = lag_grid(one)
    steps, unit = grid.steps(
        one.attrs.get("voxel_size") is not None if physical is None else physical
    )
    if len(grid.dims) == 1:
        return _curves(one, grid.lags[0] * steps[0], grid.dims[0], unit)
    planes = central_planes(one, grid.dims, grid.zero())
    titles = pair_titles(one)
    extents = {d: _extent(lag, h) for d, lag, h in zip(grid.dims, grid.lags, steps, strict=True)}
    ratios = [np.ptp(extents[up]) / np.ptp(extents[right]) for (right, up), _ in planes]
    figure, panels = make_grid(ratios, len(titles), 2.2)
    values = compute(*(plane for _, plane in planes), label="two-point statistics")
    low, high = value_range(values)
    for row, ((dims, _), plane) in enumerate(zip(planes, values, strict=True)):
        ends = [extents[d] for d in dims]
        stacked = plane.transpose("pair", *dims).values
        for column, title in enumerate(titles):
            axes = panels[row, column]
            axes.set_facecolor("0.85")
            image = show_plane(
                axes, stacked[column], [*ends[0], *ends[1]], vmin=low, vmax=high, cmap=cmap
            )
            axes.set_xlabel(_lag_label(dims[0], unit))
            if column == 0:
                axes.set_ylabel(_lag_label(dims[1], unit))
            if row == 0:
                axes.set_title(title)
    figure.colorbar(image, ax=panels, label="probability", shrink=1.0 if len(planes) == 1 else 0.5)
    return figure


def _curves(f: xr.DataArray, lag: np.ndarray, dim: str, unit: str) -> Figure:
    figure = make_figure(5.0, 3.2)
    axes = figure.add_subplot()
    (values,) = compute(f.transpose("pair", dim), label="two-point statistics")
    for i, title in enumerate(pair_titles(f)):
        axes.plot(lag, values.values[i], color=LINE_COLOURS[i % len(LINE_COLOURS)], label=title)
    axes.set_xlabel(_lag_label(dim, unit))
    axes.set_ylabel("probability")
    axes.legend(frameon=False)
    return figure


def _extent(lags: np.ndarray, step: float) -> tuple[float, float]:
    return (lags[0] - 0.5) * step, (lags[-1] + 0.5) * step


def _lag_label(dim: str, unit: str) -> str:
    return f"lag along {dim.removeprefix(PREFIX)}{unit_label(unit)}"
