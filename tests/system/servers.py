"""Servers that system tests need, or the reason why they cannot be had."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def need_slurm():
    """Skip unless a Slurm answers; `.ci/slurm start` starts one."""
    if shutil.which("sinfo") is None:
        pytest.skip("there is no Slurm here (.ci/slurm start)")
    call = ["sinfo", "--noheader", "--states=idle,alloc,mix,comp", "--format=%T"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=30)
    if done.returncode or not done.stdout.strip():
        pytest.skip(f"Slurm has no node for us (.ci/slurm start): {done.stderr}")
    pytest.importorskip("dask_jobqueue")


@contextmanager
def ssh_server(folder):
    """A server for the user of this process alone; yields the settings to log in with."""
    sshd, keygen = shutil.which("sshd", path="/usr/sbin:/usr/bin"), shutil.which("ssh-keygen")
    if sshd is None or keygen is None:
        pytest.skip("there is no sshd here (Debian's package openssh-server)")
    pytest.importorskip("asyncssh")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        call = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(call, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    keys = folder / "authorized"
    keys.write_bytes((folder / "user.pub").read_bytes())
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {keys}\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f"StrictModes no\nUsePAM no\nSetEnv PYTHONPATH={ROOT}\n"
    )
    known = folder / "known"
    known.write_text(f"[localhost]:{port} {(folder / 'host.pub').read_text()}")
    log = folder / "sshd.log"
    process = subprocess.Popen([sshd, "-D", "-E", str(log), "-f", str(config)])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                pytest.skip(f"sshd does not run here: {log.read_text()}")
            time.sleep(0.1)
        yield {
            "kind": "ssh",
            "hosts": ["localhost"],
            "port": port,
            "username": pwd.getpwuid(os.geteuid()).pw_name,
            "identity": str(folder / "user"),
            "known_hosts": str(known),
        }
    finally:
        process.kill()
        process.wait()
