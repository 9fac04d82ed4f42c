"""Ingest: what is stored, what is refused before anything is written, what is skipped."""

from __future__ import annotations

import os
import pickle

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mksdask as mks
from mksdask.ensemble import foreign
from mksdask.ensemble.convert import Conversion, conversion, otsu
from mksdask.ensemble.files import find_files
from mksdask.ensemble.ingest import ingest
from mksdask.errors import DataError

RNG = np.random.default_rng(0)


@pytest.fixture
def scans(tmp_path):
    """Twelve volumes of 4 x 5 x 6 labels, s1 to s12, in a folder."""
    folder = tmp_path / "scans"
    folder.mkdir()
    values = RNG.integers(0, 3, (12, 4, 5, 6)).astype("uint8")
    for i, v in enumerate(values):
        np.save(folder / f"s{i + 1}.npy", v)
    return folder, values


# --- what is stored ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["folder", "glob", "list", "one file"])
def test_patterns_in_natural_order(scans, tmp_path, how):
    folder, values = scans
    pattern = {
        "folder": folder,
        "glob": f"{folder}/s*.npy",
        "list": [folder / f"s{i + 1}.npy" for i in range(12)],
        "one file": folder / "s1.npy",
    }[how]
    ds = ingest(pattern, tmp_path / "out.zarr", progress=False)
    n = 1 if how == "one file" else 12
    assert list(ds.sample.values) == [f"s{i + 1}" for i in range(n)]
    assert np.array_equal(ds.phase.values, values[:n])
    assert mks.validate_ensemble(tmp_path / "out.zarr") == []


def test_attributes_say_where_it_came_from(scans, tmp_path):
    folder, _ = scans
    ds = ingest(
        folder,
        tmp_path / "out.zarr",
        voxel_size=0.5,
        voxel_unit="um",
        phase_names=["matrix", "fibre", "void"],
        periodic=["x", "y"],
        crop={"x": (0, 4)},
    )
    assert ds.attrs["voxel_size"] == [0.5, 0.5, 0.5]
    assert ds.attrs["voxel_unit"] == "um"
    assert ds.attrs["phase_names"] == ["matrix", "fibre", "void"]
    assert ds.attrs["periodic"] == ["x", "y"]
    provenance = ds.attrs["provenance"]
    assert provenance["version"] == mks.__version__
    assert provenance["parameters"]["crop"] == {"x": [0, 4]}
    assert provenance["source"]["folder"] == str(folder)
    assert provenance["source"]["names"][:2] == ["s1.npy", "s2.npy"]
    assert provenance["skipped"] == []


def test_many_samples_in_one_file(tmp_path):
    values = RNG.integers(0, 3, (9, 4, 5)).astype("uint8")
    np.save(tmp_path / "a.npy", values)
    ds = ingest(tmp_path / "a.npy", tmp_path / "out.zarr", samples="first axis")
    assert ds.sample.values.tolist() == list(range(9))
    assert np.array_equal(ds.phase.values, values)


