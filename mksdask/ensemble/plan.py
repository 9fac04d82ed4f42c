"""How to cut an ensemble into chunks, from its shape and a memory budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dask.utils
import numpy as np
import xarray as xr

from mksdask.ensemble.schema import SAMPLE

# Analyses turn labels into float64 fields, so chunks are planned by their float64 size whatever is
# stored. A worker holds the input, a few working arrays and the output of one or two chunks at a
# time: a chunk of a thirty-second of its memory leaves room for all of them.
DEFAULT_MEMORY = "2 GiB"
CHUNKS_IN_MEMORY = 32
# A sample is kept whole up to an eighth of the memory, since whole samples are simplest to analyse.
SAMPLES_IN_MEMORY = 8
# Enough chunks that a few workers share the work, as long as chunks stay above a size at which the
# fixed cost of a chunk (13 ms in docs/scaling.md) counts little.
MIN_CHUNKS = 8
MIN_CHUNK_BYTES = 8 << 20
# Stored arrays above this size a chunk are sharded, so that one sample can be read alone.
SHARD_BYTES = 16 << 20
INNER_BYTES = 4 << 20


@dataclass(frozen=True)
class ChunkPlan:
    """Chunk lengths by dimension, and why.

    >>> print(plan_chunks({"sample": 1000, "x": 51, "y": 51, "z": 51}))
    chunks of 63 samples x 51 x 51 x 51 (63.76 MiB as float64), 16 chunks;
    a chunk is at most 1/32 of 2 GiB memory a worker; samples stay whole
    """

    chunks: Mapping[str, int]
    explanation: str

    def __str__(self) -> str:
        return self.explanation


def plan_chunks(
    sizes: Mapping[str, int] | xr.Dataset | xr.DataArray,
    memory: int | str | None = None,
) -> ChunkPlan:
    """Plan the chunks of an ensemble.

    Samples stay whole, several to a chunk, as long as one sample as float64 fits in an eighth of
    the memory; larger ones are cut into near-cubes, one sample to a chunk.

    Parameters
    ----------
    sizes
        Lengths by dimension (``sample``, ``x``, ...), or a Dataset or DataArray that has them.
    memory
        Bytes (or text such as ``"4 GiB"``) that one worker may use; 2 GiB by default.

    Examples
    --------
    >>> plan_chunks({"sample": 1, "x": 1024, "y": 1024, "z": 1024}).chunks
    {'sample': 1, 'x': 171, 'y': 205, 'z': 205}
    """
    if not isinstance(sizes, Mapping) or isinstance(sizes, xr.Dataset):
        sizes = {str(d): int(n) for d, n in sizes.sizes.items()}
    budget = parse_memory(memory)
    bad = {d: n for d, n in sizes.items() if n < 1}
    if bad:
        raise ValueError(f"sizes has empty dimensions {bad}; wanted lengths of at least 1")
    n_samples = sizes.get(SAMPLE, 1)
    inside = {d: n for d, n in sizes.items() if d != SAMPLE}
    sample_bytes = 8 * math.prod(inside.values())
    chunk_bytes = budget // CHUNKS_IN_MEMORY
    said = f"{dask.utils.format_bytes(budget)}".replace(".00", "")
    if sample_bytes <= budget // SAMPLES_IN_MEMORY:
        shared = max(math.ceil(n_samples / MIN_CHUNKS), MIN_CHUNK_BYTES // sample_bytes, 1)
        count = min(max(1, chunk_bytes // sample_bytes), shared, n_samples)
        chunks = {SAMPLE: count, **inside}
        why = (
            f"a chunk is at most 1/{CHUNKS_IN_MEMORY} of {said} memory a worker; samples stay whole"
        )
    else:
        chunks = {SAMPLE: 1, **_near_cubes(inside, chunk_bytes // 8)}
        why = (
            f"one sample as float64 takes {dask.utils.format_bytes(sample_bytes)}, more than "
            f"1/{SAMPLES_IN_MEMORY} of {said} memory a worker, so samples are cut"
        )
    number = math.prod(math.ceil(sizes.get(d, 1) / n) for d, n in chunks.items())
    size = dask.utils.format_bytes(8 * math.prod(chunks.values()))
    shape = " x ".join(str(chunks[d]) for d in inside)
    samples = f"{chunks[SAMPLE]} sample{'s' if chunks[SAMPLE] > 1 else ''}"
    text = f"chunks of {samples}{' x ' if shape else ''}{shape} ({size} as float64), "
    text += f"{number} chunk{'s' if number > 1 else ''};\n{why}"
    return ChunkPlan({d: chunks[d] for d in sizes if d in chunks}, text)


def parse_memory(memory: int | str | None) -> int:
    """Bytes from a number or a text.

    >>> parse_memory("1 GiB")
    1073741824
    """
    try:
        value = int(dask.utils.parse_bytes(DEFAULT_MEMORY if memory is None else memory))
    except (ValueError, TypeError):
        raise ValueError(f"memory is {memory!r}; wanted bytes or a text such as '4 GiB'") from None
    if value < 1 << 20:
        raise ValueError(f"memory is {memory!r}; wanted at least 1 MiB")
    return value


def inner_chunks(shape: tuple[int, ...], dtype: Any) -> tuple[int, ...] | None:
    """Shape of the separately readable parts of a stored chunk, or None to store it in one part.

    Each divides ``shape``, as a shard requires: fewer samples first, then fewer planes in space.

    >>> inner_chunks((64, 51, 51, 51), np.uint8), inner_chunks((62, 51, 51, 51), np.float64)
    (None, (2, 51, 51, 51))
    """
    itemsize = np.dtype(dtype).itemsize
    if math.prod(shape) * itemsize <= SHARD_BYTES:
        return None
    inner = list(shape)
    for axis in range(len(inner)):
        rest = math.prod(inner[:axis]) * math.prod(inner[axis + 1 :]) * itemsize
        target = max(1, INNER_BYTES // rest)
        inner[axis] = max(
            n for n in range(1, inner[axis] + 1) if shape[axis] % n == 0 and n <= target
        )
        if math.prod(inner) * itemsize <= INNER_BYTES:
            break
    return tuple(inner)


def _near_cubes(sizes: Mapping[str, int], voxels: int) -> dict[str, int]:
    """Cut the longest edge again and again until a chunk has at most ``voxels`` voxels."""
    parts = dict.fromkeys(sizes, 1)

    def edge(d: str) -> int:
        return math.ceil(sizes[d] / parts[d])

    while math.prod(edge(d) for d in sizes) > max(voxels, 1):
        longest = max(sizes, key=edge)
        parts[longest] += 1
    return {d: edge(d) for d in sizes}
