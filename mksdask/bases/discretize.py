"""From a microstructure to its microstructure function."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mksdask.bases.base import Basis, checked_state_axes
from mksdask.lazy import ArrayLike, lift


def discretize(data: ArrayLike, basis: Basis) -> ArrayLike:
    """Expand a microstructure in a basis of the local state, lazily.

    m[s, h] = chi_h(x[s]): every voxel's state becomes ``n_states`` coefficients on a new last
    axis (dimension ``state`` of a DataArray). Works on any dimensions and chunks.

    Parameters
    ----------
    data
        DataArray, Dask or NumPy array of labels or of a field.
    basis
        For example ``PrimitiveBasis(n_states=2)``.

    Returns
    -------
    The kind of array that came in, of shape (..., n_states); float32 data give single precision.

    Examples
    --------
    >>> from mksdask.bases import PrimitiveBasis
    >>> phase = xr.DataArray([[0, 1, 1]], dims=("sample", "x"))
    >>> m = discretize(phase, PrimitiveBasis(n_states=2))
    >>> m.dims, m.sel(state=1).values
    (('sample', 'x', 'state'), array([[0., 1., 1.]]))
    """
    checked_basis(basis)
    dims = _dims(data, basis)
    kept = tuple(d for d in dims if d not in basis.state_dims)
    return lift(
        _expand,
        data,
        dims=[dims],
        out_dims=(*kept, "state"),
        sizes={"state": basis.n_states},
        dtype=basis.dtype(data.dtype),
        coords={"state": np.arange(basis.n_states)},
        attrs=getattr(data, "attrs", None),
        name="microstructure_function",
        kwargs={"basis": basis},
    )


def checked_basis(basis: Any) -> Basis:
    """Return ``basis`` if it is one, else say what to give."""
    if not isinstance(basis, Basis):
        raise TypeError(f"basis is {basis!r}; wanted a basis such as PrimitiveBasis(n_states=2)")
    return basis


def _dims(data: ArrayLike, basis: Basis) -> tuple[str, ...]:
    if isinstance(data, xr.DataArray):
        if "state" in data.dims:
            raise ValueError(f"data has dims {data.dims}: it is expanded already")
        missing = [d for d in basis.state_dims if d not in data.dims]
        if missing:
            raise ValueError(f"data has dims {data.dims}; {basis!r} wants a dimension {missing}")
        checked_state_axes(basis, [data.sizes[d] for d in basis.state_dims])
        kept = (str(d) for d in data.dims if d not in basis.state_dims)
        return (*kept, *basis.state_dims)
    checked_state_axes(basis, data.shape)
    n = data.ndim - len(basis.state_dims)
    return (*(f"axis{i}" for i in range(n)), *basis.state_dims)


def _expand(block: np.ndarray, basis: Basis) -> np.ndarray:
    return basis.expand(block)