def test_many_samples_in_each_of_several_files(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    values = RNG.integers(0, 3, (16, 4, 5)).astype("uint8")
    for name, part in (("a", values[:11]), ("b", values[11:])):
        tifffile.imwrite(tmp_path / f"{name}.tif", part.swapaxes(1, 2), photometric="minisblack")
        np.savez_compressed(tmp_path / f"{name}.npz", part)
    for suffix in ("tif", "npz"):
        ds = ingest(
            f"{tmp_path}/*.{suffix}",
            tmp_path / f"{suffix}.zarr",
            samples="first axis",
            memory="1 MiB",
        )
        assert ds.sample.values[[0, 10, 11]].tolist() == ["a/00", "a/10", "b/00"]
        assert np.array_equal(ds.phase.values, values)


@pytest.mark.parametrize("memory", ["1 MiB", "64 MiB"])
def test_volumes_larger_than_memory_are_read_in_parts(tmp_path, memory):
    values = RNG.integers(0, 3, (40, 50, 60)).astype("uint8")
    np.save(tmp_path / "a.npy", values)
    ds = ingest(
        tmp_path / "a.npy",
        tmp_path / "out.zarr",
        crop={"y": (3, 49)},
        stride={"z": 2},
        memory=memory,
    )
    assert (ds.phase.data.npartitions > 1) == (memory == "1 MiB")
    assert np.array_equal(ds.phase[0].values, values[:, 3:49, ::2])


def test_few_tasks_a_chunk(tmp_path):
    values = RNG.integers(0, 3, (12, 16, 16, 16)).astype("uint8")
    for i, v in enumerate(values):
        np.save(tmp_path / f"s{i}.npy", v)
    files = foreign.ForeignFiles(
        paths=find_files(tmp_path),
        names=[f"s{i}" for i in range(12)],
        format="npy",
        many=False,
        crop={},
        stride=1,
        memory="1 MiB",
        skip_bad=False,
        progress=False,
    )
    files.add("phase", foreign.Options(), None, Conversion())
    phase = files.dataset().phase
    chunks = phase.data.npartitions
    assert chunks == 12
    assert len(phase.data.dask) <= 3 * chunks + 3
    sent = pickle.loads(pickle.dumps(phase.data))  # noqa: S301 - what a cluster does
    assert np.array_equal(sent[:1].compute(), values[:1])
    assert np.array_equal(phase[3:5].compute(scheduler="synchronous").values, values[3:5])


def test_same_store_whatever_the_scheduler(scans, tmp_path):
    folder, _ = scans
    stores = {}
    for scheduler in ("synchronous", "threads"):
        with dask.config.set(scheduler=scheduler):
            stores[scheduler] = ingest(folder, tmp_path / f"{scheduler}.zarr", memory="1 MiB")
    xr.testing.assert_identical(
        stores["threads"].load().drop_attrs(), stores["synchronous"].load().drop_attrs()
    )


def test_threshold_remap_cast(tmp_path):
    grey = RNG.random((3, 8, 8))
    for i, v in enumerate(grey):
        np.save(tmp_path / f"s{i}.npy", v)
    ds = ingest(
        tmp_path, tmp_path / "o.zarr", threshold=[0.3, 0.6], remap={2: 0, 0: 7}, dtype="int16"
    )
    wanted = np.select([grey > 0.6, grey > 0.3], [0, 1], 7)
    assert ds.phase.dtype == np.int16
    assert np.array_equal(ds.phase.values, wanted)


def test_otsu_has_its_own_threshold_for_each_sample(tmp_path):
    wanted = RNG.random((2, 30, 30)) > 0.6
    for i in range(2):
        grey = np.where(wanted[i], 150, 60) + RNG.normal(0, 8, (30, 30)) + 40 * i
        np.save(tmp_path / f"s{i}.npy", grey.round().astype("uint8"))
    ds = ingest(tmp_path, tmp_path / "o.zarr", threshold="otsu")
    assert np.array_equal(ds.phase.values, wanted)


def test_float_fields_are_kept(tmp_path):
    values = RNG.random((5, 6)).astype("float32")
    np.save(tmp_path / "a.npy", values)
    ds = ingest(tmp_path / "a.npy", tmp_path / "o.zarr", variable="temperature")
    assert np.array_equal(ds.temperature[0].values, values)
    assert ds.temperature.dtype == np.float32


def test_whole_numbers_stored_as_floats_are_cast_when_asked(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0.0, 1.0], [2.0, 1.0]]))
    ds = ingest(tmp_path / "a.npy", tmp_path / "o.zarr", dtype="uint8")
    assert ds.phase[0].values.tolist() == [[0, 1], [2, 1]]
    np.save(tmp_path / "b.npy", np.array([[0.0, 1.5], [2.0, 1.0]]))
    with pytest.raises(DataError, match=r"b\.npy has values such as 1\.5.*threshold="):
        ingest(tmp_path / "b.npy", tmp_path / "p.zarr", dtype="uint8", progress=False)


