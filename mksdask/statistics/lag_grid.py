"""The axes of computed statistics: which are lags, where lag zero is, how far a step reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

PREFIX = "lag_"
SPACE = ("x", "y", "z")


@dataclass(frozen=True)
class LagGrid:
    """What is known of the axes of statistics before looking at their values."""

    #: Names of the axes before the lags, such as ``sample`` and ``pair``.
    leading: tuple[str, ...]
    #: Names of the lag axes.
    dims: tuple[str, ...]
    #: Lags of each of them, in voxels.
    lags: tuple[np.ndarray, ...]
    #: Edge lengths of a voxel, if the array tells.
    voxel_size: tuple[float, ...] | None
    #: Their unit, empty if the array does not tell.
    unit: str

    @property
    def all_dims(self) -> tuple[str, ...]:
        """Names of all axes in the order in which kernels want them."""
        return self.leading + self.dims

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return tuple(len(lag) for lag in self.lags)

    def index(self, axis: int, lag: int) -> int:
        """Position of ``lag`` along lag axis ``axis``."""
        found = np.flatnonzero(self.lags[axis] == lag)
        if len(found) != 1:
            lags = self.lags[axis]
            raise ValueError(
                f"{self.dims[axis]} goes from {lags.min()} to {lags.max()}; wanted the lag {lag} "
                "among them once: compute the statistics with a cutoff of at least 1 voxel and "
                "keep lag 0 and its neighbours"
            )
        return int(found[0])

    def zero(self) -> tuple[int, ...]:
        """Position of lag zero along each axis."""
        return tuple(self.index(axis, 0) for axis in range(len(self.dims)))

    def steps(self, physical: bool | None) -> tuple[tuple[float, ...], str]:
        """Edge lengths of a voxel and their unit, as :func:`resolve_steps` decides."""
        return resolve_steps(physical, self.voxel_size, self.unit, len(self.dims))


def lag_grid(f: Any) -> LagGrid:
    """Read the axes of statistics ``f``.

    >>> lag_grid(np.zeros((4, 3, 8, 5))).lags
    (array([-4, -3, -2, -1,  0,  1,  2,  3]), array([-2, -1,  0,  1,  2]))
    """
    if not isinstance(f, xr.DataArray):
        shape = np.shape(f) if not hasattr(f, "shape") else f.shape
        n_lags = len(shape) - 2
        if not 1 <= n_lags <= 3:
            raise ValueError(
                f"the statistics have {len(shape)} axes of shape {tuple(shape)}; wanted 3 to 5: "
                "sample, pair and one lag axis for each of 1 to 3 dimensions of space"
            )
        lags = tuple(_centred(n) for n in shape[2:])
        dims = tuple(PREFIX + d for d in SPACE[:n_lags])
        return LagGrid(("sample", "pair"), dims, lags, None, "")
    dims = tuple(d for d in (PREFIX + s for s in SPACE) if d in f.dims)
    if not dims:
        raise ValueError(
            f"the statistics have dims {tuple(map(str, f.dims))}; wanted some of lag_x, lag_y, "
            "lag_z"
        )
    for d in f.dims:
        if f.sizes[d] == 0:
            raise ValueError(f"the statistics have dimension {str(d)!r} of length 0")
    leading = tuple(str(d) for d in f.dims if d not in dims)
    lags = tuple(
        np.asarray(f.coords[d].values) if d in f.coords else _centred(f.sizes[d]) for d in dims
    )
    size, unit = voxel_attrs(f.attrs, [d.removeprefix(PREFIX) for d in dims])
    return LagGrid(leading, dims, lags, size, unit)


def voxel_attrs(
    attrs: Mapping[Any, Any], axes: Sequence[str]
) -> tuple[tuple[float, ...] | None, str]:
    """``voxel_size`` along each of ``axes`` and ``voxel_unit`` of an array, if its attrs tell.

    One number holds for all axes. Of a plane or line selected from a volume, whose attributes
    still have all axes, the sizes along those left are taken.

    >>> voxel_attrs({"voxel_size": [0.5, 2], "voxel_unit": "um"}, ("x", "y"))
    ((0.5, 2.0), 'um')
    >>> voxel_attrs({"voxel_size": [0.5, 2, 1]}, ("y",))
    ((2.0,), '')
    """
    if "voxel_size" not in attrs:
        return None, ""
    size = np.asarray(attrs["voxel_size"], dtype=float)
    if size.ndim == 0:
        size = np.full(len(axes), size)
    places = [SPACE.index(axis) for axis in axes]
    if len(axes) < len(size) and max(places) < len(size):
        size = size[places]
    if size.shape != (len(axes),) or not (np.isfinite(size) & (size > 0)).all():
        raise ValueError(
            f"attribute 'voxel_size' is {attrs['voxel_size']!r}; wanted {len(axes)} positive "
            f"numbers, one for each of {tuple(axes)}"
        )
    return tuple(size.tolist()), str(attrs.get("voxel_unit", ""))


def resolve_steps(
    physical: bool | None, size: tuple[float, ...] | None, unit: str, n_axes: int
) -> tuple[tuple[float, ...], str]:
    """Step along each axis and its unit: voxels, or the lengths in the attributes.

    ``physical=None`` means voxels where all axes have the same step (or none is known), and is
    refused where they differ, because distances in voxels then mean nothing.

    >>> resolve_steps(True, (0.5, 0.5), "um", 2), resolve_steps(None, (0.5, 0.5), "um", 2)
    (((0.5, 0.5), 'um'), ((1.0, 1.0), 'voxel'))
    """
    if physical:
        if size is None:
            raise ValueError(
                "physical is True, but the statistics have no attribute 'voxel_size': set it, for "
                "example f.attrs.update(voxel_size=[0.5, 0.5], voxel_unit='um')"
            )
        return size, unit
    if physical is None and size is not None and max(size) > min(size) * (1 + 1e-9):
        raise ValueError(
            f"voxels measure {' x '.join(f'{s:g}' for s in size)} {unit}".rstrip()
            + ": lengths in voxels differ by axis; say physical=True for true lengths or "
            "physical=False to count voxels all the same"
        )
    return (1.0,) * n_axes, "voxel"


def auto_pairs(f: xr.DataArray) -> np.ndarray:
    """For each entry of ``pair``, whether it correlates a state with itself."""
    first, second = pair_states(f)
    return first == second


def pair_states(f: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """First and second state of each entry of ``pair``."""
    missing = [c for c in ("pair_first", "pair_second") if c not in f.coords]
    if missing:
        raise ValueError(
            f"the statistics have no coordinate {missing[0]!r}; wanted the output of "
            "two_point_statistics, in which pair_first and pair_second say what is correlated"
        )
    return np.atleast_1d(f["pair_first"].values), np.atleast_1d(f["pair_second"].values)


def select_pairs(f: xr.DataArray, keep: np.ndarray) -> xr.DataArray:
    """Keep some entries of ``pair``, leaving ``f`` alone if it keeps all or has no such axis."""
    if keep.all() or "pair" not in f.dims:
        return f
    return f.isel(pair=np.flatnonzero(keep))


def _centred(n: int) -> np.ndarray:
    return np.arange(n) - n // 2
