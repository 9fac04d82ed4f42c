"""Volumes chunked in space: the same numbers as in memory, one read of each chunk."""

import threading
from collections import Counter

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mksdask.bases import PrimitiveBasis
from mksdask.statistics import tiles, two_point_statistics
from tests.statistics.cases import cases, chunkings


@settings(max_examples=60, deadline=None)
@given(cases(scale=2), st.data())
def test_equal_to_the_answer_in_memory(case, data):
    arguments = case.basis, case.pairs, case.cutoff, case.boundary
    expected = two_point_statistics(case.data, *arguments, case.mask)
    lazy = da.from_array(case.data, chunks=data.draw(chunkings(case.data.shape)))
    mask = case.mask
    if mask is not None and data.draw(st.booleans()):
        mask = da.from_array(mask, chunks=data.draw(chunkings(mask.shape)))
    found = two_point_statistics(lazy, *arguments, mask).compute(scheduler="synchronous")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)
    if case.data.dtype.kind in "iu" and (mask is None or mask.dtype == bool):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
@pytest.mark.parametrize("most", [1, 2000])
def test_tiles_are_cut_further_without_a_change(boundary, most, monkeypatch):
    x = np.random.default_rng(0).integers(0, 3, (1, 13, 9, 11)).astype(np.uint8)
    arguments = PrimitiveBasis(3), "all", [2, 3, 1], boundary
    monkeypatch.setattr(tiles, "_TRANSFORM_VOXELS", most)
    f = two_point_statistics(da.from_array(x, chunks=(1, 13, 5, 11)), *arguments)
    np.testing.assert_array_equal(f, two_point_statistics(x, *arguments))


def test_a_volume_with_names_and_lags_beyond_its_chunks():
    x = np.random.default_rng(0).integers(0, 2, (30, 20, 20)).astype(np.uint8)
    volume = xr.DataArray(x, dims=("z", "x", "y"), attrs={"voxel_size": 1.5})
    boundary = {"x": "periodic", "y": "nonperiodic", "z": "nonperiodic"}
    f = two_point_statistics(volume.chunk(z=3, x=4), PrimitiveBasis(2), "all", 9, boundary)
    expected = two_point_statistics(volume, PrimitiveBasis(2), "all", 9, boundary)
    assert f.dims == ("pair", "lag_x", "lag_y", "lag_z")
    xr.testing.assert_identical(f.compute(), expected)


@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
def test_each_chunk_is_read_once(boundary):
    reads, lock = Counter(), threading.Lock()

    def read(block_info):
        where = tuple(start for start, _ in block_info[None]["array-location"])
        with lock:
            reads[where] += 1
        return np.ones((1, 8, 8, 8), np.uint8)

    chunks = ((1,), (8,) * 4, (8,) * 4, (8,) * 4)
    volume = da.map_blocks(read, chunks=chunks, meta=np.empty((0,) * 4, np.uint8))
    f = two_point_statistics(volume, PrimitiveBasis(2), cutoff=3, boundary=boundary)
    f.compute(scheduler="threads", num_workers=2)
    assert len(reads) == 64
    assert set(reads.values()) == {1}
