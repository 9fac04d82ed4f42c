"""VTK image data (``.vti``), as ParaView and SPPARKS write it: cell or point arrays by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mksdask import progress
from mksdask.ensemble.formats.protocol import Exported, Info, Options, Region, whole
from mksdask.errors import missing_extra

# VTK reports errors to one window for the whole process, which we borrow while reading.
_LOCK = threading.Lock()
# From here on, 32-bit block lengths in the file would overflow.
_LONG_HEADER = 1 << 31


def probe(path: str, options: Options) -> Info:
    """Shape, type and spacing from the XML header."""
    with _quiet() as said:
        reader, where, _, entry = _open(path, options, said)
        information = reader.GetOutputInformation(0)
        space = _cells(information, where)
        from vtkmodules.util.numpy_support import get_numpy_array_type
        from vtkmodules.vtkCommonDataModel import vtkDataObject

        components = entry.Get(vtkDataObject.FIELD_NUMBER_OF_COMPONENTS())
        dtype = np.dtype(get_numpy_array_type(entry.Get(vtkDataObject.FIELD_ARRAY_TYPE())))
        spacing = information.Get(vtkDataObject.SPACING())
    n_axes = 2 if space[2] == 1 else 3
    shape = tuple(space[:n_axes][::-1])
    return Info(
        shape if components == 1 else (*shape, components),
        dtype,
        order="zyx",
        components=components > 1,
        spacing=tuple(float(s) for s in spacing[:n_axes]),
    )


def read(path: str, options: Options, region: Region = None) -> np.ndarray:
    """The values of one array; a grid one voxel thick is 2D."""
    with _quiet() as said:
        reader, where, name, _ = _open(path, options, said)
        from vtkmodules.util.numpy_support import vtk_to_numpy

        for selection, here in (
            (reader.GetCellDataArraySelection(), where == "cell"),
            (reader.GetPointDataArraySelection(), where == "point"),
        ):
            selection.DisableAllArrays()
            if here:
                selection.EnableArray(name)
        reader.Update()
        image = reader.GetOutput()
        data = image.GetCellData() if where == "cell" else image.GetPointData()
        array = data.GetArray(name)
        space = _cells(reader.GetOutputInformation(0), where)
        if array is None or said() or array.GetNumberOfTuples() != int(np.prod(space)):
            raise ValueError(f"cannot be decoded: {said() or f'array {name!r} is incomplete'}")
        values = vtk_to_numpy(array).copy()
    n_axes = 2 if space[2] == 1 else 3
    shape = tuple(space[:n_axes][::-1])
    return whole(region, values.reshape(shape + values.shape[1:]))


def write(path: str, exported: Exported) -> None:
    """Write variables as cell arrays; the whole sample is in memory."""
    data = next(iter(exported.fields.values()))
    space = [d for d in ("x", "y", "z") if d in data.dims]
    values = progress.compute(*[f.data for f in exported.fields.values()], label="export")
    with _quiet() as said:
        from vtkmodules.util.numpy_support import numpy_to_vtk
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

        image = vtkImageData()
        sizes = [data.sizes[d] for d in space] + [1] * (3 - len(space))
        image.SetDimensions(*[n + 1 for n in sizes])
        steps = list(exported.spacing or (1.0,) * len(space))
        image.SetSpacing(*steps, *[1.0] * (3 - len(steps)))
        for (name, field), array in zip(exported.fields.items(), values, strict=True):
            rest = field.dims[len(space) :]
            # VTK counts x fastest: our axes reversed, components last.
            flat = np.moveaxis(np.asarray(array), range(len(space)), range(len(space))[::-1])
            flat = flat.reshape(-1, *[field.sizes[d] for d in rest])
            if flat.dtype.kind == "b":
                flat = flat.astype("uint8")
            if flat.dtype == np.float16:
                flat = flat.astype("float32")
            flat = flat.reshape(len(flat), -1) if rest else flat
            column = numpy_to_vtk(np.ascontiguousarray(flat), deep=1)
            column.SetName(name)
            image.GetCellData().AddArray(column)
        writer = vtkXMLImageDataWriter()
        writer.SetFileName(path)
        writer.SetInputData(image)
        if sum(v.nbytes for v in values) >= _LONG_HEADER:
            writer.SetHeaderTypeToUInt64()
        if not writer.Write() or said():
            raise OSError(f"cannot write {path}: {said() or 'VTK failed'}")


def _open(path: str, options: Options, said: Any) -> tuple[Any, str, str, Any]:
    from vtkmodules.vtkCommonDataModel import vtkDataObject
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader

    reader = vtkXMLImageDataReader()
    reader.SetFileName(path)
    reader.UpdateInformation()
    if said():
        raise ValueError(f"is not a readable VTK image: {said()}")
    information = reader.GetOutputInformation(0)
    entries: dict[tuple[str, str], Any] = {}
    for where, key in (
        ("cell", vtkDataObject.CELL_DATA_VECTOR()),
        ("point", vtkDataObject.POINT_DATA_VECTOR()),
    ):
        vector = information.Get(key)
        for i in range(vector.GetNumberOfInformationObjects() if vector else 0):
            entry = vector.GetInformationObject(i)
            entries[where, entry.Get(vtkDataObject.FIELD_NAME())] = entry
    names = [name for _, name in entries]
    wanted = options.dataset or (names[0] if len(set(names)) == 1 else options.variable)
    for where in ("cell", "point"):
        if (where, wanted) in entries:
            return reader, where, str(wanted), entries[where, str(wanted)]
    raise ValueError(f"has no array {wanted!r}; it has {names}: choose one with dataset=")


def _cells(information: Any, where: str) -> list[int]:
    """Lengths along x, y, z of cell or point data."""
    from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline as Pipeline

    extent = information.Get(Pipeline.WHOLE_EXTENT())
    points = [extent[2 * i + 1] - extent[2 * i] + 1 for i in range(3)]
    return points if where == "point" else [max(n - 1, 1) for n in points]


@contextmanager
def _quiet() -> Iterator[Any]:
    """Collect what VTK would print; yields a function that gives the first line of it."""
    try:
        from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow
    except ImportError:
        raise missing_extra("vtk", "formats", "reading and writing .vti") from None
    with _LOCK:
        before = vtkOutputWindow.GetInstance()
        verbosity = vtkLogger.GetCurrentVerbosityCutoff()
        window = vtkStringOutputWindow()
        vtkOutputWindow.SetInstance(window)
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)

        def said() -> str:
            lines = [line for line in window.GetOutput().splitlines() if line.strip()]
            text = next((line for line in lines if not line.startswith("ERROR: In ")), "")
            return text.split("): ", 1)[-1] or (lines[0] if lines else "")

        try:
            yield said
        finally:
            vtkOutputWindow.SetInstance(before)
            vtkLogger.SetStderrVerbosity(vtkLogger.ConvertToVerbosity(verbosity))
