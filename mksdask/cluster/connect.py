"""Connect to a cluster, starting it first if it does not run yet."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from mksdask.cluster.batch import started_batch
from mksdask.cluster.faults import ClusterError
from mksdask.cluster.local import started_local
from mksdask.cluster.running import running_scheduler
from mksdask.cluster.settings import BATCH, ClusterSettings, read_settings
from mksdask.cluster.ssh import started_ssh
from mksdask.cluster.started import Started

if TYPE_CHECKING:
    from distributed import Client

# Each starts what the settings describe, and takes it down afterwards.
STARTERS: dict[str, Callable[[ClusterSettings], AbstractContextManager[Started]]] = {
    "local": started_local,
    **dict.fromkeys(BATCH, started_batch),
    "ssh": started_ssh,
    "address": running_scheduler,
}


@contextmanager
def connect(
    spec: str | os.PathLike[str] | Mapping[str, Any] | ClusterSettings = "local", **settings: Any
) -> Iterator[Client]:
    """Run everything inside the ``with`` block on a cluster; it ends with the block.

    Parameters
    ----------
    spec
        ``"local"``: processes on this machine, as many as fit its cores and memory. ``"slurm"``,
        ``"pbs"``, ``"lsf"``, ``"sge"``: jobs of a batch system. ``"ssh"``: other machines.
        ``"tls://host:8786"``: a scheduler that runs already. A YAML file, or a mapping, with these
        as ``kind`` and the settings of :data:`mksdask.cluster.settings.SETTINGS`.
    settings
        Added to those of ``spec``: ``connect("local", n_workers=2)``.

    Yields
    ------
    distributed.Client
        What is computed in the block uses it; there is no need to name it.

    Notes
    -----
    Settings are checked before anything is started. Connections are encrypted, and refused to
    programs without the certificate made for the run. The dashboard listens on this machine alone.
    Numerical libraries run one thread in each thread of a worker.

    Examples
    --------
    >>> import dask.array as da
    >>> with connect("local", n_workers=1, memory="500 MiB", dashboard=False) as client:
    ...     float(da.ones(10, chunks=5).sum().compute())
    10.0
    """
    checked = read_settings(spec, **settings)
    from distributed import Client

    logging.getLogger("asyncio").addFilter(_means_something)
    with STARTERS[checked.kind](checked) as started:
        try:
            client = Client(started.address, security=started.security, timeout=started.timeout)
        except (OSError, TimeoutError) as error:
            raise ClusterError(
                f"the scheduler at {started.label} does not answer, or refuses the certificate: "
                f"{error}"
            ) from error
        with client:
            _wait_for_workers(client, checked, started)
            if checked.kind != "local":
                _check_workers(client)
            if started.dashboard:
                print(f"dashboard: {started.dashboard}", file=sys.stderr)
            yield client


def _means_something(record: logging.LogRecord) -> bool:
    """A client that is closed during a computation leaves an ``AllExit`` for each block behind."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or kind.__name__ != "AllExit"


def _wait_for_workers(client: Client, settings: ClusterSettings, started: Started) -> None:
    default = settings.get("n_workers", started.n_workers) if settings.kind == "local" else 1
    count = settings.get("wait_for", default)
    seconds = settings.get("timeout", None if settings.kind in BATCH else 60.0)
    try:
        client.wait_for_workers(count, timeout=seconds)
    except TimeoutError:
        found = len(client.scheduler_info(n_workers=-1)["workers"])
        raise ClusterError(
            f"{found} of {count} workers came within {seconds:g} s: {started.remedy}"
        ) from None


def _check_workers(client: Client) -> None:
    """A worker in another environment would fail at every task, and be replaced again and again."""
    found = client.run(importlib.util.find_spec, "mksdask")
    without = [address for address, spec in found.items() if spec is None]
    if without:
        raise ClusterError(
            f"the Python of {len(without)} workers has no mksdask, for example on {without[0]}: "
            "install it there, or name the right one with python="
        )
