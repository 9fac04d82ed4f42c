"""The log of a run: one JSON object a line, appended as things happen."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import socket
import time
from pathlib import Path
from typing import Any

from mksdask.pipeline.document import Pipeline
from mksdask.version import __version__

LIBRARIES = ("numpy", "scipy", "dask", "distributed", "xarray", "zarr", "numba", "scikit-learn")


class Journal:
    """Appends what happens to NAME.log.jsonl in the folder of the stores."""

    def __init__(self, pipeline: Pipeline):
        self.path = Path(pipeline.folder) / f"{pipeline.name}.log.jsonl"

    def add(self, event: str, **about: Any) -> None:
        """Append one event; a line is written as a whole or not at all."""
        entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **about}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(entry, default=str).encode() + b"\n"
        with self.path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a line that was cut does not spoil this one too
                    line = b"\n" + line
            file.write(line)

    def entries(self) -> list[dict[str, Any]]:
        """All events so far; a line that a full disk has cut is left out."""
        found = []
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found


def surroundings() -> dict[str, Any]:
    """Versions and machine."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "mksdask": __version__,
        "python": platform.python_version(),
        "libraries": found,
        "host": socket.gethostname(),
        "process": os.getpid(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }
