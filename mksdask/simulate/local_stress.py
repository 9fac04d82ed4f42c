"""Stress from a field of strain that is known already, simulated or predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mksdask.lazy import ArrayLike, lift
from mksdask.simulate import fields
from mksdask.simulate.cells import ElasticPhases
from mksdask.simulate.elasticity import read_cells
from mksdask.simulate.stiffness import TENSOR


def stress(
    strain: ArrayLike,
    phase: ArrayLike | None,
    youngs_modulus: Any = None,
    poissons_ratio: Any = None,
    *,
    stiffness: Any = None,
    orientation: ArrayLike | None = None,
    plane: str = "strain",
) -> ArrayLike:
    """Local stress C : eps of each voxel, lazily.

    Its mean over a cell is the mean stress; divided by an imposed mean strain, a column of the
    effective stiffness.

    Parameters
    ----------
    strain
        Dims (sample, x, y[, z], tensor), all components in Voigt order with engineering shear: as
        :func:`elasticity` gives it and a localization predicts it.
    phase, youngs_modulus, poissons_ratio, stiffness, orientation, plane
        As for :func:`elasticity`.

    Returns
    -------
    The kind of array that came in, of the shape of ``strain``.

    Examples
    --------
    >>> phase = np.array([[[0, 1], [0, 1]]])
    >>> strain = np.zeros((1, 2, 2, 3))
    >>> strain[..., 0] = 0.01
    >>> stress(strain, phase, (1.0, 2.0), (0.0, 0.0))[0, 0, :, 0]
    array([0.01, 0.02])
    """
    dtype = np.float32 if np.dtype(strain.dtype) == np.float32 else np.float64
    cells, phases = read_cells(
        phase, youngs_modulus, poissons_ratio, stiffness, orientation, plane, dtype
    )
    labels = TENSOR[phases.dimensions]
    field = (*cells.space, "tensor")
    if np.dtype(strain.dtype).kind != "f":
        raise TypeError(f"strain holds {strain.dtype}; wanted floating-point numbers")
    if isinstance(strain, xr.DataArray):
        found = (
            tuple(map(str, strain.coords["tensor"].values)) if "tensor" in strain.coords else labels
        )
        if "tensor" not in strain.dims or found != labels:
            raise ValueError(f"strain has the components {found}; wanted {labels} on 'tensor'")
    elif strain.shape[-1] != len(labels):
        raise ValueError(
            f"strain has {strain.shape[-1]} components; wanted {len(labels)}: {labels}"
        )
    if cells.single:
        strain = strain.expand_dims("sample")
    result = lift(
        _stress,
        strain,
        *cells.arrays,
        dims=[("sample", *field), *cells.dims],
        out_dims=("sample", *field),
        whole=field,
        dtype=phases.dtype,
        name="stress",
        kwargs={"phases": phases},
    )
    return result.squeeze("sample") if cells.single else result


def _stress(strain: np.ndarray, *blocks: np.ndarray, phases: ElasticPhases) -> np.ndarray:
    out = np.empty(strain.shape, phases.dtype)
    for i in range(len(strain)):
        constants = phases.constants([b[i] for b in blocks])
        out[i] = fields.stress(constants[None], strain[i][None])[0]
    return out
