"""Kinds of arrays, names and coordinates, chunks, schedulers, size of the graph."""

import json
import time
from dataclasses import dataclass

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.bases import Basis, FourierBasis, PrimitiveBasis, basis_from_dict
from mksdask.statistics import two_point_statistics

BASIS = PrimitiveBasis(3)
X = np.random.default_rng(0).integers(0, 3, (7, 8, 6)).astype(np.uint8)
MASK = np.random.default_rng(1).random((7, 8, 6))


def named(**kwargs):
    return xr.DataArray(X, dims=("sample", "x", "y"), **kwargs)


def test_dataarray_has_names_coordinates_and_attributes():
    phase = named(
        coords={"sample": list("abcdefg"), "grain_size": ("sample", np.arange(7.0)), "x": range(8)},
        attrs={"voxel_size": 0.5, "unit": "um", "phase_names": ["ferrite", "austenite", "carbide"]},
    )
    boundary = {"x": "periodic", "y": "nonperiodic"}
    f = two_point_statistics(phase, BASIS, [("ferrite", 2), (1, 1)], {"x": 4, "y": 2}, boundary)
    assert f.dims == ("sample", "pair", "lag_x", "lag_y")
    assert f.name == "two_point_statistics"
    assert f.lag_x.values.tolist() == list(range(-4, 4))
    assert f.lag_y.values.tolist() == [-2, -1, 0, 1, 2]
    assert f.pair.values.tolist() == ["ferrite,carbide", "austenite,austenite"]
    assert f.pair_first.values.tolist() == [0, 1]
    assert f.pair_second.values.tolist() == [2, 1]
    assert f.sample.values.tolist() == list("abcdefg")
    assert f.grain_size.dims == ("sample",)
    basis = json.dumps(BASIS.to_dict())
    assert f.attrs == {
        "voxel_size": 0.5,
        "unit": "um",
        "basis": basis,
        "cutoff": [4, 2],
        "boundary": ["periodic", "nonperiodic"],
        "shape": [8, 6],
        "masked": 0,
    }
    assert basis_from_dict(json.loads(basis)) == BASIS


def test_axes_are_found_by_name():
    expected = two_point_statistics(named(), BASIS, cutoff=2)
    turned = two_point_statistics(named().transpose("y", "sample", "x"), BASIS, cutoff=2)
    xr.testing.assert_identical(turned, expected)


