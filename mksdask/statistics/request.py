"""Read what the user asked for: which axes are space, which mask, which names.

Everything wrong with a call is said here, before anything is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mksdask.bases import Basis
from mksdask.bases.base import checked_state_axes
from mksdask.errors import DataError
from mksdask.lazy import ArrayLike

SPACE = ("x", "y", "z")


@dataclass(frozen=True)
class Layout:
    """Dimensions of the data: ``sample``, space, and those of one local state."""

    space: tuple[str, ...]
    sizes: tuple[int, ...]
    has_sample: bool
    dims: tuple[str, ...]


def read_layout(data: ArrayLike, basis: Basis) -> Layout:
    """Find the spatial axes of ``data``, by name in a DataArray and by position elsewhere."""
    if not isinstance(data, (xr.DataArray, da.Array, np.ndarray)):
        raise TypeError(
            f"data is a {type(data).__name__}; wanted a DataArray, a Dask or a NumPy array"
        )
    if np.dtype(data.dtype).kind not in "iubf":
        raise TypeError(f"data has dtype {data.dtype}; wanted integer labels or a real field")
    n_trailing = len(basis.state_dims)
    if isinstance(data, xr.DataArray):
        dims = tuple(str(d) for d in data.dims)
        space = tuple(d for d in SPACE if d in dims)
        unknown = [d for d in dims if d not in (*SPACE, "sample", *basis.state_dims)]
        missing = [d for d in basis.state_dims if d not in dims]
        if unknown or missing or not space:
            raise ValueError(
                f"data has dims {dims}; wanted 'sample' (or not) and one to three of {SPACE}"
                + (f" and {basis.state_dims} for {basis!r}" if n_trailing else "")
                + ": rename or select them"
            )
        checked_state_axes(basis, [data.sizes[d] for d in basis.state_dims])
        has_sample = "sample" in dims
        sizes = tuple(data.sizes[d] for d in space)
    else:
        n_space = data.ndim - 1 - n_trailing
        if not 1 <= n_space <= 3:
            raise ValueError(
                f"data has {data.ndim} axes of shape {data.shape}; wanted samples on axis 0 and "
                "one to three of space after it (one volume is data[None])"
            )
        checked_state_axes(basis, data.shape)
        space, has_sample, sizes = SPACE[:n_space], True, data.shape[1 : 1 + n_space]
    if has_sample and (data.sizes["sample"] if isinstance(data, xr.DataArray) else len(data)) == 0:
        raise ValueError("data has no samples; wanted at least one: check the selection")
    return Layout(space, sizes, has_sample, ("sample", *space, *basis.state_dims))


def phase_names(data: ArrayLike, n_states: int) -> tuple[str, ...] | None:
    """Names of the phases in ``attrs['phase_names']``, if there is one for each state."""
    names = getattr(data, "attrs", {}).get("phase_names")
    if names is None or isinstance(names, str) or len(names) != n_states:
        return None
    return tuple(str(name) for name in names)


def read_mask(mask: Any, data: ArrayLike, layout: Layout) -> tuple[ArrayLike, tuple[str, ...]]:
    """The mask as a DataArray or plain array, and its dims: those of space, with samples or not."""
    if isinstance(mask, (list, tuple)):
        mask = np.asarray(mask)
    if not isinstance(mask, (xr.DataArray, da.Array, np.ndarray)):
        raise TypeError(f"mask is a {type(mask).__name__}; wanted an array of weights in [0, 1]")
    if np.dtype(mask.dtype).kind not in "iubf":
        raise TypeError(f"mask has dtype {mask.dtype}; wanted numbers in [0, 1] or booleans")
    n_samples = len(data) if not isinstance(data, xr.DataArray) else data.sizes.get("sample", 1)
    if isinstance(mask, xr.DataArray):
        if set(mask.dims) not in (set(layout.space), {"sample", *layout.space}):
            raise ValueError(
                f"mask has dims {mask.dims}; wanted {layout.space}, or 'sample' and these"
            )
        dims = tuple(d for d in ("sample", *layout.space) if d in mask.dims)
        mask = mask.transpose(*dims)
    else:
        dims = layout.space if mask.ndim == len(layout.space) else ("sample", *layout.space)
    wanted = layout.sizes if dims == layout.space else (n_samples, *layout.sizes)
    if mask.shape != wanted:
        raise ValueError(
            f"mask has shape {mask.shape}; wanted {layout.sizes} for all samples or "
            f"{(n_samples, *layout.sizes)} for one a sample"
        )
    if not isinstance(getattr(mask, "data", mask), da.Array) and not isinstance(mask, da.Array):
        check_mask(np.asarray(mask), len(layout.space))
    return mask, dims


def check_mask(mask: np.ndarray, n_space: int) -> None:
    """Raise DataError if a mask leaves [0, 1] or leaves nothing of a sample."""
    check_weights(mask)
    empty = np.flatnonzero(~mask.reshape(-1, int(np.prod(mask.shape[-n_space:]))).any(axis=1))
    if mask.ndim == n_space and empty.size:
        raise DataError("mask is 0 everywhere; wanted at least one voxel to keep")
    if empty.size:
        raise DataError(
            f"mask is 0 everywhere in {empty.size} of {len(mask)} samples (the first is number "
            f"{empty[0]} of its block): leave these samples out"
        )


def check_weights(mask: np.ndarray) -> None:
    """Raise DataError if a value is NaN or outside [0, 1]."""
    if mask.dtype == bool or mask.size == 0:
        return
    low, high = mask.min(), mask.max()
    if not (low >= 0 and high <= 1):
        raise DataError(f"mask has values from {low:g} to {high:g}; wanted all in [0, 1]")


def checked_values(block: np.ndarray, weight: np.ndarray | None, basis: Basis) -> np.ndarray:
    """``block`` with a harmless value where the mask says that there are no data."""
    if weight is not None:
        absent = np.broadcast_to(weight == 0, block.shape[: weight.ndim])
        block = block.copy()
        block[absent] = basis.filler
    basis.check(block)
    return block


def kept_attrs(data: ArrayLike) -> dict[str, Any]:
    """Voxel size and unit of the data, which hold for their statistics as well."""
    attrs = getattr(data, "attrs", {})
    return {k: attrs[k] for k in ("voxel_size", "voxel_unit", "unit", "units") if k in attrs}


def pair_labels(pairs: Sequence[tuple[int, int]], names: Sequence[str] | None) -> list[str]:
    """One string a pair, by name where there are names.

    >>> pair_labels([(0, 1)], None), pair_labels([(0, 1)], ["bcc", "fcc"])
    (['0,1'], ['bcc,fcc'])
    """
    return [f"{names[h]},{names[k]}" if names else f"{h},{k}" for h, k in pairs]
