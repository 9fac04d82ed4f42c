"""Generate microstructures into a new ensemble.

examples:
  mksdask generate multiphase steel.zarr --n-samples 100 --shape 51,51,51 --grain-size 5 \\
      --fractions 0.3,0.7
  mksdask generate voronoi grains.zarr --n-samples 10 --shape 64,64,64 --n-grains 200
  mksdask generate spheres foam.zarr --n-samples 10 --shape 64,64,64 --radius 6 --fraction 0.3
  mksdask generate fibers ply.zarr --n-samples 10 --shape 64,64,64 --radius 3 --length 30 \\
      --fraction 0.15 --direction x --misalignment 0.1
  mksdask generate delta calibration.zarr --shape 21,21 --n-phases 2

`mksdask generate KIND --help` lists the options of each kind. A run that was killed is finished by
the same call with --resume.
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
        kind.add_argument(
            "--shape",
            type=wholes,
            required=True,
            metavar="NX,NY[,NZ]",
            help="voxels along x, y and z, such as 51,51,51",
        )
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
        "--grain-size",
        type=number_or_floats,
        metavar="G[,G,G]",
        help="typical size in voxels, one number or one an axis, such as 15,5,5",
    )
    kind.add_argument(
        "--fractions",
        type=number_or_floats,
        metavar="F0,F1[,...]",
        help="volume fractions of the phases, such as 0.3,0.7 (without: the range of each field is "
        "cut into equal intervals)",
    )
    kind.add_argument("--n-phases", type=whole, help="without --fractions (default: 2)")
    kind.add_argument(
        "--fraction-variance",
        type=number,
        default=0.0,
        help="variance of the fractions from sample to sample (default: 0)",
    )
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
        "--fractions",
        type=number_or_floats,
        metavar="F0,F1[,...]",
        help="volume fractions of the phases, to which whole grains are given (default: one phase)",
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
        "--length",
        type=fiber_length,
        required=True,
        help="voxels from tip to tip, or through: across the whole cell",
    )
    kind.add_argument(
        "--direction", type=direction, help="random, an axis, or a vector 1,1,0 (default: random)"
    )
    kind.add_argument(
        "--misalignment",
        type=number,
        help="standard deviation from the direction, radians (default: 0)",
    )


def _noise(kind: argparse.ArgumentParser) -> None:
    _sampled(kind)
    kind.add_argument("--mean", type=number, help="mean concentration, exactly (default: 0)")
    kind.add_argument("--amplitude", type=number, help="largest deviation (default: 0.01)")
    kind.add_argument("--dtype", choices=("float32", "float64"), help="default: float64")


def _particles(kind: argparse.ArgumentParser) -> None:
    kind.add_argument("--radius", type=number, required=True, help="mean radius in voxels")
    kind.add_argument(
        "--fraction", type=number, required=True, help="volume fraction of the particles"
    )
    kind.add_argument(
        "--size-variation", type=number, help="coefficient of variation of the sizes (default: 0)"
    )
    kind.add_argument(
        "--overlapping", dest="hard_core", action="store_false", help="let particles overlap"
    )
    kind.add_argument(
        "--tolerance",
        type=number,
        help="by which the volume fraction may be missed (default: 0.005)",
    )


def _sampled(kind: argparse.ArgumentParser, n_samples_required: bool = True) -> None:
    kind.add_argument("--n-samples", type=whole, required=n_samples_required, help="how many")
    kind.add_argument(
        "--seed", type=whole, default=0, help="another number draws other samples (default: 0)"
    )
    kind.add_argument(
        "--first-sample",
        type=whole,
        default=0,
        help="make samples from this number on, as part of a larger ensemble (default: 0)",
    )
    kind.add_argument("--chunks", type=whole, help="samples a chunk (default: as fit 64 MiB)")


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
