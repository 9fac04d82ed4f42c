"""Memory of writing, checking and resuming follows the chunk, not the ensemble."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import dask, dask.array as da, numpy as np, xarray as xr
import mksdask as mks
from mksdask.pipeline.peak import peak_memory

n_blocks, chunk, store = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
dask.config.set(scheduler="threads", num_workers=2)

def block(block_id=None):
    return np.random.default_rng(block_id[0]).integers(0, 2, (4, 128, 128, 64)).astype("float64")

field = da.map_blocks(block, chunks=((4,) * n_blocks, (128,), (128,), (64,)), dtype="float64")
ds = xr.Dataset({"field": (("sample", "x", "y", "z"), field)})
base = peak_memory()
mks.create_ensemble(store, ds, chunks={"sample": chunk})
assert mks.validate_ensemble(store) == []
mks.resume_ensemble(store, ds)
print((peak_memory() - base) / 2**20)
"""


def peak_mib(n_blocks, chunk, store):
    call = [sys.executable, "-c", SCRIPT, str(n_blocks), str(chunk), str(store)]
    return float(subprocess.run(call, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [4, 7])
def test_an_ensemble_many_times_larger_than_what_is_used(tmp_path, chunk):
    """3.5 GiB in blocks of 32 MiB, in the chunks of the store and in others.

    Where the chunks differ, 28 blocks are written in two windows and 112 in eight of the same size.
    """
    small = peak_mib(28, chunk, tmp_path / "small.zarr")
    large = peak_mib(112, chunk, tmp_path / "large.zarr")
    print(f"28 blocks {small:.0f} MiB, 112 blocks {large:.0f} MiB")
    assert large < 112 * 32 / 4
    assert large < 1.5 * small
