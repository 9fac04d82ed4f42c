"""Single images (PNG, JPEG, BMP): rows are y, columns are x. Palette images give their indices."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mksdask.ensemble.formats.protocol import Info, Options, Region, require_bytes, whole
from mksdask.errors import missing_extra

_TYPES = {"1": "?", "L": "u1", "P": "u1", "I;16": "<u2", "I;16B": ">u2", "I": "i4", "F": "f4"}
_PNG_END = b"IEND\xaeB`\x82"


def probe(path: str, options: Options) -> Info:
    """Shape and type from the header; PNG and BMP must be complete."""
    with _pillow().open(path) as image:
        kind, bands = image.format, image.getbands()
        mode, (columns, rows) = image.mode, image.size
    if kind == "PNG":
        _check_png_end(path)
    elif kind == "BMP":
        with open(path, "rb") as file:
            require_bytes(path, int.from_bytes(file.read(6)[2:6], "little"))
    if len(bands) > 1:
        if options.channel is None:
            raise ValueError(f"is a colour image ({mode}): choose a channel with channel=0")
        if not 0 <= options.channel < len(bands):
            raise ValueError(
                f"has {len(bands)} channels; channel={options.channel} is none of them"
            )
    dtype = np.dtype(_TYPES.get(mode, "u1"))
    return Info((rows, columns), dtype, order="zyx", components=False)


def read(path: str, options: Options, region: Region = None) -> np.ndarray:
    """The pixels, of one channel if there are several."""
    with _pillow().open(path) as image:
        pixels = np.asarray(image)
    if pixels.ndim == 3:
        pixels = pixels[..., options.channel or 0]
    return whole(region, pixels)


def _check_png_end(path: str) -> None:
    with open(path, "rb") as file:
        file.seek(-min(64, os.fstat(file.fileno()).st_size), os.SEEK_END)
        if _PNG_END not in file.read():
            raise ValueError("truncated: a PNG without its end marker")


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("pillow", "formats", "reading PNG, JPEG and BMP") from None
    return Image
