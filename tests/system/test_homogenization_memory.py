"""Models are fitted to, and tuned on, ensembles whose statistics are much larger than memory."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import dask, dask.array as da
import numpy as np
import xarray as xr
from sklearn.base import clone
from mksdask.bases import PrimitiveBasis
from mksdask.linkage import HomogenizationModel, tune
from mksdask.pipeline.peak import peak_memory

def made(block_info):
    where = block_info[None]["array-location"]
    shape = tuple(stop - start for start, stop in where)
    rng = np.random.default_rng(where[0][0])
    share = rng.uniform(0.2, 0.8, (shape[0], 1, 1, 1))
    return (rng.random(shape, dtype="f") < share).astype("u1")

n = int(sys.argv[1])
chunks = ((50,) * (n // 50), (31,), (31,), (31,))
cells = da.map_blocks(made, chunks=chunks, meta=np.empty((0,) * 4, "u1"))
phase = xr.DataArray(cells, dims=("sample", "x", "y", "z"))
y = phase.mean(("x", "y", "z")) ** 2
model = HomogenizationModel(PrimitiveBasis(2), pairs=[(0, 0)], cutoff=12, n_components=3)

with dask.config.set(scheduler="threads", num_workers=2):
    clone(model).fit(phase[:50], y[:50])
    before = peak_memory()
    if sys.argv[2] == "fit":
        assert model.fit(phase, y).reducer_.n_components_ == 3
    else:
        found = tune(model, phase, y, {"n_components": [1, 2, 3], "degree": [1, 2]}, cv=3)
        assert found.best_score > 0.99
print(n * 25**3 * 8, peak_memory() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["fit", "tune"])
def test_statistics_never_exist_all_at_once(what):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "4000", what], capture_output=True, text=True, check=True
    )
    size, used = map(int, done.stdout.split())
    print(f"{what}: {used / 2**20:.0f} MiB used for {size / 2**20:.0f} MiB of statistics")
    assert used < size / 2
