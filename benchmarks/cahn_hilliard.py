"""Cahn-Hilliard steps against their own transforms and against PyMKS, side by side on one thread.

python benchmarks/cahn_hilliard.py [--pymks PATH/TO/python]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from mksdask import fft
from mksdask.simulate import cahn_hilliard

N_STEPS, REPEATS = 50, 5
PEER = f"""
import os
os.environ["OMP_NUM_THREADS"] = "1"
import sys, time
import numpy as np
np.complex = complex
from pymks.fmks.data.cahn_hilliard import np_solve
start = np.load(sys.argv[1])
np_solve(start)
begun = time.perf_counter()
field = start
for _ in range({N_STEPS}):
    field = np_solve(field, delta_x=0.25, delta_t=1e-3, gamma=1.0)
print(time.perf_counter() - begun)
np.save(sys.argv[2], field)
"""


def seconds(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def transforms(field):
    """The forward and the inverse transform which a step cannot do without."""
    axes = tuple(range(1, field.ndim))
    for sample in field:
        spectrum = fft.rfftn(sample[None], axes=axes)
        for _ in range(N_STEPS):
            fft.rfftn(sample[None], axes=axes)
            fft.irfftn(spectrum, s=sample.shape, axes=axes)


def peer(python, start, folder):
    given, found = Path(folder, "start.npy"), Path(folder, "found.npy")
    np.save(given, start)
    run = subprocess.run(
        [python, "-W", "ignore", "-c", PEER, given, found],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(run.stdout), np.load(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pymks", help="interpreter of an environment with PyMKS 0.4.1")
    args = parser.parse_args()
    threadpool_limits(1)
    rng = np.random.default_rng(0)
    print(f"{N_STEPS} steps, one thread, ratios of the least times in {REPEATS} interleaved rounds")
    for shape, dtype in [
        ((8, 101, 101), np.float64),
        ((8, 128, 128), np.float64),
        ((8, 128, 128), np.float32),
        ((2, 51, 51, 51), np.float64),
    ]:
        start = (0.1 * rng.standard_normal(shape)).astype(dtype)
        cahn_hilliard(start[:1], 1)
        ours, bare, theirs = [], [], []
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(REPEATS):
                ours.append(seconds(lambda start=start: cahn_hilliard(start, N_STEPS)))
                bare.append(seconds(lambda start=start: transforms(start)))
                if args.pymks and dtype is np.float64 and len(shape) == 3:
                    taken, found = peer(args.pymks, start, folder)
                    theirs.append(taken)
                    np.testing.assert_allclose(cahn_hilliard(start, N_STEPS), found, atol=1e-12)
        label = f"{' x '.join(map(str, shape))} {np.dtype(dtype).name}"
        each = min(ours) / N_STEPS / shape[0] * 1e3
        ratio = min(ours) / min(bare)
        line = f"{label:24s} {each:7.3f} ms a step of a sample; {ratio:.2f} x its transforms [<= 2]"
        if theirs:
            line += f"; PyMKS takes {min(theirs) / min(ours):.1f} x as long [>= 4]"
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