@pytest.mark.parametrize("chunked", [False, True])
def test_one_volume_without_sample_dimension(chunked):
    volume = named().isel(sample=3)
    expected = two_point_statistics(X[3:4], BASIS, "all", 2, "nonperiodic")[0]
    if chunked:
        volume = volume.chunk(x=3, y=4)
    for mask in (None, xr.ones_like(volume, dtype=float)):
        f = two_point_statistics(volume, BASIS, "all", 2, "nonperiodic", mask)
        assert f.dims == ("pair", "lag_x", "lag_y")
        np.testing.assert_allclose(f, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("chunks", [(2, 8, 6), ((1, 4, 2), 8, 6), (3, 5, 2), (7, (1, 6, 1), 6)])
@pytest.mark.parametrize("boundary", ["periodic", "nonperiodic"])
@pytest.mark.parametrize("mask", [None, MASK, MASK[0]], ids=["bare", "masks", "mask"])
@pytest.mark.parametrize("basis", [BASIS, FourierBasis(2, (0, 3))], ids=lambda b: b.kind)
def test_same_numbers_whatever_the_chunks(chunks, boundary, mask, basis):
    expected = two_point_statistics(X, basis, "all", 3, boundary, mask)
    lazy = two_point_statistics(da.from_array(X, chunks=chunks), basis, "all", 3, boundary, mask)
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == expected.dtype
    values = lazy.compute(scheduler="synchronous")
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


def test_masks_may_be_lazy_and_chunked_in_their_own_way():
    expected = two_point_statistics(X, BASIS, "all", 2, "nonperiodic", MASK)
    for data_chunks, mask_chunks in (
        ((2, 8, 6), (3, 8, 6)),
        ((2, 8, 6), (2, 3, 6)),
        ((2, 5, 3), (7, 2, 6)),
    ):
        data, mask = da.from_array(X, data_chunks), da.from_array(MASK, mask_chunks)
        f = two_point_statistics(data, BASIS, "all", 2, "nonperiodic", mask)
        np.testing.assert_allclose(f, expected, rtol=0, atol=1e-14)
        named_mask = xr.DataArray(mask, dims=("sample", "x", "y"))
        g = two_point_statistics(
            named().chunk(dict(zip(named().dims, data_chunks, strict=True))),
            BASIS, "all", 2, "nonperiodic", named_mask.transpose("y", "sample", "x"),
        )  # fmt: skip
        np.testing.assert_allclose(g, expected, rtol=0, atol=1e-14)


def test_integer_labels_give_the_same_bits_whatever_the_chunks():
    expected = two_point_statistics(X, BASIS, "all", 2, "nonperiodic", MASK > 0.3)
    for chunks in ((1, 8, 6), (7, 3, 2), (2, 1, 6)):
        f = two_point_statistics(
            da.from_array(X, chunks), BASIS, "all", 2, "nonperiodic", MASK > 0.3
        )
        np.testing.assert_array_equal(f, expected)


def test_same_numbers_whatever_the_scheduler():
    arguments = BASIS, "all", 3, "nonperiodic", MASK
    expected = two_point_statistics(X, *arguments)
    ensemble, tiles = (
        two_point_statistics(da.from_array(X, chunks), *arguments)
        for chunks in ((2, 8, 6), (4, 5, 3))
    )
    for options in (
        {"scheduler": "synchronous"},
        {"scheduler": "threads", "num_workers": 2},
        {"scheduler": "processes", "num_workers": 2},
    ):
        for found in dask.compute(ensemble, tiles, **options):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_graph_of_a_large_ensemble_is_small_and_quick():
    phase = da.zeros((100_000, 51, 51, 51), chunks=(50, 51, 51, 51), dtype=np.uint8)
    started = time.perf_counter()
    f = two_point_statistics(phase, PrimitiveBasis(2), cutoff=10, boundary="nonperiodic")
    (optimized,) = dask.optimize(f)
    n_tasks = len(optimized.__dask_graph__())
    print(f"graph of 2,000 chunks: {n_tasks} tasks in {time.perf_counter() - started:.2f} s")
    assert n_tasks <= 3 * 2000
    assert len(f.__dask_graph__()) <= 3 * 2000


def test_tiles_take_few_tasks():
    volume = da.zeros((1, 96, 96, 96), chunks=(1, 16, 16, 16), dtype=np.uint8)
    f = two_point_statistics(volume, PrimitiveBasis(2), cutoff=4)
    assert len(dask.optimize(f)[0].__dask_graph__()) <= 3 * 6**3


def test_nothing_is_computed_before_it_is_asked_for():
    def never(block):
        raise AssertionError("computed too early")

    for chunks in ((2, 8, 6), (2, 4, 3)):
        lazy = da.from_array(X, chunks=chunks).map_blocks(never, meta=np.empty((0, 0, 0), X.dtype))
        two_point_statistics(lazy, BASIS, "all", 2, "nonperiodic", da.ones((8, 6)))


@dataclass(frozen=True)
class Directions(Basis):
    """A state of three numbers a voxel, on a last dimension ``component``."""

    kind = "directions"
    state_dims = ("component",)
    n_states: int = 3

    def check(self, block):
        assert block.shape[-1] == 3

    def coefficients(self, block, states):
        return np.stack([block[..., h] for h in states])


@pytest.mark.parametrize("mask", [None, MASK[0]], ids=["bare", "mask"])
def test_a_local_state_may_take_dimensions_of_its_own(mask):
    vectors = np.random.default_rng(0).random((3, 8, 6, 3))
    f = two_point_statistics(vectors, Directions(), "all", 2, "nonperiodic", mask)
    pair = two_point_statistics(
        vectors[..., 1], PrimitiveBasis(2, (0, 1)), [(1, 1)], 2, "nonperiodic", mask
    )
    np.testing.assert_allclose(f[:, 3], pair[:, 0], atol=1e-14)
    data = xr.DataArray(vectors, dims=("sample", "x", "y", "component"))
    for chunks in ({"sample": 1}, {"x": 3, "y": 4, "component": 2}):
        turned = data.chunk(chunks).transpose("component", ...)
        lazy = two_point_statistics(turned, Directions(), "all", 2, "nonperiodic", mask)
        np.testing.assert_allclose(lazy, f, rtol=0, atol=1e-14)
