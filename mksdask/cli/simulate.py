"""Solve for the responses of the cells of an ensemble, and store them as a new one.

Example: mksdask simulate elasticity cells.zarr --youngs-modulus 120,240 --poissons-ratio 0.3,0.3
--macro-strain xx=0.01 --outputs strain,mean_stress --out response.zarr
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mksdask.version import __version__

if TYPE_CHECKING:
    import xarray as xr

# Voxels of a block: what a killed run loses, at most, of each block under way.
BLOCK = 2**21
REMEMBERED = (
    "kind", "youngs_modulus", "poissons_ratio", "conductivity", "macro_strain", "macro_stress",
    "macro_gradient", "macro_flux", "plane", "engine", "tolerance", "max_iterations", "float32",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    elastic = kinds.add_parser("elasticity", help="strain, stress and stiffness of elastic cells")
    elastic.add_argument(
        "--youngs-modulus", required=True, metavar="E0,E1", help="one number a phase"
    )
    elastic.add_argument(
        "--poissons-ratio", required=True, metavar="N0,N1", help="one number a phase"
    )
    elastic.add_argument(
        "--macro-strain", help="mean strain: 0.01 for xx, xx=0.01,xy=0.002, or all components"
    )
    elastic.add_argument("--macro-stress", help="mean stress, likewise; the rest is mixed loading")
    elastic.add_argument("--plane", choices=("strain", "stress"), default="strain")
    elastic.add_argument(
        "--outputs",
        default="mean_stress,iterations,residual,converged",
        help="strain, stress, mean_strain, mean_stress, effective_stiffness, iterations, "
        "residual, converged (default: %(default)s)",
    )
    elastic.add_argument("--engine", choices=("fft", "sfepy"), default="fft")
    conducting = kinds.add_parser("conduction", help="gradients, fluxes and conductivity of cells")
    conducting.add_argument(
        "--conductivity", required=True, metavar="K0,K1", help="one number a phase"
    )
    conducting.add_argument(
        "--macro-gradient", help="mean gradient: 1 for x, x=1,y=0.5, or all components"
    )
    conducting.add_argument("--macro-flux", help="mean flux, likewise")
    conducting.add_argument(
        "--outputs",
        default="mean_flux,iterations,residual,converged",
        help="gradient, flux, mean_gradient, mean_flux, effective_conductivity, iterations, "
        "residual, converged (default: %(default)s)",
    )
    for sub in (elastic, conducting):
        sub.add_argument("store", metavar="STORE", help="path or URL of the ensemble with phase")
        sub.add_argument("--out", required=True, metavar="STORE2", help="where to store the result")
        sub.add_argument("--components", help="components to keep, such as xx,xy (default: all)")
        sub.add_argument("--tolerance", type=float, help="of the solution (default: 1e-6)")
        sub.add_argument("--max-iterations", type=int, help="do exactly so many, as an estimate")
        sub.add_argument(
            "--on-failure", choices=("raise", "flag"), default="raise",
            help="stop at a cell that does not converge, or blank it (default: raise)",
        )  # fmt: skip
        sub.add_argument("--float32", action="store_true", help="compute in single precision")
        again = sub.add_mutually_exclusive_group()
        again.add_argument("--overwrite", action="store_true", help="replace STORE2 if it exists")
        again.add_argument(
            "--resume", action="store_true", help="go on with an interrupted run of the same call"
        )
        sub.add_argument("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    """Solve, store and summarize."""
    from mksdask.cli.statistics import read_variable
    from mksdask.ensemble import create_ensemble, open_ensemble, resume_ensemble

    phase = read_variable(open_ensemble(args.store), "phase", "STORE's variable")
    space = [d for d in ("x", "y", "z") if d in phase.dims]
    voxels = 1
    for d in space:
        voxels *= phase.sizes[d]
    phase = phase.chunk({"sample": max(1, BLOCK // voxels), **dict.fromkeys(space, -1)})
    result = elastic(args, phase) if args.kind == "elasticity" else conducting(args, phase)
    given = {k: v for k, v in vars(args).items() if k in REMEMBERED and v is not None}
    result.attrs["provenance"] = {
        "program": f"mksdask {__version__}",
        "source": str(args.store),
        "simulate": given,
    }
    progress = False if args.quiet else None
    if args.resume:
        written = resume_ensemble(args.out, result, progress=progress)
    else:
        written = create_ensemble(args.out, result, overwrite=args.overwrite, progress=progress)
    if not args.quiet:
        names = ", ".join(sorted(map(str, written.data_vars)))
        print(f"{args.out}: {written.sizes['sample']} samples, {names}")
    return 0


def elastic(args: argparse.Namespace, phase: xr.DataArray) -> xr.Dataset:
    """The lazy responses asked for."""
    from mksdask.cli.statistics import numbers
    from mksdask.simulate import effective_stiffness, elasticity

    common: dict[str, Any] = shared(args) | {
        "youngs_modulus": numbers(args.youngs_modulus, "--youngs-modulus", float),
        "poissons_ratio": numbers(args.poissons_ratio, "--poissons-ratio", float),
    }
    common |= {"plane": args.plane, "engine": args.engine}
    load: dict[str, Any] = {
        "macro_strain": parse_load(args.macro_strain, "--macro-strain"),
        "macro_stress": parse_load(args.macro_stress, "--macro-stress"),
    }
    return assembled(
        args,
        "effective_stiffness",
        lambda: effective_stiffness(phase, **common),
        lambda **chosen: elasticity(phase, **load, **common, **chosen),
    )


def conducting(args: argparse.Namespace, phase: xr.DataArray) -> xr.Dataset:
    """The lazy responses asked for."""
    from mksdask.cli.statistics import numbers
    from mksdask.simulate import conduction, effective_conductivity

    k = numbers(args.conductivity, "--conductivity", float)
    load: dict[str, Any] = {
        "macro_gradient": parse_load(args.macro_gradient, "--macro-gradient"),
        "macro_flux": parse_load(args.macro_flux, "--macro-flux"),
    }
    return assembled(
        args,
        "effective_conductivity",
        lambda: effective_conductivity(phase, k, **shared(args)),
        lambda **chosen: conduction(phase, k, **load, **shared(args), **chosen),
    )


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
    parts = {}
    if effective in outputs:
        parts[effective] = homogenize()
    found = xr.Dataset(parts)
    return xr.merge([found, solve(outputs=local, components=components)]) if local else found


def shared(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments that all solvers take."""
    return {
        "tolerance": args.tolerance,
        "max_iterations": args.max_iterations,
        "on_failure": args.on_failure,
        "dtype": "float32" if args.float32 else "float64",
    }


def parse_load(text: str | None, option: str) -> float | list[float] | dict[str, float] | None:
    """One number, all components, or some by name.

    >>> parse_load("0.01", "--macro-strain"), parse_load("xx=0.01,xy=0", "--macro-strain")
    (0.01, {'xx': 0.01, 'xy': 0.0})
    """
    if text is None:
        return None
    from mksdask.cli.statistics import numbers

    if "=" not in text:
        found = numbers(text, option, float)
        return found[0] if len(found) == 1 else found
    load = {}
    for item in text.split(","):
        name, _, value = item.partition("=")
        try:
            load[name.strip()] = float(value)
        except ValueError:
            raise ValueError(f"{option} has {item!r}; wanted items such as xx=0.01") from None
    return load
