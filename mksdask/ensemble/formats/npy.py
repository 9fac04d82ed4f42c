"""NumPy files: ``.npy`` by memory map, ``.npz`` by array name. Axis 0 is x."""

from __future__ import annotations

import errno
import math
import os
import threading
import zipfile
from typing import Any, BinaryIO

import numpy as np

from mksdask import progress
from mksdask.ensemble.formats.protocol import Exported, Info, Options, Region, require_bytes, whole

# Headers are Python literals, and where two threads parse these at once, Python 3.11 now and then
# raises SystemError, which would put down good files as bad.
_PARSING = threading.Lock()


def probe(path: str, options: Options) -> Info:
    """Shape and type from the header."""
    if path.lower().endswith(".npz"):
        with zipfile.ZipFile(path) as archive, archive.open(_member(archive, options)) as file:
            shape, _, dtype = _header(file)
        return Info(shape, dtype)
    with open(path, "rb") as file:
        shape, _, dtype = _header(file)
        require_bytes(path, file.tell() + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
    return Info(shape, dtype, sliceable=len(shape))


def read(path: str, options: Options, region: Region = None) -> np.ndarray:
    """The values; pickled objects are never loaded."""
    if path.lower().endswith(".npz"):
        with zipfile.ZipFile(path) as archive, archive.open(_member(archive, options)) as file:
            shape, fortran, dtype = _header(file)
            flat = np.empty(math.prod(shape), dtype)
            _fill(file, flat.view("u1"))
        return whole(region, flat.reshape(shape, order="F" if fortran else "C"))
    with open(path, "rb") as file:
        shape, fortran, dtype = _header(file)
        order: Any = "F" if fortran else "C"
        mapped = np.memmap(file, dtype, "r", file.tell(), shape, order)
    return np.array(whole(region, mapped))


def write(path: str, exported: Exported) -> None:
    """Write one variable chunk by chunk, so that it may be larger than memory."""
    import dask.array as da

    data = exported.only(".npy")
    target = np.lib.format.open_memmap(path, mode="w+", dtype=data.dtype, shape=data.shape)
    _reserve(path)
    stored = da.store(da.asarray(data.data), target, lock=False, compute=False)
    progress.compute(stored, label="export")
    target.flush()


def _fill(file: Any, room: np.ndarray) -> None:
    """Read as many bytes as there is room for, and to the end, where the checksum is looked at."""
    while len(room):
        n = file.readinto(room[: 1 << 20])
        if not n:
            raise ValueError(f"ends {len(room)} bytes too early")
        room = room[n:]
    file.read(1)


def _reserve(path: str) -> None:
    """Take the space of a sparse file, so that a full disk is an error and not the process's end."""
    if not hasattr(os, "posix_fallocate"):
        return
    with open(path, "r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # not on this file system
                raise


def _header(file: BinaryIO | Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    reader = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    start = file.tell()
    with _PARSING:
        try:
            shape, fortran, dtype = reader(file)
        except SystemError:  # some other code was parsing at that moment
            file.seek(start)
            shape, fortran, dtype = reader(file)
    if dtype.hasobject:
        raise ValueError("holds pickled Python objects, which are not loaded: save plain numbers")
    return shape, fortran, dtype


def _member(archive: zipfile.ZipFile, options: Options) -> str:
    names = [n.removesuffix(".npy") for n in archive.namelist()]
    wanted = options.dataset or (names[0] if len(names) == 1 else options.variable)
    if wanted not in names:
        raise ValueError(f"has no array {wanted!r}; it has {names}: choose one with dataset=")
    return f"{wanted}.npy"
