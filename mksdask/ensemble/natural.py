"""Order names as people do: ``slice_2`` before ``slice_10``."""

from __future__ import annotations

import re


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that compares runs of digits as numbers.

    >>> sorted(["s10.tif", "s9.tif", "a.tif"], key=natural_key)
    ['a.tif', 's9.tif', 's10.tif']
    """
    parts = re.split(r"(\d+)", name)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in parts if p]
