"""Two workers against one, the cost of a task, and chunk sizes.

    python benchmarks/scaling.py

Everything is measured side by side in one run. The speed-up of two workers is compared with that
of two bare processes that run the same kernels on the same stores without any scheduler, since
two cores rarely give twice the speed of one. The last lines are the cost model of docs/scaling.md:
its constants, and what it foresees for one, two and four workers beside what these take.
"""

import argparse
import math
import multiprocessing
import os
import statistics
import tempfile
import time

import dask

import mksdask as mks
from mksdask.cluster import connect
from mksdask.cluster.pinning import PINNED
from mksdask.ensemble.plan import plan_chunks

GOAL_OF_WORKERS, GOAL_OF_PLAN = 0.9, 1.1
LOCAL = {"threads_per_worker": 1, "memory": "2 GiB", "dashboard": False}


def lazy_statistics(store, samples=slice(None)):
    phase = mks.open_ensemble(store).phase.isel(sample=samples)
    return mks.two_point_statistics(phase, mks.PrimitiveBasis(2), cutoff=10).mean("sample")


def lazy_elasticity(store, samples=slice(None)):
    phase = mks.open_ensemble(store).phase.isel(sample=samples)
    solved = mks.simulate.elasticity(
        phase, youngs_modulus=(1, 5), poissons_ratio=(0.3, 0.3), macro_strain=0.01,
        outputs=("mean_stress",),
    )  # fmt: skip
    return solved.mean_stress.mean("sample")


STAGES = {"statistics": lazy_statistics, "elasticity": lazy_elasticity}


class Bare:
    """Two processes that run the kernels of a stage on a store, without any scheduler."""

    def __init__(self, stage, store):
        context = multiprocessing.get_context("spawn")
        self.done = context.Queue()
        self.inboxes = [context.Queue() for _ in range(2)]
        for inbox in self.inboxes:
            context.Process(target=work, args=(stage, store, inbox, self.done), daemon=True).start()
        self.seconds([slice(0, 1)] * 2)  # compiled and loaded

    def seconds(self, shares):
        """Until each process is through with its share of the samples."""
        start = time.perf_counter()
        for inbox, share in zip(self.inboxes, shares, strict=False):
            inbox.put(share)
        for _ in shares:
            self.done.get()
        return time.perf_counter() - start

    def end(self):
        for inbox in self.inboxes:
            inbox.put(None)


def work(stage, store, inbox, done):
    while (share := inbox.get()) is not None:
        STAGES[stage](store, share).compute(scheduler="synchronous")
        done.put(True)


def timed(client, lazy, workers):
    start = time.perf_counter()
    client.compute(lazy, workers=workers, allow_other_workers=False).result()
    return time.perf_counter() - start


def speed_up(client, stage, store, n_samples, rounds):
    """Prints what share of the speed-up of bare processes workers reach; returns the former."""
    addresses = list(client.scheduler_info(n_workers=-1)["workers"])
    for address in addresses:
        timed(client, STAGES[stage](store, slice(0, 1)), [address])
    processes = Bare(stage, store)
    whole, half = slice(0, n_samples), n_samples // 2
    seconds = []
    for _ in range(rounds):  # in turn, since other load on a machine comes and goes
        seconds.append(
            (
                timed(client, STAGES[stage](store), addresses[:1]),
                timed(client, STAGES[stage](store), addresses),
                processes.seconds([whole]),
                processes.seconds([slice(0, half), slice(half, n_samples)]),
            )
        )
    processes.end()
    one, two, bare_one, bare_two = (min(column) for column in zip(*seconds, strict=True))
    share = statistics.median((a / b) / (c / d) for a, b, c, d in seconds)
    print(
        f"{stage}: two workers {one / two:.2f} times one ({one:.2f} s, {two:.2f} s); two bare "
        f"processes {bare_one / bare_two:.2f} times one ({bare_one:.2f} s, {bare_two:.2f} s); median "
        f"of {rounds} rounds {100 * share:.0f} % of it (goal {100 * GOAL_OF_WORKERS:.0f} %)"
    )
    return bare_one / bare_two


def task_cost(n=3000):
    """Seconds that the scheduler and the workers need for a task that does nothing."""
    import dask.array as da

    array = da.zeros(n, chunks=1).map_blocks(lambda block: block, dtype=float)
    total = array.sum(split_every=n)  # three tasks an element, which are not fused here
    total.compute(optimize_graph=False)
    start = time.perf_counter()
    total.compute(optimize_graph=False)
    return (time.perf_counter() - start) / len(total.__dask_graph__())


