"""Write an HTML page with pictures, scores and parameters of ensembles and models.

examples:
  mksdask report cells.zarr statistics.zarr pca.zarr --out report.html
  mksdask report both.zarr fit.zarr predicted.zarr --log demo.log.jsonl --out report.html
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "sources", nargs="+", metavar="STORE", help="paths or URLs of ensembles and saved models"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="the HTML file to write")
    parser.add_argument("--title", default="Report", help="of the page (default: Report)")
    parser.add_argument("--log", metavar="LOG", help="log of a pipeline, NAME.log.jsonl")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    from mksdask.cli.results import silenced
    from mksdask.report import write_report

    with silenced(args.quiet):
        written = write_report(
            args.sources, args.out, title=args.title, log=args.log, overwrite=args.overwrite
        )
    if not args.quiet:
        print(f"{written}: {written.stat().st_size / 2**20:.1f} MiB, {len(args.sources)} sources")
    return 0
