"""The same periodic cell by SfePy's finite elements and a direct solver: a check, for small cells."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from mksdask.errors import missing_extra


def solve_cell(stiffness: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voxel averages of strain and stress, both (Voigt component, x, y[, z]), engineering shear.

    ``stiffness`` has axes (Voigt, Voigt, x, y[, z]) in the order xx yy zz yz xz xy (xx yy xy in the
    plane); ``gradient`` is the mean strain. Unit voxels, one (bi- or tri)linear element each, two
    integration points an axis, periodic displacement fluctuation with the corners held.
    """
    try:
        from sfepy.base.base import output
    except ImportError:
        raise missing_extra("sfepy", "sfepy", 'engine="sfepy"') from None
    quiet = output.prefix, output.quiet if hasattr(output, "quiet") else False
    output.set_output(quiet=True)
    try:
        with warnings.catch_warnings():
            # SfePy and the SciPy solvers below it announce deprecations of their own making.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            return _solve(stiffness, gradient)
    finally:
        output.prefix = quiet[0]
        output.set_output(quiet=bool(quiet[1]))


def _solve(stiffness: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sfepy.discrete import (
        Equation,
        Equations,
        FieldVariable,
        Function,
        Functions,
        Integral,
        Material,
        Problem,
    )
    from sfepy.discrete.conditions import Conditions, EssentialBC, PeriodicBC
    from sfepy.discrete.fem import FEDomain, Field, periodic
    from sfepy.mesh.mesh_generators import gen_block_mesh
    from sfepy.solvers.ls import ScipyDirect
    from sfepy.solvers.nls import Newton
    from sfepy.terms import Term

    grid = np.array(stiffness.shape[2:])
    d = len(grid)
    # SfePy orders shear as xy xz yz
    order = [0, 1, 2] if d == 2 else [0, 1, 2, 5, 4, 3]
    voxelwise = np.moveaxis(stiffness[np.ix_(order, order)], (0, 1), (-2, -1))
    mesh = gen_block_mesh(grid, grid + 1, grid / 2, verbose=False)
    domain = FEDomain("cell", mesh)
    omega = domain.create_region("omega", "all")
    field = Field.from_args("displacement", np.float64, "vector", omega, approx_order=1)
    u = FieldVariable("u", "unknown", field)
    v = FieldVariable("v", "test", field, primary_var_name="u")

    def properties(ts: Any, coors: np.ndarray, mode: str | None = None, **_: Any) -> Any:
        if mode != "qp":
            return None
        local = voxelwise[tuple(np.floor(coors).astype(int).T)]
        prestress = np.einsum("nij,j->ni", local, gradient[order])
        return {"stiffness": local, "prestress": prestress[..., None]}

    material = Material("m", function=Function("properties", properties))
    integral = Integral("i", order=2)
    terms = [
        Term.new("dw_lin_elastic(m.stiffness, v, u)", integral, omega, m=material, v=v, u=u),
        Term.new("dw_lin_prestress(m.prestress, v)", integral, omega, m=material, v=v),
    ]
    eps = 0.1
    corners = " & ".join(
        f"((({a} < {eps}) | ({a} > {n - eps})))" for a, n in zip("xyz"[:d], grid, strict=True)
    )
    held = domain.create_region("held", f"vertices in {corners}", "vertex")
    matching, conditions = [], []
    kind = "line" if d == 2 else "plane"
    for a, n in zip("xyz"[:d], grid, strict=True):
        low = domain.create_region(f"low_{a}", f"vertices in ({a} < {eps})", "facet")
        high = domain.create_region(f"high_{a}", f"vertices in ({a} > {n - eps})", "facet")
        name = f"match_{a}_{kind}"
        matching.append(Function(name, getattr(periodic, name)))
        conditions.append(PeriodicBC(f"periodic_{a}", [low, high], {"u.all": "u.all"}, match=name))
    problem = Problem(
        "cell",
        equations=Equations([Equation("balance", terms[0] + terms[1])]),
        functions=Functions(matching),
    )
    problem.set_bcs(
        ebcs=Conditions([EssentialBC("held", held, {"u.all": 0.0})]), epbcs=Conditions(conditions)
    )
    linear = ScipyDirect({})
    problem.set_solver(Newton({"i_max": 1, "eps_a": 1e-14, "eps_r": 1e-14}, lin_solver=linear))
    problem.solve(save_results=False)
    strain = problem.evaluate("ev_cauchy_strain.2.omega(u)", mode="el_avg")
    centres = mesh.get_centroids(d) if hasattr(mesh, "get_centroids") else domain.get_centroids(d)
    where = tuple(np.floor(centres).astype(int).T)
    total = np.empty((len(order), *grid))
    for i, target in enumerate(order):
        total[(target, *where)] = strain[:, 0, i, 0] + gradient[target]
    return total, np.einsum("ij...,j...->i...", stiffness, total)
