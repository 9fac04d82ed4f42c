"""The simulate command: stores, resumes, says what is wrong."""

import argparse

import numpy as np
import pytest
import xarray as xr

from mksdask.cli import simulate
from mksdask.ensemble import create_ensemble, open_ensemble
from mksdask.simulate import effective_conductivity, effective_stiffness, elasticity


def command(*words):
    parser = argparse.ArgumentParser()
    simulate.add_arguments(parser)
    return simulate.run(parser.parse_args(list(map(str, words))))


@pytest.fixture
def store(tmp_path):
    labels = np.random.default_rng(0).integers(0, 2, (5, 6, 7)).astype("uint8")
    phase = xr.DataArray(labels, dims=("sample", "x", "y"), name="phase")
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
    assert found.attrs["provenance"]["simulate"]["youngs_modulus"] == "1,10"
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
        (("--macro-strain", "xx:1"), "--macro-strain is 'xx:1'"),
        (("--macro-strain", "xx=a"), "--macro-strain has 'xx=a'"),
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
def test_bad_calls_are_said(store, tmp_path, words, message):
    with pytest.raises(ValueError, match=message):
        command("elasticity", store, *MODULI, *words, "--out", tmp_path / "x.zarr", "--quiet")
