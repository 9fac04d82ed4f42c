"""Known ways in which this stack loses data, each reproduced with the plain tools and shown closed.

Races do not strike every time: a reproduction is tried repeatedly, and where a release of the stack
has closed the trap itself there is nothing to show but that our writer is right.
"""

import warnings

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

import mksdask as mks

N = 24
DATA = np.random.default_rng(0).integers(1, 9, (N, N, N))


def plain(function, *args, **kwargs):
    """Whether the plain tools wrote ``DATA``; a refusal counts as right."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.array_equal(function(*args, **kwargs), DATA)
        except (ValueError, NotImplementedError, TypeError):
            return True


def corrupts(trap, tmp_path, tries=5):
    """Whether the plain tools lose data in any of some tries."""
    with dask.config.set(scheduler="threads", num_workers=8):
        return any(not plain(trap, tmp_path / f"plain-{i}.zarr") for i in range(tries))


def closed(tmp_path, source, chunks):
    dims = ("sample", "x", "y")
    with dask.config.set(scheduler="threads", num_workers=8):
        for i in range(3):
            store = tmp_path / f"ours-{i}.zarr"
            mks.create_ensemble(store, xr.Dataset({"f": (dims, source)}), chunks=chunks)
            np.testing.assert_array_equal(mks.open_ensemble(store).f, DATA)
            assert mks.validate_ensemble(store) == []


def dask_store_into_shards(path):
    source = da.from_array(DATA, chunks=6)
    array = zarr.create_array(
        path, shape=DATA.shape, dtype="int64", chunks=(6, 6, 6), shards=(24, 24, 24)
    )
    da.store(source, array, lock=False)
    return array[:]


def dask_to_zarr_with_other_chunks(path):
    source = da.from_array(DATA, chunks=5)
    da.to_zarr(source, str(path), chunks=(24, 24, 24))
    return zarr.open_array(path)[:]


def xarray_into_shards(path):
    ds = xr.Dataset({"f": (("t", "x", "y"), da.from_array(DATA, chunks=6))})
    ds.to_zarr(path, zarr_format=3, encoding={"f": {"chunks": (6, 6, 6), "shards": (24, 24, 24)}},
               safe_chunks=False)  # fmt: skip
    return xr.open_zarr(path).f.values


def xarray_region_with_other_chunks(path):
    ds = xr.Dataset({"f": (("t", "x", "y"), da.from_array(DATA, chunks=(5, N, N)))})
    ds.chunk(t=12).to_zarr(path, compute=False, zarr_format=3)
    for i in range(0, N, 8):
        part = ds.isel(t=slice(i, i + 8)).chunk(t=1)
        part.to_zarr(path, region={"t": slice(i, i + 8)}, safe_chunks=False)
    return xr.open_zarr(path).f.values


def xarray_append_with_other_chunks(path):
    ds = xr.Dataset({"f": (("t", "x", "y"), da.from_array(DATA, chunks=(1, N, N)))})
    ds.isel(t=slice(5)).chunk(t=12).to_zarr(path, zarr_format=3)
    rest = ds.isel(t=slice(5, None)).chunk(t=1)
    rest.to_zarr(path, append_dim="t", safe_chunks=False)
    return xr.open_zarr(path).f.values


TRAPS = [
    dask_store_into_shards,
    dask_to_zarr_with_other_chunks,
    xarray_into_shards,
    xarray_region_with_other_chunks,
    xarray_append_with_other_chunks,
]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda t: t.__name__)
def test_misaligned_writes(tmp_path, trap):
    for source_chunks in (5, 6, (1, N, N)):
        source = da.from_array(DATA, chunks=source_chunks)
        closed(tmp_path / str(source_chunks), source, {"sample": 12})
    if not corrupts(trap, tmp_path):
        pytest.skip("our side is right; the plain tools of this release are too")


def test_our_task_never_writes_a_part_of_a_block(tmp_path, monkeypatch):
    """The mechanism: every data key of the store is set exactly once."""
    from zarr.storage import LocalStore

    keys = []
    plain_set = LocalStore.set

    async def spy(self, key, value):
        keys.append(key)
        await plain_set(self, key, value)

    monkeypatch.setattr(LocalStore, "set", spy)
    ds = xr.Dataset({"f": (("sample", "x", "y"), da.from_array(DATA, chunks=(1, 5, 24)))})
    mks.create_ensemble(tmp_path / "once.zarr", ds, chunks={"sample": 7})
    data = [k for k in keys if k.startswith("f/c/")]
    assert len(data) == len(set(data)) == 4


def test_a_failing_append_does_not_leave_variables_of_different_lengths(tmp_path):
    good = xr.Dataset({v: (("sample", "x"), da.ones((4, 3), chunks=(2, 3))) for v in "ab"})
    bad = good.copy()
    bad["b"] = bad.b.copy(data=da.map_blocks(_fail, bad.b.data, dtype=float))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        good.to_zarr(tmp_path / "plain.zarr", zarr_format=3)
        with dask.config.set(scheduler="synchronous"), pytest.raises(RuntimeError):
            bad.to_zarr(tmp_path / "plain.zarr", append_dim="sample")
        plain_length = xr.open_zarr(tmp_path / "plain.zarr", consolidated=False).sizes["sample"]
    assert plain_length == 8  # twice as long, though nothing was appended
    mks.create_ensemble(tmp_path / "ours.zarr", good)
    with dask.config.set(scheduler="synchronous"), pytest.raises(RuntimeError):
        mks.append_samples(tmp_path / "ours.zarr", bad.assign_coords(sample=range(4, 8)))
    assert xr.open_zarr(tmp_path / "ours.zarr").sizes["sample"] == 4
    with pytest.warns(mks.IncompleteEnsembleWarning):
        assert mks.open_ensemble(tmp_path / "ours.zarr").sizes["sample"] == 4


def _fail(block):
    raise RuntimeError("on purpose")
