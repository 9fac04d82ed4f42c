"""The driver as a Slurm job: it ends, it is queued again near its limit, it is cancelled."""

import re
import shutil
import subprocess
import time

import numpy as np
import pytest

import mksdask as mks
from mksdask.cli import main
from mksdask.cluster import ClusterError
from mksdask.pipeline import read_pipeline, run_pipeline
from mksdask.pipeline.submit import driver_state, queue_again, submit_pipeline
from tests.pipeline.pipelines import CELLS, RESPONSE, STAGES, changed, write
from tests.system.servers import need_slurm

CLUSTER = "kind: slurm\nn_workers: 2\nmemory: 900 MiB\nwalltime: '00:10:00'\ninterface: lo\n"


def wait_for(condition, what, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


@pytest.fixture(autouse=True)
def _empty_queue():
    """Nothing of a test that fails is left to run on beside the next ones."""
    yield
    if shutil.which("scancel"):
        subprocess.run(["scancel", "--name=mksdask-p,dask-worker"], capture_output=True)


def call(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_near_its_limit_a_driver_is_queued_again_and_continues(tmp_path, capsys):
    need_slurm()
    # Long enough to be stopped in the middle: many chunks.
    path = write(tmp_path, [changed(CELLS, n_samples=300, chunks=1), *STAGES[1:]])
    (tmp_path / "slurm.yaml").write_text(CLUSTER)
    command = ["cluster", "submit", str(path), f"--cluster={tmp_path}/slurm.yaml"]
    assert main([*command, "--walltime=00:10:00", "--memory=1 GiB"]) == 0
    job = re.match(r"job (\d+)", capsys.readouterr().out)[1]
    with pytest.raises(ClusterError, match=f"job {job} runs p already"):
        submit_pipeline(path, tmp_path / "slurm.yaml")
    blocks = tmp_path / "cells.zarr" / "phase" / "c"
    wait_for(lambda: blocks.exists() and len(list(blocks.iterdir())) > 5, "no block was written")
    # What Slurm sends when the limit is near.
    call("scancel", "--batch", "--signal=USR1", job)
    log = tmp_path / "p.driver.log"
    wait_for(lambda: "queued again" in log.read_text(), "it was not queued again")
    pipeline = read_pipeline(path)
    wait_for(lambda: "PENDING" in driver_state(pipeline)["state"], "it is not in the queue")
    assert driver_state(pipeline)["stages"]["cells"] == "begun"
    # Slurm would wait two minutes; the node takes no job again that it has just seen killed.
    call("scontrol", "update", f"JobId={job}", "StartTime=now+15")
    wait_for(lambda: driver_state(pipeline)["state"] == "not in the queue", "it does not end")
    assert main(["cluster", "logs", str(path)]) == 0
    assert "scores: done in" in capsys.readouterr().out
    assert main(["cluster", "status", str(path)]) == 0
    assert "scores: done in" in capsys.readouterr().out
    entries = (tmp_path / "p.log.jsonl").read_text()
    assert '"action": "resume"' in entries
    here = tmp_path / "here"
    here.mkdir()
    run_pipeline(write(here, [changed(CELLS, n_samples=300, chunks=1), *STAGES[1:]]), say=None)
    for name in ("cells", "response", "f", "scores"):
        got = mks.open_ensemble(tmp_path / f"{name}.zarr").compute()
        wanted = mks.open_ensemble(here / f"{name}.zarr").compute()
        for variable in wanted.data_vars:
            np.testing.assert_allclose(got[variable], wanted[variable], rtol=1e-10, atol=1e-10)
    assert main(["cluster", "cancel", str(path)]) == 2
    assert "no job of p is in the queue" in capsys.readouterr().err


# Two workers need 130 s for 130 blocks whatever the machine: more than the two minutes less the
# start of the workers that Slurm, which looks every 30 s, can give the driver before its notice.
SLOW = """
import time
from mksdask.ensemble import fill

def slowly(self, block, index, write=fill.BlockWriter.__call__):
    if self.name == "phase":
        time.sleep(2)
    return write(self, block, index)

if fill.BlockWriter.__call__.__name__ != "slowly":  # nanny and worker may load this in one process
    fill.BlockWriter.__call__ = slowly
"""


@pytest.mark.slow
def test_driver_and_workers_reach_their_limits(tmp_path, capsys):
    """By the clock of Slurm: workers after a minute, the driver a minute before its three are over."""
    need_slurm()
    stages = [changed(CELLS, n_samples=130, chunks=1), RESPONSE]
    path = write(tmp_path, stages)
    (tmp_path / "slow.py").write_text(SLOW)
    prologue = f"prologue: ['export DASK_DISTRIBUTED__WORKER__PRELOAD={tmp_path}/slow.py']\n"
    (tmp_path / "slurm.yaml").write_text(CLUSTER.replace("00:10:00", "00:01:00") + prologue)
    job = submit_pipeline(
        path, tmp_path / "slurm.yaml", walltime="00:03:00", memory="1 GiB", notice=60
    )
    log = tmp_path / "p.driver.log"
    wait_for(lambda: log.exists() and "queued again" in log.read_text(), "its limit was not near")
    logs = [p.read_text() for p in (tmp_path / "mksdask-logs").iterdir()]
    assert any("DUE TO TIME LIMIT" in text for text in logs), "no worker has reached its limit"
    pipeline = read_pipeline(path)
    wait_for(lambda: "PENDING" in driver_state(pipeline)["state"], "it is not in the queue")
    assert driver_state(pipeline)["stages"]["cells"] == "begun"
    call("scontrol", "update", f"JobId={job}", "StartTime=now+15")
    wait_for(lambda: driver_state(pipeline)["state"] == "not in the queue", "it does not end", 700)
    assert "Traceback" not in log.read_text()
    assert '"action": "resume"' in (tmp_path / "p.log.jsonl").read_text()
    assert driver_state(pipeline)["stages"]["response"].startswith("done in")
    here = tmp_path / "here"
    here.mkdir()
    run_pipeline(write(here, stages), say=None)
    for name, variable in (("cells", "phase"), ("response", "strain")):
        assert mks.validate_ensemble(tmp_path / f"{name}.zarr") == []
        got = mks.open_ensemble(tmp_path / f"{name}.zarr")[variable]
        wanted = mks.open_ensemble(here / f"{name}.zarr")[variable]
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_a_cancelled_driver_takes_its_workers_with_it(tmp_path, capsys):
    need_slurm()
    path = write(tmp_path, [changed(CELLS, n_samples=2000, chunks=1)])
    (tmp_path / "slurm.yaml").write_text(f"{CLUSTER}shared_directory: {tmp_path}/shared\n")
    job = submit_pipeline(path, tmp_path / "slurm.yaml", walltime="00:10:00", memory="1 GiB")
    blocks = tmp_path / "cells.zarr" / "phase" / "c"
    wait_for(lambda: blocks.exists() and len(list(blocks.iterdir())) > 5, "no block was written")
    assert main(["cluster", "cancel", str(path)]) == 0
    assert f"job {job} is cancelled" in capsys.readouterr().out
    listed = ["squeue", "--noheader", "--name=dask-worker,mksdask-p"]
    wait_for(lambda: not call(*listed).strip(), "jobs are left in the queue", 90)
    assert list((tmp_path / "shared").iterdir()) == []
    results = run_pipeline(path, say=None)
    assert [r.action for r in results] == ["resume"]
    assert mks.validate_ensemble(tmp_path / "cells.zarr") == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"walltime": "long"}, "walltime is 'long'"),
        ({"memory": "much"}, "memory is 'much'"),
        ({"notice": 1}, "notice is 1; wanted a whole number of at least 30"),
        ({"requeues": -1}, "requeues is -1"),
        ({"cluster": None}, "the workers would run on None; .* wants --cluster"),
        ({"cluster": "tcp://localhost:1"}, "the workers would run on address"),
    ],
)
def test_bad_calls(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        submit_pipeline(write(tmp_path), **{"cluster": "local", **options})
    assert [p.name for p in tmp_path.iterdir()] == ["p.yaml"]


def test_before_anything_is_submitted(tmp_path, capsys):
    path = write(tmp_path)
    assert main(["cluster", "status", str(path)]) == 0
    assert "never submitted\ncells: not begun" in capsys.readouterr().out
    assert main(["cluster", "logs", str(path)]) == 2
    assert "has printed anything yet" in capsys.readouterr().err


def test_a_job_is_not_queued_again_for_ever(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "3")
    assert not queue_again(3)
    monkeypatch.delenv("SLURM_JOB_ID")
    assert not queue_again(30)


def test_without_slurm_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ClusterError, match="there is no sbatch here"):
        submit_pipeline(write(tmp_path), "local")
