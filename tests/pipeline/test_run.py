"""Runs: the right numbers, only what changed, from where it stopped."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import dask
import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.cli import main
from mksdask.pipeline import run as runner
from mksdask.pipeline import run_pipeline
from mksdask.pipeline.document import read_pipeline
from mksdask.pipeline.journal import Journal
from tests.pipeline.pipelines import CELLS, RESPONSE, SCORES, STAGES, STATISTICS, changed, write


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def actions(path, **options):
    return {r.name: r.action for r in run_pipeline(path, say=None, **options)}


def log(folder):
    return [json.loads(line) for line in (folder / "p.log.jsonl").read_text().splitlines()]


def test_a_cut_line_of_the_log_spoils_no_other(tmp_path):
    journal = Journal(read_pipeline(write(tmp_path)))
    journal.add("run")
    with journal.path.open("a") as file:
        file.write('{"event": "beg')
    journal.add("failed")
    journal.add("done")
    assert [entry["event"] for entry in journal.entries()] == ["run", "failed", "done"]


def test_same_as_the_commands(tmp_path, capsys):
    assert main(["run", str(write(tmp_path))]) == 0
    assert "scores: done in" in capsys.readouterr().out
    by_hand = tmp_path / "by_hand"
    by_hand.mkdir()
    calls = [
        f"generate multiphase {by_hand}/cells.zarr --n-samples 8 --shape 9,8 --grain-size 3 "
        "--fractions 0.4,0.6 --chunks 2",
        f"simulate elasticity {by_hand}/cells.zarr --out {by_hand}/response.zarr --youngs-modulus "
        "1,5 --poissons-ratio 0.3,0.3 --macro-strain xx=0.01 --outputs mean_stress,strain",
        f"statistics {by_hand}/cells.zarr --out {by_hand}/f.zarr --states 2 --cutoff 3 --pairs auto",
        f"reduce {by_hand}/f.zarr --out {by_hand}/scores.zarr --components 3",
    ]
    for call in calls:
        assert main([*call.split(), "--quiet"]) == 0
    for name in ("cells", "response", "f", "scores"):
        got = mks.open_ensemble(tmp_path / f"{name}.zarr").compute()
        wanted = mks.open_ensemble(by_hand / f"{name}.zarr").compute()
        xr.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)
    model = mks.load_model(tmp_path / "pca.zarr")
    got = model.transform(mks.open_ensemble(tmp_path / "f.zarr").two_point)
    np.testing.assert_allclose(got, mks.open_ensemble(tmp_path / "scores.zarr").scores, atol=1e-12)


def test_several_stores_are_joined(tmp_path):
    join = {"name": "both", "do": "join", "from": ["cells", "response"]}
    path = write(tmp_path, [CELLS, RESPONSE, join])
    assert actions(path, dry_run=True)["both"] == "make"
    assert actions(path)["both"] == "make"
    both = mks.open_ensemble(tmp_path / "both.zarr")
    assert set(both.data_vars) == {"phase", "mean_stress", "strain"}
    response = mks.open_ensemble(tmp_path / "response.zarr")
    np.testing.assert_array_equal(both.mean_stress, response.mean_stress)
    assert set(actions(path).values()) == {"keep"}
    path = write(tmp_path, [CELLS, changed(RESPONSE, youngs_modulus=[1, 2]), join])
    assert actions(path) == {"cells": "keep", "response": "make", "both": "make"}


def test_stages_after_one_whose_result_is_not_known(tmp_path, capsys, monkeypatch):
    from dataclasses import replace

    from mksdask.pipeline.commands import COMMANDS

    monkeypatch.setitem(COMMANDS, "statistics", replace(COMMANDS["statistics"], outline=None))
    path = write(tmp_path, [CELLS, STATISTICS, SCORES])
    assert main(["run", str(path), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "f: statistics (make)\n  reads 576 B; the run tells what it writes" in said
    assert "scores: reduce (make)\n  reads 0 B; the run tells" in said
    assert set(actions(path).values()) == {"make"}


def test_a_second_run_does_only_what_changed(tmp_path):
    make, keep = "make", "keep"
    path = write(tmp_path)
    assert actions(path) == dict.fromkeys(("cells", "response", "f", "scores"), make)
    assert actions(path) == dict.fromkeys(("cells", "response", "f", "scores"), keep)
    path = write(tmp_path, [CELLS, RESPONSE, STATISTICS, changed(SCORES, components=2)])
    assert actions(path) == {"cells": keep, "response": keep, "f": keep, "scores": make}
    assert mks.open_ensemble(tmp_path / "scores.zarr").sizes["component"] == 2
    path = write(tmp_path, [CELLS, changed(RESPONSE, youngs_modulus=[1, 9]), *STAGES[2:]])
    assert actions(path) == {"cells": keep, "response": make, "f": keep, "scores": make}
    path = write(tmp_path, [changed(CELLS, seed=5), *STAGES[1:]])
    assert set(actions(path).values()) == {make}
    direct = mks.generate.multiphase(
        shape=(9, 8), n_samples=8, grain_size=3, fractions=(0.4, 0.6), seed=5
    )
    np.testing.assert_array_equal(mks.open_ensemble(tmp_path / "cells.zarr").phase, direct)
    # Written another way, the options are the same.
    path = write(tmp_path, [changed(CELLS, seed="5", shape="9,8"), *STAGES[1:]])
    assert set(actions(path).values()) == {keep}


def test_a_removed_store_is_made_again(tmp_path):
    import shutil

    path = write(tmp_path)
    actions(path)
    shutil.rmtree(tmp_path / "f.zarr")
    assert actions(path) == {"cells": "keep", "response": "keep", "f": "make", "scores": "keep"}


def test_stores_of_others_are_not_touched(tmp_path):
    mine = mks.generate.delta(shape=(5, 5), n_phases=2).to_dataset(name="phase")
    mks.create_ensemble(tmp_path / "f.zarr", mine)
    path = write(tmp_path)
    with pytest.raises(FileExistsError, match=r"stage f: .*f\.zarr exists and was not made by"):
        actions(path)
    xr.testing.assert_equal(mks.open_ensemble(tmp_path / "f.zarr").compute(), mine.compute())
    assert not (tmp_path / "cells.zarr").exists()


def test_a_store_that_has_grown_is_not_made_again(tmp_path):
    path = write(tmp_path, [CELLS])
    actions(path)
    more = mks.open_ensemble(tmp_path / "cells.zarr").compute()
    mks.append_samples(tmp_path / "cells.zarr", more.assign_coords(sample=more.sample + 8))
    with pytest.raises(mks.DataError, match="has been changed since this pipeline wrote it"):
        actions(write(tmp_path, [changed(CELLS, seed=1)]))
    assert mks.open_ensemble(tmp_path / "cells.zarr").sizes["sample"] == 16


def test_changes_of_outside_inputs_are_seen(tmp_path):
    for i in range(3):
        np.save(tmp_path / f"scan{i}.npy", np.eye(6, dtype="uint8") * (i > 0))
    scans = {"name": "cells", "do": "ingest", "with": {"pattern": "scan*.npy"}}
    path = write(tmp_path, [scans, STATISTICS])
    assert actions(path) == {"cells": "make", "f": "make"}
    assert actions(path) == {"cells": "keep", "f": "keep"}
    np.save(tmp_path / "scan3.npy", np.zeros((6, 6), dtype="uint8"))
    assert actions(path) == {"cells": "make", "f": "make"}
    assert mks.open_ensemble(tmp_path / "f.zarr").sizes["sample"] == 4
    outside = tmp_path / "outside"
    outside.mkdir()
    path = write(outside, [{**STATISTICS, "from": "../cells.zarr"}])
    assert actions(path) == {"f": "make"}
    assert actions(path) == {"f": "keep"}
    extra = mks.open_ensemble(tmp_path / "cells.zarr").compute()
    extra = extra.assign_coords(sample=[f"more{i}" for i in range(4)])
    mks.append_samples(tmp_path / "cells.zarr", extra)
    assert actions(path) == {"f": "make"}


def test_a_passing_fault_is_tried_again_and_a_lasting_one_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "FIRST_PAUSE", 0.01)
    path = write(tmp_path, [CELLS, STATISTICS])
    real, faults = runner._run_stage, []

    def faulty(stage, action):
        if stage.name == "f" and faults:
            raise faults.pop()
        real(stage, action)

    monkeypatch.setattr(runner, "_run_stage", faulty)
    faults += [OSError(errno.ESTALE, "Stale file handle")] * 2
    said = []
    results = run_pipeline(path, say=said.append)
    assert [r.retries for r in results] == [0, 2]
    assert sum("trying again" in line for line in said) == 2
    assert [e["event"] for e in log(tmp_path) if e.get("stage") == "f"] == [
        "begin", "retry", "retry", "done",
    ]  # fmt: skip

    path = write(tmp_path, [CELLS, changed(STATISTICS, cutoff=2)])
    faults += [OSError(errno.EIO, "Input/output error")] * 3
    with pytest.raises(OSError, match="Input/output error"):
        run_pipeline(path, retries=2, say=None)
    assert faults == []

    for fault in (mks.DataError("a label"), ValueError("no"), OSError(errno.ENOSPC, "full")):
        faults += [fault] * 2
        with pytest.raises(type(fault)):
            run_pipeline(path, say=None)
        assert len(faults) == 1
        faults.clear()
    assert actions(path) == {"cells": "keep", "f": "make"}


def test_a_bad_file_is_named_and_may_be_left_out(tmp_path):
    for i in range(30):
        np.save(tmp_path / f"scan{i}.npy", np.eye(6, dtype="uint8"))
    (tmp_path / "scan7.npy").write_bytes(b"\x93NUMPY not really")
    scans = {"name": "cells", "do": "ingest", "with": {"pattern": "scan*.npy"}}
    with pytest.raises(mks.DataError, match=r"scan7\.npy"):
        actions(write(tmp_path, [scans, STATISTICS]))
    actions(write(tmp_path, [changed({**scans}, skip_bad=True), STATISTICS]))
    f = mks.open_ensemble(tmp_path / "f.zarr")
    assert f.sizes["sample"] == 29
    assert "scan7" not in f.sample.values


def test_a_bad_sample_is_named_and_the_rest_resumes(tmp_path):
    labels = np.zeros((40, 6, 6), dtype="uint8")
    labels[23, 2, 3] = 9
    phase = xr.DataArray(labels, dims=("sample", "x", "y")).chunk(sample=4)
    mks.create_ensemble(tmp_path / "scans.zarr", phase.to_dataset(name="phase"))
    path = write(tmp_path, [{**STATISTICS, "from": "scans.zarr"}])
    with pytest.raises(mks.DataError, match="9"):
        actions(path)
    (failed,) = [e for e in log(tmp_path) if e["event"] == "failed"]
    assert failed["stage"] == "f"
    assert "DataError" in failed["error"]


def test_the_log_tells_of_versions_parameters_and_memory(tmp_path):
    actions(write(tmp_path, [CELLS, STATISTICS]))
    entries = log(tmp_path)
    assert [e["event"] for e in entries] == ["run", "begin", "done", "begin", "done"]
    assert entries[0]["mksdask"] == mks.__version__
    assert entries[0]["libraries"]["numpy"] == np.__version__
    done = entries[-1]
    assert done["options"]["cutoff"] == "3"
    assert done["seconds"] >= 0
    assert all(50 << 20 < v < 64 << 30 for v in done["peak_memory"].values())


def test_two_drivers_at_once_are_refused(tmp_path):
    from mksdask.ensemble.location import Location

    path = write(tmp_path, [CELLS])
    with (
        Location(tmp_path / ".p.run").lock(),
        pytest.raises(mks.DataError, match="being written by process"),
    ):
        actions(path)


KILLED = """
import sys, time, dask
from mksdask.pipeline import run_pipeline
from mksdask.ensemble import fill

