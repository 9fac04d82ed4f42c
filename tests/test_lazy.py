"""One lift for labelled, Dask and plain arrays."""

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mksdask.lazy import lift, visit

DIMS = ("sample", "x", "y")


def doubled_mean(block):
    return 2 * block.mean(axis=(1, 2))[:, None]


def lifted(data, **kwargs):
    out_dims, sizes = ("sample", "state"), {"state": 1}
    return lift(
        doubled_mean, data, dims=[DIMS], out_dims=out_dims, sizes=sizes, dtype=float, **kwargs
    )


@pytest.fixture
def data():
    return np.random.default_rng(0).normal(size=(7, 4, 3))


def test_arrays_in_same_kind_out(data):
    want = doubled_mean(data)
    labelled = xr.DataArray(data, dims=DIMS, coords={"sample": list("abcdefg"), "x": range(4)})
    plain = lifted(data)
    assert type(plain) is np.ndarray
    np.testing.assert_array_equal(plain, want)
    lazy = lifted(da.from_array(data, chunks=(2, -1, -1)))
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy, want)
    for array in (labelled, labelled.chunk(sample=3), labelled.transpose("y", "sample", "x")):
        out = lifted(array, name="mean", attrs={"a": 1}, coords={"state": ["only"]})
        assert out.dims == ("sample", "state")
        assert list(out.coords) == ["sample", "state"]
        assert list(out.sample.values) == list("abcdefg")
        assert (out.name, out.attrs) == ("mean", {"a": 1})
        np.testing.assert_array_equal(out, want)
        assert (out.chunks is None) == (array.chunks is None)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_schedulers_and_chunks_agree(data, scheduler, chunk):
    with dask.config.set(scheduler=scheduler):
        np.testing.assert_array_equal(
            lifted(da.from_array(data, chunks=(chunk, -1, -1))), doubled_mean(data)
        )


def test_one_task_a_chunk(data):
    source = da.from_array(data, chunks=(1, -1, -1))
    assert len(lifted(source).dask) - len(source.dask) == 7


def test_several_arrays_share_dimensions(data):
    weights = np.arange(7.0)

    def weighted(block, weight):
        return block * weight[:, None, None]

    def run(a, b):
        return lift(weighted, a, b, dims=[DIMS, ("sample",)], out_dims=DIMS, dtype=float)

    want = data * weights[:, None, None]
    np.testing.assert_array_equal(run(data, weights), want)
    lazy = run(da.from_array(data, chunks=(3, -1, -1)), da.from_array(weights, chunks=2))
    np.testing.assert_array_equal(lazy, want)
    np.testing.assert_array_equal(run(da.from_array(data, chunks=(3, 2, 2)), weights), want)


def test_whole_dims_may_change_length(data):
    def crop(block):
        return block[:, 1:, :]

    lazy = da.from_array(data, chunks=(3, -1, 2))
    out = lift(crop, lazy, dims=[DIMS], out_dims=DIMS, whole={"x"}, sizes={"x": 3}, dtype=float)
    assert out.chunks == ((3, 3, 1), (3,), (2, 1))
    np.testing.assert_array_equal(out, data[:, 1:])


def test_refusals(data):
    with pytest.raises(ValueError, match=r"chunked along \['x'\].*chunk\(\{'x': -1\}\)"):
        lifted(da.from_array(data, chunks=(1, 2, -1)))
    with pytest.raises(ValueError, match="has dims"):
        lifted(xr.DataArray(data, dims=("sample", "x", "z"), name="field"))
    with pytest.raises(ValueError, match="2 axes of shape"):
        lifted(data[0])
    with pytest.raises(ValueError, match="length 6 in one array and 7"):
        lift(
            lambda a, b: a, data, np.zeros(6), dims=[DIMS, ("sample",)], out_dims=DIMS, dtype=float
        )
    a = xr.DataArray(data, dims=DIMS, coords={"sample": range(7)})
    with pytest.raises(ValueError, match="'sample' coordinates of the arrays differ"):
        lift(lambda a, b: a, a, a[::-1], dims=[DIMS, DIMS], out_dims=DIMS, dtype=float)
    with pytest.raises(RuntimeError, match="promised"):
        lift(
            doubled_mean,
            data,
            dims=[DIMS],
            out_dims=("sample", "state"),
            sizes={"state": 1},
            dtype="f4",
        )
    with pytest.raises(RuntimeError, match="promised"):
        lift(
            doubled_mean,
            data,
            dims=[DIMS],
            out_dims=("sample", "state"),
            sizes={"state": 2},
            dtype=float,
        )


def test_visit_calls_once_a_block_and_can_be_asked_for_some():
    array = da.ones((4, 6), chunks=(2, 2))
    seen = []
    visited = visit(array, lambda block, index: seen.append(index) or block.size)
    with dask.config.set(scheduler="synchronous"):
        assert visited.blocks[1, 2].compute().tolist() == [[4]]
        assert seen == [(1, 2)]
        assert visited.compute().shape == (2, 3)
