"""What a report shows of an ensemble."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from mksdask import metrics, plot
from mksdask.progress import compute
from mksdask.report import html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPACE = ("x", "y", "z")
#: Variables without space of more entries a sample than these are not listed entry by entry.
LISTED = 36


def ensemble_section(name: str, path: str, ds: xr.Dataset, others: Sequence[xr.Dataset]) -> str:
    """Variables, properties, pictures, and where it comes from.

    ``others`` are ensembles that may hold what this one predicts.
    """
    variables = {str(k): v for k, v in ds.data_vars.items() if "sample" in v.dims}
    rows = [
        (n, v.dtype, " x ".join(f"{size} {d}" for d, size in v.sizes.items()))
        for n, v in variables.items()
    ]
    parts = [html.place(path), html.table(rows, ("variable", "type", "size"))]
    if summary := _properties(variables):
        parts.append(html.table(summary, ("property", "mean", "deviation", "least", "largest")))
    parts += [html.picture(figure, caption) for figure, caption in _pictures(variables)]
    parts += list(_judged(ds, variables, others))
    if origin := ds.attrs.get("provenance"):
        parts.append(html.table([(k, _said(v)) for k, v in origin.items()]))
    return html.section(name, *parts)


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _properties(variables: dict[str, xr.DataArray]) -> list[tuple[Any, ...]]:
    """Mean, deviation and range over the samples, an entry a row."""
    rows: list[tuple[Any, ...]] = []
    for name, v in variables.items():
        inside = [d for d in v.dims if d != "sample"]
        skipped = {*SPACE, "component"} & set(inside) or any(
            str(d).startswith("lag") for d in inside
        )
        if skipped or v.dtype.kind not in "iuf" or v.size // v.sizes["sample"] > LISTED:
            continue
        found = compute(*(getattr(v, f)("sample") for f in ("mean", "std", "min", "max")))
        for index in itertools.product(*(range(v.sizes[d]) for d in inside)):
            labels = [
                str(v[d].values[i]) if d in v.coords else str(i)
                for d, i in zip(inside, index, strict=True)
            ]
            entry = f"{name} {', '.join(labels)}".strip()
            rows.append((entry, *(float(f.values[index]) for f in found)))
    return rows


def _pictures(variables: dict[str, xr.DataArray]) -> Iterator[tuple[Figure, str]]:
    if "phase" in variables and {"x", "y"} <= set(variables["phase"].dims):
        yield plot.microstructure(variables["phase"]), "the first samples"
    if "two_point" in variables:
        yield plot.two_point(variables["two_point"]), "two-point statistics of the first sample"
    if "scores" in variables and variables["scores"].sizes.get("component", 0) > 1:
        yield plot.scores(variables["scores"]), "principal component scores, a point a sample"


def _judged(
    ds: xr.Dataset, variables: dict[str, xr.DataArray], others: Sequence[xr.Dataset]
) -> Iterator[str]:
    """Predictions beside what another ensemble of the report holds of the same samples."""
    made = str(ds.attrs.get("provenance", {}).get("created_by", ""))
    if not made.endswith(".predict"):
        return
    for name, predicted in variables.items():
        for other in others:
            true = _counterpart(name, predicted, other)
            if true is None:
                continue
            fields = set(SPACE) & set(predicted.dims)
            if not fields:
                figure = plot.parity({"all samples": (true.values, predicted.values)}, label=name)
                yield html.picture(figure, f"{name}: predicted against simulated")
            if fields and {"x", "y"} <= set(predicted.dims) and "tensor" not in predicted.dims:
                figure = plot.field_comparison(true, predicted)
                yield html.picture(figure, f"{name}: simulated and predicted, the first sample")
            (r2,) = compute(metrics.r2(true, predicted))
            yield html.table(
                [(f"R^2 of {name}, all samples, those learnt from included", float(r2))]
            )
            break


def _counterpart(name: str, predicted: xr.DataArray, other: xr.Dataset) -> xr.DataArray | None:
    """The variable, or the entry of a tensor, of which ``predicted`` holds the prediction."""
    same = "sample" in other.dims and other.indexes["sample"].equals(predicted.indexes["sample"])
    if not same:
        return None
    found = other.get(name)
    for whole, variable in other.data_vars.items():
        if found is None and name.startswith(f"{whole}_"):
            labels = name.removeprefix(f"{whole}_").split("_")
            dims = [d for d in variable.dims if str(d).startswith("tensor")]
            if len(labels) == len(dims) and all(
                label in variable[d].values for d, label in zip(dims, labels, strict=True)
            ):
                found = variable.sel(dict(zip(dims, labels, strict=True)), drop=True)
    if found is None or set(found.dims) != set(predicted.dims) or found.sizes != predicted.sizes:
        return None
    return found.transpose(*predicted.dims)
