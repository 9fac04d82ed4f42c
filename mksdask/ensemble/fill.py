"""Lay out the arrays of an ensemble and fill them, whole blocks only."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mksdask import progress as watch
from mksdask.ensemble import blocks, layout, values
from mksdask.ensemble.check import check_blocks
from mksdask.ensemble.location import Location
from mksdask.ensemble.prepare import block_names
from mksdask.ensemble.schema import LABELS, SAMPLE
from mksdask.errors import DataError
from mksdask.lazy import is_lazy, visit

# Blocks along ``sample`` written in one go, for each thread, where data must be joined from other
# chunks: in the worst order all of them wait in memory for their last part.
WINDOW = 4


def lay_out(location: Location, ds: xr.Dataset, unfinished: Mapping[str, Any]) -> list[str]:
    """Make the arrays, store the columns, and return the names of what is still to be filled."""
    attrs = dict(ds.attrs)
    extra = [str(c) for c in ds.coords if ds[c].dims != (c,)]
    if extra:
        attrs["coordinates"] = " ".join(extra)
    names = block_names(ds)
    store_id = uuid.uuid4().hex
    layout.commit_root(location, attrs, {}, names, unfinished, store_id)
    for key, variable in ds.variables.items():
        name = str(key)
        # Columns have one number a sample: they lie in few, large chunks.
        unit = unfinished["chunks"] if name in names else {SAMPLE: layout.COLUMN_CHUNK}
        chunks = tuple(unit.get(str(d), n) for d, n in variable.sizes.items())
        shape, dtype = variable.shape, variable.dtype
        layout.create_array(location, name, variable.dims, shape, dtype, chunks, variable.attrs)
        if name not in names:
            location.array(name, read_only=False)[...] = _values(variable)
    arrays = layout.written_arrays(location, map(str, ds.variables))
    layout.commit_root(location, attrs, arrays, names, unfinished, store_id)
    return names


def lengthen(location: Location, ds: xr.Dataset, names: Sequence[str], first: int) -> None:
    """Make room for the new samples; readers do not see it before the root is replaced."""
    for key, variable in ds.variables.items():
        if SAMPLE not in variable.dims:
            continue
        array = location.array(str(key), read_only=False)
        wanted = first + ds.sizes[SAMPLE]
        if array.shape[0] != wanted:
            array.resize((wanted, *array.shape[1:]))
        if key not in names:
            array[first:] = _values(variable)


def _values(variable: xr.Variable) -> np.ndarray:
    """One number or name a sample, computed if lazy: columns are small and stored at once."""
    entries = np.asarray(variable.values)
    return entries.astype(object) if entries.dtype.kind in "UOT" else entries


def fill(
    location: Location,
    ds: xr.Dataset,
    todo: Mapping[str, Sequence[blocks.Index] | None],
    first: int,
    progress: bool | None,
) -> None:
    """Write blocks: those in ``todo`` (indices of the data), or all where it says None.

    Data in other chunks than the store are joined from parts of several; so that the parts waiting
    for one another stay few however long the ensemble is, these are written window by window.
    """
    written = {}
    joined = False
    for name in todo:
        source = aligned(ds[name], layout.write_unit(location.array(name)), first)
        written[name] = visit(source, BlockWriter(location, name, first))
        given = ds[name].data
        joined = joined or (is_lazy(given) and given.chunks != source.chunks)
    length = max(v.numblocks[0] for v in written.values())
    stop = 0
    with watch.bar(length, "writing", progress if joined else False) as shown:
        while stop < length:
            start, stop = stop, length
            if joined:
                stop = min(length, start + WINDOW * watch.threads())  # workers may come and go
            work: list[Any] = []
            for name, indices in todo.items():
                if indices is None:
                    work.append(written[name].blocks[start:stop])
                else:
                    delayed = written[name].to_delayed()
                    work += [delayed[index] for index in indices if start <= index[0] < stop]
            if work:
                watch.run(*work, label="writing", progress=False if joined else progress)
            shown.update(stop - start)


@dataclass(frozen=True)
class BlockWriter:
    """Writes one block of one variable; ``first`` is the sample at which the new data begin.

    Data that begin inside a stored block (after an append) are joined with the samples already in
    it, so that the block is replaced whole and the old samples are in it before and after.
    """

    location: Location
    name: str
    first: int

    def __call__(self, block: np.ndarray, index: blocks.Index) -> int:
        if self.name in LABELS:
            self._check_labels(block)
        array = self.location.array(self.name, read_only=False)
        target = blocks.region(array, index, self.first)
        held = self.first - target[0].start
        if held > 0:
            before = (slice(target[0].start, self.first), *target[1:])
            block = np.concatenate([values.read_checked(self.location, array, before), block])
        array[target] = block
        return 1

    def _check_labels(self, block: np.ndarray) -> None:
        if block.dtype.kind == "i" and block.size and block.min() < 0:
            raise DataError(
                f"variable {self.name!r} holds the negative label {int(block.min())}; wanted labels "
                "from 0: remap them before storing"
            )


def aligned(array: xr.DataArray, unit: tuple[int, ...], first: int) -> da.Array:
    """The new data in chunks that are exactly the stored blocks, the first one cut at ``first``."""
    chunks: list[Any] = list(unit)
    held = first % unit[0]
    if array.dims[0] == SAMPLE and held:
        n = array.shape[0]
        head = min(unit[0] - held, n)
        rest = n - head
        chunks[0] = (
            head,
            *([unit[0]] * (rest // unit[0])),
            *([rest % unit[0]] if rest % unit[0] else []),
        )
    data = array.data
    if isinstance(data, da.Array):
        return data.rechunk(tuple(chunks))
    return da.from_array(data, chunks=tuple(chunks), name=False)


def todo_blocks(
    location: Location, name: str, first: int, progress: bool | None
) -> list[blocks.Index]:
    """Blocks of the new data that are missing or broken, in indices of the data."""
    array = location.array(name)
    unit = layout.write_unit(array)[0]
    wanted = {i for i in blocks.all_blocks(array) if (i[0] + 1) * unit > first}
    # A block shared with old samples exists whether or not the new ones are in it: write it again.
    shared = {i for i in wanted if i[0] * unit < first}
    present = (wanted - shared) & blocks.existing_blocks(location, array)
    checks = check_blocks(location, name, sorted(present), progress)
    redo = (wanted - present) | {c.index for c in checks if not c.readable}
    return sorted((i[0] - first // unit, *i[1:]) for i in redo)


def finish(location: Location) -> None:
    """Commit what has been written, once every block of it exists."""
    document = layout.root_document(location)
    attrs = layout.user_attrs(document)
    ours = document["attributes"][layout.OURS]
    lost = blocks.missing_samples(location, ours["blocks"])
    if lost.any():
        raise DataError(
            f"samples {blocks.ranges(lost)} of {location.url} are missing although all were to be "
            "written: call resume_ensemble with the same dataset"
        )
    unfinished = ours["unfinished"] or {}
    if unfinished.get("provenance"):
        provenance = dict(attrs.get("provenance") or {})
        provenance["appended"] = [*provenance.get("appended", []), unfinished["provenance"]]
        attrs["provenance"] = provenance
    arrays = layout.written_arrays(location, layout.stored_arrays(document))
    layout.commit_root(location, attrs, arrays, ours["blocks"], None, ours["store_id"])


def check_same_data(
    location: Location,
    ds: xr.Dataset,
    todo: Mapping[str, Sequence[blocks.Index]],
    first: int,
) -> None:
    """Compute the first, a middle and the last block that is stored already, and compare."""
    chosen: list[list[tuple[str, blocks.Index, da.Array]]] = [[], [], []]
    for name, missing in todo.items():
        source = aligned(ds[name], layout.write_unit(location.array(name)), first)
        kept = sorted(set(np.ndindex(source.numblocks)) - set(missing))
        for place, i in enumerate(sorted({0, len(kept) // 2, len(kept) - 1}) if kept else ()):
            chosen[place].append((name, kept[i], source.blocks[kept[i]]))
    # Variables together, since they may share their work; one place after the other, since blocks
    # may be large.
    for together in chosen:
        computed = watch.compute(*(block for _, _, block in together), progress=False)
        for (name, index, _), block in zip(together, computed, strict=True):
            region = blocks.region(location.array(name), index, first)
            stored = values.read_values(location, name, region)
            if not _same_values(block, stored):
                raise DataError(
                    f"variable {name!r} of the dataset differs from what the interrupted write "
                    "stored: resume with the same data, or create the store again with "
                    "overwrite=True"
                )


def _same_values(block: np.ndarray, stored: np.ndarray) -> bool:
    """Within rounding where they are numbers; sample by sample, so that no copy is a block long."""
    if stored.dtype.kind not in "fc" or block.shape != stored.shape:
        return np.array_equal(block, stored)
    if stored.ndim < 2:
        block, stored = block[None], stored[None]
    rtol = 1e-4 if stored.dtype.itemsize in (2, 4) else 1e-8
    scale = max((float(np.nanmax(np.abs(s), initial=0.0)) for s in stored), default=0.0)
    return all(
        np.allclose(b, s, rtol=rtol, atol=rtol * scale, equal_nan=True)
        for b, s in zip(block, stored, strict=True)
    )
