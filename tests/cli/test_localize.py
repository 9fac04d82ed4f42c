"""The localize command fits the kernel that the model fits, and says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask import cli
from mksdask.bases import PrimitiveBasis
from mksdask.cli.localize import predicted_fields
from mksdask.linkage import LocalizationModel, StagedLocalization
from mksdask.reduction import IncrementalPCA
from mksdask.saved_models import load_model, save_model

RNG = np.random.default_rng(0)
PHASE = RNG.integers(0, 2, (12, 6, 5)).astype("u1")
KERNEL = np.fft.rfft2(RNG.standard_normal((2, 6, 5)))
STRAIN = np.stack([np.fft.irfft2(np.fft.rfft2(PHASE + 1.0) * k, s=(6, 5)) for k in KERNEL], axis=-1)


@pytest.fixture(autouse=True)
def _command(monkeypatch):
    monkeypatch.setattr(cli, "COMMANDS", ("localize",))


@pytest.fixture
def store(tmp_path):
    path = str(tmp_path / "cells.zarr")
    space = ("sample", "x", "y")
    ds = xr.Dataset(
        {"phase": (space, PHASE), "strain": ((*space, "tensor"), STRAIN)},
        coords={"sample": np.arange(12), "tensor": ["xx", "yy"]},
    )
    mks.create_ensemble(path, ds.chunk(sample=5), progress=False)
    return path


def call(*arguments):
    return cli.main(["localize", *map(str, arguments)])


def test_kernel_and_its_judgement(store, tmp_path, capsys):
    out = tmp_path / "kernel.zarr"
    options = ("--states", 2, "--component", "xx", "--held-out", 3, "--save-model", out)
    assert call(store, *options) == 0
    said = capsys.readouterr().out
    assert f"{out}: kernel of 1 features on 6 x 5 voxels from 9 samples" in said
    assert "on 3 held-out samples: R^2 1.0000, mean absolute error 0.00 %" in said
    model = load_model(out)
    wanted = LocalizationModel(PrimitiveBasis(2)).fit(PHASE[:9], STRAIN[:9, ..., 0])
    np.testing.assert_allclose(model.kernel_, wanted.kernel_, atol=1e-10)
    phase = mks.open_ensemble(store).phase
    assert predicted_fields(model, phase).strain_xx.dims == ("sample", "x", "y")
    assert predicted_fields(model, phase, 3).strain_xx.shape == phase.shape
    larger = xr.concat([phase, phase], "x")
    assert predicted_fields(model, larger).strain_xx.shape == (12, 12, 5)


def test_going_on(store, tmp_path, capsys):
    first, second = tmp_path / "a.zarr", tmp_path / "b.zarr"
    both = ("--component", "xx,yy", "--quiet")
    assert call(store, "--states", 2, *both, "--held-out", 6, "--save-model", first) == 0
    assert call(store, "--model", first, *both, "--save-model", second) == 0
    assert capsys.readouterr().out == ""
    model = load_model(second)
    assert model.n_samples_seen_ == 18
    assert list(model.kernel_.tensor.values) == ["xx", "yy"]
    call(store, "--states", 2, "--neighbours", 1, "--ridge", 1e-6, *both, "--save-model", second,
         "--overwrite", "--boundary", "x=nonperiodic")  # fmt: skip
    assert load_model(second).get_params() == {
        "basis": PrimitiveBasis(2),
        "ridge": 1e-6,
        "neighbours": 1.0,
        "boundary": {"x": "nonperiodic", "y": "periodic"},
        "symmetries": None,
    }


def test_sweeps(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli, "COMMANDS", ("localize", "predict"))
    store, out = tmp_path / "solved.zarr", tmp_path / "stages.zarr"
    phase = mks.generate.gaussian_family(8, (7, 7), widths=(1, 3), seed=0, chunks=4)
    solved = mks.simulate.elasticity(phase, (1, 10), (0.3, 0.3), macro_strain=1.0)
    ds = phase.to_dataset(name="phase").assign(strain=solved.strain)
    mks.create_ensemble(store, ds, progress=False)
    options = ("--states", 2, "--sweeps", 1, "--symmetries", "load", "--held-out", 2)
    assert call(store, *options, "--save-model", out) == 0
    said = capsys.readouterr().out
    assert "1 sweeps; R^2 of the training samples by stage 0." in said
    assert "on 2 held-out samples: R^2 0." in said
    basis = PrimitiveBasis(2)
    wanted = StagedLocalization(basis, 1, symmetries="load").fit(phase[:6], ds.strain[:6])
    words = ["predict", str(out), str(store), "--out", str(tmp_path / "fields.zarr"), "--quiet"]
    assert cli.main(words) == 0
    found = mks.open_ensemble(tmp_path / "fields.zarr").strain
    np.testing.assert_allclose(found, wanted.predict(phase), rtol=1e-10, atol=1e-12)
    assert cli.main([*words[:4], str(tmp_path / "f.zarr"), "--support", "3"]) == 2
    assert "sweeps" in capsys.readouterr().err
    walls = ("--boundary", "x=nonperiodic", "--save-model", tmp_path / "b.zarr")
    assert call(store, *options, *walls) == 2
    assert "wanted periodic axes" in capsys.readouterr().err


def test_symmetries_of_the_load_on_one_component(store, tmp_path):
    out = tmp_path / "kernel.zarr"
    options = ("--component", "xx", "--symmetries", "load", "--ridge", 1e-6, "--quiet")
    assert call(store, "--states", 2, *options, "--save-model", out) == 0
    ds = mks.open_ensemble(store)
    wanted = LocalizationModel(PrimitiveBasis(2), ridge=1e-6, symmetries=("-x", "-y"))
    wanted.fit(ds.phase, ds.strain.sel(tensor=["xx"]))
    np.testing.assert_allclose(load_model(out).kernel_, wanted.kernel_, atol=1e-10)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--states", 2, "--response", "stress"), "--response is stress, and the ensemble has"),
        (("--states", 2, "--component", "zz"), r"--component has ['zz']; wanted some of ['xx'"),
        (("--states", 2, "--response", "phase", "--component", "xx"), "phase has no components"),
        ((), "--states is not given"),
        (("--states", 2, "--held-out", 12), "--held-out is 12; wanted 0 to 11"),
        (("--states", 2, "--ridge", -1), "ridge is -1"),
    ],
)
def test_bad_input(store, tmp_path, capsys, options, said):
    assert call(store, *options, "--save-model", tmp_path / "m.zarr") == 2
    assert said in capsys.readouterr().err


def test_models_that_do_not_fit(store, tmp_path, capsys):
    save_model(IncrementalPCA(n_components=1).fit(RNG.standard_normal((9, 4))), tmp_path / "p.zarr")
    assert call(store, "--model", tmp_path / "p.zarr", "--save-model", tmp_path / "m.zarr") == 2
    assert "holds a IncrementalPCA; wanted a LocalizationModel" in capsys.readouterr().err
    options = ("--model", tmp_path / "p.zarr", "--states", 2, "--save-model", tmp_path / "m.zarr")
    assert call(store, *options) == 2
    assert "--states is given with --model" in capsys.readouterr().err
