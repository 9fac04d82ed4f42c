"""Generate microstructures into a new ensemble.

Example: mksdask generate multiphase steel.zarr --n-samples 100 --shape 51,51,51 --grain-size 5
--fractions 0.3,0.7. A run that was killed is finished by the same call with --resume.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

PROGRAM_OPTIONS = ("command", "debug", "kind", "store", "overwrite", "resume", "quiet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the kinds and the arguments of each."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for name, (summary, declare) in KINDS.items():
        kind = kinds.add_parser(name, help=summary, description=f"Generate {summary}.")
        kind.add_argument("store", metavar="STORE", help="path or URL of the ensemble to write")
        kind.add_argument("--shape", type=_integers, required=True, help="voxels: 51,51,51")
        declare(kind)
        kind.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
        existing = kind.add_mutually_exclusive_group()
        existing.add_argument("--overwrite", action="store_true", help="replace STORE")
        existing.add_argument(
            "--resume", action="store_true", help="finish STORE, which the same call began"
        )


def run(args: argparse.Namespace) -> int:
    """Generate, store and summarize."""
    from mksdask.ensemble import create_ensemble, resume_ensemble

    dataset = generated(args)
    progress = False if args.quiet else None
    if args.resume:
        written = resume_ensemble(args.store, dataset, progress=progress)
    else:
        written = create_ensemble(args.store, dataset, overwrite=args.overwrite, progress=progress)
    if not args.quiet:
        voxels = " x ".join(str(written.sizes[d]) for d in ("x", "y", "z") if d in written.sizes)
        print(f"{args.store}: {written.sizes['sample']} samples of {voxels} voxels, {args.kind}")
    return 0


def generated(args: argparse.Namespace) -> xr.Dataset:
    """The lazy dataset that the arguments describe."""
    import xarray as xr

    from mksdask import __version__, generate

    options = {
        name: value
        for name, value in vars(args).items()
        if name not in PROGRAM_OPTIONS and value is not None
    }
    made = getattr(generate, args.kind.replace("-", "_"))(**options)
    dataset = made if isinstance(made, xr.Dataset) else made.to_dataset()
    return dataset.assign_attrs(
        periodic=made.attrs["periodic"],
        provenance={"program": f"mksdask {__version__}", "generate": dict(made.attrs)},
    )


def _multiphase(kind: argparse.ArgumentParser) -> None:
    _sampled(kind, n_samples_required=False)
    kind.add_argument("--grain-size", type=_numbers, help="voxels, one number or one an axis: 15,2")
    kind.add_argument(
        "--fractions",
        type=_numbers,
        help="volume fractions (without: equal intervals of the field)",
    )
    kind.add_argument("--n-phases", type=int, help="needed without fractions (default: 2)")
    kind.add_argument("--fraction-variance", type=float, default=0.0, help="default: 0")
    kind.add_argument(
        "--continuous", action="store_true", help="store the smoothed field instead of phases"
    )
    kind.add_argument(
        "--class",
        dest="classes",
        action="append",
        type=_class,
        metavar="N:SIZES",
        help="N samples of a grain size, 200:15,2; give it once a class, without --n-samples",
    )


def _gaussian_family(kind: argparse.ArgumentParser) -> None:
    _sampled(kind)
    kind.add_argument("--widths", type=_numbers, default=[1, 3, 5, 7], help="default: 1,3,5,7")
    kind.add_argument(
        "--fractions",
        type=_numbers,
        default=[0.25, 0.75],
        help="smallest and largest volume fraction of phase 1 (default: 0.25,0.75)",
    )


def _delta(kind: argparse.ArgumentParser) -> None:
    kind.add_argument("--n-phases", type=int, required=True, help="at least 2")
    kind.add_argument("--chunks", type=int, help="samples a chunk")


def _checkerboard(kind: argparse.ArgumentParser) -> None:
    kind.add_argument("--square", type=_integers, help="voxels a square (default: 1)")
    kind.add_argument("--n-phases", type=int, help="default: 2")


def _voronoi(kind: argparse.ArgumentParser) -> None:
    _sampled(kind)
    kind.add_argument("--n-grains", type=int, required=True, help="grains in each sample")
    kind.add_argument(
        "--size-variation", type=float, help="more than 0 for Laguerre grains (default: 0)"
    )
    kind.add_argument("--fractions", type=_numbers, help="volume fractions (default: one phase)")
    kind.add_argument(
        "--periodic",
        type=_axes,
        help="periodic axes, as x,y, or none (default: all of them)",
    )


def _spheres(kind: argparse.ArgumentParser) -> None:
    _sampled(kind)
    _particles(kind)


def _fibers(kind: argparse.ArgumentParser) -> None:
    _sampled(kind)
    _particles(kind)
    kind.add_argument(
        "--length", type=_length, required=True, help="voxels from tip to tip, or through"
    )
    kind.add_argument(
        "--direction", type=_direction, help="random, an axis, or a vector 1,1,0 (default: random)"
    )
    kind.add_argument("--misalignment", type=float, help="radians about it (default: 0)")


def _particles(kind: argparse.ArgumentParser) -> None:
    kind.add_argument("--radius", type=float, required=True, help="mean radius in voxels")
    kind.add_argument("--fraction", type=float, required=True, help="volume fraction")
    kind.add_argument("--size-variation", type=float, help="coefficient of variation (default: 0)")
    kind.add_argument(
        "--overlapping", dest="hard_core", action="store_false", help="let particles overlap"
    )
    kind.add_argument("--tolerance", type=float, help="of the volume fraction (default: 0.005)")


def _sampled(kind: argparse.ArgumentParser, n_samples_required: bool = True) -> None:
    kind.add_argument("--n-samples", type=int, required=n_samples_required, help="how many")
    kind.add_argument("--seed", type=int, default=0, help="names the ensemble (default: 0)")
    kind.add_argument(
        "--first-sample", type=int, default=0, help="to make a part of it (default: 0)"
    )
    kind.add_argument("--chunks", type=int, help="samples a chunk (default: 64 MiB in float64)")


Declare = Callable[[argparse.ArgumentParser], None]
KINDS: dict[str, tuple[str, Declare]] = {
    "multiphase": ("smoothed noise cut into phases", _multiphase),
    "gaussian-family": ("two phases of random anisotropy and fraction", _gaussian_family),
    "delta": ("one voxel of a phase in a cell of another, all pairs", _delta),
    "checkerboard": ("a checkerboard", _checkerboard),
    "voronoi": ("Voronoi or Laguerre polycrystals", _voronoi),
    "spheres": ("spheres in a matrix", _spheres),
    "fibers": ("fibers in a matrix", _fibers),
}


def _integers(text: str) -> list[int]:
    """Whole numbers between commas.

    >>> _integers("51,51")
    [51, 51]
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}; wanted whole numbers with commas between, as 51,51"
        ) from None


def _numbers(text: str) -> list[float] | float:
    """One number, or a list where there are commas.

    >>> _numbers("5"), _numbers("15,2")
    (5.0, [15.0, 2.0])
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}; wanted numbers with commas between, as 15,2"
        ) from None
    return found if "," in text else found[0]


def _class(text: str) -> dict[str, Any]:
    """Samples and grain size of a class.

    >>> _class("200:15,2")
    {'n_samples': 200, 'grain_size': [15.0, 2.0]}
    """
    count, colon, sizes = text.partition(":")
    if not colon or not count.isdecimal():
        raise argparse.ArgumentTypeError(
            f"{text!r}; wanted a number of samples and a grain size, as 200:15,2"
        )
    return {"n_samples": int(count), "grain_size": _numbers(sizes)}


def _axes(text: str) -> list[str]:
    return [] if text == "none" else text.split(",")


def _length(text: str) -> Any:
    return text if text == "through" else _numbers(text)


def _direction(text: str) -> Any:
    return _numbers(text) if "," in text else text
