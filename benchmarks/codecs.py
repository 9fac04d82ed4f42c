"""Compressors for stored ensembles: what decides ``mksdask.ensemble.layout.codecs``.

Throughput and size for the kinds of data an ensemble holds: orientations of grains, phase labels
(uint8), grain numbers (int32) and smooth float fields.
"""

import pathlib
import tempfile
import time
import warnings

import numpy as np
import zarr
from scipy.ndimage import gaussian_filter
from zarr.codecs import BloscCodec, Crc32cCodec

from mksdask.generate import voronoi

CANDIDATES = [
    ("zstd", 1, "bitshuffle"),
    ("zstd", 1, "shuffle"),
    ("zstd", 3, "bitshuffle"),
    ("zstd", 5, "bitshuffle"),
    ("lz4", 5, "bitshuffle"),
    ("lz4", 5, "shuffle"),
    ("lz4", 5, "noshuffle"),
]


def data():
    rng = np.random.default_rng(0)
    noise = rng.random((48, 51, 51, 51))
    smooth = np.stack([gaussian_filter(n, 1.5, mode="wrap") for n in noise])
    grains = np.kron(rng.integers(0, 500, (48, 17, 17, 17)), np.ones((1, 3, 3, 3), dtype=int))
    orientations = voronoi(12, (51, 51, 51), 75).orientation.compute(scheduler="synchronous")
    return {
        "orientations": orientations.values,
        "labels uint8": (smooth > 0.5).astype("uint8"),
        "grains int32": grains.astype("int32"),
        "field float64": smooth,
        "field float32": smooth.astype("float32"),
    }


def main():
    warnings.simplefilter("ignore")
    print(f"{'data':>14} {'codec':>20} {'write MB/s':>11} {'read MB/s':>10} {'ratio':>6}")
    for name, values in data().items():
        times = {codec: ([], []) for codec in CANDIDATES}
        sizes = {}
        for _ in range(5):
            for codec in CANDIDATES:
                cname, level, shuffle = codec
                with tempfile.TemporaryDirectory() as folder:
                    array = zarr.create_array(
                        folder,
                        name="a",
                        shape=values.shape,
                        chunks=values.shape,
                        dtype=values.dtype,
                        compressors=[
                            BloscCodec(cname=cname, clevel=level, shuffle=shuffle),
                            Crc32cCodec(),
                        ],
                    )
                    start = time.perf_counter()
                    array[...] = values
                    middle = time.perf_counter()
                    array[...]
                    times[codec][0].append(middle - start)
                    times[codec][1].append(time.perf_counter() - middle)
                    files = pathlib.Path(folder).rglob("*")
                    sizes[codec] = sum(p.stat().st_size for p in files if p.is_file())
        mb = values.nbytes / 1e6
        for codec, (writes, reads) in times.items():
            print(
                f"{name:>14} {' '.join(map(str, codec)):>20} {mb / min(writes):11.0f} "
                f"{mb / min(reads):10.0f} {values.nbytes / sizes[codec]:6.2f}"
            )


if __name__ == "__main__":
    main()