def in_chunks(folder, n_samples, size):
    """The same ensemble in chunks of 1 to 256 MiB as float64 and in those of the plan."""
    mib = 8 * size**3 / 2**20
    planned = plan_chunks({"sample": n_samples, "x": size, "y": size, "z": size}).chunks["sample"]
    counts = {max(1, round(wanted / mib)) for wanted in (1, 4, 16, 64, 128, 256)}
    phase = phases(n_samples, size, 8).compute()
    stores = {}
    for count in sorted({count for count in counts if 2 * count <= n_samples} | {planned}):
        stores[count] = f"{folder}/chunks-{count}.zarr"
        chunked = phase.chunk({"sample": count}).to_dataset(name="phase")
        mks.create_ensemble(stores[count], chunked, progress=False)
    return stores, planned


def chunk_sweep(stores, planned, n_samples, size, rounds):
    seconds = {count: [] for count in stores}
    for _ in range(rounds):
        for count, store in stores.items():
            start = time.perf_counter()
            lazy_statistics(store).compute()
            seconds[count].append(time.perf_counter() - start)
    best = min(min(s) for s in seconds.values())
    print(f"statistics of {n_samples} samples of {size}^3, two workers:")
    for count in stores:
        mark = " <- the default plan" if count == planned else ""
        print(
            f"  chunks of {8 * count * size**3 / 2**20:6.1f} MiB as float64: "
            f"{min(seconds[count]):6.2f} s, {min(seconds[count]) / best:.2f} of the best{mark}"
        )
    share = min(seconds[planned]) / best
    print(f"the default plan takes {share:.2f} of the best (goal {GOAL_OF_PLAN:.2f})")


def model(stores, n_samples, size, task, two_cores, rounds):
    """Constants from one worker and the smallest and the largest chunks; the rest is foreseen."""
    voxels = n_samples * size**3
    cores = len(os.sched_getaffinity(0))
    taken = {}
    for workers in (1, 2, 4):
        with connect("local", n_workers=workers, **LOCAL):
            for store in stores.values():
                lazy_statistics(store).compute()
            for _ in range(rounds):
                for count, store in stores.items():
                    start = time.perf_counter()
                    lazy_statistics(store).compute()
                    seconds = time.perf_counter() - start
                    taken[workers, count] = min(seconds, taken.get((workers, count), seconds))
    chunks = {count: math.ceil(n_samples / count) for count in stores}
    small, large = min(stores), max(stores)
    a_chunk = (taken[1, small] - taken[1, large]) / (chunks[small] - chunks[large])
    a_voxel = (taken[1, large] - a_chunk * chunks[large]) / voxels
    graph = dask.optimize(lazy_statistics(stores[small]))[0].__dask_graph__()
    tasks = len(graph) / chunks[small]
    print(
        f"cost model of statistics: {1e9 * a_voxel:.1f} ns a voxel and {1e3 * a_chunk:.1f} ms a "
        f"chunk of a worker, {tasks:.1f} tasks a chunk of {1e3 * task:.2f} ms of the scheduler"
    )
    for workers in (1, 2, 4):
        speed = {1: 1.0, 2: two_cores}.get(min(workers, cores), float(min(workers, cores)))
        for count in stores:
            kernels = (voxels * a_voxel + chunks[count] * a_chunk) / speed
            foreseen = max(kernels, chunks[count] * tasks * task)
            print(
                f"  {workers} worker{'s' if workers > 1 else ' '} on {cores} cores, "
                f"{chunks[count]:4d} chunks: foreseen {foreseen:6.2f} s, taken "
                f"{taken[workers, count]:6.2f} s ({taken[workers, count] / foreseen:.2f})"
            )


def phases(n_samples, size, chunk):
    return mks.generate.multiphase(
        shape=(size,) * 3, n_samples=n_samples, grain_size=5, seed=0, chunks=chunk
    )


def make(store, n_samples, size, chunk):
    phase = phases(n_samples, size, chunk)
    mks.create_ensemble(store, phase.to_dataset(name="phase"), progress=False)
    return store


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--size", type=int, default=51)
    parser.add_argument("--cells", type=int, default=192)
    parser.add_argument("--cell-size", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    os.environ.update(PINNED)  # of the bare processes; those of a cluster are pinned by connect
    with tempfile.TemporaryDirectory() as folder:
        stores, planned = in_chunks(folder, args.samples, args.size)
        cells = make(f"{folder}/cells.zarr", args.cells, args.cell_size, 4)
        with connect("local", n_workers=2, **LOCAL) as client:
            cores = speed_up(client, "statistics", stores[planned], args.samples, args.rounds)
            speed_up(client, "elasticity", cells, args.cells, args.rounds)
            task = statistics.median(task_cost() for _ in range(3))
            chunk_sweep(stores, planned, args.samples, args.size, args.rounds)
        model(stores, args.samples, args.size, task, cores, min(args.rounds, 3))


if __name__ == "__main__":
    main()
