"""Ensembles and volumes much larger than memory."""

import subprocess
import sys

import dask.array as da
import numpy as np
import pytest

from mksdask.bases import PrimitiveBasis
from mksdask.statistics import two_point_statistics
from tests.system.limited_worker import limited_worker

LIMIT = 600 * 2**20


def made_labels(block_info):
    """int64 labels, 1 MiB a sample, that exist only while they are used."""
    where = block_info[None]["array-location"]
    shape = tuple(stop - start for start, stop in where)
    return np.random.default_rng(where[0][0]).integers(0, 2, shape)


@pytest.mark.slow
def test_ensemble_eight_times_the_memory_of_the_worker():
    n_samples = 8 * LIMIT // 2**20
    chunks = ((16,) * (n_samples // 16), (51,), (51,), (51,))
    ensemble = da.map_blocks(made_labels, chunks=chunks, meta=np.empty((0,) * 4, np.int64))
    assert ensemble.nbytes >= 8 * LIMIT
    f = two_point_statistics(ensemble, PrimitiveBasis(2), cutoff=6)
    with limited_worker(LIMIT):
        mean = f.mean(axis=0).compute()
    np.testing.assert_allclose(mean[:, 6, 6, 6], [0.5, 0, 0.5], atol=1e-3)


VOLUME = """
import dask.array as da
import numpy as np
from mksdask.bases import PrimitiveBasis
from mksdask.pipeline.peak import peak_memory
from mksdask.statistics import two_point_statistics

def made(block_info):
    where = block_info[None]["array-location"]
    shape = tuple(stop - start for start, stop in where)
    return np.random.default_rng([start for start, _ in where]).integers(0, 2, shape)

chunks = ((1,), (64,) * 24, (64,) * 4, (64,) * 4)
volume = da.map_blocks(made, chunks=chunks, meta=np.empty((0,) * 4, np.int64))
before = peak_memory()
f = two_point_statistics(volume, PrimitiveBasis(2), cutoff=8, boundary="nonperiodic")
values = f.compute(scheduler="threads", num_workers=2)
assert abs(values[0, 0, 8, 8, 8] - 0.5) < 1e-3
print(volume.nbytes, peak_memory() - before)
"""


@pytest.mark.slow
def test_volume_takes_the_memory_of_few_of_its_chunks():
    done = subprocess.run(
        [sys.executable, "-c", VOLUME], capture_output=True, text=True, check=True
    )
    size, used = map(int, done.stdout.split())
    print(f"{used / 2**20:.0f} MiB used for a volume of {size / 2**20:.0f}")
    assert used < 0.5 * size
