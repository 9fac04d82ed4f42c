"""What of this machine may be used: cores and memory, within cgroups and batch jobs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dask.system

# What the scheduler and the program that asks for the work keep for themselves.
SHARE_OF_WORKERS = 0.9
# The memory for which chunks are planned by default: a worker with less would not hold them.
ENOUGH = 2 << 30
_UNLIMITED = 1 << 60


@dataclass(frozen=True)
class Division:
    """Worker processes on this machine, with the threads and the memory of each."""

    n_workers: int
    threads: int
    memory: int


def divide(
    cores: int, memory: int, n_workers: int | None = None, threads: int | None = None
) -> Division:
    """One process a core where each can have 2 GiB, else fewer with more threads each.

    >>> divide(8, 32 << 30).n_workers, divide(8, 4 << 30).threads, divide(8, 32 << 30, threads=4)
    (8, 8, Division(n_workers=2, threads=4, memory=15461882265))
    """
    share = int(memory * SHARE_OF_WORKERS)
    if n_workers is None:
        n_workers = max(1, cores // threads if threads else min(cores, share // ENOUGH))
    if threads is None:
        threads = max(1, cores // n_workers)
    return Division(n_workers, threads, share // n_workers)


def usable_cores(environ: Mapping[str, str] = os.environ) -> int:
    """Cores this process may run on: affinity, cgroup quota and batch job considered."""
    cores = dask.system.cpu_count()
    job = environ.get("SLURM_CPUS_PER_TASK", "")
    return min(cores, int(job)) if job.isdecimal() and int(job) else cores


def usable_memory(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> int:
    """Bytes this process may use: the machine's, or less where a cgroup or a batch job says so."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [machine, *_cgroup_limits(root)]
    job = environ.get("SLURM_MEM_PER_NODE", "")
    if job.isdecimal() and int(job):
        limits.append(int(job) << 20)
    return min(limits)


def _cgroup_limits(root: Path) -> list[int]:
    """Limits of the cgroup of this process and of all above it, versions 1 and 2."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            base, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        folder = base / path.lstrip("/")
        for place in (folder, *folder.parents):
            if not place.is_relative_to(base):
                break
            try:
                text = (place / name).read_text().strip()
            except OSError:  # inside a container, the path of the outside does not exist
                continue
            if text.isdecimal() and 0 < int(text) < _UNLIMITED:
                found.append(int(text))
    return found
