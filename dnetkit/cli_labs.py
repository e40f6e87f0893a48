"""The subcommands for labs that run: `dnetkit shell` steps into one, `dnetkit clean` clears up after dead ones."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_clean", "add_shell"]

FAILED = 1


def add_shell(commands: Subparsers) -> None:
    """Dnetkit shell [--lab ID] [HOST|CONTAINER]."""
    parser = commands.add_parser("shell", help="a terminal in a lab that you hold open in a notebook")
    parser.add_argument(
        "name",
        metavar="HOST|CONTAINER",
        nargs="?",
        default="host1",
        help="a machine or a running container of the lab (default: %(default)s)",
    )
    parser.add_argument(
        "--lab", metavar="ID", default="", help="which lab, or the beginning of its id; needed when several are open"
    )
    parser.set_defaults(carry_out=_shell)


def _shell(arguments: argparse.Namespace) -> int:
    from dnetkit import shell  # noqa: PLC0415 - loaded when it is asked for

    return shell.shell(arguments.name, arguments.lab)


def add_clean(commands: Subparsers) -> None:
    """Dnetkit clean."""
    parser = commands.add_parser(
        "clean", help="remove what your dead labs left; labs that are open, and other users' labs, are not touched"
    )
    parser.set_defaults(carry_out=_clean)


def _clean(_: argparse.Namespace) -> int:
    from dnetkit import sandbox  # noqa: PLC0415 - loaded when it is asked for

    swept = sandbox.sweep()
    for lab in swept:
        for removed in lab.removed:
            print(f"lab {lab.id}: removed {removed}")
        for left in lab.left:
            print(f"lab {lab.id}: could not remove {left}")
    if not swept:
        print("There is nothing to clean: no lab of yours died and left something.")
    return FAILED if any(lab.left for lab in swept) else 0
