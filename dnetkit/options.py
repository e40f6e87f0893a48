"""The options of the magics; a mistake in them raises UsageError with the right form, never SystemExit."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Callable
from typing import NoReturn

from dnetkit.errors import UsageError

__all__ = ["CELL", "CLIENT", "CONTAINER", "DIAGRAM", "DIFF", "ENGINE", "LAB", "Parser", "check", "patient", "seconds"]

_PATIENCE = "DNETKIT_PATIENCE"


class Parser(argparse.ArgumentParser):
    """An argument parser for one magic."""

    def __init__(self, name: str) -> None:
        super().__init__(prog=name, add_help=False, allow_abbrev=False)

    def read(self, line: str) -> argparse.Namespace:
        """Parse the rest of a magic's line. Raises UsageError."""
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise UsageError(f"{self.prog}: {error}") from error
        return self.parse_args(words)

    def error(self, message: str) -> NoReturn:
        """Raise instead of ending the kernel."""
        raise UsageError(f"{self.prog}: {message}", " ".join(self.format_usage().split()))


def seconds(text: str) -> float:
    """A time limit: a number above 0."""
    value = float(text)
    if not 0 < value < 1e7:
        raise ValueError(text)
    return value


def patient(limit: float) -> float:
    """That many seconds as this machine needs them: DNETKIT_PATIENCE=5 says that all takes five times as long here."""
    text = os.environ.get(_PATIENCE) or "1"
    try:
        return limit * seconds(text)
    except ValueError as error:
        raise UsageError(f"{_PATIENCE} is {text!r}, which is not a number above 0.", f"unset {_PATIENCE}") from error


def check(line: str, patience: float) -> tuple[float, str, str]:
    """The seconds that a claim has (`patience` unless the line says so), what it needs, and the claim itself.

    Not a Parser: the quotes in a claim are Python's, not the shell's. Raises UsageError.
    """
    needed = ""
    while option := re.match(r"\s*--(\w+)[\s=]+(\S+)(?:\s|$)", line):
        name, value = option.groups()
        if name == "within":
            try:
                patience = seconds(value)
            except ValueError as error:
                raise UsageError("--within takes a number of seconds.", "%check --within 5 EXPRESSION") from error
        elif name == "needs":
            needed = value
        else:
            raise UsageError(
                f"%check has no option --{name}.", "%check [--within SECONDS] [--needs NEED,...] EXPRESSION"
            )
        line = line[option.end() :]
    return patience, needed, line.strip()


def _between(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not between {low} and {high}")
        return value

    return number


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def _cell(name: str, machine: str) -> Parser:
    parser = Parser(name)
    if machine:
        parser.add_argument("name", nargs=None if machine == "NAME" else "?", metavar="NAME")
    parser.add_argument("--expect-fail", action="store_true")
    parser.add_argument("--needs", default="", metavar="NEED,...")
    parser.add_argument("--timeout", type=seconds, default=60.0, metavar="SECONDS")
    parser.add_argument("--no-diff", action="store_true")
    if machine != "NAME":  # an image may well hold no Python
        parser.add_argument("--python", action="store_true")
    return parser


CELL = _cell("%%host", "[NAME]")
CLIENT = _cell("%%client", "")
CONTAINER = _cell("%%container", "NAME")

LAB = Parser("%lab")
LAB.add_argument("action", nargs="?", default="status", choices=["open", "status", "restart", "close", "log", "engine"])
LAB.add_argument("name", nargs="?", metavar="agent|host1")
LAB.add_argument("--hosts", type=_between(1, 50), metavar="N")
LAB.add_argument("--no-client", action="store_true")
LAB.add_argument("--sandbox", choices=["root", "rootless", "auto"])
LAB.add_argument("--images", type=_names, metavar="busybox,redis")
LAB.add_argument("--engine", metavar="VERSION|none")
LAB.add_argument("--lines", type=_between(1, 100_000), default=50, metavar="N")

ENGINE = Parser("%lab engine")
ENGINE.add_argument("action", choices=["start", "stop", "restart", "kill"])
ENGINE.add_argument("name", nargs="?", metavar="HOST")
ENGINE.add_argument("--expect-fail", action="store_true")
ENGINE.add_argument("--no-diff", action="store_true")

DIAGRAM = Parser("%diagram")
# Which there are, `diagram` itself knows and says.
DIAGRAM.add_argument("--detail", metavar="auto|brief|normal|full")
DIAGRAM.add_argument("--focus", metavar="NAME")
DIAGRAM.add_argument("--direction", metavar="auto|TB|LR")
DIAGRAM.add_argument("--needs", default="", metavar="NEED,...")

DIFF = Parser("%diff")
DIFF.add_argument("before", nargs="?", metavar="A")
DIFF.add_argument("after", nargs="?", metavar="B")
