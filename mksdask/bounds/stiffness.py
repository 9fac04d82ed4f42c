"""What the two-point statistics of a cell say of its stiffness without any training."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from mksdask.bounds.comparison import softest, stiffest
from mksdask.bounds.interaction import upper_pairs
from mksdask.bounds.willis import Source, bounds_of_block, self_consistent_of_block
from mksdask.lazy import ArrayLike, lift
from mksdask.simulate.arguments import labelled_cells, voxel_edges
from mksdask.simulate.cells import elastic_table, voigt_scale
from mksdask.simulate.stiffness import TENSOR, in_plane
from mksdask.statistics.lag_grid import PREFIX, lag_grid, pair_states

BOUNDS = ("lower", "upper")


def stiffness_bounds(
    data: ArrayLike,
    youngs_modulus: Any = None,
    poissons_ratio: Any = None,
    *,
    stiffness: Any = None,
    plane: str = "strain",
) -> ArrayLike:
    """Hashin-Shtrikman-Willis bounds of the effective stiffness of periodic cells, lazily.

    The bounds of the energy that use the volume fractions and the two-point statistics, all of
    them, so that they see elongated and layered shapes:

        C = C0 + sum_r v_r (C_r - C0) e_r,    v_r e_r + sum_s A_rs (C_s - C0) e_s = v_r I,
        A_rs = 1/S^2 sum_{k != 0} Re[m_r^(k)* m_s^(k)] Gamma0(k),

    with the softest phase for the medium C0 in the lower bound and the stiffest in the upper (where
    the phases are not in such an order, a medium below or above all of them). Gamma0 is the Green
    operator of the elements of :func:`mksdask.simulate.effective_stiffness`, so the bounds hold for
    what it computes: upper - C and C - lower have no negative eigenvalues. In particular each
    diagonal constant (C1111, C1212 ...) lies between those of the bounds; off-diagonal constants
    need not. For layers both bounds are exact.

    Parameters
    ----------
    data
        Integer labels, as for :func:`mksdask.simulate.elasticity`; or two-point statistics, the
        DataArray of :func:`mksdask.two_point_statistics` with a ``PrimitiveBasis``, periodic, all
        lags, and every pair of all phases but one (for two phases ``pairs=[(1, 1)]`` is enough).
        Voxels are boxes of the edges ``attrs["voxel_size"]``, cubes without it.
    youngs_modulus, poissons_ratio, stiffness, plane
        Of the phases, as for :func:`mksdask.simulate.elasticity`.

    Returns
    -------
    The kind of array that came in, dims (sample, bound, tensor, tensor_2): ``bound`` is lower and
    upper, the tensor is in Voigt order with engineering shear. Always float64.

    Examples
    --------
    Layers in series across, where both bounds are exact, and a checkerboard.

    >>> layers = np.repeat([0, 1], 2)[None, :, None] * np.ones((1, 4, 4), int)
    >>> stiffness_bounds(layers, (1, 3), (0, 0))[0, :, 0, 0].round(6)
    array([1.5, 1.5])
    >>> checkers = (np.indices((4, 4)) // 2).sum(axis=0)[None] % 2
    >>> stiffness_bounds(checkers, (1, 3), (0, 0))[0, :, 0, 0].round(4)
    array([1.6571, 1.7802])
    """
    cells, options = _problem(data, youngs_modulus, poissons_ratio, stiffness, plane)
    return _lifted(bounds_of_block, cells, options, "stiffness_bounds", ("bound",))


def self_consistent_stiffness(
    data: ArrayLike,
    youngs_modulus: Any = None,
    poissons_ratio: Any = None,
    *,
    stiffness: Any = None,
    plane: str = "strain",
    tolerance: float = 1e-6,
) -> ArrayLike:
    """Self-consistent estimate of the effective stiffness from two-point statistics, lazily.

    The estimate of :func:`stiffness_bounds` in a medium C0 that is the estimate itself, found by
    repeating it. It lies between the bounds, treats the phases alike, and needs no training.

    Parameters
    ----------
    data, youngs_modulus, poissons_ratio, stiffness, plane
        As for :func:`stiffness_bounds`.
    tolerance
        Largest change of a constant in the last step, relative to the largest constant.

    Returns
    -------
    The kind of array that came in, dims (sample, tensor, tensor_2), float64.

    Examples
    --------
    >>> checkers = (np.indices((4, 4)) // 2).sum(axis=0)[None] % 2
    >>> self_consistent_stiffness(checkers, (1, 3), (0, 0))[0, 0, 0].round(4)
    np.float64(1.7184)
    """
    if not 1e-12 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; wanted a number from 1e-12 to 1")
    cells, options = _problem(data, youngs_modulus, poissons_ratio, stiffness, plane)
    options["tolerance"] = float(tolerance)
    return _lifted(self_consistent_of_block, cells, options, "self_consistent_stiffness", ())


class _Data:
    """An array of labels or of statistics, and how its axes are called."""

    def __init__(self, data: ArrayLike):
        self.statistics = isinstance(data, xr.DataArray) and any(
            str(d).startswith(PREFIX) for d in data.dims
        )
        if self.statistics:
            self.single = "sample" not in data.dims
            grid = lag_grid(data.expand_dims("sample") if self.single else data)
            self.space = grid.dims
            self.dims: tuple[str, ...] = ("sample", "pair", *grid.dims)
            if "pair" not in data.dims and "pair_first" in data.coords:
                data = data.expand_dims("pair")
            self.array = data.expand_dims("sample") if self.single else data
            edges = data.attrs.get("voxel_size")
            self.voxel = voxel_edges(edges, len(self.space), "the statistics")
        else:
            cells = labelled_cells(data)
            self.single, self.space = cells.single, cells.space
            self.array, self.dims, self.voxel = cells.arrays[0], cells.dims[0], cells.voxel


def phase_table(
    youngs_modulus: Any, poissons_ratio: Any, stiffness: Any, plane: str, dimensions: int
) -> np.ndarray:
    """Stiffness of each phase in the components of a cell, (phase, 6, 6) or (phase, 3, 3).

    >>> phase_table((1, 3), (0, 0), None, "strain", 2).shape
    (2, 3, 3)
    """
    if plane not in ("strain", "stress"):
        raise ValueError(f"plane is {plane!r}; wanted 'strain' or 'stress'")
    table, _ = elastic_table(youngs_modulus, poissons_ratio, stiffness, dimensions)
    if dimensions == 2 and table.shape[-1] == 6:
        return in_plane(table, plane)
    if plane == "stress" and dimensions == 3:
        raise ValueError("plane is 'stress' and the cells are 3D; wanted cells with x and y only")
    return table


def _problem(
    data: ArrayLike, youngs_modulus: Any, poissons_ratio: Any, stiffness: Any, plane: str
) -> tuple[_Data, dict[str, Any]]:
    cells = _Data(data)
    if len(cells.space) not in (2, 3):
        raise ValueError(f"data has the axes {cells.space}; wanted two or three of space")
    table = phase_table(youngs_modulus, poissons_ratio, stiffness, plane, len(cells.space))
    source = Source(len(table))
    if cells.statistics:
        order, pairs = _usable_pairs(cells.array, len(table))
        table, source = table[order], Source(len(table), pairs)
    return cells, options_of(table, cells.voxel, source)


def options_of(table: np.ndarray, voxel: tuple[float, ...], source: Source) -> dict[str, Any]:
    """Arguments of the kernels for phases of stiffness ``table`` in voxels of these edges."""
    scale = voigt_scale(voxel)
    media = np.stack([softest(table), stiffest(table)])
    both = np.multiply.outer(scale, scale)
    return {"table": table * both, "media": media * both, "scale": scale, "source": source}


def _lifted(
    kernel: Any,
    cells: _Data,
    options: dict[str, Any],
    name: str,
    leading: tuple[str, ...],
) -> ArrayLike:
    labels = list(TENSOR[len(cells.space)])
    coords: dict[str, Any] = {"tensor": labels, "tensor_2": labels}
    sizes = {"tensor": len(labels), "tensor_2": len(labels)}
    if leading:
        coords["bound"], sizes["bound"] = list(BOUNDS), len(BOUNDS)
    result = lift(
        kernel,
        cells.array,
        dims=[cells.dims],
        out_dims=("sample", *leading, "tensor", "tensor_2"),
        sizes=sizes,
        coords=coords,
        dtype=np.float64,
        name=name,
        kwargs=options,
    )
    return result.isel(sample=0, drop=True) if cells.single else result


def _usable_pairs(f: xr.DataArray, n_phases: int) -> tuple[list[int], tuple[int, ...]]:
    """Order of the phases, the one that is left out first, and where the others' pairs are."""
    missing = [k for k in ("basis", "boundary", "shape") if k not in f.attrs]
    if missing:
        raise ValueError(
            f"the statistics have no attribute {missing[0]!r}; wanted the output of "
            "two_point_statistics with its attributes, which say how it came about"
        )
    basis = json.loads(f.attrs["basis"])
    if basis.get("kind") != "primitive" or basis.get("n_states") != n_phases:
        raise ValueError(
            f"the statistics are of the basis {f.attrs['basis']}, and moduli are given for "
            f"{n_phases} phases; wanted PrimitiveBasis(n_states={n_phases}) of labels"
        )
    sizes = [f.sizes[d] for d in lag_grid(f).dims]
    boundary = set(np.atleast_1d(f.attrs["boundary"]).tolist())
    if boundary != {"periodic"} or sizes != np.ravel(f.attrs["shape"]).tolist():
        raise ValueError(
            f"the statistics have boundary {sorted(boundary)} and {sizes} lags of cells of "
            f"{np.ravel(f.attrs['shape']).tolist()}; wanted all lags of periodic cells: compute "
            "them with boundary='periodic' and cutoff=None"
        )
    if f.attrs.get("masked"):
        raise ValueError("the statistics are of a masked volume; wanted whole cells")
    first, second = pair_states(f)
    where = {
        tuple(sorted(pair)): n
        for n, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True))
    }
    for left_out in range(n_phases):
        order = [left_out, *(s for s in range(n_phases) if s != left_out)]
        wanted = [(order[a + 1], order[b + 1]) for a, b in upper_pairs(n_phases - 1)]
        if all(pair in where for pair in wanted):
            return order, tuple(where[pair] for pair in wanted)
    raise ValueError(
        f"the statistics have the pairs {sorted(where)} of {n_phases} phases; wanted every pair "
        "of all phases but one, as pairs='all' gives"
    )
