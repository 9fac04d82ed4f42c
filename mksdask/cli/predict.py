"""Predict with a fitted model for the samples of an ensemble.

examples:
  mksdask predict stiffness.zarr more-cells.zarr --out predicted.zarr --coverage 0.95
  mksdask predict kernel.zarr more-cells.zarr --out fields.zarr
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mksdask.cli.results import add_store_options, origin, store_result
from mksdask.cli.values import number, whole

if TYPE_CHECKING:
    import xarray as xr


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", help="path or URL of a model that was stored")
    parser.add_argument("store", metavar="STORE", help="path or URL of the ensemble")
    parser.add_argument("--out", required=True, metavar="STORE2", help="where to store the result")
    parser.add_argument("--variable", default="phase", help="the microstructures (default: phase)")
    parser.add_argument(
        "--coverage", type=number, metavar="P",
        help="also store intervals that hold the true property with this probability, for models "
        "that know their errors",
    )  # fmt: skip
    parser.add_argument(
        "--support", type=whole, metavar="N",
        help="cut a localization kernel to N voxels an axis, for volumes in chunks of any size",
    )  # fmt: skip
    add_store_options(parser, "STORE2")


def run(args: argparse.Namespace) -> int:
    """Predict, store and summarize."""
    from mksdask.cli.statistics import read_variable
    from mksdask.ensemble import open_ensemble
    from mksdask.saved_models import load_model

    model = load_model(args.model)
    kind = type(model).__name__
    if kind not in PREDICTORS:
        raise ValueError(f"MODEL is a {kind}; wanted one of {sorted(PREDICTORS)}")
    data = read_variable(open_ensemble(args.store), args.variable, "--variable")
    result = storable(PREDICTORS[kind](args, model, data))
    given = {k: getattr(args, k) for k in ("model", "variable", "coverage", "support")}
    given = {k: v for k, v in given.items() if v is not None}
    result.attrs["provenance"] = origin(f"{kind}.predict", args.store, given)
    written = store_result(args, args.out, result)
    if not args.quiet:
        names = ", ".join(sorted(map(str, written.data_vars)))
        print(f"{args.out}: {written.sizes['sample']} samples, {names}")
    return 0


def storable(result: xr.Dataset) -> xr.Dataset:
    """The names of whole tensors are kept for these: ``predicted_strain`` may be a part of one.

    >>> import xarray as xr
    >>> list(storable(xr.Dataset({"strain": (("sample", "x"), [[1.0, 2.0]])})).data_vars)
    ['predicted_strain']
    """
    from mksdask.ensemble.schema import SPACE, VARIABLES

    parts = {}
    for name, variable in result.data_vars.items():
        known = VARIABLES.get(str(name))
        rest = tuple(d for d in variable.dims if d != "sample" and d not in SPACE)
        if known is not None and rest != known.trailing:
            parts[name] = f"predicted_{name}"
    return result.rename(parts)


def homogenized(args: argparse.Namespace, model: Any, data: xr.DataArray) -> xr.Dataset:
    """Properties, how far each sample lies from the training samples, and intervals if wanted."""
    if args.support is not None:
        raise ValueError("--support is given, and a homogenization model has no kernel to cut")
    predicted = model.predict(data)
    name = predicted.name or "property"
    result = predicted.rename(name).to_dataset()
    result["extrapolation"] = model.extrapolation(data)
    if args.coverage is not None:
        result[f"{name}_interval"] = model.predict_interval(data, args.coverage)
    return result


def localized(args: argparse.Namespace, model: Any, data: xr.DataArray) -> xr.Dataset:
    """Local fields."""
    from mksdask.cli.localize import predicted_fields

    if args.coverage is not None:
        raise ValueError("--coverage is given, and a localization model does not know its errors")
    return predicted_fields(model, data, args.support)


def staged(args: argparse.Namespace, model: Any, data: xr.DataArray) -> xr.Dataset:
    """Local fields by sweeps."""
    for option in ("coverage", "support"):
        if getattr(args, option) is not None:
            raise ValueError(
                f"--{option} is given, and MODEL predicts fields in sweeps: leave it out"
            )
    found = model.predict(data)
    return found.rename(found.name or "predicted").to_dataset()


#: How each kind of model predicts: (arguments, model, microstructures) to a lazy dataset.
PREDICTORS: dict[str, Callable[[argparse.Namespace, Any, xr.DataArray], xr.Dataset]] = {
    "HomogenizationModel": homogenized,
    "LocalizationModel": localized,
    "StagedLocalization": staged,
}
