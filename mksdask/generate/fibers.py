"""Short and continuous fibers in a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from mksdask.generate.arguments import AXES, checked_shape
from mksdask.generate.particles import checked_direction, lazy_particles


def fibers(
    n_samples: int,
    shape: Sequence[int],
    radius: float,
    length: float | Literal["through"],
    fraction: npt.ArrayLike,
    *,
    direction: str | Sequence[float] = "random",
    misalignment: float = 0.0,
    size_variation: float = 0.0,
    hard_core: bool = True,
    tolerance: float = 0.005,
    seed: int = 0,
    first_sample: int = 0,
    chunks: int | None = None,
) -> xr.DataArray:
    """Fibers with round ends, of phase 1, in a periodic matrix of phase 0, lazily.

    Placed as :func:`spheres` are; pushing apart does not turn a fiber, so directions keep their
    distribution.

    Parameters
    ----------
    n_samples, shape
        Number of samples and voxels along x, y[, z].
    radius, length
        In voxels; ``length`` from tip to tip, at least 2 ``radius`` and shorter than the shortest
        axis, or "through" for fibers which cross the whole cell along the axis ``direction``.
    fraction
        Volume fraction of the fibers: one number, or one a sample. Met within half a voxel.
    direction
        "random" for all directions alike, an axis name, or a vector.
    misalignment
        Standard deviation, in radians along each perpendicular, of the directions about
        ``direction``.
    size_variation
        Coefficient of variation of the size, lognormal, cut at 3 standard deviations; radius and
        length vary together.
    hard_core, tolerance
        As for :func:`spheres`.
    seed, first_sample, chunks
        As for :func:`multiphase`.

    Examples
    --------
    >>> phase = fibers(2, (30, 30, 30), radius=2, length=16, fraction=0.1)
    >>> phase.mean(("x", "y", "z")).values
    array([0.1, 0.1])
    >>> through = fibers(1, (8, 40, 40), radius=5, length="through", fraction=0.5, direction="x")
    >>> bool((through == through.isel(x=0)).all())
    True
    """
    shape = checked_shape(shape)
    ndim = len(shape)
    if ndim < 2:
        raise ValueError(f"shape is {shape}; wanted two or three axes for fibers")
    towards = checked_direction(direction, ndim)
    if not (np.isfinite(misalignment) and 0 <= misalignment <= 1):
        raise ValueError(f"misalignment is {misalignment}; wanted radians from 0 to 1")
    if misalignment and towards is None:
        raise ValueError("misalignment is about a direction: give one instead of 'random'")
    extrude = None
    core = 0.0
    if length == "through":
        if not isinstance(direction, str) or towards is None or misalignment:
            raise ValueError(
                "length='through' makes fibers along an axis: give direction as an axis name, and "
                "no misalignment"
            )
        extrude = AXES.index(direction)
    elif isinstance(length, str) or not (np.isfinite(length) and length >= 2 * radius):
        raise ValueError(
            f"length is {length!r}; wanted 'through' or at least 2 radius = {2 * radius:g}"
        )
    else:
        core = length - 2 * radius
    return lazy_particles(
        "fibers",
        n_samples,
        shape,
        fraction,
        radius=radius,
        core=core,
        size_variation=size_variation,
        hard_core=hard_core,
        tolerance=tolerance,
        axes=_directions,
        axes_options={
            "towards": None if extrude is not None else towards,
            "misalignment": float(misalignment),
            "ndim": ndim - (extrude is not None),
        },
        extrude=extrude,
        seed=seed,
        first_sample=first_sample,
        chunks=chunks,
        told={
            "length": length if length == "through" else float(length),
            "direction": "random" if towards is None else towards,
            "misalignment": float(misalignment),
        },
    )


def _directions(
    rng: np.random.Generator,
    n: int,
    *,
    towards: list[float] | None,
    misalignment: float,
    ndim: int,
) -> np.ndarray:
    """Unit vectors, random or spread about one."""
    vectors = rng.standard_normal((n, ndim))
    if towards is not None:
        mean = np.array(towards)
        vectors -= (vectors @ mean)[:, None] * mean
        vectors = mean + np.tan(misalignment) * vectors
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
