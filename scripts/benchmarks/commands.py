"""What a chapter runs, written down while its notebook is executed in this process, and run again as shell scripts.

That is the lines of its cells, what its checks run, and the exercises, begun and solved. As scripts: one shell for all
that comes one after the other on a machine or in a container.
"""

# IPython's shell has no types:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from IPython.core.interactiveshell import InteractiveShell

from dnetkit import notebooks
from dnetkit.lab import Lab
from dnetkit.notebooks import Chapter
from dnetkit.session import Session

__all__ = ["Asked", "play", "recorded"]

_TIMEOUT = 300.0

Asked = tuple[str, str, str]
"""The machine (for an action of its engine 'engine MACHINE'), the container or '', the script or the action."""


def recorded(chapter: Chapter) -> tuple[dict[str, Any], list[Asked]]:
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


def play(lab: Lab, asked: list[Asked], stuck: list[str]) -> None:
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
