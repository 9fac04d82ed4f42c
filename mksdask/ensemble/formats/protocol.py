"""What every reader of a foreign format says about a file, and what it may be told.

A reader is a module with two functions (and ``write``, where we export that format)::

    probe(path, options) -> Info            # from the header, without decoding
    read(path, options, region) -> ndarray  # the part ``region`` of it, or all (None)

Arrays and regions have the axes of the file (``Info.shape``). Turning them into ``x, y, z`` is done
in one place, :mod:`mksdask.ensemble.sources`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import xarray as xr

Region = tuple[slice, ...] | None


@dataclass(frozen=True)
class RawLayout:
    """How the values of a raw binary file lie.

    ``shape`` is given in the order of the axes (x, y, z); ``order="F"`` if the first of them runs
    fastest (as in most simulation codes), ``"C"`` if the last does. ``offset`` is the length of the
    header in bytes.

    >>> RawLayout((64, 64, 32), "<u2", order="F").nbytes
    262144
    """

    shape: tuple[int, ...]
    dtype: Any
    order: Literal["C", "F"] = "C"
    offset: int = 0

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if not shape or min(shape) < 1:
            raise ValueError(
                f"raw shape is {self.shape}; wanted positive lengths, such as (64, 64, 64)"
            )
        if self.order not in ("C", "F"):
            raise ValueError(
                f"raw order is {self.order!r}; wanted 'C' (last axis fastest) or 'F' (x fastest)"
            )
        if self.offset < 0:
            raise ValueError(
                f"raw offset is {self.offset}; wanted the length of the header in bytes"
            )
        try:
            dtype = np.dtype(self.dtype)
        except TypeError:
            raise ValueError(
                f"raw dtype is {self.dtype!r}; wanted a NumPy type such as 'uint8' or '>f4'"
            ) from None
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "dtype", dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of the values, without the header."""
        return int(np.prod(self.shape, dtype=np.int64)) * int(self.dtype.itemsize)


@dataclass(frozen=True)
class Options:
    """What a reader may be told beyond the path."""

    dataset: str | None = None
    variable: str | None = None
    channel: int | None = None
    raw: RawLayout | None = None


@dataclass(frozen=True)
class Info:
    """What the header of a file says.

    Attributes
    ----------
    shape, dtype
        Of the array in the file, in the file's own order of axes.
    order
        ``"zyx"`` if the format fixes the slowest axis as z (images, VTK), ``"xyz"`` if the array
        is taken as it is.
    components
        Whether a last axis of components follows those of space; None if the format cannot say.
    sliceable
        How many leading axes can be read in part without decoding the rest.
    spacing, unit
        Voxel size along x, y, z as the file says it, or None.
    phase_names
        Names of the labels, if the file has them.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: str = "xyz"
    components: bool | None = None
    sliceable: int = 0
    spacing: tuple[float, ...] | None = None
    unit: str | None = None
    phase_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Exported:
    """What a writer gets: lazy or NumPy-backed variables on one grid, and what the voxels measure."""

    fields: Mapping[str, xr.DataArray]
    spacing: tuple[float, ...] | None = None
    unit: str = ""
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def only(self, kind: str) -> xr.DataArray:
        """The one variable of a format that holds one."""
        if len(self.fields) != 1:
            raise ValueError(
                f"{kind} holds one variable; data has {sorted(self.fields)}: choose with variable="
            )
        return next(iter(self.fields.values()))


def file_size(path: str) -> int:
    """Bytes of a file."""
    return os.stat(path).st_size


def require_bytes(path: str, wanted: int) -> None:
    """Raise if a file is shorter than its own header promises."""
    found = file_size(path)
    if found < wanted:
        raise ValueError(f"truncated: {found} bytes where its header promises {wanted}")


def whole(region: Region, array: np.ndarray) -> np.ndarray:
    """Cut ``region`` out of an array that had to be decoded whole."""
    return array if region is None else array[region]
