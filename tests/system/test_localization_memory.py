"""Calibration on an ensemble much larger than the memory of its worker."""

import dask.array as da
import numpy as np
import pytest

from mksdask.bases import PrimitiveBasis
from mksdask.linkage import LocalizationModel, StagedLocalization
from tests.system.limited_worker import limited_worker
from tests.system.test_statistics_memory import made_labels

LIMIT = 600 * 2**20


def response_of(labels):
    """The average with the next voxel, with the mean 1 in every sample: float64, 1 MiB a sample."""
    found = 0.5 * (labels + np.roll(labels, 1, axis=1))
    found += 1 - found.mean(axis=(1, 2, 3), keepdims=True)
    return found


def first_order():
    return LocalizationModel(PrimitiveBasis(2)), lambda model: model.kernel_.sel(state=0)


def one_sweep():
    model = StagedLocalization(PrimitiveBasis(2), sweeps=1)
    return model, lambda model: model.kernel(0)[0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("case", [first_order, one_sweep])
def test_ensemble_eight_times_the_memory_of_the_worker(case):
    n_samples = 4 * LIMIT // 2**20 // 8 * 8
    chunks = ((4,) * (n_samples // 4), (51,), (51,), (51,))
    ensemble = da.map_blocks(made_labels, chunks=chunks, meta=np.empty((0,) * 4, np.int64))
    response = ensemble.map_blocks(response_of, dtype=float)
    assert ensemble.nbytes + response.nbytes >= 7.9 * LIMIT
    with limited_worker(LIMIT):
        model, kernel_of = case()
        model.fit(ensemble, response)
    kernel = kernel_of(model)
    near = kernel.sel(lag_x=[0, 1], lag_y=0, lag_z=0) - kernel.sel(lag_x=9, lag_y=9, lag_z=9)
    # The ridge of stages takes 1e-5 of it.
    np.testing.assert_allclose(near, -0.5, atol=1e-9 if case is first_order else 1e-5)
