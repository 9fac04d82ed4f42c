"""Polycrystals: Voronoi and Laguerre grains with phases and random orientations."""

from __future__ import annotations

from collections.abc import Sequence
from math import gamma, pi
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from mksdask.generate.arguments import (
    AXES,
    CHUNK_BYTES,
    checked_fractions,
    checked_samples,
    checked_shape,
)
from mksdask.generate.provenance import described
from mksdask.generate.seeded import Streams, lazy_samples, sample_rows
from mksdask.generate.tessellation import tessellate
from mksdask.generate.textures import Texture, checked_texture
from mksdask.lazy import lift

# What the independent random streams of a sample are for; 0 places the grains.
_ORIENTATIONS, _PHASES = 2, 3


def voronoi(
    n_samples: int,
    shape: Sequence[int],
    n_grains: int | npt.ArrayLike,
    *,
    size_variation: float = 0.0,
    fractions: npt.ArrayLike = (1.0,),
    periodic: bool | Sequence[str] = True,
    texture: Texture | None = None,
    seed: int = 0,
    first_sample: int = 0,
    chunks: int | None = None,
) -> xr.Dataset:
    """Random polycrystals, lazily.

    Seeds fall uniformly and independently; each voxel belongs to the nearest one. With
    ``size_variation`` s > 0 each seed has a lognormal radius r of coefficient of variation s, and
    nearest is meant by |x - c|^2 - r^2 (Laguerre or power tessellation), which widens the
    distribution of grain sizes; some grains may then be empty.

    Parameters
    ----------
    n_samples, shape
        Number of samples and voxels along x[, y[, z]].
    n_grains
        Seeds in a cell: one number, or one a sample.
    size_variation
        0 for Voronoi; 0.2 to 0.5 is usual for Laguerre.
    fractions
        Volume fractions of the phases, summing to 1: one a phase or one row a sample. Whole
        grains, in random order, are given to phase 0 until its share is reached, and so on, so
        each cumulated fraction is met within half the largest grain.
    periodic
        True, False, or the names of the periodic axes.
    texture
        Distribution of the grains' orientations: ``Uniform()`` (the default),
        ``Unimodal(center, spread)`` or ``Fibre(crystal, sample_axis, spread)``.
    seed, first_sample
        Sample i depends on the seed, i and its parameters only.
    chunks
        Samples a chunk; by default as many as take 64 MiB as three float64 angles a voxel.

    Returns
    -------
    Dataset of ``grain`` (int32, from 0), ``phase`` (uint8), ``orientation`` (Bunge Euler angles in
    radians of each voxel, on a last dim ``euler``), and ``grain_orientation`` (sample, grain_id,
    euler), the same once a grain; NaN beyond the grains of a sample.

    Examples
    --------
    >>> cells = voronoi(2, (16, 16), 10, fractions=(0.4, 0.6), periodic=["x"], seed=4)
    >>> dict(cells.orientation.sizes)
    {'sample': 2, 'x': 16, 'y': 16, 'euler': 3}
    >>> int(cells.grain.max()), cells.attrs["periodic"]
    (9, ['x'])
    """
    shape = checked_shape(shape)
    if chunks is None:
        chunks = max(1, CHUNK_BYTES // (24 * int(np.prod(shape))))
    n_samples, chunks = checked_samples(n_samples, first_sample, chunks, shape, seed)
    counts = _checked_counts(n_grains, n_samples, shape)
    if not (np.isfinite(size_variation) and 0 <= size_variation <= 2):
        raise ValueError(f"size_variation is {size_variation}; wanted a number from 0 to 2")
    axes = AXES[: len(shape)]
    wrapped = _checked_periodic(periodic, axes)
    shares, varied = checked_fractions(fractions, n_samples)
    coords: dict[str, Any] = {}
    told: dict[str, Any] = {
        "size_variation": float(size_variation),
        "n_phases": shares.shape[1],
    }
    if np.ndim(n_grains):
        coords["n_grains"] = counts
    else:
        told["n_grains"] = int(counts[0])
    if varied:
        coords |= {f"fraction_{i}": shares[:, i] for i in range(shares.shape[1])}
    else:
        told["fractions"] = shares[0].tolist()
    layout: dict[str, Any] = {
        "seed": seed,
        "first_sample": first_sample,
        "chunks": chunks,
        "parameters": np.column_stack([counts, shares]),
        "coords": coords,
    }
    grain = lazy_samples(
        _grains,
        shape,
        n_samples,
        name="grain",
        dtype=np.int32,
        options={"size_variation": float(size_variation), "periodic": wrapped},
        **layout,
    )
    rows = sample_rows(shape, n_samples, **layout)
    euler = ("euler", ["phi1", "Phi", "phi2"])
    angles = lift(
        _orientations,
        rows,
        dims=[("sample", "parameter")],
        out_dims=("sample", "grain_id", "euler"),
        sizes={"grain_id": int(counts.max()), "euler": 3},
        coords={"euler": euler},
        dtype=np.float64,
        name="grain_orientation",
        attrs={"units": "radian", "convention": "Bunge"},
        kwargs={"seed": seed, "most": int(counts.max()), "texture": checked_texture(texture)},
    )
    dims = ("sample", *axes)
    orientation = lift(
        _of_each_voxel,
        angles,
        grain,
        dims=[("sample", "grain_id", "euler"), dims],
        out_dims=(*dims, "euler"),
        dtype=np.float64,
        name="orientation",
        attrs=angles.attrs,
    )
    phase = lift(
        _phases,
        rows,
        grain,
        dims=[("sample", "parameter"), dims],
        out_dims=dims,
        dtype=np.uint8,
        name="phase",
        kwargs={"seed": seed},
    )
    arrays = (grain, phase, orientation, angles)
    around = [a for a, w in zip(axes, wrapped, strict=True) if w]
    attrs = described("voronoi", around, seed, **told)
    return xr.Dataset({a.name: a for a in arrays}, attrs=attrs)


def _grains(
    rng: np.random.Generator,
    parameters: np.ndarray,
    *,
    shape: tuple[int, ...],
    size_variation: float,
    periodic: Sequence[bool],
) -> np.ndarray:
    count, ndim = int(parameters[0]), len(shape)
    centers = rng.random((count, ndim)) * shape
    radii = None
    if size_variation:
        spread = np.sqrt(np.log1p(size_variation**2))
        radii = np.exp(spread * rng.standard_normal(count))
        # Balls of these radii would just fill the cell, if they could.
        ball = pi ** (ndim / 2) / gamma(ndim / 2 + 1)
        radii *= (np.prod(shape) / (ball * (radii**ndim).sum())) ** (1 / ndim)
    return tessellate(centers, shape, radii=radii, periodic=periodic)


def _orientations(rows: np.ndarray, *, seed: int, most: int, texture: Texture) -> np.ndarray:
    out = np.full((len(rows), most, 3), np.nan)
    streams = Streams(seed, _ORIENTATIONS)
    for target, (sample, count, *_) in zip(out, rows.astype(int).tolist(), strict=True):
        target[:count] = texture.sample(streams.of(sample), count)
    return out


def _of_each_voxel(angles: np.ndarray, grain: np.ndarray) -> np.ndarray:
    out = np.empty((*grain.shape, 3))
    for target, table, labels in zip(out, angles, grain, strict=True):
        np.take(table, labels, axis=0, out=target, mode="clip")
    return out


def _phases(rows: np.ndarray, grain: np.ndarray, *, seed: int) -> np.ndarray:
    out = np.empty(grain.shape, dtype=np.uint8)
    streams = Streams(seed, _PHASES)
    for target, row, labels in zip(out, rows, grain, strict=True):
        count, cuts = int(row[1]), np.cumsum(row[2:])[:-1]
        order = streams.of(int(row[0])).permutation(count)
        volumes = np.bincount(labels.ravel(), minlength=count)[order]
        middles = (np.cumsum(volumes) - volumes / 2) / labels.size
        phases = np.empty(count, dtype=np.uint8)
        phases[order] = np.searchsorted(cuts, middles, side="right")
        target[...] = phases[labels]
    return out


def _checked_counts(n_grains: Any, n_samples: int, shape: tuple[int, ...]) -> np.ndarray:
    given = np.asarray(n_grains)
    voxels = int(np.prod(shape))
    if given.dtype.kind not in "iu" or given.shape not in ((), (n_samples,)):
        raise ValueError(
            f"n_grains is {n_grains!r}; wanted a whole number, or {n_samples} of them, one a sample"
        )
    bad = (given < 1) | (given > voxels)
    if bad.any():
        raise ValueError(
            f"n_grains has the value {np.atleast_1d(given)[np.atleast_1d(bad)][0]}; wanted 1 to "
            f"{voxels}, the number of voxels"
        )
    return np.broadcast_to(given, (n_samples,))


def _checked_periodic(periodic: bool | Sequence[str], axes: Sequence[str]) -> tuple[bool, ...]:
    if isinstance(periodic, bool | np.bool_):
        return (bool(periodic),) * len(axes)
    names = [periodic] if isinstance(periodic, str) else list(periodic)
    unknown = [n for n in names if n not in axes]
    if unknown:
        raise ValueError(f"periodic has {unknown}; wanted True, False or names out of {list(axes)}")
    return tuple(a in names for a in axes)
