"""``mksdask ingest`` and ``mksdask export``: what a user types, sees, and gets as exit code."""

from __future__ import annotations

import numpy as np
import pytest

import mksdask as mks
from mksdask.cli import main

RNG = np.random.default_rng(0)


@pytest.fixture
def scans(tmp_path):
    grey = RNG.random((4, 8, 9, 10))
    for i, values in enumerate(grey):
        np.save(tmp_path / f"s{i}.npy", values)
    (tmp_path / "p.csv").write_text("file,yield\n" + "\n".join(f"s{i}.npy,{i}.5" for i in range(4)))
    return tmp_path, grey


def test_ingest_and_export(scans, capsys):
    folder, grey = scans
    store, out = str(folder / "steel.zarr"), str(folder / "first.npy")
    code = main(
        f"ingest {folder}/*.npy {store} --threshold 0.3,0.6 --remap 2:5 --dtype int16 "
        "--crop x=2:8 --crop z=:6 --stride 2 --voxel-size 0.5 --unit um --phase-names a,b "
        f"--periodic all --properties {folder}/p.csv --memory 1GiB".split()
    )
    assert code == 0
    assert capsys.readouterr().out == f"{store}: 4 samples of 3 x 5 x 3: phase, yield\n"
    ds = mks.open_ensemble(store)
    kept = grey[:, 2:8:2, ::2, :6:2]
    wanted = np.select([kept > 0.6, kept > 0.3], [5, 1], 0)
    assert np.array_equal(ds.phase.values, wanted)
    assert ds.attrs["voxel_size"] == [0.5] * 3
    assert ds.attrs["periodic"] == ["x", "y", "z"]
    assert ds["yield"].values.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert main(["export", store, out, "--sample", "s1", "--variable", "phase"]) == 0
    assert np.array_equal(np.load(out), wanted[1])


def test_skipped_files_are_said(scans, capsys):
    folder, _ = scans
    (folder / "s2.npy").write_bytes(b"not an image")
    store = str(folder / "o.zarr")
    args = ["ingest", f"{folder}/*.npy", store, "--threshold", "otsu"]
    assert main(args) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "s2.npy" in said
    assert "--skip-bad" in said
    assert "Traceback" not in said
    assert main([*args, "--skip-bad"]) == 0
    assert "skipped 1 files:" in capsys.readouterr().out


def test_raw_and_several_variables(tmp_path):
    h5py = pytest.importorskip("h5py")
    labels = RNG.integers(0, 3, (4, 5, 6)).astype("uint8")
    (tmp_path / "a.raw").write_bytes(b"12" + labels.tobytes("F"))
    store = str(tmp_path / "raw.zarr")
    args = ["--raw-shape", "4,5,6", "--raw-order", "F", "--raw-offset", "2"]
    assert main(["ingest", str(tmp_path / "a.raw"), store, *args]) == 0
    assert np.array_equal(mks.open_ensemble(store).phase[0].values, labels)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["m/labels"], file["m/t"] = labels[None], labels[None] * 0.5
    store = str(tmp_path / "h5.zarr")
    args = ["--dataset", "phase=/m/labels", "--dataset", "t=/m/t", "--samples", "first axis"]
    assert main(["ingest", str(tmp_path / "a.h5"), store, *args]) == 0
    ds = mks.open_ensemble(store)
    assert np.array_equal(ds.t[0].values, labels * 0.5)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["nothing*.npy", "o.zarr"], 2),
        (["{folder}/*.npy", "{folder}/o.zarr", "--stride", "0"], 2),
        (["{folder}/*.npy", "{folder}/o.zarr", "--overwrite", "--resume"], 2),
        (["{folder}/*.npy", "{folder}/o.zarr", "--dataset", "a", "--dataset", "b"], 2),
        (["{folder}/*.npy", "{folder}/p.csv/o.zarr", "--threshold", "0.5"], 2),
        (["{folder}/*.npy", "{folder}/o.zarr"], 1),
        (["{folder}/*", "{folder}/o.zarr", "--threshold", "0.5"], 1),
    ],
)
def test_exit_codes(scans, capsys, args, code):
    folder, _ = scans
    assert main(["ingest", *[a.format(folder=folder) for a in args]]) == code
    said = capsys.readouterr().err
    assert said.startswith("mksdask ingest: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "bad",
    [
        ["--remap", "1"],
        ["--remap", "0:1,0:2"],
        ["--threshold", "high"],
        ["--raw-shape", "4;4"],
        ["--crop", "x"],
        ["--crop", "x=1:b"],
        ["--voxel-size", "0.5um"],
        ["--phase-names", "a,,b"],
        ["--stride", "2.5"],
    ],
)
def test_unreadable_options(scans, capsys, bad):
    folder, _ = scans
    with pytest.raises(SystemExit) as stopped:
        main(["ingest", f"{folder}/*.npy", str(folder / "o.zarr"), *bad])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert f"argument {bad[0]}: found {bad[1]!r}; wanted " in said
    assert "such as " in said
    assert said.count("\n") == 1


def test_existing_store_and_resume(scans):
    folder, _ = scans
    args = ["ingest", f"{folder}/*.npy", str(folder / "o.zarr"), "--threshold", "0.5", "--quiet"]
    assert [main(args), main(args), main([*args, "--resume"])] == [0, 2, 0]
    assert main([*args, "--overwrite"]) == 0


def test_export_errors(scans, capsys):
    folder, _ = scans
    assert main(["export", str(folder / "none.zarr"), str(folder / "a.npy")]) == 2
    assert "no ensemble" in capsys.readouterr().err


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["ingest", "--help"])
    assert stopped.value.code == 0
    assert "mksdask ingest 'rve/*.dream3d' grains.zarr" in capsys.readouterr().out
