"""Exit codes and one-sentence errors."""

import warnings

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.cli import info, main
from tests.ensemble.test_store import make


@pytest.fixture
def store(tmp_path):
    mks.create_ensemble(tmp_path / "e.zarr", make().assign_attrs(provenance={"seed": 3}))
    return tmp_path / "e.zarr"


def test_info(store, capsys):
    assert main(["info", str(store)]) == 0
    said = capsys.readouterr().out
    for part in (
        "10 samples, x 6, y 5",
        "complete",
        "phase",
        "uint8",
        "chunks 3 x 6 x 5",
        "stored",
        '"seed": 3',
    ):
        assert part in said


def test_validate(store, capsys):
    assert main(["validate", str(store)]) == 0
    assert "is valid" in capsys.readouterr().out
    chunk = store / "phase" / "c" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    assert main(["validate", str(store)]) == 1
    assert "corrupt" in capsys.readouterr().out
    chunk.unlink()
    assert main(["validate", "--quick", str(store)]) == 1
    assert "missing" in capsys.readouterr().out


def test_errors_are_one_sentence(tmp_path, capsys):
    assert main(["info", str(tmp_path / "none.zarr")]) == 2
    said = capsys.readouterr().err
    assert said == f"mksdask info: no ensemble at {tmp_path / 'none.zarr'}\n"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").touch()
    assert main(["info", str(tmp_path / "folder")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(FileNotFoundError):
        main(["--debug", "info", str(tmp_path / "none.zarr")])


def test_wrong_calls_exit_with_2(capsys):
    for call in ([], ["nonsense"], ["info"], ["validate", "--loud", "x"]):
        with pytest.raises(SystemExit) as stop:
            main(call)
        assert stop.value.code == 2
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert mks.__version__ in capsys.readouterr().out


def _fails_late(block, block_info=None):
    if block_info[0]["chunk-location"][0] == 2:
        raise OSError("no space left")
    return block


@pytest.fixture
def incomplete(tmp_path):
    labels = np.random.default_rng(0).integers(0, 2, (8, 6, 5)).astype("uint8")
    broken = da.from_array(labels, chunks=(2, -1, -1)).map_blocks(_fails_late, dtype="uint8")
    path = tmp_path / "half.zarr"
    phase = xr.DataArray(broken, dims=("sample", "x", "y"), name="phase")
    with dask.config.set(scheduler="synchronous"), pytest.raises(OSError, match="no space"):
        mks.create_ensemble(path, phase.to_dataset(), progress=False)
    return path


@pytest.mark.parametrize(
    "line",
    [
        "export {store} {out}.npy --variable phase",
        "statistics {store} --states 2 --out {out} --quiet",
        "simulate conduction {store} --conductivity 1,2 --macro-gradient 1 --out {out} --quiet",
    ],
)
def test_results_of_an_incomplete_ensemble_say_so(incomplete, tmp_path, capsys, line):
    words = [w.format(store=incomplete, out=tmp_path / "out") for w in line.split()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as with PYTHONWARNINGS=ignore
        assert main(words) == 0
    said = capsys.readouterr().err
    assert said.startswith(f"mksdask {words[0]}: ")
    assert f"{incomplete} is incomplete" in said
    assert "of 8 samples are missing" in said
    assert said.count("\n") == 1


def test_warnings_are_a_line_each_and_once(store, capsys, monkeypatch):
    def run(args):
        for text in ("one\n  thing", "another", "one thing"):
            warnings.warn(text, mks.IncompleteEnsembleWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(info, "run", run)
    before = warnings.showwarning
    assert main(["info", str(store)]) == 0
    assert capsys.readouterr().err == "mksdask info: one thing\nmksdask info: another\n"
    assert warnings.showwarning is before


def test_an_unforeseen_error_is_a_sentence(store, capsys, monkeypatch):
    def run(args):
        raise KeyError("credentials")

    monkeypatch.setattr(info, "run", run)
    assert main(["info", str(store)]) == 2
    wanted = "mksdask info: KeyError: 'credentials' (--debug shows where)\n"
    assert capsys.readouterr().err == wanted
    for words in (["--debug", "info", str(store)], ["info", str(store), "--debug"]):
        with pytest.raises(KeyError):
            main(words)


def test_an_interrupt_says_how_to_go_on(store, capsys, monkeypatch):
    def run(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(info, "run", run)
    assert main(["info", str(store)]) == 130
    assert capsys.readouterr().err == "mksdask info: interrupted\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "mksdask: the following arguments are required: COMMAND"),
        (["export", "x"], "mksdask export: the following arguments are required: FILE"),
        (["demo", "--samples", "few"], "argument --samples: found 'few'; wanted a whole number"),
        (["statistics", "x", "--out", "y", "--domain", "-1,1"], "joined by =, such as --domain=-1"),
        (["generate", "delta", "x", "--shape", "5"], "mksdask generate delta --help says more"),
    ],
)
def test_mistakes_are_a_line_without_usage(capsys, words, said):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
