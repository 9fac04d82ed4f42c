"""Clusters on this machine: what they compute, who gets in, and what listens."""

import logging
import os
import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import mksdask as mks
from mksdask.cluster import ClusterError, connect, make_certificates
from tests.cluster.sockets import LOOPBACK, listening_addresses

SMALL = {"n_workers": 2, "threads_per_worker": 1, "memory": "700 MiB"}


@pytest.fixture(scope="module")
def client():
    before = dict(os.environ)
    os.environ["OMP_NUM_THREADS"] = "16"
    try:
        with connect("local", **SMALL) as client:
            yield client
        assert os.environ["OMP_NUM_THREADS"] == "16"
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_same_numbers_as_on_one_thread(client):
    labels = np.random.default_rng(0).integers(0, 2, (12, 9, 8)).astype("uint8")
    phase = xr.DataArray(labels, dims=("sample", "x", "y")).chunk(sample=3)
    f = mks.two_point_statistics(phase, mks.PrimitiveBasis(2), cutoff=3)
    (got,) = mks.compute(f, progress=False)
    np.testing.assert_allclose(got, f.compute(scheduler="synchronous"), rtol=0, atol=1e-12)
    assert len({w["id"] for w in info(client).values()}) == 2


def info(client):
    return client.scheduler_info(n_workers=-1)["workers"]


def test_workers_are_as_asked(client):
    assert {w["nthreads"] for w in info(client).values()} == {1}
    assert {w["memory_limit"] for w in info(client).values()} == {700 << 20}


def test_libraries_run_one_thread(client):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    seen = client.run(lambda: [os.environ.get(n) for n in names])
    assert list(seen.values()) == [["1"] * len(names)] * 2

    def threads():
        import numba

        return numba.get_num_threads()

    assert set(client.run(threads).values()) == {1}


def test_nothing_listens_beyond_this_machine(client):
    pids = [os.getpid(), *client.run(os.getpid).values()]
    found = listening_addresses(pids)
    assert LOOPBACK in found
    assert {a for a in found if a not in (LOOPBACK, "0" * 24 + "01000000")} == set()


# A process of its own: what a client that was refused leaves behind ends with it.
STRANGER = """
import os, sys
from distributed import Client
from distributed.security import Security
from mksdask.cluster.certificates import new_credentials

address, kind = sys.argv[1:]
security = {
    "another authority": lambda: new_credentials().security(),
    "no certificate": lambda: Security(require_encryption=False),
    "no encryption": lambda: None,
}[kind]()
if security is None:
    address = address.replace("tls", "tcp")
try:
    Client(address, security=security, timeout=2)
    print("connected", flush=True)
except (OSError, TypeError, RuntimeError, TimeoutError) as error:
    print("refused", flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("kind", ["another authority", "no certificate", "no encryption"])
def test_strangers_are_refused(client, kind):
    address = client.scheduler.address
    assert address.startswith("tls://127.0.0.1:")
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, address, kind],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == "refused\n", done.stderr


def test_a_handshake_needs_the_certificate(client):
    address = client.scheduler.address
    worker = next(iter(info(client)))
    code = (
        "import socket, ssl, sys\n"
        "host, port = sys.argv[1].removeprefix('tls://').split(':')\n"
        "context = ssl._create_unverified_context()\n"
        "with context.wrap_socket(socket.create_connection((host, int(port)), timeout=20)) as s:\n"
        "    s.settimeout(5)\n"
        "    s.recv(1)\n"  # the refusal of the server arrives with the first byte
    )
    for place in (address, worker):
        done = subprocess.run([sys.executable, "-c", code, place], capture_output=True, text=True)
        assert "ssl.SSLError" in done.stderr, place
        assert "CERTIFICATE_REQUIRED" in done.stderr.upper()


SCHEDULER = """
import asyncio, sys
from distributed import Scheduler, Worker
from mksdask.cluster.certificates import stored_credentials

async def main():
    security = stored_credentials(sys.argv[1]).security()
    options = dict(host="127.0.0.1", protocol="tls", security=security)
    async with Scheduler(**options, dashboard=False, dashboard_address="127.0.0.1:0") as scheduler:
        async with Worker(scheduler.address, nthreads=1, **options):
            print(scheduler.address, flush=True)
            await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


def test_a_running_scheduler(tmp_path):
    keys = make_certificates(tmp_path / "keys")
    process = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER, str(keys)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        address = process.stdout.readline().strip()
        with connect(address, tls=str(keys)) as client:
            assert len(info(client)) == 1
            assert da.ones(4).sum().compute() == 4
        other = make_certificates(tmp_path / "other")
        with (
            pytest.raises(ClusterError, match="does not answer, or refuses the certificate"),
            connect(address, tls=str(other), timeout=1),
        ):
            pass
        assert process.poll() is None
        other.rename(tmp_path / "moved")
        with (
            pytest.raises(FileNotFoundError, match="no certificate"),
            connect(address, tls=str(other)),
        ):
            pass
    finally:
        process.communicate("", timeout=30)


def test_too_few_workers_are_said(tmp_path):
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster,
        pytest.raises(ClusterError, match=r"0 of 1 workers came within 3 s: start some"),
        connect(cluster.scheduler_address, timeout=3),
    ):
        pass


def test_workers_without_the_package_are_said(monkeypatch):
    from distributed import Client

    monkeypatch.setattr(Client, "run", lambda self, *args: {"tls://node7:1": None})
    from mksdask.cluster.connect import _check_workers

    with pytest.raises(ClusterError, match=r"1 workers has no mksdask, .*node7:1: install it"):
        _check_workers(Client.__new__(Client))


def test_the_dashboard_is_announced(capfd):
    with connect("local", n_workers=1, memory="500 MiB") as client:
        assert info(client)
    assert "dashboard: http://localhost:" in capfd.readouterr().err


def test_what_a_closed_client_leaves_is_not_logged():
    from distributed.client import AllExit

    from mksdask.cluster.connect import _means_something

    def record(error):
        about = (type(error), error, None)
        return logging.LogRecord("asyncio", logging.ERROR, "", 0, "never retrieved", None, about)

    assert not _means_something(record(AllExit()))
    assert _means_something(record(ValueError()))
