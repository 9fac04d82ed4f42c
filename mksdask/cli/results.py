"""Options and steps shared by the commands that store a new ensemble."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mksdask.version import __version__

if TYPE_CHECKING:
    import xarray as xr


def add_store_options(parser: argparse.ArgumentParser, store: str) -> None:
    """Declare what to do with an existing store, and --quiet."""
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help=f"replace {store} if it exists")
    existing.add_argument(
        "--resume",
        action="store_true",
        help=f"finish {store}, which the same call began before it was interrupted",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")


def store_result(args: argparse.Namespace, path: str, dataset: xr.Dataset) -> xr.Dataset:
    """Write a lazy dataset as the options say."""
    from mksdask.ensemble import create_ensemble, resume_ensemble

    progress = False if args.quiet else None
    if args.resume:
        return resume_ensemble(path, dataset, progress=progress)
    return create_ensemble(path, dataset, overwrite=args.overwrite, progress=progress)


@contextmanager
def silenced(quiet: bool) -> Iterator[None]:
    """No progress bars inside, if ``quiet``."""
    before = os.environ.get("MKSDASK_PROGRESS")
    if quiet:
        os.environ["MKSDASK_PROGRESS"] = "0"
    try:
        yield
    finally:
        if quiet and before is None:
            del os.environ["MKSDASK_PROGRESS"]
        elif before is not None:
            os.environ["MKSDASK_PROGRESS"] = before


def origin(function: str, source: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Provenance of what a function of the package made from an ensemble.

    >>> origin("statistics", "steel.zarr", {"pairs": "all"})["created_by"]
    'mksdask.statistics'
    """
    return {
        "created_by": f"mksdask.{function}",
        "version": __version__,
        "source": source,
        "parameters": parameters,
    }
