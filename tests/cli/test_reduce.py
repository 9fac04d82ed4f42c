"""The reduce command gives the scores that the estimator gives, and says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask import cli
from mksdask.bases import PrimitiveBasis
from mksdask.reduction import IncrementalPCA
from mksdask.saved_models import load_model
from mksdask.statistics import two_point_statistics


@pytest.fixture(autouse=True)
def _command(monkeypatch):
    monkeypatch.setattr(cli, "COMMANDS", ("reduce",))


def statistics(seed=0, n=20):
    rng = np.random.default_rng(seed)
    phase = xr.DataArray(
        rng.integers(0, 2, (n, 8, 6)),
        dims=("sample", "x", "y"),
        coords={"sample": [f"{seed}-{i}" for i in range(n)]},
    )
    return two_point_statistics(phase, PrimitiveBasis(2), cutoff=2).rename("two_point")


@pytest.fixture
def store(tmp_path):
    path = str(tmp_path / "f.zarr")
    mks.create_ensemble(path, statistics().to_dataset().chunk(sample=6))
    return path


def call(*arguments):
    return cli.main(["reduce", *map(str, arguments)])


def test_scores_and_model(store, tmp_path, capsys):
    out, model = tmp_path / "scores.zarr", tmp_path / "pca.zarr"
    assert call(store, "--components", 3, "--out", out, "--save-model", model) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 components of 75 features explain ")
    wanted = IncrementalPCA(n_components=3).fit(statistics())
    scores = mks.open_ensemble(out)["scores"]
    np.testing.assert_allclose(scores, wanted.transform(statistics()), atol=1e-10)
    np.testing.assert_array_equal(scores["sample"], statistics()["sample"])
    np.testing.assert_allclose(
        scores["explained_variance_ratio"], wanted.explained_variance_ratio_, atol=1e-12
    )
    np.testing.assert_allclose(load_model(model).components_, wanted.components_, atol=1e-10)


def test_with_a_fitted_model_and_more_samples(store, tmp_path):
    model, more = tmp_path / "pca.zarr", tmp_path / "more.zarr"
    assert call(store, "--components", 0.9, "--save-model", model, "--quiet") == 0
    mks.create_ensemble(more, statistics(1).to_dataset())
    out = tmp_path / "scores.zarr"
    assert call(more, "--model", model, "--out", out, "--quiet") == 0
    wanted = IncrementalPCA(n_components=0.9).fit(statistics())
    np.testing.assert_allclose(
        mks.open_ensemble(out)["scores"], wanted.transform(statistics(1)), atol=1e-10
    )
    options = ["--update", "--save-model", model, "--quiet"]
    assert call(more, "--model", model, *options) == 2
    assert call(more, "--model", model, *options, "--overwrite") == 0
    wanted.partial_fit(statistics(1))
    assert load_model(model).n_samples_seen_ == 40
    np.testing.assert_allclose(load_model(model).components_, wanted.components_, atol=1e-10)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--components", "3"], 2, "neither --out nor --save-model"),
        (["--out", "OUT"], 2, "--components is not given"),
        (["--out", "OUT", "--components", "few"], 2, "--components is 'few'"),
        (["--out", "OUT", "--components", "20"], 2, "20 samples vary in at most 19"),
        (["--out", "OUT", "--components=-3"], 2, "n_components is -3"),
        (["--out", "OUT", "--components", "3", "--variable", "f"], 2, "--variable is f"),
        (["--out", "OUT", "--update", "--components", "3"], 2, "without --model"),
        (["--out", "OUT", "--model", "none.zarr"], 2, "no model at"),
        (["--out", "OUT", "--model", "m", "--components", "3"], 2, "leave one out"),
    ],
)
def test_bad_calls_are_one_sentence(store, tmp_path, capsys, options, code, said):
    options = [str(tmp_path / "out.zarr") if o == "OUT" else o for o in options]
    assert call(store, *options, "--quiet") == code
    error = capsys.readouterr().err
    assert error.startswith("mksdask reduce: ")
    assert error.count("\n") == 1
    assert said in error


def test_constant_statistics_are_a_fault_of_the_data(tmp_path, capsys):
    same = xr.DataArray(np.ones((5, 4)), dims=("sample", "lag_x"), name="two_point")
    mks.create_ensemble(tmp_path / "f.zarr", same.to_dataset())
    assert call(tmp_path / "f.zarr", "--components", 1, "--out", tmp_path / "s.zarr") == 1
    assert "constant" in capsys.readouterr().err