def test_booleans_become_labels(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(3, dtype=bool))
    ds = ingest(tmp_path / "a.npy", tmp_path / "o.zarr")
    assert ds.phase.dtype == np.uint8
    assert np.array_equal(ds.phase[0].values, np.eye(3))


def test_samples_of_the_same_name_by_path(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "1.npy", np.eye(3, dtype="uint8"))
    with pytest.raises(
        DataError, match=r"duplicate sample name '1'.*a/1\.npy.*b/1\.npy.*names='path'"
    ):
        ingest(f"{tmp_path}/*/1.npy", tmp_path / "o.zarr")
    ds = ingest(f"{tmp_path}/*/1.npy", tmp_path / "o.zarr", names="path")
    assert ds.sample.values.tolist() == ["a/1", "b/1"]


# --- properties -------------------------------------------------------------------------------


def test_properties_are_joined_by_file_name(scans, tmp_path):
    folder, _ = scans
    order = RNG.permutation(12)
    rows = [f"{folder.name}/s{i + 1}.npy, {i * 1.5}, {i}, steel {i}" for i in order]
    (tmp_path / "p.csv").write_text("file, stiffness, batch, alloy\n" + "\n".join(rows))
    ds = ingest(folder, tmp_path / "o.zarr", properties=tmp_path / "p.csv")
    assert ds.stiffness.values.tolist() == [i * 1.5 for i in range(12)]
    assert ds.batch.dtype.kind == "i"
    assert ds.batch.values.tolist() == list(range(12))
    assert ds.alloy.values.tolist() == [f"steel {i}" for i in range(12)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (range(1, 11), r"no row for 2 of 12 samples \(s11, s12\)"),
        (range(1, 15), r"2 rows for samples that are not there \(s13, s14\)"),
        (range(3, 15), r"no row for 2 of 12 samples \(s1, s2\) and 2 rows for .* \(s13, s14\)"),
        ([*range(1, 13), 3], "two rows for sample 's3'"),
    ],
)
def test_csv_with_missing_or_extra_rows(scans, tmp_path, rows, said):
    folder, _ = scans
    (tmp_path / "p.csv").write_text("name,v\n" + "\n".join(f"s{i},1" for i in rows))
    with pytest.raises(DataError, match=said):
        ingest(folder, tmp_path / "o.zarr", properties=tmp_path / "p.csv")
    assert not (tmp_path / "o.zarr").exists()


def test_csv_columns_do_not_replace_variables(scans, tmp_path):
    folder, _ = scans
    (tmp_path / "p.csv").write_text("name,phase\n" + "\n".join(f"s{i},1" for i in range(1, 13)))
    with pytest.raises(DataError, match="column 'phase', a name the ensemble uses"):
        ingest(folder, tmp_path / "o.zarr", properties=tmp_path / "p.csv")


def test_csv_with_bad_cells(scans, tmp_path):
    folder, _ = scans
    cells = ["1.5"] * 12
    cells[4] = "2,5"
    lines = [f's{i + 1},"{c}"' for i, c in enumerate(cells)]
    (tmp_path / "p.csv").write_text("name,v\n" + "\n".join(lines))
    with pytest.raises(DataError, match=r"row 6 has '2,5' in column 'v'"):
        ingest(folder, tmp_path / "o.zarr", properties=tmp_path / "p.csv")
    (tmp_path / "p.csv").write_text("name,v\n" + "\n".join(f"s{i + 1}," for i in range(12)))
    ds = ingest(folder, tmp_path / "o.zarr", properties=tmp_path / "p.csv")
    assert np.isnan(ds.v.values).all()
    with pytest.raises(FileNotFoundError, match=r"properties: no file"):
        ingest(folder, tmp_path / "q.zarr", properties=tmp_path / "nothing.csv")


