"""The command `dnetkit`: parse, call one function, print what it returns.

Each entry of COMMANDS is one small function that adds a subcommand and names the function that carries it out; that one
imports what it needs when it runs, so that `dnetkit doctor` starts without loading Jupyter.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dnetkit.cli_images import add_images
from dnetkit.cli_labs import add_clean, add_shell
from dnetkit.cli_run import add_lab, add_run
from dnetkit.errors import DnetkitError, UsageError
from dnetkit.version import __version__

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["COMMANDS", "build_parser", "main"]

FAILED = 1
MISTAKE = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit status: 0 well, 1 failed, 2 could not be done as asked, 130 interrupted."""
    arguments = build_parser().parse_args(argv)
    carry_out: Callable[[argparse.Namespace], int] = arguments.carry_out
    try:
        status = carry_out(arguments)
        sys.stdout.flush()
    except DnetkitError as error:
        print(f"dnetkit: {error}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print("dnetkit: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone; without this Python complains once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status


def build_parser() -> argparse.ArgumentParser:
    """The parser with every subcommand of COMMANDS."""
    parser = argparse.ArgumentParser(prog="dnetkit", description="Learn Docker networking on private, real engines.")
    parser.add_argument("--version", action="version", version=f"dnetkit {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(subparsers)
    return parser


def add_doctor(commands: Subparsers) -> None:
    """Dnetkit doctor [--json]."""
    parser = commands.add_parser("doctor", help="what this machine can do, and what to do about the rest")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(carry_out=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from dnetkit import doctor  # noqa: PLC0415 - loaded when it is asked for

    report = doctor.examine()
    print(json.dumps(report.to_plain(), indent=2) if arguments.json else report.text())
    return 0 if report.usable else FAILED


def add_engine(commands: Subparsers) -> None:
    """Dnetkit engine fetch, dnetkit engine list."""
    parser = commands.add_parser("engine", help="the Docker Engine that labs run: fetch one, list those there are")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    fetch = actions.add_parser("fetch", help="get an engine from Debian's packages into your cache; needs no root")
    fetch.add_argument(
        "--release", metavar="NAME", default="", help="of another release, such as trixie or sid: a newer one"
    )
    fetch.add_argument(
        "--from",
        dest="archive",
        metavar="URI",
        default="",
        help="the archive that has it: Ubuntu's, on Debian, say",
    )
    fetch.add_argument(
        "--keyring", metavar="FILE", type=Path, help="the keys of that archive, where this machine does not have them"
    )
    fetch.set_defaults(carry_out=_engine_fetch)
    listing = actions.add_parser("list", help="the engines that a lab can run")
    listing.set_defaults(carry_out=_engine_list)


def _engine_fetch(arguments: argparse.Namespace) -> int:
    from dnetkit import fetching  # noqa: PLC0415 - loaded when it is asked for

    if not arguments.release and (arguments.archive or arguments.keyring):
        raise UsageError("--from and --keyring go with --release.", "Say which release: --release NAME")
    fetched = fetching.fetch_engine(release=arguments.release, archive=arguments.archive, keyring=arguments.keyring)
    print(fetched.describe())
    return 0


def _engine_list(_: argparse.Namespace) -> int:
    from dnetkit import engines  # noqa: PLC0415 - loaded when it is asked for

    found = engines.installed_engines()
    for engine in found:
        print(engine.describe())
    if not found:
        raise engines.no_engine()
    return 0


COMMANDS: tuple[Callable[[Subparsers], None], ...] = (
    add_doctor,
    add_lab,
    add_run,
    add_shell,
    add_clean,
    add_engine,
    add_images,
)
"""What `dnetkit` can do, in the order in which --help lists it."""
