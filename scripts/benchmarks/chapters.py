"""Each chapter run unattended, as `dnetkit run` does it, beside the time of its commands as shell scripts.

What a chapter runs is written down while its notebook is executed once more in this process: the lines of its cells,
what its checks run, and the exercises, begun and solved. The scripts then run in a lab of the same kind, whose opening
and closing counts as it does in the chapter: one shell for all that comes one after the other on a machine or in a
container.
"""

# IPython's shell has no types:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from IPython.core.interactiveshell import InteractiveShell

from benchmarks.rows import KIND, Row, elapsed, tell
from dnetkit import notebooks
from dnetkit.lab import Lab
from dnetkit.notebooks import Chapter
from dnetkit.session import Session

__all__ = ["measure"]

_FIRST = "03"
"""The chapters before it are shorter than starting a kernel takes; `chapter` measures one of them beside its parts."""
_TIMEOUT = 300.0
_SHORT = 20.0
"""Seconds: a chapter that takes less is run this many times, since a second more or less weighs much in it:"""
_RUNS = 5

Asked = tuple[str, str, str]
"""The machine (for an action of its engine 'engine MACHINE'), the container or '', the script or the action."""


def measure() -> list[Row]:
    """A row takes one to two minutes."""
    return [_measure(chapter) for chapter in notebooks.chapters() if chapter.number >= _FIRST]


def _measure(chapter: Chapter) -> Row:
    wanted, asked = _recorded(chapter)
    ours: list[float] = []
    opened: list[float] = []
    scripts: list[float] = []
    stuck: list[str] = []
    while not ours or (len(ours) < _RUNS and ours[0] < _SHORT):
        ours.append(_unattended(chapter))
        lab = Lab(**wanted)
        to_open = elapsed(lab.open)
        try:
            scripts.append(elapsed(partial(_play, lab, asked, stuck)))
        finally:
            opened.append(to_open + elapsed(lab.close))
    tell(f"{chapter.name}, unattended", ours)
    tell(f"{chapter.name}, its commands", scripts)
    tell(f"{chapter.name}, its lab opened and closed", opened)
    name = f"chapter {chapter.name} unattended ({KIND}) / its commands as scripts"
    if stuck:  # such as one that waits for what a magic of the notebook does
        return Row(name, None, 1.5, f"a script did not come to its end on {', '.join(sorted(set(stuck)))}")
    pairs = [whole / sum(plain) for whole, *plain in zip(ours, opened, scripts, strict=True)]
    return Row(name, statistics.median(pairs), 1.5)  # the machine is not equally fast in all of them


def _unattended(chapter: Chapter) -> float:
    with tempfile.TemporaryDirectory() as output:
        program = [str(Path(sys.executable).parent / "dnetkit"), "run", str(chapter.path), "--output", output]
        return elapsed(lambda: subprocess.run(program, stdout=subprocess.DEVNULL, check=True))


def _recorded(chapter: Chapter) -> tuple[dict[str, Any], list[Asked]]:
    """How the chapter opens its lab, and what it asks of it."""
    asked: list[Asked] = []
    wanted: list[dict[str, Any]] = []
    run, engine, open_lab = Session.run, Session.engine, Lab.open

    def note_run(self: Session, machine: str, script: str, **options: Any) -> Any:
        asked.append((machine, options.get("container", ""), script))
        return run(self, machine, script, **options)

    def note_engine(self: Session, machine: str, action: str) -> Any:
        asked.append((f"engine {machine}", "", action))
        return engine(self, machine, action)

    def note_open(self: Lab) -> Any:
        wanted.append(dict(self.requested))
        return open_lab(self)

    shell = InteractiveShell()
    with (
        patch.object(Session, "run", note_run),
        patch.object(Session, "engine", note_engine),
        patch.object(Lab, "open", note_open),
        patch.dict(os.environ, DNETKIT_UNATTENDED="1"),
        _directory(chapter.path.parent),
    ):
        for cell in json.loads(chapter.path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                with contextlib.redirect_stdout(io.StringIO()):
                    done = shell.run_cell(notebooks.source_of(cell))
                done.raise_error()
    return wanted[0], asked


def _play(lab: Lab, asked: list[Asked], stuck: list[str]) -> None:
    """Run the scripts; `stuck` gets the machines on which one had to be ended."""
    for machine, container, script in _joined(asked):
        if machine.startswith("engine "):
            with contextlib.suppress(Exception):  # a chapter also shows an engine that does not start
                lab.session.engine(machine.removeprefix("engine "), script)
            continue
        words = ["docker", "exec", "-i", container, "sh", "-c", script] if container else ["bash", "-c", script]
        if lab.session.run(machine, shlex.join(words), timeout=_TIMEOUT).ended:
            stuck.append(container or machine)


def _joined(asked: list[Asked]) -> Iterator[Asked]:
    """With what comes one after the other in one place as one script, each part in a subshell, as cells are apart."""
    gathered: list[str] = []
    for at, (machine, container, script) in enumerate(asked):
        gathered.append(script if machine.startswith("engine ") else f"(\n{script}\n)")
        following = asked[at + 1][:2] if at + 1 < len(asked) else None
        if following != (machine, container) or machine.startswith("engine "):
            yield machine, container, "\n".join(gathered)
            gathered = []


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[None]:
    old = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(old)
