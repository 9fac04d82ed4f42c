"""Worker processes on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mksdask.cluster.certificates import given_credentials, new_credentials
from mksdask.cluster.machine import divide, usable_cores, usable_memory
from mksdask.cluster.pinning import PINNED_INSIDE, pinned_children
from mksdask.cluster.settings import ClusterSettings
from mksdask.cluster.started import Started, link, listening


@contextmanager
def started_local(settings: ClusterSettings) -> Iterator[Started]:
    """Start the workers that fit this machine; they listen on the loopback interface only."""
    from distributed import LocalCluster

    part = divide(
        usable_cores(),
        usable_memory(),
        settings.get("n_workers"),
        settings.get("threads_per_worker"),
    )
    tls = settings.get("tls", True)
    # Without it, any user of this machine could run programs as this one.
    security = None
    if tls:
        held = new_credentials() if tls is True else given_credentials(tls)
        security = held.security()
    dashboard = settings.get("dashboard", True)
    with (
        pinned_children(),
        LocalCluster(
            n_workers=part.n_workers,
            threads_per_worker=part.threads,
            memory_limit=settings.get("memory", part.memory),
            host="127.0.0.1",
            protocol="tls://" if tls else "tcp://",
            security=security,
            dashboard_address=listening(dashboard),
            worker_dashboard_address=None,
            scheduler_kwargs={"dashboard": dashboard is not False},
            local_directory=settings.get("scratch"),
            env=PINNED_INSIDE,
        ) as cluster,
    ):
        port = cluster.scheduler.http_server.port
        yield Started(
            cluster,
            cluster.scheduler_address,
            security,
            part.n_workers,
            dashboard=link(dashboard, port),
        )