# --- bad files --------------------------------------------------------------------------------


def spoil(folder, kind):
    """Make the sixth and seventh file bad in one way; says how it is called."""
    path, good = folder / "s6.npy", np.load(folder / "s6.npy")
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-7])
        return r"s6\.npy truncated"
    if kind == "not an image":
        path.write_bytes(b"<html>404</html>")
        return r"s6\.npy"
    if kind == "shape":
        np.save(path, good[:3])
        return r"mixed shape: \(4, 5, 6\) in 11 files, \(3, 5, 6\) in 1 .*s6\.npy"
    if kind == "axes":
        np.save(path, good[0])
        return r"mixed number of axes: 3 in 11 files, 2 in 1 .*s6\.npy"
    if kind == "dtype":
        np.save(path, good.astype("int16"))
        return r"mixed dtype: uint8 in 11 files, int16 in 1 .*s6\.npy.*dtype="
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["truncated", "not an image", "shape", "axes", "dtype"])
def test_bad_headers_are_named_before_anything_is_written(scans, tmp_path, kind):
    folder, values = scans
    said = spoil(folder, kind)
    with pytest.raises(DataError, match=said):
        ingest(folder, tmp_path / "o.zarr")
    assert not (tmp_path / "o.zarr").exists()
    ds = ingest(folder, tmp_path / "o.zarr", skip_bad=True)
    assert np.array_equal(ds.phase.values, np.delete(values, 5, 0))
    (skipped,) = ds.attrs["provenance"]["skipped"]
    assert skipped["file"].endswith("s6.npy")
    assert skipped["reason"]
    stored = mks.open_ensemble(tmp_path / "o.zarr")
    assert stored.attrs["provenance"]["skipped"] == [skipped]
    assert "s6" not in stored.sample.values


def test_a_file_bad_in_one_of_two_variables_is_left_out_of_both(tmp_path):
    values = RNG.integers(0, 3, (5, 4, 5)).astype("int16")
    for i, v in enumerate(values):
        labels, heat = v.copy(), v * 0.5
        if i == 1:
            labels[0, 0] = -1
        if i == 3:
            heat = heat[:2]
        np.savez(tmp_path / f"s{i}.npz", labels=labels, heat=heat)
    (tmp_path / "p.csv").write_text("name,v\n" + "\n".join(f"s{i},{i}" for i in range(5)))
    ds = ingest(
        f"{tmp_path}/*.npz",
        tmp_path / "o.zarr",
        dataset={"phase": "labels", "heat": "heat"},
        properties=tmp_path / "p.csv",
        skip_bad=True,
    )
    assert ds.sample.values.tolist() == ["s0", "s2", "s4"]
    assert ds.v.values.tolist() == [0, 2, 4]
    assert np.array_equal(ds.phase.values, values[::2])
    assert np.array_equal(ds.heat.values, values[::2] * 0.5)


def test_many_bad_files_are_counted(scans, tmp_path):
    folder, _ = scans
    for i in range(1, 8):
        (folder / f"s{i}.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"7 of 12 files cannot be used: .*s1\.npy.*and 4 more"):
        ingest(folder, tmp_path / "o.zarr")
    for i in range(8, 13):
        (folder / f"s{i}.npy").write_bytes(b"")
    with pytest.raises(DataError, match="12 of 12 files"):
        ingest(folder, tmp_path / "o.zarr", skip_bad=True)


def test_mixed_dtypes_are_cast_when_asked(scans, tmp_path):
    folder, values = scans
    spoil(folder, "dtype")
    ds = ingest(folder, tmp_path / "o.zarr", dtype="uint8")
    assert np.array_equal(ds.phase.values, values)


def bad_values(kind):
    values = RNG.integers(0, 3, (4, 5, 6)).astype("float64")
    if kind == "NaN":
        values[1, 2, 3] = np.nan
    elif kind == "negative":
        values[1, 2, 3] = -1
    elif kind == "too large":
        values[1, 2, 3] = 256
    return values


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("NaN", r"s6\.npy has 1 NaN voxels.*--skip-bad"),
        ("negative", r"s6\.npy has the negative label -1.*--skip-bad"),
        ("too large", r"s6\.npy has values from 0 to 256, which do not fit in uint8"),
    ],
)
def test_bad_labels_are_named_or_skipped(scans, tmp_path, kind, said):
    folder, values = scans
    for i, v in enumerate(values):
        np.save(folder / f"s{i + 1}.npy", v.astype("float64"))
    np.save(folder / "s6.npy", bad_values(kind))
    with pytest.raises(DataError, match=said):
        ingest(folder, tmp_path / "o.zarr", dtype="uint8")
    ds = ingest(folder, tmp_path / "o.zarr", dtype="uint8", skip_bad=True, overwrite=True)
    assert np.array_equal(ds.phase.values, np.delete(values, 5, 0))
    assert "s6.npy" in ds.attrs["provenance"]["skipped"][0]["file"]


