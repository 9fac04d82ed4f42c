"""Create, open, append, resume: what comes out is what went in, whatever the chunks."""

import os
import signal
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mksdask as mks
from mksdask.ensemble.schema import gathered


def make(n=10, shape=(6, 5), seed=0, chunk=3, first=0, names=False):
    rng = np.random.default_rng(seed)
    space = ("x", "y", "z")[: len(shape)]
    labels = rng.integers(0, 3, (n, *shape)).astype("uint8")
    sample = [f"s{first + i:03d}" for i in range(n)] if names else np.arange(first, first + n)
    return xr.Dataset(
        {
            "phase": (("sample", *space), da.from_array(labels, chunks=(chunk, *shape))),
            "strain": (
                ("sample", *space, "tensor"),
                rng.normal(size=(n, *shape, 2)).astype("float32"),
            ),
            "modulus": ("sample", rng.normal(size=n)),
            "measured": ("sample", da.from_array(rng.normal(size=n), chunks=chunk)),
            "template": (space, np.linspace(0, 1, int(np.prod(shape))).reshape(shape)),
        },
        coords={
            "sample": sample,
            "tensor": ["xx", "yy"],
            "batch": ("sample", [f"b{i % 2}" for i in range(n)]),
        },
        attrs={
            "voxel_size": [0.5] * len(shape),
            "voxel_unit": "um",
            "phase_names": ["a", "b", "c"],
        },
    )


@pytest.mark.parametrize("url", ["{tmp}/e.zarr", "file://{tmp}/e.zarr", "memory://{tmp}/e.zarr"])
@pytest.mark.parametrize("names", [False, True])
def test_what_is_opened_is_what_was_created(tmp_path, url, names):
    store = url.format(tmp=tmp_path)
    ds = make(names=names)
    mks.create_ensemble(store, ds)
    opened = mks.open_ensemble(store)
    assert opened.phase.chunks is not None
    assert opened.measured.chunks is not None
    said = {k: ds.attrs[k] for k in ("voxel_size", "voxel_unit")}
    assert opened.phase.attrs == {**said, "phase_names": ["a", "b", "c"]}
    assert opened.strain.attrs == opened.template.attrs == said
    xr.testing.assert_identical(gathered(opened.compute()), ds.compute())
    assert mks.validate_ensemble(store) == []


def test_plain_xarray_reads_the_store(tmp_path):
    store = str(tmp_path / "e.zarr")
    ds = make(names=True)
    mks.create_ensemble(store, ds)
    plain = xr.open_zarr(store).compute()
    for name in ds.variables:
        np.testing.assert_array_equal(plain[name].values.astype(ds[name].dtype), ds[name].values)
    assert set(plain.coords) == set(ds.coords)
    without = xr.open_zarr(store, consolidated=False)
    assert without.sizes == plain.sizes


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    n=st.integers(1, 12),
    more=st.integers(1, 12),
    chunk=st.integers(1, 13),
    other=st.integers(1, 13),
    stored=st.none() | st.integers(1, 13),
    seed=st.integers(0, 99),
)
def test_append_joins_whatever_the_chunks(n, more, chunk, other, stored, seed):
    store = f"memory://append-{n}-{more}-{chunk}-{other}-{stored}-{seed}.zarr"
    a, b = make(n, chunk=chunk, seed=seed), make(more, chunk=other, seed=seed + 1, first=n)
    chunks = None if stored is None else {"sample": min(stored, n)}
    mks.create_ensemble(store, a, chunks=chunks, overwrite=True)
    joined = mks.append_samples(store, b)
    options = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "join": "exact"}
    want = xr.concat([a, b], "sample", combine_attrs="override", **options).compute()
    xr.testing.assert_identical(gathered(joined.compute()), want)
    again = mks.append_samples(store, b.drop_vars("sample"))
    assert list(again.sample.values) == list(range(n + 2 * more))
    xr.testing.assert_equal(again.isel(sample=slice(n, None, None)).phase[:more], b.phase)
    assert mks.validate_ensemble(store) == []
    plain = xr.open_zarr(store)
    assert plain.sizes["sample"] == n + 2 * more


