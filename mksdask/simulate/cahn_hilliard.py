"""Spinodal decomposition: the Cahn-Hilliard equation on periodic grids of one to three dimensions.

The time step is the semi-implicit one of Vollmayr-Lee and Rutenberg (Phys. Rev. E 68, 066703,
2003) with a1 = 3, a2 = 0: of the potential's force c^3 - c, the part 2 c is taken at the new time
and c^3 - 3 c at the old.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from mksdask import fft
from mksdask.errors import DataError
from mksdask.generate.arguments import AXES, checked_shape, is_whole
from mksdask.generate.provenance import described
from mksdask.generate.seeded import lazy_samples
from mksdask.lazy import ArrayLike, lift

# With a step of this many gamma / mobility the fastest growing wave, |k|^2 = 1 / (2 gamma), grows
# at half its speed: ln((1 + 1.5 r) / (1 + 1.25 r)) = r / 8.
LARGEST_STEP = 0.72


def cahn_hilliard(
    field: ArrayLike,
    n_steps: int | None = None,
    *,
    dx: float | Sequence[float] = 0.25,
    dt: float = 1e-3,
    gamma: float = 1.0,
    mobility: float = 1.0,
    save_every: int | None = None,
    steps: Sequence[int] | None = None,
) -> ArrayLike:
    """Evolve concentration fields by dc/dt = M lap(c^3 - c - gamma lap c), lazily.

    With K = |k|^2 and c_k the Fourier coefficients, one step is

        c_k <- [c_k (1 + 3 M dt K) - M dt K (c^3)_k] / [1 + M dt K (2 + gamma K)],

    two real transforms. The mean of c never changes. The free energy (:func:`free_energy`) never
    rises as long as max |c| <= sqrt(5/3) = 1.29, whatever dt, and beyond while
    M dt <= 8 gamma / (3 max |c|^2 - 5)^2. Long steps are stable but slow: the wave that should
    grow fastest falls to half its speed at M dt = 0.72 gamma, where dt is refused.

    Parameters
    ----------
    field
        Concentrations, phases at -1 and 1: DataArray with the dimension ``sample``, or an array
        with samples on axis 0; one to three periodic axes follow, in one chunk.
    n_steps
        Steps to take; or give ``steps``.
    dx
        Grid spacing, one number or one an axis. Interfaces are about 4 sqrt(gamma) wide and
        want a few points.
    dt, gamma, mobility
        Time step, gradient energy coefficient (a length squared), mobility M.
    save_every
        Also return every so many steps up to ``n_steps``, on the dimension ``step``.
    steps
        Return exactly these steps (0 is the field itself), on the dimension ``step``.

    Returns
    -------
    The kind of array that came in, in its precision, dims (sample[, step], x[, y[, z]]).

    Raises
    ------
    DataError
        When computed, if a sample is not finite or too large for the time step.

    Examples
    --------
    >>> start = concentration_noise(2, (32, 32), seed=1)
    >>> grown = cahn_hilliard(start, steps=[0, 500, 1000], dt=0.1, dx=0.5)
    >>> grown.sizes["step"], bool(abs(grown.mean(("x", "y"))).max() < 1e-14)
    (3, True)
    >>> bool(grown.isel(step=-1).max() > 0.9)
    True
    """
    labelled = isinstance(field, xr.DataArray)
    if labelled and "sample" not in field.dims:
        raise ValueError(f"field has dims {field.dims}; wanted sample and one to three of space")
    if not labelled and not hasattr(field, "ndim"):
        raise TypeError(f"field is a {type(field).__name__}; wanted a DataArray or an array")
    if not 2 <= field.ndim <= 4:
        raise ValueError(f"field has {field.ndim} axes; wanted sample and one to three of space")
    if field.dtype.kind not in "fiu":
        raise TypeError(f"field holds {field.dtype}; wanted real numbers")
    if 0 in field.shape:
        raise ValueError(f"field has shape {field.shape}; wanted no empty axis")
    dims = tuple(map(str, field.dims)) if labelled else ("sample", *AXES[: field.ndim - 1])
    space = tuple(d for d in dims if d != "sample")
    if "step" in space:
        raise ValueError(
            f"field has dims {dims}; wanted sample and space: choose a step, as field.isel(step=-1)"
        )
    spacing = _checked_spacing(dx, len(space))
    _check_positive(dt=dt, gamma=gamma, mobility=mobility)
    if mobility * dt > LARGEST_STEP * gamma:
        raise ValueError(
            f"dt is {dt:g}, too large for gamma {gamma:g} and mobility {mobility:g}: the fastest "
            f"growing wave would grow at less than half its speed; choose dt <= "
            f"{LARGEST_STEP * gamma / mobility:g}"
        )
    saved, keep_dim = _checked_steps(n_steps, save_every, steps)
    dtype = np.dtype(np.float32) if field.dtype == np.float32 else np.dtype(np.float64)
    return lift(
        _evolved,
        field,
        dims=[("sample", *space)],
        out_dims=("sample", "step", *space) if keep_dim else ("sample", *space),
        sizes={"step": len(saved)} if keep_dim else {},
        coords={"step": np.array(saved)} if keep_dim else {},
        dtype=dtype,
        whole=space,
        name="concentration",
        attrs={
            "model": "cahn_hilliard",
            "periodic": list(space),
            "dx": list(spacing),
            "dt": dt,
            "gamma": gamma,
            "mobility": mobility,
        }
        | ({} if keep_dim else {"n_steps": saved[0]}),
        kwargs={
            "saved": saved,
            "spacing": spacing,
            "dt": mobility * dt,
            "gamma": gamma,
            "keep_dim": keep_dim,
        },
    )


def concentration_noise(
    n_samples: int,
    shape: Sequence[int],
    *,
    mean: float = 0.0,
    amplitude: float = 0.01,
    seed: int = 0,
    first_sample: int = 0,
    chunks: int | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> xr.DataArray:
    """Uniform noise in mean +- amplitude, of exactly that mean, to start a decomposition from.

    Sample i depends on ``seed`` and i only. ``chunks`` is the number of samples a chunk.

    >>> start = concentration_noise(3, (8, 8), mean=0.2)
    >>> start.mean(("x", "y")).values.round(12)
    array([0.2, 0.2, 0.2])
    """
    shape = checked_shape(shape)
    if not np.isfinite(mean):
        raise ValueError(f"mean is {mean}; wanted a finite number")
    _check_positive(amplitude=amplitude)
    if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"dtype is {np.dtype(dtype)}; wanted float32 or float64")
    return lazy_samples(
        _noise,
        shape,
        n_samples,
        seed=seed,
        first_sample=first_sample,
        chunks=chunks,
        attrs=described(
            "concentration_noise",
            AXES[: len(shape)],
            seed,
            mean=float(mean),
            amplitude=float(amplitude),
        ),
        name="concentration",
        dtype=dtype,
        options={"mean": mean, "amplitude": amplitude},
    )


def free_energy(
    field: ArrayLike, *, dx: float | Sequence[float] = 0.25, gamma: float = 1.0
) -> ArrayLike:
    """Free energy of each field: integral of (c^2 - 1)^2 / 4 + gamma / 2 |grad c|^2, lazily.

    ``field`` is as for :func:`cahn_hilliard`, with or without the dimension ``step``; the gradient
    is exact for the trigonometric interpolant. Plain arrays carry samples on axis 0 only.

    >>> float(free_energy(np.full((1, 4, 4), 0.0), dx=0.5)[0])
    1.0
    """
    labelled = isinstance(field, xr.DataArray)
    dims = tuple(map(str, field.dims)) if labelled else ("sample", *AXES[: field.ndim - 1])
    lead = tuple(d for d in ("sample", "step") if d in dims)
    space = tuple(d for d in dims if d not in lead)
    spacing = _checked_spacing(dx, len(space))
    return lift(
        _energy,
        field,
        dims=[(*lead, *space)],
        out_dims=lead,
        dtype=np.float64,
        name="free_energy",
        kwargs={"spacing": spacing, "gamma": gamma},
    )


def largest_stable_step(amplitude: float, gamma: float = 1.0) -> float:
    """Largest M dt with which the energy of fields of this max |c| cannot rise in a step.

    From the change of the energy in one step, -|d|^2_{-1} / M dt + sum (E''/2 - 1) d^2 -
    gamma/2 |grad d|^2 for d the change of c and E'' <= 3 c^2 - 3 the curvature of the part taken
    at the old time, which is negative for every wave if M dt < 8 gamma / (3 c^2 - 5)^2.

    >>> largest_stable_step(1.0), round(largest_stable_step(3.0), 4)
    (inf, 0.0165)
    """
    excess = 3 * amplitude**2 - 5
    return float("inf") if excess <= 0 else 8 * gamma / excess**2


def _evolved(
    block: np.ndarray,
    *,
    saved: Sequence[int],
    spacing: tuple[float, ...],
    dt: float,
    gamma: float,
    keep_dim: bool,
) -> np.ndarray:
    dtype = np.float32 if block.dtype == np.float32 else np.float64
    shape = block.shape[1:]
    old, cube = _factors(shape, spacing, dt, gamma, np.dtype(dtype).char)
    out = np.empty((len(block), len(saved), *shape), dtype=dtype)
    # One sample at a time: it stays in cache, and its rounding, which the instability amplifies,
    # cannot depend on its neighbours in the chunk.
    for sample, target in zip(block, out, strict=True):
        _trajectory(sample.astype(dtype), target, saved, old, cube, dt, gamma)
    return out if keep_dim else out[:, 0]


def _trajectory(
    field: np.ndarray,
    out: np.ndarray,
    saved: Sequence[int],
    old: np.ndarray,
    cube: np.ndarray,
    dt: float,
    gamma: float,
) -> None:
    axes = tuple(range(field.ndim))
    _check_amplitude(field, dt, gamma, 0)
    spectrum = fft.rfftn(field, axes=axes)
    # Real factors, each doubled, act on the pairs of real and imaginary parts without a cast.
    pairs = spectrum.view(field.dtype)
    cubed = np.empty_like(field)
    step = 0
    for wanted, target in zip(saved, out, strict=True):
        while step < wanted:
            np.multiply(field, field, out=cubed)
            cubed *= field
            change = fft.rfftn(cubed, axes=axes).view(field.dtype)
            change *= cube
            pairs *= old
            pairs += change
            field = fft.irfftn(spectrum, s=field.shape, axes=axes)
            step += 1
        if step:
            _check_amplitude(field, dt, gamma, step)
        target[...] = field


def _check_amplitude(field: np.ndarray, dt: float, gamma: float, step: int) -> None:
    amplitude = float(np.abs(field).max())
    if not np.isfinite(amplitude):
        raise DataError(
            f"the concentration at step {step} is not finite: "
            + ("remove the sample" if step == 0 else "choose a smaller dt")
        )
    limit = largest_stable_step(amplitude, gamma)
    if dt > limit:
        raise DataError(
            f"the concentration reaches {amplitude:g} at step {step}, where mobility x dt = {dt:g} "
            f"is too large: choose at most {limit:g}, or scale the field to phases at -1 and 1"
        )


@lru_cache(maxsize=8)
def _factors(
    shape: tuple[int, ...], spacing: tuple[float, ...], dt: float, gamma: float, dtype: str
) -> tuple[np.ndarray, np.ndarray]:
    """Factors of c_k and of (c^3)_k in one step, each written twice along the last axis."""
    k2 = _wave_numbers_squared(shape, spacing)
    below = 1 + dt * k2 * (2 + gamma * k2)
    factors = (1 + 3 * dt * k2) / below, -dt * k2 / below
    old, cube = (np.repeat(f, 2, axis=-1).astype(dtype) for f in factors)
    return old, cube


def _wave_numbers_squared(shape: Sequence[int], spacing: Sequence[float]) -> np.ndarray:
    total = np.zeros(())
    for axis, (n, h) in enumerate(zip(shape, spacing, strict=True)):
        last = axis == len(shape) - 1
        k = 2 * np.pi * (np.fft.rfftfreq(n, h) if last else np.fft.fftfreq(n, h))
        total = total[..., None] + k**2
    return total


def _energy(block: np.ndarray, *, spacing: tuple[float, ...], gamma: float) -> np.ndarray:
    lead = block.ndim - len(spacing)
    shape = block.shape[lead:]
    k2 = _wave_numbers_squared(shape, spacing)
    twice = np.full(k2.shape[-1], 2.0)  # each stored wave but the first and last stands for two
    twice[0] = 1
    if shape[-1] % 2 == 0:
        twice[-1] = 1
    weight = gamma / 2 * k2 * twice / np.prod(shape)
    volume = float(np.prod(spacing))
    out = np.empty(block.shape[:lead])
    for index in np.ndindex(*out.shape):
        field = block[index].astype(np.float64)
        spectrum = fft.rfftn(field, axes=tuple(range(field.ndim)))
        gradient = (weight * (spectrum.real**2 + spectrum.imag**2)).sum()
        out[index] = volume * (((field**2 - 1) ** 2).sum() / 4 + gradient)
    return out


def _noise(
    rng: np.random.Generator,
    parameters: np.ndarray,
    *,
    shape: tuple[int, ...],
    mean: float,
    amplitude: float,
) -> np.ndarray:
    noise = rng.random(shape)
    return mean + 2 * amplitude * (noise - noise.mean())


def _checked_spacing(dx: Any, ndim: int) -> tuple[float, ...]:
    given = np.asarray(dx, dtype=float)
    if given.shape not in ((), (ndim,)):
        raise ValueError(f"dx has shape {given.shape}; wanted one number or {ndim}, one an axis")
    if not (np.isfinite(given) & (given > 0)).all():
        raise ValueError(f"dx is {given.tolist()}; wanted positive numbers")
    return tuple(np.broadcast_to(given, (ndim,)).tolist())


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}; wanted a positive number")


def _checked_steps(
    n_steps: int | None, save_every: int | None, steps: Sequence[int] | None
) -> tuple[tuple[int, ...], bool]:
    """Steps to keep, and whether they get a dimension."""
    if steps is not None:
        if n_steps is not None or save_every is not None:
            raise ValueError("steps says all: leave out n_steps and save_every")
        wanted = tuple(np.atleast_1d(steps).tolist())
        if not wanted or any(not is_whole(s) or s < 0 for s in wanted):
            raise ValueError(f"steps is {wanted}; wanted whole numbers of at least 0")
        if any(a >= b for a, b in itertools.pairwise(wanted)):
            raise ValueError(f"steps is {wanted}; wanted each larger than the one before")
        return wanted, True
    if n_steps is None:
        raise ValueError("n_steps is missing: give it or steps")
    if not is_whole(n_steps) or n_steps < 0:
        raise ValueError(f"n_steps is {n_steps!r}; wanted a whole number of at least 0")
    if save_every is None:
        return (int(n_steps),), False
    if not is_whole(save_every) or not 1 <= save_every <= n_steps:
        raise ValueError(
            f"save_every is {save_every!r}; wanted a whole number from 1 to n_steps, {n_steps}"
        )
    return tuple(range(save_every, n_steps + 1, save_every)), True
