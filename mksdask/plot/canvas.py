"""What the pictures share: making a figure, choosing a sample, laying planes out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mksdask.errors import missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPACE = ("x", "y", "z")
#: Colour-blind safe colours, dark and light in turn, so that they also differ in grey.
PHASE_COLOURS = (
    "#30507a",
    "#f2b134",
    "#b5446e",
    "#7fc6a4",
    "#5c4d7d",
    "#e8d5b5",
    "#2d7f83",
    "#e07a5f",
)

#: The same for curves on white, where none may be light.
LINE_COLOURS = (
    "#30507a",
    "#d1840f",
    "#b5446e",
    "#3c9a74",
    "#8a6fc0",
    "#8b5a2b",
    "#2d7f83",
    "#666666",
)


def make_figure(width: float, height: float, layout: Any = "constrained") -> Figure:
    """Make an empty figure of that size in inches, or say what to install."""
    try:
        from mksdask.plot.picture import Picture
    except ImportError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        raise missing_extra("matplotlib", "plot", "drawing pictures") from None
    return Picture(figsize=(width, height), layout=layout)


def make_grid(ratios: Sequence[float], columns: int, panel: float) -> tuple[Figure, np.ndarray]:
    """Make a figure with a row for each ratio of height to width, and its axes.

    Columns are ``panel`` inches wide; the panels of a row share their vertical axis.
    """
    heights = [min(max(r, 1 / 8), 2.0) for r in ratios]
    width = columns * panel + 1.3
    height = sum(h * panel + 0.5 for h in heights) + 0.2
    figure = make_figure(width, height, "compressed")
    grid = figure.subplots(
        len(heights), columns, squeeze=False, sharey="row", gridspec_kw={"height_ratios": heights}
    )
    return figure, grid


def one_sample(data: xr.DataArray, sample: int, name: str) -> xr.DataArray:
    """Entry ``sample`` along dimension ``sample``, if there is such a dimension."""
    if not isinstance(data, xr.DataArray):
        raise TypeError(
            f"{name} is a {type(data).__name__}; wanted an xarray.DataArray, whose names become "
            "the labels of the picture"
        )
    if "sample" not in data.dims:
        return data
    n = data.sizes["sample"]
    if isinstance(sample, bool) or not isinstance(sample, int | np.integer):
        raise TypeError(f"sample is {sample!r}; wanted the number of a sample")
    if not -n <= sample < n:
        raise ValueError(f"sample is {sample}; wanted 0 to {n - 1}")
    return data.isel(sample=int(sample))


def some_pairs(data: xr.DataArray, pairs: Sequence[str] | str | None) -> xr.DataArray:
    """The pairs to show, on a dimension ``pair`` that leads the others."""
    if "pair" not in data.dims:
        return data.expand_dims("pair")
    if pairs is not None:
        wanted = [pairs] if isinstance(pairs, str) else list(pairs)
        known = [str(p) for p in data["pair"].values]
        unknown = [p for p in wanted if p not in known]
        if unknown or not wanted:
            raise ValueError(f"pairs is {pairs!r}; wanted some of {known}")
        data = data.isel(pair=[known.index(p) for p in wanted])
    return data.transpose("pair", ...)


def pair_titles(data: xr.DataArray) -> list[str]:
    """Start and end of each pair, for people."""
    if "pair" not in data.coords:
        return [str(i) for i in range(data.sizes["pair"])]
    return [" \N{RIGHTWARDS ARROW} ".join(str(p).split(",")) for p in data["pair"].values]


def central_planes(
    data: xr.DataArray, dims: Sequence[str], centre: Sequence[int]
) -> list[tuple[tuple[str, ...], xr.DataArray]]:
    """All of ``data`` in one or two dimensions; in three, the planes through ``centre``."""
    if len(dims) < 3:
        return [(tuple(dims), data)]
    planes: list[tuple[tuple[str, ...], xr.DataArray]] = []
    for first, second in itertools.combinations(range(3), 2):
        (normal,) = {0, 1, 2} - {first, second}
        planes.append(((dims[first], dims[second]), data.isel({dims[normal]: centre[normal]})))
    return planes


def show_plane(axes: Axes, values: np.ndarray, extent: Sequence[float], **kwargs: Any) -> Any:
    """Draw values[first, second] with the first axis to the right and the second upwards."""
    left, right, bottom, top = extent
    ratio = (right - left) / (top - bottom)
    return axes.imshow(
        values.T,
        origin="lower",
        extent=(left, right, bottom, top),
        interpolation="nearest",
        # Thin samples would vanish at true proportions.
        aspect="equal" if 1 / 8 <= ratio <= 8 else "auto",
        **kwargs,
    )


def value_range(arrays: Sequence[xr.DataArray]) -> tuple[float, float]:
    """Smallest and largest finite value of all arrays together; (0, 1) if there is none."""
    shown = np.concatenate([a.values.ravel() for a in arrays])
    shown = shown[np.isfinite(shown)]
    return (shown.min(), shown.max()) if shown.size else (0.0, 1.0)


def unit_label(unit: str) -> str:
    """Unit in brackets behind a name, nothing if there is none.

    >>> unit_label("um")
    ' (µm)'
    """
    shown = {"um": "\N{MICRO SIGN}m", "voxel": "voxels"}.get(unit, unit)
    return f" ({shown})" if shown else ""
