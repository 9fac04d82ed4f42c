"""What a cluster that has been started tells those who use it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

DASHBOARD_PORT = 8787


@dataclass(frozen=True)
class Started:
    """A cluster (or the address of its scheduler) and the credentials it asks for."""

    address: Any
    label: str
    security: Any = None
    n_workers: int = 1
    timeout: float = 30.0
    dashboard: str | None = None
    remedy: str = "see what the workers say, or give a longer timeout"


def listening(dashboard: bool | str) -> str:
    """Where the HTTP server of a scheduler on this machine listens.

    >>> listening("0.0.0.0:9000"), listening(False)
    ('0.0.0.0:9000', '127.0.0.1:0')
    """
    if isinstance(dashboard, str):
        return dashboard
    return f"127.0.0.1:{_free_port() if dashboard else 0}"


def link(dashboard: bool | str, port: int) -> str | None:
    """What to open in a browser; None where there is no dashboard.

    >>> link(True, 8787)
    'http://localhost:8787/status'
    """
    if dashboard is False:
        return None
    host = dashboard.rpartition(":")[0] if isinstance(dashboard, str) else ""
    host = socket.gethostname() if host == "0.0.0.0" else host or "localhost"
    return f"http://{host}:{port}/status"


def _free_port() -> int:
    """The usual port if nobody has it, else any."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", DASHBOARD_PORT))
        except OSError:
            return 0
    return DASHBOARD_PORT
