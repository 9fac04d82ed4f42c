"""``.ang`` files of EDAX/TSL's OIM (and of EMsoft and others who write them).

Lines of the header begin with ``#``. Columns: phi1, Phi, phi2 (radians), x, y, image quality,
confidence index, phase, detector signal, fit.
"""

from __future__ import annotations

import re

import numpy as np

from mksdask.ensemble.formats import ebsd
from mksdask.ensemble.formats.protocol import Info, Options, Region

COLUMNS = ("phi1", "phi", "phi2", "x", "y", "iq", "ci", "phase", "sem", "fit")


def variables(path: str) -> list[str]:
    """What such files have."""
    _header(path)
    return ["phase", "orientation"]


def probe(path: str, options: Options) -> Info:
    """Shape, step and phases, from the header."""
    return ebsd.info(_header(path), options)


def read(path: str, options: Options, region: Region = None) -> np.ndarray:
    """The values."""
    return ebsd.values(path, _header(path), options, region)


def _header(path: str) -> ebsd.Header:
    said: dict[str, str] = {}
    phases: dict[int, str] = {}
    number: int | None = None
    n_lines, first = 0, ""
    with open(path, encoding="latin-1") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                first = line
                break
            n_lines += 1
            found = re.match(r"#\s*([A-Za-z_]+)\s*:?\s*(.*)", line)
            if not found:
                continue
            key, value = found[1].lower(), found[2].strip()
            if key == "phase" and value.isdigit():
                number = int(value)
                phases[number] = f"phase {number}"
            elif key == "materialname" and number is not None and value:
                phases[number] = value
            else:
                said.setdefault(key, value)
    if not said:
        raise ValueError("has no header of lines that begin with #, so it is no .ang file")
    grid = said.get("grid", "SqrGrid")
    if grid.lower() != "sqrgrid":
        raise ValueError(
            f"has the grid {grid}; wanted SqrGrid: convert it to a square grid in the program that "
            "wrote it"
        )
    try:
        shape = (int(said["nrows"]), int(said["ncols_odd"]))
        step = (float(said["xstep"]), float(said["ystep"]))
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"has no usable NROWS, NCOLS_ODD, XSTEP and YSTEP in its header ({error})"
        ) from None
    n_columns = len(first.split())
    extra = tuple(f"column{i}" for i in range(len(COLUMNS), n_columns))
    columns = (*COLUMNS, *extra)[: n_columns or len(COLUMNS)]
    header = ebsd.Header(n_lines, shape, step, columns, phases, unit=1.0)
    return ebsd.checked_header(header)
