"""Staged localization against first order and against the solver stopped early.

    python benchmarks/staged_localization.py [accuracy] [speed] [--shape 51] [--cells 160]
        [--held-out 40] [--contrasts 2 10 50] [--data FOLDER]

Cells are those of ``generate.gaussian_family`` under a mean strain xx; figures are of the strain xx
in cells that were not trained on. Solved cells are kept in FOLDER and used again. The default is a
quick look; the line above it takes about half an hour, most of it to solve the cells.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import mksdask as mks
from mksdask.linkage import LocalizationModel, StagedLocalization

POISSON = (0.3, 0.3)
BASIS = mks.PrimitiveBasis(2)
ITERATIONS = (1, 2, 3, 5)
BLOCK = 4  # cells handed over together, so that what they share is made once
# R^2 to reach, by method and contrast.
GOALS = {
    ("first order", 2): 0.975,
    ("first order", 10): 0.83,
    ("first order", 50): 0.66,
    ("6 neighbours", 10): 0.90,
    ("6 neighbours", 50): 0.78,
    ("1 sweep", 10): 0.965,
    ("1 sweep", 50): 0.86,
    ("2 sweeps", 10): 0.985,
    ("2 sweeps", 50): 0.92,
    ("1 sweep, xx xz xy", 10): 0.965,
    ("1 sweep, xx xz xy", 50): 0.86,
    ("2 sweeps, xx xz xy", 10): 0.985,
    ("2 sweeps, xx xz xy", 50): 0.92,
}


def solved(folder: Path, n: int, size: int, contrast: float, seed: int) -> xr.Dataset:
    """Cells with their strain fields, from the folder or solved now."""
    store = folder / f"cells_{size}_{contrast:g}_{n}_{seed}.zarr"
    if not store.exists():
        phase = mks.generate.gaussian_family(n, (size,) * 3, seed=seed, chunks=1)
        cells = mks.simulate.elasticity(
            phase,
            (1.0, contrast),
            POISSON,
            macro_strain=1.0,
            outputs=("strain",),
            tolerance=1e-5,
        )
        cells["strain"] = cells.strain.astype(np.float32)
        mks.create_ensemble(store, cells.assign(phase=phase))
    return mks.open_ensemble(store)


def elastic(phase: np.ndarray, contrast: float, **options: Any) -> np.ndarray:
    """Strain xx by the solver."""
    found = mks.simulate.elasticity(
        phase,
        (1.0, contrast),
        POISSON,
        macro_strain=1.0,
        outputs=("strain",),
        components=("xx",),
        **options,
    )
    return found.strain.values[..., 0]


def methods(train: xr.Dataset, contrast: float) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What predicts the strain xx of a cell, by name."""
    xx = train.strain.sel(tensor="xx")
    axial = ("-x", "-y", "-z", "yz")
    near = LocalizationModel(BASIS, ridge=1e-5, neighbours=1, symmetries=axial)
    near.fit(train.phase, xx)
    first = LocalizationModel(BASIS, symmetries=axial).fit(train.phase, xx)
    lean = StagedLocalization(BASIS, sweeps=3, symmetries="load").fit(train.phase, train.strain)
    # The strain xx needs little more than the components that share an index with it.
    row = train.strain.sel(tensor=["xx", "xz", "xy"])
    short = StagedLocalization(BASIS, sweeps=2, symmetries="load").fit(train.phase, row)

    def after(sweeps: int, model: StagedLocalization) -> Callable[[np.ndarray], np.ndarray]:
        return lambda phase: model.predict(phase, components="xx", sweeps=sweeps)[..., 0]

    def stopped(n: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda phase: elastic(phase, contrast, max_iterations=n)

    found: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "first order": first.predict,
        "6 neighbours": near.predict,
        "1 sweep, xx xz xy": after(1, short),
        "2 sweeps, xx xz xy": after(2, short),
        "1 sweep": after(1, lean),
        "2 sweeps": after(2, lean),
        "3 sweeps": after(3, lean),
    }
    found |= {f"solver, {n} iteration{'s'[: n > 1]}": stopped(n) for n in ITERATIONS}
    found["solver, to 1e-6"] = lambda phase: elastic(phase, contrast)
    return found


def accuracy(folder: Path, args: argparse.Namespace) -> None:
    for contrast in args.contrasts:
        train = solved(folder, args.cells, args.shape, contrast, 1)
        test = solved(folder, args.held_out, args.shape, contrast, 2)
        print(
            f"\ncontrast {contrast:g}, {args.shape}^3, {args.cells} cells to train, "
            f"{args.held_out} held out: R^2, mean absolute error in % of the mean strain, ms a cell"
        )
        phase, truth = test.phase.values, test.strain.sel(tensor="xx").values.astype(float)
        for name, predict in methods(train, contrast).items():
            error, seconds = np.empty(truth.shape), []
            predict(phase[:1])
            for i in range(0, len(phase), BLOCK):
                block = slice(i, min(i + BLOCK, len(phase)))
                start = time.thread_time()
                found = predict(phase[block])
                seconds.append((time.thread_time() - start) / len(found))
                error[block] = found - truth[block]
            r2 = 1 - (error**2).sum() / ((truth - truth.mean()) ** 2).sum()
            goal = GOALS.get((name, contrast))
            print(
                f"{name:24} {r2:8.4f} {100 * abs(error).mean():7.2f} {1e3 * min(seconds):8.1f}"
                + (f"   [>= {goal}]" if goal else ""),
                flush=True,
            )


def speed(folder: Path, args: argparse.Namespace) -> None:
    """Prediction against the full solution, alternately, on one thread."""
    train = solved(folder, 4, args.shape, 10, 3)
    run = methods(train, 10)
    phase = train.phase.values[:BLOCK]
    n = len(phase)
    single = {"dtype": np.float32}
    sides = {
        "full": run["solver, to 1e-6"],
        "full, single precision, to 1e-4": lambda p: elastic(p, 10, **single),
        "first order": run["first order"],
        "1 sweep, xx xz xy": run["1 sweep, xx xz xy"],
        "2 sweeps, xx xz xy": run["2 sweeps, xx xz xy"],
        "1 sweep": run["1 sweep"],
        "2 sweeps": run["2 sweeps"],
        "2 iterations": run["solver, 2 iterations"],
        "2 iterations, single precision": lambda p: elastic(p, 10, max_iterations=2, **single),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for predict in sides.values():
        predict(phase)
    for _ in range(5):
        for name, predict in sides.items():
            start = time.thread_time()
            predict(phase)
            times[name].append((time.thread_time() - start) / n)
    least = {name: min(t) for name, t in times.items()}
    goals = {"first order": " [>= 100]", "1 sweep": " [>= 20]", "1 sweep, xx xz xy": " [>= 20]"}
    print(
        f"\na {args.shape}^3 cell at contrast 10, one thread: full solution to 1e-6 "
        f"{1e3 * least['full']:.1f} ms"
    )
    for name, t in least.items():
        if name != "full":
            ratio = f"{least['full'] / t:.1f} times faster"
            print(f"{name:32} {1e3 * t:7.1f} ms, {ratio}{goals.get(name, '')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", default=["accuracy", "speed"])
    parser.add_argument("--shape", type=int, default=31)
    parser.add_argument("--cells", type=int, default=24)
    parser.add_argument("--held-out", type=int, default=6)
    parser.add_argument("--contrasts", type=float, nargs="*", default=[10.0])
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for part in args.parts:
            {"accuracy": accuracy, "speed": speed}[part](folder, args)


if __name__ == "__main__":
    main()
