"""Check an ensemble: structure, checksums of every chunk, labels.

examples:
  mksdask validate steel.zarr
  mksdask validate steel.zarr --quick

The exit code is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("store", metavar="STORE", help="path or URL of the ensemble")
    parser.add_argument(
        "--quick", action="store_true", help="check the structure only, without reading the data"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Print every violation, one a line; 1 if there is any."""
    from mksdask.ensemble import validate_ensemble

    progress = False if args.quiet else None
    violations = validate_ensemble(args.store, data=not args.quick, progress=progress)
    for violation in violations:
        print(violation)
    if not violations:
        print(f"{args.store} is valid")
    return 1 if violations else 0