def test_volumes_chunked_in_space(tmp_path):
    rng = np.random.default_rng(0)
    labels = da.from_array(rng.integers(0, 2, (2, 20, 18, 7)).astype("uint8"), chunks=(1, 9, 18, 3))
    ds = xr.Dataset({"phase": (("sample", "x", "y", "z"), labels)})
    out = mks.create_ensemble(tmp_path / "v.zarr", ds, chunks={"sample": 1, "x": 8, "y": 8, "z": 7})
    assert out.phase.chunks == ((1, 1), (8, 8, 4), (8, 8, 2), (7,))
    np.testing.assert_array_equal(out.phase, labels.compute())
    more = mks.append_samples(tmp_path / "v.zarr", ds)
    np.testing.assert_array_equal(more.phase[2:], labels.compute())


def test_large_chunks_are_sharded_and_read_in_parts(tmp_path):
    rng = np.random.default_rng(0)
    field = rng.normal(size=(6, 70, 80, 90))
    ds = xr.Dataset(
        {"density": (("sample", "x", "y", "z"), da.from_array(field, chunks=(6, 70, 80, 90)))}
    )
    mks.create_ensemble(tmp_path / "s.zarr", ds, chunks={"sample": 6})
    import zarr

    array = zarr.open_array(tmp_path / "s.zarr" / "density", mode="r")
    assert array.shards == (6, 70, 80, 90)
    assert array.chunks == (1, 70, 80, 90)
    np.testing.assert_array_equal(mks.open_ensemble(tmp_path / "s.zarr").density[4], field[4])


def test_orientations_of_grains_are_stored_small(tmp_path):
    cells = mks.generate.voronoi(2, (24, 24, 24), 10).drop_vars("grain_orientation")
    ds = mks.create_ensemble(tmp_path / "e.zarr", cells)
    xr.testing.assert_equal(ds.orientation.load(), cells.orientation.load())
    files = (tmp_path / "e.zarr" / "orientation").rglob("*")
    assert sum(p.stat().st_size for p in files if p.is_file()) < cells.orientation.nbytes / 5


def test_misaligned_and_irregular_chunks_are_rechunked(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, (11, 4, 4)).astype("int16")
    for i, chunks in enumerate([((1, 4, 4, 2), 4, 4), ((5, 5, 1), (1, 3), 4), (2, 1, 4)]):
        ds = xr.Dataset({"phase": (("sample", "x", "y"), da.from_array(labels, chunks=chunks))})
        out = mks.create_ensemble(tmp_path / f"{i}.zarr", ds, chunks={"sample": 3})
        np.testing.assert_array_equal(out.phase, labels)


def test_blocks_of_nothing_but_fill_values_are_not_missing(tmp_path):
    field = da.full((4, 3, 3), np.nan, chunks=(1, 3, 3))
    mks.create_ensemble(tmp_path / "nan.zarr", xr.Dataset({"f": (("sample", "x", "y"), field)}))
    assert mks.validate_ensemble(tmp_path / "nan.zarr") == []


def test_opening_reads_no_data(tmp_path):
    mks.create_ensemble(tmp_path / "e.zarr", make())
    for chunk in (tmp_path / "e.zarr" / "phase" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"not a chunk")
    assert mks.open_ensemble(tmp_path / "e.zarr").phase.shape == (10, 6, 5)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_schedulers_write_and_read_the_same(tmp_path, scheduler):
    import dask

    ds = make()
    with dask.config.set(scheduler=scheduler):
        mks.create_ensemble(tmp_path / "e.zarr", ds)
        read = mks.open_ensemble(tmp_path / "e.zarr").compute()
    xr.testing.assert_identical(gathered(read), ds.compute())


def test_overwrite_replaces_only_when_asked(tmp_path):
    store = tmp_path / "e.zarr"
    mks.create_ensemble(store, make(4))
    with pytest.raises(FileExistsError, match="overwrite=True"):
        mks.create_ensemble(store, make(5))
    assert mks.open_ensemble(store).sizes["sample"] == 4
    mks.create_ensemble(store, make(5), overwrite=True)
    assert mks.open_ensemble(store).sizes["sample"] == 5
    assert [p.name for p in tmp_path.iterdir()] == ["e.zarr"]


