"""Steady conduction of heat, charge or matter in periodic voxel cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mksdask.errors import DataError
from mksdask.lazy import ArrayLike
from mksdask.simulate import fields
from mksdask.simulate.arguments import SPACE, Cells, Control, checked_dtype, labelled_cells
from mksdask.simulate.loads import Load, parse_load
from mksdask.simulate.responses import (
    checked_outputs,
    described,
    homogenized_lazily,
    solved_lazily,
)

OUTPUTS = ("gradient", "flux", "mean_gradient", "mean_flux", "iterations", "residual", "converged")


@dataclass(frozen=True)
class ConductingPhases:
    """Conductivity of each phase. Cells in the plane are solved as cells one voxel thick."""

    table: np.ndarray
    dimensions: int
    dtype: np.dtype[Any]
    voxel: tuple[float, ...]  # edges of a voxel
    law: str = "scalar"
    by_voxel: bool = False
    unknowns: int = 1

    @property
    def scale(self) -> np.ndarray:
        """Gradient, along each of three axes, in that of unit voxels."""
        return 1 / np.array([1.0] * (3 - self.dimensions) + list(self.voxel))

    def nodal(self, u: np.ndarray) -> np.ndarray:
        """Nodal values do not depend on the edges."""
        return u

    @property
    def unit_loads(self) -> np.ndarray:
        """Unit gradients, in the kernel's three components."""
        return np.eye(3)[3 - self.dimensions :]

    def constants(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Conductivity (1, x, y, z) of one sample."""
        labels = blocks[0]
        low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
        if low < 0 or high >= len(self.table):
            raise DataError(
                f"phase holds the label {low if low < 0 else high}, and conductivity is given for "
                f"{len(self.table)} phases; wanted labels from 0 to {len(self.table) - 1}"
            )
        thin = (1,) * (3 - self.dimensions)
        return self.table.astype(self.dtype)[labels].reshape(1, *thin, *labels.shape)

    def reference(self, constants: np.ndarray) -> np.ndarray:
        """Conductivity tensor of the homogeneous medium of the preconditioner."""
        return np.diag(self.table.mean() * self.scale**2)

    def values(
        self,
        constants: np.ndarray,
        labels: np.ndarray,
        solution: Any,
        components: Sequence[str],
        local: bool,
    ) -> dict[str, np.ndarray]:
        """Means and, if ``local``, fields of gradient and flux, components on the last axis."""
        axes = [SPACE.index(c) + 3 - self.dimensions for c in components]
        found = {
            "mean_gradient": solution.gradient[:, axes],
            "mean_flux": -solution.flux[:, axes],
        }
        if local:
            u = solution.u[:, 0]
            scale = self.scale.astype(u.dtype)
            slopes = [
                scale[axis] * fields.mean_gradient(u, axis).reshape(labels.shape) for axis in axes
            ]
            mean = found["mean_gradient"].astype(self.dtype)
            found["gradient"] = np.stack(slopes, axis=-1) + mean.reshape(
                len(u), *[1] * self.dimensions, len(axes)
            )
            found["flux"] = -constants.reshape(*labels.shape, 1) * found["gradient"]
        return found


def conduction(
    phase: ArrayLike,
    conductivity: Any,
    *,
    macro_gradient: Any = None,
    macro_flux: Any = None,
    outputs: tuple[str, ...] | list[str] = OUTPUTS,
    components: tuple[str, ...] | list[str] | None = None,
    tolerance: float | None = None,
    max_iterations: int | None = None,
    on_failure: str = "raise",
    dtype: Any = np.float64,
    threads: int = 1,
) -> xr.Dataset:
    """Solve div(k grad T) = 0 in periodic cells under a mean gradient or flux, lazily.

    The scalar twin of :func:`~mksdask.simulate.elasticity`, with the same elements, solver and
    parameters: heat flow, electric conduction (T the potential), diffusion (the concentration),
    permittivity. The flux is -k grad T.

    Parameters
    ----------
    phase
        Integer labels from 0, as for ``elasticity``.
    conductivity
        One positive number a phase.
    macro_gradient, macro_flux
        A number along x, a mapping such as ``{"x": 1.0, "y": 0.5}``, or one number an axis; mixed
        loads as for ``elasticity``.

    Returns
    -------
    Dataset with dims (sample, x, y[, z], direction) for ``gradient`` and ``flux``, voxel averages;
    (sample, direction) for ``mean_gradient`` and ``mean_flux``; (sample,) for ``iterations``,
    ``residual`` and ``converged``.

    Examples
    --------
    >>> layers = np.repeat([0, 1], 2)[None, :, None] * np.ones((1, 4, 3), int)
    >>> cell = conduction(layers, (1.0, 3.0), macro_gradient=-1.0)
    >>> cell.mean_flux.sel(direction="x").values.round(6)  # in series: 2 / (1/1 + 1/3)
    array([1.5])
    """
    cells, phases = _cells(phase, conductivity, dtype)
    control = Control.checked("fft", tolerance, max_iterations, on_failure, phases.dtype, threads)
    names = ("macro_gradient", "macro_flux")
    load = parse_load(macro_gradient, macro_flux, cells.space, names)
    chosen = cells.space if components is None else tuple(components)
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(cells.space):
        raise ValueError(f"components is {components!r}; wanted some of {cells.space}, each once")
    outputs = checked_outputs(outputs, OUTPUTS)
    thin = (3 - phases.dimensions, 0)
    origin = described(
        "conduction",
        cells,
        control,
        conductivity=conductivity,
        macro_gradient=macro_gradient,
        macro_flux=macro_flux,
        outputs=outputs,
        components=components,
        dtype=phases.dtype,
    )
    return solved_lazily(
        cells,
        phases,
        control,
        Load(np.pad(load.gradient, thin), np.pad(-load.flux, thin), np.pad(load.free, thin)),
        outputs,
        ("gradient", "flux"),
        ("direction", chosen),
        {},
        origin,
    )


def effective_conductivity(
    phase: ArrayLike,
    conductivity: Any,
    *,
    tolerance: float | None = None,
    max_iterations: int | None = None,
    on_failure: str = "raise",
    dtype: Any = np.float64,
    threads: int = 1,
) -> ArrayLike:
    """Conductivity tensor of the homogeneous material that conducts as the cell does, lazily.

    Parameters are those of :func:`conduction`. The kind of array that came in is returned, with
    dims (sample, direction, direction_2).

    Examples
    --------
    >>> layers = np.repeat([0, 1], 2)[None, :, None] * np.ones((1, 4, 3), int)
    >>> effective_conductivity(layers, (1.0, 3.0))[0].round(6)
    array([[1.5, 0. ],
           [0. , 2. ]])
    """
    cells, phases = _cells(phase, conductivity, dtype)
    control = Control.checked("fft", tolerance, max_iterations, on_failure, phases.dtype, threads)
    origin = described(
        "effective_conductivity", cells, control, conductivity=conductivity, dtype=phases.dtype
    )
    axes = ("direction", cells.space)
    return homogenized_lazily(cells, phases, control, "effective_conductivity", axes, origin)


def _cells(phase: ArrayLike, conductivity: Any, dtype: Any) -> tuple[Cells, ConductingPhases]:
    cells = labelled_cells(phase)
    table = np.atleast_1d(np.asarray(conductivity))
    if table.dtype.kind not in "iuf" or table.ndim != 1 or not len(table):
        raise TypeError(f"conductivity is {conductivity!r}; wanted one number a phase")
    if not (np.isfinite(table) & (table > 0)).all():
        raise ValueError(
            f"conductivity is {conductivity!r}; wanted positive, finite numbers: for an insulator "
            "take a small one, say 1e-4 of the others"
        )
    cells.check_phases(len(table), "conductivity is")
    dtype = checked_dtype(dtype)
    return cells, ConductingPhases(table.astype(float), len(cells.space), dtype, cells.voxel)
