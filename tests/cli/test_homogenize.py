"""The commands homogenize and predict give what the model gives, and say what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.cli import main
from mksdask.linkage import HomogenizationModel, tune
from mksdask.saved_models import load_model, save_model
from tests.linkage.cases import BASIS, cells


def ensemble(path, seed=0, missing=()):
    phase, y = cells(seed=seed)
    y = y.copy()
    y[list(missing)] = np.nan
    tensor = xr.concat([y, y**2], "tensor").assign_coords(tensor=["xx", "yy"])
    ds = xr.Dataset(
        {
            "phase": phase.drop_attrs(),
            "stiffness": y,
            "mean_stress": tensor.transpose("sample", ...),
        },
        attrs={"voxel_size": [0.5, 0.5], "voxel_unit": "um", "phase_names": ["soft", "hard"]},
    )
    mks.create_ensemble(path, ds.chunk(sample=20), progress=False)
    return str(path)


@pytest.fixture
def store(tmp_path):
    return ensemble(tmp_path / "cells.zarr")


def test_fit_save_draw_predict(store, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    model, pictures = tmp_path / "m.zarr", tmp_path / "pictures"
    words = [store, "--property", "stiffness", "--components", "3", "--degree", "1"]
    assert main(["homogenize", *words, "--save-model", str(model), "--plots", str(pictures)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "3 components, degree 1, learnt from 48 samples; R^2 of 12 samples kept out 0.9"
    )
    assert [p.name for p in pictures.iterdir()] == ["parity.png"]
    loaded = load_model(model)
    other, out = ensemble(tmp_path / "other.zarr", seed=1), tmp_path / "predicted.zarr"
    assert main(["predict", str(model), other, "--out", str(out), "--coverage", "0.9"]) == 0
    assert "60 samples, extrapolation, stiffness, stiffness_interval" in capsys.readouterr().out
    found = mks.open_ensemble(out)
    phase, _ = cells(seed=1)
    wanted = loaded._predicted(phase, warn=False)
    np.testing.assert_allclose(found["stiffness"], wanted, rtol=1e-10)
    np.testing.assert_array_equal(found["sample"], phase["sample"])
    np.testing.assert_allclose(found["extrapolation"], loaded.extrapolation(phase), rtol=1e-10)
    assert (found["stiffness_interval"].sel(bound="lower") < found["stiffness"]).all()
    assert main(["predict", str(model), other, "--out", str(out), "--quiet"]) == 2
    assert main(["predict", str(model), other, "--out", str(out), "--quiet", "--overwrite"]) == 0


def test_tuned(store, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    words = [store, "--property", "mean_stress", "--component", "yy", "--test", "0"]
    words += ["--tune", "--components", "2-4", "--degree", "1,2", "--folds", "3"]
    model, pictures = tmp_path / "m.zarr", tmp_path / "pictures"
    assert main(["homogenize", *words, "--save-model", str(model), "--plots", str(pictures)]) == 0
    said = capsys.readouterr().out
    phase, y = cells()
    wanted = tune(
        HomogenizationModel(BASIS), phase, y**2, {"n_components": [2, 3, 4], "degree": [1, 2]}, cv=3
    )
    assert f"best of 6 candidates, cross-validated R^2 {wanted.best_score:.6f}" in said
    assert sorted(p.name for p in pictures.iterdir()) == ["parity.png", "tuning.png"]
    assert load_model(model).n_components == wanted.best_params["n_components"]
    out = tmp_path / "predicted.zarr"
    assert main(["predict", str(model), store, "--out", str(out), "--coverage", "0.9"]) == 0
    assert set(mks.open_ensemble(out).data_vars) == {
        "extrapolation", "mean_stress_yy", "mean_stress_yy_interval"
    }  # fmt: skip


def test_a_component_under_the_name_of_its_tensor(store, tmp_path):
    """As models come from Python: it must not pass for the tensor in a store."""
    model, out = tmp_path / "m.zarr", tmp_path / "predicted.zarr"
    ds = mks.open_ensemble(store)
    y = ds.mean_stress.sel(tensor="xx")
    fitted = HomogenizationModel(BASIS, n_components=2, degree=1).fit(ds.phase, y)
    save_model(fitted, model)
    assert main(["predict", str(model), store, "--out", str(out), "--quiet"]) == 0
    assert set(mks.open_ensemble(out).data_vars) == {"extrapolation", "predicted_mean_stress"}


def test_several_properties_and_missing_ones(tmp_path, capsys):
    store, model = ensemble(tmp_path / "cells.zarr", missing=(4,)), tmp_path / "m.zarr"
    words = [
        "homogenize",
        store,
        "--property",
        "mean_stress",
        "--save-model",
        str(model),
        "--test",
        "0",
    ]
    assert main(words) == 1
    assert "c0-4" in capsys.readouterr().err
    assert main([*words, "--drop-missing"]) == 0
    assert "59 samples (1 without the property left out)" in capsys.readouterr().out
    assert load_model(model).properties_.dims == ("tensor",)
    words = ["homogenize", store, "--property", "stiffness,stiffness", "--drop-missing", "--quiet"]
    assert main(words) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--property", "hardness"], "--property is hardness, and the ensemble has"),
        (["--property", "mean_stress", "--component", "zz"], "--component has 'zz' along tensor"),
        (["--property", "mean_stress", "--component", "xx,xx"], "2 labels; wanted one for each"),
        (["--property", "stiffness,mean_stress"], "wanted the same"),
        (["--property", "stiffness", "--components", "2-5"], "without --tune"),
        (["--property", "stiffness", "--components", "few"], "--components is 'few'"),
        (["--property", "stiffness", "--degree", "1-"], "--degree is '1-'"),
        (["--property", "stiffness", "--test", "1"], "--test is 1"),
        (["--property", "phase"], "a field over"),
    ],
)
def test_bad_calls_are_one_sentence(store, capsys, options, said):
    assert main(["homogenize", store, *options, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("mksdask homogenize: ")
    assert error.count("\n") == 1
    assert said in error


def test_prediction_by_other_models_or_on_other_grids(store, tmp_path, capsys):
    pca, model = tmp_path / "pca.zarr", tmp_path / "m.zarr"
    phase, y = cells()
    save_model(mks.IncrementalPCA(2).fit(phase.values), pca)
    assert main(["predict", str(pca), store, "--out", str(tmp_path / "o.zarr")]) == 2
    assert "MODEL is a IncrementalPCA; wanted one of" in capsys.readouterr().err
    save_model(HomogenizationModel(BASIS, n_components=2).fit(phase[:, 1:], y), model)
    assert main(["predict", str(model), store, "--out", str(tmp_path / "o.zarr")]) == 2
    assert "samples of shape (8, 6); wanted (7, 6)" in capsys.readouterr().err