def test_overwrite_on_an_object_store():
    store = "memory://overwritten.zarr"
    mks.create_ensemble(store, make(4))
    mks.create_ensemble(store, make(5), overwrite=True)
    assert mks.open_ensemble(store).sizes["sample"] == 5
    import fsspec

    left = fsspec.filesystem("memory").find("/overwritten.zarr.replaced")
    assert not left
    assert not any("lock" in key for key in fsspec.filesystem("memory").find("/overwritten.zarr"))


def test_what_is_overwritten_is_kept_until_the_new_one_is_complete(tmp_path):
    store = tmp_path / "e.zarr"
    mks.create_ensemble(store, make(4, seed=1))
    bad = make(5)
    bad["phase"] = bad.phase.copy(data=da.map_blocks(_fail, bad.phase.data, dtype="uint8"))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="on purpose"):
            mks.create_ensemble(store, bad, overwrite=True)
    with pytest.warns(mks.IncompleteEnsembleWarning, match="replacement of .* was interrupted"):
        kept = mks.open_ensemble(store)
    xr.testing.assert_identical(gathered(kept.compute()), make(4, seed=1).compute())
    with pytest.raises(mks.DataError, match="interrupted write"):
        mks.append_samples(store, make(2, first=9))
    mks.resume_ensemble(store, make(5))
    xr.testing.assert_identical(gathered(mks.open_ensemble(store).compute()), make(5).compute())
    assert [p.name for p in tmp_path.iterdir()] == ["e.zarr"]


def test_a_replacement_can_be_dropped(tmp_path):
    store = tmp_path / "e.zarr"
    mks.create_ensemble(store, make(4))
    bad = make(5)
    bad["phase"] = bad.phase.copy(data=da.map_blocks(_fail, bad.phase.data, dtype="uint8"))
    with pytest.raises(RuntimeError, match="on purpose"):
        mks.create_ensemble(store, bad, overwrite=True)
    mks.discard_unfinished(store)
    assert mks.open_ensemble(store).sizes["sample"] == 4
    assert [p.name for p in tmp_path.iterdir()] == ["e.zarr"]


def test_killed_between_the_two_renames(tmp_path):
    """The last step of a replacement: nothing lies at the path, both ensembles beside it."""
    store = tmp_path / "e.zarr"
    mks.create_ensemble(tmp_path / "e.zarr.incoming", make(5))
    mks.create_ensemble(tmp_path / "e.zarr.outgoing", make(4))
    with pytest.raises(FileNotFoundError, match="resume_ensemble"):
        mks.open_ensemble(store)
    with pytest.raises(FileExistsError, match="resume_ensemble"):
        mks.create_ensemble(store, make(6))
    mks.resume_ensemble(store, make(5))
    assert mks.open_ensemble(store).sizes["sample"] == 5
    assert [p.name for p in tmp_path.iterdir()] == ["e.zarr"]


def test_created_anew_after_a_kill_between_the_two_renames(tmp_path):
    store = tmp_path / "e.zarr"
    mks.create_ensemble(tmp_path / "e.zarr.incoming", make(5))
    mks.create_ensemble(tmp_path / "e.zarr.outgoing", make(4))
    mks.create_ensemble(store, make(6), overwrite=True)
    assert mks.open_ensemble(store).sizes["sample"] == 6
    assert [p.name for p in tmp_path.iterdir()] == ["e.zarr"]


@pytest.mark.parametrize("reader", [mks.open_ensemble, xr.open_zarr])
def test_a_store_may_be_replaced_by_what_is_computed_from_it(tmp_path, reader):
    store = tmp_path / "e.zarr"
    ds = make()[["phase", "strain"]]
    mks.create_ensemble(store, ds)
    source = reader(store)[["phase", "strain"]]
    source.attrs = {}
    mks.create_ensemble(store, source.assign(strain=2 * source.strain), overwrite=True)
    opened = mks.open_ensemble(store)
    np.testing.assert_array_equal(opened.strain, 2 * ds.strain)
    np.testing.assert_array_equal(opened.phase, ds.phase)
    if reader is mks.open_ensemble:
        with pytest.raises(mks.DataError, match="replaced since it was opened"):
            source.phase.compute()


def _fail(block):
    raise RuntimeError("on purpose")


