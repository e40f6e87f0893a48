"""The subcommands for chapters: `dnetkit run` executes them, `dnetkit lab` opens them in JupyterLab."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dnetkit.rights import SANDBOXES

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_lab", "add_run"]

FAILED = 1


def add_lab(commands: Subparsers) -> None:
    """Dnetkit lab [DIR] [--port N] [--ip ADDRESS] [--no-browser]."""
    parser = commands.add_parser("lab", help="open the chapters in JupyterLab")
    parser.add_argument(
        "directory",
        metavar="DIR",
        nargs="?",
        type=Path,
        help="copy the chapters there first; what you edited there is never overwritten (default: the chapters of the "
        "checkout that dnetkit runs from, else ./dnetkit-workbook)",
    )
    parser.add_argument(
        "--port", type=int, help="the port that JupyterLab listens on (default: the first free one from 8888)"
    )
    parser.add_argument("--ip", help="the address that JupyterLab listens on (default: only this machine can reach it)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open no browser")
    parser.set_defaults(carry_out=_lab)


def _lab(arguments: argparse.Namespace) -> int:
    from dnetkit import notebooks, workbook  # noqa: PLC0415 - loaded when it is asked for

    directory: Path | None = arguments.directory
    if directory is None:
        directory = notebooks.find_notebooks() if notebooks.in_checkout() else Path("dnetkit-workbook")
    for line in workbook.summary(workbook.copy_notebooks(directory)):
        print(line)
    workbook.start_lab(directory, port=arguments.port, ip=arguments.ip, browser=not arguments.no_browser)
    return FAILED  # pragma: no cover - start_lab does not return


def add_run(commands: Subparsers) -> None:
    """Dnetkit run [CHAPTER ...] and its options."""
    parser = commands.add_parser("run", help="run chapters from the first cell to the last, unattended, and report")
    parser.add_argument(
        "chapters",
        metavar="CHAPTER",
        nargs="*",
        help="01, 01-veth, or the path of a notebook or folder (default: all chapters)",
    )
    parser.add_argument(
        "--sandbox",
        choices=("auto", *SANDBOXES),
        default="auto",
        help="how labs are started (default: %(default)s, the one that works here)",
    )
    parser.add_argument(
        "-j", "--jobs", metavar="N", type=_count, default=1, help="chapters that run at once (default: 1)"
    )
    parser.add_argument(
        "-p",
        "--parameter",
        metavar=("NAME", "VALUE"),
        nargs=2,
        action="append",
        default=[],
        help="give a value to the chapters that have this parameter; can be repeated",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=Path("build", "run"),
        help="where the executed notebooks and report.html go (default: %(default)s)",
    )
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write a JUnit XML file as well")
    parser.add_argument("--timeout", metavar="SECONDS", type=_seconds, help="what a chapter may take (default: 900)")
    parser.add_argument(
        "--cell-timeout", metavar="SECONDS", type=_seconds, help="what one cell may take (default: 300)"
    )
    parser.set_defaults(carry_out=_run)


def _run(arguments: argparse.Namespace) -> int:
    from dnetkit import execution, notebooks, page, report, verdict  # noqa: PLC0415 - loaded when it is asked for

    chosen = notebooks.choose(arguments.chapters)
    width = max(len(chapter.name) for chapter in chosen)

    def show(outcome: verdict.Outcome) -> None:
        print(report.line(outcome, width), flush=True)
        if not outcome.passed:
            print(report.details(outcome), flush=True)

    outcomes = execution.execute_all(
        chosen,
        sandbox=arguments.sandbox,
        parameters=dict(arguments.parameter),
        timeout=arguments.timeout or execution.TIMEOUT,
        cell_timeout=arguments.cell_timeout or execution.CELL_TIMEOUT,
        output_dir=arguments.output,
        jobs=arguments.jobs,
        on_outcome=show,
    )
    page.write_page(arguments.output / "report.html", outcomes, report.about(_sandbox(arguments.sandbox)))
    if arguments.junit:
        report.write_junit(arguments.junit, outcomes)
    print(f"report: {arguments.output / 'report.html'}")
    print(report.summary(outcomes))
    return 0 if all(outcome.passed for outcome in outcomes) else FAILED


def _sandbox(asked: str) -> str:
    """The sandbox that 'auto' came to; where none can be used, the chapters have said why."""
    from dnetkit import sandbox  # noqa: PLC0415 - as above
    from dnetkit.errors import SandboxError  # noqa: PLC0415 - as above

    try:
        return sandbox.choose(asked)
    except SandboxError:
        return asked


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e7:
        raise argparse.ArgumentTypeError("a number of seconds above 0")
    return seconds
