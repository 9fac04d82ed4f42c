"""Calibrate a localization kernel on the simulated fields of an ensemble.

examples:
  mksdask localize steel.zarr --states 2 --response strain --component xx --save-model kernel.zarr
  mksdask localize steel.zarr --states 2 --response strain --neighbours 1.5 --ridge 1e-5 \\
      --held-out 20 --save-model kernel.zarr
  mksdask localize steel.zarr --states 2 --sweeps 2 --symmetries load --save-model stages.zarr
  mksdask localize more.zarr --response strain --component xx --model kernel.zarr \\
      --save-model kernel.zarr --overwrite
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from mksdask.cli.results import silenced
from mksdask.cli.statistics import BASES, parse_boundary, read_basis, read_variable
from mksdask.cli.values import number, texts, whole

if TYPE_CHECKING:
    import xarray as xr

    from mksdask.linkage import LocalizationModel, StagedLocalization


#: What a model that was stored has already.
OPTIONS = (
    "states",
    "basis",
    "domain",
    "ridge",
    "neighbours",
    "sweeps",
    "symmetries",
    "boundary",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("store", metavar="STORE", help="path or URL of the ensemble")
    parser.add_argument(
        "--response", default="strain", help="variable to predict (default: strain)"
    )
    parser.add_argument(
        "--component", type=texts, help="components of it, such as xx or xx,yy (default: all)"
    )
    parser.add_argument("--save-model", required=True, metavar="MODEL", help="where to store it")
    parser.add_argument("--variable", default="phase", help="microstructures (default: phase)")
    parser.add_argument(
        "--states", type=whole, help="number of states (default: that of the named phases)"
    )
    parser.add_argument(
        "--basis",
        choices=BASES,
        help="local states: primitive for labels and binned fields, legendre or fourier for smooth "
        "functions of a field (default: primitive)",
    )
    parser.add_argument(
        "--domain", help="range of the field, written --domain=-1,1 (default: labels)"
    )
    parser.add_argument(
        "--ridge", type=number, help="share added to the diagonal of the equations (default: 0)"
    )
    parser.add_argument(
        "--neighbours",
        type=number,
        help="radius in voxels of neighbours whose products count too: 1 for faces, 1.5 for edges",
    )
    parser.add_argument(
        "--sweeps",
        type=whole,
        help="for high contrast: sweeps after the first stage (needs all components of strain)",
    )
    parser.add_argument(
        "--symmetries",
        type=texts,
        help="let each sample stand for its images: load for all that leave the mean strain as it "
        "is, or reflections and swaps, written --symmetries=-x,yz",
    )
    parser.add_argument(
        "--boundary",
        help="periodic, nonperiodic, or one an axis: z=nonperiodic, others periodic "
        "(default: what the ensemble says of itself, else periodic)",
    )
    parser.add_argument(
        "--held-out",
        type=whole,
        default=0,
        metavar="N",
        help="judge the kernel on the last N samples, which it does not see (default: 0)",
    )
    parser.add_argument("--model", metavar="MODEL0", help="add the samples to those of this model")
    parser.add_argument("--overwrite", action="store_true", help="replace MODEL if it exists")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    """Calibrate, store and summarize."""
    from mksdask.ensemble import open_ensemble
    from mksdask.saved_models import save_model

    ds = open_ensemble(args.store)
    data, response = chosen(args, ds)
    seen = slice(0, data.sizes["sample"] - args.held_out)
    model = _model(args, ds, data)
    with silenced(args.quiet):
        learn = model.fit if args.model is None else model.partial_fit
        learn(data.isel(sample=seen), response.isel(sample=seen))
    save_model(model, args.save_model, overwrite=args.overwrite)
    if not args.quiet:
        print(_summary(args, model))
        if args.held_out:
            print(_judged(model, data, response, seen.stop))
    return 0


def chosen(args: argparse.Namespace, ds: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Microstructures and the fields to predict; what is held out is checked."""
    data = read_variable(ds, args.variable, "--variable")
    response = read_response(ds, args)
    n = data.sizes["sample"]
    if not 0 <= args.held_out < n:
        raise ValueError(f"--held-out is {args.held_out}; wanted 0 to {n - 1} of {n} samples")
    if args.model is None:
        _model(args, ds, data)
    return data, response


