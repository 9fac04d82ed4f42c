"""Say everything that is wrong with an ensemble."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
import zarr

from mksdask.ensemble import blocks, layout, values
from mksdask.ensemble.check import BlockCheck, check_blocks
from mksdask.ensemble.location import Location
from mksdask.ensemble.read import REMEDY, assemble
from mksdask.ensemble.schema import LABELS, SAMPLE, schema_violations
from mksdask.errors import DataError


def validate_ensemble(
    store: str | os.PathLike[str] | xr.Dataset,
    *,
    data: bool = True,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> list[str]:
    """Every violation found, one sentence each; an empty list is a valid ensemble.

    Parameters
    ----------
    store
        Path or URL of a stored ensemble, or a Dataset (of which only the structure is checked).
    data
        Read every block: checksums, labels against ``phase_names``, masks in [0, 1], NaN in
        orientations.
    progress, storage_options
        As for :func:`create_ensemble`.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> phase = xr.DataArray(np.zeros((2, 4, 4)), dims=("sample", "x", "y"))
    >>> validate_ensemble(phase.to_dataset(name="phase"))
    ["variable 'phase': dtype is float64; wanted integer or unsigned integer or boolean: ..."]
    """
    if isinstance(store, xr.Dataset):
        return schema_violations(store)
    location = Location(store, storage_options)
    document = layout.root_document(location)
    ours = document["attributes"][layout.OURS]
    found = []
    if ours["unfinished"] is not None:
        holder = location.writer()
        state = f"is being done by {holder}" if holder else "was interrupted" + REMEDY
        count = ours["unfinished"]["count"]
        found.append(f"the {ours['unfinished']['kind']} of {count} samples {state}")
    checks: dict[str, list[BlockCheck]] = {}
    units: dict[str, int] = {}
    committed = _committed_samples(document)
    for name, meta in layout.stored_arrays(document).items():
        try:
            array = values.open_array(location, name)
        except DataError as error:
            found.append(str(error))
            continue
        over_samples = (meta.get("dimension_names") or [None])[0] == SAMPLE
        units[name] = layout.write_unit(array)[0] if over_samples else 0
        # A column is small, and the ensemble cannot be opened without it: it is always read.
        read = data or name not in ours["blocks"]
        said, checks[name] = _chunk_violations(
            location, array, units[name], committed, read, progress
        )
        found += said
    broken = {name for name in checks if any(not c.readable for c in checks[name])}
    columns = set(layout.stored_arrays(document)) - set(ours["blocks"])
    if columns & broken or columns - set(checks) or any("are missing" in v for v in found):
        return found
    ds = assemble(location, document)
    found += schema_violations(ds)
    for name in ours["blocks"]:
        readable = [c for c in checks.get(name, []) if c.readable]
        found += _value_violations(name, readable, ds, units.get(name, 1))
    return found


def _committed_samples(document: Mapping[str, Any]) -> int:
    for meta in layout.stored_arrays(document).values():
        if (meta.get("dimension_names") or [None])[0] == SAMPLE:
            return int(meta["shape"][0])
    return 0


def _chunk_violations(
    location: Location,
    array: zarr.Array[Any],
    unit: int,
    committed: int,
    read: bool,
    progress: bool | None,
) -> tuple[list[str], list[BlockCheck]]:
    """What is missing or broken of one array; ``unit`` is 0 for an array without samples."""
    name = array.path
    wanted = {i for i in blocks.all_blocks(array) if not unit or i[0] * unit < committed}
    present = wanted & blocks.existing_blocks(location, array)

    def where(bad: set[blocks.Index]) -> str:
        flags = _sample_flags(bad, unit, committed)
        return f"samples {blocks.ranges(flags)} are" if unit else "values are"

    found = []
    if present != wanted:
        found.append(f"variable {name!r}: {where(wanted - present)} missing")
    checks = check_blocks(location, name, sorted(present), progress) if read else []
    broken = {c.index for c in checks if not c.readable}
    if broken:
        found.append(
            f"variable {name!r}: {where(broken)} corrupt (the checksum of a chunk does not hold)"
        )
    return found, checks


def _value_violations(
    name: str, checks: Sequence[BlockCheck], ds: xr.Dataset, unit: int
) -> list[str]:
    committed = ds.sizes[SAMPLE]

    def where(bad: set[blocks.Index]) -> str:
        return f"in samples {blocks.ranges(_sample_flags(bad, unit, committed))}"

    found = []
    if name in LABELS:
        negative = {c.index for c in checks if c.smallest < 0}
        if negative:
            found.append(f"variable {name!r}: negative labels {where(negative)}")
    names = ds.attrs.get("phase_names")
    if name == "phase" and names is not None:
        high = {c.index for c in checks if c.largest >= len(names)}
        if high:
            top = int(max(c.largest for c in checks))
            found.append(
                f"variable 'phase': labels up to {top} for {len(names)} phase_names {where(high)}"
            )
    if name == "orientation":
        nan = {c.index for c in checks if c.has_nan}
        if nan:
            found.append(f"variable 'orientation': NaN {where(nan)}")
    if name == "mask":
        outside = {c.index for c in checks if c.has_nan or c.smallest < 0 or c.largest > 1}
        if outside:
            found.append(f"variable 'mask': values outside [0, 1] {where(outside)}")
    return found


def _sample_flags(indices: set[blocks.Index], unit: int, n_samples: int) -> np.ndarray:
    flags = np.zeros(n_samples, dtype=bool)
    for index in indices:
        flags[index[0] * unit : (index[0] + 1) * unit] = True
    return flags
