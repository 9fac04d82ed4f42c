"""Spherical particles in a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from mksdask.generate.arguments import checked_shape
from mksdask.generate.particles import lazy_particles


def spheres(
    n_samples: int,
    shape: Sequence[int],
    radius: float,
    fraction: npt.ArrayLike,
    *,
    size_variation: float = 0.0,
    hard_core: bool = True,
    tolerance: float = 0.005,
    seed: int = 0,
    first_sample: int = 0,
    chunks: int | None = None,
) -> xr.DataArray:
    """Spheres (discs in the plane) of phase 1 in a periodic matrix of phase 0, lazily.

    Overlapping spheres are dropped anywhere until they cover the fraction; hard-core ones of a
    little more than the volume wanted are pushed apart until none overlap. Then all radii are
    shrunk by one factor, to the voxel at which the fraction is exact: by about 1 % where there
    are many spheres, by more where one sphere is a large part of the fraction.

    Parameters
    ----------
    n_samples, shape
        Number of samples and voxels along x[, y[, z]].
    radius
        Mean radius in voxels, at least 0.5; particles are smooth from about 3.
    fraction
        Volume fraction of the spheres: one number, or one a sample. Met within half a voxel.
        Without overlap at most 0.55 (0.75 in the plane).
    size_variation
        Coefficient of variation of the radius, lognormal, cut at 3 standard deviations.
    hard_core
        Whether spheres must not overlap.
    tolerance
        Shortfall of the volume fraction that is accepted where voxels are too coarse for
        hard-core spheres to reach it; more is a ``DataError`` when computed.
    seed, first_sample, chunks
        As for :func:`multiphase`.

    Examples
    --------
    >>> phase = spheres(2, (30, 30, 30), radius=4, fraction=0.3)
    >>> phase.mean(("x", "y", "z")).values
    array([0.3, 0.3])
    """
    return lazy_particles(
        "spheres",
        n_samples,
        checked_shape(shape),
        fraction,
        radius=radius,
        core=0.0,
        size_variation=size_variation,
        hard_core=hard_core,
        tolerance=tolerance,
        axes=_no_axes,
        axes_options={"ndim": len(checked_shape(shape))},
        extrude=None,
        seed=seed,
        first_sample=first_sample,
        chunks=chunks,
    )


def _no_axes(rng: np.random.Generator, n: int, *, ndim: int) -> np.ndarray:
    return np.zeros((n, ndim))