def test_negative_integers_are_refused_and_can_be_remapped(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0, -1], [1, 2]]))
    with pytest.raises(DataError, match=r"a\.npy has the negative label -1"):
        ingest(tmp_path / "a.npy", tmp_path / "o.zarr")
    ds = ingest(tmp_path / "a.npy", tmp_path / "p.zarr", remap={-1: 3}, dtype="uint8")
    assert ds.phase[0].values.tolist() == [[0, 3], [1, 2]]


def test_floats_where_labels_are_expected(tmp_path):
    np.save(tmp_path / "a.npy", RNG.random((4, 4)))
    with pytest.raises(
        DataError, match=r"a\.npy has values of type float64, where labels .* threshold="
    ):
        ingest(tmp_path / "a.npy", tmp_path / "o.zarr")
    assert not (tmp_path / "o.zarr").exists()


def test_nan_in_a_greyscale_image_is_no_label(tmp_path):
    grey = RNG.random((4, 4))
    grey[0, 0] = np.nan
    np.save(tmp_path / "a.npy", grey)
    for threshold in ("otsu", 0.5):
        with pytest.raises(DataError, match=r"a\.npy has 1 NaN voxels"):
            ingest(tmp_path / "a.npy", tmp_path / "o.zarr", threshold=threshold, overwrite=True)


def test_otsu_of_a_blank_image(tmp_path):
    np.save(tmp_path / "a.npy", np.full((4, 4), 7))
    with pytest.raises(DataError, match=r"a\.npy is 7 everywhere, where Otsu finds no threshold"):
        ingest(tmp_path / "a.npy", tmp_path / "o.zarr", threshold="otsu")


def test_content_that_cannot_be_decoded_is_named_and_skipped(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    pages = RNG.integers(0, 3, (6, 16, 16)).astype("uint8")
    for i in range(5):
        tifffile.imwrite(tmp_path / f"s{i}.tif", pages, compression="zlib")
    path = tmp_path / "s2.tif"
    with tifffile.TiffFile(path) as tif:
        offset, count = tif.pages[3].dataoffsets[0], tif.pages[3].databytecounts[0]
    content = bytearray(path.read_bytes())
    content[offset : offset + count] = b"\x55" * count
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"s2\.tif .*skip_bad"):
        ingest(f"{tmp_path}/*.tif", tmp_path / "o.zarr")
    ds = ingest(f"{tmp_path}/*.tif", tmp_path / "p.zarr", skip_bad=True)
    assert ds.sample.values.tolist() == ["s0", "s1", "s3", "s4"]
    assert "s2.tif" in ds.attrs["provenance"]["skipped"][0]["file"]


