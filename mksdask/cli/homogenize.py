"""Learn effective properties from the microstructures of an ensemble.

examples:
  mksdask homogenize cells.zarr --property effective_stiffness --states 2 --components 5 \\
      --degree 2 --save-model stiffness.zarr --plots pictures
  mksdask homogenize cells.zarr --property mean_stress --component xx --states 2 \\
      --pairs 0-0,1-1 --tune --components 2-11 --degree 1-3 --save-model stress.zarr

A share of the samples (--test) is kept out of all fitting and choosing, and judges the model.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mksdask.cli.results import silenced
from mksdask.cli.statistics import (
    BASES,
    parse_boundary,
    parse_cutoff,
    parse_pairs,
    read_basis,
    read_variable,
)
from mksdask.cli.values import number, texts, whole

if TYPE_CHECKING:
    import xarray as xr

    from mksdask.linkage import HomogenizationModel, Tuning


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("store", metavar="STORE", help="path or URL of the ensemble")
    parser.add_argument(
        "--property", type=texts, required=True, metavar="NAME",
        help="variable to learn, or several of the same dimensions: yield,hardness",
    )  # fmt: skip
    parser.add_argument(
        "--component", type=texts, metavar="LABEL",
        help="entries of a tensor to learn, one a dimension: xx for a stress, xx,xx for a "
        "stiffness (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--components", default="5", metavar="N",
        help="number of principal components; with --tune those to try, 2-11 or 3,5,8 "
        "(default: 5)",
    )  # fmt: skip
    parser.add_argument(
        "--degree", default="2", metavar="D",
        help="of the polynomial; with --tune those to try, 1-3 (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--tune", action="store_true", help="choose components and degree by cross-validation"
    )
    parser.add_argument("--folds", type=whole, default=5, help="of --tune (default: 5)")
    parser.add_argument(
        "--test", type=number, default=0.2, metavar="SHARE",
        help="share of the samples kept out to judge the model, 0 for none (default: 0.2)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=whole, default=0, help="names the choice of these samples (default: 0)"
    )
    parser.add_argument(
        "--drop-missing", action="store_true", help="leave out samples whose property is NaN"
    )
    parser.add_argument(
        "--pairs", default="auto",
        help="all, auto, cross, or pairs of states or phase names such as 0-0,0-1 (default: auto)",
    )  # fmt: skip
    parser.add_argument("--cutoff", help="largest lag in voxels, one number or one an axis")
    parser.add_argument(
        "--boundary",
        help="periodic, nonperiodic, or one an axis: x=periodic,z=nonperiodic (default: what the "
        "ensemble says of itself, else periodic)",
    )
    parser.add_argument(
        "--states", type=whole, help="number of states (default: that of the named phases)"
    )
    parser.add_argument("--basis", choices=BASES, default="primitive", help="local states")
    parser.add_argument("--domain", help="range of the field, written --domain=-1,1")
    parser.add_argument("--variable", default="phase", help="the microstructures (default: phase)")
    parser.add_argument("--save-model", metavar="MODEL", help="where to store the fitted model")
    parser.add_argument("--plots", metavar="DIR", help="folder for pictures")
    parser.add_argument("--overwrite", action="store_true", help="replace MODEL if it exists")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    """Fit or tune, judge, store, draw and summarize."""
    from mksdask.ensemble import open_ensemble
    from mksdask.linkage import tune
    from mksdask.saved_models import save_model

    model, data, y, grid = chosen(args, open_ensemble(args.store))
    (phase, known), test = divided(data, y, args.test, args.seed, args.drop_missing)
    tuning = None
    with silenced(args.quiet):
        if args.tune:
            tuning = tune(model, phase, known, grid, cv=args.folds)
            model = tuning.model
        else:
            model = model.fit(phase, known)
        score = model.score(*test) if test else None
        if args.save_model is not None:
            save_model(model, args.save_model, overwrite=args.overwrite)
        if args.plots is not None:
            draw(Path(args.plots), model, (phase, known), test, tuning, ", ".join(args.property))
    if not args.quiet:
        print(_summary(model, tuning, score, test))
    return 0


def chosen(
    args: argparse.Namespace, ds: xr.Dataset
) -> tuple[HomogenizationModel, xr.DataArray, xr.DataArray, dict[str, list[int]]]:
    """The model to fit, microstructures and property, and what to try; all options are checked."""
    data = read_variable(ds, args.variable, "--variable")
    y = read_property(ds, args.property, args.component)
    grid = {
        "n_components": whole_numbers(args.components, "--components"),
        "degree": whole_numbers(args.degree, "--degree"),
    }
    if not args.tune and any(len(values) > 1 for values in grid.values()):
        raise ValueError("several --components or --degree are given without --tune: add --tune")
    if not 0 <= args.test < 1:
        raise ValueError(f"--test is {args.test}; wanted a share of the samples, 0 to less than 1")
    return _unfitted(args, ds, data, {k: v[0] for k, v in grid.items()}), data, y, grid


def learnt_from(args: argparse.Namespace, n: int) -> int:
    """How many of ``n`` samples a fit has: without those kept out and, in a search, a fold."""
    n -= round(args.test * n)
    if n < 3:
        raise ValueError(
            f"{n} samples remain to learn from; wanted at least 3: give more, or keep out fewer with "
            "--test"
        )
    if not args.tune:
        return n
    if not 2 <= args.folds <= n:
        raise ValueError(f"--folds is {args.folds}; wanted 2 to {n}, the samples to learn from")
    return n - math.ceil(n / args.folds)


def read_property(ds: xr.Dataset, names: list[str], labels: list[str] | None) -> xr.DataArray:
    """One variable, or several put together on a dimension ``property``."""
    arrays = [read_variable(ds, name, "--property") for name in names]
    y = arrays[0]
    if len(arrays) > 1:
        if any(set(a.dims) != set(y.dims) for a in arrays):
            raise ValueError(
                f"--property names variables of dims {[a.dims for a in arrays]}; wanted the same"
            )
        y = ds[names].to_array("property")
    if labels is None:
        return y
    dims = [str(d) for d in y.dims if d not in ("sample", "property")]
    if len(labels) != len(dims):
        raise ValueError(f"--component has {len(labels)} labels; wanted one for each of {dims}")
    for dim, label in zip(dims, labels, strict=True):
        known = [str(v) for v in y[dim].values]
        if label not in known:
            raise ValueError(f"--component has {label!r} along {dim}; wanted one of {known}")
        y = y.isel({dim: known.index(label)}, drop=True)
    # One entry of a tensor is no tensor: a store takes it under a name of its own.
    return y if y.name is None else y.rename("_".join([str(y.name), *labels]))


def whole_numbers(text: str, option: str) -> list[int]:
    """Whole numbers between commas, or a range with both ends.

    >>> whole_numbers("2-5", "--components"), whole_numbers("3,7", "--components")
    ([2, 3, 4, 5], [3, 7])
    """
    try:
        first, dash, last = text.partition("-")
        numbers = range(int(first), int(last) + 1) if dash else map(int, text.split(","))
        found = list(numbers)
    except ValueError:
        found = []
    if not found:
        raise ValueError(f"{option} is {text!r}; wanted a number, a list 3,5,8 or a range 2-11")
    return found


def divided(
    data: xr.DataArray, y: xr.DataArray, share: float, seed: int, drop: bool
) -> tuple[Any, Any]:
    """Samples to learn from, and those kept out (None without any), at random."""
    import numpy as np

    n = data.sizes["sample"]
    order = np.random.default_rng(seed).permutation(n)
    n_test = round(share * n)
    if n_test == 0:
        return (data, y), None
    train, test = np.sort(order[n_test:]), np.sort(order[:n_test])
    kept_out = data.isel(sample=test), y.isel(sample=test)
    return (data.isel(sample=train), y.isel(sample=train)), kept_out


def draw(
    folder: Path,
    model: HomogenizationModel,
    train: tuple[Any, Any],
    test: tuple[Any, Any] | None,
    tuning: Tuning | None,
    label: str,
) -> list[Path]:
    """Parity of training and test samples, their scores, and how the model was chosen."""
    import warnings

    from mksdask import plot
    from mksdask.errors import ExtrapolationWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        groups = {"training": train} if test is None else {"training": train, "test": test}
        pairs = {name: (y, model.predict(X).compute()) for name, (X, y) in groups.items()}
    figures = {"parity": plot.parity(pairs, label=label)}
    if tuning is not None:
        figures["tuning"] = plot.tuning(tuning)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=120)
    return paths


def _unfitted(
    args: argparse.Namespace, ds: xr.Dataset, data: xr.DataArray, sizes: dict[str, int]
) -> HomogenizationModel:
    from mksdask.linkage import HomogenizationModel

    space = [d for d in ("x", "y", "z") if d in data.dims]
    return HomogenizationModel(
        read_basis(args, data),
        parse_pairs(args.pairs),
        parse_cutoff(args.cutoff),
        parse_boundary(args.boundary, ds.attrs.get("periodic"), space),
        on_missing="drop" if args.drop_missing else "raise",
        n_components=sizes["n_components"],
        degree=sizes["degree"],
    )


def _summary(
    model: HomogenizationModel, tuning: Tuning | None, score: float | None, test: Any
) -> str:
    text = (
        f"{model.n_components} components, degree {model.degree}, "
        f"learnt from {model.n_samples_} samples"
    )
    if len(model.dropped_):
        text += f" ({len(model.dropped_)} without the property left out)"
    if tuning is not None:
        text += (
            f"; best of {len(tuning.table)} candidates, cross-validated R^2 {tuning.best_score:.6f}"
        )
    if score is not None:
        text += f"; R^2 of {test[0].sizes['sample']} samples kept out {score:.6f}"
    return text
