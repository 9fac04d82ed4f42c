"""Real Slurm and real SSH: the same numbers, protected, and nothing left behind."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.cluster import ClusterError, connect
from tests.cluster.sockets import LOOPBACK, listening_addresses
from tests.system.servers import need_slurm, ssh_server

pytestmark = pytest.mark.slow


def check_numbers():
    phase = mks.generate.multiphase(
        shape=(12, 12, 12), n_samples=8, fractions=(0.4, 0.6), grain_size=4, seed=3, chunks=2
    )
    f = mks.two_point_statistics(phase, mks.PrimitiveBasis(2), cutoff=4)
    mean = mks.simulate.elasticity(
        phase, youngs_modulus=(1, 5), poissons_ratio=(0.3, 0.3), macro_strain=0.01,
        outputs=("mean_stress",),
    ).mean_stress  # fmt: skip
    both = xr.Dataset({"f": f, "mean": mean})
    (got,) = mks.compute(both, progress=False)
    wanted = both.compute(scheduler="synchronous")
    for name in both:
        np.testing.assert_allclose(got[name], wanted[name], rtol=1e-10, atol=1e-10)


def check_protection(client):
    assert client.scheduler.address.startswith("tls://")
    settings = client.run(lambda: {k: os.environ.get(k) for k in ("OMP_NUM_THREADS",)})
    assert {s["OMP_NUM_THREADS"] for s in settings.values()} == {"1"}
    pages = client.run(lambda dask_worker: dask_worker.http_server.address)
    assert set(pages.values()) <= {"127.0.0.1", "::1"}
    return client.run(os.getpid).values()


def test_slurm(tmp_path, monkeypatch):
    need_slurm()
    monkeypatch.chdir(tmp_path)
    shared = tmp_path / "shared"
    settings = {
        "kind": "slurm", "n_workers": 2, "memory": "900 MiB", "walltime": "00:10:00",
        "interface": "lo", "wait_for": 2, "timeout": 120, "shared_directory": str(shared),
    }  # fmt: skip
    with connect(settings) as client:
        (keys,) = shared.iterdir()
        assert {oct(p.stat().st_mode)[-3:] for p in (keys, *keys.iterdir())} == {"700", "600"}
        pids = check_protection(client)
        assert listening_addresses(pids) <= {LOOPBACK, "0" * 24 + "01000000"}  # interface lo
        check_numbers()
        jobs = set(queued())
        assert len(jobs) == 2
        subprocess.run(["scancel", min(jobs)], check=True)
        check_numbers()  # on the worker that is left
        deadline = time.monotonic() + 90
        while not len(queued()) == len(client.scheduler_info(n_workers=-1)["workers"]) == 2:
            assert time.monotonic() < deadline, "the lost job was not replaced"
            time.sleep(0.5)
        assert set(queued()) != jobs
        check_numbers()
    assert list(shared.iterdir()) == []
    deadline = time.monotonic() + 60
    while queued():
        assert time.monotonic() < deadline, "jobs are left in the queue"
        time.sleep(0.5)


def queued():
    listed = ["squeue", "--noheader", "--name=dask-worker", "--states=R,PD", "--format=%i"]
    return subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()


def test_what_slurm_refuses_is_said(tmp_path, monkeypatch):
    need_slurm()
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(ClusterError, match="Slurm refuses the worker jobs: .*partition"),
        connect("slurm", n_workers=1, memory="1 GiB", queue="nowhere", dashboard=False),
    ):
        pass


def test_ssh(tmp_path):
    before = set(Path("/tmp").glob("mksdask-*"))
    with ssh_server(tmp_path) as spec:
        with connect(spec, n_workers=2, memory="900 MiB", wait_for=2, dashboard=False) as client:
            check_protection(client)
            (folder,) = set(Path("/tmp").glob("mksdask-*")) - before
            assert {oct(p.stat().st_mode)[-3:] for p in (folder, *folder.iterdir())} == {
                "700",
                "600",
            }
            check_numbers()
        assert not folder.exists()
        with (
            pytest.raises(ClusterError, match="cannot use localhost by SSH"),
            connect(spec, identity=str(tmp_path / "host")),
        ):
            pass