write = fill.BlockWriter.__call__
def slowly(self, *args, **kwargs):
    time.sleep(0.15)
    return write(self, *args, **kwargs)
fill.BlockWriter.__call__ = slowly
with dask.config.set(scheduler="synchronous"):
    run_pipeline(sys.argv[1], say=None)
"""


@pytest.mark.parametrize(
    ("stage", "number"),
    [
        ("f", signal.SIGKILL),
        pytest.param("cells", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("response", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("scores", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("f", signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_driver_killed_in_a_stage_continues(tmp_path, stage, number):
    path = write(tmp_path, [CELLS, {**changed(RESPONSE, outputs="strain")}, *STAGES[2:]])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # The components are written at once, in the end: killed before they are there.
    variable = {"cells": "phase", "response": "strain", "f": "two_point"}.get(stage)
    blocks = f"{stage}.zarr/{variable}/c/*" if variable else "scores.zarr/**/c/*"
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if list(tmp_path.glob(blocks)):
            break
        time.sleep(0.005)
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode != 0, "the run ended before it was killed"
    if number == signal.SIGTERM:
        assert b"Stopped: SIGTERM" in said
    found = actions(path)
    order = list(found)
    assert all(found[s] == "keep" for s in order[: order.index(stage)])
    assert found[stage] == ("resume" if stage != "scores" else "make")
    whole = tmp_path / "whole"
    whole.mkdir()
    actions(write(whole, [CELLS, {**changed(RESPONSE, outputs="strain")}, *STAGES[2:]]))
    for name in found:
        got = mks.open_ensemble(tmp_path / f"{name}.zarr").compute()
        xr.testing.assert_allclose(
            got, mks.open_ensemble(whole / f"{name}.zarr").compute(), rtol=1e-10, atol=1e-12
        )
    assert set(actions(path).values()) == {"keep"}
