"""Stiffness of high-contrast cells in 3D learnt from their statistics: errors on held-out cells.

    python benchmarks/homogenization_3d.py FOLDER [--training 1500] [--held-out 500] [--quick]

FOLDER is filled by cells_3d.py (first run: about 15 minutes on one core), features are kept in it.
Errors are NMAE = mean |C - C'| / mean C in percent, of C1111 and C1212, on cells that no choice was
made with; kernel widths and ridges are chosen by five-fold cross-validation of the training cells.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from cells_3d import LOADS, MODULI, add_arguments, from_arguments
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mksdask as mks
from mksdask.bounds import self_consistent_stiffness
from mksdask.features import (
    AxisCorrelations,
    Connectivity,
    Interaction,
    LinealPaths,
    RadialCorrelation,
    SeriesParallel,
    SolverEstimates,
)
from mksdask.linkage import BoundsPosition, HomogenizationModel, LogTarget, PolynomialRegression
from mksdask.simulate.stiffness import TENSOR
from mksdask.statistics import SymmetrizedStatistics

YOUNG, POISSON = MODULI["youngs_modulus"], MODULI["poissons_ratio"]
SETS = {
    "correlations": (AxisCorrelations(), RadialCorrelation()),
    "interaction": (Interaction(),),
    "paths": (LinealPaths(), Connectivity(), SeriesParallel(YOUNG)),
}
#: Feature sets of each model, and its goal in percent.
MODELS = {
    "two-point statistics": (("correlations", "interaction"), 3.0),
    "and further descriptors": (("correlations", "interaction", "paths"), 1.6),
    "solver-assisted, 2 iterations": (("interaction", "solver"), 0.72),
}
#: Axes that may trade places without changing the constant.
SWAP = {"C1111": ("y", "z"), "C1212": ("x", "y")}
WIDTHS = (0.05, 0.15, 0.4, 1.0)
RIDGES = (3e-4, 1e-3, 1e-2)


class Cells:
    """An ensemble, and what is known of its cells, computed once and kept in the folder."""

    def __init__(self, name: str, ds: xr.Dataset, folder: Path):
        self.name, self.ds, self.folder = name, ds, folder / "features"
        self.folder.mkdir(exist_ok=True)
        self.stiffness = {c: ds.stiffness.sel(constant=c).values for c in LOADS}
        self.n = ds.sizes["sample"]

    def kept(self, what: str, make: Callable[[], Any]) -> np.ndarray:
        path = self.folder / f"{self.name}-{self.n}-{what}.npy"
        if not path.exists():
            (found,) = mks.compute(make(), label=f"{self.name} {what}")
            np.save(path, found)
        return np.load(path)

    def features(self, model: str, constant: str, swapped: bool = False) -> np.ndarray:
        """Features of the cells, or of their images with two axes swapped."""
        return np.hstack(list(self._features(MODELS[model][0], constant, swapped)))

    def _features(
        self, sets: tuple[str, ...], constant: str, swapped: bool
    ) -> Iterator[np.ndarray]:
        for name in sets:
            if name == "solver":  # what it estimates is the same for the image
                load = LOADS[constant]
                solver = SolverEstimates(YOUNG, POISSON, load, iterations=(1, 2))
                yield self.kept(f"solver-{load}", lambda s=solver: s.transform(self.ds.phase).data)
                continue
            first, second = SWAP[constant]
            image = {first: second, second: first} if swapped else {}
            phase = self.ds.phase.rename(image).transpose("sample", "x", "y", "z")
            tag = "".join(image)
            for part in SETS[name]:
                what = f"{type(part).__name__}{tag}"
                yield self.kept(what, lambda p=part, x=phase: p.transform(x).data)

    def references(self, constant: str) -> np.ndarray:
        """Logarithms of the bounds."""
        target = position(constant)
        what = f"bounds-{constant}"
        return self.kept(what, lambda: target.references(self.ds.phase).data)


def position(constant: str) -> BoundsPosition:
    return BoundsPosition(YOUNG, POISSON, components=(LOADS[constant],))


def nmae(true: np.ndarray, found: np.ndarray) -> float:
    return float(100 * np.abs(true - found).mean() / true.mean())


class Learner:
    """Kernel ridge on the position between the bounds.

    Width and ridge are chosen on the cells alone; the model learns from their images too.
    """

    def __init__(self, train: Cells, model: str, constant: str, n: int):
        self.constant, self.target = constant, position(constant)
        self.model = model
        both = (False, True)
        self.x = [train.features(model, constant, swapped)[:n] for swapped in both]
        self.references = train.references(constant)[:n]
        self.y = train.stiffness[constant][:n]
        self.t = self.target.transform(self.y[:, None], self.references)[:, 0]
        self.cross_validated, width, ridge = min(self._scores())
        self.fitted = self._fit(np.arange(n), width, ridge, images=2)

    def _fit(self, rows: np.ndarray, width: float, ridge: float, images: int = 1) -> Any:
        gamma = width / self.x[0].shape[1]
        kernel = KernelRidge(kernel="rbf", gamma=gamma, alpha=ridge)
        centred = TransformedTargetRegressor(kernel, transformer=StandardScaler(with_std=False))
        x = np.vstack([x[rows] for x in self.x[:images]])
        return make_pipeline(StandardScaler(), centred).fit(x, np.tile(self.t[rows], images))

    def _scores(self) -> Iterator[tuple[float, float, float]]:
        folds = list(KFold(5, shuffle=True, random_state=0).split(self.y))
        for width in WIDTHS:
            for ridge in RIDGES:
                found = np.empty(len(self.y))
                for rows, rest in folds:
                    fitted = self._fit(rows, width, ridge)
                    found[rest] = self._back(fitted, self.x[0][rest], self.references[rest])
                yield nmae(self.y, found), width, ridge

    def _back(self, fitted: Any, x: np.ndarray, references: np.ndarray) -> np.ndarray:
        t = fitted.predict(x)
        return self.target.inverse_transform(t[:, None], references)[:, 0]

    def predict(self, cells: Cells) -> np.ndarray:
        x = cells.features(self.model, self.constant)
        return self._back(self.fitted, x, cells.references(self.constant))


def within_bounds(test: Cells) -> None:
    """Whether the bounds hold, and what their middle is worth."""
    for constant in LOADS:
        true = test.stiffness[constant]
        lower, upper = np.exp(test.references(constant)).T
        inside = ((true >= lower * (1 - 1e-5)) & (true <= upper * (1 + 1e-5))).sum()
        middle = nmae(true, np.sqrt(lower * upper))
        print(
            f"{constant}: {inside} of {len(true)} within the bounds [goal: all]; their geometric "
            f"mean {middle:.1f} %",
            flush=True,
        )


def untrained(test: Cells) -> None:
    """What needs no training: the self-consistent estimate, and a stopped solver."""
    phase = test.ds.phase
    own = test.kept(
        "self-consistent", lambda: self_consistent_stiffness(phase, **MODULI, tolerance=1e-4).data
    )
    for constant, load in LOADS.items():
        stopped = test.kept(
            f"stopped-{load}",
            lambda load=load: (
                mks.simulate.elasticity(
                    phase,
                    **MODULI,
                    macro_strain={load: 1.0},
                    components=(load,),
                    outputs=("mean_stress",),
                    dtype="float32",
                    max_iterations=2,
                )
                .mean_stress.isel(tensor=0)
                .data
            ),
        )
        true, place = test.stiffness[constant], TENSOR[3].index(load)
        print(
            f"{constant}: without training: self-consistent {nmae(true, own[:, place, place]):.1f} "
            f"%, two iterations {nmae(true, stopped):.1f} %",
            flush=True,
        )


def components(train: Cells, test: Cells, n: int) -> None:
    """The usual linkage: principal components and a quadratic polynomial."""
    basis = mks.PrimitiveBasis(n_states=2)
    x, held = train.ds.phase[:n], test.ds.phase
    for constant in LOADS:
        y = train.ds.stiffness.sel(constant=[constant])[:n]
        symmetries = ("-x", "-y", "-z", "".join(SWAP[constant]))
        plain = mks.TwoPointStatistics(basis, [(1, 1)])
        averaged = SymmetrizedStatistics(basis, [(1, 1)], symmetries=symmetries)
        for name, target, statistics in (
            ("log C", LogTarget(), plain),
            ("position between the bounds", position(constant), plain),
            ("and the map averaged over symmetries", position(constant), averaged),
        ):
            model = HomogenizationModel(
                basis,
                n_components=20,
                regressor=PolynomialRegression(degree=2),
                target=target,
                statistics=statistics,
            ).fit(x, y)
            found = np.ravel(mks.compute(model.predict(held))[0])
            error = nmae(test.stiffness[constant], found)
            print(f"{constant}: 20 components, quadratic, {name}: {error:.2f} %", flush=True)


def by_group(true: np.ndarray, found: np.ndarray, ds: xr.Dataset) -> None:
    """Errors by volume fraction and by grain size, in percent of the mean of all."""
    error = 100 * np.abs(true - found) / true.mean()
    grains = np.stack([ds[f"grain_size_{d}"].values for d in "xyz"], axis=1)
    for name, value, edges in (
        ("volume fraction", ds.fraction_1.values, (0, 0.2, 0.4, 0.6, 0.8, 1)),
        ("smallest grain size", grains.min(axis=1), (1, 3, 6, 10, 15, 31)),
        ("largest grain size", grains.max(axis=1), (1, 16, 22, 26, 29, 31)),
    ):
        group = np.clip(np.searchsorted(edges, value, side="right") - 1, 0, len(edges) - 2)
        parts = [
            f"{a}-{b}: {error[group == i].mean():.2f}"
            for i, (a, b) in enumerate(pairwise(edges))
            if (group == i).any()
        ]
        print(f"    by {name}: {', '.join(parts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--quick", action="store_true", help="no learning curve, no components")
    args = parser.parse_args()
    found = {name: Cells(name, ds, args.folder) for name, ds in from_arguments(args).items()}
    train, test = found["training"], found["held_out"]
    within_bounds(test)
    for constant in LOADS:
        for model, (_, goal) in MODELS.items():
            learner = Learner(train, model, constant, train.n)
            true, predicted = test.stiffness[constant], learner.predict(test)
            print(
                f"{constant}: {model}: {nmae(true, predicted):.2f} % [goal <= {goal} %], "
                f"cross-validated {learner.cross_validated:.2f} %",
                flush=True,
            )
            by_group(true, predicted, test.ds)
            for name in ("voronoi", "spheres"):
                if name in found:
                    true = found[name].stiffness[constant]
                    error = nmae(true, learner.predict(found[name]))
                    print(f"    on cells of another generator, {name}: {error:.2f} %")
            if args.quick:
                continue
            curve = []
            for n in [n for n in (100, 300, 750) if n < train.n]:
                shorter = Learner(train, model, constant, n)
                error = nmae(test.stiffness[constant], shorter.predict(test))
                goal = " [goal <= 4 %]" if n == 300 and model == "two-point statistics" else ""
                curve.append(f"{n} cells {error:.2f} %{goal}")
            print(f"    learning curve: {', '.join(curve)}", flush=True)
    if not args.quick:
        components(train, test, train.n)
        untrained(test)


if __name__ == "__main__":
    main()
