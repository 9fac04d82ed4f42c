"""Random multiphase microstructures: smoothed noise, cut at volume fractions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from mksdask.generate.arguments import (
    AXES,
    checked_fractions,
    checked_grain_sizes,
    checked_phases,
    checked_samples,
    checked_shape,
)
from mksdask.generate.blur import cut_at_ranks, cut_evenly, gaussian_filter, smoothed
from mksdask.generate.classes import expanded
from mksdask.generate.provenance import described
from mksdask.generate.seeded import Streams, lazy_samples


def multiphase(
    n_samples: int | None = None,
    shape: Sequence[int] = (101, 101),
    grain_size: npt.ArrayLike | None = None,
    fractions: npt.ArrayLike | None = None,
    *,
    n_phases: int | None = None,
    fraction_variance: float = 0.0,
    continuous: bool = False,
    classes: Sequence[Mapping[str, Any]] | None = None,
    seed: int = 0,
    first_sample: int = 0,
    chunks: int | None = None,
) -> xr.DataArray:
    """Random periodic microstructures of any number of phases, lazily.

    Uniform noise u is convolved periodically with a Gaussian as wide as the grains,
    b = u * g, g(x) ~ exp(-sum_i x_i^2 / 2 s_i^2), s_i = grain_size_i / (2 pi), |x_i| <=
    grain_size_i / 2, and cut at the ranks of the cumulated volume fractions: phase 0 holds the
    smallest values of b. Each cumulated fraction is met within half a voxel.

    Parameters
    ----------
    n_samples
        How many; with ``classes`` it is their total unless given.
    shape
        Voxels along x[, y[, z]].
    grain_size
        In voxels, from 1 to the length of the axis: one number, one an axis, or one row a sample
        (n_samples, number of axes).
    fractions
        Volume fractions, summing to 1: one a phase, or one row a sample (n_samples, n_phases).
        Without them the range of each field is cut into ``n_phases`` equal intervals, and the
        fractions vary from sample to sample.
    n_phases
        Needed only without ``fractions`` (2 if not given).
    fraction_variance
        Each cumulated fraction is moved by a uniform number in +- this, sample by sample.
    continuous
        Return the smoothed field, named ``field``, without cutting it.
    classes
        Groups of samples, one after another: dicts with ``n_samples``, and ``grain_size`` or
        ``fractions`` where they differ from the arguments. Adds the coordinate ``class``.
    seed
        Names the ensemble. Sample i depends on the seed, i and its own parameters only.
    first_sample
        Index of the first sample returned, to make part of an ensemble alone. Arguments with one
        row a sample begin at this sample; ``classes`` begin at sample 0.
    chunks
        Samples a chunk; by default as many as take 64 MiB in float64.

    Returns
    -------
    DataArray ``phase`` of uint8 labels, dims (sample, x[, y[, z]]). Grain sizes and fractions which
    differ by sample are coordinates ``grain_size_x`` ..., ``fraction_0`` ...

    Examples
    --------
    >>> phase = multiphase(3, (10, 20), grain_size=(2, 6), fractions=(0.3, 0.7), seed=1)
    >>> phase.sizes["y"], phase.dtype.name
    (20, 'uint8')
    >>> (phase == 0).mean(("x", "y")).values
    array([0.3, 0.3, 0.3])
    >>> six = multiphase(shape=(21, 21), fractions=(0.5, 0.5), classes=[
    ...     {"grain_size": (15, 2), "n_samples": 4}, {"grain_size": (2, 15), "n_samples": 2}])
    >>> six["class"].values
    array([0, 0, 0, 0, 1, 1])
    """
    shape = checked_shape(shape)
    if continuous and (fractions is not None or n_phases is not None or fraction_variance):
        raise ValueError(
            "continuous=True returns the field uncut: leave out fractions, n_phases and "
            "fraction_variance"
        )
    coords: dict[str, Any] = {}
    if classes is not None:
        defaults = {"grain_size": grain_size}
        if not continuous:
            defaults["fractions"] = fractions
        members = expanded(classes, defaults, n_samples, first_sample)
        grain_size, fractions = members["grain_size"], members.get("fractions")
        coords["class"] = members["class"]
        n_samples = len(coords["class"])
    elif n_samples is None:
        raise ValueError("n_samples is missing: say how many samples to make, or give classes")
    checked_samples(n_samples, first_sample, chunks, shape, seed)
    sizes, varied = checked_grain_sizes(grain_size, shape, n_samples)
    if varied:
        coords |= {f"grain_size_{AXES[i]}": sizes[:, i] for i in range(len(shape))}
    told: dict[str, Any] = {"continuous": True} if continuous else {}
    if not varied:
        told["grain_size"] = sizes[0].tolist()
    cuts: np.ndarray | None = None
    if fractions is not None:
        shares, varied = checked_fractions(fractions, n_samples, n_phases)
        _check_variance(fraction_variance, shares)
        n_phases = shares.shape[1]
        cuts = np.cumsum(shares, axis=1)[:, :-1]
        if varied:
            coords |= {f"fraction_{i}": shares[:, i] for i in range(n_phases)}
        else:
            told["fractions"] = shares[0].tolist()
    elif fraction_variance:
        raise ValueError(
            f"fraction_variance is {fraction_variance} but no fractions are given: give fractions"
        )
    if not continuous:
        n_phases = checked_phases(2 if n_phases is None else n_phases)
        told["n_phases"] = n_phases
        if fraction_variance:
            told["fraction_variance"] = fraction_variance
    return lazy_samples(
        _make,
        shape,
        n_samples,
        seed=seed,
        first_sample=first_sample,
        chunks=chunks,
        parameters=sizes if cuts is None else np.hstack([sizes, cuts]),
        coords=coords,
        attrs=described("multiphase", AXES[: len(shape)], seed, **told),
        name="field" if continuous else "phase",
        dtype=np.float64 if continuous else np.uint8,
        options={"n_phases": n_phases, "variance": fraction_variance, "continuous": continuous},
        together=True,
    )


def _make(
    streams: Streams,
    samples: Sequence[int],
    parameters: np.ndarray,
    *,
    shape: tuple[int, ...],
    n_phases: int,
    variance: float,
    continuous: bool,
) -> np.ndarray:
    sizes, cuts = parameters[:, : len(shape)], parameters[:, len(shape) :]
    field = np.empty((len(samples), *shape))
    moves = np.zeros(cuts.shape)
    for n, target, move in zip(samples, field, moves, strict=True):
        stream = streams.of(n)
        stream.random(out=target)
        if variance:
            stream.random(out=move)
    for alike in _runs(sizes):
        filters = [
            gaussian_filter(n, g / (2 * math.pi), reach=g / 2)
            for n, g in zip(shape, sizes[alike.start].tolist(), strict=True)
        ]
        field[alike] = smoothed(field[alike], filters)
    if continuous:
        return field
    if not cuts.shape[1]:
        return np.stack([cut_evenly(each, n_phases) for each in field])
    if variance:
        cuts = cuts + variance * (2 * moves - 1)
    ranks = np.rint(cuts * math.prod(shape)).astype(int)
    labels = np.empty(field.shape, np.uint8)
    for alike in _runs(ranks):
        labels[alike] = cut_at_ranks(field[alike], ranks[alike.start].tolist())
    return labels


def _runs(rows: np.ndarray) -> Iterator[slice]:
    """Stretches of equal rows.

    >>> list(_runs(np.array([[1, 2], [1, 2], [3, 2]])))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    starts = [0, *(np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1).tolist(), len(rows)]
    return itertools.starmap(slice, itertools.pairwise(starts))


def _check_variance(variance: float, shares: np.ndarray) -> None:
    if not np.isfinite(variance) or variance < 0:
        raise ValueError(f"fraction_variance is {variance}; wanted a number of at least 0")
    edges = shares.copy()
    edges[:, 1:-1] /= 2  # an inner phase has a moving cut on either side
    if variance > edges.min():
        raise ValueError(
            f"fraction_variance is {variance:g}, which can empty a phase; with these fractions "
            f"wanted at most {edges.min():g}"
        )
