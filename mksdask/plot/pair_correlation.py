"""Picture of pair correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from mksdask.plot.canvas import (
    LINE_COLOURS,
    make_figure,
    one_sample,
    pair_titles,
    some_pairs,
    unit_label,
)
from mksdask.progress import compute

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pair_correlation(
    g: xr.DataArray, *, sample: int = 0, pairs: Sequence[str] | str | None = None
) -> Figure:
    """Draw the pair correlations of one sample over the distance, a curve a pair.

    Dashed lines are the product of the volume fractions, which g tends to where nothing is
    correlated any more; they are drawn for pairs whose fractions are known from the radius 0 of
    the autocorrelations in ``g``. Only the sample shown is computed.

    Parameters
    ----------
    g
        Output of :func:`mksdask.statistics.pair_correlation`, or its mean over the samples.
    sample
        Number of the sample to show, if ``g`` has several.
    pairs
        Pairs to show by name (``g.pair``); all if None.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> g = xr.DataArray(np.ones((1, 2, 3)), dims=("sample", "pair", "radius"),
    ...                  coords={"radius": [0, 1, 1.414]})
    >>> len(pair_correlation(g).axes[0].lines)
    2
    """
    whole = one_sample(g, sample, "g")
    if "radius" not in whole.dims or "radius" not in whole.coords:
        raise ValueError(
            f"g has dims {tuple(map(str, whole.dims))}; wanted the output of pair_correlation, "
            "with a coordinate 'radius'"
        )
    if whole.dtype.kind == "c":
        raise TypeError(f"g has dtype {whole.dtype}; wanted real statistics: draw g.real, g.imag")
    figure = make_figure(5.2, 3.4)
    axes = figure.add_subplot()
    (whole,) = compute(whole.transpose(..., "radius"), label="pair correlation")
    shown = some_pairs(whole, pairs)
    radius = shown["radius"].values
    limits = _uncorrelated(whole)
    for i, title in enumerate(pair_titles(shown)):
        colour = LINE_COLOURS[i % len(LINE_COLOURS)]
        values = shown.values[i]
        there = np.isfinite(values)
        # Points show where the grid has lengths; beyond some hundred they would be a band.
        marker = "." if there.sum() <= 150 else ""
        axes.plot(radius[there], values[there], marker=marker, color=colour, label=title)
        limit = limits.get(str(shown["pair"].values[i])) if "pair" in shown.coords else None
        if limit is not None:
            axes.axhline(limit, color=colour, linestyle="--", linewidth=0.8)
    axes.set_xlabel(f"distance{unit_label(shown['radius'].attrs.get('units', ''))}")
    axes.set_ylabel("probability")
    axes.set_xlim(left=0)
    axes.legend(frameon=False)
    return figure


def _uncorrelated(g: xr.DataArray) -> dict[str, float]:
    """Product of the volume fractions of each pair, by its name, where both are known."""
    known = {"pair", "pair_first", "pair_second"} <= set(g.coords)
    if not known or g["radius"].values[0] != 0:
        return {}
    first, second = (np.atleast_1d(g[c].values) for c in ("pair_first", "pair_second"))
    at_zero = np.atleast_1d(g.isel(radius=0).values)
    fractions = {h: v for h, k, v in zip(first, second, at_zero, strict=True) if h == k}
    names = map(str, np.atleast_1d(g["pair"].values))
    return {
        name: float(fractions[h] * fractions[k])
        for name, h, k in zip(names, first, second, strict=True)
        if h in fractions and k in fractions
    }
