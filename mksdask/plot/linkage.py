"""Pictures of linkages: how well they predict, how they were chosen, how they learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from mksdask.plot.canvas import LINE_COLOURS, make_figure
from mksdask.progress import compute

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = "os^DvPX*"


def parity(pairs: Mapping[str, tuple[Any, Any]], *, label: str = "property") -> Figure:
    """Draw predicted against true properties, a colour and marker a group, with R^2 of each.

    All properties of a sample are drawn. Points on the diagonal are predicted exactly; the lower
    panel shows what is left, predicted less true.

    Parameters
    ----------
    pairs
        True and predicted values by group: ``{"training": (y, model.predict(X)), "test": ...}``.
    label
        Name (and unit) of the property.

    Examples
    --------
    >>> len(parity({"test": ([1.0, 2.0, 3.0], [1.1, 1.9, 3.0])}).axes)
    2
    """
    if not isinstance(pairs, Mapping) or not pairs:
        raise TypeError(
            f"pairs is a {type(pairs).__name__}; wanted a dict such as "
            '{"test": (y, model.predict(X))}'
        )
    values = {name: _pair(name, given) for name, given in pairs.items()}
    figure = make_figure(4.6, 5.4)
    grid = figure.add_gridspec(2, 1, height_ratios=(3, 1))
    upper = figure.add_subplot(grid[0])
    lower = figure.add_subplot(grid[1], sharex=upper)
    every = np.concatenate([np.concatenate(pair) for pair in values.values()])
    ends = [every.min(), every.max()]
    upper.plot(ends, ends, color="0.6", lw=1, zorder=0)
    lower.axhline(0, color="0.6", lw=1, zorder=0)
    for i, (name, (true, predicted)) in enumerate(values.items()):
        style: dict[str, Any] = {
            "s": 12,
            "alpha": 0.7,
            "color": LINE_COLOURS[i % len(LINE_COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "linewidths": 0,
        }
        upper.scatter(true, predicted, label=f"{name}, R² = {_r_squared(true, predicted)}", **style)
        lower.scatter(true, predicted - true, **style)
    upper.set_ylabel(f"predicted {label}")
    upper.legend(frameon=False)
    upper.tick_params(labelbottom=False)
    lower.set_xlabel(f"true {label}")
    lower.set_ylabel("difference")
    return figure


def tuning(found: Any, *, x: str = "n_components") -> Figure:
    """Draw the scores of a search: mean over the splits with their spread, a curve for each degree.

    Where all scores are below 1, as R^2 is, 1 - score is drawn on a logarithmic scale, so that good
    candidates can be told apart: lower is better.

    Parameters
    ----------
    found
        What :func:`~mksdask.tune` returns.
    x
        Parameter along the horizontal axis; all others make up the curves.
    """
    table = getattr(found, "table", None)
    if not isinstance(table, pd.DataFrame) or "score" not in table:
        raise TypeError(f"found is a {type(found).__name__}; wanted the result of tune")
    names = [str(c) for c in table.columns[: list(table.columns).index("score")]]
    if x not in names:
        raise ValueError(f"x is {x!r}; wanted one of {names}")
    others = [name for name in names if name != x]
    table = table[np.isfinite(table["score"])].assign(
        _curve=lambda t: [", ".join(f"{n} {row[n]}" for n in others) for _, row in t.iterrows()]
    )
    errors = bool((table["score"] < 1).all())
    figure = make_figure(5.4, 3.8)
    from matplotlib.ticker import MaxNLocator

    axes = figure.add_subplot()
    for i, (name, curve) in enumerate(table.groupby("_curve", sort=False)):
        curve = curve.sort_values(x)
        shown = 1 - curve["score"] if errors else curve["score"]
        colour = LINE_COLOURS[i % len(LINE_COLOURS)]
        axes.plot(
            curve[x], shown, marker=MARKERS[i % len(MARKERS)], ms=5, color=colour, label=str(name)
        )
        low, high = shown - curve["std"], shown + curve["std"]
        if errors:
            low = low.clip(lower=shown / 10)
        axes.fill_between(curve[x], low, high, color=colour, alpha=0.15, lw=0)
    best = found.best_score
    axes.plot(
        found.best_params[x],
        1 - best if errors else best,
        "o", ms=14, mfc="none", mec="black", label=f"chosen, score {best:.6g}",
    )  # fmt: skip
    if errors:
        axes.set_yscale("log")
    axes.set_xlabel(x.replace("n_components", "number of components"))
    axes.set_ylabel("1 - score of samples left out" if errors else "score of samples left out")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return figure


def learning_curve(found: Any) -> Figure:
    """Draw the score by the number of training samples: mean over the splits and its spread.

    Parameters
    ----------
    found
        What :func:`~mksdask.learning_curve` returns.
    """
    table = getattr(found, "table", None)
    if not isinstance(table, pd.DataFrame) or "test_score" not in table:
        raise TypeError(f"found is a {type(found).__name__}; wanted the result of learning_curve")
    errors = bool((table[["train_score", "test_score"]] < 1).all(axis=None))
    figure = make_figure(4.8, 3.6)
    axes = figure.add_subplot()
    for i, (kind, label) in enumerate(
        (("train", "training samples"), ("test", "samples left out"))
    ):
        shown = 1 - table[f"{kind}_score"] if errors else table[f"{kind}_score"]
        low, high = shown - table[f"{kind}_std"], shown + table[f"{kind}_std"]
        if errors:
            low = low.clip(lower=shown / 10)
        axes.plot(
            table["n_train"], shown, marker=MARKERS[i], ms=5, color=LINE_COLOURS[i], label=label
        )
        axes.fill_between(table["n_train"], low, high, color=LINE_COLOURS[i], alpha=0.15, lw=0)
    if errors:
        axes.set_yscale("log")
    axes.set_xlabel("number of training samples")
    axes.set_ylabel("1 - score" if errors else "score")
    axes.legend(frameon=False)
    return figure


def _pair(name: str, given: Any) -> tuple[np.ndarray, np.ndarray]:
    try:
        true, predicted = given
    except (TypeError, ValueError):
        raise TypeError(f"pairs[{name!r}] is not a pair; wanted (true, predicted)") from None
    true, predicted = compute(true, predicted)
    if isinstance(true, xr.DataArray) and isinstance(predicted, xr.DataArray):
        true = true.transpose(*predicted.dims)
    true, predicted = np.asarray(true, float), np.asarray(predicted, float)
    if true.shape != predicted.shape or true.size == 0:
        raise ValueError(
            f"pairs[{name!r}] has shapes {true.shape} and {predicted.shape}; wanted the same"
        )
    return true.ravel(), predicted.ravel()


def _r_squared(true: np.ndarray, predicted: np.ndarray) -> str:
    spread = ((true - true.mean()) ** 2).sum()
    if spread == 0:
        return "-"
    value = 1 - ((predicted - true) ** 2).sum() / spread
    return f"{value:.6f}" if value > 0.999 else f"{value:.4f}"