def read_response(ds: xr.Dataset, args: argparse.Namespace) -> xr.DataArray:
    """The fields to predict."""
    response = read_variable(ds, args.response, "--response")
    if args.component is None:
        return response
    if "tensor" not in response.dims:
        raise ValueError(f"--component is given and {args.response} has no components")
    known = [str(t) for t in response["tensor"].values]
    unknown = [c for c in args.component if c not in known]
    if unknown:
        raise ValueError(f"--component has {unknown}; wanted some of {known}")
    # Symmetries need the name of the component.
    if len(args.component) > 1 or args.symmetries:
        return response.sel(tensor=args.component)
    # One entry of a tensor is no tensor: a store takes it under a name of its own.
    (only,) = args.component
    return response.sel(tensor=only, drop=True).rename(f"{args.response}_{only}")


def predicted_fields(
    model: LocalizationModel, data: xr.DataArray, support: int | None = None
) -> xr.Dataset:
    """What a kernel predicts of an ensemble, lazily.

    A kernel of another grid is resized to that of ``data``, or cut to ``support``.
    """
    kernel = model.local_kernel_
    grid = tuple(data.sizes[d] for d in kernel.space if d in data.dims)
    if support is not None:
        model = model.truncate(support)
    elif kernel.shape is not None and len(grid) == len(kernel.shape) and grid != kernel.shape:
        model = model.resize(grid)
    if model.local_kernel_.shape is not None:
        data = data.chunk(dict.fromkeys(kernel.space, -1))
    found = model.predict(data)
    return found.rename(found.name or "predicted").to_dataset()


def _model(
    args: argparse.Namespace, ds: xr.Dataset, data: xr.DataArray
) -> LocalizationModel | StagedLocalization:
    from mksdask.linkage import LocalizationModel, StagedLocalization
    from mksdask.saved_models import load_model

    if args.model is not None:
        given = [o for o in OPTIONS if getattr(args, o) is not None]
        if given:
            raise ValueError(
                f"--{given[0]} is given with --model, which has its own: leave one out"
            )
        model = load_model(args.model)
        if not isinstance(model, LocalizationModel):
            raise ValueError(f"--model holds a {type(model).__name__}; wanted a LocalizationModel")
        return model
    space = [d for d in ("x", "y", "z") if d in data.dims]
    boundary = parse_boundary(args.boundary, ds.attrs.get("periodic"), space)
    given = args.symmetries
    shared = {
        "neighbours": args.neighbours,
        "symmetries": "load" if given == ["load"] else given and tuple(given),
    }
    basis = read_basis(Namespace(**{**vars(args), "basis": args.basis or "primitive"}), data)
    if args.sweeps is None:
        return LocalizationModel(basis, ridge=args.ridge or 0.0, boundary=boundary, **shared)
    if boundary != "periodic" and set(boundary.values()) != {"periodic"}:
        raise ValueError(f"--sweeps is given and the boundary is {boundary}; wanted periodic axes")
    return StagedLocalization(basis, args.sweeps, ridge=args.ridge, **shared)


def _summary(args: argparse.Namespace, model: LocalizationModel | StagedLocalization) -> str:
    if args.sweeps is not None:
        r2 = ", ".join(f"{float(r.mean()):.4f}" for r in model.training_r2_)
        return f"{args.save_model}: {args.sweeps} sweeps; R^2 of the training samples by stage {r2}"
    kernel = model.kernel_
    grid = " x ".join(str(n) for d, n in kernel.sizes.items() if str(d).startswith("lag_"))
    return (
        f"{args.save_model}: kernel of {model.n_features_} features on {grid} voxels from "
        f"{model.n_samples_seen_} samples"
    )


def _judged(model: Any, data: Any, response: Any, first: int) -> str:
    from mksdask import metrics
    from mksdask.progress import compute

    last = slice(first, None)
    simulated, predicted = response.isel(sample=last), model.predict(data.isel(sample=last))
    r2, error = compute(
        metrics.r2(simulated, predicted),
        metrics.mean_absolute_strain_error(simulated, predicted),
        progress=False,
    )
    n = simulated.sizes["sample"]
    return (
        f"on {n} held-out samples: R^2 {float(r2):.4f}, mean absolute error "
        f"{100 * float(error):.2f} % of the mean"
    )
