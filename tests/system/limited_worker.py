"""A worker that must get through with little memory."""

from contextlib import contextmanager

import dask
from distributed import Client, LocalCluster

from mksdask.pipeline.peak import peak_memory


@contextmanager
def limited_worker(limit):
    """Everything inside is computed by one worker of two threads, which never holds ``limit``.

    A bare worker with the package imported takes 290 MiB of it.
    """
    no_spilling = {f"distributed.worker.memory.{k}": False for k in ("target", "spill", "pause")}
    with (
        dask.config.set(no_spilling),
        LocalCluster(
            n_workers=1, threads_per_worker=2, memory_limit=limit, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        before = client.run(peak_memory)
        yield
        after = client.run(peak_memory)
    # The same process as before: the nanny did not have to kill it.
    assert before.keys() == after.keys()
    (peak,) = after.values()
    print(f"peak memory {peak / 2**20:.0f} MiB of {limit / 2**20:.0f}")
    assert peak < limit
