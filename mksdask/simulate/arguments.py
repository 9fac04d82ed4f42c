"""Arguments shared by the solvers on periodic cells, checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mksdask.errors import missing_extra
from mksdask.lazy import ArrayLike

SPACE = ("x", "y", "z")
ENGINES = ("fft", "sfepy")


@dataclass(frozen=True)
class Control:
    """How to solve, and what to do where that fails."""

    engine: str
    tolerance: float
    exactly: int | None
    on_failure: str
    threads: int

    @classmethod
    def checked(
        cls,
        engine: str,
        tolerance: float | None,
        max_iterations: int | None,
        on_failure: str,
        dtype: np.dtype[Any],
        threads: int,
    ) -> Control:
        """Check each argument; fill in the default tolerance of the precision."""
        if engine not in ENGINES:
            raise ValueError(f"engine is {engine!r}; wanted one of {ENGINES}")
        if engine == "sfepy":
            from importlib.util import find_spec

            if find_spec("sfepy") is None:
                raise missing_extra("sfepy", "sfepy", 'engine="sfepy"')
            if max_iterations is not None:
                raise ValueError("max_iterations is for engine='fft'; engine='sfepy' is direct")
        if tolerance is None:
            tolerance = 1e-4 if dtype == np.float32 else 1e-6
        least = 5e-6 if dtype == np.float32 else 1e-14
        if not least <= tolerance < 1:
            raise ValueError(
                f"tolerance is {tolerance}; wanted a number from {least:g}, which {np.dtype(dtype)} "
                "can reach, to 1"
            )
        if max_iterations is not None and (
            not isinstance(max_iterations, int | np.integer) or max_iterations < 0
        ):
            raise ValueError(f"max_iterations is {max_iterations!r}; wanted None or a count >= 0")
        if on_failure not in ("raise", "flag"):
            raise ValueError(f"on_failure is {on_failure!r}; wanted 'raise' or 'flag'")
        if not isinstance(threads, int | np.integer) or threads < 1:
            raise ValueError(f"threads is {threads!r}; wanted a count >= 1")
        exactly = None if max_iterations is None else int(max_iterations)
        return cls(engine, float(tolerance), exactly, on_failure, int(threads))


def checked_dtype(dtype: Any) -> np.dtype[Any]:
    """float32 or float64.

    >>> checked_dtype("float32")
    dtype('float32')
    """
    found = np.dtype(dtype)
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype is {found}; wanted float32 or float64")
    return found


@dataclass
class Cells:
    """Arrays that describe the cells, with a sample dimension, ready to be lifted."""

    arrays: list[ArrayLike]
    dims: list[tuple[str, ...]]
    space: tuple[str, ...]
    single: bool  # a DataArray without samples came in

    def add(self, array: ArrayLike, name: str, trailing: tuple[str, ...], n: int) -> None:
        """Another array over the same cells, with ``trailing`` axes of length ``n``."""
        wanted = (*(("sample",) if not self.single else ()), *self.space, *trailing)
        if isinstance(array, xr.DataArray):
            if set(array.dims) != set(wanted):
                raise ValueError(f"{name} has dims {array.dims}; wanted {wanted}")
            sizes = [array.sizes[t] for t in trailing]
            array = array.expand_dims("sample") if self.single else array
        else:
            array = array if hasattr(array, "ndim") else np.asarray(array)
            if array.ndim != len(wanted):
                raise ValueError(
                    f"{name} has {array.ndim} axes of shape {array.shape}; wanted {len(wanted)}: "
                    f"{wanted}"
                )
            sizes = list(array.shape[-len(trailing) :])
            array = array[None] if self.single else array
        if array.dtype.kind != "f":
            raise TypeError(f"{name} holds {array.dtype}; wanted floating-point numbers")
        if any(s != n for s in sizes):
            raise ValueError(f"{name} has {sizes} along {trailing}; wanted {n} along each")
        self.arrays.append(array)
        self.dims.append(("sample", *self.space, *trailing))


def labelled_cells(phase: ArrayLike) -> Cells:
    """Cells given by integer labels.

    >>> labelled_cells(np.zeros((5, 8, 8), int)).space
    ('x', 'y')
    """
    cells = bare_cells(phase, "phase", 0)
    if phase.dtype.kind not in "iub":
        raise TypeError(
            f"phase holds {phase.dtype}; wanted integer labels from 0: round and cast them with "
            ".astype(int) if they are labels"
        )
    whole = phase.expand_dims("sample") if cells.single else phase
    cells.arrays.append(whole.astype(np.uint8) if phase.dtype.kind == "b" else whole)
    cells.dims.append(("sample", *cells.space))
    return cells


def bare_cells(array: ArrayLike, name: str, trailing: int) -> Cells:
    """The axes of cells in two or three dimensions, read off an array with ``trailing`` more.

    >>> bare_cells(np.zeros((5, 8, 8, 8, 6, 6)), "stiffness", 2).space
    ('x', 'y', 'z')
    """
    if not hasattr(array, "ndim") or not hasattr(array, "dtype"):
        raise TypeError(f"{name} is a {type(array).__name__}; wanted a DataArray or an array")
    if isinstance(array, xr.DataArray):
        space = tuple(d for d in SPACE if d in array.dims)
        d = len(space)
        if d < 2 or space != SPACE[:d]:
            raise ValueError(
                f"{name} has dims {array.dims}; wanted sample, x, y[, z]: rename or select them"
            )
        edges = np.ravel(array.attrs.get("voxel_size", 1.0))
        if not np.allclose(edges, edges[0]):
            raise ValueError(
                f"{name} has voxels of {edges.tolist()}; wanted cubes, as every element is one: "
                "resample the volume first (or remove voxel_size from its attrs if it is wrong)"
            )
        single = "sample" not in array.dims
        known = d + trailing + (not single)
    else:
        d = array.ndim - 1 - trailing
        space, single, known = SPACE[:d], False, array.ndim
    if d not in (2, 3) or array.ndim != known:
        raise ValueError(
            f"{name} has {array.ndim} axes of shape {array.shape}; wanted sample, x, y[, z]"
            + (f" and {trailing} more" if trailing else "")
        )
    if 0 in array.shape[1:]:
        raise ValueError(f"{name} has shape {array.shape}; wanted no empty axis of space")
    return Cells([], [], space, single)
