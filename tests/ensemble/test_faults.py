"""Killed, corrupted, full, locked: nothing is lost and nothing is silent."""

import errno
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import LocalStore

import mksdask as mks
from tests.ensemble.slow_writer import dataset

WRITER = [sys.executable, "-m", "tests.ensemble.slow_writer"]


def start(*arguments):
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen(
        [*WRITER, *map(str, arguments)], cwd=root, env=env, stdout=subprocess.PIPE
    )


def kill_when(process, store, variable, n_blocks, extra=0.0):
    """Kill -9 once ``n_blocks`` chunks of ``variable`` are seen, plus a little."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        found = [p for p in (store / variable).rglob("c/**/*") if p.is_file()]
        if len(found) >= n_blocks:
            break
        time.sleep(0.001)
    time.sleep(extra)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize(("n_blocks", "extra"), [(0, 0.0), (1, 0.003), (4, 0.011), (9, 0.007)])
def test_a_killed_creation_is_finished_by_resume(tmp_path, n_blocks, extra):
    store = tmp_path / "e.zarr"
    kill_when(start("create", store, "0.03"), store, "phase", n_blocks, extra)
    if (store / "zarr.json").exists():
        with pytest.warns(mks.IncompleteEnsembleWarning, match=r"missing|before any"):
            seen = mks.open_ensemble(store)
        if "phase" in seen:
            wanted = dataset(0, 24, 0).sel(sample=seen.sample).compute()
            xr.testing.assert_equal(seen.compute(), wanted)
        finished = mks.resume_ensemble(store, dataset(0, 24, 0))
    else:
        finished = mks.create_ensemble(store, dataset(0, 24, 0))
    xr.testing.assert_identical(finished.compute(), dataset(0, 24, 0).compute())
    assert mks.validate_ensemble(store) == []
    assert not list(store.rglob("*.partial"))
    assert [p.name for p in tmp_path.iterdir()] == ["e.zarr"]


@pytest.mark.parametrize(("n_blocks", "extra"), [(9, 0.0), (10, 0.004), (14, 0.013)])
def test_a_killed_append_leaves_the_old_samples(tmp_path, n_blocks, extra):
    store = tmp_path / "e.zarr"
    # Fifteen samples in eight blocks of two: the next append begins inside the last block.
    old = dataset(0, 15, 0)
    mks.create_ensemble(store, old)
    kill_when(start("append", store, "0.03"), store, "phase", n_blocks, extra)
    assert xr.open_zarr(store).sizes["sample"] == 15
    np.testing.assert_array_equal(xr.open_zarr(store).phase, old.phase)
    with pytest.warns(mks.IncompleteEnsembleWarning, match="append of 24 samples"):
        seen = mks.open_ensemble(store)
    xr.testing.assert_equal(seen.compute(), old.compute())
    finished = mks.resume_ensemble(store, dataset(15, 39, 0))
    xr.testing.assert_equal(finished.compute(), dataset(0, 39, 0).compute())
    assert mks.validate_ensemble(store) == []


def test_resume_computes_only_what_is_missing(tmp_path):
    store = tmp_path / "e.zarr"
    ds = dataset(0, 24, 0)
    mks.create_ensemble(store, ds)
    chunks = sorted((store / "phase" / "c").iterdir(), key=lambda p: int(p.name))
    removed = [p for p in chunks[3].rglob("*") if p.is_file()][0]
    removed.unlink()
    assert any("samples 6-7 are missing" in v for v in mks.validate_ensemble(store))
    seen = []

    def spy(block, block_id=None):
        seen.append(block_id[0])
        return block

    watched = ds.assign(phase=ds.phase.copy(data=ds.phase.data.map_blocks(spy, dtype="uint8")))
    with dask.config.set(scheduler="synchronous"):
        mks.resume_ensemble(store, watched)
    # Three of the others are computed to see that the data are the same ones.
    assert set(seen) == {0, 3, 6, 11}
    assert mks.validate_ensemble(store) == []


def test_a_torn_shard_is_found_and_written_again(tmp_path):
    store = tmp_path / "e.zarr"
    ds = dataset(0, 24, 0)
    mks.create_ensemble(store, ds)
    torn = store / "field" / "c" / "5" / "0" / "0"
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    with pytest.raises(mks.DataError, match="'field', samples 10 to 11, of .* is corrupt"):
        mks.open_ensemble(store).compute()
    mks.resume_ensemble(store, ds)
    xr.testing.assert_identical(mks.open_ensemble(store).compute(), ds.compute())


@pytest.mark.parametrize("sharded", [False, True])
def test_every_flipped_byte_is_reported(tmp_path, sharded):
    store = tmp_path / "e.zarr"
    if sharded:
        field = np.random.default_rng(0).normal(size=(4, 90, 80, 80))
        ds = xr.Dataset({"field": (("sample", "x", "y", "z"), field)})
        mks.create_ensemble(store, ds, chunks={"sample": 4})
        chunk, where = store / "field" / "c" / "0" / "0" / "0" / "0", "samples 0-3"
        assert zarr.open_array(store / "field", mode="r").shards is not None
    else:
        mks.create_ensemble(store, dataset(0, 24, 0))
        chunk, where = store / "field" / "c" / "2" / "0" / "0", "samples 4-5"
    good = chunk.read_bytes()
    rng = np.random.default_rng(1)
    positions = rng.choice(len(good), 4 if sharded else 12, replace=False)
    for position in [0, len(good) - 1, *positions]:
        bad = bytearray(good)
        bad[position] ^= 0x10
        chunk.write_bytes(bytes(bad))
        found = mks.validate_ensemble(store)
        assert len(found) == 1
        assert "'field'" in found[0]
        assert where in found[0]
        assert "corrupt" in found[0]
    chunk.write_bytes(good)
    assert mks.validate_ensemble(store) == []


def test_a_second_writer_is_refused(tmp_path):
    store = tmp_path / "e.zarr"
    process = start("create", store, "0.2")
    try:
        deadline = time.monotonic() + 60
        while not list(store.rglob("c/*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(mks.DataError, match=f"being written by process {process.pid}"):
            mks.resume_ensemble(store, dataset(0, 24, 0))
        with pytest.raises(mks.DataError, match="being written by"):
            mks.create_ensemble(store, dataset(0, 24, 0), overwrite=True)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    mks.resume_ensemble(store, dataset(0, 24, 0))


def test_a_second_writer_is_refused_on_an_object_store():
    import fsspec

    store = "memory://locked.zarr"
    ds = dataset(0, 4, 0)
    mks.create_ensemble(store, ds, overwrite=True)
    fsspec.filesystem("memory").pipe_file("/locked.zarr.writer-lock", b"process 1 on mars")
    with pytest.raises(mks.DataError, match="process 1 on mars.*break_lock"):
        mks.append_samples(store, dataset(4, 6, 0))
    assert fsspec.filesystem("memory").exists("/locked.zarr.writer-lock")
    mks.resume_ensemble(store, ds, break_lock=True)
    mks.append_samples(store, dataset(4, 6, 0))
    assert mks.open_ensemble(store).sizes["sample"] == 6


def test_of_many_writers_on_an_object_store_one_wins():
    import concurrent.futures

    store = "memory://raced.zarr"
    mks.create_ensemble(store, dataset(0, 4, 0))

    def append(first):
        try:
            mks.append_samples(store, dataset(first, first + 2, 0))
        except mks.DataError:
            return 0
        return 2

    with warnings.catch_warnings():
        # A writer that is through opens the store while the next one may be writing already.
        warnings.simplefilter("ignore", mks.IncompleteEnsembleWarning)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            added = sum(pool.map(append, [10, 20, 30, 40]))
    ds = mks.open_ensemble(store)
    assert added >= 2
    assert ds.sizes["sample"] == 4 + added
    assert mks.validate_ensemble(store) == []


def test_columns_are_checked_too(tmp_path):
    store = tmp_path / "e.zarr"
    ds = dataset(0, 24, 0).assign(modulus=("sample", np.arange(24.0)), a=("sample", np.arange(24)))
    mks.create_ensemble(store, ds)
    column = store / "modulus" / "c" / "0"
    good = column.read_bytes()
    column.write_bytes(good[:-5] + b"wrong")
    (store / "a" / "c" / "0").unlink()
    (store / "field" / "c" / "2" / "0" / "0").unlink()
    (store / "phase" / "c" / "1" / "0" / "0").write_bytes(b"")
    said = "\n".join(mks.validate_ensemble(store))
    assert "'modulus': samples 0-23 are corrupt" in said
    assert "'a': samples 0-23 are missing" in said
    assert "'field': samples 4-5 are missing" in said
    assert "'phase': samples 2-3 are corrupt" in said
    with pytest.raises(
        mks.DataError, match=r"'(modulus|a)', samples 0 to 23, .* (corrupt|missing)"
    ):
        mks.open_ensemble(store)
    (store / "field" / "zarr.json").write_text("{")
    assert any(
        "'field' of" in v and "no readable metadata" in v for v in mks.validate_ensemble(store)
    )


def test_a_missing_block_of_a_complete_store_is_not_read_as_data(tmp_path):
    store = tmp_path / "e.zarr"
    mks.create_ensemble(store, dataset(0, 24, 0))
    (store / "field" / "c" / "2" / "0" / "0").unlink()
    (store / "field" / "c" / ".DS_Store").write_text("a stray file")
    ds = mks.open_ensemble(store)
    assert ds.field[:4].compute().notnull().all()
    with pytest.raises(mks.DataError, match="'field', samples 4 to 5, .* is missing"):
        ds.field.compute()


def test_a_reader_during_a_write_is_told_so(tmp_path):
    store = tmp_path / "e.zarr"
    mks.create_ensemble(store, dataset(0, 15, 0))
    process = start("append", store, "0.2")
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and '"append"' not in (store / "zarr.json").read_text():
            time.sleep(0.01)
        with pytest.warns(
            mks.IncompleteEnsembleWarning, match=f"being written by process {process.pid}"
        ):
            mks.open_ensemble(store)
        with pytest.raises(mks.DataError, match=f"being written by process {process.pid}"):
            mks.append_samples(store, dataset(50, 52, 0))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_killed_replacement_leaves_the_old_ensemble(tmp_path):
    store = tmp_path / "e.zarr"
    mks.create_ensemble(store, dataset(100, 110, 0))
    kill_when(start("overwrite", store, "0.03"), tmp_path / "e.zarr.incoming", "phase", 4)
    with pytest.warns(mks.IncompleteEnsembleWarning, match="shown is the ensemble before it"):
        seen = mks.open_ensemble(store)
    xr.testing.assert_equal(seen.compute(), dataset(100, 110, 0).compute())
    finished = mks.resume_ensemble(store, dataset(0, 24, 0))
    xr.testing.assert_identical(finished.compute(), dataset(0, 24, 0).compute())
    assert [p.name for p in tmp_path.iterdir()] == ["e.zarr"]


def test_a_full_disk_is_said_and_resumable(tmp_path, monkeypatch):
    store = tmp_path / "e.zarr"
    ds = dataset(0, 24, 0)
    plain_set = LocalStore.set
    written = []

    async def full(self, key, value):
        if "/c/" in key:
            written.append(key)
            if len(written) > 10:
                raise OSError(errno.ENOSPC, "No space left on device")
        await plain_set(self, key, value)

    monkeypatch.setattr(LocalStore, "set", full)
    with pytest.raises(OSError, match="no space left while writing .*resume_ensemble"):
        mks.create_ensemble(store, ds)
    monkeypatch.undo()
    with pytest.warns(mks.IncompleteEnsembleWarning):
        mks.open_ensemble(store)
    xr.testing.assert_identical(mks.resume_ensemble(store, ds).compute(), ds.compute())


def test_a_really_full_disk(tmp_path):
    """The same on a file system of 2 MB, where mounting one is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a small file system here")
    try:
        noise = np.random.default_rng(0).normal(size=(40, 100, 100))
        ds = xr.Dataset({"field": (("sample", "x", "y"), noise)})
        small = ds.isel(sample=slice(10))
        mks.create_ensemble(disk / "e.zarr", small, chunks={"sample": 2})
        with pytest.raises(OSError, match="no space left"):
            mks.append_samples(disk / "e.zarr", ds.isel(sample=slice(10, None)))
        with pytest.warns(mks.IncompleteEnsembleWarning):
            kept = mks.open_ensemble(disk / "e.zarr")
        np.testing.assert_array_equal(kept.field, noise[:10])
        mks.discard_unfinished(disk / "e.zarr")
        assert mks.validate_ensemble(disk / "e.zarr") == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_read_only_place_is_refused(tmp_path):
    place = tmp_path / "ro"
    place.mkdir()
    if os.geteuid() != 0:
        place.chmod(0o500)
    elif subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)]).returncode:
        pytest.skip("root may write everywhere and cannot mount here")
    try:
        with pytest.raises(PermissionError, match="cannot write to"):
            mks.create_ensemble(place / "e.zarr", dataset(0, 4, 0))
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(place)], check=True)