def test_a_failing_append_leaves_the_old_samples_and_can_be_dropped(tmp_path):
    store = tmp_path / "e.zarr"
    old = make(5)
    mks.create_ensemble(store, old, chunks={"sample": 4})
    bad = make(6, first=5, seed=2)
    good = bad.copy()
    bad["phase"] = bad.phase.copy(data=da.map_blocks(_fail, bad.phase.data, dtype="uint8"))
    with pytest.raises(RuntimeError, match="on purpose"):
        mks.append_samples(store, bad)
    with pytest.warns(mks.IncompleteEnsembleWarning, match="append of 6 samples"):
        seen = mks.open_ensemble(store)
    xr.testing.assert_identical(gathered(seen.compute()), old.compute())
    assert xr.open_zarr(store).sizes["sample"] == 5
    with pytest.raises(mks.DataError, match="interrupted write"):
        mks.append_samples(store, good)
    mks.discard_unfinished(store)
    xr.testing.assert_identical(gathered(mks.open_ensemble(store).compute()), old.compute())
    mks.append_samples(store, good)
    np.testing.assert_array_equal(mks.open_ensemble(store).phase[5:], good.phase)


def test_resume_refuses_other_data(tmp_path):
    store = tmp_path / "e.zarr"
    ds = make(9, chunk=3)
    mks.create_ensemble(store, ds)
    (store / "phase" / "c" / "2" / "0" / "0").unlink()
    cases = {
        "'phase' .* differs from what": ds.assign(phase=1 - ds.phase.astype(bool).astype("uint8")),
        "has 8 samples": ds.isel(sample=slice(8)),
        "not the one of the interrupted write": ds.assign_coords(sample=np.arange(9)[::-1]),
        "columns, coordinates or attributes differ": ds.assign(modulus=ds.modulus + 1),
        "attributes differ": ds.assign_attrs(project="other"),
        "'template' has other values": ds.assign(template=ds.template + 1),
        "'modulus' is missing": ds.drop_vars("modulus"),
    }
    for message, dataset in cases.items():
        with pytest.raises(mks.DataError, match=message):
            mks.resume_ensemble(store, dataset)
    assert any("samples 6-8 are missing" in v for v in mks.validate_ensemble(store))
    xr.testing.assert_identical(gathered(mks.resume_ensemble(store, ds).compute()), ds.compute())


def test_append_refuses_what_does_not_fit(tmp_path):
    store = tmp_path / "e.zarr"
    mks.create_ensemble(store, make(4, names=True))
    more = make(3, names=True, first=4)
    cases = {
        "dimension 'x' has length 5": more.isel(x=slice(5)),
        "dtype int32; stored uint8": more.assign(phase=more.phase.astype("int32")),
        "'modulus' is missing": more.drop_vars("modulus"),
        "'extra' is not in the store": more.assign(extra=more.modulus),
        "'voxel_size' is": more.assign_attrs(voxel_size=[1.0, 1.0]),
        "'phase_names' is": more.assign_attrs(phase_names=["c", "b", "a"]),
        "'tensor' has other values": more.assign_coords(tensor=["yy", "xx"]),
        "'template' has other values": more.assign(template=more.template + 1),
        "in the store already": make(3, names=True, first=2),
        "give each new sample a name": more.drop_vars("sample"),
    }
    for message, dataset in cases.items():
        with pytest.raises(ValueError, match=message):
            mks.append_samples(store, dataset)
    assert mks.validate_ensemble(store) == []
    assert mks.open_ensemble(store).sizes["sample"] == 4


