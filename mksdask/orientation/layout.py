"""Where the angles are in an array of orientations: its last dimension, ``euler``."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

LABELS = {"euler": ("euler", ["phi1", "Phi", "phi2"])}
ATTRS = {"units": "radian", "convention": "Bunge"}


def leading_dims(data: Any, trailing: dict[str, int], name: str = "orientation") -> tuple[str, ...]:
    """Names of the dimensions before ``trailing``, which are checked to be there and as long."""
    if not isinstance(data, (xr.DataArray, da.Array, np.ndarray)):
        raise TypeError(
            f"{name} is a {type(data).__name__}; wanted a DataArray, a Dask or a NumPy array"
        )
    if np.dtype(data.dtype).kind not in "iuf":
        raise TypeError(f"{name} has dtype {data.dtype}; wanted numbers")
    n = len(trailing)
    if isinstance(data, xr.DataArray):
        found = {d: data.sizes.get(d) for d in trailing}
        dims = tuple(str(d) for d in data.dims if d not in trailing)
    else:
        last = data.shape[-n:] if data.ndim >= n else (None,) * n
        found = dict(zip(trailing, last, strict=True))
        dims = tuple(f"axis{i}" for i in range(data.ndim - n))
    if found != trailing:
        raise ValueError(
            f"{name} has {getattr(data, 'dims', 'the shape')} {tuple(data.shape)}; wanted "
            f"{', '.join(f'{d!r} of length {n}' for d, n in trailing.items())} at the end"
        )
    return dims


def sample_dims(orientation: Any) -> tuple[str, ...]:
    """Dimensions before ``euler``, samples first: what is averaged over is behind them."""
    dims = leading_dims(orientation, {"euler": 3})
    if isinstance(orientation, xr.DataArray):
        if "sample" not in dims:
            raise ValueError(f"orientation has dims {orientation.dims}; wanted 'sample' among them")
        dims = ("sample", *(d for d in dims if d != "sample"))
    if len(dims) < 2:
        raise ValueError(
            f"orientation has shape {orientation.shape}; wanted samples on axis 0, and at least one "
            "axis of voxels or grains behind it"
        )
    return dims
