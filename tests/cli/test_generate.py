"""The generate command writes what the functions make, resumes, and says what is wrong."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask import cli, generate
from mksdask.simulate import concentration_noise


@pytest.fixture(autouse=True)
def _command(monkeypatch):
    monkeypatch.setattr(cli, "COMMANDS", ("generate",))


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "made.zarr")


def call(kind, store, *options):
    return cli.main(["generate", kind, store, "--quiet", *options])


SAMPLED = ("--n-samples", "5", "--seed", "3", "--chunks", "2")
ASKED = {"seed": 3, "chunks": 2}


@pytest.mark.parametrize(
    ("kind", "options", "wanted"),
    [
        (
            "multiphase --shape 12,10 --grain-size 4,2 --fractions 0.3,0.7",
            SAMPLED,
            lambda: generate.multiphase(5, (12, 10), (4, 2), (0.3, 0.7), **ASKED),
        ),
        (
            "multiphase --shape 12,10 --grain-size 3 --n-phases 4",
            SAMPLED,
            lambda: generate.multiphase(5, (12, 10), 3, n_phases=4, **ASKED),
        ),
        (
            "multiphase --shape 12,10 --grain-size 3 --continuous",
            SAMPLED,
            lambda: generate.multiphase(5, (12, 10), 3, continuous=True, **ASKED),
        ),
        (
            "multiphase --shape 9,9 --class 2:3,1 --class 1:2,5 --fractions 0.5,0.5",
            (),
            lambda: generate.multiphase(
                shape=(9, 9),
                fractions=(0.5, 0.5),
                classes=[
                    {"n_samples": 2, "grain_size": (3, 1)},
                    {"n_samples": 1, "grain_size": (2, 5)},
                ],
            ),
        ),
        (
            "gaussian-family --shape 8,8,8 --widths 1,3 --first-sample 7",
            SAMPLED,
            lambda: generate.gaussian_family(5, (8, 8, 8), widths=(1, 3), first_sample=7, **ASKED),
        ),
        ("delta --shape 5,5 --n-phases 3", (), lambda: generate.delta(3, (5, 5))),
        (
            "checkerboard --shape 8,6 --square 2,3",
            (),
            lambda: generate.checkerboard((8, 6), (2, 3)),
        ),
        (
            "voronoi --shape 8,7 --n-grains 6 --size-variation 0.3 --periodic y "
            "--fractions 0.5,0.5",
            SAMPLED,
            lambda: generate.voronoi(
                5, (8, 7), 6, size_variation=0.3, periodic=["y"], fractions=(0.5, 0.5), **ASKED
            ),
        ),
        (
            "voronoi --shape 8,7 --n-grains 6 --periodic none",
            SAMPLED,
            lambda: generate.voronoi(5, (8, 7), 6, periodic=False, **ASKED),
        ),
        (
            "spheres --shape 20,20 --radius 3 --fraction 0.3 --overlapping",
            SAMPLED,
            lambda: generate.spheres(5, (20, 20), 3, 0.3, hard_core=False, **ASKED),
        ),
        (
            "fibers --shape 20,20 --radius 2 --length 9 --fraction 0.2 --direction 1,1 "
            "--misalignment 0.1",
            SAMPLED,
            lambda: generate.fibers(
                5, (20, 20), 2, 9, 0.2, direction=(1, 1), misalignment=0.1, **ASKED
            ),
        ),
        (
            "fibers --shape 20,20,4 --radius 2 --length through --fraction 0.2 --direction z",
            SAMPLED,
            lambda: generate.fibers(5, (20, 20, 4), 2, "through", 0.2, direction="z", **ASKED),
        ),
        (
            "noise --shape 9,8 --mean -0.2 --amplitude 0.1 --dtype float32",
            SAMPLED,
            lambda: concentration_noise(
                5, (9, 8), mean=-0.2, amplitude=0.1, dtype="float32", **ASKED
            ),
        ),
    ],
)
def test_each_kind_is_what_its_function_makes(store, kind, options, wanted):
    name, *rest = kind.split()
    assert call(name, store, *rest, *options) == 0
    made, found = wanted(), mks.open_ensemble(store)
    variables = made if isinstance(made, xr.Dataset) else {made.name: made}
    assert set(found.data_vars) == set(variables)
    for variable, values in variables.items():
        np.testing.assert_array_equal(found[variable], values)
        for coordinate in values.coords:
            np.testing.assert_array_equal(found[coordinate], values[coordinate])
    assert found.attrs["periodic"] == made.attrs["periodic"]
    assert found.attrs["provenance"] == made.attrs["provenance"]


def test_a_broken_run_is_resumed_with_the_missing_samples_only(store, capsys, monkeypatch):
    options = [
        "--shape",
        "9,9",
        "--grain-size",
        "3",
        "--fractions",
        "0.5,0.5",
        "--n-samples",
        "20",
        "--chunks",
        "2",
    ]
    # The package exports the function under the name of its module.
    module = importlib.import_module("mksdask.generate.multiphase")
    cut, made = module.cut_at_ranks, []

    def count(fields, ranks):
        made.extend(fields)  # one entry a sample
        return cut(fields, ranks)

    def fail(fields, ranks):
        if len(made) >= 11:
            raise KeyboardInterrupt
        return count(fields, ranks)

    monkeypatch.setattr(module, "cut_at_ranks", fail)
    assert call("multiphase", store, *options) == 130
    assert "--resume" in capsys.readouterr().err
    made.clear()
    monkeypatch.setattr(module, "cut_at_ranks", count)
    assert call("multiphase", store, *options) == 2
    assert not made
    assert call("multiphase", store, *options, "--resume") == 0
    assert len(made) < 20
    whole = generate.multiphase(20, (9, 9), 3, (0.5, 0.5))
    np.testing.assert_array_equal(mks.open_ensemble(store).phase, whole)
    made.clear()
    assert call("multiphase", store, *options, "--overwrite") == 0
    assert len(made) == 20


def test_the_summary(store, capsys):
    arguments = ["generate", "delta", store, "--shape", "5,4", "--n-phases", "2"]
    assert cli.main(arguments) == 0
    assert "2 samples of 5 x 4 voxels, delta" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("multiphase --shape 9,9 --grain-size 3 --n-samples 2 --fractions 0.5,0.6", "sum to 1.1"),
        ("multiphase --shape 9,9 --grain-size 10 --n-samples 2", "longer than the axis of 9"),
        ("multiphase --shape 9,9 --grain-size 3", "n_samples is missing"),
        ("voronoi --shape 9,9 --n-grains 100 --n-samples 2", "n_grains has the value 100"),
        ("spheres --shape 9,9 --radius 2 --fraction 0.9 --n-samples 2", "packed up to 0.75"),
        ("fibers --shape 9,9 --radius 1 --length 1 --fraction 0.2 --n-samples 2", "length is 1"),
    ],
)
def test_bad_calls_are_one_sentence(store, capsys, kind, said):
    name, *rest = kind.split()
    assert call(name, store, *rest) == 2
    error = capsys.readouterr().err
    assert error.startswith("mksdask generate: ")
    assert said in error


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("multiphase --shape 9,a", "wanted whole numbers with commas"),
        ("multiphase --shape 9,9 --grain-size x", "wanted numbers with commas"),
        ("multiphase --shape 9,9 --class 15,2", "such as 200:15,2"),
        ("fibers --shape 9,9 --direction up", "wanted random, an axis x, y or z, or a vector"),
        ("fibers --shape 9,9 --length long", "or through"),
        ("voronoi --shape 9,9 --periodic x,", "wanted words with commas"),
        ("voronoi --shape 9,9 --n-grains 1.5", "found '1.5'; wanted a whole number, such as 64"),
        ("spheres --shape 9,9 --radius r", "found 'r'; wanted a number, such as 0.5"),
        ("multiphase --shape 9,9 --overwrite --resume", "not allowed with"),
        ("honeycomb --shape 9,9", "invalid choice"),
        ("delta --shape 9,9", "--n-phases"),
    ],
)
def test_unreadable_arguments(store, capsys, kind, said):
    name, *rest = kind.split()
    with pytest.raises(SystemExit) as stop:
        call(name, store, *rest)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
