"""TIFF images and stacks: pages are z, rows are y, columns are x."""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from mksdask import progress
from mksdask.ensemble.formats.protocol import Exported, Info, Options, Region, require_bytes, whole
from mksdask.errors import missing_extra

# A broken file makes tifffile log as well as raise; without this, Python prints the log when the
# program around us has not configured any.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

# What ImageJ's own TIFF variant can hold; other types are written as plain TIFF.
_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
_IMAGEJ_LIMIT = 1 << 31
# Programs that are not told otherwise label the pages of a stack as channels.
_MOST_CHANNELS = 4


def probe(path: str, options: Options) -> Info:
    """Shape and type from the tags; every page must lie within the file."""
    with _tifffile().TiffFile(path) as tif:
        series = _series(tif)
        if series.dataoffset is not None:
            end = series.dataoffset + math.prod(series.shape) * series.dtype.itemsize
        else:
            end = max(
                offset + count
                for page in series.pages
                if page is not None
                for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
            )
        require_bytes(path, end)
        if not (tif.is_shaped and series.dataoffset is not None):
            _check_chain(tif)
        shape = list(series.shape)
        channels = _channel_axis(series)
        if channels is not None:
            _check_channel(options.channel, shape.pop(channels))
        contiguous = series.dataoffset is not None
        paged = len(shape) == 3 and channels is None and len(series.pages) == shape[0]
        spacing, unit = _voxels(tif, len(shape))
        return Info(
            tuple(shape),
            np.dtype(series.dtype),
            order="zyx",
            components=False,
            sliceable=len(shape) if contiguous else int(paged),
            spacing=spacing,
            unit=unit,
        )


def read(path: str, options: Options, region: Region = None) -> np.ndarray:
    """The values; single pages are read alone where the file allows it."""
    with _tifffile().TiffFile(path) as tif:
        series = _series(tif)
        channels = _channel_axis(series)
        if channels is not None:
            region_all = list(region or (slice(None),) * (series.ndim - 1))
            region_all.insert(channels, options.channel or 0)
            return series.asarray(maxworkers=1)[tuple(region_all)]
        if region is None or all(
            s == slice(0, n, 1) for s, n in zip(region, series.shape, strict=True)
        ):
            return series.asarray(maxworkers=1)
        if series.dataoffset is not None:
            dtype = series.dtype.newbyteorder(tif.byteorder)
            mapped = np.memmap(path, dtype, "r", offset=series.dataoffset, shape=series.shape)
            return np.array(mapped[region])
        if len(series.shape) == 3 and len(series.pages) == series.shape[0]:
            pages = range(*region[0].indices(series.shape[0]))
            part = tif.asarray(key=pages, series=0, maxworkers=1).reshape(
                len(pages), *series.shape[1:]
            )
            return part[:, region[1], region[2]]
        return whole(region, series.asarray(maxworkers=1))


def write(path: str, exported: Exported) -> None:
    """Write one variable page by page, a slab of chunks in memory at a time.

    ImageJ and Fiji read voxel size and unit where the type allows their variant of TIFF; other
    types become plain (from 2 GiB, big) TIFF with the voxel size in the resolution tags.
    """
    data = exported.only("TIFF")
    paged = data.transpose(*[d for d in data.dims if d not in ("x", "y", "z")], *_image_dims(data))
    if paged.ndim > 3 or paged.ndim < 2:
        raise ValueError(
            f"TIFF holds a volume or an image; {data.name!r} has dims {data.dims}: export .vti, "
            ".npy or .h5"
        )
    if paged.dtype.kind == "b":
        paged = paged.astype("uint8")
    imagej = str(paged.dtype) in _IMAGEJ_TYPES and paged.nbytes < _IMAGEJ_LIMIT
    metadata: dict[str, Any] = {}
    if paged.ndim == 3:
        metadata["axes"] = "ZYX" if imagej or "z" in paged.dims else "QYX"
    keywords: dict[str, Any] = {}
    if exported.spacing is not None:
        keywords["resolution"] = tuple(1 / s for s in exported.spacing[:2])
        if len(exported.spacing) == 3:
            metadata["spacing"] = exported.spacing[2]
        if exported.unit:
            metadata["unit"] = exported.unit
    _tifffile().imwrite(
        path,
        _pages(paged),
        shape=paged.shape,
        dtype=paged.dtype,
        photometric="minisblack",
        imagej=imagej,
        bigtiff=paged.nbytes >= _IMAGEJ_LIMIT,
        metadata=metadata,
        **keywords,
    )


