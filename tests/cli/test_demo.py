"""The demonstration runs at its smallest and says what it needs."""

import pytest

import mksdask as mks
from mksdask.cli import main
from mksdask.demo import demo


def test_the_smallest(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out = tmp_path / "demo"
    words = ["demo", "--out", str(out), "--samples", "2", "--size", "8", "--quiet"]
    assert main(words) == 0
    assert "2 volumes of 8^3 voxels" in capsys.readouterr().out
    assert sorted(p.name for p in out.glob("*.png")) == [
        "localization.png", "microstructures.png", "pair_correlation.png", "parity.png",
        "scores.png", "two_point.png",
    ]  # fmt: skip
    assert mks.open_ensemble(out / "statistics.zarr").sizes["sample"] == 2
    assert main(words) == 2
    assert "exists" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--samples", "1"], "n_samples is 1; wanted a whole number of at least 2"),
        (["--size", "7"], "size is 7; wanted a whole number of at least 8 voxels"),
        (["--seed", "-1"], "seed is -1"),
    ],
)
def test_too_little(tmp_path, capsys, words, said):
    assert main(["demo", "--out", str(tmp_path / "demo"), *words]) == 2
    assert capsys.readouterr().err.startswith(f"mksdask demo: {said}")


def test_half_a_volume(tmp_path):
    with pytest.raises(ValueError, match="size is 10.5"):
        demo(tmp_path, size=10.5)
