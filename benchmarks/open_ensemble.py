"""Open an ensemble of 100,000 samples and build a lazy map over it [under 3 s, <= 3 tasks a chunk]."""

import argparse
import tempfile
import time

import dask.array as da
import numpy as np
import xarray as xr

import mksdask as mks
from mksdask.lazy import lift


def fractions(block):
    return block.mean(axis=(1, 2), dtype=float)[:, None]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--chunk", type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        labels = da.zeros((args.samples, 8, 8), dtype="uint8", chunks=(args.chunk, 8, 8))
        names = [f"sample-{i:06d}" for i in range(args.samples)]
        ds = xr.Dataset({"phase": (("sample", "x", "y"), labels)}, {"sample": names})
        start = time.perf_counter()
        mks.create_ensemble(folder + "/e.zarr", ds)
        print(f"written in {time.perf_counter() - start:.1f} s")
        for _ in range(3):
            start = time.perf_counter()
            opened = mks.open_ensemble(folder + "/e.zarr")
            middle = time.perf_counter()
            out = lift(
                fractions,
                opened.phase,
                dims=[("sample", "x", "y")],
                out_dims=("sample", "state"),
                sizes={"state": 1},
                dtype=float,
            )
            tasks = len(out.data.dask)
            stop = time.perf_counter()
            chunks = int(np.prod(opened.phase.data.numblocks))
            print(
                f"open {middle - start:.2f} s + map and graph {stop - middle:.2f} s = "
                f"{stop - start:.2f} s [< 3]; {tasks / chunks:.2f} tasks a chunk [<= 3] "
                f"({chunks} chunks)"
            )


if __name__ == "__main__":
    main()
