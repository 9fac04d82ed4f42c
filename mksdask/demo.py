"""The main job end to end on a small ensemble: generate, store, correlate, learn, draw."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import mksdask as mks
from mksdask import generate, plot, simulate
from mksdask.demo_localization import demo_localization
from mksdask.ensemble import describe_ensemble
from mksdask.errors import ExtrapolationWarning
from mksdask.generate.arguments import is_whole
from mksdask.linkage import HomogenizationModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The thinnest grains are an eighth of the volume across, and no grain is less than a voxel.
SMALLEST = 8
#: Grain sizes of the cells whose stiffness is learnt.
GRAINS = {"long along x": (15, 2), "long along y": (2, 15), "coarse": (7, 7), "fine": (2, 2)}


def demo(
    out: str | os.PathLike[str] = "demo-output",
    *,
    n_samples: int = 64,
    size: int = 51,
    seed: int = 0,
    overwrite: bool = False,
    progress: bool | None = None,
) -> list[Path]:
    """Run the demonstration in folder ``out``; prints what it does and returns the pictures.

    It makes an ensemble of two-phase volumes of ``size``^3 voxels in two classes, equiaxed and
    elongated, stores it, checks it, computes its two-point statistics chunk by chunk into a second
    store, and draws samples, statistics and radial averages. Then it solves small cells for their
    stiffness and learns it from their statistics, and for their strain, which it learns to predict
    voxel by voxel.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pictures = demo(folder + "/demo", n_samples=4, size=15, progress=False)  # doctest: +ELLIPSIS
    1. generated 4 volumes of 15^3 voxels ...
    >>> [p.name for p in pictures]
    ['microstructures.png', 'two_point.png', 'pair_correlation.png', 'parity.png', 'scores.png',
     'localization.png']
    """
    if not is_whole(n_samples) or n_samples < 2:
        raise ValueError(
            f"n_samples is {n_samples!r}; wanted a whole number of at least 2, one for each of the "
            "two classes, such as 64"
        )
    if not is_whole(size) or size < SMALLEST:
        raise ValueError(
            f"size is {size!r}; wanted a whole number of at least {SMALLEST} voxels, of which the "
            "thinnest grains take an eighth, such as 51"
        )
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "ensemble.zarr"
    half = n_samples // 2
    phase = generate.multiphase(
        shape=(size,) * 3,
        fractions=(0.6, 0.4),
        classes=[
            {"n_samples": half, "grain_size": (size / 5,) * 3},
            {"n_samples": n_samples - half, "grain_size": (size / 2, size / 8, size / 8)},
        ],
        seed=seed,
        chunks=max(1, n_samples // 8),
    )
    ds = phase.to_dataset(name="phase").assign_attrs(
        voxel_size=[0.5] * 3, voxel_unit="um", phase_names=["matrix", "precipitate"]
    )
    ds = mks.create_ensemble(store, ds, overwrite=overwrite, progress=progress)
    print(f"1. generated {n_samples} volumes of {size}^3 voxels and stored them:\n")
    print(describe_ensemble(store), "\n")

    violations = mks.validate_ensemble(store, progress=progress)
    print(f"2. checked every chunk: {'; '.join(violations) or 'valid'}\n")

    basis = mks.PrimitiveBasis(n_states=2)
    lazy = mks.two_point_statistics(ds.phase, basis, pairs="auto", cutoff=min(20, (size - 1) // 2))
    statistics = mks.create_ensemble(
        folder / "statistics.zarr",
        lazy.to_dataset(name="two_point"),
        overwrite=overwrite,
        progress=progress,
    )
    f = statistics.two_point
    print(f"3. two-point statistics of every volume: {dict(f.sizes)}\n")

    radial = mks.pair_correlation(f, bins=20, physical=True)
    # One sample of each class; the pictures compute only these.
    figures = {
        "microstructures": plot.microstructure(ds.phase, samples=[0, half]),
        "two_point": plot.two_point(f, sample=n_samples - 1),
        "pair_correlation": plot.pair_correlation(radial, sample=n_samples - 1),
    }
    figures |= homogenization(
        folder / "cells.zarr", seed=seed, overwrite=overwrite, progress=progress
    )
    pictures = []
    for name, figure in figures.items():
        pictures.append(folder / f"{name}.png")
        figure.savefig(pictures[-1], dpi=120)
    said, picture = demo_localization(folder, seed=seed, overwrite=overwrite, progress=progress)
    pictures.append(picture)
    print(f"5. {said}\n")
    print("6. pictures: " + ", ".join(str(p) for p in pictures))
    return pictures


def homogenization(
    store: Path, *, seed: int, overwrite: bool, progress: bool | None
) -> dict[str, Figure]:
    """Solve small cells, learn their stiffness from four of five, and predict the others."""
    phase = generate.multiphase(
        shape=(21, 21),
        n_phases=2,
        classes=[{"n_samples": 60, "grain_size": size} for size in GRAINS.values()],
        seed=seed,
        chunks=20,
    )
    stiffness = simulate.effective_stiffness(
        phase, youngs_modulus=(310, 200), poissons_ratio=(0.28, 0.3)
    )
    cells = phase.to_dataset(name="phase").assign(effective_stiffness=stiffness)
    cells = mks.create_ensemble(store, cells, overwrite=overwrite, progress=progress)
    along = cells.effective_stiffness.sel(tensor="xx", tensor_2="xx")
    kept_out = cells.sample.values % 5 == 0
    model = HomogenizationModel(mks.PrimitiveBasis(2), n_components=6, degree=2)
    model.fit(cells.phase[~kept_out], along[~kept_out])
    mks.save_model(model, store.with_name("model.zarr"), overwrite=overwrite)
    test = cells.phase[kept_out], along[kept_out]
    print(
        f"4. stiffness along x of {len(along)} cells of 21^2 voxels, from two-point statistics by "
        f"6 components and degree 2: R^2 {model.score(*test):.4f} on {kept_out.sum()} cells kept "
        "out of the fit\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        pairs = {
            "training": (along[~kept_out], model.predict(cells.phase[~kept_out])),
            "kept out": (along[kept_out], model.predict(cells.phase[kept_out])),
        }
        parity = plot.parity(pairs, label="stiffness along x (GPa)")
    names = np.array(list(GRAINS))[cells["class"].values]
    return {"parity": parity, "scores": plot.scores(model.scores(cells.phase), classes=names)}
