"""The stages a pipeline can have: subcommands of `mksdask`, with the same options.

A stage is one entry of :data:`COMMANDS`. Its options, their checks and their help are those that
the module of the subcommand declares, and it runs by the same function.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import xarray as xr

from mksdask.cli import values
from mksdask.cli.predict import PREDICTORS
from mksdask.pipeline import outlines

Outline = Callable[[argparse.Namespace, list[xr.Dataset]], xr.Dataset | None]


@dataclass(frozen=True)
class Command:
    """A subcommand as a stage.

    ``reads`` and ``writes`` are its arguments that name stores; the first of each is what
    ``from`` and ``out`` of a stage stand for. ``files`` are arguments that name other files,
    ``folders`` those that name where pictures go. ``takes`` are the kinds of models that the
    argument ``model`` may name, ``makes`` those that ``save_model`` may turn out to be. ``outline``
    gives the lazy result from the lazy ensembles in ``from``, without reading what earlier stages
    have still to write, or checks the options against them and gives None where only the run can
    tell.
    """

    outline: Outline | None
    reads: tuple[str, ...] = ("store",)
    writes: tuple[str, ...] = ("out",)
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    ending: str = ".zarr"
    # Bytes of working memory for each voxel of one sample, as measured on cells of 64^3 voxels.
    working: int = 0


COMMANDS: dict[str, Command] = {
    "ingest": Command(outlines.ingested, (), ("store",), files=("pattern", "properties")),
    "generate": Command(outlines.generated, (), ("store",)),
    "simulate": Command(outlines.simulated, working=400),
    "statistics": Command(outlines.correlated, working=300),
    "join": Command(outlines.joined, ("stores",)),
    "reduce": Command(
        outlines.reduced, ("store", "model"), ("out", "save_model"),
        takes=("IncrementalPCA",), makes=("IncrementalPCA",),
    ),
    "homogenize": Command(
        outlines.homogenized, ("store",), ("save_model",), folders=("plots",),
        makes=("HomogenizationModel",),
    ),
    "localize": Command(
        outlines.localized, ("store", "model"), ("save_model",),
        takes=("LocalizationModel",), makes=("LocalizationModel", "StagedLocalization"),
    ),
    "predict": Command(outlines.predicted, ("store", "model"), takes=tuple(PREDICTORS)),
    "report": Command(None, ("sources",), ending=".html"),
}  # fmt: skip

# What the pipeline decides by itself.
RESERVED = ("overwrite", "resume", "quiet", "debug", "help", "log")


def kinds() -> dict[str, argparse.ArgumentParser]:
    """Parser of each thing a stage can do: ``statistics``, ``generate multiphase`` and so on."""
    found: dict[str, argparse.ArgumentParser] = {}
    for name in COMMANDS:
        parser = _Options(prog=name, add_help=False)
        module_of(name).add_arguments(parser)
        subparsers = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        if not subparsers:
            found[name] = parser
        for each in subparsers:
            found |= {f"{name} {kind}": sub for kind, sub in each.choices.items()}
    return found


def module_of(name: str) -> Any:
    """The module of the subcommand."""
    return importlib.import_module(f"mksdask.cli.{name}")


def options(parser: argparse.ArgumentParser, command: Command) -> dict[str, argparse.Action]:
    """The options of a stage by name: those of the subcommand, without what the pipeline sets."""
    found = {}
    for action in parser._actions:
        name = option_name(action)
        stores = (*command.reads[:1], *command.writes[:1])
        if name not in RESERVED and action.dest not in stores:
            found[name] = action
    return found


def option_name(action: argparse.Action) -> str:
    """How an option is written in a pipeline."""
    longest = max(action.option_strings, key=len, default=action.dest)
    return longest.lstrip("-").replace("-", "_")


def parsed(
    do: str,
    parser: argparse.ArgumentParser,
    given: Mapping[str, Any],
    stores: Mapping[str, list[str]],
) -> argparse.Namespace:
    """The arguments of the subcommand, checked by it.

    ``given`` are options by name, ``stores`` the arguments that name stores, by destination.
    """
    name, _, kind = do.partition(" ")
    command = COMMANDS[name]
    known = options(parser, command)
    strange = [k for k in given if k not in known]
    if strange:
        close = difflib.get_close_matches(str(strange[0]), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}"
        raise ValueError(f"{strange[0]} is not an option of {do} ({hint})")
    flags: list[str] = []
    places: list[str] = []
    for action in parser._actions:
        if action.dest in stores:
            texts = stores[action.dest]
        elif (value := given.get(option_name(action))) is not None:
            texts = _texts(action, value)
        else:
            continue
        if not action.option_strings:
            places += texts
        elif action.nargs == 0:
            flags += [action.option_strings[-1]] if texts else []
        else:
            flags += [f"{max(action.option_strings, key=len)}={text}" for text in texts]
    args = parser.parse_args([*flags, "--", *places] if places else flags)
    args.command = name
    if kind:
        args.kind = kind
    return args


def _texts(action: argparse.Action, value: Any) -> list[str]:
    """A value of YAML as the command line would have it."""
    name = option_name(action)
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}; wanted true or false")
        return [name] if value else []
    several = isinstance(action, argparse._AppendAction) or action.nargs == "+"
    if several and isinstance(value, Mapping):
        return [f"{k}={_text(name, action, v, ':')}" for k, v in value.items()]
    if several and isinstance(value, list):
        return [_text(name, action, v, ",") for v in value]
    return [_text(name, action, value, ",")]


def _text(name: str, action: argparse.Action, value: Any, between: str) -> str:
    if isinstance(value, Mapping):
        sign = ":" if action.type is values.remap else "="
        return ",".join(f"{k}{sign}{v}" for k, v in value.items())
    if isinstance(value, list):
        if any(isinstance(v, list | Mapping) for v in value):
            raise ValueError(f"{name} is {value!r}; write it as on the command line")
        return between.join("" if v is None else str(v) for v in value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{name} is {value!r}; wanted a number, a text or a list of them")
    return str(value)


class _Options(argparse.ArgumentParser):
    """Raises what the command line would print."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message.replace("argument ", "", 1))


def stage_schema(do: str, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """JSON Schema of the options of a stage."""
    command = COMMANDS[do.partition(" ")[0]]
    properties, required = {}, []
    for name, action in options(parser, command).items():
        properties[name] = {**_type(action), "description": _help(action)}
        if action.required:
            required.append(name)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return schema | ({"required": required} if required else {})


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%(default)s", str(action.default))


def _type(action: argparse.Action) -> dict[str, Any]:
    if action.nargs == 0:
        return {"type": "boolean"}
    if action.choices:
        return {"enum": list(action.choices)}
    several = isinstance(action, argparse._AppendAction) or action.nargs == "+"
    if action.type is values.whole and not several:
        return {"type": "integer"}
    if action.type is values.number and not several:
        return {"type": ["number", "string"]}
    return {"type": ["string", "number", "array", "object"]}
