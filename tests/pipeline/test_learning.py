"""Stages that learn models and predict with them."""

import json
import os
import signal
import subprocess
import sys

import dask
import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.cli import main
from mksdask.pipeline import run_pipeline
from tests.pipeline.pipelines import (
    BOTH,
    CELLS,
    FIT,
    KERNEL,
    LEARNING,
    PREDICTED,
    RESPONSE,
    SCORES,
    STATISTICS,
    changed,
    write,
)

NAMES = [s["name"] for s in LEARNING]
REPORT = {
    "name": "report", "do": "report", "from": ["both", "fit", "predicted", "kernel", "fields"],
    "with": {"title": "Small <cells>"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def actions(path, **options):
    return {r.name: r.action for r in run_pipeline(path, say=None, **options)}


def test_the_same_as_the_commands(tmp_path):
    path = write(tmp_path, LEARNING)
    assert actions(path, dry_run=True) == dict.fromkeys(NAMES, "make")
    assert [p.name for p in tmp_path.iterdir()] == ["p.yaml"]
    assert actions(path) == dict.fromkeys(NAMES, "make")
    assert actions(path) == dict.fromkeys(NAMES, "keep")
    assert mks.open_ensemble(tmp_path / "predicted.zarr").mean_stress_xx.dims == ("sample",)
    assert mks.open_ensemble(tmp_path / "fields.zarr").strain_xx.dims == ("sample", "x", "y")
    hand = tmp_path / "by_hand"
    calls = [
        f"homogenize {tmp_path}/both.zarr --property mean_stress --component xx --states 2 "
        f"--components 2 --degree 1 --test 0.25 --save-model {hand}/fit.zarr",
        f"predict {hand}/fit.zarr {tmp_path}/cells.zarr --out {hand}/predicted.zarr",
        f"localize {tmp_path}/both.zarr --states 2 --component xx --held-out 2 --ridge 1e-3 "
        f"--save-model {hand}/kernel.zarr",
        f"predict {hand}/kernel.zarr {tmp_path}/cells.zarr --out {hand}/fields.zarr",
    ]
    for call in calls:
        assert main([*call.split(), "--quiet"]) == 0
    for name in ("predicted", "fields"):
        got = mks.open_ensemble(tmp_path / f"{name}.zarr").compute()
        wanted = mks.open_ensemble(hand / f"{name}.zarr").compute()
        xr.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)


def test_the_log_tells_how_well_models_do(tmp_path):
    actions(write(tmp_path, LEARNING))
    entries = map(json.loads, (tmp_path / "p.log.jsonl").read_text().splitlines())
    said = {e["stage"]: e["summary"] for e in entries if e["event"] == "done"}
    assert "R^2 of 2 samples kept out" in said["fit"]
    assert "on 2 held-out samples: R^2" in said["kernel"]


def test_only_what_follows_from_a_model_is_predicted_again(tmp_path):
    stages = [CELLS, RESPONSE, BOTH, FIT, PREDICTED]
    path = write(tmp_path, stages)
    actions(path)
    before = mks.open_ensemble(tmp_path / "predicted.zarr").mean_stress_xx.values
    path = write(tmp_path, [*stages[:3], changed(FIT, components=1), PREDICTED])
    found = actions(path)
    assert found == dict.fromkeys(("cells", "response", "both"), "keep") | {
        "fit": "make", "predicted": "make",
    }  # fmt: skip
    after = mks.open_ensemble(tmp_path / "predicted.zarr").mean_stress_xx.values
    assert not np.allclose(before, after)


def test_a_model_from_outside_that_is_fitted_again_is_seen(tmp_path):
    actions(write(tmp_path, [CELLS, RESPONSE, BOTH, FIT, STATISTICS, SCORES]))
    other = tmp_path / "other"
    other.mkdir()
    cells = {"from": "../cells.zarr"}
    for model, found in (("cells", "which is no model"), ("pca", "a model of kind IncrementalPCA")):
        path = write(other, [{**changed(PREDICTED, model=f"../{model}.zarr"), **cells}])
        with pytest.raises(
            ValueError, match=f"model is .*{model}.zarr, {found}; wanted one of kind Homog"
        ):
            actions(path)
    path = write(other, [{**changed(PREDICTED, model="../fit.zarr"), **cells}])
    assert actions(path) == {"predicted": "make"}
    assert actions(path) == {"predicted": "keep"}
    model = mks.load_model(tmp_path / "fit.zarr")
    mks.save_model(model, tmp_path / "fit.zarr", overwrite=True)
    assert actions(path) == {"predicted": "make"}
    # And the pipeline that made it does not replace what someone else has put there.
    with pytest.raises(mks.DataError, match="has been changed since this pipeline wrote it"):
        actions(write(tmp_path, [CELLS, RESPONSE, BOTH, changed(FIT, degree=2)]))


def test_pictures_lie_beside_the_stores(tmp_path):
    pytest.importorskip("matplotlib")
    path = write(tmp_path, [CELLS, RESPONSE, BOTH, changed(FIT, plots="pictures")])
    actions(path)
    assert (tmp_path / "pictures" / "parity.png").exists()


def test_without_matplotlib_it_is_said_first(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for stages in ([changed(FIT, plots="pictures")], [*LEARNING[3:], REPORT]):
        path = write(tmp_path, [CELLS, RESPONSE, BOTH, *stages])
        with pytest.raises(ImportError, match="drawing pictures, needs matplotlib: pip install"):
            run_pipeline(path, dry_run=True, say=None)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([changed(FIT, property="stress")], "stage fit: --property is stress"),
        ([changed(FIT, component="xz")], "stage fit: --component has 'xz'"),
        ([changed(FIT, components="2-4")], "stage fit: several --components"),
        ([changed(FIT, test=2)], "stage fit: --test is 2"),
        ([changed(KERNEL, held_out=8)], "stage kernel: --held-out is 8; wanted 0 to 7"),
        ([changed(KERNEL, component="zz")], "stage kernel: --component has"),
        ([FIT, changed(PREDICTED, variable="phases")], "stage predicted: --variable is phases"),
        ([FIT, changed(PREDICTED, model=None)], "stage predicted: model is missing"),
        ([FIT, changed(PREDICTED, model="fitt")], "stage predicted: 'fitt' is no earlier stage"),
        ([{**FIT, "out": "both.zarr"}], "write the same"),
        ([changed(FIT, pairs="0-9")], "stage fit: .*pairs"),
        ([changed(FIT, cutoff=70)], "stage fit: cutoff"),
        (
            [changed(FIT, components=6)],
            "n_components is 6, but 6 samples to learn from",
        ),
        (
            [changed(FIT, components="2-4", tune=True, folds=2)],
            "n_components is 4, but 3 samples to learn from",
        ),
        ([changed(FIT, tune=True, folds=0)], "stage fit: --folds is 0; wanted 2 to 6"),
        ([changed(FIT, components=0)], "n_components is 0"),
        ([changed(FIT, test=0.9)], "stage fit: 1 samples remain to learn from"),
        (
            [
                changed(KERNEL, sweeps=1, component=None),
                {**changed(KERNEL, model="kernel"), "name": "more"},
            ],
            "a model of kind StagedLocalization; wanted one of kind LocalizationModel",
        ),
        ([changed(PREDICTED, model="cells")], "model is cells.store, an ensemble; wanted"),
        (
            [STATISTICS, SCORES, changed(PREDICTED, model="scores.save_model")],
            "a model of kind IncrementalPCA",
        ),
        ([FIT, changed(KERNEL, model="fit")], "a model of kind HomogenizationModel; wanted one"),
        ([FIT, {**PREDICTED, "from": "fit"}], "from is fit.save_model, which is a model"),
    ],
)
def test_mistakes_are_said_before_anything_runs(tmp_path, stages, message):
    with pytest.raises(ValueError, match=message):
        run_pipeline(write(tmp_path, [CELLS, RESPONSE, BOTH, *stages]), dry_run=True, say=None)
    assert [p.name for p in tmp_path.iterdir()] == ["p.yaml"]


