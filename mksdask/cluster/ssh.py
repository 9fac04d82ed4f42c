"""Workers on other machines, by SSH."""

from __future__ import annotations

import logging
import secrets
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mksdask.cluster.certificates import (
    CERTIFICATE,
    KEY,
    Credentials,
    given_credentials,
    new_credentials,
)
from mksdask.cluster.faults import ClusterError
from mksdask.cluster.pinning import PINNED, PINNED_INSIDE
from mksdask.cluster.settings import ClusterSettings
from mksdask.cluster.started import DASHBOARD_PORT, Started
from mksdask.errors import missing_extra


@contextmanager
def started_ssh(settings: ClusterSettings) -> Iterator[Started]:
    """Start the scheduler on the first host and workers on all; keys go there by SSH too."""
    try:
        import asyncssh  # noqa: F401
    except ImportError:
        raise missing_extra("asyncssh", "cluster", "starting workers by SSH") from None
    from distributed import SSHCluster

    hosts: list[str] = settings.get("hosts")
    login = _login(settings)
    dashboard = settings.get("dashboard", True)
    tls = settings.get("tls", True)
    protocol = "tls://" if tls else "tcp://"
    shared: dict[str, Any] = {"protocol": protocol, "interface": settings.get("interface")}
    with ExitStack() as stack:
        security = None
        if tls:
            held = new_credentials() if tls is True else _texts(given_credentials(tls))
            remote = stack.enter_context(_delivered(hosts, login, held))
            security = held.security()
            shared["security"] = _as_options(remote)
        worker = {
            **shared,
            "n_workers": settings.get("n_workers", len(hosts)) // len(hosts),
            "nthreads": settings.get("threads_per_worker", 1),
            "memory_limit": settings.get("memory", "auto"),
            "local_directory": settings.get("scratch"),
            "env": PINNED_INSIDE,
            "dashboard": False,
            "dashboard_address": "localhost:0",
        }
        address = dashboard if isinstance(dashboard, str) else f"localhost:{DASHBOARD_PORT}"
        scheduler = {
            **shared,
            "dashboard": dashboard is not False,
            "dashboard_address": address if dashboard else "localhost:0",
        }
        python = settings.get("python", sys.executable)
        pinned = " ".join(f"{k}={v}" for k, v in PINNED.items())
        try:
            cluster = stack.enter_context(
                SSHCluster(
                    [hosts[0], *hosts],
                    connect_options=login,
                    worker_options={k: v for k, v in worker.items() if v is not None},
                    scheduler_options={k: v for k, v in scheduler.items() if v is not None},
                    remote_python=f"env {pinned} {shlex.quote(python)}",
                    security=security,
                    silence_logs=logging.WARNING,
                )
            )
        except Exception as error:  # asyncssh, distributed and the remote shell have many
            raise ClusterError(
                f"the cluster on {', '.join(hosts)} did not start: {error}; see that `ssh {hosts[0]} "
                f"{python} -c 'import mksdask'` works without a password"
            ) from error
        yield Started(
            cluster,
            cluster.scheduler_address,
            security,
            settings.get("n_workers", len(hosts)),
            dashboard=_link(cluster, dashboard, hosts[0]),
        )


def _login(settings: ClusterSettings) -> dict[str, Any]:
    options = {
        "username": settings.get("username"),
        "port": settings.get("port"),
        "client_keys": [settings.get("identity")] if settings.get("identity") else None,
        "known_hosts": settings.get("known_hosts"),
    }
    return {k: v for k, v in options.items() if v is not None}


def _texts(held: Credentials) -> Credentials:
    """Contents of the files, which are to be delivered."""
    return Credentials(*(Path(p).read_text() for p in (held.authority, held.certificate, held.key)))


def _as_options(held: Credentials) -> dict[str, Any]:
    """As the command that starts a scheduler or a worker takes them: paths, never the key itself."""
    given: dict[str, Any] = {"require_encryption": True, "tls_ca_file": held.authority}
    for role in ("client", "scheduler", "worker"):
        given[f"tls_{role}_cert"] = held.certificate
        given[f"tls_{role}_key"] = held.key
    return given


@contextmanager
def _delivered(
    hosts: Sequence[str], login: Mapping[str, Any], held: Credentials
) -> Iterator[Credentials]:
    """Put the credentials into a private folder of the same name on every host, for the run."""
    folder = f"/tmp/mksdask-{secrets.token_hex(8)}"
    files = {"authority.pem": held.authority, CERTIFICATE: held.certificate, KEY: held.key}
    try:
        for host in dict.fromkeys(hosts):
            _remotely(host, login, f"mkdir -m 700 {folder}", "")
            for name, text in files.items():
                _remotely(host, login, f"umask 077 && cat > {folder}/{name}", text)
        yield Credentials(*(f"{folder}/{name}" for name in files))
    finally:
        for host in dict.fromkeys(hosts):
            try:
                _remotely(host, login, f"rm -rf {folder}", "")
            except ClusterError as error:
                print(f"left {folder} on {host}: {error}", file=sys.stderr)


def _remotely(host: str, login: Mapping[str, Any], command: str, given: str) -> None:
    """Run a shell command on a host, with text on its standard input."""
    import asyncio

    import asyncssh

    async def call() -> None:
        async with asyncssh.connect(host, **login) as connection:
            await connection.run(command, input=given, check=True)

    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook has a loop running in this one
            thread.submit(asyncio.run, call()).result()
    except (OSError, asyncssh.Error) as error:
        raise ClusterError(f"cannot use {host} by SSH: {error}") from error


def _link(cluster: Any, dashboard: bool | str, host: str) -> str | None:
    if dashboard is False:
        return None
    port = cluster.scheduler_info["services"].get("dashboard", DASHBOARD_PORT)
    if isinstance(dashboard, str):
        return f"http://{host}:{port}/status"
    return f"http://localhost:{port}/status after `ssh -L {port}:localhost:{port} {host}`"