def test_files_that_change_while_they_are_read(scans):
    folder, _ = scans
    files = foreign.ForeignFiles(
        paths=find_files(folder),
        names=[f"s{i}" for i in range(12)],
        format="npy",
        many=False,
        crop={},
        stride=1,
        memory=None,
        skip_bad=False,
        progress=False,
    )
    files.add("phase", foreign.Options(), None, Conversion())
    np.save(folder / "s3.npy", np.zeros((4, 5, 5), "uint8"))
    with pytest.raises(DataError, match=r"s3\.npy gave .*changed since it was checked"):
        files.dataset().phase.compute()


# --- wrong calls ------------------------------------------------------------------------------


def test_empty_glob(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file matches .*nothing\*\.tif.*quote it"):
        ingest(f"{tmp_path}/nothing*.tif", tmp_path / "o.zarr")
    with pytest.raises(FileNotFoundError, match="no file matches"):
        ingest(tmp_path, tmp_path / "o.zarr")
    (tmp_path / "s1").mkdir()
    with pytest.raises(FileNotFoundError, match="matches folders only.*samples='folders'"):
        ingest(f"{tmp_path}/s*", tmp_path / "o.zarr")


def test_files_of_several_formats(scans, tmp_path):
    folder, _ = scans
    (folder / "s13.tif").write_bytes(b"")
    with pytest.raises(DataError, match=r"several formats: 12 npy .*1 tiff \(s13\.tif\)"):
        ingest(folder, tmp_path / "o.zarr")


def test_existing_store_is_refused_before_any_file_is_opened(scans, tmp_path, monkeypatch):
    folder, _ = scans
    ingest(folder, tmp_path / "o.zarr")
    monkeypatch.setattr(
        "mksdask.ensemble.formats.probe", lambda *a, **k: pytest.fail("opened a file")
    )
    with pytest.raises(FileExistsError, match=r"o\.zarr exists.*overwrite=True"):
        ingest(folder, tmp_path / "o.zarr")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="not an mksdask ensemble"):
        ingest(folder, tmp_path / "other", overwrite=True)
    assert (tmp_path / "other" / "thesis.tex").exists()


def test_overwrite(scans, tmp_path):
    folder, values = scans
    ingest(folder, tmp_path / "o.zarr")
    ds = ingest(folder / "s2.npy", tmp_path / "o.zarr", overwrite=True)
    assert np.array_equal(ds.phase.values, values[1:2])


def test_read_only_path(scans, tmp_path, monkeypatch):
    folder, _ = scans
    with pytest.raises(NotADirectoryError, match=r"s1\.npy is a file"):
        ingest(folder, folder / "s1.npy" / "o.zarr")
    (tmp_path / "locked").mkdir()
    # Root may write everywhere, so the answer of the system is what we replace.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="locked is read-only"):
        ingest(folder, tmp_path / "locked" / "o.zarr")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"samples": "all"}, "samples is 'all'"),
        ({"crop": {"w": (0, 1)}}, "crop or stride name"),
        ({"crop": {"x": (2, 2)}}, "crop of x"),
        ({"crop": {"x": (0, 99)}}, "within 0 to 4"),
        ({"stride": 0}, "stride is 0"),
        ({"stride": {"x": 1.5}}, "stride is"),
        ({"threshold": "li"}, "threshold is 'li'"),
        ({"threshold": [2, 1]}, "wanted increasing"),
        ({"threshold": []}, "1 to 255"),
        ({"dtype": "float32"}, "wanted an integer type"),
        ({"remap": {0: -2}}, "remap gives negative labels"),
        ({"names": "stem"}, "names is 'stem'"),
        ({"axes": "xyw"}, "axes is 'xyw'"),
        ({"axes": "xy"}, "files have shape"),
        ({"axes": "sxyz"}, "goes with samples='first axis'"),
        ({"format": "dcm"}, "format is 'dcm'"),
        ({"overwrite": True, "resume": True}, "contradict"),
        ({"variable": "x"}, "name of a dimension"),
        ({"dataset": {"a": "a"}, "variable": "b"}, "not both"),
        ({"dataset": {"a": "a", "b": "b"}, "dtype": "uint8"}, "dtype would apply to 'phase'"),
        ({"memory": "much"}, "memory is 'much'"),
        ({"channel": 0}, r"channel= is for the formats \['tiff', 'image', 'folder'\]"),
        ({"format": "npy", "raw": {"shape": (4,), "dtype": "u1"}}, r"raw= is for .*files are npy"),
        ({"samples": "folders", "format": "npy"}, "folders of images; format is 'npy'"),
    ],
)
def test_wrong_calls(scans, tmp_path, options, said):
    folder, _ = scans
    with pytest.raises(ValueError, match=said) as caught:
        ingest(folder, tmp_path / "o.zarr", **options)
    assert not isinstance(caught.value, DataError)
    assert not (tmp_path / "o.zarr").exists()


