"""The part of the demonstration that calibrates a kernel and predicts a field with it."""

from __future__ import annotations

import os
from pathlib import Path

from mksdask import generate, metrics, plot, simulate
from mksdask.bases import PrimitiveBasis
from mksdask.linkage.localization import LocalizationModel
from mksdask.progress import compute
from mksdask.saved_models import save_model


def demo_localization(
    folder: str | os.PathLike[str],
    *,
    n_samples: int = 40,
    size: int = 21,
    seed: int = 0,
    overwrite: bool = False,
    progress: bool | None = None,
) -> tuple[str, Path]:
    """Solve cells, calibrate a kernel on all but four, and draw a field that it did not see.

    Two phases of contrast 5 in cells of ``size``^3 voxels. Stores ``kernel.zarr`` and
    ``localization.png`` in ``folder``; returns what was found in a line, and the picture.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     said, picture = demo_localization(folder, n_samples=8, size=9, progress=False)
    >>> said  # doctest: +ELLIPSIS
    'calibrated a localization kernel on 4 solved cells of 9^3 voxels; on 4 others R^2 0...'
    """
    grain = max(size / 7, 1.0)
    cells = generate.multiphase(
        n_samples, shape=(size,) * 3, grain_size=grain, n_phases=2, seed=seed
    )
    solved = simulate.elasticity(
        cells.chunk(sample=4),
        youngs_modulus=(1, 5),
        poissons_ratio=(0.3, 0.3),
        macro_strain=0.01,
        outputs=("strain",),
        components=("xx",),
        tolerance=1e-4,
    )
    phase, strain = compute(
        cells, solved.strain.sel(tensor="xx", drop=True), label="strain", progress=progress
    )
    seen, unseen = slice(0, n_samples - 4), slice(n_samples - 4, None)
    model = LocalizationModel(PrimitiveBasis(2), ridge=1e-6)
    model.fit(phase.isel(sample=seen), strain.isel(sample=seen))
    save_model(model, Path(folder) / "kernel.zarr", overwrite=overwrite)
    cell, simulated = phase.isel(sample=unseen), strain.isel(sample=unseen).rename("strain xx")
    predicted = model.predict(cell)
    r2 = float(metrics.r2(simulated, predicted))
    error = float(metrics.mean_absolute_strain_error(simulated, predicted))
    picture = Path(folder) / "localization.png"
    plot.field_comparison(simulated, predicted, phase=cell).savefig(picture, dpi=120)
    said = (
        f"calibrated a localization kernel on {n_samples - 4} solved cells of {size}^3 voxels; on "
        f"4 others R^2 {r2:.3f}, mean absolute error {100 * error:.1f} % of the mean strain"
    )
    return said, picture
