"""How close predicted fields are to simulated ones, over ensembles of any size.

All are exact sums over every voxel, made chunk by chunk and merged; lazy where the data are. NaN
in the data gives NaN.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import xarray as xr

from mksdask.lazy import ArrayLike, is_lazy


def r2(simulated: ArrayLike, predicted: ArrayLike, keep: str | Sequence[str] = ()) -> ArrayLike:
    """Coefficient of determination, 1 - sum (p - s)^2 / sum (s - mean s)^2.

    Parameters
    ----------
    simulated, predicted
        Fields of the same shape. In DataArrays the dimensions are matched by name; in plain arrays
        all axes but the first are axes of space, so give those with components as DataArrays.
    keep
        Dimensions that get a value each, such as ``"sample"`` or ``"step"``; the sums and the mean
        are over all others. If a dimension that is neither kept, ``sample``, ``step`` nor space
        remains (components), each entry's own mean is taken out, and the sums go over all.

    Returns
    -------
    A DataArray if ``simulated`` is one, else an array; lazily where the data are.

    Examples
    --------
    >>> float(r2(np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[0.0, 1.0], [2.0, 2.0]])))
    0.8
    """
    s, p, kept = _matched(simulated, predicted, keep)
    over = [d for d in s.dims if d not in kept]
    components = [d for d in over if d not in ("sample", "step", "x", "y", "z", *_AXES)]
    voxels = [d for d in over if d not in components]
    spread = s.var(voxels, skipna=False).mean(components, skipna=False)
    error = ((p - s) ** 2).mean(over, skipna=False)
    return _as_given(1 - error / spread, simulated)


def mean_absolute_strain_error(
    simulated: ArrayLike, predicted: ArrayLike, keep: str | Sequence[str] = ()
) -> ArrayLike:
    """Mean absolute error as a share of the mean, mean |p - s| / |mean s|.

    Of strain or any other field with a mean far from zero; times 100 it is the percentage that
    papers on localization quote. With several components this is the sum of the mean absolute
    errors over the length of the mean, sqrt(sum_c mean(s_c)^2).

    >>> float(mean_absolute_strain_error(np.array([[1.0, 3.0]]), np.array([[1.0, 2.0]])))
    0.25
    """
    s, p, kept = _matched(simulated, predicted, keep)
    over = [d for d in s.dims if d not in kept]
    components = [d for d in over if d not in ("sample", "step", "x", "y", "z", *_AXES)]
    voxels = [d for d in over if d not in components]
    error = abs(p - s).mean(voxels, skipna=False).sum(components, skipna=False)
    size = np.sqrt((s.mean(voxels, skipna=False) ** 2).sum(components, skipna=False))
    return _as_given(error / size, simulated)


def per_sample(simulated: ArrayLike, predicted: ArrayLike) -> xr.Dataset:
    """Errors of every sample: their distribution, of which one number says little.

    Returns
    -------
    Dataset over ``sample`` with ``r2``, ``mean_absolute_strain_error`` and
    ``largest_absolute_error``; lazy where the data are.

    Examples
    --------
    >>> s = np.array([[0.0, 1.0, 2.0], [0.0, 2.0, 4.0]])
    >>> per_sample(s, s + [[0.0], [1.0]]).largest_absolute_error.values
    array([0., 1.])
    """
    s, p, _ = _matched(simulated, predicted, "sample")
    return xr.Dataset(
        {
            "r2": r2(s, p, "sample"),
            "mean_absolute_strain_error": mean_absolute_strain_error(s, p, "sample"),
            "largest_absolute_error": abs(p - s).max(
                [d for d in s.dims if d != "sample"], skipna=False
            ),
        }
    )


def error_near_border(
    simulated: ArrayLike, predicted: ArrayLike, walls: Sequence[str] = ("x", "y", "z")
) -> xr.DataArray:
    """Root mean square error of the voxels at each distance from the border.

    ``walls`` are the axes whose ends count as border; the result has the dimension ``distance``
    (0 for voxels at the border). In plain arrays all axes but the first have walls.

    >>> error_near_border(np.zeros((1, 5)), np.array([[1.0, 0, 0, 0, 1]])).values
    array([1., 0., 0.])
    """
    s, p, _ = _matched(simulated, predicted, ())
    plain = not isinstance(simulated, xr.DataArray)
    axes = [str(d) for d in s.dims if d in walls or (plain and d in _AXES)]
    if not axes:
        raise ValueError(f"walls is {walls!r}; wanted some of the axes of space {s.dims[1:]}")
    index = np.indices([s.sizes[d] for d in axes])
    ends = np.array([s.sizes[d] - 1 for d in axes]).reshape(-1, *[1] * len(axes))
    distance = xr.DataArray(np.minimum(index, ends - index).min(axis=0), dims=axes)
    others = [d for d in s.dims if d not in axes]
    squares = ((p - s) ** 2).mean(others, skipna=False).transpose(*distance.dims)
    found = []
    for n in range(int(distance.max()) + 1):
        shell = distance == n
        found.append(squares.where(shell, 0).sum(skipna=False) / int(shell.sum()))
    root = xr.concat(found, "distance") ** 0.5
    return root.assign_coords(distance=np.arange(len(found)))


# Axes of plain arrays, samples first.
_AXES = ("axis_1", "axis_2", "axis_3", "axis_4")


def _matched(
    simulated: ArrayLike, predicted: ArrayLike, keep: str | Sequence[str]
) -> tuple[xr.DataArray, xr.DataArray, tuple[Hashable, ...]]:
    """Both as DataArrays in double precision with the same dimensions and samples."""
    kept = (keep,) if isinstance(keep, str) else tuple(keep)
    both = []
    for data, name in ((simulated, "simulated"), (predicted, "predicted")):
        if not isinstance(data, xr.DataArray):
            if not is_lazy(data):
                data = np.asarray(data)
            data = xr.DataArray(data, dims=_plain_dims(data.ndim))
        if data.dtype.kind not in "iubf":
            raise TypeError(f"{name} has dtype {data.dtype}; wanted real numbers")
        both.append(data.astype(np.float64))
    s, p = both
    if isinstance(simulated, xr.DataArray) != isinstance(predicted, xr.DataArray):
        if s.shape != p.shape:
            raise ValueError(f"predicted has shape {p.shape}; wanted {s.shape} as simulated")
        labelled = s if isinstance(simulated, xr.DataArray) else p
        s, p = (a if a is labelled else labelled.copy(data=a.data) for a in (s, p))
    if dict(s.sizes) != dict(p.sizes):
        raise ValueError(
            f"predicted has sizes {dict(p.sizes)}; wanted {dict(s.sizes)} as simulated"
        )
    for d in s.dims:
        both_have = d in s.coords and d in p.coords
        if both_have and not np.array_equal(s[d].values, p[d].values):
            raise ValueError(
                f"the {d!r} coordinates of simulated and predicted differ: bring both into the "
                "same order, for example with xarray.align(..., join='inner')"
            )
    unknown = [d for d in kept if d not in s.dims]
    if unknown:
        raise ValueError(f"keep is {keep!r}; wanted some of the dimensions {s.dims}")
    return s, p.transpose(*s.dims), kept


def _plain_dims(ndim: int) -> tuple[str, ...]:
    return ("sample", *_AXES[: ndim - 1])


def _as_given(found: xr.DataArray, given: ArrayLike) -> ArrayLike:
    return found if isinstance(given, xr.DataArray) else found.data
