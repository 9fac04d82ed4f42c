"""What is in a store, in a page of text."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from dask.utils import format_bytes

from mksdask.ensemble import layout
from mksdask.ensemble.location import Location
from mksdask.ensemble.read import open_unfinished


def describe_ensemble(
    store: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None
) -> str:
    """Summary of a stored ensemble: samples, grid, variables, sizes on disk, provenance.

    >>> import mksdask as mks, numpy as np, xarray as xr
    >>> labels = xr.DataArray(np.zeros((3, 4, 4), "uint8"), dims=("sample", "x", "y"))
    >>> _ = mks.create_ensemble("memory://seen.zarr", labels.to_dataset(name="phase"))
    >>> print(describe_ensemble("memory://seen.zarr"))
    memory://seen.zarr (mksdask schema 1, complete)
      3 samples, x 4, y 4
      phase  uint8  (sample 3, x 4, y 4)  chunks 3 x 4 x 4  ...
    """
    location = Location(store, storage_options)
    document = layout.root_document(location)
    ours = document["attributes"][layout.OURS]
    ds, unfinished = open_unfinished(location)
    state = "complete" if ours["unfinished"] is None else "INCOMPLETE"
    lines = [f"{location.url} (mksdask schema {ours['schema_version']}, {state})"]
    lines += [f"  {message}" for message in unfinished]
    sizes = [f"{d} {n}" for d, n in ds.sizes.items() if d != "sample"]
    lines.append("  " + ", ".join([f"{ds.sizes.get('sample', 0)} samples", *sizes]))
    rows = []
    for key, variable in ds.variables.items():
        name = str(key)
        dims = ", ".join(f"{d} {n}" for d, n in variable.sizes.items())
        if name not in ours["blocks"]:
            if variable.ndim:
                rows.append((name, str(variable.dtype), f"({dims})", "in memory", ""))
            continue
        array = location.array(name)
        chunks = "chunks " + " x ".join(map(str, layout.write_unit(array)))
        held = stored_bytes(location, name)
        ratio = variable.size * variable.dtype.itemsize / max(held, 1)
        size = f"{format_bytes(held)} stored, {ratio:.1f} times compressed"
        rows.append((name, str(variable.dtype), f"({dims})", chunks, size))
    widths = [max(len(row[i]) for row in rows) for i in range(4)] if rows else []
    for row in rows:
        cells = [cell.ljust(w) for cell, w in zip(row, widths, strict=False)]
        lines.append("  " + "  ".join([*cells, row[4]]).rstrip())
    for key, value in ds.attrs.items():
        text = json.dumps(value)
        lines.append(f"  {key}: {text if len(text) < 300 else text[:300] + ' ...'}")
    return "\n".join(lines)


def stored_bytes(location: Location, name: str) -> int:
    """Bytes that one variable takes in the store."""
    return int(location.fs.du(f"{location.path}/{name}"))
