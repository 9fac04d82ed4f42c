"""Maps of electron backscatter diffraction: what ``.ang`` and ``.ctf`` files have in common.

Both are text: a header with the grid and the phases, then a row a point, x running fastest. A file
gives ``phase`` (0 where nothing was indexed, else the number of the phase in the header),
``orientation`` (Bunge Euler angles in radians, NaN where nothing was indexed), and any other column
by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mksdask.ensemble.formats.protocol import Info, Options, Region, whole

NOT_INDEXED = "not indexed"
_ANGLES = ("phi1", "phi", "phi2")
# Full turn and a little; beyond it angles are not in the unit they should be in.
_MOST_RADIANS = 2 * np.pi + 1e-3


@dataclass(frozen=True)
class Header:
    """What stands before the table, and how the table is to be read.

    ``columns`` are the names of the columns in lower case, with phi1, phi, phi2 and phase among
    them; ``phases`` the names of the phases by number; ``unit`` one unit of angle in radians.
    """

    n_lines: int
    shape: tuple[int, int]
    step: tuple[float, float]
    columns: tuple[str, ...]
    phases: Mapping[int, str]
    unit: float
    decimal: str = "."


def info(header: Header, options: Options) -> Info:
    """Shape and type of a variable; the array lies as y, x."""
    wanted = _wanted(header, options)
    names = tuple(
        header.phases.get(i, f"phase {i}") if i else NOT_INDEXED
        for i in range(max(header.phases) + 1)
    )
    return Info(
        (*header.shape, 3) if wanted == "orientation" else header.shape,
        np.dtype("uint8" if wanted == "phase" else "float64"),
        order="zyx",
        components=wanted == "orientation",
        spacing=header.step,
        unit="um",
        phase_names=names,
    )


def values(path: str, header: Header, options: Options, region: Region) -> np.ndarray:
    """The variable of every point, as y, x."""
    wanted = _wanted(header, options)
    columns = (*_ANGLES, "phase") if wanted in ("phase", "orientation") else (wanted,)
    table = _table(path, header, columns)
    if wanted not in ("phase", "orientation"):
        return whole(region, table[wanted].reshape(header.shape))
    angles = np.stack([table[name] for name in _ANGLES], axis=-1) * header.unit
    labels, indexed = _labels(header, table["phase"], angles)
    if wanted == "phase":
        return whole(region, labels.reshape(header.shape))
    angles[~indexed] = np.nan
    largest = np.abs(angles[indexed]).max(initial=0.0)
    if largest > _MOST_RADIANS:
        where = "radians, and these look like degrees" if header.unit == 1 else "degrees"
        raise ValueError(
            f"has an Euler angle of {largest / header.unit:g}, more than a full turn; such files "
            f"are in {where}"
        )
    return whole(region, angles.reshape(*header.shape, 3))


def checked_header(header: Header) -> Header:
    """Say what a header lacks."""
    missing = [c for c in (*_ANGLES, "phase") if c not in header.columns]
    if missing:
        raise ValueError(f"has no columns {missing} among {list(header.columns)}")
    if min(header.shape) < 1:
        raise ValueError(f"has a grid of {header.shape[1]} x {header.shape[0]} points")
    if not header.phases or min(header.phases) < 1 or max(header.phases) > 255:
        raise ValueError(
            f"names the phases {dict(header.phases)}; wanted at least one, with numbers from 1 to "
            "255"
        )
    return header


def _wanted(header: Header, options: Options) -> str:
    name = (options.dataset or options.variable or "phase").lower()
    if name not in ("orientation", *header.columns):
        raise ValueError(
            f"has no {name!r}; it has 'phase', 'orientation' and the columns {list(header.columns)}"
        )
    return name


def _table(path: str, header: Header, columns: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Columns by name, checked to be as long as the grid is large."""
    try:
        frame = pd.read_csv(
            path,
            sep=r"\s+",
            header=None,
            skiprows=header.n_lines,
            usecols=[header.columns.index(c) for c in columns],
            decimal=header.decimal,
            encoding="latin-1",
        )
    except pd.errors.EmptyDataError:
        raise ValueError("has no rows after its header") from None
    except pd.errors.ParserError as error:
        raise ValueError(f"has rows of different lengths: {error}") from None
    points = header.shape[0] * header.shape[1]
    if len(frame) != points:
        raise ValueError(
            f"has {len(frame)} rows; its header promises {header.shape[1]} x {header.shape[0]} = "
            f"{points}"
        )
    found = {}
    for name in columns:
        column = pd.to_numeric(frame[header.columns.index(name)], errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise ValueError(
                f"has no number in column {name!r} of line {header.n_lines + int(bad[0]) + 1}"
            )
        found[name] = column
    return found


def _labels(
    header: Header, column: np.ndarray, angles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Phase of every point, 0 where nothing was indexed, and whether something was."""
    # Points without solution have phase 0 (-1) or, in .ang files, angles of 4 pi.
    without = (np.abs(angles - 4 * np.pi) < 1e-2).all(axis=-1) & (header.unit == 1)
    labels = np.where(without, 0, column).astype(int)
    if len(header.phases) == 1 and header.unit == 1 and not labels[~without].any():
        # Files with one phase may number it 0.
        labels[~without] = next(iter(header.phases))
    labels[labels < 0] = 0
    unknown = sorted(set(np.unique(labels).tolist()) - {0, *header.phases})
    if unknown:
        raise ValueError(
            f"has points of phase {unknown[0]}, and its header names the phases "
            f"{dict(header.phases)}"
        )
    return labels.astype(np.uint8), labels > 0
