"""A kernel that predicts the same field one step later, applied to its own predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from mksdask.errors import DataError
from mksdask.lazy import ArrayLike, lift
from mksdask.linkage.convolution import Taps, convolve_block
from mksdask.linkage.fields_request import read_samples
from mksdask.linkage.local_features import LocalFeatures
from mksdask.linkage.local_kernel import LocalKernel


def evolve(kernel: LocalKernel, X: ArrayLike, steps: Any) -> ArrayLike:
    """Fields after some steps; the kind of array that came in, on ``step`` if steps are a list."""
    X, layout = read_samples(X, kernel.features.basis)
    keep = not isinstance(steps, (int, np.integer)) or isinstance(steps, bool)
    wanted = _read_steps(steps if keep else [steps])
    if kernel.response.component is not None or kernel.features.basis.state_dims:
        raise ValueError(
            "the kernel predicts another field than it is given; steps follow each other for one "
            "scalar field alone"
        )
    if np.dtype(X.dtype).kind != "f":
        raise TypeError(
            f"X has dtype {X.dtype}; wanted a field of floating-point numbers, as the kernel gives"
        )
    if not all(kernel.wrap):
        raise ValueError("the kernel is for volumes with walls; only periodic ones can evolve")
    kernel.check_grid(layout)
    dtype = np.dtype(np.float32 if X.dtype in (np.float32, np.float16) else np.float64)
    out_dims = ("sample", "step", *layout.space) if keep else ("sample", *layout.space)
    found = lift(
        _evolved,
        X,
        dims=[layout.dims],
        out_dims=out_dims,
        sizes={"step": len(wanted)} if keep else {},
        whole=layout.space,
        coords={"step": wanted} if keep else {},
        attrs=kernel.response.attrs,
        dtype=dtype,
        name="evolution",
        kwargs={
            "taps": kernel.taps,
            "constant": kernel.constant,
            "features": kernel.features,
            "steps": tuple(wanted),
            "keep": keep,
        },
    )
    if isinstance(found, xr.DataArray):
        found = found.rename(kernel.response.name)
        return found if layout.has_sample else found.isel(sample=0)
    return found


def _read_steps(steps: Any) -> list[int]:
    wanted: list[Any] = list(steps) if hasattr(steps, "__iter__") else [steps]
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in wanted)
    if not wanted or not whole or wanted != sorted(set(wanted)) or wanted[0] < 0:
        raise ValueError(
            f"steps is {steps!r}; wanted a whole number of steps, or rising ones such as [0, 5, 10]"
        )
    return [int(n) for n in wanted]


def _evolved(
    block: np.ndarray,
    *,
    taps: Taps,
    constant: np.ndarray,
    features: LocalFeatures,
    steps: Sequence[int],
    keep: bool,
) -> np.ndarray:
    shape = block.shape[1:]
    dtype = np.dtype(np.float32 if block.dtype in (np.float32, np.float16) else np.float64)
    spectrum = taps.spectrum(shape)
    reference = np.zeros(len(taps.values))
    out = np.empty((len(block), len(steps), *shape), dtype)
    field = block.astype(dtype, copy=False)
    done = 0
    for i, step in enumerate(steps):
        while done < step:
            try:
                field = convolve_block(
                    field,
                    spectrum,
                    constant,
                    reference,
                    features=features,
                    wrap=(True,) * len(shape),
                    sizes=shape,
                    dtype=dtype,
                )[..., 0]
            except DataError as error:
                raise DataError(f"step {done + 1} cannot be taken: {error}") from error
            done += 1
        out[:, i] = field
    return out if keep else out[:, 0]
