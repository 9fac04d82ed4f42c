"""A machine in trouble for a moment is not taken for data that are bad or not there."""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.ensemble import formats, location
from mksdask.ensemble.formats import npy
from mksdask.ensemble.ingest import ingest
from mksdask.ensemble.location import Location
from mksdask.errors import DataError


def cells(value, n=6):
    labels = xr.DataArray(np.full((n, 4, 4), value, "uint8"), dims=("sample", "x", "y"))
    return labels.to_dataset(name="phase")


@pytest.fixture
def store(tmp_path):
    mks.create_ensemble(tmp_path / "e.zarr", cells(1), chunks={"sample": 2})
    return tmp_path / "e.zarr"


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for i in range(12):
        np.save(folder / f"s{i}.npy", np.full((4, 5), i, "uint8"))
    return folder


def failing(function, error, times, about):
    """``function`` that raises ``error`` the first ``times`` times it is called on ``about``."""
    left = [times]

    def called(path, *args, **kwargs):
        if about in str(path) and left[0] > 0:
            left[0] -= 1
            raise error
        return function(path, *args, **kwargs)

    return called


def test_a_listing_that_fails_does_not_make_blocks_missing(store, monkeypatch):
    """Or resuming with other data would find nothing to compare them with, and write them."""
    stale = OSError(errno.ESTALE, "Stale file handle")
    for call in (
        lambda: mks.resume_ensemble(store, cells(0)),
        lambda: mks.validate_ensemble(store),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(location.os, "scandir", failing(os.scandir, stale, 99, "phase/c"))
            with pytest.raises(OSError, match="Stale"):
                call()
    with pytest.raises(DataError, match="differs"):
        mks.resume_ensemble(store, cells(0))
    assert np.all(mks.open_ensemble(store).phase == 1)


def test_what_cannot_be_told_is_not_absence(tmp_path):
    assert not Location(tmp_path / "none").holds()
    (tmp_path / "file").write_text("")
    assert not Location(tmp_path / "file").holds("below")
    with pytest.raises(OSError, match="too long"):
        Location(tmp_path / ("a" * 300)).exists()


@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE, errno.EMFILE])
def test_a_block_that_cannot_be_read_now_is_not_corrupt(store, monkeypatch, error):
    from zarr.storage import _local

    ds = mks.open_ensemble(store)
    with monkeypatch.context() as patched:
        fault = OSError(error, "not now")
        patched.setattr(_local, "_get", failing(_local._get, fault, 99, "phase/c/0"))
        with pytest.raises(OSError, match="not now"):
            ds.phase.compute()
        with pytest.raises(OSError, match="not now"):
            mks.validate_ensemble(store)
    assert mks.validate_ensemble(store) == []


@pytest.mark.parametrize("step", ["probe", "read"])
@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "too many"), MemoryError("no memory")])
def test_good_files_are_kept_by_skip_bad(scans, tmp_path, monkeypatch, step, error):
    monkeypatch.setattr(npy, step, failing(getattr(npy, step), error, 3, ".npy"))
    ds = ingest(scans, tmp_path / "o.zarr", variable="field", skip_bad=True)
    np.testing.assert_array_equal(ds.field[:, 0, 0], np.arange(12))


def test_faults_that_stay(scans, tmp_path, monkeypatch):
    """A server that is gone ends the call; a file larger than the memory is a bad one."""
    with monkeypatch.context() as patched:
        gone = OSError(errno.ESTALE, "Stale file handle")
        patched.setattr(npy, "read", failing(npy.read, gone, 99, "s3.npy"))
        with pytest.raises(OSError, match=r"s3\.npy cannot be read now \(.*Stale.*try again"):
            ingest(scans, tmp_path / "o.zarr", variable="field", skip_bad=True)
    assert not (tmp_path / "o.zarr").exists()
    for fault in (MemoryError("Unable to allocate 3 EiB"), OSError(errno.EIO, "a bad sector")):
        with monkeypatch.context() as patched:
            patched.setattr(npy, "read", failing(npy.read, fault, 99, "s3.npy"))
            with pytest.raises(type(fault), match=r"s3\.npy"):
                formats.read(str(scans / "s3.npy"))
            store = tmp_path / type(fault).__name__
            ds = ingest(scans, store, variable="field", skip_bad=True)
        (skipped,) = ds.attrs["provenance"]["skipped"]
        assert skipped["file"].endswith("s3.npy")
        assert str(fault.args[-1]) in skipped["reason"]


