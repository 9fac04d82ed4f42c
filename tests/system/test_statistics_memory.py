"""Ensembles and volumes much larger than memory."""

import resource
import subprocess
import sys

import dask
import dask.array as da
import numpy as np
import pytest

from mksdask.bases import PrimitiveBasis
from mksdask.statistics import two_point_statistics

# A bare worker with the package imported takes 270 MiB of it.
LIMIT = 600 * 2**20


def made_labels(block_info):
    """int64 labels, 1 MiB a sample, that exist only while they are used."""
    where = block_info[None]["array-location"]
    shape = tuple(stop - start for start, stop in where)
    return np.random.default_rng(where[0][0]).integers(0, 2, shape)


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.slow
def test_ensemble_eight_times_the_memory_of_the_worker():
    from distributed import Client, LocalCluster

    n_samples = 8 * LIMIT // 2**20
    chunks = ((16,) * (n_samples // 16), (51,), (51,), (51,))
    ensemble = da.map_blocks(made_labels, chunks=chunks, meta=np.empty((0,) * 4, np.int64))
    assert ensemble.nbytes >= 8 * LIMIT
    f = two_point_statistics(ensemble, PrimitiveBasis(2), cutoff=6)
    no_spilling = {f"distributed.worker.memory.{k}": False for k in ("target", "spill")}
    with (
        dask.config.set(no_spilling),
        LocalCluster(
            n_workers=1, threads_per_worker=2, memory_limit=LIMIT, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        before = client.run(peak_memory)
        mean = f.mean(axis=0).compute()
        after = client.run(peak_memory)
    # The same process as before: the nanny did not have to kill it.
    assert before.keys() == after.keys()
    (peak,) = after.values()
    print(f"peak memory {peak / 2**20:.0f} MiB of {LIMIT / 2**20:.0f}")
    assert peak < LIMIT
    np.testing.assert_allclose(mean[:, 6, 6, 6], [0.5, 0, 0.5], atol=1e-3)


VOLUME = """
import resource
import dask.array as da
import numpy as np
from mksdask.bases import PrimitiveBasis
from mksdask.statistics import two_point_statistics

def made(block_info):
    where = block_info[None]["array-location"]
    shape = tuple(stop - start for start, stop in where)
    return np.random.default_rng([start for start, _ in where]).integers(0, 2, shape)

chunks = ((1,), (64,) * 24, (64,) * 4, (64,) * 4)
volume = da.map_blocks(made, chunks=chunks, meta=np.empty((0,) * 4, np.int64))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
f = two_point_statistics(volume, PrimitiveBasis(2), cutoff=8, boundary="nonperiodic")
values = f.compute(scheduler="threads", num_workers=2)
assert abs(values[0, 0, 8, 8, 8] - 0.5) < 1e-3
print(volume.nbytes, peak() - before)
"""


@pytest.mark.slow
def test_volume_takes_the_memory_of_few_of_its_chunks():
    done = subprocess.run(
        [sys.executable, "-c", VOLUME], capture_output=True, text=True, check=True
    )
    size, used = map(int, done.stdout.split())
    print(f"{used / 2**20:.0f} MiB used for a volume of {size / 2**20:.0f}")
    assert used < 0.5 * size
