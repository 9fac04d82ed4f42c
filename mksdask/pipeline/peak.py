"""Largest memory of each worker while a stage runs, as the kernel of the system saw it."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any


def forget_peak() -> None:
    """Let the peak of this process begin at its present memory."""
    # Where it is not allowed, the peak is that since the process began.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Bytes; not those of ``getrusage``, which start from the memory of the parent process."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(match[1]) << 10 if match else 0


def forget_peaks(client: Any) -> None:
    """On all workers, or here if there are none."""
    if client is None:
        forget_peak()
    else:
        client.run(forget_peak)


def peaks(client: Any) -> dict[str, int]:
    """By worker; one that was lost meanwhile is not in it."""
    return {"here": peak_memory()} if client is None else dict(client.run(peak_memory))
