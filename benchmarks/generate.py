"""Multiphase microstructures against PyMKS, side by side on one thread, and the other generators.

python benchmarks/generate.py [--pymks PATH/TO/python]
"""

import argparse
import subprocess
import sys
import time

import dask
from threadpoolctl import threadpool_limits

from mksdask import generate

REPEATS = 5
PEER = """
import os
os.environ["OMP_NUM_THREADS"] = "1"
import sys, time
import numpy as np
np.complex = complex
import dask
from pymks.fmks.data.multiphase import generate_multiphase
shape, grain = eval(sys.argv[1]), eval(sys.argv[2])
make = lambda: generate_multiphase(shape, grain, (0.5, 0.5), seed=1)
with dask.config.set(scheduler="single-threaded"):
    make()
    begun = time.perf_counter()
    found = make()
    print(time.perf_counter() - begun, (found == 0).mean())
"""


def seconds(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def against_pymks(python, shape, grain):
    phase = generate.multiphase(shape[0], shape[1:], grain, (0.5, 0.5))
    phase.compute()
    ours, theirs = [], []
    for _ in range(REPEATS):
        ours.append(seconds(phase.compute))
        run = subprocess.run(
            [python, "-W", "ignore", "-c", PEER, str(shape), str(grain)],
            check=True,
            capture_output=True,
            text=True,
        )
        theirs.append(float(run.stdout.split()[0]))
    ratio = min(theirs) / min(ours)
    print(
        f"multiphase {' x '.join(map(str, shape))}, grains {grain}: {min(ours):.3f} s, PyMKS "
        f"{min(theirs):.3f} s, {ratio:.1f} times as long [>= 3]",
        flush=True,
    )


def each_generator():
    """Time of one 51^3 sample of each kind, and of the graph of a large ensemble."""
    shape = (51, 51, 51)
    made = {
        "multiphase": generate.multiphase(4, shape, 9, (0.5, 0.5)),
        "gaussian_family": generate.gaussian_family(4, shape),
        "voronoi, 100 grains": generate.voronoi(4, shape, 100).grain,
        "Laguerre, 100 grains": generate.voronoi(4, shape, 100, size_variation=0.4).grain,
        "spheres, 40 %": generate.spheres(4, shape, 5, 0.4),
        "overlapping spheres, 40 %": generate.spheres(4, shape, 5, 0.4, hard_core=False),
        "fibers of 2 x 20, 20 %": generate.fibers(4, shape, 2, 20, 0.2),
    }
    for name, phase in made.items():
        taken = min(seconds(phase.compute) for _ in range(3)) / 4
        print(f"{name:28s} {1e3 * taken:6.1f} ms a sample of 51^3", flush=True)
    taken = seconds(lambda: generate.gaussian_family(100_000))
    print(f"graph of 100,000 samples of 51^3: {taken:.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pymks", help="interpreter of an environment with PyMKS 0.4.1")
    args = parser.parse_args()
    threadpool_limits(1)
    dask.config.set(scheduler="single-threaded")
    each_generator()
    if args.pymks:
        against_pymks(args.pymks, (200, 101, 101), (15, 15))
        against_pymks(args.pymks, (200, 101, 101), (5, 5))
        against_pymks(args.pymks, (1000, 21, 21), (7, 7))
        against_pymks(args.pymks, (20, 51, 51, 51), (9, 9, 9))


if __name__ == "__main__":
    sys.exit(main())
