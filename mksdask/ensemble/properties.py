"""Per-sample properties from a CSV file, joined by sample or file name."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

import numpy as np
import xarray as xr

from mksdask.ensemble.files import SHOWN
from mksdask.ensemble.schema import SAMPLE
from mksdask.errors import DataError

# Headings that mark the column of names; failing these it is the first column.
NAME_COLUMNS = ("sample", "file", "filename", "file_name", "name")


def read_properties(
    path: str | os.PathLike[str], ds: xr.Dataset, skipped: Collection[str] = ()
) -> dict[str, xr.DataArray]:
    """One variable with dim ``sample`` a column; every sample of ``ds`` has one row, every row its sample.

    Rows name samples, or their files with or without folders. Rows of ``skipped`` samples are
    ignored. An empty cell in a column of numbers becomes NaN.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True, encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(f"properties: no file {os.fspath(path)}") from None
    except Exception as error:
        raise DataError(f"{os.fspath(path)} cannot be read as CSV: {error}") from error
    where = os.fspath(path)
    lower = {str(c).strip().lower(): c for c in table.columns}
    key = next((lower[n] for n in NAME_COLUMNS if n in lower), table.columns[0])
    columns = [c for c in table.columns if c != key]
    if not columns:
        raise DataError(f"{where} has the one column {key!r}; wanted names and properties")
    taken = [c for c in map(str, columns) if c.strip() in {*ds.variables, *ds.dims}]
    if taken:
        raise DataError(f"{where} has a column {taken[0]!r}, a name the ensemble uses: rename it")
    names = [str(n).strip() for n in table[key]]
    rows = _match(names, [str(s) for s in ds[SAMPLE].values], set(map(str, skipped)), where)
    return {
        str(c).strip(): xr.DataArray(
            _values(table[c].to_numpy(object)[rows], c, rows, where), dims=SAMPLE
        )
        for c in columns
    }


def _match(
    names: Sequence[str], samples: Sequence[str], skipped: Collection[str], where: str
) -> list[int]:
    wanted, row_of, extra = set(samples), {}, []
    for row, name in enumerate(names):
        sample = _sample_of(name, wanted) or _sample_of(name, skipped)
        if sample is None:
            extra.append(name)
        elif sample in row_of:
            raise DataError(f"{where} has two rows for sample {sample!r}: keep one")
        else:
            row_of[sample] = row
    missing = [s for s in samples if s not in row_of]
    said = []
    if missing:
        said.append(f"no row for {len(missing)} of {len(samples)} samples ({_first(missing)})")
    if extra:
        said.append(f"{len(extra)} rows for samples that are not there ({_first(extra)})")
    if said:
        raise DataError(f"{where} has {' and '.join(said)}: rows are matched by file name")
    return [row_of[s] for s in samples]


def _sample_of(name: str, samples: Collection[str]) -> str | None:
    plain = name.replace("\\", "/")
    base = plain.rsplit("/", 1)[-1]
    for candidate in (name, os.path.splitext(plain)[0], base, os.path.splitext(base)[0]):
        if candidate in samples:
            return candidate
    return None


def _values(cells: np.ndarray, column: str, rows: Sequence[int], where: str) -> np.ndarray:
    """Integers if all are, else floats if all are, else texts; a mixture is refused."""
    texts = ["" if c is None or c != c else str(c).strip() for c in cells]
    numbers, wrong = [], []
    for row, text in zip(rows, texts, strict=True):
        try:
            numbers.append(float(text) if text else np.nan)
        except ValueError:
            wrong.append((row, text))
    if len(wrong) == sum(map(bool, texts)) and wrong:
        return np.array(texts)
    if wrong:
        row, text = wrong[0]
        raise DataError(
            f"{where} row {row + 2} has {text!r} in column {column!r}, whose other cells are numbers"
        )
    if all(t.lstrip("+-").isdecimal() for t in texts) and np.max(np.abs(numbers)) < 2**53:
        return np.array([int(t) for t in texts])
    return np.array(numbers)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
