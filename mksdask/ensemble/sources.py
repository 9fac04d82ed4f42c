"""One variable in many foreign files: its axes, and the block of samples a task reads from them.

Here, and nowhere else, the axes of a file become ``sample, x, y, z``. A format that fixes its axes
(images, VTK, DREAM.3D, MetaImage) counts z slowest: ``page, row, column`` is ``z, y, x``. Other
arrays are taken as they are: axis 0 is x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mksdask.ensemble import formats
from mksdask.ensemble.convert import Conversion
from mksdask.ensemble.formats import Info, Options
from mksdask.ensemble.schema import SPACE, VARIABLES
from mksdask.errors import DataError

# Letters for the axes of a file: samples, space, components.
SAMPLES, COMPONENTS = "s", "c"


@dataclass(frozen=True)
class Source:
    """How one variable is read from each of the files."""

    variable: str
    format: str
    options: Options
    axes: str
    conversion: Conversion

    @property
    def space(self) -> tuple[str, ...]:
        """The spatial axes, in our order."""
        return tuple(d for d in SPACE if d in self.axes)

    @property
    def many(self) -> bool:
        """Whether a file holds many samples."""
        return SAMPLES in self.axes

    @property
    def trailing(self) -> tuple[str, ...]:
        """Names of the axes after those of space."""
        if COMPONENTS not in self.axes:
            return ()
        known = VARIABLES.get(self.variable)
        return known.trailing[:1] if known and known.trailing else ("component",)

    def lengths(self, info: Info) -> dict[str, int]:
        """Length of each axis of a file by letter."""
        return dict(zip(self.axes, info.shape, strict=True))

    def divisible(self, info: Info) -> frozenset[str]:
        """The axes along which a part of a file can be read alone."""
        return frozenset(self.axes[: info.sliceable])

    def read(self, path: str, windows: dict[str, slice]) -> np.ndarray:
        """Part of a file with axes ``(sample,) x, y, z (, components)``."""
        region = tuple(windows.get(letter, slice(None)) for letter in self.axes)
        values = formats.read(path, self.format, self.options, region)
        order = sorted(range(len(self.axes)), key=lambda i: "sxyzc".index(self.axes[i]))
        return values.transpose(order)


def file_axes(info: Info, variable: str, many: bool, given: str | None) -> str:
    """The letters of the axes of a file, or a ``ValueError`` that says what does not fit.

    >>> file_axes(Info((9, 8, 7), np.dtype("u1"), order="zyx"), "phase", False, None)
    'zyx'
    >>> file_axes(Info((9, 8, 7), np.dtype("u1")), "phase", True, None)
    'sxy'
    """
    known = VARIABLES.get(variable)
    if given is not None:
        space = "".join(sorted(set(given) & set(SPACE)))
        if len(set(given)) < len(given) or not set(given) <= set("sxyzc") or space not in "xyz":
            raise ValueError(f"axes is {given!r}; wanted letters out of s x y z c, such as 'zyx'")
        if many != (SAMPLES in given):
            raise ValueError(
                f"axes is {given!r}: the letter s (samples) goes with samples='first axis'"
            )
        if len(given) != len(info.shape):
            raise ValueError(f"axes is {given!r}; the files have shape {info.shape}")
        return given
    components = info.components
    if components is None:
        components = bool(known and known.trailing)
    n_space = len(info.shape) - many - components
    if not 1 <= n_space <= 3:
        held = "many samples of 1 to 3 axes" if many else "one sample of 1 to 3 axes"
        more = " and one of components" if components else ""
        fix = "" if many else "; for many samples in one file give samples='first axis'"
        raise ValueError(f"files have shape {info.shape}; wanted {held}{more}{fix}")
    space = "xyz"[:n_space]
    if info.order == "zyx":
        space = space[::-1]
    return SAMPLES * many + space + COMPONENTS * components


def read_block(
    paths: np.ndarray, inside: np.ndarray, *positions: np.ndarray, source: Source, dtype: Any
) -> np.ndarray:
    """Read and convert the samples of one block; a file with several of them is opened once.

    ``paths`` and ``inside`` give file and index in the file of each sample; ``positions`` the
    voxels wanted along each spatial axis, evenly spaced.
    """
    windows = {d: _window(p) for d, p in zip(source.space, positions, strict=True)}
    out: np.ndarray | None = None
    start = 0
    while start < len(paths):
        stop = start + 1
        while stop < len(paths) and source.many and paths[stop] == paths[start]:
            stop += 1
        path = str(paths[start])
        if source.many:
            windows[SAMPLES] = slice(int(inside[start]), int(inside[stop - 1]) + 1)
        values = source.read(path, windows)
        if not source.many:
            values = values[None]
        wanted = (stop - start, *[len(p) for p in positions])
        if values.shape[: len(wanted)] != wanted:
            raise DataError(
                f"{path} gave {values.shape[: len(wanted)]} where {wanted} was expected: it changed "
                "since it was checked"
            )
        if out is None:
            out = np.empty((len(paths), *values.shape[1:]), dtype)
        for k, sample in enumerate(values):
            name = f"{path} (sample {inside[start] + k})" if source.many else path
            put(source.conversion(sample, name), out[start + k])
        start = stop
    assert out is not None
    return out


def put(values: np.ndarray, target: np.ndarray) -> None:
    """Copy ``values`` into ``target``; volumes that lie as z, y, x are turned plane by plane.

    NumPy would take the voxels of a row from as many lines of the cache, which for lengths that are
    powers of two displace each other: four to nine times slower at 64^3 to 256^3.

    >>> values, target = np.arange(8).reshape(2, 2, 2).T, np.zeros((2, 2, 2), int)
    >>> put(values, target); bool((values == target).all())
    True
    """
    turned = values.ndim == 3 and values.T.flags.c_contiguous
    if turned and values.shape[2] >= 16 and values.nbytes >= 1 << 18:
        for y in range(values.shape[1]):
            target[:, y] = np.ascontiguousarray(values[:, y].T).T
    else:
        target[...] = values


def _window(positions: np.ndarray) -> slice:
    step = int(positions[1] - positions[0]) if len(positions) > 1 else 1
    return slice(int(positions[0]), int(positions[-1]) + 1, step)
