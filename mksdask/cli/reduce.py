"""Reduce the statistics of an ensemble to principal component scores.

example:
  mksdask reduce f.zarr --components 10 --out scores.zarr --save-model pca.zarr
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mksdask.cli.results import origin, silenced

if TYPE_CHECKING:
    import xarray as xr

    from mksdask.reduction import IncrementalPCA


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("store", metavar="STORE", help="path or URL of the ensemble")
    parser.add_argument("--out", metavar="STORE2", help="where to store the scores")
    parser.add_argument(
        "--components", metavar="N", help="how many, or a share of the variance such as 0.99"
    )
    parser.add_argument(
        "--variable", default="two_point", help="what to reduce (default: two_point)"
    )
    parser.add_argument(
        "--method",
        choices=("auto", "gram", "svd"),
        help="how the data are summarized: see the docs",
    )
    parser.add_argument("--model", metavar="MODEL", help="use this fitted model, fit none")
    parser.add_argument(
        "--update", action="store_true", help="first add the samples of STORE to those of --model"
    )
    parser.add_argument("--save-model", metavar="MODEL2", help="where to store the fitted model")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace STORE2 and MODEL2 if they exist"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    """Fit or load, store the scores and the model, and summarize."""
    from mksdask.cli.statistics import read_variable
    from mksdask.ensemble import create_ensemble, open_ensemble
    from mksdask.saved_models import save_model

    if args.out is None and args.save_model is None:
        raise ValueError("neither --out nor --save-model is given: say what to keep")
    data = read_variable(open_ensemble(args.store), args.variable, "--variable")
    model = _fitted(args, data)
    if args.save_model is not None:
        save_model(model, args.save_model, overwrite=args.overwrite)
    if args.out is not None:
        scores = model.transform(data).rename("scores").to_dataset()
        scores.attrs["provenance"] = _provenance(args)
        create_ensemble(
            args.out, scores, overwrite=args.overwrite, progress=False if args.quiet else None
        )
    if not args.quiet:
        print(_summary(model))
    return 0


def _fitted(args: argparse.Namespace, data: xr.DataArray) -> IncrementalPCA:
    from mksdask.reduction import IncrementalPCA
    from mksdask.saved_models import load_model

    if args.model is None:
        if args.update:
            raise ValueError("--update is given without --model: say which model to update")
        if args.components is None:
            raise ValueError("--components is not given: say --components 10 for ten of them")
        components = _number(args.components)
        model = IncrementalPCA(n_components=components, method=args.method or "auto")
        with silenced(args.quiet):
            return model.fit(data)
    given = [o for o in ("components", "method") if getattr(args, o) is not None]
    if given:
        raise ValueError(f"--{given[0]} is given with --model, which has its own: leave one out")
    model = load_model(args.model)
    if not isinstance(model, IncrementalPCA):
        raise ValueError(f"--model holds a {type(model).__name__}; wanted an IncrementalPCA")
    if args.update:
        with silenced(args.quiet):
            model.partial_fit(data)
    return model


def _number(text: str) -> int | float:
    """A count or a share.

    >>> _number("10"), _number("0.99")
    (10, 0.99)
    """
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        raise ValueError(
            f"--components is {text!r}; wanted a count such as 10, or a share such as 0.99"
        ) from None


def _summary(model: IncrementalPCA) -> str:
    share = 100 * model.explained_variance_ratio_.sum()
    text = (
        f"{model.n_components_} components of {model.n_features_in_} features explain {share:.2f} % "
        f"of the variance of {model.n_samples_seen_} samples"
    )
    if model.energy_lost_:
        text += f"; the summary has lost {100 * model.energy_lost_:.2g} %"
    return text


def _provenance(args: argparse.Namespace) -> dict[str, Any]:
    options = ("variable", "components", "method", "model", "update")
    given = {o: getattr(args, o) for o in options if getattr(args, o)}
    return origin("IncrementalPCA", args.store, given)
