"""A writer to be killed: ``python -m tests.ensemble.slow_writer create|overwrite|append STORE SECONDS``.

It never ends by itself: the last of its blocks take an hour.
"""

import itertools
import sys
import time

import dask
import dask.array as da
import numpy as np
import xarray as xr

import mksdask as mks

SHAPE = (13, 11)
CALLS = itertools.count()


def _wait(delay):
    if delay:
        time.sleep(delay if next(CALLS) < 22 else 3600)


def _labels(numbers, delay):
    _wait(delay)
    return np.stack([np.random.default_rng(int(i)).integers(0, 3, SHAPE) for i in numbers]).astype(
        "uint8"
    )


def _field(numbers, delay):
    _wait(delay)
    return np.stack([np.random.default_rng([int(i), 1]).normal(size=SHAPE) for i in numbers])


def dataset(first, stop, delay):
    """Samples that depend on their number alone, two to a chunk, each chunk slow to compute."""
    numbers = da.arange(first, stop, chunks=2)
    kwargs = {"delay": delay, "new_axis": [1, 2], "chunks": (numbers.chunks[0], *SHAPE)}
    dims = ("sample", "x", "y")
    return xr.Dataset(
        {
            "phase": (dims, numbers.map_blocks(_labels, dtype="uint8", **kwargs)),
            "field": (dims, numbers.map_blocks(_field, dtype="float64", **kwargs)),
        },
        coords={"sample": np.arange(first, stop)},
    )


if __name__ == "__main__":
    action, store, delay = sys.argv[1:]
    with dask.config.set(scheduler="threads", num_workers=2):
        if action in ("create", "overwrite"):
            overwrite = action == "overwrite"
            mks.create_ensemble(store, dataset(0, 24, float(delay)), overwrite=overwrite)
        else:
            mks.append_samples(store, dataset(15, 39, float(delay)))
