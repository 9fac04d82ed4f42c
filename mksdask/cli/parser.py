"""Argument parser of the command: mistakes are one sentence, and every command has --debug."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong with a call in one line; argparse would print a page of usage first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Subcommands set it too, and must not reset it when they are not given it.
        self.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help="show where in the program an error arose",
        )

    def error(self, message: str) -> NoReturn:
        """Print the mistake and how to get help; exit with 2."""
        if message.endswith("expected one argument"):
            message += "; one that starts with a minus is joined by =, such as --domain=-1,1"
        print(f"{self.prog}: {message} ({self.prog} --help says more)", file=sys.stderr)
        raise SystemExit(2)
