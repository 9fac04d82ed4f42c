"""Raw binary files: shape, type, order and header length come from the user."""

from __future__ import annotations

import numpy as np

from mksdask.ensemble.formats.protocol import Info, Options, RawLayout, Region, file_size


def probe(path: str, options: Options) -> Info:
    """The layout the user gave, once the size of the file agrees with it."""
    layout = _layout(options)
    wanted, found = layout.offset + layout.nbytes, file_size(path)
    if wanted != found:
        raise ValueError(
            f"{found} bytes where shape {layout.shape} of {layout.dtype} after a header of "
            f"{layout.offset} bytes makes {wanted}"
        )
    return Info(layout.shape, layout.dtype, sliceable=len(layout.shape))


def read(path: str, options: Options, region: Region = None) -> np.ndarray:
    """The values, by memory map."""
    layout = _layout(options)
    mapped = np.memmap(
        path, layout.dtype, "r", offset=layout.offset, shape=layout.shape, order=layout.order
    )
    return np.array(mapped if region is None else mapped[region])


def _layout(options: Options) -> RawLayout:
    if options.raw is None:
        raise ValueError(
            "is raw binary, which needs its layout: raw={'shape': (64, 64, 64), 'dtype': 'uint8'}"
        )
    return options.raw