def test_stores_of_others_are_told_apart(tmp_path):
    import json

    with pytest.raises(FileNotFoundError, match="no ensemble at"):
        mks.open_ensemble(tmp_path / "nothing.zarr")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(mks.DataError, match="not an mksdask ensemble"):
        mks.open_ensemble(folder)
    with pytest.raises(mks.DataError, match="not an mksdask ensemble"):
        mks.create_ensemble(folder, make(), overwrite=True)
    assert (folder / "thesis.txt").read_text() == "precious"
    other = tmp_path / "other.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xr.Dataset({"a": ("t", [1])}).to_zarr(other, zarr_format=3)
    with pytest.raises(mks.DataError, match="written by another program"):
        mks.open_ensemble(other)
    newer = tmp_path / "newer.zarr"
    mks.create_ensemble(newer, make())
    root = json.loads((newer / "zarr.json").read_text())
    root["attributes"]["mksdask"]["schema_version"] = 99
    (newer / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(mks.DataError, match="schema version 99"):
        mks.open_ensemble(newer)


def test_bad_datasets_are_refused_before_anything_is_written(tmp_path):
    store = tmp_path / "e.zarr"
    ds = make()
    cases = {
        "dtype is float64": ds.assign(phase=ds.phase.astype(float)),
        "duplicate sample names": ds.assign_coords(sample=[0] * 10),
        "no dimension 'sample'": ds.isel(sample=0, drop=True),
        "has length 0": ds.isel(x=slice(0)),
        "cannot be stored": ds.assign(when=("sample", np.zeros(10, "datetime64[ns]"))),
        "JSON": ds.assign_attrs(provenance={"f": object()}),
        "nothing to store": ds[["modulus"]],
        "Python object": ds.assign(odd=("sample", np.array([None, *"abcdefghi"], dtype=object))),
        "without '/'": ds.assign({"a/b": ds.modulus}),
        "'mksdask' is used by the store": ds.assign_attrs(mksdask=1),
        "wanted a list out of": ds.assign_attrs(periodic=True),
        "MultiIndex": ds.drop_vars("measured").stack(xy=["x", "y"]),
    }
    for message, dataset in cases.items():
        with pytest.raises(mks.DataError, match=message):
            mks.create_ensemble(store, dataset)
    with pytest.raises(TypeError, match="wanted an xarray.Dataset"):
        mks.create_ensemble(store, ds.phase)
    with pytest.raises(ValueError, match="chunks is"):
        mks.create_ensemble(store, ds, chunks={"w": 3})
    with pytest.raises(ValueError, match="memory is"):
        mks.create_ensemble(store, ds, memory="lots")
    with pytest.raises(TypeError, match="store is a int"):
        mks.open_ensemble(3)
    assert not store.exists()


def test_negative_labels_are_refused_while_writing(tmp_path):
    labels = np.zeros((4, 3, 3), dtype="int8")
    labels[2, 1, 1] = -1
    with pytest.raises(mks.DataError, match="negative label -1"):
        mks.create_ensemble(
            tmp_path / "n.zarr", xr.Dataset({"phase": (("sample", "x", "y"), labels)})
        )


def test_a_column_that_is_lazy_keeps_its_chunks(tmp_path):
    """A lazy number a sample may cost a simulation each: it must be resumable too."""
    ds = make(9, chunk=3)
    out = mks.create_ensemble(tmp_path / "e.zarr", ds)
    assert out.measured.chunks == ((3, 3, 3),)
    assert out.modulus.chunks is None


def test_provenance_of_appends_is_recorded(tmp_path):
    a = make(2).assign_attrs(provenance={"seed": 1})
    b = make(2, first=2).assign_attrs(provenance={"seed": 2})
    mks.create_ensemble(tmp_path / "e.zarr", a)
    out = mks.append_samples(tmp_path / "e.zarr", b)
    assert out.attrs["provenance"] == {"seed": 1, "appended": [{"seed": 2}]}


def test_facts_of_the_ensemble_are_kept_once(tmp_path):
    ds = make(3)
    ds.attrs.clear()
    ds.phase.attrs = {
        "voxel_size": (0.5, 0.5),
        "phase_names": ["a", "b", "c"],
        "provenance": {"seed": 1},
    }
    opened = mks.create_ensemble(tmp_path / "e.zarr", ds)
    assert opened.attrs == {
        "voxel_size": [0.5, 0.5], "phase_names": ["a", "b", "c"], "provenance": {"seed": 1}
    }  # fmt: skip
    assert opened.strain.attrs == {"voxel_size": [0.5, 0.5]}
    assert ds.phase.attrs["provenance"] == {"seed": 1}  # the caller's dataset is not changed
    with pytest.raises(mks.DataError, match=r"'phase' has voxel_size .* the dataset \[1"):
        mks.create_ensemble(tmp_path / "f.zarr", ds.assign_attrs(voxel_size=[1, 1]))


def test_unusual_but_sound_datasets(tmp_path):
    ds = make(4).assign_coords(temperature=3.5, age=("sample", np.arange(4, dtype=">i4")))
    ds["field"] = (
        ("sample", "x", "y"),
        np.random.default_rng(0).normal(size=(4, 6, 5)).astype(">f4"),
    )
    ds["spectrum"] = ("sample", "x"), np.ones((4, 6), dtype="complex64")
    ds["flag"] = ("sample", "x"), np.ones((4, 6), dtype=bool)
    ds["with blank"] = ds.modulus
    ds = ds.assign_coords(sample=["s9", "s10", "ä", "s" * 40])
    out = mks.create_ensemble(tmp_path / "with blank.zarr", ds, chunks={"sample": 3, "x": -1})
    more = ds.assign_coords(sample=["t1", "a name longer than the others were", "t3", "t4"])
    out = mks.append_samples(tmp_path / "with blank.zarr", more)
    assert float(out.temperature) == 3.5
    assert list(out.sample.values) == [*ds.sample.values, *more.sample.values]
    for name in ("field", "spectrum", "flag", "age", "with blank"):
        np.testing.assert_array_equal(out[name][4:], ds[name])
    assert mks.validate_ensemble(tmp_path / "with blank.zarr") == []


def test_numbers_of_samples_go_on_in_their_type(tmp_path):
    ds = make(3).assign_coords(sample=np.arange(3, dtype="int32"))
    mks.create_ensemble(tmp_path / "e.zarr", ds)
    out = mks.append_samples(tmp_path / "e.zarr", ds.drop_vars("sample"))
    assert list(out.sample.values) == list(range(6))
    assert out.sample.dtype == "int32"


def test_misaligned_data_are_written_window_by_window(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, (200, 2, 2)).astype("uint8")
    ds = xr.Dataset({"phase": (("sample", "x", "y"), da.from_array(labels, chunks=(3, 2, 2)))})
    out = mks.create_ensemble(tmp_path / "e.zarr", ds, chunks={"sample": 2})
    np.testing.assert_array_equal(out.phase, labels)


def _noted(block, log, block_info=None):
    time.sleep(0.05)
    with open(log, "a") as file:
        file.write(f"{block_info[0]['chunk-location'][0]}\n")
    return block


def test_on_a_cluster_work_that_is_done_outlives_its_workers(tmp_path):
    """Else nothing would ever be finished that takes longer than workers live."""
    import distributed

    n, log = 60, tmp_path / "log"
    log.touch()
    ones = da.ones((n, 4, 4), chunks=(1, 4, 4), dtype="uint8")
    phase = da.map_blocks(_noted, ones, log=str(log), dtype="uint8", meta=np.empty((0, 0, 0), "u1"))
    ds = xr.Dataset({"phase": (("sample", "x", "y"), phase)})
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    )
    with cluster, distributed.Client(cluster) as client:
        pids = client.run(os.getpid).values()
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(mks.create_ensemble, tmp_path / "e.zarr", ds)
            while len(log.read_text().splitlines()) < n // 2:
                assert not writing.done()
                time.sleep(0.01)
            time.sleep(0.1)  # for the client to hear of what is done
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            writing.result()
        assert np.all(mks.open_ensemble(tmp_path / "e.zarr").phase == 1)
    done = log.read_text().splitlines()
    assert len(set(done)) == n
    assert len(done) < n + 10  # what was under way, and what the client had not heard of yet


def test_on_a_cluster_work_is_done_again_after_an_error(tmp_path):
    """A scheduler remembers tasks by name; a retry must not be told that blocks are written."""
    import distributed

    store = tmp_path / "e.zarr"
    ds = make(9, chunk=3)
    bad = ds.assign(phase=ds.phase.copy(data=da.map_blocks(_fail, ds.phase.data, dtype="uint8")))
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    )
    with cluster, distributed.Client(cluster):
        with pytest.raises(RuntimeError, match="on purpose") as kept:
            mks.create_ensemble(store, bad, progress=True)
        with pytest.warns(mks.IncompleteEnsembleWarning):
            mks.open_ensemble(store)
        mks.create_ensemble(store, ds, overwrite=True, progress=True)
        assert mks.validate_ensemble(store) == []
        mks.append_samples(store, make(5, first=9, seed=3))
        read = mks.open_ensemble(store).compute()
    assert kept is not None
    np.testing.assert_array_equal(read.phase[:9], ds.phase)
    np.testing.assert_array_equal(read.phase[9:], make(5, first=9, seed=3).phase)
