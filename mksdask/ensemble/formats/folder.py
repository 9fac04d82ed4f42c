"""A folder of images as one volume: the images, in natural order of their names, are z."""

from __future__ import annotations

import os

import numpy as np

from mksdask.ensemble import formats
from mksdask.ensemble.formats.protocol import Info, Options, Region
from mksdask.ensemble.natural import natural_key
from mksdask.errors import is_passing

SLICES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def probe(path: str, options: Options) -> Info:
    """Shape and type; the header of every slice is read and must agree."""
    paths = slices(path)
    if not paths:
        raise ValueError(f"holds no slices ({', '.join(SLICES)})")
    first: Info | None = None
    for image in paths:
        try:
            info = formats.module_of(formats.format_of(image)).probe(image, options)
        except Exception as error:
            if isinstance(error, MemoryError) or is_passing(error):
                raise
            raise ValueError(f"slice {os.path.basename(image)} {error}") from error
        first = first or info
        if len(info.shape) != 2 or (info.shape, info.dtype) != (first.shape, first.dtype):
            raise ValueError(
                f"slice {os.path.basename(image)} has shape {info.shape} of {info.dtype}; "
                f"the first slice has {first.shape} of {first.dtype}"
            )
    assert first is not None
    return Info((len(paths), *first.shape), first.dtype, order="zyx", components=False, sliceable=1)


def read(path: str, options: Options, region: Region = None) -> np.ndarray:
    """The volume, or some of its slices."""
    paths = slices(path)
    planes = region or (slice(None),) * 3
    chosen = paths[planes[0]]
    return np.stack(
        [formats.module_of(formats.format_of(p)).read(p, options, planes[1:]) for p in chosen]
    )


def slices(path: str) -> list[str]:
    """The images of a folder in natural order."""
    names = [n for n in os.listdir(path) if n.lower().endswith(SLICES) and not n.startswith(".")]
    return [os.path.join(path, n) for n in sorted(names, key=natural_key)]
