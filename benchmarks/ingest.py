"""Ingest of TIFF volumes against a bare loop of tifffile and Zarr, side by side in one run.

    python benchmarks/ingest.py            # 2,000 volumes of 64^3; about two minutes
    python benchmarks/ingest.py --n 200

The bare loop reads each file with ``tifffile.imread`` and writes it to one Zarr array, with the
same compressor and checksum as ours, once with a chunk a sample and once with our chunks (samples
are then gathered in memory). It checks nothing. Ours reads every header first, puts the axes in
order, and writes so that a kill does no harm. Each run is a process of its own, timed after
imports; sides alternate. Peak memory is that of the process less what imports took.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

GOAL = 0.80
SHAPE = (64, 64, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2000, help="number of volumes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        run_side(args.side, Path(args.folder), args.n)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), args.n)
        compare(folder, args.n, args.rounds)


def write_files(folder: Path, n: int) -> None:
    """Two-phase labels with features of a few voxels, each volume shifted against the last."""
    import tifffile
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(0).standard_normal(SHAPE)
    labels = (gaussian_filter(noise, 2, mode="wrap") > 0).astype("uint8")
    (folder / "tif").mkdir()
    for i in range(n):
        tifffile.imwrite(folder / "tif" / f"v{i}.tif", np.roll(labels, i, (0, 1, 2)))


def run_side(side: str, folder: Path, n: int) -> None:
    """One side in a process of its own; prints seconds, peak memory and chunk."""
    name, cores = side.split("/")
    if cores == "1":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    import dask
    import tifffile
    import zarr

    from mksdask.ensemble.ingest import ingest
    from mksdask.ensemble.layout import codecs
    from mksdask.ensemble.plan import plan_chunks
    from mksdask.pipeline.peak import peak_memory

    paths = [str(folder / "tif" / f"v{i}.tif") for i in range(n)]
    store = tempfile.mkdtemp(dir=folder)
    tifffile.imread(paths[0])
    chunk = plan_chunks({"sample": n, **dict(zip("xyz", SHAPE, strict=True))}).chunks["sample"]
    before = peak_memory()
    start = time.perf_counter()
    if name == "mksdask":
        with dask.config.set(num_workers=int(cores)):
            stored = ingest(paths, f"{store}/out.zarr", progress=False).phase.data.chunksize[0]
        if stored != chunk:
            raise SystemExit(f"chunks of {stored} samples where {chunk} were planned")
    else:
        count = 1 if name == "loop" else chunk
        array = zarr.create_array(
            f"{store}/out.zarr",
            shape=(n, *SHAPE),
            chunks=(count, *SHAPE),
            dtype="uint8",
            compressors=codecs(np.dtype("uint8")),
        )
        for i in range(0, n, count):
            part = [tifffile.imread(p) for p in paths[i : i + count]]
            array[i : i + count] = np.stack(part)
    seconds = time.perf_counter() - start
    peak = peak_memory() - before
    subprocess.run(["rm", "-r", store], check=True)
    print(json.dumps({"seconds": seconds, "peak": peak / 2**20, "chunk": chunk}))


def measure(side: str, folder: str, n: int) -> dict:
    command = [sys.executable, __file__, "--side", side, "--folder", folder, "--n", str(n)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(folder: str, n: int, rounds: int) -> None:
    from mksdask.ensemble.layout import codecs

    blosc = codecs(np.dtype("uint8"))[0]
    kind = f"{blosc.cname.value} level {blosc.clevel}, {blosc.shuffle.value}, CRC-32C"
    print(f"{n} TIFF volumes of 64^3 uint8; every side stores with {kind}")
    cores = os.cpu_count() or 1
    for used in (cores, 1):
        sides = [f"mksdask/{used}", f"loop/{used}", f"loop by chunks/{used}"]
        runs: dict[str, list[dict]] = {side: [] for side in sides}
        for _ in range(rounds):
            for side in sides:
                runs[side].append(measure(side, folder, n))
        print(f"\n{used} core{'s' if used > 1 else ''}:")
        for side in sides:
            seconds = statistics.median(r["seconds"] for r in runs[side])
            peak = max(r["peak"] for r in runs[side])
            print(f"  {side.split('/')[0]:16} {seconds:6.2f} s, {n / seconds:5.0f} files/s", end="")
            print(f", peak memory {peak:4.0f} MiB")
        for side in sides[1:]:
            ratio = statistics.median(
                b["seconds"] / a["seconds"] for a, b in zip(runs[sides[0]], runs[side], strict=True)
            )
            goal = f"goal {GOAL:.2f}: {'met' if ratio >= GOAL else 'MISSED'}"
            print(f"  speed of mksdask / {side.split('/')[0]}: {ratio:.2f} ({goal})")
    print("\npeak memory of mksdask, and what the chunks in flight take:")
    for count in (max(n // 2, 1), n):
        run = measure(f"mksdask/{cores}", folder, count)
        chunk = run["chunk"] * np.prod(SHAPE) / 2**20
        print(
            f"  {count} files: {run['peak']:.0f} MiB; {cores} workers x chunks of {chunk:.0f} MiB"
        )


if __name__ == "__main__":
    main()
