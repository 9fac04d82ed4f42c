"""The pipeline of polycrystals on an ensemble much larger than the memory of its worker."""

import dask
import numpy as np
import pytest

from mksdask import create_ensemble
from mksdask.bases import GSHBasis, discretize
from mksdask.generate import Unimodal, voronoi
from mksdask.linkage import LocalizationModel
from mksdask.orientation import fundamental_zone, texture_coefficients
from mksdask.reduction import IncrementalPCA
from mksdask.statistics import TwoPointStatistics
from tests.system.limited_worker import limited_worker

LIMIT = 700 * 2**20
SHAPE = (21, 21, 21)
CHUNK = 32


@pytest.mark.slow
def test_orientations_of_one_and_a_half_times_the_memory_of_the_worker(tmp_path):
    """Generated and stored, then statistics, components, texture and kernels from the store."""
    n = -(-3 * LIMIT // (2 * 24 * int(np.prod(SHAPE)) * CHUNK)) * CHUNK
    made = voronoi(n, SHAPE, 60, texture=Unimodal((0.3, 0.5, 0.1), 0.2), chunks=CHUNK)
    assert made.orientation.nbytes >= 1.5 * LIMIT
    basis = GSHBasis("cubic", max_degree=4)
    with limited_worker(LIMIT):
        cells = create_ensemble(tmp_path / "cells.zarr", made, progress=False).orientation
        statistics = TwoPointStatistics(basis, pairs=[(1, 1), (5, 5)], cutoff=3)
        features = statistics.fit_transform(cells)
        pca = IncrementalPCA(n_components=3).fit(features)
        texture, zone = dask.compute(
            texture_coefficients(cells, basis).mean("sample"),
            fundamental_zone(cells.isel(x=0, y=0, z=0), "cubic").mean("sample"),
        )
        # A response of which the kernel is known: the function of state 3, one voxel further.
        response = 2 * discretize(cells, basis).isel(state=3, drop=True).roll(x=1)
        model = LocalizationModel(basis).fit(cells, response)
    assert model.n_samples_seen_ == n
    assert float(texture[0]) == pytest.approx(1)
    assert np.isfinite(zone).all()
    # The mean square of a function at lag zero is not below the square of its mean.
    mean = statistics.inverse_transform(pca.mean_[None])
    assert (mean[0].values[:, 3, 3, 3] >= texture.values[[1, 5]] ** 2).all()
    kernel = model.kernel_.sel(lag_y=0, lag_z=0)
    assert float(kernel.sel(state=3, lag_x=1).squeeze()) == pytest.approx(2, abs=1e-6)
    assert float(abs(kernel.sel(state=[4, 5], lag_x=[0, 1])).max()) < 1e-6
