"""Exit codes and one-sentence errors."""

import pytest

import mksdask as mks
from mksdask.cli import main
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
