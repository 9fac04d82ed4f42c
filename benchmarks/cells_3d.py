"""High-contrast cells in 3D with their stiffness: the data of homogenization_3d.py, resumable.

    python benchmarks/cells_3d.py FOLDER [--training 1500] [--held-out 500] [--transfer 200]
                                  [--size 31] [--threads N]

Two isotropic phases, E = 120 and 6000, nu = 0.3, in cells of 31^3 voxels, filtered noise cut at a
volume fraction; grain sizes of 1 to 31 voxels along each axis and the volume fraction of the stiff
phase, 0 to 1, come from a Latin hypercube. C1111 and C1212 are the mean stresses under a unit
stretch and a unit shear. Two more ensembles come from other generators, to see what a model
learnt from the first carries over to. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dask
import numpy as np
import xarray as xr
from scipy.stats import qmc

import mksdask as mks

MODULI = {"youngs_modulus": (120.0, 6000.0), "poissons_ratio": (0.3, 0.3)}
LOADS = {"C1111": "xx", "C1212": "xy"}
CHUNK = 20


def hypercube(n: int, seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Grain sizes (sample, axis) and volume fractions (sample, phase)."""
    draw = qmc.LatinHypercube(4, seed=seed).random(n)
    stiff = draw[:, 3]
    return np.ceil(size * draw[:, :3]), np.column_stack([1 - stiff, stiff])


def filtered_noise(n: int, seed: int, size: int) -> xr.DataArray:
    """The cells of the published example."""
    grains, fractions = hypercube(n, seed, size)
    return mks.generate.multiphase(
        n, (size,) * 3, grain_size=grains, fractions=fractions, seed=seed, chunks=CHUNK
    )


def spheres(n: int, seed: int, size: int) -> xr.DataArray:
    """Stiff spheres in a soft matrix, up to half the volume."""
    fraction = 0.05 + 0.45 * qmc.LatinHypercube(1, seed=seed).random(n)[:, 0]
    return mks.generate.spheres(
        n, (size,) * 3, radius=size / 8, fraction=fraction, seed=seed, chunks=CHUNK
    ).assign_coords(fraction_1=("sample", fraction))


def polyhedra(n: int, seed: int, size: int) -> xr.DataArray:
    """Voronoi grains, 60 a cell, each of one phase."""
    stiff = 0.05 + 0.9 * qmc.LatinHypercube(1, seed=seed).random(n)[:, 0]
    fractions = np.column_stack([1 - stiff, stiff])
    return mks.generate.voronoi(
        n, (size,) * 3, 60, fractions=fractions, seed=seed, chunks=CHUNK
    ).phase


def solved(phase: xr.DataArray) -> xr.Dataset:
    """Cells and their two constants, lazily."""
    # Single precision and 1e-4 on the residual leave 6e-7 of error in the constants.
    constants = [
        mks.simulate.elasticity(
            phase,
            **MODULI,
            macro_strain={load: 1.0},
            components=(load,),
            outputs=("mean_stress",),
            dtype="float32",
            tolerance=1e-4,
        ).mean_stress.isel(tensor=0, drop=True)
        for load in LOADS.values()
    ]
    stiffness = xr.concat(constants, xr.IndexVariable("constant", list(LOADS)))
    return xr.Dataset({"phase": phase, "stiffness": stiffness.transpose("sample", "constant")})


def stored(path: Path, phase: xr.DataArray) -> xr.Dataset:
    """Make the ensemble, or finish it, or open it."""
    ds = solved(phase)
    if not path.exists():
        return mks.create_ensemble(path, ds, progress=True)
    try:
        found = mks.open_ensemble(path)
        if found.sizes["sample"] == ds.sizes["sample"]:
            return found
    except mks.DataError:
        pass
    return mks.resume_ensemble(path, ds, progress=True)


def ensembles(
    folder: Path, training: int = 1500, held_out: int = 500, transfer: int = 200, size: int = 31
) -> dict[str, xr.Dataset]:
    """All ensembles by name, made where they are missing."""
    makers = {
        "training": (filtered_noise, training, 1),
        "held_out": (filtered_noise, held_out, 2),
        "voronoi": (polyhedra, transfer, 3),
        "spheres": (spheres, transfer, 4),
    }
    return {
        name: stored(folder / f"{name}.zarr", make(n, seed, size))
        for name, (make, n, seed) in makers.items()
        if n
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder and the sizes."""
    parser.add_argument("folder", type=Path)
    parser.add_argument("--training", type=int, default=1500)
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("--transfer", type=int, default=200, help="cells of each other generator")
    parser.add_argument("--size", type=int, default=31, help="voxels an edge")
    parser.add_argument("--threads", type=int, default=None)


def from_arguments(args: argparse.Namespace) -> dict[str, xr.Dataset]:
    """The ensembles that the command line asks for."""
    with dask.config.set(scheduler="threads", num_workers=args.threads):
        return ensembles(args.folder, args.training, args.held_out, args.transfer, args.size)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    for name, ds in from_arguments(parser.parse_args()).items():
        print(f"{name}: {ds.sizes['sample']} cells, C1111 {ds.stiffness[:, 0].values.mean():.1f}")
