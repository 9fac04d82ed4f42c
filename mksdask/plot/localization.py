"""Pictures of localization: kernels, predicted fields beside simulated ones, errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mksdask.plot.canvas import (
    LINE_COLOURS,
    SPACE,
    central_planes,
    make_figure,
    make_grid,
    one_sample,
    show_plane,
    unit_label,
    value_range,
)
from mksdask.progress import compute
from mksdask.statistics.lag_grid import resolve_steps, voxel_attrs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def kernel(kernel: xr.DataArray, *, reach: int | None = None, percentile: float = 99.5) -> Figure:
    """Draw influence coefficients state by state, on one scale that is symmetric about 0.

    Two dimensions are drawn as they are, three as the central planes, one as curves. The scale
    ends at a percentile of the absolute values, since zero lag often dwarfs all others.

    Parameters
    ----------
    kernel
        ``model.kernel_``, one component of it (``.sel(tensor="xx")``).
    reach
        Show lags up to so many voxels only.
    percentile
        Of the absolute values, where the scale ends.

    Examples
    --------
    >>> lags = np.arange(-2, 3)
    >>> alpha = xr.DataArray(np.eye(5)[None], dims=("state", "lag_x", "lag_y"),
    ...                      coords={"state": [0], "lag_x": lags, "lag_y": lags})
    >>> len(kernel(alpha).axes)
    2
    """
    if not isinstance(kernel, xr.DataArray):
        raise TypeError(f"kernel is a {type(kernel).__name__}; wanted an xarray.DataArray")
    lags = [f"lag_{d}" for d in SPACE if f"lag_{d}" in kernel.dims]
    extra = [str(d) for d in kernel.dims if d not in lags]
    if not lags or len(extra) > 1:
        raise ValueError(
            f"kernel has dims {tuple(map(str, kernel.dims))}; wanted a dimension of states and "
            "lags: select one component"
        )
    first = extra[0] if extra else "state"
    shown = kernel if extra else kernel.expand_dims("state")
    if np.iscomplexobj(shown):
        shown = xr.concat([shown.real, shown.imag], "part").stack(row=(first, "part"))
        states = [f"{n} {p}" for n in kernel[first].values for p in ("real", "imaginary")]
        shown = shown.drop_vars(["row", first, "part"]).rename(row=first)
    else:
        states = [
            str(n) for n in (shown[first].values if first in shown.coords else range(len(shown)))
        ]
    if reach is not None:
        shown = shown.sel({d: slice(-reach, reach) for d in lags})
    shown = shown.transpose(first, *lags).compute()
    titles = [f"{first} {state}" for state in states]
    if len(lags) == 1:
        return _curves(shown, lags[0], titles)
    limit = float(np.percentile(np.abs(shown.values), percentile)) or 1.0
    centre = [int(np.flatnonzero(shown[d].values == 0)[0]) for d in lags]
    planes = central_planes(shown, lags, centre)
    ratios = [shown.sizes[dims[1]] / shown.sizes[dims[0]] for dims, _ in planes]
    figure, panels = make_grid(ratios, len(titles), 2.2)
    for row, (dims, plane) in enumerate(planes):
        ends = [e for d in dims for e in (plane[d].values[0] - 0.5, plane[d].values[-1] + 0.5)]
        for column, title in enumerate(titles):
            axes = panels[row, column]
            image = show_plane(
                axes,
                plane.isel({first: column}).transpose(*dims).values,
                ends,
                cmap="RdBu_r",
                vmin=-limit,
                vmax=limit,
            )
            axes.set_xlabel(f"{dims[0].replace('_', ' ')} (voxels)")
            if column == 0:
                axes.set_ylabel(f"{dims[1].replace('_', ' ')} (voxels)")
            if row == 0:
                axes.set_title(title)
    over = "both" if np.abs(shown.values).max() > limit else "neither"
    figure.colorbar(
        image, ax=panels, label="influence", shrink=1.0 if len(planes) == 1 else 0.5, extend=over
    )
    return figure


def _curves(shown: xr.DataArray, lag: str, titles: list[str]) -> Figure:
    figure = make_figure(5, 3)
    axes = figure.subplots()
    axes.axhline(0, color="0.8", linewidth=0.8)
    for i, (values, title) in enumerate(zip(shown.values, titles, strict=True)):
        axes.plot(shown[lag], values, color=LINE_COLOURS[i % len(LINE_COLOURS)], label=title)
    axes.set_xlabel(f"{lag.replace('_', ' ')} (voxels)")
    axes.set_ylabel("influence")
    axes.legend(frameon=False)
    return figure


def field_comparison(
    simulated: xr.DataArray,
    predicted: xr.DataArray,
    *,
    phase: xr.DataArray | None = None,
    sample: int = 0,
    physical: bool | None = None,
    cmap: str = "viridis",
) -> Figure:
    """Draw a simulated field, the predicted one on the same scale, and their difference.

    Two dimensions are drawn as they are, three as the central planes below each other, one as a
    strip. The difference (predicted - simulated) has a scale of the same length, centred on 0, so
    that its colours tell at once how much it matters.

    Parameters
    ----------
    simulated, predicted
        Fields (sample, x[, y[, z]]), one component.
    phase
        The microstructure, drawn in front of them.
    sample
        Number of the sample to show.
    physical
        Lengths in the unit of ``simulated.attrs["voxel_unit"]``; None where there is one.
    cmap
        Colour map of the fields.

    Examples
    --------
    >>> field = xr.DataArray(np.random.default_rng(0).random((1, 5, 5)), dims=("sample", "x", "y"))
    >>> len(field_comparison(field, field + 0.01).axes)
    5
    """
    fields = {
        "simulated": one_sample(simulated, sample, "simulated"),
        "predicted": one_sample(predicted, sample, "predicted"),
    }
    space = tuple(d for d in SPACE if d in fields["simulated"].dims)
    for name, field in fields.items():
        if set(field.dims) != set(space) or not space:
            raise ValueError(
                f"{name} has dims {tuple(map(str, field.dims))}; wanted 'sample' and some of "
                f"{SPACE}: select one component"
            )
    if dict(fields["simulated"].sizes) != dict(fields["predicted"].sizes):
        raise ValueError(
            f"predicted has sizes {dict(fields['predicted'].sizes)}; wanted "
            f"{dict(fields['simulated'].sizes)} as simulated"
        )
    if phase is not None:
        fields = {"microstructure": one_sample(phase, sample, "phase"), **fields}
    fields = dict(zip(fields, compute(*fields.values(), label="fields"), strict=True))
    fields = {name: f.transpose(*space).reset_coords(drop=True) for name, f in fields.items()}
    fields["difference"] = fields["predicted"].copy(
        data=fields["predicted"].values - fields["simulated"].values
    )
    size, unit = voxel_attrs(simulated.attrs, space)
    wanted = size is not None if physical is None else physical
    steps, unit = resolve_steps(wanted, size, unit, len(space))
    ends = {d: simulated.sizes[d] * h for d, h in zip(space, steps, strict=True)}
    if len(space) == 1:
        ends[""] = ends[space[0]] / 6
    low, high = value_range([fields["simulated"], fields["predicted"]])
    half = (high - low) / 2 or 1.0
    styles: dict[str, dict[str, Any]] = {
        "microstructure": {"cmap": "gray"},
        "simulated": {"cmap": cmap, "vmin": low, "vmax": high},
        "predicted": {"cmap": cmap, "vmin": low, "vmax": high},
        "difference": {"cmap": "RdBu_r", "vmin": -half, "vmax": half},
    }
    centre = [simulated.sizes[d] // 2 for d in space]
    by_field = {name: central_planes(f, space, centre) for name, f in fields.items()}
    rows = by_field["simulated"]
    ratios = [ends[(*dims, "")[1]] / ends[dims[0]] for dims, _ in rows]
    figure, panels = make_grid(ratios, len(fields), 2.4)
    images = {}
    for column, (name, planes) in enumerate(by_field.items()):
        for row, (dims, plane) in enumerate(planes):
            axes = panels[row, column]
            values = plane.transpose(*dims).values
            extent = [0, ends[dims[0]], 0, ends[(*dims, "")[1]]]
            picture = values if len(dims) == 2 else values[:, None]
            images[name] = show_plane(axes, picture, extent, **styles[name])
            axes.set_xlabel(f"{dims[0]}{unit_label(unit)}")
            if len(dims) == 1:
                axes.set_yticks([])
            elif column == 0:
                axes.set_ylabel(f"{dims[1]}{unit_label(unit)}")
            if row == 0:
                axes.set_title(name)
    label = str(simulated.name or "")
    n = len(fields)
    shrink = 1.0 if len(rows) == 1 else 0.6
    figure.colorbar(images["predicted"], ax=panels[:, n - 2], label=label, shrink=shrink)
    figure.colorbar(images["difference"], ax=panels[:, n - 1], label="difference", shrink=shrink)
    return figure


def error_histogram(
    errors: Mapping[str, Any] | Any, *, bins: int = 40, label: str = "error a sample"
) -> Figure:
    """Draw how errors are distributed, one curve of steps for each model on the same bins.

    Parameters
    ----------
    errors
        Numbers, such as ``metrics.per_sample(s, p).mean_absolute_strain_error``, or a mapping
        from names to them.
    bins
        Number of bins from the smallest to the largest error of all.
    label
        Of the horizontal axis.

    Examples
    --------
    >>> len(error_histogram({"first order": np.arange(9.0)}, bins=3).axes)
    1
    """
    named = dict(errors) if isinstance(errors, Mapping) else {"": errors}
    if isinstance(errors, xr.Dataset) or not named:
        raise TypeError("errors is a Dataset or empty; wanted numbers, or names with numbers")
    arrays = compute(*(getattr(v, "data", v) for v in named.values()), label="errors")
    values = {name: np.asarray(a, float).ravel() for name, a in zip(named, arrays, strict=True)}
    lengths = {name: len(v) for name, v in values.items()}
    if not all(lengths.values()) or not all(np.isfinite(v).all() for v in values.values()):
        raise ValueError(f"errors has lengths {lengths} or NaN; wanted finite numbers in each")
    if bins < 1:
        raise ValueError(f"bins is {bins}; wanted at least 1")
    every = np.concatenate(list(values.values()))
    edges = np.histogram_bin_edges(every, bins)
    figure = make_figure(5.5, 3.2)
    axes = figure.subplots()
    for i, (name, found) in enumerate(values.items()):
        counts, _ = np.histogram(found, edges)
        colour = LINE_COLOURS[i % len(LINE_COLOURS)]
        share = counts / len(found)
        axes.stairs(share, edges, fill=True, alpha=0.25, color=colour)
        median = float(np.median(found))
        axes.stairs(share, edges, color=colour, label=f"{name} (median {median:.3g})".lstrip())
        axes.axvline(median, color=colour, linewidth=0.8, linestyle=":")
    axes.set_xlabel(label)
    axes.set_ylabel("share")
    axes.locator_params(axis="x", nbins=6)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure
