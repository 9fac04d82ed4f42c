"""Two-point statistics of ensembles and of single volumes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mksdask.bases import Basis, checked_basis
from mksdask.lazy import ArrayLike, is_lazy, lift, split_dims, sum_tiles
from mksdask.statistics.combine import combine
from mksdask.statistics.correlate import correlations
from mksdask.statistics.lags import Axis, make_axes
from mksdask.statistics.pairs import Plan, make_plan, parse_pairs
from mksdask.statistics.request import (
    Layout,
    check_mask,
    checked_values,
    kept_attrs,
    pair_labels,
    phase_names,
    read_layout,
    read_mask,
)
from mksdask.statistics.tiles import n_tile_sums, reach, statistics_of_sums, tile_sums


def two_point_statistics(
    data: ArrayLike,
    basis: Basis,
    pairs: Any = "all",
    cutoff: Any = None,
    boundary: Any = "periodic",
    mask: ArrayLike | None = None,
) -> ArrayLike:
    """Two-point statistics (spatial correlations) of every sample, lazily.

    f[h, h'; r] = 1/Omega[r] sum_s c[s] conj(m[h; s]) c[s + r] m[h'; s + r]

    with m the microstructure function of ``basis`` and c the mask (1 without one). For phases it is
    the probability that a vector r thrown at random into the sample starts in phase h and ends in
    phase h'. Omega[r] is the number of voxel pairs at lag r: all voxels along periodic axes, those
    with a partner inside the volume along others, and the correlation of c with itself under a
    mask.

    Parameters
    ----------
    data
        Labels or a field. DataArray with dims ``sample`` (or without) and one to three of ``x``,
        ``y``, ``z``; or a Dask or NumPy array with samples on axis 0. A volume that is chunked
        along space is correlated tile by tile, exactly; this needs a ``cutoff``.
    basis
        Basis of the local state, for example ``PrimitiveBasis(n_states=2)``.
    pairs
        ``"all"`` pairs h <= h' (f[h', h; r] = conj f[h, h'; -r] holds the same numbers), ``"auto"``
        (h = h'), ``"cross"`` (h < h'), or a list of pairs of state indices, or of phase names if
        the data have a list of them in ``attrs["phase_names"]``.
    cutoff
        Largest lag in voxels: one number, or one an axis (a sequence or a dict by dimension). None
        keeps all lags: every different one of a periodic axis, every possible one of another.
    boundary
        ``"periodic"``, ``"nonperiodic"``, or one an axis (a sequence or a dict by dimension).
    mask
        Weights in [0, 1] of the voxels, for all samples or one array a sample. Data are not looked
        at where the mask is 0. Lags with less than half a voxel pair left are NaN.

    Returns
    -------
    The kind of array that came in, dims (sample, pair, lag_x[, lag_y[, lag_z]]), with the lags in
    voxels (zero in the middle) and the states of each pair (``pair_first``, ``pair_second``) as
    coordinates. float32 data give float32 statistics, all others float64; complex bases complex
    ones.

    Examples
    --------
    >>> import xarray as xr
    >>> from mksdask.bases import PrimitiveBasis
    >>> phase = xr.DataArray([[0, 0, 1, 1]], dims=("sample", "x"))
    >>> f = two_point_statistics(phase, PrimitiveBasis(n_states=2), pairs=[(0, 0), (0, 1)])
    >>> f.sel(pair="0,0").values, f.lag_x.values
    (array([[0.  , 0.25, 0.5 , 0.25]]), array([-2, -1,  0,  1]))
    """
    problem = read_problem(data, basis, pairs, cutoff, boundary, mask is not None)
    arrays, dims = [data], [problem.layout.dims]
    if mask is not None:
        mask, mask_dims = read_mask(mask, data, problem.layout)
        arrays.append(mask)
        dims.append(mask_dims)
    if not problem.layout.has_sample:
        arrays[0] = data.expand_dims("sample")
    options = {"basis": basis, "axes": problem.axes, "plan": problem.plan}
    tiled = _chunked_space(arrays[0], problem.layout)
    if tiled and cutoff is None:
        raise ValueError(
            f"data is chunked along {tiled}, and cutoff is None, for which whole axes are needed: "
            "give a cutoff in voxels, or one chunk along these axes if they fit in memory"
        )
    kernel: Any = statistics_of_block
    if tiled:
        arrays = [_sums_over_tiles(arrays, dims, problem, options)]
        dims = [("sample", "sum")]
        kernel = statistics_of_sums
        options |= {"masked": mask is not None, "dtype": str(basis.dtype(data.dtype))}
    elif mask is not None:
        arrays[1] = _in_one_piece(mask, mask_dims)
    result = lift(
        kernel,
        *arrays,
        dims=dims,
        out_dims=problem.out_dims,
        sizes=problem.out_sizes,
        dtype=basis.dtype(data.dtype),
        coords=problem.coords,
        attrs={**kept_attrs(data), **problem.attrs, "masked": int(mask is not None)},
        name="two_point_statistics",
        kwargs=options,
    )
    return result if problem.layout.has_sample else result.isel(sample=0)


def _chunked_space(data: ArrayLike, layout: Layout) -> list[str]:
    if not is_lazy(data):
        return []
    labelled = data if isinstance(data, xr.DataArray) else xr.DataArray(data, dims=layout.dims)
    return split_dims(labelled, layout.space)


def _in_one_piece(mask: ArrayLike, dims: Sequence[str]) -> ArrayLike:
    """A lazy mask whose axes of space are each one chunk, as those of the data are."""
    whole = {i: -1 for i, d in enumerate(dims) if d != "sample"}
    if not is_lazy(mask):
        return mask
    if isinstance(mask, xr.DataArray):
        return mask.chunk({dims[i]: -1 for i in whole})
    return mask.rechunk(whole)


def _sums_over_tiles(
    arrays: Sequence[ArrayLike],
    dims: Sequence[Sequence[str]],
    problem: Problem,
    options: dict[str, Any],
) -> ArrayLike:
    space, axes = problem.layout.space, problem.axes
    return sum_tiles(
        tile_sums,
        *arrays,
        dims=dims,
        space=space,
        reach=dict(zip(space, reach(axes), strict=True)),
        wrap=[d for d, axis in zip(space, axes, strict=True) if axis.periodic],
        sizes={"sum": n_tile_sums(axes, problem.plan, masked=len(arrays) > 1)},
        dtype=np.complex128 if problem.basis.is_complex else np.float64,
        kwargs=options,
    )


@dataclass(frozen=True)
class Problem:
    """One call, read and checked."""

    basis: Basis
    layout: Layout
    axes: tuple[Axis, ...]
    plan: Plan
    names: tuple[str, ...] | None

    @property
    def out_dims(self) -> tuple[str, ...]:
        """Dimensions of the statistics."""
        return ("sample", "pair", *(f"lag_{d}" for d in self.layout.space))

    @property
    def out_sizes(self) -> dict[str, int]:
        """Lengths of the dimensions that the statistics have and the data have not."""
        sizes = [len(self.plan.pairs), *(len(axis.lags) for axis in self.axes)]
        return dict(zip(self.out_dims[1:], sizes, strict=True))

    @property
    def coords(self) -> dict[str, Any]:
        """Pairs by name and by states, and the lags in voxels."""
        first, second = np.array(self.plan.pairs).T
        return {
            "pair": pair_labels(self.plan.pairs, self.names),
            "pair_first": ("pair", first),
            "pair_second": ("pair", second),
            **{d: axis.lags for d, axis in zip(self.out_dims[2:], self.axes, strict=True)},
        }

    @property
    def attrs(self) -> dict[str, Any]:
        """How the statistics came about, in types that every file format takes."""
        return {
            "basis": json.dumps(self.basis.to_dict()),
            "cutoff": [axis.cutoff for axis in self.axes],
            "boundary": ["periodic" if axis.periodic else "nonperiodic" for axis in self.axes],
            "shape": list(self.layout.sizes),
        }


def read_problem(
    data: ArrayLike, basis: Basis, pairs: Any, cutoff: Any, boundary: Any, masked: bool
) -> Problem:
    """Check the arguments of :func:`two_point_statistics` against the data's shape."""
    layout = read_layout(data, checked_basis(basis))
    axes = make_axes(layout.space, layout.sizes, cutoff, boundary)
    names = phase_names(data, basis.n_states)
    wanted = parse_pairs(pairs, basis.n_states, names)
    conjugates = [basis.conjugate(h) for h in range(basis.n_states)] if basis.is_complex else None
    plan = make_plan(wanted, basis.n_states, basis.redundant, masked, conjugates)
    return Problem(basis, layout, axes, plan, names)


def statistics_of_block(
    block: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    basis: Basis,
    axes: Sequence[Axis],
    plan: Plan,
) -> np.ndarray:
    """Kernel: (samples, *space, *state_dims) to (samples, pairs, *lags)."""
    dtype = basis.dtype(block.dtype)
    weight = None
    if mask is not None:
        check_mask(mask, len(axes))
        weight = mask if mask.ndim > len(axes) else mask[None]
    block = checked_values(block, weight, basis)
    sums = correlations(block, weight, basis, axes, plan.terms)
    return combine(sums, plan, axes, weight is not None).astype(dtype, copy=False)
