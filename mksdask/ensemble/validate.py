"""Say everything that is wrong with an ensemble."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from mksdask.ensemble import blocks, layout
from mksdask.ensemble.check import BlockCheck, check_blocks
from mksdask.ensemble.location import Location
from mksdask.ensemble.read import assemble
from mksdask.ensemble.schema import LABELS, SAMPLE, schema_violations


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
    ds = assemble(location, document)
    found = schema_violations(ds)
    ours = document["attributes"][layout.OURS]
    unfinished = ours["unfinished"]
    if unfinished is not None:
        found.append(
            f"the {unfinished['kind']} of {unfinished['count']} samples was interrupted: finish it "
            "with resume_ensemble and the same dataset"
        )
    for name, variable in ds.variables.items():
        if SAMPLE in variable.dims and variable.sizes[SAMPLE] != ds.sizes[SAMPLE]:
            found.append(f"variable {name!r} has another number of samples than the ensemble")
    for name in ours["blocks"]:
        if name in ds.variables:
            found += _block_violations(location, name, ds, data, progress)
    return found


def _block_violations(
    location: Location, name: str, ds: xr.Dataset, data: bool, progress: bool | None
) -> list[str]:
    array = location.array(name)
    committed = ds.sizes[SAMPLE]
    unit = layout.write_unit(array)[0]
    wanted = {i for i in blocks.all_blocks(array) if i[0] * unit < committed}
    present = wanted & blocks.existing_blocks(location, array)
    found = []
    if present != wanted:
        flags = _sample_flags(wanted - present, unit, committed)
        found.append(f"variable {name!r}: samples {blocks.ranges(flags)} are missing")
    if not data:
        return found
    checks = check_blocks(location, name, sorted(present), progress)
    broken = _sample_flags({c.index for c in checks if not c.readable}, unit, committed)
    if broken.any():
        found.append(
            f"variable {name!r}: samples {blocks.ranges(broken)} are corrupt (the checksum of a "
            "chunk does not hold)"
        )
    return found + _value_violations(name, [c for c in checks if c.readable], ds, unit)


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
