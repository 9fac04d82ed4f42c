"""Write a sample or a variable of an ensemble to .vti, .npy, .tif, .h5, .mha or .nrrd.

examples:
  mksdask export steel.zarr first.vti --sample scan_0001
  mksdask export steel.zarr phase.npy --variable phase
  mksdask export steel.zarr all.h5
"""

from __future__ import annotations

import argparse

from mksdask.ensemble import open_ensemble
from mksdask.ensemble.export import export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("store", metavar="STORE", help="path or URL of the ensemble")
    parser.add_argument("path", metavar="FILE", help="file to write; its ending chooses the format")
    parser.add_argument("--sample", help="name or position of the sample")
    parser.add_argument(
        "--variable",
        action="append",
        metavar="NAME",
        help="what to write; repeat for several (.vti, .h5)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def run(args: argparse.Namespace) -> int:
    """Export, and say what was written."""
    export(
        open_ensemble(args.store),
        args.path,
        sample=args.sample,
        variable=args.variable,
        overwrite=args.overwrite,
    )
    print(f"wrote {args.path}")
    return 0
