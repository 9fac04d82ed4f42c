"""Localization on 51^3 cells: fit and predict against PyMKS, their transforms, and the full solve.

python benchmarks/localization.py [--pymks PATH/TO/python] [--rounds 3] [--only fit predict ...]

Everything runs on one thread; the sides are timed in turn, in seconds of the processor, so that
other work on the machine counts little. The floor of a fit is one forward transform of a sample's
microstructure and one of its response (two states add up to 1), that of a prediction one transform
forth and one back.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402 (after the number of threads is set)

N, SIZE = 40, 51
PARTS = ("fit", "predict", "pymks", "solve", "samples", "volume")

PEER = """
import sys, time, json, warnings
warnings.simplefilter("ignore")
import numpy as np, dask, dask.array as da
np.complex = complex
dask.config.set(scheduler="synchronous")
from pymks.fmks.localization import LocalizationRegressor
from pymks.fmks.bases.primitive import discretize
X, y = (np.load(name) for name in sys.argv[1:3])
y = da.from_array(y, chunks=y.shape)
redundant = lambda ijk: (slice(-1),) if any(ijk) else (slice(None),)

def states(labels):
    return discretize(da.from_array(labels, chunks=labels.shape), n_state=2, min_=0.0, max_=1.0)

small = LocalizationRegressor(redundant)
small.fit(states(X[:2, :5, :5, :5]), y[:2, :5, :5, :5])
start = time.process_time()
model = LocalizationRegressor(redundant).fit(states(X), y)
fit = time.process_time() - start
times = []
for _ in range(2):
    start = time.process_time()
    predicted = np.asarray(model.predict(states(X)))
    times.append(time.process_time() - start)
