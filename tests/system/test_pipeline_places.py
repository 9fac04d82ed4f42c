"""The demonstration on processes, on Slurm, submitted to it, and by SSH: the numbers of one thread."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import dask
import numpy as np
import pytest
import yaml

import mksdask as mks
from mksdask.cli import main
from mksdask.pipeline import read_pipeline, run_pipeline
from mksdask.pipeline.plan import plan_pipeline
from tests.system.servers import need_slurm, ssh_server

pytestmark = pytest.mark.slow
pytest.importorskip("matplotlib")

DEMO = Path(__file__).parents[2] / "deploy" / "demo.yaml"
NAMES = ("cells", "response", "statistics", "scores", "both", "predicted", "fields")
TWO = {"n_workers": 2, "memory": "900 MiB", "dashboard": False, "wait_for": 2}
SLURM = {"kind": "slurm", "walltime": "00:10:00", "interface": "lo", "timeout": 200, **TWO}


def results(folder):
    return {
        name: mks.open_ensemble(folder / "demo-results" / f"{name}.zarr").compute()
        for name in NAMES
    }


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wanted")
    shutil.copy(DEMO, folder)
    with dask.config.set(scheduler="synchronous"):
        run_pipeline(folder / "demo.yaml", say=None)
    return results(folder)


@pytest.fixture
def demo(tmp_path):
    return Path(shutil.copy(DEMO, tmp_path))


def check(path, wanted):
    found = results(path.parent)
    for name in NAMES:
        for variable in wanted[name].data_vars:
            np.testing.assert_allclose(
                found[name][variable], wanted[name][variable], rtol=1e-10, atol=1e-10, err_msg=name
            )
    page = (path.parent / "demo-results" / "report.html").read_text()
    assert "R^2 of 16 samples kept out 0.99" in page


def test_two_processes(demo, wanted):
    run_pipeline(demo, {"kind": "local", **TWO}, say=None)
    check(demo, wanted)
    plans = {p.name: p for p in plan_pipeline(read_pipeline(demo))}
    for line in (demo.parent / "demo-results" / "demo.log.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["event"] == "done":
            # What the dry run says is enough.
            assert max(entry["peak_memory"].values()) < plans[entry["stage"]].memory(1)


def test_slurm(demo, monkeypatch, wanted):
    need_slurm()
    monkeypatch.chdir(demo.parent)
    run_pipeline(demo, SLURM, say=None)
    check(demo, wanted)


def test_submitted_to_slurm(demo, wanted, capsys):
    need_slurm()
    cluster = demo.with_name("slurm.yaml")
    cluster.write_text(yaml.safe_dump(SLURM))
    call = ["cluster", "submit", str(demo), f"--cluster={cluster}", "--walltime=00:10:00"]
    assert main([*call, "--memory=1 GiB"]) == 0
    deadline = time.monotonic() + 300
    while capsys.readouterr().out.count("done in") < 10:
        assert time.monotonic() < deadline, subprocess.getoutput(
            f"tail {demo.parent}/*/*.driver.log"
        )
        time.sleep(1)
        assert main(["cluster", "status", str(demo)]) == 0
    check(demo, wanted)


def test_ssh(demo, wanted):
    keys = demo.parent / "keys"
    keys.mkdir()
    with ssh_server(keys) as spec:
        run_pipeline(demo, {**spec, **TWO}, say=None)
    check(demo, wanted)
