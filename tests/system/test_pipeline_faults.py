"""What clusters do to runs: each ends with the right numbers, or with a clear word and can go on."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from distributed import get_client

import mksdask as mks
from mksdask.cluster import ClusterError, make_certificates
from mksdask.pipeline import run as runner
from mksdask.pipeline import run_pipeline
from tests.pipeline.pipelines import CELLS, LEARNING, SCORES, STATISTICS, changed, write

pytestmark = pytest.mark.slow

MANY = changed(CELLS, n_samples=40, chunks=1, shape=[16, 16, 16], grain_size=4)
FIELDS = {
    "name": "response",
    "do": "simulate elasticity",
    "from": "cells",
    "with": {
        "youngs_modulus": [1, 5], "poissons_ratio": [0.3, 0.3], "macro_strain": {"xx": 0.01},
        "outputs": "strain",
    },
}  # fmt: skip
STAGES = [MANY, FIELDS, STATISTICS, SCORES]
NAMES = ("cells", "response", "f", "scores")
# What learns from the same cells, up to the page in the end.
REPORT = {"name": "report", "do": "report", "from": ["both", "fit", "predicted", "fields"]}
ALL = [MANY, *LEARNING[1:], REPORT]
LEARNT = ("both", "fit", "predicted", "kernel", "fields", "report")
LOCAL = {"kind": "local", "n_workers": 2, "memory": "900 MiB", "dashboard": False}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    """The numbers of an undisturbed run without a cluster."""
    folder = tmp_path_factory.mktemp("wanted")
    run_pipeline(write(folder, STAGES), say=None)
    return {name: mks.open_ensemble(folder / f"{name}.zarr").compute() for name in NAMES}


def check(folder, wanted, names=NAMES):
    for name in names:
        got = mks.open_ensemble(folder / f"{name}.zarr").compute()
        for variable in wanted[name].data_vars:
            np.testing.assert_allclose(
                got[variable], wanted[name][variable], rtol=1e-10, atol=1e-10, err_msg=name
            )
        assert mks.validate_ensemble(folder / f"{name}.zarr") == []


def under_way(stage):
    """Some blocks of many are written, or the only one is about to be."""
    variable, blocks = {
        "cells": ("phase", 3),
        "response": ("strain", 0),
        "f": ("two_point", 3),
    }.get(stage.name, (None, 0))
    if variable is None:
        return any(get_client().processing().values())
    folder = Path(stage.store) / variable
    return folder.exists() if not blocks else len(list(folder.glob("c/*"))) >= blocks


@pytest.fixture
def interfere(monkeypatch):
    """Do something while a stage is under way: once some of its blocks are written."""
    done = []

    def arrange(name, action):
        real = runner._run_stage

        def run(stage, how):
            if stage.name != name or done:
                return real(stage, how)
            over = threading.Event()

            def watch():
                while not over.wait(0.005):
                    if under_way(stage):
                        action()
                        done.append(name)
                        return

            thread = threading.Thread(target=watch)
            thread.start()
            try:
                return real(stage, how)
            finally:
                over.set()
                thread.join()

        monkeypatch.setattr(runner, "_run_stage", run)

    yield arrange
    assert done, "the stage ended before anything was done to it"


def worker_pids():
    return list(get_client().run(os.getpid).values())


@pytest.mark.parametrize("stage", NAMES)
def test_a_worker_is_killed_in_a_stage(tmp_path, interfere, wanted, stage):
    interfere(stage, lambda: os.kill(worker_pids()[0], signal.SIGKILL))
    run_pipeline(write(tmp_path, STAGES), LOCAL, say=None)
    check(tmp_path, wanted)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learnt")
    run_pipeline(write(folder, ALL), say=None)
    return {n: mks.open_ensemble(folder / f"{n}.zarr").compute() for n in ("predicted", "fields")}


@pytest.mark.parametrize("stage", LEARNT)
def test_a_worker_is_killed_while_it_learns(tmp_path, interfere, learnt, stage):
    pytest.importorskip("matplotlib")
    interfere(stage, lambda: os.kill(worker_pids()[0], signal.SIGKILL))
    run_pipeline(write(tmp_path, ALL), LOCAL, say=None)
    check(tmp_path, learnt, learnt)
    assert "R^2 of 10 samples kept out" in (tmp_path / "report.html").read_text()


def test_a_worker_is_killed_while_it_ingests(tmp_path, interfere):
    scans = np.random.default_rng(0).integers(0, 2, (100, 24, 24, 24)).astype("uint8")
    for i, scan in enumerate(scans):
        np.save(tmp_path / f"scan{i}.npy", scan)
    interfere("cells", lambda: os.kill(worker_pids()[0], signal.SIGKILL))
    # Blocks of one sample.
    ingest = {"pattern": "scan*.npy", "memory": "1 MiB"}
    stage = {"name": "cells", "do": "ingest", "with": ingest}
    run_pipeline(write(tmp_path, [stage]), LOCAL, say=None)
    got = mks.open_ensemble(tmp_path / "cells.zarr")
    np.testing.assert_array_equal(got.phase, scans)
    assert mks.validate_ensemble(tmp_path / "cells.zarr") == []


def test_all_workers_are_killed(tmp_path, interfere, wanted):
    def kill_all():
        for pid in worker_pids():
            os.kill(pid, signal.SIGKILL)

    interfere("f", kill_all)
    run_pipeline(write(tmp_path, STAGES), LOCAL, say=None)
    check(tmp_path, wanted)


def test_the_scratch_folder_is_lost(tmp_path, interfere, wanted):
    scratch = tmp_path / "scratch"
    interfere("f", lambda: shutil.rmtree(scratch, ignore_errors=True))
    run_pipeline(write(tmp_path, STAGES), {**LOCAL, "scratch": str(scratch)}, say=None)
    check(tmp_path, wanted)


def test_a_chunk_too_large_for_a_worker(tmp_path):
    # 220 MiB of statistics in one chunk, for workers of 450 MiB that hold 300 already.
    large = changed(CELLS, n_samples=160, chunks=160, shape=[39, 39, 39])
    stages = [large, changed(STATISTICS, cutoff=None, pairs="all")]
    run_pipeline(write(tmp_path, stages[:1]), say=None)
    small = {**LOCAL, "n_workers": 1, "memory": "450 MiB"}
    with pytest.raises(
        ClusterError, match=r"stage f: .* needs about .* Chunks of (\d+) sample"
    ) as e:
        run_pipeline(write(tmp_path, stages), small, say=None)
    fits = int(str(e.value).partition("`chunks: ")[2].partition("`")[0])
    assert 1 <= fits < 20
    # With the chunks it names, the same worker does it (on fewer samples, for the time it takes).
    fitting = [changed(large, n_samples=4 * fits, chunks=fits), stages[1]]
    run_pipeline(write(tmp_path, fitting), small, say=None)
    assert mks.open_ensemble(tmp_path / "f.zarr").sizes["sample"] == 4 * fits


@contextmanager
def disk(folder, size):
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a file system here")
    try:
        yield lambda options: subprocess.run(
            ["mount", "-o", f"remount,{options}", str(folder)], check=True
        )
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_the_disk_is_full_and_then_larger(tmp_path, wanted):
    with disk(tmp_path / "disk", "2m") as remount:
        path = write(tmp_path / "disk", STAGES)
        with pytest.raises(OSError, match="[Nn]o space left"):
            run_pipeline(path, LOCAL, say=None)
        remount("size=100m")
        results = run_pipeline(path, LOCAL, say=None)
        assert "resume" in {r.action for r in results}
        check(tmp_path / "disk", wanted)


def test_the_store_becomes_read_only(tmp_path, interfere, wanted):
    store = str(tmp_path / "response.zarr")
    if os.geteuid() != 0:
        pytest.skip("cannot mount a file system here")
    mounted = []

    def protect():
        # Seen through another mount, which is read-only, as after a fault of a file server.
        subprocess.run(["mount", "--bind", store, store], check=True)
        mounted.append(store)
        remount = ["mount", "-o", "remount,ro,bind", store]
        for _ in range(2000):  # busy as long as a file is open for writing
            if not subprocess.run(remount, capture_output=True).returncode:
                return
            time.sleep(0.002)
        raise AssertionError("the store could not be mounted read-only")

    interfere("response", protect)
    path = write(tmp_path, STAGES)
    try:
        with pytest.raises(OSError, match="[Rr]ead-only|cannot write"):
            run_pipeline(path, say=None)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", store], check=True)
    run_pipeline(path, LOCAL, say=None)
    check(tmp_path, wanted)


SCHEDULER = """
import asyncio, sys
from distributed import Nanny, Scheduler
from mksdask.cluster.certificates import stored_credentials

async def main():
    security = stored_credentials(sys.argv[1]).security()
    options = dict(host="127.0.0.1", protocol="tls", security=security)
    async with Scheduler(**options, dashboard=False, dashboard_address="127.0.0.1:0") as scheduler:
        async with Nanny(scheduler.address, nthreads=1, memory_limit=9e8, **options):
            print(scheduler.address, flush=True)
            await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_the_scheduler_is_gone(tmp_path, interfere, wanted):
    keys = make_certificates(tmp_path / "keys")
    script = tmp_path / "scheduler.py"
    script.write_text(SCHEDULER)
    process = subprocess.Popen(
        [sys.executable, str(script), str(keys)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        address = process.stdout.readline().strip()
        interfere("f", process.kill)
        path = write(tmp_path, STAGES)
        with pytest.raises(ClusterError, match="stage f: the scheduler is gone"):
            run_pipeline(path, {"address": address, "tls": str(keys)}, say=None)
    finally:
        process.kill()
        process.communicate()
    results = run_pipeline(path, say=None)
    assert [r.action for r in results] == ["keep", "keep", "resume", "make"]
    check(tmp_path, wanted)
