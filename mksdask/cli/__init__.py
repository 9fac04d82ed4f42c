"""The ``mksdask`` command: each subcommand parses its arguments and calls one public function.

Exit codes: 0 fine, 1 the data is bad, 2 the call is wrong. Errors are one sentence on standard
error; ``--debug`` shows the traceback.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from mksdask.errors import DataError
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
    "statistics",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="mksdask", description="Materials knowledge systems at ensemble scale."
    )
    parser.add_argument("--version", action="version", version=f"mksdask {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
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
        return int(modules[args.command].run(args))
    except BrokenPipeError:
        return 0
    except (DataError, ValueError, TypeError, OSError, ImportError) as error:
        if args.debug:
            raise
        print(f"mksdask {args.command}: {_one_sentence(error)}", file=sys.stderr)
        return 1 if isinstance(error, DataError) else 2


def _one_sentence(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
