"""Solve for the responses of the cells of an ensemble, and store them as a new one.

examples:
  mksdask simulate elasticity cells.zarr --out response.zarr --youngs-modulus 120,240 \\
      --poissons-ratio 0.3,0.3 --macro-strain xx=0.01 --outputs strain,mean_stress
  mksdask simulate conduction cells.zarr --out flux.zarr --conductivity 1,20 --macro-gradient x=1
  mksdask generate noise start.zarr --n-samples 8 --shape 96,96
  mksdask simulate cahn-hilliard start.zarr --out grown.zarr --steps 1000 --dx 0.5 --dt 0.05

Cells are periodic. `mksdask simulate KIND --help` lists the options of each kind.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from mksdask.cli.results import add_store_options, origin, store_result
from mksdask.cli.values import floats, load, number, number_or_floats, whole

if TYPE_CHECKING:
    import xarray as xr

# Voxels of a block, which a killed run loses of each block under way; a decomposition takes
# thousands of steps a voxel and works sample by sample anyway. Whoever resumes, with however many
# workers, must find the blocks as they were: so a block is one of so many shares, for as many cores
# as may come, but not less than what small cells solved side by side fill.
BLOCK = 2**21
LEAST_BLOCK = 2**15
SHARES = 256
SPINODAL_BLOCK = 2**17
REMEMBERED = ("variable", "steps", "save_every", "dx", "dt", "gamma")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    elastic = _kind(
        kinds, "elasticity", "strain, stress and stiffness of elastic cells",
        "Stresses come in the unit of Young's modulus; shear strains are engineering ones.",
    )  # fmt: skip
    elastic.add_argument(
        "--youngs-modulus", type=floats, required=True, metavar="E0,E1", help="one number a phase"
    )
    elastic.add_argument(
        "--poissons-ratio", type=floats, required=True, metavar="N0,N1", help="one number a phase"
    )
    elastic.add_argument(
        "--macro-strain", type=load, metavar="LOAD",
        help="mean strain: 0.01 for xx, xx=0.01,xy=0.002, or all components",
    )  # fmt: skip
    elastic.add_argument(
        "--macro-stress", type=load, metavar="LOAD",
        help="mean stress, likewise; components that neither names have no stress if only a "
        "stress is given, else no strain",
    )  # fmt: skip
    elastic.add_argument(
        "--plane", choices=("strain", "stress"), default="strain",
        help="of cells with two axes (default: strain)",
    )  # fmt: skip
    elastic.add_argument(
        "--outputs",
        default="mean_stress,iterations,residual,converged",
        help="strain, stress, mean_strain, mean_stress, effective_stiffness, iterations, "
        "residual, converged (default: %(default)s)",
    )
    elastic.add_argument(
        "--engine", choices=("fft", "sfepy"), default="fft",
        help="sfepy solves the same equations directly, slowly, as a check (default: fft)",
    )  # fmt: skip
    conducting = _kind(
        kinds, "conduction", "gradients, fluxes and conductivity of cells",
        "Of heat, charge or matter: the flux is -k times the gradient.",
    )  # fmt: skip
    conducting.add_argument(
        "--conductivity", type=floats, required=True, metavar="K0,K1", help="one number a phase"
    )
    conducting.add_argument(
        "--macro-gradient", type=load, metavar="LOAD",
        help="mean gradient: 1 for x, x=1,y=0.5, or all components",
    )  # fmt: skip
    conducting.add_argument("--macro-flux", type=load, metavar="LOAD", help="mean flux, likewise")
    conducting.add_argument(
        "--outputs",
        default="mean_flux,iterations,residual,converged",
        help="gradient, flux, mean_gradient, mean_flux, effective_conductivity, iterations, "
        "residual, converged (default: %(default)s)",
    )
    for sub in (elastic, conducting):
        _stores(sub, "path or URL of the ensemble, with labels in its variable phase")
        sub.add_argument("--components", help="components to keep, such as xx,xy (default: all)")
        sub.add_argument(
            "--tolerance",
            type=number,
            help="relative residual to reach (default: 1e-6, or 1e-4 with --float32)",
        )
        sub.add_argument("--max-iterations", type=whole, help="do exactly so many, as an estimate")
        sub.add_argument(
            "--on-failure", choices=("raise", "flag"), default="raise",
            help="stop at a cell that does not converge, or blank it (default: raise)",
        )  # fmt: skip
        sub.add_argument("--float32", action="store_true", help="compute in single precision")
    spinodal = _kind(
        kinds, "cahn-hilliard", "spinodal decomposition of concentrations",
        "Phases are at -1 and 1. Lengths are in units of the square root of gamma if it is 1.",
    )  # fmt: skip
    _stores(spinodal, "path or URL of the ensemble to start from")
    spinodal.add_argument(
        "--variable", default="concentration", help="what to evolve (default: concentration)"
    )
    spinodal.add_argument("--steps", type=whole, required=True, metavar="N", help="steps to take")
    spinodal.add_argument(
        "--save-every", type=whole, metavar="M", help="store every M-th step, not only the last"
    )
    spinodal.add_argument(
        "--dx", type=number_or_floats, default=0.25,
        help="grid spacing, one number or one an axis (default: 0.25)",
    )  # fmt: skip
    spinodal.add_argument("--dt", type=number, default=1e-3, help="time step (default: 0.001)")
    spinodal.add_argument(
        "--gamma", type=number, default=1.0,
        help="gradient energy coefficient; interfaces are about 4 sqrt(gamma) wide (default: 1)",
    )  # fmt: skip


def _kind(kinds: Any, name: str, summary: str, more: str) -> argparse.ArgumentParser:
    description = f"{summary[0].upper()}{summary[1:]}. {more}"
    parser: argparse.ArgumentParser = kinds.add_parser(name, help=summary, description=description)
    return parser


def _stores(kind: argparse.ArgumentParser, meaning: str) -> None:
    kind.add_argument("store", metavar="STORE", help=meaning)
    kind.add_argument("--out", required=True, metavar="STORE2", help="where to store the result")
    add_store_options(kind, "STORE2")


def run(args: argparse.Namespace) -> int:
    """Solve, store and summarize."""
    from mksdask.ensemble import open_ensemble

    written = store_result(args, args.out, responses(args, open_ensemble(args.store)))
    if not args.quiet:
        names = ", ".join(sorted(map(str, written.data_vars)))
        print(f"{args.out}: {written.sizes['sample']} samples, {names}")
    return 0


def responses(args: argparse.Namespace, ds: xr.Dataset) -> xr.Dataset:
    """The lazy responses that the arguments describe."""
    from mksdask.cli.statistics import read_variable

    kind: str = args.kind
    if kind == "cahn-hilliard":
        data, block = read_variable(ds, args.variable, "--variable"), SPINODAL_BLOCK
    else:
        data, block = read_variable(ds, "phase", "the variable of labels"), BLOCK
    voxels = math.prod(n for d, n in data.sizes.items() if d != "sample")
    block = min(block, max(LEAST_BLOCK, data.size // SHARES))
    data = data.chunk({d: max(1, block // voxels) if d == "sample" else -1 for d in data.dims})
    result = KINDS[kind](args, data)
    if kind == "cahn-hilliard":
        given = {k: v for k, v in vars(args).items() if k in REMEMBERED and v is not None}
        result.attrs["provenance"] = origin("simulate.cahn_hilliard", args.store, given)
    else:
        result.attrs["provenance"] |= {"source": args.store}
    return result


def elastic(args: argparse.Namespace, phase: xr.DataArray) -> xr.Dataset:
    """The lazy responses asked for."""
    from mksdask.simulate import effective_stiffness, elasticity

    common: dict[str, Any] = shared(args) | {
        "youngs_modulus": args.youngs_modulus,
        "poissons_ratio": args.poissons_ratio,
        "plane": args.plane,
        "engine": args.engine,
    }
    loads = {"macro_strain": args.macro_strain, "macro_stress": args.macro_stress}
    return assembled(
        args,
        "effective_stiffness",
        lambda: effective_stiffness(phase, **common),
        lambda **chosen: elasticity(phase, **loads, **common, **chosen),
    )


def conducting(args: argparse.Namespace, phase: xr.DataArray) -> xr.Dataset:
    """The lazy responses asked for."""
    from mksdask.simulate import conduction, effective_conductivity

    k = args.conductivity
    loads = {"macro_gradient": args.macro_gradient, "macro_flux": args.macro_flux}
    return assembled(
        args,
        "effective_conductivity",
        lambda: effective_conductivity(phase, k, **shared(args)),
        lambda **chosen: conduction(phase, k, **loads, **shared(args), **chosen),
    )


def decomposing(args: argparse.Namespace, field: xr.DataArray) -> xr.Dataset:
    """The lazy concentrations asked for."""
    from mksdask.simulate import cahn_hilliard

    evolved = cahn_hilliard(
        field,
        args.steps,
        save_every=args.save_every,
        dx=args.dx,
        dt=args.dt,
        gamma=args.gamma,
    )
    return evolved.to_dataset()


KINDS: dict[str, Callable[[argparse.Namespace, xr.DataArray], xr.Dataset]] = {
    "elasticity": elastic,
    "conduction": conducting,
    "cahn-hilliard": decomposing,
}


def assembled(args: argparse.Namespace, effective: str, homogenize: Any, solve: Any) -> xr.Dataset:
    """The outputs of one load case and the effective property, as one dataset."""
    import xarray as xr

    outputs = [name.strip() for name in args.outputs.split(",")]
    local = tuple(name for name in outputs if name != effective)
    components = None if args.components is None else tuple(args.components.split(","))
    if components is not None and effective in outputs and local:
        raise ValueError(
            f"--components applies to fields and means, not to {effective}: ask for it in a run "
            "of its own"
        )
    if effective not in outputs:
        return cast("xr.Dataset", solve(outputs=local, components=components))
    whole = homogenize()
    found = xr.Dataset({effective: whole.drop_attrs()}, attrs=whole.attrs)
    if local:
        fields = solve(outputs=local, components=components)
        found = xr.merge([fields, found], combine_attrs="override")
        # One call told all: what was asked of either is in what was asked of the fields.
        found.attrs["provenance"]["parameters"]["outputs"] = outputs
    return found


def shared(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments that all solvers take."""
    return {
        "tolerance": args.tolerance,
        "max_iterations": args.max_iterations,
        "on_failure": args.on_failure,
        "dtype": "float32" if args.float32 else "float64",
    }
