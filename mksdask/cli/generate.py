"""Generate microstructures into a new ensemble.

Example: mksdask generate multiphase steel.zarr --n-samples 100 --shape 51,51,51 --grain-size 5
--fractions 0.3,0.7. A run that was killed is finished by the same call with --resume.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from mksdask.cli.results import add_store_options, store_result
from mksdask.cli.values import (
    axes,
    direction,
    fiber_length,
    grain_class,
    number,
    number_or_floats,
    whole,
    wholes,
)

if TYPE_CHECKING:
    import xarray as xr

PROGRAM_OPTIONS = ("command", "debug", "kind", "store", "overwrite", "resume", "quiet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the kinds and the arguments of each."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for name, (summary, declare) in KINDS.items():
        kind = kinds.add_parser(name, help=summary, description=f"Generate {summary}.")
        kind.add_argument("store", metavar="STORE", help="path or URL of the ensemble to write")
        kind.add_argument("--shape", type=wholes, required=True, help="voxels: 51,51,51")
        declare(kind)
        add_store_options(kind, "STORE")


def run(args: argparse.Namespace) -> int:
    """Generate, store and summarize."""
    written = store_result(args, args.store, generated(args))
    if not args.quiet:
        voxels = " x ".join(str(written.sizes[d]) for d in ("x", "y", "z") if d in written.sizes)
        print(f"{args.store}: {written.sizes['sample']} samples of {voxels} voxels, {args.kind}")
    return 0


def generated(args: argparse.Namespace) -> xr.Dataset:
    """The lazy dataset that the arguments describe."""
    import xarray as xr

    from mksdask import generate
    from mksdask.simulate import concentration_noise

    options = {
        name: value
        for name, value in vars(args).items()
        if name not in PROGRAM_OPTIONS and value is not None
    }
    name = args.kind.replace("-", "_")
    made = (concentration_noise if name == "noise" else getattr(generate, name))(**options)
    return made if isinstance(made, xr.Dataset) else made.to_dataset()


def _multiphase(kind: argparse.ArgumentParser) -> None:
    _sampled(kind, n_samples_required=False)
    kind.add_argument(
        "--grain-size", type=number_or_floats, help="voxels, one number or one an axis: 15,2"
    )
    kind.add_argument(
        "--fractions",
        type=number_or_floats,
        help="volume fractions (without: equal intervals of the field)",
    )
    kind.add_argument("--n-phases", type=whole, help="needed without fractions (default: 2)")
    kind.add_argument("--fraction-variance", type=number, default=0.0, help="default: 0")
    kind.add_argument(
        "--continuous", action="store_true", help="store the smoothed field instead of phases"
    )
    kind.add_argument(
        "--class",
        dest="classes",
        action="append",
        type=grain_class,
        metavar="N:SIZES",
        help="N samples of a grain size, 200:15,2; give it once a class, without --n-samples",
    )


def _gaussian_family(kind: argparse.ArgumentParser) -> None:
    _sampled(kind)
    kind.add_argument(
        "--widths", type=number_or_floats, default=[1, 3, 5, 7], help="default: 1,3,5,7"
    )
    kind.add_argument(
        "--fractions",
        type=number_or_floats,
        default=[0.25, 0.75],
        help="smallest and largest volume fraction of phase 1 (default: 0.25,0.75)",
    )


def _delta(kind: argparse.ArgumentParser) -> None:
    kind.add_argument("--n-phases", type=whole, required=True, help="at least 2")
    kind.add_argument("--chunks", type=whole, help="samples a chunk")


def _checkerboard(kind: argparse.ArgumentParser) -> None:
    kind.add_argument("--square", type=wholes, help="voxels a square (default: 1)")
    kind.add_argument("--n-phases", type=whole, help="default: 2")


def _voronoi(kind: argparse.ArgumentParser) -> None:
    _sampled(kind)
    kind.add_argument("--n-grains", type=whole, required=True, help="grains in each sample")
    kind.add_argument(
        "--size-variation", type=number, help="more than 0 for Laguerre grains (default: 0)"
    )
    kind.add_argument(
        "--fractions", type=number_or_floats, help="volume fractions (default: one phase)"
    )
    kind.add_argument(
        "--periodic",
        type=axes,
        help="periodic axes, as x,y, or none (default: all of them)",
    )


def _spheres(kind: argparse.ArgumentParser) -> None:
    _sampled(kind)
    _particles(kind)


def _fibers(kind: argparse.ArgumentParser) -> None:
    _sampled(kind)
    _particles(kind)
    kind.add_argument(
        "--length", type=fiber_length, required=True, help="voxels from tip to tip, or through"
    )
    kind.add_argument(
        "--direction", type=direction, help="random, an axis, or a vector 1,1,0 (default: random)"
    )
    kind.add_argument("--misalignment", type=number, help="radians about it (default: 0)")


def _noise(kind: argparse.ArgumentParser) -> None:
    _sampled(kind)
    kind.add_argument("--mean", type=number, help="mean concentration, exactly (default: 0)")
    kind.add_argument("--amplitude", type=number, help="largest deviation (default: 0.01)")
    kind.add_argument("--dtype", choices=("float32", "float64"), help="default: float64")


def _particles(kind: argparse.ArgumentParser) -> None:
    kind.add_argument("--radius", type=number, required=True, help="mean radius in voxels")
    kind.add_argument("--fraction", type=number, required=True, help="volume fraction")
    kind.add_argument("--size-variation", type=number, help="coefficient of variation (default: 0)")
    kind.add_argument(
        "--overlapping", dest="hard_core", action="store_false", help="let particles overlap"
    )
    kind.add_argument("--tolerance", type=number, help="of the volume fraction (default: 0.005)")


def _sampled(kind: argparse.ArgumentParser, n_samples_required: bool = True) -> None:
    kind.add_argument("--n-samples", type=whole, required=n_samples_required, help="how many")
    kind.add_argument("--seed", type=whole, default=0, help="names the ensemble (default: 0)")
    kind.add_argument(
        "--first-sample", type=whole, default=0, help="to make a part of it (default: 0)"
    )
    kind.add_argument("--chunks", type=whole, help="samples a chunk (default: 64 MiB in float64)")


Declare = Callable[[argparse.ArgumentParser], None]
KINDS: dict[str, tuple[str, Declare]] = {
    "multiphase": ("smoothed noise cut into phases", _multiphase),
    "gaussian-family": ("two phases of random anisotropy and fraction", _gaussian_family),
    "delta": ("one voxel of a phase in a cell of another, all pairs", _delta),
    "checkerboard": ("a checkerboard", _checkerboard),
    "voronoi": ("Voronoi or Laguerre polycrystals", _voronoi),
    "spheres": ("spheres in a matrix", _spheres),
    "fibers": ("fibers in a matrix", _fibers),
    "noise": ("noisy concentrations, for simulate cahn-hilliard to start from", _noise),
}
