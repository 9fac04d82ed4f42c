"""``.ctf`` files, the channel text files of Oxford Instruments (HKL).

A header of words and values, the number of phases and a line for each, a line with the names of the
columns, then the table; separated by tabs, angles in degrees.
"""

from __future__ import annotations

import numpy as np

from mksdask.ensemble.formats import ebsd
from mksdask.ensemble.formats.protocol import Info, Options, Region

_OURS = {"euler1": "phi1", "euler2": "phi", "euler3": "phi2"}
# More lines than any header has.
_LONGEST_HEADER = 300


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
    columns: tuple[str, ...] = ()
    n_lines = 0
    with open(path, encoding="latin-1") as file:
        lines = iter(file)
        for line in lines:
            n_lines += 1
            words = line.rstrip("\r\n").split("\t")
            if words[0].strip() == "Phases" and len(words) > 1:
                for number in range(1, int(words[1]) + 1):
                    phase = next(lines, "").rstrip("\r\n").split("\t")
                    n_lines += 1
                    name = phase[2].strip() if len(phase) > 2 else ""
                    phases[number] = name or f"phase {number}"
            elif words[0].strip() == "Phase" and len(words) > 1:
                columns = tuple(_OURS.get(w.strip().lower(), w.strip().lower()) for w in words)
                break
            elif len(words) > 1:
                said.setdefault(words[0].strip().lower(), words[1].strip())
            if n_lines > _LONGEST_HEADER:
                break
        first = next(lines, "")
    if not columns:
        raise ValueError("has no line with the columns Phase, X, Y, ..., so it is no .ctf file")
    try:
        shape = (int(said["ycells"]), int(said["xcells"]))
        step = (_number(said["xstep"]), _number(said["ystep"]))
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"has no usable XCells, YCells, XStep and YStep in its header ({error})"
        ) from None
    decimal = "," if "," in first else "."
    header = ebsd.Header(n_lines, shape, step, columns, phases, np.pi / 180, decimal)
    return ebsd.checked_header(header)


def _number(text: str) -> float:
    return float(text.replace(",", "."))
