"""The simulate command: stores, resumes, says what is wrong."""

import numpy as np
import pytest
import xarray as xr

from mksdask import cli
from mksdask.cli import simulate
from mksdask.ensemble import create_ensemble, open_ensemble
from mksdask.simulate import (
    cahn_hilliard,
    concentration_noise,
    effective_conductivity,
    effective_stiffness,
    elasticity,
)
from mksdask.version import __version__


def command(*words):
    return cli.main(["simulate", *map(str, words)])


@pytest.fixture
def store(tmp_path):
    labels = np.random.default_rng(0).integers(0, 2, (5, 6, 7)).astype("uint8")
    phase = xr.DataArray(labels, dims=("sample", "x", "y"), name="phase")
    phase.attrs = {"voxel_size": [0.5, 0.5], "voxel_unit": "um"}
    create_ensemble(tmp_path / "cells.zarr", phase.to_dataset(), progress=False)
    return tmp_path / "cells.zarr"


MODULI = ("--youngs-modulus", "1,10", "--poissons-ratio", "0.3,0.2")


def test_elasticity_is_stored_and_resumed(store, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(simulate, "BLOCK", 84)
    out = tmp_path / "response.zarr"
    words = (
        "elasticity", store, *MODULI, "--macro-strain", "xx=0.01,xy=0.002",
        "--outputs", "strain,mean_stress,effective_stiffness", "--out", out,
    )  # fmt: skip
    assert command(*words) == 0
    assert "5 samples, effective_stiffness, mean_stress, strain" in capsys.readouterr().out
    found = open_ensemble(out)
    phase = open_ensemble(store).phase
    direct = elasticity(
        phase, (1, 10), (0.3, 0.2), macro_strain={"xx": 0.01, "xy": 0.002}
    ).compute()
    np.testing.assert_allclose(found.strain, direct.strain, rtol=1e-9)
    np.testing.assert_allclose(found.mean_stress, direct.mean_stress, rtol=1e-9)
    np.testing.assert_allclose(
        found.effective_stiffness, effective_stiffness(phase, (1, 10), (0.3, 0.2)), rtol=1e-9
    )
    told = found.attrs["provenance"]["parameters"]
    assert told["youngs_modulus"] == [1, 10]
    assert told["outputs"] == ["strain", "mean_stress", "effective_stiffness"]
    assert (told["on_failure"], told["tolerance"]) == ("raise", 1e-6)
    assert found.attrs["provenance"]["source"] == str(store)
    assert (found.attrs["voxel_size"], found.attrs["voxel_unit"]) == ([0.5, 0.5], "um")
    before = found.strain.values
    pieces = [p for p in (out / "strain" / "c").rglob("*") if p.is_file()]
    assert len(pieces) > 1
    pieces[-1].unlink()
    assert command(*words, "--resume", "--quiet") == 0
    np.testing.assert_array_equal(open_ensemble(out).strain, before)


def test_conduction_is_stored(store, tmp_path):
    out = tmp_path / "flux.zarr"
    words = ("conduction", store, "--conductivity", "1,5", "--macro-gradient", "1", "--out", out)
    assert command(*words, "--outputs", "mean_flux,effective_conductivity", "--quiet") == 0
    found = open_ensemble(out)
    expected = effective_conductivity(open_ensemble(store).phase, (1, 5)).values
    np.testing.assert_allclose(found.effective_conductivity, expected, rtol=1e-9)
    np.testing.assert_allclose(-found.mean_flux, expected[:, :, 0], rtol=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--outputs", "strian", "--macro-strain", "1"), "strian"),
        (("--outputs", "strain"), "neither macro_strain nor macro_stress"),
        (
            (
                "--outputs",
                "strain,effective_stiffness",
                "--components",
                "xx",
                "--macro-strain",
                "1",
            ),
            "--components",
        ),
    ],
)
def test_bad_calls_are_said(store, tmp_path, capsys, words, message):
    out = tmp_path / "x.zarr"
    assert command("elasticity", store, *MODULI, *words, "--out", out, "--quiet") == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("load", ["xx:1", "xx=a", "xx=1,xx=2"])
def test_unreadable_loads(store, tmp_path, capsys, load):
    with pytest.raises(SystemExit) as stop:
        command("elasticity", store, *MODULI, "--macro-strain", load, "--out", tmp_path / "x.zarr")
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert f"argument --macro-strain: found {load!r}; wanted " in said
    assert said.count("\n") == 1


@pytest.fixture
def start(tmp_path):
    path = tmp_path / "start.zarr"
    words = ["noise", path, "--n-samples", "5", "--shape", "16,12", "--mean", "0.1", "--seed", "2"]
    assert cli.main(["generate", *map(str, words), "--quiet"]) == 0
    return path


STEPPING = ("--dx", "0.5,0.6", "--dt", "0.05", "--gamma", "0.8")


def test_decomposition_is_stored_and_resumed(start, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(simulate, "SPINODAL_BLOCK", 400)
    out = tmp_path / "grown.zarr"
    words = (
        "cahn-hilliard", start, "--variable", "concentration", "--steps", "40", "--save-every",
        "20", *STEPPING, "--out", out,
    )  # fmt: skip
    assert command(*words) == 0
    assert "5 samples, concentration" in capsys.readouterr().out
    found = open_ensemble(out)
    assert found.attrs["periodic"] == ["x", "y"]
    assert found.attrs["provenance"] == {
        "created_by": "mksdask.simulate.cahn_hilliard",
        "version": __version__,
        "source": str(start),
        "parameters": {
            "variable": "concentration", "steps": 40, "save_every": 20, "dx": [0.5, 0.6],
            "dt": 0.05, "gamma": 0.8,
        },
    }  # fmt: skip
    noise = concentration_noise(5, (16, 12), mean=0.1, seed=2)
    direct = cahn_hilliard(noise, steps=[20, 40], dx=(0.5, 0.6), dt=0.05, gamma=0.8)
    np.testing.assert_allclose(found.concentration, direct, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.step, [20, 40])
    before = found.concentration.values
    pieces = [p for p in (out / "concentration" / "c").rglob("*") if p.is_file()]
    assert len(pieces) > 1
    pieces[-1].unlink()
    assert command(*words, "--resume", "--quiet") == 0
    np.testing.assert_array_equal(open_ensemble(out).concentration, before)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--steps", "9", "--variable", "phase"), "and the ensemble has ['concentration'] only"),
        (("--steps", "9", "--save-every", "10"), "save_every is 10"),
        (("--steps", "9", "--dt", "5"), "dt is 5"),
        (("--steps", "9", "--dx", "1,1,1"), "dx"),
    ],
)
def test_bad_decompositions_are_said(start, tmp_path, capsys, words, message):
    out = tmp_path / "x.zarr"
    assert command("cahn-hilliard", start, *words, "--out", out, "--quiet") == 2
    assert message in capsys.readouterr().err


def test_steps_are_not_an_axis_of_space(start, tmp_path, capsys):
    out = tmp_path / "grown.zarr"
    words = ("--steps", "2", "--save-every", "1", "--quiet")
    assert command("cahn-hilliard", start, *words, "--out", out) == 0
    assert command("cahn-hilliard", out, *words, "--out", tmp_path / "x.zarr") == 2
    assert "isel(step=-1)" in capsys.readouterr().err
