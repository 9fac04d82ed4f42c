"""Say what is in an ensemble.

example:
  mksdask info steel.zarr
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("store", metavar="STORE", help="path or URL of the ensemble")


def run(args: argparse.Namespace) -> int:
    """Print the summary; 1 if samples are missing."""
    from mksdask.ensemble.describe import describe_ensemble

    text = describe_ensemble(args.store)
    print(text)
    return 1 if "INCOMPLETE" in text.splitlines()[0] else 0
