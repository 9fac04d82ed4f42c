"""Lay a sample-by-sample generator out as a lazy ensemble whose samples depend on their index only.

A generator is a function ``make(rng, parameters, *, shape, **options)`` of one sample, or, where
samples are small and share work, ``make_many(streams, samples, parameters, ...)`` of some. Each sample
gets a random stream of its own, named by the seed and its index, so that neither the chunking, nor
the workers, nor which other samples are asked for, can change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mksdask.generate.arguments import AXES, checked_samples
from mksdask.lazy import lift

Make = Callable[..., np.ndarray]
BATCH = 2**16  # voxels made together: in cache, and many enough to share the cost of a call


class Streams:
    """Independent random streams, one a sample; the generator returned is reused by the next call.

    Sample i draws from PCG64DXSM jumped i times, which a copy of the start and one ``advance``
    reach in 3 us; a new generator would take 20 us, as long as a small sample.

    >>> streams = Streams(0)
    >>> bool(streams.of(7).random() == streams.of(7).random() != streams.of(8).random())
    True
    """

    _JUMP = 0x9E3779B97F4A7C15F39CC0605CEDC835  # the step of PCG64DXSM.jumped

    def __init__(self, seed: int, purpose: int = 0):
        self._bits = np.random.PCG64DXSM(np.random.SeedSequence(seed, spawn_key=(purpose,)))
        self._start = self._bits.state
        self._generator = np.random.Generator(self._bits)

    def of(self, sample: int) -> np.random.Generator:
        """Return the generator at the start of the stream of one sample."""
        self._bits.state = self._start
        self._bits.advance(sample * self._JUMP % 2**128)
        return self._generator


def drawn_per_sample(
    seed: int, first_sample: int, n_samples: int, n_draws: int, purpose: int
) -> np.ndarray:
    """Uniform numbers in [0, 1), ``n_draws`` a sample, for parameters known before it is made.

    One stream serves the ensemble, sample after sample; skipping the first ones costs nanoseconds
    each, where a stream of its own would cost tens of microseconds.

    >>> bool((drawn_per_sample(0, 5, 2, 3, 1) == drawn_per_sample(0, 0, 7, 3, 1)[5:]).all())
    True
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(purpose,))
    draws = np.random.Generator(np.random.PCG64(sequence).advance(first_sample * n_draws))
    return draws.random((n_samples, n_draws))


def lazy_samples(
    make: Make,
    shape: Sequence[int],
    n_samples: int,
    *,
    seed: int,
    first_sample: int = 0,
    chunks: int | None = None,
    parameters: np.ndarray | None = None,
    coords: Mapping[str, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
    name: str = "phase",
    dtype: Any = np.uint8,
    options: Mapping[str, Any] | None = None,
    together: bool = False,
) -> xr.DataArray:
    """Return the samples ``first_sample ... first_sample + n_samples - 1`` of a generator, lazily.

    Parameters
    ----------
    make
        ``make(rng, parameters, *, shape, **options) -> array of shape``; must be importable, so
        that workers can unpickle it. With ``together``,
        ``make(streams, samples, parameters, *, shape, **options)`` of the numbers of some samples
        and a row of parameters each.
    shape
        Voxels along x[, y[, z]].
    parameters
        Numbers that differ by sample, shape (n_samples, n_parameters).
    chunks
        Samples a chunk; by default as many as take 64 MiB in float64.

    Examples
    --------
    >>> def noise(rng, parameters, *, shape):
    ...     return rng.random(shape)
    >>> lazy_samples(noise, (4, 5), 3, seed=0, name="field", dtype=float).sizes["y"]
    5
    """
    rows = sample_rows(
        shape,
        n_samples,
        seed=seed,
        first_sample=first_sample,
        chunks=chunks,
        parameters=parameters,
        coords=coords,
    )
    dims = ("sample", *AXES[: len(shape)])
    return lift(
        _block,
        rows,
        dims=[("sample", "parameter")],
        out_dims=dims,
        sizes=dict(zip(dims[1:], shape, strict=True)),
        dtype=dtype,
        name=name,
        attrs=attrs,
        kwargs={
            "make": make,
            "shape": tuple(shape),
            "seed": seed,
            "dtype": np.dtype(dtype).str,
            "options": dict(options or {}),
            "together": together,
        },
    )


def sample_rows(
    shape: Sequence[int],
    n_samples: int,
    *,
    seed: int,
    first_sample: int = 0,
    chunks: int | None = None,
    parameters: np.ndarray | None = None,
    coords: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """One row a sample, its index and its parameters: what a block kernel makes samples from.

    >>> sample_rows((4, 5), 2, seed=0, first_sample=7).values
    array([[7.],
           [8.]])
    """
    n_samples, chunks = checked_samples(n_samples, first_sample, chunks, shape, seed)
    index = np.arange(first_sample, first_sample + n_samples)
    table = index[:, None].astype(float)
    if parameters is not None:
        table = np.hstack([table, parameters])
    return xr.DataArray(
        da.from_array(table, chunks=(chunks, -1)),
        dims=("sample", "parameter"),
        coords={"sample": index, **{k: ("sample", v) for k, v in (coords or {}).items()}},
    )


def _block(
    table: np.ndarray,
    *,
    make: Make,
    shape: tuple[int, ...],
    seed: int,
    dtype: str,
    options: Mapping[str, Any],
    together: bool,
) -> np.ndarray:
    out = np.empty((len(table), *shape), dtype=dtype)
    streams = Streams(seed)
    if together:
        n = max(1, BATCH // int(np.prod(shape)))
        for first in range(0, len(table), n):
            rows = table[first : first + n]
            numbers = rows[:, 0].astype(int).tolist()
            out[first : first + n] = make(streams, numbers, rows[:, 1:], shape=shape, **options)
        return out
    for target, row in zip(out, table, strict=True):
        target[...] = make(streams.of(int(row[0])), row[1:], shape=shape, **options)
    return out
