"""What has been done: a key of each stage, kept beside the stores that it wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mksdask.ensemble import layout
from mksdask.ensemble.files import find_files
from mksdask.ensemble.location import INCOMING, Location
from mksdask.errors import DataError
from mksdask.pipeline.commands import RESERVED
from mksdask.pipeline.document import Pipeline, Stage
from mksdask.saved_models import DOCUMENT

# A stage is made anew, finished, or left as it is.
MAKE, RESUME, KEEP = "make", "resume", "keep"


class State:
    """The records of a pipeline, by stage; each is replaced in one step."""

    def __init__(self, pipeline: Pipeline):
        self.location = Location(pipeline.folder / f".{pipeline.name}.run")

    def record(self, stage: str) -> dict[str, Any]:
        """What is known of a stage."""
        return self.location.read_json(f"{stage}.json") or {}

    def write(self, stage: str, record: Mapping[str, Any]) -> None:
        """Replace the record of a stage."""
        self.location.write_json(f"{stage}.json", record)

    def begin(self, stage: Stage, key: str) -> None:
        """Remember what is about to be made, and what it replaces."""
        old = {d: commit(path) for d, path in stage.outputs.items()}
        known = self.record(stage.name)
        if known.get("key") != key or known.get("status") != "begun":
            self.write(
                stage.name,
                {"key": key, "status": "begun", "replaces": old, "paths": dict(stage.outputs)},
            )

    def finish(self, stage: Stage, key: str, **more: Any) -> None:
        """Remember what has been made."""
        made = {d: commit(path) for d, path in stage.outputs.items()}
        record = {"key": key, "status": "done", "commits": made, "paths": dict(stage.outputs)}
        self.write(stage.name, record | more)


def keys(pipeline: Pipeline) -> dict[str, str]:
    """A digest of each stage: what it does, its options, and all that goes into it."""
    found: dict[str, str] = {}
    for stage in pipeline.stages:
        stores = (*stage.command.reads, *stage.command.writes)
        given = {k: v for k, v in vars(stage.args).items() if k not in (*stores, *RESERVED)}
        sources = {
            dest: [fingerprint(s) if isinstance(s, str) else [found[s[0]], s[1]] for s in several]
            for dest, several in stage.inputs.items()
        }
        files = [_files(stage, dest) for dest in stage.command.files]
        text = json.dumps(
            [stage.do, given, sources, files, dict(stage.outputs)], sort_keys=True, default=str
        )
        found[stage.name] = hashlib.sha256(text.encode()).hexdigest()
    return found


def decide(state: State, stage: Stage, key: str) -> str:
    """Whether a stage is to be made, resumed or kept; refuses to touch what is not its own."""
    record = state.record(stage.name)
    now = {d: commit(path) for d, path in stage.outputs.items()}
    if record.get("status") == "done":
        _check_untouched(stage, record, now)
        moved = [p for d, p in stage.outputs.items() if record["paths"].get(d) != p]
        _check_free(stage, moved)
        whole = not moved and all(value is not None for value in now.values())
        return KEEP if record["key"] == key and whole else MAKE
    if record.get("status") == "begun" and record.get("paths") == dict(stage.outputs):
        same = record["key"] == key and hasattr(stage.args, "resume")
        started = commit(stage.store + INCOMING) is not None or now[
            stage.command.writes[0]
        ] not in (
            None,
            record["replaces"].get(stage.command.writes[0]),
        )
        return RESUME if same and started else MAKE
    _check_free(stage, stage.outputs.values())
    return MAKE


def _check_free(stage: Stage, paths: Iterable[str]) -> None:
    for path in paths:
        if Location(path).exists():
            raise FileExistsError(
                f"stage {stage.name}: {path} exists and was not made by this pipeline: give another "
                "out, or remove it"
            )


def _check_untouched(
    stage: Stage, record: Mapping[str, Any], now: Mapping[str, str | None]
) -> None:
    for dest, made in record["commits"].items():
        if record["paths"].get(dest) != stage.outputs.get(dest):
            continue  # it is written somewhere else now
        if now[dest] is not None and now[dest] != made:
            raise DataError(
                f"stage {stage.name}: {stage.outputs[dest]} has been changed since this pipeline "
                "wrote it: remove it to have it made again, or name it as an input of the next stage"
            )


def commit(path: str) -> str | None:
    """What lies at a path now, as a mark that changes with every change; None: nothing."""
    location = Location(path)
    if path.endswith(".html"):  # a report, which is one file
        held = location.fs.cat_file(location.path) if location.fs.isfile(location.path) else None
        return held and hashlib.sha256(held).hexdigest()
    document = location.read_json(DOCUMENT) or location.read_json(layout.ROOT)
    if document is None:
        return None
    ours = (document.get("attributes") or {}).get(layout.OURS)
    if isinstance(ours, dict) and "commit" in ours:
        return str(ours["commit"])
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def fingerprint(path: str) -> str:
    """A digest of a store that the pipeline reads from outside."""
    found = commit(path)
    if found is None:
        raise FileNotFoundError(f"no ensemble and no model at {path}")
    return found


def _files(stage: Stage, dest: str) -> Any:
    """Names, sizes and times of the files that a stage reads."""
    given = getattr(stage.args, dest)
    if given is None:
        return None
    if dest == "properties":
        paths = [given]
    else:
        folders = getattr(stage.args, "samples", "") == "folders"
        paths = find_files(given, format=getattr(stage.args, "format", None), folders=folders)
    return [_stat(str(p)) for p in paths]


def _stat(path: str) -> list[Any]:
    """A URL has its name alone."""
    try:
        found = Path(path).stat()
    except OSError:
        return [path]
    return [path, found.st_size, found.st_mtime_ns]