KILLED = """
import os, pathlib, signal, sys, dask
from mksdask.pipeline import run as runner

real = runner._run_stage
def killed(stage, *more):
    if stage.name == sys.argv[2]:
        from mksdask import saved_models
        from mksdask.ensemble import fill
        from mksdask.ensemble.location import Location
        def dies(*a, **k):
            os.kill(os.getpid(), 9)
        if stage.command.writes[0] == "save_model":
            Location.move_to = dies
        elif stage.do == "report":
            pathlib.Path.replace = dies
        else:
            write = fill.BlockWriter.__call__
            done = []
            def second(self, *a, **k):
                done.append(1)
                return dies() if len(done) > 2 else write(self, *a, **k)
            fill.BlockWriter.__call__ = second
    return real(stage, *more)
runner._run_stage = killed
with dask.config.set(scheduler="synchronous"):
    runner.run_pipeline(sys.argv[1], say=None)
"""


@pytest.mark.parametrize(
    ("stage", "action"),
    [
        ("fit", "make"),
        ("predicted", "resume"),
        ("kernel", "make"),
        pytest.param("both", "resume", marks=pytest.mark.slow),
        pytest.param("fields", "resume", marks=pytest.mark.slow),
        pytest.param("report", "make", marks=pytest.mark.slow),
    ],
)
def test_killed_and_started_again(tmp_path, stage, action):
    pytest.importorskip("matplotlib")
    path = write(tmp_path, [*LEARNING, REPORT])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), stage],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    names = [*NAMES, "report"]
    order = names.index(stage)
    assert actions(path) == dict.fromkeys(names[:order], "keep") | {stage: action} | dict.fromkeys(
        names[order + 1 :], "make"
    )
    whole = tmp_path / "whole"
    whole.mkdir()
    actions(write(whole, LEARNING))
    for name in ("predicted", "fields"):
        got = mks.open_ensemble(tmp_path / f"{name}.zarr").compute()
        wanted = mks.open_ensemble(whole / f"{name}.zarr").compute()
        xr.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)
    assert "R^2 of 2 samples kept out" in (tmp_path / "report.html").read_text()
    assert set(actions(path).values()) == {"keep"}


def test_a_report_ends_it(tmp_path):
    pytest.importorskip("matplotlib")
    path = write(tmp_path, [*LEARNING, REPORT])
    assert actions(path)["report"] == "make"
    text = (tmp_path / "report.html").read_text()
    assert "Small &lt;cells&gt;" in text
    assert "R^2 of 2 samples kept out" in text
    assert text.count("data:image/png;base64,") == 5
    assert actions(path)["report"] == "keep"
    assert actions(write(tmp_path, [*LEARNING, changed(REPORT, title="x")]))["report"] == "make"
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(mks.DataError, match="has been changed since"):
        actions(write(tmp_path, [*LEARNING, REPORT]))
    (tmp_path / "report.html").unlink()
    assert actions(write(tmp_path, [*LEARNING, REPORT]))["report"] == "make"
