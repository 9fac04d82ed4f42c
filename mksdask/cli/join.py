"""Put the variables of several ensembles of the same samples into one.

example:
  mksdask join cells.zarr response.zarr --out both.zarr
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mksdask.cli.results import add_store_options, store_result

if TYPE_CHECKING:
    import xarray as xr


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "stores", nargs="+", metavar="STORE", help="paths or URLs of the ensembles, two or more"
    )
    parser.add_argument("--out", required=True, metavar="STORE2", help="where to store the result")
    add_store_options(parser, "STORE2")


def run(args: argparse.Namespace) -> int:
    """Join, store and summarize."""
    from mksdask.ensemble import open_ensemble

    written = store_result(args, args.out, joined(args, [open_ensemble(s) for s in args.stores]))
    if not args.quiet:
        names = ", ".join(sorted(map(str, written.data_vars)))
        print(f"{args.out}: {written.sizes['sample']} samples, {names}")
    return 0


def joined(args: argparse.Namespace, ensembles: Sequence[xr.Dataset]) -> xr.Dataset:
    """The lazy dataset of all variables."""
    from mksdask.ensemble.join import join_ensembles

    return join_ensembles(ensembles, args.stores)