def _pages(paged: Any) -> Iterator[np.ndarray]:
    if paged.ndim == 2:
        yield np.ascontiguousarray(progress.compute(paged.data, progress=False)[0])
        return
    first = paged.dims[0]
    lengths = paged.chunksizes.get(first, (paged.sizes[first],))
    start = 0
    for length in progress.watched(lengths, "export"):
        slab = progress.compute(paged[start : start + length].data, progress=False)[0]
        yield from np.ascontiguousarray(slab)
        start += length


def _image_dims(data: Any) -> list[str]:
    return [d for d in ("z", "y", "x") if d in data.dims]


def _series(tif: Any) -> Any:
    found = tif.series
    if not found:
        raise ValueError("holds no image")
    if len(found) > 1:
        shapes = [s.shape for s in found[:3]]
        raise ValueError(f"holds {len(found)} image series of shapes {shapes}...: keep one a file")
    return found[0]


def _check_chain(tif: Any) -> None:
    """Raise if the list of pages breaks off: tifffile takes a truncated stack for a shorter one."""
    form, handle = tif.tiff, tif.filehandle
    handle.seek(8 if form.is_bigtiff else 4)
    seen: set[int] = set()
    while offset := _number(handle, form.offsetformat):
        if offset in seen or offset >= handle.size:
            break
        seen.add(offset)
        handle.seek(offset)
        handle.seek(offset + form.tagnosize + form.tagsize * _number(handle, form.tagnoformat))
    else:
        return
    raise ValueError(
        f"truncated or corrupt: its list of pages breaks off after {len(seen)} of them"
    )


def _number(handle: Any, format: str) -> int:
    size = struct.calcsize(format)
    raw = handle.read(size)
    if len(raw) < size:
        raise ValueError("truncated: its list of pages leads past its end")
    return int(struct.unpack(format, raw)[0])


def _channel_axis(series: Any) -> int | None:
    """The axis of colours: samples of a pixel, or few channels. Many "channels" are mislabelled z."""
    if "S" in series.axes:
        return int(series.axes.index("S"))
    if "C" in series.axes:
        axis = int(series.axes.index("C"))
        if len(series.shape) > 3 or series.shape[axis] <= _MOST_CHANNELS:
            return axis
    return None


def _check_channel(channel: int | None, count: int) -> None:
    if channel is None:
        raise ValueError(f"is a colour image of {count} channels: choose one with channel=0")
    if not 0 <= channel < count:
        raise ValueError(f"has {count} channels; channel={channel} is none of them")


def _voxels(tif: Any, ndim: int) -> tuple[tuple[float, ...] | None, str | None]:
    """Voxel size, where the file was written by a program that states its unit."""
    described: dict[str, Any] = tif.imagej_metadata or (tif.shaped_metadata or ({},))[0]
    unit = described.get("unit")
    tags = tif.pages.first.tags
    if not unit or "XResolution" not in tags or "YResolution" not in tags:
        return None, None
    spacing = []
    for name in ("XResolution", "YResolution"):
        count, per = tags[name].value
        if not count:
            return None, None
        # The tag is a fraction of 32-bit integers: more digits than this are its rounding.
        spacing.append(float(f"{per / count:.6g}"))
    if ndim == 3:
        spacing.append(float(described.get("spacing", 1.0)))
    return tuple(spacing), "um" if unit in ("\\u00B5m", "µm", "micron") else str(unit)


def _tifffile() -> Any:
    try:
        import tifffile
    except ImportError:
        raise missing_extra("tifffile", "formats", "reading and writing TIFF") from None
    return tifffile
