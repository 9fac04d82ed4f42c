"""What a report shows of a saved model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mksdask import plot
from mksdask.report import html


def model_section(name: str, path: str, model: Any) -> str:
    """Kind, parameters and what was learnt."""
    kind = type(model).__name__
    rows = [("kind", kind)]
    rows += [(k, v) for k, v in model.get_params(deep=False).items() if v not in (None, ())]
    return html.section(name, html.place(path), html.table(rows), *SHOWN[kind](model))


def _components(model: Any) -> list[str]:
    shares = np.asarray(model.explained_variance_ratio_)
    rows = [
        (k, 100 * float(share), 100 * float(total))
        for k, (share, total) in enumerate(zip(shares, np.cumsum(shares), strict=True))
    ]
    text = f"learnt from {model.n_samples_seen_} samples of {model.n_features_in_} features"
    return [
        html.place(text),
        html.table(rows[:20], ("component", "% of the variance", "% so far")),
        html.picture(plot.explained_variance(shares), "explained variance"),
    ]


def _homogenization(model: Any) -> list[str]:
    text = f"learnt from {model.n_samples_} samples, of the descriptors "
    parts = [html.place(text + ", ".join(model.descriptor_names_))]
    if model.reducer_ is not None:
        parts += _components(model.reducer_)
    return parts


def _localization(model: Any) -> list[str]:
    kernel = model.kernel_
    text = f"calibrated on {model.n_samples_seen_} samples, {model.n_features_} features"
    parts = [html.place(text)]
    first = kernel.isel(tensor=0) if "tensor" in kernel.dims else kernel
    if {"state", "lag_x"} <= set(first.dims) and first.dtype.kind == "f":
        parts.append(html.picture(plot.kernel(first), "influence coefficients"))
    return parts


def _staged(model: Any) -> list[str]:
    rows = [(stage, float(np.mean(r2))) for stage, r2 in enumerate(model.training_r2_)]
    return [html.table(rows, ("stage", "R^2 of the training samples"))]


SHOWN: dict[str, Callable[[Any], list[str]]] = {
    "IncrementalPCA": _components,
    "HomogenizationModel": _homogenization,
    "LocalizationModel": _localization,
    "StagedLocalization": _staged,
}
