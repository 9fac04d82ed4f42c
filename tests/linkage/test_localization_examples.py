"""The published example, and first order beside neighbours on a strong contrast."""

from __future__ import annotations

import numpy as np
import pytest

from mksdask import metrics
from mksdask.bases import PrimitiveBasis
from mksdask.demo_localization import demo_localization
from mksdask.generate import delta, multiphase
from mksdask.linkage import LocalizationModel, neighbour_gain
from mksdask.saved_models import load_model
from mksdask.simulate import elasticity


def strain_xx(phase, moduli, macro_strain):
    return elasticity(
        phase,
        moduli,
        (0.3,) * len(moduli),
        macro_strain=macro_strain,
        outputs=("strain",),
        components=("xx",),
        tolerance=1e-5,
    ).strain.values[..., 0]


def test_three_phases_from_delta_cells():
    """E = 80, 100, 120: calibrated on six cells, judged on random and on larger ones."""
    moduli = (80, 100, 120)
    cells = delta(3, (21, 21)).values
    model = LocalizationModel(PrimitiveBasis(3)).fit(cells, strain_xx(cells, moduli, 0.02))
    assert model.rank_.min() == 2
    rng = np.random.default_rng(101)
    random = rng.integers(0, 3, (4, 21, 21))
    simulated = strain_xx(random, moduli, 0.02)
    predicted = model.predict(random)
    assert metrics.r2(simulated, predicted) > 0.99
    assert metrics.mean_absolute_strain_error(simulated, predicted) < 0.01
    np.testing.assert_allclose(predicted.mean(axis=(1, 2)), 0.02, rtol=1e-5)
    larger = rng.integers(0, 3, (1, 63, 63))
    wanted = strain_xx(larger, moduli, 0.02)
    interpolated = model.resize(63).score(larger, wanted)
    assert interpolated > 0.99
    assert interpolated > model.resize(63, method="pad").score(larger, wanted)


def test_neighbours_gain_at_a_strong_contrast():
    phase = multiphase(110, shape=(15, 15), grain_size=2, n_phases=2, seed=3).values
    strain = strain_xx(phase, (1, 10), 1.0)
    model = LocalizationModel(PrimitiveBasis(2), ridge=1e-4)
    table = neighbour_gain(
        model, phase[:90], strain[:90], (phase[90:], strain[90:]), [None, 1, [(1, 1), (1, -1)]]
    )
    assert table.features.tolist() == [1, 3, 3]
    assert table.neighbours[2] == [(1, 1), (1, -1)]
    first, faces, _ = table.r2
    assert faces > first + 0.03
    assert table.mean_absolute_strain_error[1] < table.mean_absolute_strain_error[0]
    assert table.sums_mb[1] > 3 * table.sums_mb[0]
    assert (table[["fit_seconds", "predict_seconds"]] > 0).all(axis=None)
    assert model.neighbours is None
    assert not hasattr(model, "local_kernel_")


def test_demonstration(tmp_path):
    said, picture = demo_localization(tmp_path, n_samples=12, size=9, progress=False)
    assert said.startswith("calibrated a localization kernel on 8 solved cells of 9^3 voxels")
    assert picture.stat().st_size > 10_000
    assert load_model(tmp_path / "kernel.zarr").n_samples_seen_ == 8
    with pytest.raises(FileExistsError):
        demo_localization(tmp_path, n_samples=12, size=9, progress=False)