def test_a_file_named_twice(scans, tmp_path):
    folder, _ = scans
    with pytest.raises(ValueError, match="named more than once"):
        ingest([folder, folder / "s1.npy"], tmp_path / "o.zarr")


def test_too_many_axes_for_one_sample(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 4, 5), "uint8"))
    with pytest.raises(ValueError, match="samples='first axis'"):
        ingest(tmp_path / "a.npy", tmp_path / "o.zarr")


# --- resume -----------------------------------------------------------------------------------


def test_resume_finishes_what_a_fault_interrupted(scans, tmp_path):
    folder, values = scans
    path = folder / "s12.npy"
    content = path.read_bytes()
    np.save(path, values[11].astype("int8") - 3)
    with dask.config.set(scheduler="synchronous"), pytest.raises(DataError, match="negative"):
        ingest(folder, tmp_path / "o.zarr", dtype="uint8")
    path.write_bytes(content)
    ds = ingest(folder, tmp_path / "o.zarr", dtype="uint8", resume=True)
    assert np.array_equal(ds.phase.values, values)
    assert mks.validate_ensemble(tmp_path / "o.zarr") == []
    again = ingest(folder, tmp_path / "o.zarr", dtype="uint8", resume=True)
    assert np.array_equal(again.phase.values, values)
    fresh = ingest(folder, tmp_path / "new.zarr", resume=True)
    assert np.array_equal(fresh.phase.values, values)


# --- kernels ----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.uint8, st.integers(2, 40), elements=st.integers(0, 255)))
def test_otsu_is_the_best_of_all_thresholds(values):
    """Against the definition: try every threshold."""

    def between(t):
        low, high = values[values <= t].astype(float), values[values > t].astype(float)
        if not len(low) or not len(high):
            return -1.0
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2

    if values.min() == values.max():
        with pytest.raises(ValueError, match="everywhere"):
            otsu(values)
        return
    best = max(between(t) for t in range(256))
    assert between(otsu(values)) == pytest.approx(best)


def test_otsu_of_floats_separates_two_heaps():
    values = np.concatenate([RNG.normal(-3, 0.5, 500), RNG.normal(4, 0.5, 300)]).astype("float32")
    assert (values > otsu(values)).sum() == 300


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.int16, st.integers(1, 30), elements=st.integers(0, 6)),
    st.dictionaries(st.integers(0, 6), st.integers(0, 300), min_size=1),
)
def test_remap_is_a_lookup(values, mapping):
    change = conversion(labels=True, remap=mapping)
    assert change(values, "here").tolist() == [mapping.get(v, v) for v in values.tolist()]
    narrow = change(values.astype("uint8"), "here")
    assert narrow.tolist() == [mapping.get(v, v) for v in values.tolist()]
    assert narrow.dtype == change.result_dtype(np.dtype("uint8"))


def test_casts_never_wrap():
    change = conversion(labels=False, dtype="uint8")
    with pytest.raises(DataError, match="do not fit in uint8"):
        change(np.array([0, 256]), "here")
    with pytest.raises(DataError, match="do not fit in uint8"):
        change(np.array([-1, 3], dtype="int8"), "here")
    assert change(np.array([0, 255]), "here").dtype == np.uint8
