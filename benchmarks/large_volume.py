"""Two-point statistics of one volume larger than the memory allowed.

    python benchmarks/large_volume.py                 # 1024^3, cutoff 32, in 4 GB on 2 threads
    python benchmarks/large_volume.py --size 512

The volume is made chunk by chunk as it is read, so that it is in memory nowhere. Prints the time,
the peak memory of the whole process, and how often each chunk was read.
"""

from __future__ import annotations

import argparse
import threading
import time

import dask
import dask.array as da
import numpy as np

from mksdask import progress
from mksdask.bases import PrimitiveBasis
from mksdask.pipeline.peak import peak_memory
from mksdask.statistics import two_point_statistics

READS = 0
_LOCK = threading.Lock()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--chunk", type=int, default=128)
    parser.add_argument("--cutoff", type=int, default=32)
    parser.add_argument("--boundary", default="nonperiodic")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-gb", type=float, default=4.0)
    args = parser.parse_args()
    limit = int(args.memory_gb * 2**30)
    n, c = args.size, args.chunk
    chunks = tuple((c,) * (n // c) + ((n % c,) if n % c else ()) for _ in range(3))
    volume = da.map_blocks(_layers, chunks=((1,), *chunks), meta=np.empty((0,) * 4, np.uint8))
    f = two_point_statistics(volume, PrimitiveBasis(2), cutoff=args.cutoff, boundary=args.boundary)
    started = time.perf_counter()
    with dask.config.set(scheduler="threads", num_workers=args.threads):
        (values,) = progress.compute(f, label="two-point statistics")
    seconds = time.perf_counter() - started
    peak = peak_memory()
    centre = (0, 0, args.cutoff, args.cutoff, args.cutoff)
    n_chunks = len(chunks[0]) ** 3
    print(f"{n}^3 uint8, two phases, cutoff {args.cutoff}, {args.boundary}, {n_chunks} chunks")
    print(f"time                 {seconds:8.1f} s   ({n**3 / seconds / 1e6:.1f} million voxels/s)")
    print(
        f"peak memory          {peak / 2**30:8.2f} GiB [<= {args.memory_gb:g}]"
        f"{'' if peak <= limit else '  MISSED'}"
    )
    print(f"reads of each chunk  {READS / n_chunks:8.2f}     [1]")
    print(f"volume fraction 0    {values[centre]:8.4f}")


def _layers(block_info: dict) -> np.ndarray:
    """Noisy layers, a structure with long-range order; depends on the position only."""
    global READS
    with _LOCK:
        READS += 1
    where = block_info[None]["array-location"]
    rng = np.random.default_rng([start for start, _ in where])
    shape = tuple(stop - start for start, stop in where)
    x = np.arange(*where[1])[None, :, None, None]
    return (rng.random(shape, dtype=np.float32) < 0.3 + 0.4 * (x // 16 % 2)).astype(np.uint8)


if __name__ == "__main__":
    main()
