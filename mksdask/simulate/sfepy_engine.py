"""The same periodic cell by SfePy's finite elements and a direct solver: a check, for small cells."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from mksdask.errors import missing_extra

_ONE_AT_A_TIME = threading.Lock()  # SfePy keeps its output and options in globals


def solve_cell(
    stiffness: np.ndarray,
    gradient: np.ndarray,
    flux: np.ndarray,
    free: np.ndarray,
    voxel: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Periodic displacement (component, x, y[, z]), mean strain and mean stress.

    ``stiffness`` has axes (Voigt, Voigt, x, y[, z]) in the order xx yy zz yz xz xy (xx yy xy in the
    plane); the mean strain is imposed where ``free`` is False, the mean stress ``flux`` where it is
    True. Voxels of the edges ``voxel``, or unit ones; one bi- or trilinear element each, two
    integration points an axis, periodic displacement fluctuation with the corners held.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        # SfePy and the packages below it announce deprecations of their own making.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            if "sfepy.discrete" not in sys.modules:
                # It greets while it is imported; and 2026.1 cannot be imported by its terms first.
                with contextlib.redirect_stdout(io.StringIO()):
                    importlib.import_module("sfepy.discrete")
            from sfepy.base.base import output
        except ImportError:
            raise missing_extra("sfepy", "sfepy", 'engine="sfepy"') from None
        speak = output.output_function
        output.set_output(quiet=True)
        edges = np.ones(stiffness.ndim - 2) if voxel is None else np.asarray(voxel, float)
        try:
            mean = np.where(free, 0.0, gradient)
            if free.any():
                # The mean stress is linear in the mean strain: find it for unit strains first.
                unit = np.array([_solve(stiffness, e, edges)[1] for e in np.eye(len(mean))]).T
                missing = flux - unit @ mean
                mean[free] = np.linalg.solve(unit[np.ix_(free, free)], missing[free])
            u, mean_flux = _solve(stiffness, mean, edges)
            return u, mean, mean_flux
        finally:
            output.output_function = speak


def _solve(
    stiffness: np.ndarray, gradient: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Displacement and mean stress for a mean strain."""
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
    mesh = gen_block_mesh(grid * edges, grid + 1, grid * edges / 2, verbose=False)
    domain = FEDomain("cell", mesh)
    omega = domain.create_region("omega", "all")
    field = Field.from_args("displacement", np.float64, "vector", omega, approx_order=1)
    u = FieldVariable("u", "unknown", field)
    v = FieldVariable("v", "test", field, primary_var_name="u")

    def properties(ts: Any, coors: np.ndarray, mode: str | None = None, **_: Any) -> Any:
        if mode != "qp":
            return {}
        local = voxelwise[tuple(np.floor(coors / edges).astype(int).T)]
        prestress = np.einsum("nij,j->ni", local, gradient[order])
        return {"stiffness": local, "prestress": prestress[..., None]}

    material = Material("m", function=Function("properties", properties))
    integral = Integral("i", order=2)
    terms = [
        Term.new("dw_lin_elastic(m.stiffness, v, u)", integral, omega, m=material, v=v, u=u),
        Term.new("dw_lin_prestress(m.prestress, v)", integral, omega, m=material, v=v),
    ]
    eps = 0.1 * edges.min()
    corners = " & ".join(
        f"((({a} < {eps}) | ({a} > {n - eps})))"
        for a, n in zip("xyz"[:d], grid * edges, strict=True)
    )
    held = domain.create_region("held", f"vertices in {corners}", "vertex")
    matching, conditions = [], []
    kind = "line" if d == 2 else "plane"
    for a, n in zip("xyz"[:d], grid * edges, strict=True):
        low = domain.create_region(f"low_{a}", f"vertices in ({a} < {eps})", "facet")
        high = domain.create_region(f"high_{a}", f"vertices in ({a} > {n - eps})", "facet")
        along = a if d == 3 else {"x": "y", "y": "x"}[a]  # lines are named after what varies
        name = f"match_{along}_{kind}"
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
    strain = problem.evaluate("ev_cauchy_strain.2.omega(u)", mode="el_avg")[:, 0, :, 0]
    local = voxelwise[tuple(np.floor(domain.get_centroids(d) / edges).astype(int).T)]
    stress = np.einsum("nij,nj->ni", local, strain + gradient[order]).mean(axis=0)
    nodes = tuple(np.rint(field.get_coor() / edges).astype(int).T)
    displacement = np.empty((d, *(grid + 1)))
    for c in range(d):
        displacement[(c, *nodes)] = u().reshape(-1, d)[:, c]
    inside = (slice(None), *(slice(0, n) for n in grid))
    return displacement[inside], stress[np.argsort(order)]
