"""Matrix and particles: capsules placed until they take their share of the volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from mksdask.errors import DataError
from mksdask.generate.arguments import AXES, checked_samples
from mksdask.generate.capsules import capsule_volumes, paint
from mksdask.generate.packing import separated
from mksdask.generate.provenance import described
from mksdask.generate.seeded import lazy_samples

# Densest hard-core packings accepted. Pushing apart succeeds up to there for equal spheres;
# random close packing is at 0.64 in space and 0.84 in the plane.
DENSEST = {1: 0.9, 2: 0.75, 3: 0.55}
# Hard-core particles are packed with this much more volume, then shrunk to the exact share; the
# larger ones are for few or small particles, of which the voxels may see less than their volume.
SURPLUS = (0.03, 0.1, 0.2)
# Sizes are lognormal, cut at this many standard deviations of the logarithm.
CUT = 3.0

# (rng, n) -> half axes (n, ndim) of particles of size 1
Axes = Callable[..., np.ndarray]


def lazy_particles(
    generator: str,
    n_samples: int,
    shape: tuple[int, ...],
    fraction: npt.ArrayLike,
    *,
    radius: float,
    core: float,
    size_variation: float,
    hard_core: bool,
    tolerance: float,
    axes: Axes,
    axes_options: dict[str, Any],
    extrude: int | None,
    seed: int,
    first_sample: int,
    chunks: int | None,
    told: dict[str, Any] | None = None,
) -> xr.DataArray:
    """Ensemble of capsules of a radius and a core length in a periodic matrix, lazily.

    ``axes`` gives the half axes of particles, times ``core`` / 2; ``extrude`` names the axis along
    which a cross-section is repeated.
    """
    n_samples, chunks = checked_samples(n_samples, first_sample, chunks, shape, seed)
    section = tuple(n for axis, n in enumerate(shape) if axis != extrude)
    fractions = _checked_fraction(fraction, n_samples)
    for name, value, least in (("radius", radius, 0.5), ("tolerance", tolerance, 0.0)):
        if not (np.isfinite(value) and value >= least):
            raise ValueError(f"{name} is {value}; wanted a number of at least {least:g}")
    if not (np.isfinite(size_variation) and 0 <= size_variation <= 1):
        raise ValueError(f"size_variation is {size_variation}; wanted a number from 0 to 1")
    spread = float(np.sqrt(np.log1p(size_variation**2)))
    largest = float(np.exp(CUT * spread - spread**2 / 2)) if spread else 1.0
    if largest * (2 * radius + core) >= min(section):
        raise ValueError(
            f"the largest particles are {largest * (2 * radius + core):g} voxels long, with the "
            f"shortest axis at {min(section)}: choose smaller ones or a larger shape"
        )
    half = np.zeros((1, len(section)))
    half[0, 0] = core / 2
    volume = capsule_volumes(half, np.array([radius]))[0]
    if fractions.min() * np.prod(section) < volume:
        raise ValueError(
            f"fraction is {fractions.min():g}, less than one particle of {volume:g} voxels in "
            f"{np.prod(section)}: choose smaller particles, a larger shape or a larger fraction"
        )
    densest = DENSEST[len(section)]
    if hard_core and fractions.max() > densest:
        raise ValueError(
            f"fraction is {fractions.max():g}; particles that do not overlap are packed up to "
            f"{densest:g} here: choose less, or hard_core=False"
        )
    varied = np.ndim(fraction) == 1
    return lazy_samples(
        _make,
        shape,
        n_samples,
        seed=seed,
        first_sample=first_sample,
        chunks=chunks,
        parameters=fractions[:, None],
        coords={"fraction": fractions} if varied else {},
        attrs=described(
            generator,
            AXES[: len(shape)],
            seed,
            **({} if varied else {"fraction": float(fractions[0])}),
            n_phases=2,
            radius=float(radius),
            size_variation=float(size_variation),
            hard_core=bool(hard_core),
            tolerance=float(tolerance),
            **(told or {}),
        ),
        options={
            "radius": float(radius),
            "core": float(core),
            "spread": spread,
            "hard_core": bool(hard_core),
            "tolerance": float(tolerance),
            "axes": axes,
            "axes_options": axes_options,
            "extrude": extrude,
        },
    )


def _make(
    rng: np.random.Generator,
    parameters: np.ndarray,
    *,
    shape: tuple[int, ...],
    radius: float,
    core: float,
    spread: float,
    hard_core: bool,
    tolerance: float,
    axes: Axes,
    axes_options: dict[str, Any],
    extrude: int | None,
) -> np.ndarray:
    fraction = float(parameters[0])
    section = tuple(n for axis, n in enumerate(shape) if axis != extrude)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        normal = np.clip(rng.standard_normal(n), -CUT, CUT)
        sizes = np.exp(spread * normal - spread**2 / 2)
        directions = axes(rng, n, **axes_options)
        return sizes[:, None] * (core / 2) * directions, sizes * radius

    field = np.full(section, np.inf)
    wanted = round(fraction * field.size)
    covered = _packed(rng, field, wanted, draw) if hard_core else _dropped(rng, field, wanted, draw)
    if not covered or wanted - covered > tolerance * field.size:
        raise DataError(
            f"the particles take {covered / field.size:.4f} of the volume instead of "
            f"{fraction:.4f}: choose larger particles or a larger tolerance"
        )
    # Shrinking every radius by one factor passes voxel after voxel: stop at the share wanted.
    rank = min(wanted, covered) - 1
    cut = np.partition(field, rank, axis=None)[rank]
    phase = (field < cut).astype(np.uint8)
    # Voxels along an aligned fiber are equally far from its core: take as many as are wanted.
    ties = np.flatnonzero(field == cut)
    phase.flat[ties[: rank + 1 - int(phase.sum(dtype=np.int64))]] = 1
    if extrude is not None:
        phase = np.broadcast_to(np.expand_dims(phase, extrude), shape)
    return phase


def _dropped(
    rng: np.random.Generator,
    field: np.ndarray,
    wanted: int,
    draw: Callable[[int], tuple[np.ndarray, np.ndarray]],
) -> int:
    """Drop particles anywhere until they cover the voxels wanted."""
    covered = 0
    while covered < wanted:
        half_axes, radii = draw(64)
        centers = rng.random(half_axes.shape) * field.shape
        for center, half_axis, radius in zip(centers, half_axes, radii.tolist(), strict=True):
            covered += paint(field, center, half_axis, radius)
            if covered >= wanted:
                break
    return covered


def _packed(
    rng: np.random.Generator,
    field: np.ndarray,
    wanted: int,
    draw: Callable[[int], tuple[np.ndarray, np.ndarray]],
) -> int:
    """Pack particles of slightly more than the volume wanted without overlap."""
    covered = 0
    for surplus in SURPLUS:
        half_axes, radii = _of_volume(wanted * (1 + surplus), draw, field.shape)
        centers = separated(rng, half_axes, radii, field.shape)
        if centers is None and covered:
            break  # the packing before was denser than what can be had now
        if centers is None:
            raise DataError(
                f"{len(radii)} particles taking {wanted / field.size:.3f} of the volume could not "
                "be moved apart: choose a smaller fraction, shorter particles or hard_core=False"
            )
        field[...] = np.inf
        covered = sum(
            paint(field, *capsule)
            for capsule in zip(centers, half_axes, radii.tolist(), strict=True)
        )
        if covered >= wanted:
            break
    return covered


def _of_volume(
    volume: float,
    draw: Callable[[int], tuple[np.ndarray, np.ndarray]],
    box: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    """As many particles as come closest to a total volume, all scaled to meet it.

    Where scaling up would make one longer than the box, so that it meets its own image, there is
    one particle more and all become smaller.
    """
    half_axes, radii = draw(16)
    while (total := np.cumsum(capsule_volumes(half_axes, radii)))[-2] < volume:
        more = draw(len(radii))
        half_axes, radii = np.vstack([half_axes, more[0]]), np.concatenate([radii, more[1]])
    closest = int(np.abs(total[:-1] - volume).argmin()) + 1
    for n in (closest, closest + 1):
        scale = (volume / total[n - 1]) ** (1 / half_axes.shape[1])
        halves, sizes = scale * half_axes[:n], scale * radii[:n]
        if (2 * (np.abs(halves) + sizes[:, None]) < np.asarray(box)).all():
            return halves, sizes
    raise DataError(
        f"particles that take {volume / np.prod(box):.3f} of the volume would be as long as an axis: "
        "choose smaller particles or a larger shape"
    )


def _checked_fraction(fraction: npt.ArrayLike, n_samples: int) -> np.ndarray:
    given = np.asarray(fraction, dtype=float)
    if given.shape not in ((), (n_samples,)):
        raise ValueError(
            f"fraction has shape {given.shape}; wanted one number, or {n_samples}, one a sample"
        )
    if not ((given > 0) & (given < 1)).all():
        raise ValueError(f"fraction is {given.tolist()}; wanted numbers between 0 and 1")
    return np.broadcast_to(given, (n_samples,))


def checked_direction(direction: str | Sequence[float], ndim: int) -> list[float] | None:
    """Unit vector of an axis name or of a vector; None for "random".

    >>> checked_direction("y", 3), checked_direction("random", 2)
    ([0.0, 1.0, 0.0], None)
    """
    if isinstance(direction, str):
        if direction == "random":
            return None
        if direction not in AXES[:ndim]:
            raise ValueError(
                f"direction is {direction!r}; wanted 'random', one of {list(AXES[:ndim])} or a "
                "vector"
            )
        return [float(direction == a) for a in AXES[:ndim]]
    vector = np.asarray(direction, dtype=float)
    length = np.linalg.norm(vector)
    if vector.shape != (ndim,) or not np.isfinite(length) or length == 0:
        raise ValueError(f"direction is {direction}; wanted a vector of {ndim} numbers, not all 0")
    return (vector / length).tolist()
