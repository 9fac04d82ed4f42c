"""What a report shows of the log of a pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dask.utils import format_bytes

from mksdask.report import html


def log_section(path: str) -> str:
    """Stages with their options, seconds and memory as last made, and the versions of that run."""
    events = _events(Path(path))
    done = {e["stage"]: e for e in events if e.get("event") == "done"}
    rows = [
        (
            stage, e["do"], float(e["seconds"]), e.get("retries", 0),
            format_bytes(max(e.get("peak_memory", {}).values(), default=0)), e.get("summary", ""),
        )
        for stage, e in done.items()
    ]  # fmt: skip
    parts = [
        html.place(path),
        html.table(rows, ("stage", "does", "seconds", "retries", "peak a worker", "says")),
    ]
    options = [(s, json.dumps(e["options"], default=str)) for s, e in done.items()]
    parts.append(html.table(options, ("stage", "options")))
    runs = [e for e in events if e.get("event") == "run"]
    if runs:
        last = runs[-1]
        about = {k: last.get(k) for k in ("time", "mksdask", "python", "host", "cluster")}
        versions = {**about, **last.get("libraries", {})}
        parts.append(html.table([(k, v) for k, v in versions.items() if v]))
    return html.section("How it was made", *parts)


def _events(path: Path) -> list[dict[str, Any]]:
    """Events of a log; a line that a full disk has cut is left out."""
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