np.save(sys.argv[3], predicted)
print(json.dumps([fit, min(times)]))
"""


def clock(work, *arguments):
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


def compare(rounds, **sides):
    """Times of the sides, run in turn: (rounds, sides)."""
    return np.array([[clock(side) for side in sides.values()] for _ in range(rounds)])


def ratio(times, goal):
    """One side over another: by smallest times and in the median of rounds."""
    ours, other = times.T
    best, median = min(ours) / min(other), np.median(ours / other)
    return f"{best:.2f} by smallest times, {median:.2f} in the median of rounds [{goal}]"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pymks", help="Python interpreter with PyMKS")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    args = parser.parse_args()
    from mksdask import fft
    from mksdask.bases import PrimitiveBasis
    from mksdask.linkage import LocalizationModel

    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (N, SIZE, SIZE, SIZE))
    y = rng.standard_normal(X.shape)
    model = LocalizationModel(PrimitiveBasis(2))
    axes = (0, 1, 2)

    def transforms_of_fit():
        for cell, response in zip(X, y, strict=True):
            fft.rfftn((cell == 0).astype(float), axes=axes)
            fft.rfftn(response, axes=axes)

    def transforms_of_predict():
        for cell in X:
            fft.irfftn(fft.rfftn((cell == 0).astype(float), axes=axes), s=cell.shape, axes=axes)

    model.fit(X, y)
    transforms_of_fit()
    if "fit" in args.only:
        times = compare(args.rounds, ours=lambda: model.fit(X, y), floor=transforms_of_fit)
        print(f"fit {N} x {SIZE}^3: {1e3 * min(times[:, 0]) / N:.1f} ms a sample")
        print(f"  fit / its forward transforms: {ratio(times, '<= 2')}")
    if "predict" in args.only:
        times = compare(args.rounds, ours=lambda: model.predict(X), floor=transforms_of_predict)
        print(f"predict {N} x {SIZE}^3: {1e3 * min(times[:, 0]) / N:.1f} ms a sample")
        print(f"  predict / its transforms: {ratio(times, '<= 1.6')}")
    if "pymks" in args.only and args.pymks:
        against_pymks(args.pymks, X, y, model)
    if "solve" in args.only:
        against_solver(args.rounds)
    if "samples" in args.only:
        half = N // 2
        rows = compare(
            args.rounds,
            half=lambda: model.fit(X[:half], y[:half]),
            all=lambda: model.fit(X, y),
        )
        growth = min(rows[:, 1]) / min(rows[:, 0])
        print(f"fit of twice the samples: {growth:.2f} times the time [2 +- 15 %: 1.7 to 2.3]")
    if "volume" in args.only:
        done = subprocess.run(
            [sys.executable, "-c", VOLUME], capture_output=True, text=True, check=True
        )
        print(done.stdout.strip())


def against_pymks(python, X, y, model) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder) / f"{n}.npy") for n in ("x", "y", "out")]
        np.save(names[0], X)
        np.save(names[1], y)
        before = clock(model.fit, X, y), clock(model.predict, X)
        done = subprocess.run(
            [python, "-c", PEER, *names], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print("PyMKS did not run:", done.stderr.strip().splitlines()[-1])
            return
        after = clock(model.fit, X, y), clock(model.predict, X)
        fit, predict = json.loads(done.stdout.splitlines()[-1])
        apart = np.abs(np.load(names[2]).reshape(X.shape) - model.predict(X)).max()
    ours = [min(pair) for pair in zip(before, after, strict=True)]
    print(f"PyMKS: fit {fit:.1f} s, predict {predict:.2f} s; predictions differ by {apart:.1e}")
    print(f"  fit: {fit / ours[0]:.0f} times faster than PyMKS [>= 20]")
    print(f"  predict: {predict / ours[1]:.1f} times faster than PyMKS [>= 6]")


def against_solver(rounds) -> None:
    from mksdask import metrics
    from mksdask.bases import PrimitiveBasis
    from mksdask.generate import multiphase
    from mksdask.linkage import LocalizationModel
    from mksdask.simulate import elasticity

    cells = multiphase(6, shape=(SIZE,) * 3, grain_size=5, n_phases=2, seed=0).values

    def solve(phase):
        return elasticity(
            phase,
            youngs_modulus=(1, 10),
            poissons_ratio=(0.3, 0.3),
            macro_strain=1.0,
            outputs=("strain",),
            components=("xx",),
            tolerance=1e-5,
        ).strain.values[..., 0]

    strain = solve(cells)
    model = LocalizationModel(PrimitiveBasis(2), ridge=1e-3).fit(cells[:5], strain[:5])
    one = cells[5:]
    # Ten predictions for each solution: one takes milliseconds, in which anything may come between.
    times = np.array(
        [
            [min(clock(model.predict, one) for _ in range(10)), clock(solve, one)]
            for _ in range(rounds)
        ]
    )
    faster = min(times[:, 1]) / min(times[:, 0])
    error = float(metrics.r2(strain[5:], model.predict(one)))
    from mksdask import fft

    axes, field = (0, 1, 2), (one[0] == 0).astype(float)
    floor = min(
        clock(lambda: fft.irfftn(fft.rfftn(field, axes=axes), s=field.shape, axes=axes))
        for _ in range(5)
    )
    print(
        f"first-order prediction of a {SIZE}^3 cell at contrast 10: {1e3 * min(times[:, 0]):.1f} ms, "
        f"full solve {1e3 * min(times[:, 1]):.0f} ms: {faster:.0f} times faster [>= 100]"
    )
    print(
        f"  (R^2 {error:.2f} from {len(cells) - 1} training cells only; "
        f"one transform forth and back takes {1e3 * floor:.1f} ms)"
    )


VOLUME = """
import time
import dask, dask.array as da, numpy as np
from mksdask.bases import PrimitiveBasis
from mksdask.linkage import LocalizationModel
from mksdask.pipeline.peak import peak_memory

rng = np.random.default_rng(0)
X = rng.integers(0, 2, (4, 33, 33, 33))
model = LocalizationModel(PrimitiveBasis(2), ridge=1e-6).fit(X, rng.standard_normal(X.shape))
model = model.truncate(31)

def made(block_info):
    where = block_info[None]["array-location"]
    shape = tuple(stop - start for start, stop in where)
    return np.random.default_rng([start for start, _ in where]).integers(0, 2, shape, dtype=np.uint8)

volume = da.map_blocks(made, chunks=((1,), *[(128,) * 4] * 3), meta=np.empty((0,) * 4, np.uint8))
start = time.perf_counter()
predicted = model.predict(volume).compute(scheduler="threads", num_workers=2)
seconds = time.perf_counter() - start
peak = peak_memory() / 2**30
print(f"512^3 prediction with a 31^3 kernel: {seconds:.0f} s on two threads, peak {peak:.2f} GiB, of "
      f"which {predicted.nbytes / 2**30:.2f} GiB are the result [< 4 GB]")
"""


if __name__ == "__main__":
    main()