def test_numbers_of_samples_are_compared_within_rounding(tmp_path):
    """Also where they are one a sample, and the first is not a number."""
    age = np.array([np.nan, 1.0, 2.0, 3.0])

    def dataset(age):
        lazy = xr.DataArray(age, dims="sample").chunk(sample=2)
        return cells(1, 4).chunk(sample=2).assign(age=lazy)

    mks.create_ensemble(tmp_path / "e.zarr", dataset(age))
    mks.resume_ensemble(tmp_path / "e.zarr", dataset(age * (1 + 1e-13)))
    with pytest.raises(DataError, match="'age' of the dataset differs"):
        mks.resume_ensemble(tmp_path / "e.zarr", dataset(age + 1))


def test_a_header_while_other_code_is_parsing(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.eye(3))
    reader = np.lib.format.read_array_header_1_0
    depth = SystemError("AST constructor recursion depth mismatch")
    monkeypatch.setattr(npy.np.lib.format, "read_array_header_1_0", failing(reader, depth, 1, ""))
    assert formats.probe(str(tmp_path / "a.npy")).shape == (3, 3)


def test_an_append_into_a_block_that_is_gone(tmp_path):
    store = tmp_path / "e.zarr"
    mks.create_ensemble(store, cells(1, 3), chunks={"sample": 2})
    (store / "phase" / "c" / "1" / "0" / "0").unlink()
    with pytest.raises(DataError, match="sample.* 2 .* is missing"):
        mks.append_samples(store, cells(1, 1))
    with pytest.warns(mks.IncompleteEnsembleWarning):
        assert mks.open_ensemble(store).sizes["sample"] == 3
    assert any("samples 2 are missing" in said for said in mks.validate_ensemble(store))


def test_who_looks_for_a_writer_does_not_keep_one_out(tmp_path):
    place = Location(tmp_path / "e.zarr")
    stop = threading.Event()

    def look():
        while not stop.is_set():
            place.writer()

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(100):
            with place.lock():
                pass
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def test_reading_leaves_the_filters_of_warnings_alone(tmp_path):
    mks.create_ensemble(tmp_path / "e.zarr", cells(1, 200), chunks={"sample": 1})
    ds = mks.open_ensemble(tmp_path / "e.zarr")
    before = list(warnings.filters)
    with dask.config.set(scheduler="threads", num_workers=8):
        ds.phase.compute()
    assert list(warnings.filters) == before


def test_damaged_nrrd_files_in_many_threads(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 16)).astype("uint8")
    sitk.WriteImage(sitk.GetImageFromArray(noise), tmp_path / "good.nrrd", useCompression=True)
    whole = (tmp_path / "good.nrrd").read_bytes()
    (tmp_path / "bad.nrrd").write_bytes(whole[: len(whole) // 2])
    script = """
import sys
from concurrent.futures import ThreadPoolExecutor
from mksdask.ensemble import formats
from mksdask.errors import DataError

def read(path):
    try:
        formats.probe(path)
        return bool(formats.read(path).any())
    except DataError:
        return False

good, bad = sys.argv[1:]
with ThreadPoolExecutor(8) as pool:
    assert list(pool.map(read, [bad, bad, bad, good] * 300)) == [False, False, False, True] * 300
"""
    call = [sys.executable, "-c", script, tmp_path / "good.nrrd", tmp_path / "bad.nrrd"]
    root = Path(__file__).parents[2]
    done = subprocess.run(call, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr[-500:]


def test_a_damaged_compressed_mha_is_refused(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 16)).astype("uint8")
    path = tmp_path / "a.mha"
    sitk.WriteImage(sitk.GetImageFromArray(noise), path, useCompression=True)
    assert np.array_equal(formats.read(str(path)), noise)
    raw = path.read_bytes()
    path.write_bytes(raw[:-800] + bytes(800))
    with pytest.raises(DataError, match=r"a\.mha"):
        formats.read(str(path))


def test_a_gzipped_mha_is_read(tmp_path):
    pytest.importorskip("SimpleITK")
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 16)).astype("uint8")
    packed = gzip.compress(noise.tobytes())
    (tmp_path / "a.mha").write_bytes(
        b"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        b"CompressedData = True\nCompressedDataSize = %d\nDimSize = 16 16 16\n"
        b"ElementType = MET_UCHAR\nElementDataFile = LOCAL\n" % len(packed) + packed
    )
    assert np.array_equal(formats.read(str(tmp_path / "a.mha")), noise)


def test_an_export_to_a_full_disk_is_an_error(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a small file system here")
    try:
        field = xr.DataArray(np.ones((1, 1000, 1000)), dims=("sample", "x", "y"))
        mks.create_ensemble(tmp_path / "e.zarr", field.to_dataset(name="field"))
        with pytest.raises(OSError, match="No space left"):
            mks.export(mks.open_ensemble(tmp_path / "e.zarr"), disk / "all.npy", variable="field")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
