"""MetaImage and NRRD volumes (``.mha``, ``.mhd``, ``.nrrd``) by SimpleITK."""

from __future__ import annotations

import threading
import zlib
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from mksdask import progress
from mksdask.ensemble.formats.protocol import (
    Exported,
    Info,
    Options,
    Region,
    require_bytes,
    whole,
)
from mksdask.errors import missing_extra

# The reader of NRRD keeps its errors in globals: two damaged files at once crash the process.
_ONE_AT_A_TIME = threading.Lock()


def _guard(path: str) -> AbstractContextManager[Any]:
    return _ONE_AT_A_TIME if path.lower().endswith(".nrrd") else nullcontext()


def probe(path: str, options: Options) -> Info:
    """Shape, type and spacing from the header."""
    sitk = _sitk()
    reader = _reader(sitk, path)
    with _guard(path):
        reader.ReadImageInformation()
    size, components = reader.GetSize(), reader.GetNumberOfComponents()
    # An image of one voxel knows its NumPy type without decoding the file.
    kind = reader.GetPixelID()
    dtype = sitk.GetArrayViewFromImage(
        sitk.Image([1] * len(size), kind, components if components > 1 else 0)
    ).dtype
    shape = tuple(int(n) for n in size[::-1])
    if path.lower().endswith(".mha"):
        _check_size(path, int(np.prod(shape)) * components * dtype.itemsize)
    return Info(
        shape if components == 1 else (*shape, components),
        np.dtype(dtype),
        order="zyx",
        components=components > 1,
        spacing=tuple(float(s) for s in reader.GetSpacing()),
    )


def read(path: str, options: Options, region: Region = None) -> np.ndarray:
    """The values."""
    sitk = _sitk()
    if path.lower().endswith(".mha"):
        _check_stream(path)
    reader = _reader(sitk, path)
    with _guard(path):
        image = reader.Execute()
    return whole(region, sitk.GetArrayFromImage(image))


def write(path: str, exported: Exported) -> None:
    """Write one variable; the whole sample is in memory."""
    sitk = _sitk()
    data = exported.only("an .mha or .nrrd file")
    space = [d for d in ("z", "y", "x") if d in data.dims]
    ordered = data.transpose(*space, *[d for d in data.dims if d not in space])
    values = np.ascontiguousarray(progress.compute(ordered.data, label="export")[0])
    if values.dtype.kind == "b":
        values = values.astype("uint8")
    image = sitk.GetImageFromArray(values, isVector=values.ndim > len(space))
    if exported.spacing is not None:
        image.SetSpacing(exported.spacing)
    sitk.WriteImage(image, path, useCompression=True)


def _check_size(path: str, nbytes: int) -> None:
    """Raise if an ``.mha`` is shorter than it says; ITK would print to the terminal as well."""
    start, compressed = _local_data(path)
    if start:
        require_bytes(path, start + (nbytes if compressed is None else compressed))


def _check_stream(path: str) -> None:
    """Raise if compressed data in an ``.mha`` are damaged; ITK would give what it has and go on."""
    start, compressed = _local_data(path)
    if not start or compressed is None:
        return
    stream = zlib.decompressobj(wbits=47)  # zlib or gzip, as its header says
    with open(path, "rb") as file:
        file.seek(start)
        while not stream.eof:
            some = stream.unconsumed_tail or file.read(1 << 20)
            if not some:
                raise ValueError("its compressed data end too early")
            stream.decompress(some, 1 << 24)


def _local_data(path: str) -> tuple[int, int | None]:
    """Where the data of an ``.mha`` begin, 0 if they are in another file, and their length if
    compressed."""
    with open(path, "rb") as file:
        header = file.read(1 << 16)
    head, mark, _ = header.partition(b"ElementDataFile = LOCAL")
    if not mark:
        return 0, None
    lines = [line.partition(b"=") for line in head.splitlines()]
    fields = {key.strip(): value.strip() for key, _, value in lines}
    compressed = fields.get(b"CompressedData", b"").lower() == b"true"
    length = int(fields.get(b"CompressedDataSize", 0)) if compressed else None
    return header.index(b"\n", len(head) + len(mark)) + 1, length


def _reader(sitk: Any, path: str) -> Any:
    reader = sitk.ImageFileReader()
    reader.SetFileName(path)
    return reader


def _sitk() -> Any:
    try:
        import SimpleITK
    except ImportError:
        raise missing_extra("SimpleITK", "formats", "reading and writing .mha and .nrrd") from None
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    return SimpleITK
