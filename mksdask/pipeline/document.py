"""Read a pipeline and check it as a whole, before anything runs."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mksdask.cluster.settings import ClusterSettings, read_settings, read_yaml
from mksdask.pipeline.commands import COMMANDS, Command, kinds, parsed

TOP = ("folder", "cluster", "stages")
STAGE = ("name", "do", "from", "out", "with")


# An earlier stage and which of its outputs, or a path.
Source = tuple[str, str] | str


@dataclass(frozen=True)
class Stage:
    """One stage: what it does, with which arguments, and what it reads and writes.

    ``inputs`` are, by argument, earlier stages and their outputs, or paths; ``outputs`` are paths.
    """

    name: str
    do: str
    args: argparse.Namespace
    inputs: Mapping[str, list[Source]]
    outputs: Mapping[str, str]

    @property
    def command(self) -> Command:
        """The entry of the table of stages."""
        return COMMANDS[self.do.partition(" ")[0]]

    @property
    def makes(self) -> tuple[str, ...]:
        """Kind of its ``save_model``: with sweeps the last of those that the command may make."""
        kinds = self.command.makes
        return kinds[-1:] if getattr(self.args, "sweeps", None) is not None else kinds[:1]

    @property
    def store(self) -> str:
        """The main output."""
        return self.outputs[self.command.writes[0]]


@dataclass(frozen=True)
class Pipeline:
    """Stages in the order in which they run."""

    path: Path
    folder: Path
    stages: tuple[Stage, ...]
    cluster: ClusterSettings | None

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        return self.path.stem


def read_pipeline(path: str | os.PathLike[str]) -> Pipeline:
    """Read a pipeline; all mistakes in it are said at once.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "p.yaml"
    >>> _ = file.write_text("stages: [{name: cells, do: generate delta, with: {shape: [5, 5]}}]")
    >>> read_pipeline(file)
    Traceback (most recent call last):
    ...
    ValueError: p.yaml: stage cells: the following arguments are required: --n-phases
    """
    file = Path(path).absolute()
    document = read_yaml(file)
    if not isinstance(document, Mapping) or not isinstance(document.get("stages"), list):
        raise ValueError(f"{file.name} has no list `stages`: see docs/pipelines.md for an example")
    faults = [
        f"{key} is not a key of a pipeline (it has {', '.join(TOP)})"
        for key in document
        if key not in TOP
    ]
    folder = file.parent / str(document.get("folder", "."))
    cluster = None
    if document.get("cluster") is not None:
        try:
            cluster = read_settings(_cluster(document["cluster"], file.parent))
        except (ValueError, TypeError, OSError) as error:
            faults.append(str(error))
    stages: dict[str, Stage] = {}
    parsers = kinds()
    if not document["stages"]:
        faults.append("stages is empty")
    for number, given in enumerate(document["stages"], 1):
        where = (
            f"stage {given['name']}"
            if isinstance(given, Mapping) and given.get("name")
            else f"stage {number}"
        )
        try:
            stage = _stage(given, file.parent, folder, stages, parsers)
            if stage.name in stages:
                raise ValueError("there is another stage of this name")
            stages[stage.name] = stage
        except ValueError as error:
            faults.append(f"{where}: {error}")
            if isinstance(given, Mapping) and isinstance(given.get("name"), str):
                stages.setdefault(given["name"], _BROKEN)
    faults += _clashes([s for s in stages.values() if s is not _BROKEN])
    if faults:
        raise ValueError(f"{file.name}: {'; '.join(faults)}")
    return Pipeline(file, folder.resolve(), tuple(stages.values()), cluster)


# Stands for a stage with a mistake, so that the ones after it are still checked.
_BROKEN = Stage(
    "", "statistics", argparse.Namespace(), {}, {"out": "", "save_model": "", "store": ""}
)


def _cluster(given: Any, beside: Path) -> Any:
    """A file is meant beside the pipeline."""
    if isinstance(given, str) and given.endswith((".yaml", ".yml")):
        return beside / given
    return given


def _stage(
    given: Any,
    beside: Path,
    folder: Path,
    earlier: Mapping[str, Stage],
    parsers: Mapping[str, argparse.ArgumentParser],
) -> Stage:
    if not isinstance(given, Mapping):
        raise ValueError(f"it is {given!r}; wanted name, do and with")
    strange = [k for k in given if k not in STAGE]
    if strange:
        raise ValueError(f"{strange[0]} is not a key of a stage (it has {', '.join(STAGE)})")
    name, do = given.get("name"), given.get("do")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise ValueError(f"name is {name!r}; wanted a word of letters, digits, - and _")
    if not isinstance(do, str) or do not in parsers:
        raise ValueError(f"do is {do!r}; wanted one of {', '.join(parsers)}")
    chosen = dict(given.get("with") or {})
    command = COMMANDS[do.partition(" ")[0]]
    inputs: dict[str, list[Source]] = {}
    for position, dest in enumerate(command.reads):
        source = given.get("from") if position == 0 else chosen.pop(dest, None)
        if source is not None:
            several = source if isinstance(source, list) and source else [source]
            inputs[dest] = [_source(s, folder, earlier) for s in several]
            _check_kinds(command, dest, inputs[dest], earlier)
        elif position == 0:
            raise ValueError("from is missing: the name of an earlier stage, or a path")
        elif any(a.dest == dest and not a.option_strings for a in parsers[do]._actions):
            raise ValueError(f"{dest} is missing: the name of an earlier stage, or a path")
    if given.get("from") is not None and not command.reads:
        raise ValueError(f"from is given, and {do} reads no store")
    outputs: dict[str, str] = {}
    for position, dest in enumerate(command.writes):
        target = (
            given.get("out", f"{name}{command.ending}") if position == 0 else chosen.pop(dest, None)
        )
        if target is not None:
            outputs[dest] = _place(target, folder)
    for dest in command.files:
        if dest in chosen:
            chosen[dest] = _beside(chosen[dest], beside)
    for dest in command.folders:
        if dest in chosen:
            chosen[dest] = _place(chosen[dest], folder)
    stores = {d: [_path(s, earlier) for s in i] for d, i in inputs.items()}
    stores |= {d: [path] for d, path in outputs.items()}
    return Stage(name, do, parsed(do, parsers[do], chosen, stores), inputs, outputs)


def _source(given: Any, folder: Path, earlier: Mapping[str, Stage]) -> Source:
    """An earlier stage, one of its further outputs as STAGE.OUTPUT, or a path."""
    if not isinstance(given, str) or not given:
        raise ValueError(f"from is {given!r}; wanted the name of an earlier stage, or a path")
    name, _, output = given.partition(".")
    if given in earlier:
        return given, earlier[given].command.writes[0]
    if name in earlier and output in earlier[name].outputs:
        return name, output
    if re.fullmatch(r"[\w-]+", given):
        known = f"earlier stages are {', '.join(earlier)}" if earlier else "there is none before it"
        raise ValueError(
            f"{given!r} is no earlier stage ({known}), and no path such as {given}.zarr"
        )
    return _place(given, folder)


def _check_kinds(
    command: Command, dest: str, sources: list[Source], earlier: Mapping[str, Stage]
) -> None:
    """Ensembles where ensembles are read, and models that can be used where a model is."""
    if command.outline is None:  # a report takes all of them
        return
    for source in sources:
        if isinstance(source, str) or earlier[source[0]] is _BROKEN:
            continue
        name, output = source
        stage = earlier[name]
        made = stage.makes if output == "save_model" else ()
        if dest == "model" and not set(made) & set(command.takes):
            found = f"a model of kind {made[0]}" if made else "an ensemble"
            if not made and "save_model" in stage.outputs and set(stage.makes) & set(command.takes):
                found += f" (its model is {name}.save_model)"
            raise ValueError(
                f"model is {name}.{output}, {found}; wanted one of kind {' or '.join(command.takes)}"
            )
        if dest != "model" and made:
            raise ValueError(f"from is {name}.{output}, which is a model; wanted an ensemble")


def _path(source: Source, earlier: Mapping[str, Stage]) -> str:
    return source if isinstance(source, str) else earlier[source[0]].outputs[source[1]]


def _place(given: Any, folder: Path) -> str:
    if not isinstance(given, str) or not given:
        raise ValueError(f"{given!r} is no path of a store")
    return given if "://" in given else str((folder / Path(given).expanduser()).absolute())


def _beside(given: Any, beside: Path) -> Any:
    if isinstance(given, list):
        return [_beside(g, beside) for g in given]
    return (
        given
        if not isinstance(given, str) or "://" in given
        else str(beside / Path(given).expanduser())
    )


def _clashes(stages: list[Stage]) -> list[str]:
    """Two stages that write one store, or one that writes what it or an earlier one reads."""
    faults: list[str] = []
    writers: dict[str, str] = {}
    for stage in stages:
        outside = {s for i in stage.inputs.values() for s in i if isinstance(s, str)}
        for path in stage.outputs.values():
            if path in writers:
                faults.append(f"stages {writers[path]} and {stage.name} write the same {path}")
            if path in outside:
                faults.append(f"stage {stage.name} would write what it reads, {path}")
            writers[path] = stage.name
        for path in outside:
            if path in writers:
                faults.append(
                    f"stage {stage.name} reads {path} as a path: name the stage, {writers[path]}"
                )
    return faults
