"""Two-point statistics of ensembles of labels, against the floor of their transforms.

    python benchmarks/two_point.py                               # all but the peer
    python benchmarks/two_point.py --pymks PATH/TO/python        # and PyMKS in its own environment

Prints ratios of times taken side by side in this run, with the goal beside each. The floor is one
float64 rfftn and irfftn of every sample on the same threads.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import scipy.fft

from mksdask.bases import PrimitiveBasis
from mksdask.statistics import two_point_statistics

CUTOFF = 10

PEER = """
import sys, time
import numpy as np
numpy = np
if not hasattr(np, "complex"):
    np.complex = complex
import dask.array as da
from pymks import PrimitiveTransformer, TwoPointCorrelation
x = np.load(sys.argv[1])
cutoff, threads, repeats = (int(a) for a in sys.argv[2:5])
import dask
dask.config.set(scheduler="threads", num_workers=threads)
data = da.from_array(x, chunks=(max(1, len(x) // 10), *x.shape[1:]))
def run():
    m = PrimitiveTransformer(n_state=2, min_=0.0, max_=1.0).transform(data)
    step = TwoPointCorrelation(
        correlations=[(0, 0), (0, 1), (1, 1)], periodic_boundary=True, cutoff=cutoff
    )
    return np.asarray(step.transform(m))
run()
for _ in range(repeats):
    started = time.perf_counter()
    out = run()
    print(time.perf_counter() - started)
np.save(sys.argv[5], out)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--samples-3d", type=int, default=400)
    parser.add_argument("--samples-2d", type=int, default=500)
    parser.add_argument("--pymks", help="Python of an environment with PyMKS 0.4.1")
    args = parser.parse_args()
    dask.config.set(scheduler="threads", num_workers=args.threads)
    for shape in ((args.samples_3d, 51, 51, 51), (args.samples_2d, 128, 128)):
        print(
            f"\n{' x '.join(map(str, shape))}, all pairs, cutoff {CUTOFF}, periodic, "
            f"{args.threads} threads; ratios are medians of {args.repeats}"
        )
        floors(shape, args)
        thread_pool(shape, args)
        if args.pymks:
            against_pymks(shape, args)
    graph()


def floors(shape: tuple[int, ...], args: argparse.Namespace) -> None:
    """The whole lazy pipeline from labels against the transforms it cannot do without."""
    two, three = labels(shape, 2), labels(shape, 3)
    basis = {2: PrimitiveBasis(2), 3: PrimitiveBasis(3)}
    # Two of three states are independent: two forward transforms, three inverse ones.
    report(
        "two phases / floor", 1.3, args.repeats,
        lambda: transform(two, 1, 1),
        lambda: two_point_statistics(two, basis[2], cutoff=CUTOFF).compute(),
    )  # fmt: skip
    report(
        "three phases / floor of their independent transforms", 1.2, args.repeats,
        lambda: transform(three, 2, 3),
        lambda: two_point_statistics(three, basis[3], cutoff=CUTOFF).compute(),
    )  # fmt: skip
    report(
        "two phases, non-periodic / floor of periodic ones", None, args.repeats,
        lambda: transform(two, 1, 1),
        lambda: two_point_statistics(
            two, basis[2], cutoff=CUTOFF, boundary="nonperiodic"
        ).compute(),
    )  # fmt: skip


def thread_pool(shape: tuple[int, ...], args: argparse.Namespace) -> None:
    """Dask's threads against a bare pool that runs the same kernel on the same chunks."""
    lazy = labels(shape, 2)
    whole, basis = lazy.compute(), PrimitiveBasis(2)
    walls = [0, *itertools.accumulate(lazy.chunks[0])]
    blocks = [whole[a:b] for a, b in itertools.pairwise(walls)]

    def bare() -> np.ndarray:
        with ThreadPoolExecutor(args.threads) as pool:
            parts = pool.map(lambda b: two_point_statistics(b, basis, cutoff=CUTOFF), blocks)
            return np.concatenate(list(parts))

    report(
        "Dask threads / bare thread pool", 1.1, args.repeats,
        bare,
        lambda: two_point_statistics(lazy, basis, cutoff=CUTOFF).compute(),
    )  # fmt: skip


def against_pymks(shape: tuple[int, ...], args: argparse.Namespace) -> None:
    """The same arrays, pairs, cutoff and threads, each in its own environment."""
    lazy, basis = labels(shape, 2), PrimitiveBasis(2)
    ours = []
    with tempfile.TemporaryDirectory() as folder:
        path, answer = Path(folder, "labels.npy"), Path(folder, "answer.npy")
        np.save(path, lazy.compute().astype(np.int64))
        theirs = []
        for _ in range(2):
            command = [
                args.pymks,
                "-W",
                "ignore",
                "-c",
                PEER,
                path,
                CUTOFF,
                args.threads,
                2,
                answer,
            ]
            done = subprocess.run(
                [str(c) for c in command], capture_output=True, text=True, check=True
            )
            theirs += [float(line) for line in done.stdout.split()]
            for _ in range(3):
                ours.append(
                    timed(lambda: two_point_statistics(lazy, basis, cutoff=CUTOFF).compute())
                )
        expected = np.moveaxis(np.load(answer), -1, 1)
    f = two_point_statistics(lazy, basis, cutoff=CUTOFF).compute()
    worst = np.abs(f - expected).max()
    ratio = min(theirs) / min(ours)
    print(
        f"  {'PyMKS / ours':<56}{ratio:8.1f}   [>= 6]   {min(theirs):.2f} s / {min(ours):.2f} s, "
        f"largest difference {worst:.0e}"
    )


def graph() -> None:
    """Building and optimizing the graph of a large ensemble."""
    phase = da.zeros((100_000, 51, 51, 51), chunks=(50, 51, 51, 51), dtype=np.uint8)
    started = time.perf_counter()
    f = two_point_statistics(phase, PrimitiveBasis(2), cutoff=CUTOFF)
    (optimized,) = dask.optimize(f)
    n_tasks = len(optimized.__dask_graph__())
    seconds = time.perf_counter() - started
    print(
        f"\ngraph for 100,000 samples in 2,000 chunks: {seconds:.2f} s [< 3], "
        f"{n_tasks / 2000:.2f} tasks a chunk [<= 3]"
    )


def labels(shape: tuple[int, ...], n_phases: int) -> da.Array:
    rng = np.random.default_rng(0)
    data = rng.integers(0, n_phases, shape, dtype=np.uint8)
    return da.from_array(data, chunks=(max(1, shape[0] // 20), *shape[1:]))


def transform(data: da.Array, n_forward: int, n_inverse: int) -> None:
    """Bare transforms of every sample, one chunk a task."""

    def block(chunk: np.ndarray) -> np.ndarray:
        for sample in chunk:
            field = sample.astype(float)
            for _ in range(n_forward):
                spectrum = scipy.fft.rfftn(field)
            for _ in range(n_inverse):
                scipy.fft.irfftn(spectrum, s=field.shape)
        return np.zeros((1,) * chunk.ndim)

    ones = tuple((1,) * n for n in data.numblocks)
    meta = np.empty((0,) * data.ndim)
    data.map_blocks(block, chunks=ones, meta=meta).compute()


def report(name: str, goal: float | None, repeats: int, floor: Callable, ours: Callable) -> None:
    """Time both in turn and print the median ratio."""
    floor(), ours()
    pairs = [(timed(floor), timed(ours)) for _ in range(repeats)]
    ratio = statistics.median(b / a for a, b in pairs)
    wanted = "" if goal is None else f"[<= {goal}]"
    a, b = (min(each) for each in zip(*pairs, strict=True))
    print(f"  {name:<56}{ratio:8.2f}   {wanted:<8} {b:.2f} s / {a:.2f} s")


def timed(run: Callable) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
