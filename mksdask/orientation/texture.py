"""Texture: the distribution of orientations in a sample, as coefficients of harmonics."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mksdask.bases import GSHBasis
from mksdask.errors import DataError
from mksdask.lazy import ArrayLike, lift
from mksdask.orientation.layout import sample_dims

_BATCH = 2**15


def texture_coefficients(
    orientation: ArrayLike, basis: GSHBasis, weights: ArrayLike | None = None
) -> ArrayLike:
    """Mean of the harmonics over the voxels of every sample, lazily: C_h = <T_h(g)>.

    They are the coefficients of the orientation distribution function, see :func:`odf`. The
    coefficients of an ensemble are the mean of those of its samples
    (``coefficients.mean("sample")``).

    Parameters
    ----------
    orientation
        Bunge Euler angles (sample, ..., euler) in radians; axis 0 of plain arrays is the sample.
    basis
        For example ``GSHBasis("cubic", max_degree=8)``.
    weights
        Of the voxels or grains, (sample, ...), for instance their volumes; NaN orientations of
        weight 0 are not looked at.

    Returns
    -------
    (sample, state), the kind of array that came in.

    Examples
    --------
    >>> angles = np.array([[[0.0, 0, 0], [np.pi / 2, 0, 0]]])
    >>> texture_coefficients(angles, GSHBasis("cubic", indices=[(0, 0, 1), (4, 0, 1)])).round(3)
    array([[1.   , 6.874]])
    """
    checked_harmonics(basis)
    dims = sample_dims(orientation)
    arrays, names = [orientation], [(*dims, "euler")]
    if weights is not None:
        arrays.append(weights)
        names.append(dims)
    return lift(
        _means,
        *arrays,
        dims=names,
        out_dims=(dims[0], "state"),
        sizes={"state": basis.n_states},
        dtype=np.result_type(basis.dtype(np.float64)),
        coords=_state_coords(basis),
        attrs={"symmetry": basis.symmetry},
        name="texture_coefficients",
        kwargs={"basis": basis},
    )


def odf(coefficients: ArrayLike, basis: GSHBasis, orientation: np.ndarray) -> ArrayLike:
    """Orientation distribution function at some orientations, in multiples of the uniform one.

    f(g) = sum_h conj(C_h) T_h(g) / (2 l_h + 1), which is 1 for a uniform texture. Cut at the degree
    of the basis, it may be negative where there are no crystals.

    Parameters
    ----------
    coefficients
        (sample, state) of :func:`texture_coefficients` with the same basis.
    orientation
        Bunge Euler angles (..., 3) in radians.

    Returns
    -------
    (sample, orientation), real, with the orientations in one row.

    Examples
    --------
    >>> basis = GSHBasis("cubic", max_degree=4)
    >>> c = texture_coefficients(np.zeros((1, 1, 3)), basis)
    >>> odf(c, basis, np.array([[0.0, 0, 0], [0.6, 0.7, 0]])).round(2)
    array([[10.  , -2.22]])
    """
    checked_harmonics(basis)
    harmonics = basis.expand(np.asarray(orientation, float)).reshape(-1, basis.n_states)
    values = (harmonics / (2 * basis.degrees + 1)).T
    _check_coefficients(coefficients, basis)
    return lift(
        _density,
        coefficients.drop_vars(
            [c for c in ("degree", "order", "invariant") if c in coefficients.coords]
        )
        if isinstance(coefficients, xr.DataArray)
        else coefficients,
        values,
        dims=[("sample", "state"), ("state", "orientation")],
        out_dims=("sample", "orientation"),
        dtype=np.float64,
        name="odf",
    )


def texture_index(coefficients: ArrayLike, basis: GSHBasis) -> ArrayLike:
    """Mean square of the distribution function: sum_h |C_h|^2 / (2 l_h + 1); 1 if uniform.

    >>> texture_index(np.array([[1.0, 0, 0]]), GSHBasis("cubic", indices=[(0, 0, 1), (4, 0, 1),
    ...                                                                   (4, 1, 1)]))
    array([1.])
    """
    checked_harmonics(basis)
    _check_coefficients(coefficients, basis)
    return lift(
        _index,
        coefficients,
        dims=[("sample", "state")],
        out_dims=("sample",),
        dtype=np.float64,
        name="texture_index",
        kwargs={"degrees": basis.degrees},
    )


def checked_harmonics(basis: Any) -> GSHBasis:
    """``basis`` if it is one of harmonics, or what to give."""
    if not isinstance(basis, GSHBasis):
        raise TypeError(f"basis is {basis!r}; wanted GSHBasis(symmetry, max_degree)")
    return basis


def _check_coefficients(coefficients: ArrayLike, basis: GSHBasis) -> None:
    last = coefficients.shape[-1:]
    if isinstance(coefficients, xr.DataArray):
        last = tuple(coefficients.sizes[d] for d in coefficients.dims if d == "state")
    if coefficients.ndim != 2 or last != (basis.n_states,):
        raise ValueError(
            f"coefficients has shape {coefficients.shape}; wanted (sample, {basis.n_states}) "
            f"for {basis!r}"
        )


def _state_coords(basis: GSHBasis) -> dict[str, Any]:
    degree, order, invariant = np.array(basis.functions).T
    return {
        "state": np.arange(basis.n_states),
        "degree": ("state", degree),
        "order": ("state", order),
        "invariant": ("state", invariant),
    }


def _means(block: np.ndarray, weights: np.ndarray | None = None, *, basis: GSHBasis) -> np.ndarray:
    out = np.zeros((len(block), basis.n_states), basis.dtype(np.float64))
    for j, sample in enumerate(block):
        flat = sample.reshape(-1, 3).astype(float, copy=False)
        weight = np.ones(len(flat)) if weights is None else weights[j].ravel().astype(float)
        if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
            raise DataError(
                "weights has negative or NaN values, or none above 0 in a sample; wanted weights "
                "of at least 0"
            )
        flat, weight = flat[weight > 0], weight[weight > 0]
        for start in range(0, len(flat), _BATCH):
            part = slice(start, start + _BATCH)
            basis.check(flat[part])
            out[j] += basis.coefficients(flat[part], range(basis.n_states)) @ weight[part]
        out[j] /= weight.sum()
    return out


def _density(coefficients: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray((coefficients.conj() @ values).real, dtype=np.float64)


def _index(coefficients: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    return (np.abs(coefficients) ** 2 / (2 * degrees + 1)).sum(axis=1).astype(np.float64)
