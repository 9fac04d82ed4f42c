"""How an ensemble lies in Zarr: arrays, codecs, and the one root file that says what is valid.

Every array carries its own metadata, as Zarr wants, but readers go by the copy inlined in the root
``zarr.json`` (Zarr's consolidated metadata). That file is replaced in one step, so it is the commit
point: an ensemble grows, for all variables together, at the moment it is written.
"""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from mksdask.ensemble.location import Location
from mksdask.ensemble.plan import inner_chunks
from mksdask.ensemble.schema import SCHEMA_VERSION, plain_attrs
from mksdask.errors import DataError
from mksdask.version import __version__

ROOT = "zarr.json"
# Key of our own entry among the root attributes.
OURS = "mksdask"
# Variables with one number a sample, known when the store is laid out, lie in few large chunks.
COLUMN_CHUNK = 1 << 16


def codecs(dtype: np.dtype[Any], dims: Sequence[Hashable] = ()) -> tuple[Any, ...]:
    """Compressor and checksum of one data type; ``benchmarks/codecs.py`` is where they come from.

    Labels: bit-shuffle and zstd (they shrink twelve-fold; lz4 is no faster and gives eight). Wider
    integers, such as grain numbers: byte-shuffle and lz4 (as small as zstd, twice as fast). Floats
    shrink by a quarter with any codec: bit-shuffle and lz4. Orientations repeat the same three
    numbers all over a grain, which only lz4 without shuffling sees (sixteen-fold; bit-shuffled not
    even two-fold). Every chunk ends with a CRC-32C.
    """
    if dtype.kind in "UOT":
        return (ZstdCodec(level=1), Crc32cCodec())
    if dtype.itemsize == 1:
        return (BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"), Crc32cCodec())
    shuffle: Literal["noshuffle", "shuffle", "bitshuffle"]
    shuffle = "bitshuffle" if dtype.kind in "fc" else "shuffle"
    if "euler" in dims:
        shuffle = "noshuffle"
    return (BloscCodec(cname="lz4", clevel=5, shuffle=shuffle), Crc32cCodec())


def fill_value(dtype: np.dtype[Any]) -> Any:
    """What an unwritten voxel reads as: NaN, or a label that no basis accepts.

    >>> fill_value(np.dtype("uint8")), fill_value(np.dtype("int64"))
    (np.uint8(255), np.int64(-1))
    """
    if dtype.kind in "UOT":
        return ""
    if dtype.kind == "b":
        return False
    if dtype.kind in "fc":
        return dtype.type(np.nan)
    return dtype.type(np.iinfo(dtype).max) if dtype.kind == "u" else dtype.type(-1)


def create_array(
    location: Location,
    name: str,
    dims: Sequence[Hashable],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    chunks: tuple[int, ...],
    attrs: Mapping[str, Any],
) -> None:
    """Lay out one array whose write unit is ``chunks``, sharded where that is large."""
    text = dtype.kind in "UOT"
    inner = None if text else inner_chunks(chunks, dtype)
    zarr.create_array(
        location.zarr_store(read_only=False),
        name=name,
        shape=shape,
        dtype=str if text else dtype,
        chunks=inner or chunks,
        shards=chunks if inner else None,
        compressors=codecs(dtype, dims),
        fill_value=fill_value(dtype),
        dimension_names=[str(d) for d in dims],
        attributes=plain_attrs(attrs),
        overwrite=True,
    )


def write_unit(array: zarr.Array[Any]) -> tuple[int, ...]:
    """Shape of what one task must write whole: the shard, or the chunk where there are none."""
    return tuple(array.shards or array.chunks)


def root_document(location: Location) -> dict[str, Any]:
    """The root of an ensemble of ours, or a ``DataError`` that says what is there instead."""
    document = location.read_json(ROOT)
    if document is None:
        if not location.exists():
            hint = ""
            if location.has_incoming():
                hint = (
                    ": its replacement was interrupted at the last step, which resume_ensemble does"
                )
            raise FileNotFoundError(f"no ensemble at {location.url}{hint}")
        raise DataError(
            f"{location.url} is not an mksdask ensemble (it has no {ROOT}): make one with "
            "create_ensemble or ingest"
        )
    attributes = document.get("attributes") if isinstance(document, dict) else None
    ours = attributes.get(OURS) if isinstance(attributes, dict) else None
    if not isinstance(ours, dict) or "schema_version" not in ours:
        raise DataError(
            f"{location.url} was written by another program: open it with xarray.open_zarr and "
            "store what you need of it with create_ensemble"
        )
    version = ours["schema_version"]
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise DataError(
            f"{location.url} has schema version {version}, written by mksdask "
            f"{ours.get('written_by')}; this mksdask reads versions up to {SCHEMA_VERSION}: upgrade it"
        )
    return document


def stored_arrays(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Metadata of each committed array by name."""
    return document.get("consolidated_metadata", {}).get("metadata", {})


def user_attrs(document: Mapping[str, Any]) -> dict[str, Any]:
    """Root attributes without our own entry."""
    return {k: v for k, v in document["attributes"].items() if k != OURS}


def commit_root(
    location: Location,
    attrs: Mapping[str, Any],
    arrays: Mapping[str, Any],
    block_names: Sequence[str],
    unfinished: Mapping[str, Any] | None,
    store_id: str,
) -> None:
    """Replace the root: attributes, committed array metadata, and what is unfinished if anything.

    ``store_id`` stays for the life of an ensemble; what replaces it has another one.
    """
    entry = {
        "schema_version": SCHEMA_VERSION,
        "written_by": __version__,
        "store_id": store_id,
        "commit": uuid.uuid4().hex,
        "blocks": list(block_names),
        "unfinished": unfinished,
    }
    location.write_json(
        ROOT,
        {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {**plain_attrs(attrs), OURS: entry},
            "consolidated_metadata": {
                "kind": "inline",
                "must_understand": False,
                "metadata": arrays,
            },
        },
    )


def written_arrays(location: Location, names: Iterable[str]) -> dict[str, Any]:
    """Metadata of arrays as they lie in the store now, to be committed."""
    return {name: location.read_json(f"{name}/{ROOT}") for name in names}
