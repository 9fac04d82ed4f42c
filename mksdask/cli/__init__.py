"""The ``mksdask`` command: each subcommand parses its arguments and calls one public function.

Exit codes: 0 fine, 1 the data is bad, 2 the call is wrong, 130 interrupted. Errors and warnings are
one sentence each on standard error; ``--debug`` shows the traceback of an error.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mksdask.cli.parser import Parser
from mksdask.errors import DataError, IncompleteEnsembleWarning
from mksdask.version import __version__

# Each is a module of this package with ``add_arguments(parser)`` and ``run(args) -> int``; the
# first line of its docstring is the help text.
COMMANDS: tuple[str, ...] = (
    "demo",
    "info",
    "validate",
    "ingest",
    "export",
    "generate",
    "simulate",
    "join",
    "statistics",
    "reduce",
    "homogenize",
    "localize",
    "predict",
    "report",
    "run",
    "cluster",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = Parser(prog="mksdask", description="Materials knowledge systems at ensemble scale.")
    parser.add_argument("--version", action="version", version=f"mksdask {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    modules = {}
    for name in COMMANDS:
        module = importlib.import_module(f"mksdask.cli.{name}")
        summary = (module.__doc__ or "").splitlines()[0]
        sub = commands.add_parser(name, help=summary, description=module.__doc__)
        sub.formatter_class = argparse.RawDescriptionHelpFormatter
        module.add_arguments(sub)
        modules[name] = module
    args = parser.parse_args(argv)
    try:
        with _warnings_in_a_line(args.command):
            return int(modules[args.command].run(args))
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        _say(args.command, _interrupted(args))
        return 130
    except Exception as error:
        if getattr(args, "debug", False):
            raise
        if isinstance(error, DataError | ValueError | TypeError | OSError | ImportError):
            _say(args.command, _one_sentence(error))
        else:  # a mistake of ours, or of a library: where it arose says more than its text
            _say(
                args.command,
                f"{type(error).__name__}: {_one_sentence(error)} (--debug shows where)",
            )
        return 1 if isinstance(error, DataError) else 2


def _say(command: str, message: str) -> None:
    print(f"mksdask {command}: {message}", file=sys.stderr)


def _interrupted(args: argparse.Namespace) -> str:
    if not hasattr(args, "resume"):
        return "interrupted"
    return "interrupted; what is stored is kept: the same call with --resume does the rest"


@contextmanager
def _warnings_in_a_line(command: str) -> Iterator[None]:
    """Each different warning once, without the place in the source that raised it."""
    said = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        sentence = " ".join(str(message).split())
        if sentence not in said:
            said.add(sentence)
            _say(command, sentence)

    with warnings.catch_warnings():
        # A result without the missing samples must not pass for one of all, whatever filter is set.
        warnings.simplefilter("always", IncompleteEnsembleWarning)
        warnings.showwarning = show
        yield


def _one_sentence(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
