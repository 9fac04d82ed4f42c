"""Run the main job end to end on a small generated ensemble."""

from __future__ import annotations

import argparse

from mksdask.cli.values import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--out", default="demo-output", help="folder for stores and pictures")
    parser.add_argument(
        "--samples", type=whole, default=64, help="number of volumes, at least 2 (default: 64)"
    )
    parser.add_argument(
        "--size", type=whole, default=51, help="voxels along each axis, at least 8 (default: 51)"
    )
    parser.add_argument(
        "--seed", type=whole, default=0, help="names the volumes drawn at random (default: 0)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier demonstration")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace) -> int:
    """Run it; the report goes to standard output."""
    from mksdask.demo import demo

    demo(
        args.out,
        n_samples=args.samples,
        size=args.size,
        seed=args.seed,
        overwrite=args.overwrite,
        progress=False if args.quiet else None,
    )
    return 0
