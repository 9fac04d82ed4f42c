"""When functions of degrees above 4 help at first order: textures, loads, anisotropy, slip.

    python benchmarks/polycrystal_degrees.py

R^2 on held-out cells of 11^3 voxels and 20 grains, fitted on 200 with functions up to degree 4, 6
and 8. Where the load is along z and turning the cells about it leaves their texture as it is, every
cell also stands for its 16 copies.
"""

from __future__ import annotations

import argparse

import dask
import numpy as np
import xarray as xr

from mksdask.bases import GSHBasis
from mksdask.generate import Fibre, Uniform, Unimodal, voronoi
from mksdask.linkage import LocalizationModel
from mksdask.orientation import to_matrix
from mksdask.simulate import cubic, elasticity
from mksdask.simulate.stiffness import rotated

COPPER = cubic(168.4, 121.4, 75.4)
LITHIUM = cubic(13.4, 11.3, 9.6)  # GPa, nine times stiffer in one shear than in the other
CUBE = Fibre((0, 0, 1), (0, 0, 1), spread=0.15)
OCTAHEDRAL = Fibre((1, 1, 1), (0, 0, 1), spread=0.15)
ONE = Unimodal((0.3, 0.5, 0.1), spread=0.2)
# Name, stiffness, texture, load, whether cells may stand for copies.
CASES = (
    ("copper", COPPER, Uniform(), "zz", True),
    ("copper, shear", COPPER, Uniform(), "xz", False),
    ("copper, <111> along z", COPPER, OCTAHEDRAL, "zz", True),
    ("copper, <001> along z", COPPER, CUBE, "zz", True),
    ("copper, one orientation +- 11 degrees", COPPER, ONE, "zz", False),
    ("lithium", LITHIUM, Uniform(), "zz", True),
    ("lithium, <111> along z", LITHIUM, OCTAHEDRAL, "zz", True),
    ("lithium, <001> along z", LITHIUM, CUBE, "zz", True),
)
DEGREES = (4, 6, 8)
# The reflections and the exchange of axes that a load along z leaves as it is.
ABOUT_Z = ("-x", "-y", "-z", "xy")
PLANES = ((1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1))
DIRECTIONS = ((0, 1, 1), (0, 1, -1), (1, 0, 1), (1, 0, -1), (1, 1, 0), (1, -1, 0))


def solved(g: xr.DataArray, stiffness: np.ndarray, load: str) -> xr.DataArray:
    phase = xr.zeros_like(g.isel(euler=0, drop=True)).astype(np.uint8)
    return elasticity(
        phase, stiffness=stiffness, orientation=g, macro_strain={load: 1.0}, outputs=("strain",),
        tolerance=1e-5,
    ).strain.compute()  # fmt: skip


def largest_resolved_shear(
    g: xr.DataArray, strain: xr.DataArray, stiffness: np.ndarray
) -> xr.DataArray:
    """Largest shear stress on any of the slip systems {111}<110>."""
    slip = np.array(
        [(np.outer(n, b) + np.outer(b, n)) / 2 / np.sqrt(6)
         for n in PLANES for b in DIRECTIONS if np.dot(n, b) == 0]
    )  # fmt: skip
    out = np.empty(strain.shape[:-1])
    for target, angles, e in zip(out, g.values, strain.values, strict=True):
        stress = np.einsum("...ij,...j->...i", rotated(stiffness, angles), e)
        tensor = stress[..., [0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(*stress.shape[:-1], 3, 3)
        turn = to_matrix(angles)
        crystal = turn @ tensor @ np.swapaxes(turn, -1, -2)
        target[...] = abs(np.tensordot(crystal, slip, ([-2, -1], [1, 2]))).max(axis=-1)
    return xr.DataArray(out, dims=strain.dims[:-1], coords={"sample": strain["sample"]})


def r2(found: xr.DataArray, truth: xr.DataArray) -> float:
    return 1 - float(((found - truth) ** 2).mean() / truth.var())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--held", type=int, default=40)
    args = parser.parse_args()
    dask.config.set(scheduler="synchronous")
    print(f"{'R2 up to degree':48s}" + "".join(f"{d:>8d}" for d in DEGREES))
    for name, stiffness, texture, load, copies in CASES:
        g, new = (
            voronoi(n, (11, 11, 11), 20, texture=texture, seed=seed).orientation.compute()
            for seed, n in enumerate((args.cells, args.held))
        )
        strain, truth = solved(g, stiffness, load), solved(new, stiffness, load)
        rows = {f"{name}: strain {load}": (strain, truth.sel(tensor=load))}
        if name == "copper":
            rows[f"{name}: largest resolved shear"] = (
                largest_resolved_shear(g, strain, stiffness),
                largest_resolved_shear(new, truth, stiffness),
            )
        for row, (response, wanted) in rows.items():
            found = []
            for degree in DEGREES:
                model = LocalizationModel(
                    GSHBasis("cubic", max_degree=degree),
                    ridge=1e-4,
                    symmetries=ABOUT_Z if copies else None,
                ).fit(g, response)
                answer = model.predict(new)
                found.append(r2(answer.sel(tensor=load) if "tensor" in answer.dims else answer,
                                wanted))  # fmt: skip
            print(f"{row:48s}" + "".join(f"{value:8.4f}" for value in found), flush=True)


if __name__ == "__main__":
    main()
