"""Linear elasticity of periodic voxel cells: fields, mean stresses and effective stiffness."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mksdask.lazy import ArrayLike
from mksdask.simulate.arguments import Cells, Control, bare_cells, checked_dtype, labelled_cells
from mksdask.simulate.cells import ElasticPhases, elastic_table
from mksdask.simulate.loads import parse_load
from mksdask.simulate.responses import (
    checked_outputs,
    described,
    homogenized_lazily,
    solved_lazily,
)
from mksdask.simulate.stiffness import TENSOR

OUTPUTS = ("strain", "stress", "mean_strain", "mean_stress", "iterations", "residual", "converged")


def elasticity(
    phase: ArrayLike | None,
    youngs_modulus: Any = None,
    poissons_ratio: Any = None,
    *,
    stiffness: Any = None,
    orientation: ArrayLike | None = None,
    macro_strain: Any = None,
    macro_stress: Any = None,
    plane: str = "strain",
    outputs: tuple[str, ...] | list[str] = OUTPUTS,
    components: tuple[str, ...] | list[str] | None = None,
    engine: str = "fft",
    tolerance: float | None = None,
    max_iterations: int | None = None,
    on_failure: str = "raise",
    dtype: Any = np.float64,
    threads: int = 1,
) -> xr.Dataset:
    """Solve div(C : eps) = 0 in periodic cells under a mean strain or stress, lazily.

    Each voxel is one trilinear (in the plane bilinear) finite element, u = E x + periodic part.
    The equations are solved by conjugate gradients preconditioned with the exact inverse of the
    same discretization for a homogeneous medium, a product in Fourier space: the number of
    iterations does not grow with the grid, and grows slowly with the contrast.

    Parameters
    ----------
    phase
        Integer labels from 0: DataArray with the dimensions ``x``, ``y``[, ``z``] and usually
        ``sample``, or an array with samples on axis 0. None if ``stiffness`` is given by voxel.
        Voxels are boxes of the edges ``attrs["voxel_size"]``, cubes without it.
    youngs_modulus, poissons_ratio
        One number a phase, for isotropic phases. As many as the data declares in its attrs (phase
        names, or how it was generated); where it does not, a phase may be found in no sample.
    stiffness
        In their place a 6 x 6 Voigt matrix a phase (xx yy zz yz xz xy; or 3 x 3, xx yy xy, in the
        plane), see ``isotropic``, ``cubic``, ``hexagonal``; or an array or DataArray of the shape
        of the cells plus (``tensor``, ``tensor_2``) with a matrix a voxel.
    orientation
        Bunge Euler angles in radians of every voxel, on a last axis ``euler``, turning the phase's
        crystal axes.
    macro_strain, macro_stress
        Mean strain and stress: a number for xx, a mapping such as ``{"xx": 0.01, "xy": 0.002}``, a
        list in Voigt order, or a matrix. With both given, mixed loads, each component on one side.
        Unnamed components are zero stress if only a stress is given, else zero strain. Shear
        strains by name or in a list are engineering ones, gamma = 2 epsilon; a matrix is a tensor.
    plane
        ``"strain"`` or ``"stress"``, for cells in the plane.
    outputs
        Any of ``OUTPUTS``. What is not asked for is not computed.
    components
        Of strain and stress, fields and means; all by default. In the plane, isotropic or
        unrotated phases also know ``"zz"``.
    engine
        ``"fft"``, or ``"sfepy"`` for the same problem by SfePy and a direct solver.
    tolerance
        On the residual relative to that of a uniform strain, in the energy norm of the homogeneous
        medium; 1e-6 by default, 1e-4 in float32.
    max_iterations
        Do exactly so many iterations and return what they give without complaint.
    on_failure
        ``"raise"`` a :class:`~mksdask.errors.DataError` if a cell does not converge, or
        ``"flag"``: its ``converged`` is False and its other results are NaN.
    dtype
        float64 or float32, of the fields and the solution. Sums are float64.
    threads
        For one cell. Leave it at 1 where Dask runs several chunks side by side.

    Returns
    -------
    Dataset with dims (sample, x, y[, z], tensor) for ``strain`` and ``stress``, voxel averages;
    (sample, tensor) for ``mean_strain`` and ``mean_stress``; (sample,) for ``iterations``,
    ``residual`` (NaN for ``engine="sfepy"``, which does not tell) and ``converged``. Shear strains
    are engineering ones, gamma_xy = 2 eps_xy.

    Examples
    --------
    A laminate stretched along its layers' normal: series springs.

    >>> phase = np.repeat([0, 1], 2)[None, :, None, None] * np.ones((1, 4, 3, 3), int)
    >>> cell = elasticity(phase, youngs_modulus=(1, 3), poissons_ratio=(0, 0), macro_strain=0.01)
    >>> cell.mean_stress.sel(tensor="xx").values.round(6)
    array([0.015])
    """
    cells, phases = read_cells(
        phase, youngs_modulus, poissons_ratio, stiffness, orientation, plane, dtype
    )
    control = Control.checked(engine, tolerance, max_iterations, on_failure, phases.dtype, threads)
    load = parse_load(macro_strain, macro_stress, TENSOR[phases.dimensions])
    chosen = _checked_components(components, phases)
    outputs = checked_outputs(outputs, OUTPUTS)
    origin = described(
        "elasticity",
        cells,
        control,
        youngs_modulus=youngs_modulus,
        poissons_ratio=poissons_ratio,
        stiffness=stiffness,
        orientation=orientation,
        macro_strain=macro_strain,
        macro_stress=macro_stress,
        plane=plane if phases.dimensions == 2 else None,
        outputs=outputs,
        components=components,
        dtype=phases.dtype,
    )
    shear = {"shear": "engineering"}
    return solved_lazily(
        cells,
        phases,
        control,
        load,
        outputs,
        ("strain", "stress"),
        ("tensor", chosen),
        {"strain": shear, "mean_strain": shear},
        origin,
    )


def effective_stiffness(
    phase: ArrayLike | None,
    youngs_modulus: Any = None,
    poissons_ratio: Any = None,
    *,
    stiffness: Any = None,
    orientation: ArrayLike | None = None,
    plane: str = "strain",
    engine: str = "fft",
    tolerance: float | None = None,
    max_iterations: int | None = None,
    on_failure: str = "raise",
    dtype: Any = np.float64,
    threads: int = 1,
) -> ArrayLike:
    """Stiffness of the homogeneous material that answers a mean strain as the cell does, lazily.

    Column n is the mean stress under the unit strain n (three load cases in the plane, six in
    space, solved together); the matrix is made symmetric, which it is up to the tolerance.
    Parameters are those of :func:`elasticity`. ``max_iterations=n`` gives the estimate of n
    iterations.

    Returns
    -------
    The kind of array that came in, dims (sample, tensor, tensor_2), Voigt with engineering shear;
    NaN for cells that did not converge where ``on_failure="flag"``.

    Examples
    --------
    >>> phase = np.zeros((1, 4, 4), int)
    >>> effective_stiffness(phase, 1.0, 0.25, plane="stress")[0].round(6)
    array([[1.066667, 0.266667, 0.      ],
           [0.266667, 1.066667, 0.      ],
           [0.      , 0.      , 0.4     ]])
    """
    cells, phases = read_cells(
        phase, youngs_modulus, poissons_ratio, stiffness, orientation, plane, dtype
    )
    control = Control.checked(engine, tolerance, max_iterations, on_failure, phases.dtype, threads)
    origin = described(
        "effective_stiffness",
        cells,
        control,
        youngs_modulus=youngs_modulus,
        poissons_ratio=poissons_ratio,
        stiffness=stiffness,
        orientation=orientation,
        plane=plane if phases.dimensions == 2 else None,
        dtype=phases.dtype,
    )
    axes = ("tensor", TENSOR[phases.dimensions])
    return homogenized_lazily(cells, phases, control, "effective_stiffness", axes, origin)


def read_cells(
    phase: ArrayLike | None,
    youngs_modulus: Any,
    poissons_ratio: Any,
    stiffness: Any,
    orientation: ArrayLike | None,
    plane: str,
    dtype: Any,
) -> tuple[Cells, ElasticPhases]:
    """The arrays over the cells and what they are made of, all checked."""
    if plane not in ("strain", "stress"):
        raise ValueError(f"plane is {plane!r}; wanted 'strain' or 'stress'")
    if phase is None:
        if stiffness is None:
            raise ValueError("phase is None and stiffness is not given by voxel; wanted one")
        if youngs_modulus is not None or poissons_ratio is not None or orientation is not None:
            raise ValueError("stiffness by voxel leaves nothing to moduli and orientation")
        cells = bare_cells(stiffness, "stiffness", 2)
        n = 3 if len(cells.space) == 2 and stiffness.shape[-1] == 3 else 6
        cells.add(stiffness, "stiffness", ("tensor", "tensor_2"), n)
        table, isotropic = np.empty((0, n, n)), False
    else:
        cells = labelled_cells(phase)
        if getattr(stiffness, "ndim", 0) > 3:
            raise ValueError(
                f"stiffness has {stiffness.ndim} axes; wanted (6, 6) or one such matrix a "
                "phase; for a matrix a voxel pass phase=None"
            )
        table, isotropic = elastic_table(
            youngs_modulus, poissons_ratio, stiffness, len(cells.space)
        )
    if orientation is not None:
        cells.add(orientation, "orientation", ("euler",), 3)
        if table.shape[-1] == 3:
            raise ValueError("orientation wants 6 x 6 stiffness, and it is 3 x 3")
    oriented = orientation is not None and not isotropic
    if orientation is not None and isotropic:
        cells.arrays.pop()  # isotropic phases look the same however they are turned
        cells.dims.pop()
    if plane == "stress" and len(cells.space) == 3:
        raise ValueError("plane is 'stress' and the cells are 3D; wanted cells with x and y only")
    phases = ElasticPhases(
        table, isotropic, len(cells.space), plane, oriented, checked_dtype(dtype), cells.voxel
    )
    if len(table):
        cells.check_phases(len(table), "moduli are" if stiffness is None else "stiffness is")
    if len(table) and not oriented:
        phases.reduced(table)  # refuses materials that have no plane problem
    return cells, phases


def _checked_components(components: Any, phases: ElasticPhases) -> tuple[str, ...]:
    labels = TENSOR[phases.dimensions]
    if components is None:
        return labels
    chosen = (components,) if isinstance(components, str) else tuple(components)
    across = phases.dimensions == 2 and not phases.oriented and phases.table.shape[-1] == 6
    known = (*labels, "zz") if across and not phases.by_voxel else labels
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(known):
        raise ValueError(f"components is {components!r}; wanted some of {known}, each once")
    return chosen
