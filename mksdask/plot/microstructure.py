"""Picture of microstructures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mksdask.plot.canvas import (
    PHASE_COLOURS,
    SPACE,
    central_planes,
    make_grid,
    show_plane,
    unit_label,
    value_range,
)
from mksdask.progress import compute
from mksdask.statistics.lag_grid import resolve_steps, voxel_attrs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More phases than this are grains or clusters: told apart, but not named.
_MOST_NAMED = 12


def microstructure(
    phase: xr.DataArray,
    *,
    samples: int | Sequence[int] = 4,
    names: Sequence[str] | None = None,
    physical: bool | None = None,
    cmap: str = "viridis",
) -> Figure:
    """Draw some samples side by side: labels in discrete colours, fields on a colour scale.

    Two dimensions are drawn as they are, three as the three central planes below each other, one
    as a strip. Only the samples shown are read.

    Parameters
    ----------
    phase
        Labels or a field (sample, x[, y[, z]]), with or without ``sample``.
    samples
        How many to show from the first on, or the numbers of those to show.
    names
        Of the phases, for the legend; else ``phase.attrs["phase_names"]``, else "phase 0" ...
    physical
        Lengths in the unit of ``phase.attrs["voxel_unit"]`` (True) or in voxels (False). None
        takes the unit if ``phase`` has a ``voxel_size``.
    cmap
        Name of a matplotlib colour map, for fields.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> phase = xr.DataArray(np.eye(8, dtype=int)[None], dims=("sample", "x", "y"))
    >>> len(microstructure(phase).axes)
    1
    """
    if not isinstance(phase, xr.DataArray):
        raise TypeError(f"phase is a {type(phase).__name__}; wanted an xarray.DataArray")
    space = tuple(d for d in SPACE if d in phase.dims)
    if not space or set(phase.dims) - {"sample", *space}:
        raise ValueError(
            f"phase has dims {tuple(map(str, phase.dims))}; wanted 'sample' and some of {SPACE}"
        )
    chosen = _chosen(phase, samples)
    size, unit = voxel_attrs(phase.attrs, space)
    steps, unit = resolve_steps(
        size is not None if physical is None else physical, size, unit, len(space)
    )
    ends = {d: phase.sizes[d] * h for d, h in zip(space, steps, strict=True)}
    centre = [phase.sizes[d] // 2 for d in space]
    planes = central_planes(chosen, space, centre)
    n = chosen.sizes["sample"]
    if len(space) == 1:
        ends[""] = ends[space[0]] / 6
    ratios = [ends[(*dims, "")[1]] / ends[dims[0]] for dims, _ in planes]
    figure, panels = make_grid(ratios, n, 2.0)
    values = compute(*(plane for _, plane in planes), label="microstructures")
    style = _style(values, phase, names, cmap)
    for row, ((dims, _), plane) in enumerate(zip(planes, values, strict=True)):
        stacked = plane.transpose("sample", *dims).values
        for column in range(n):
            axes = panels[row, column]
            picture = stacked[column] if len(dims) == 2 else stacked[column][:, None]
            extent = [0, ends[dims[0]], 0, ends[(*dims, "")[1]]]
            image = show_plane(axes, picture, extent, **style["image"])
            axes.set_xlabel(f"{dims[0]}{unit_label(unit)}")
            if len(dims) == 1:
                axes.set_yticks([])
            elif column == 0:
                axes.set_ylabel(f"{dims[1]}{unit_label(unit)}")
            if row == 0:
                axes.set_title(_title(chosen, column))
    if style["legend"]:
        figure.legend(handles=style["legend"], loc="outside right center", frameon=False)
    elif style["scale"]:
        figure.colorbar(
            image, ax=panels, label=str(phase.name or ""), shrink=1.0 if len(planes) == 1 else 0.5
        )
    return figure


def _chosen(phase: xr.DataArray, samples: int | Sequence[int]) -> xr.DataArray:
    if "sample" not in phase.dims:
        return phase.expand_dims("sample")
    n = phase.sizes["sample"]
    if "sample" not in phase.coords:
        phase = phase.assign_coords(sample=np.arange(n))
    if isinstance(samples, int | np.integer) and not isinstance(samples, bool):
        if samples < 1:
            raise ValueError(f"samples is {samples}; wanted at least 1, or a list of numbers")
        return phase.isel(sample=slice(0, int(samples)))
    if isinstance(samples, bool) or not hasattr(samples, "__iter__"):
        raise TypeError(f"samples is {samples!r}; wanted how many, or a list of numbers")
    numbers = [int(i) for i in samples]
    if not numbers or min(numbers) < 0 or max(numbers) >= n:
        raise ValueError(f"samples is {samples!r}; wanted numbers from 0 to {n - 1}")
    return phase.isel(sample=numbers)


def _style(
    values: Sequence[xr.DataArray], phase: xr.DataArray, names: Sequence[str] | None, cmap: str
) -> dict[str, Any]:
    """How to colour the image; patches of a legend; whether to draw a colour scale."""
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Patch

    if phase.dtype.kind not in "iub":
        low, high = value_range(values)
        return {"image": {"cmap": cmap, "vmin": low, "vmax": high}, "legend": [], "scale": True}
    names = list(phase.attrs.get("phase_names", ()) if names is None else names)
    largest = max(int(v.values.max()) for v in values)
    n = max(largest + 1, len(names), 2)
    if n > _MOST_NAMED:
        return {
            "image": {"cmap": _scattered(n), "vmin": 0, "vmax": n - 1},
            "legend": [],
            "scale": False,
        }
    colours = [PHASE_COLOURS[i % len(PHASE_COLOURS)] for i in range(n)]
    if n > len(PHASE_COLOURS):
        colours = _scattered(n).colors
    labels = [names[i] if i < len(names) else f"phase {i}" for i in range(n)]
    patches = [
        Patch(facecolor=colour, edgecolor="0.3", linewidth=0.5, label=label)
        for colour, label in zip(colours, labels, strict=True)
    ]
    norm = BoundaryNorm(np.arange(n + 1) - 0.5, n)
    return {
        "image": {"cmap": ListedColormap(colours), "norm": norm},
        "legend": patches,
        "scale": False,
    }


def _scattered(n: int) -> Any:
    """Colours of which neighbours in number are far apart."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    golden = (5**0.5 - 1) / 2
    return ListedColormap(colormaps["turbo"](np.arange(n) * golden % 1))


def _title(chosen: xr.DataArray, column: int) -> str:
    if "sample" not in chosen.coords:
        return ""
    value = chosen["sample"].values[column]
    label = f"sample {value}" if np.issubdtype(chosen["sample"].dtype, np.integer) else str(value)
    return label if len(label) <= 24 else f"\N{HORIZONTAL ELLIPSIS}{label[-23:]}"
