"""A chapter run unattended beside the sum of its parts: a lab, an empty notebook, its commands in a shell script."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.rows import KIND, Row, elapsed, ratio, tell
from dnetkit import exercises, options
from dnetkit.lab import Lab

__all__ = ["measure"]

_CHAPTER = "01-veth"
_NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / f"{_CHAPTER}.ipynb"
_EMPTY = {
    "cells": [],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def measure(runs: int) -> list[Row]:
    """Each with a process of its own, as it is run."""
    script = _commands()
    programs = Path(sys.executable).parent
    ours: list[float] = []
    every: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.ipynb"
        empty.write_text(json.dumps(_EMPTY), encoding="utf-8")
        chapter = [programs / "dnetkit", "run", _NOTEBOOK, "--output", Path(folder) / "run"]
        papermill = [programs / "papermill", empty, Path(folder) / "out.ipynb", "--no-progress-bar"]
        for _ in range(max(1, runs * 3 // 7)):
            ours.append(elapsed(lambda: _quietly(chapter)))
            lab = Lab()
            parts = [elapsed(lab.open)]
            try:
                lab.host.run("cat >/root/commands <<'the end of it all'\n" + script + "the end of it all\n")
                by_script = partial(lab.host.run, "bash /root/commands", check=False, timeout=300)
                parts.append(elapsed(by_script))
            finally:
                lab.close()
            parts.append(elapsed(lambda: _quietly(papermill)))
            every.append(parts)
    tell(f"the chapter {_CHAPTER}, unattended", ours)
    for name, part in zip(
        ("a lab", "its commands as a script", "papermill, empty"), zip(*every, strict=True), strict=True
    ):
        tell(f"of its parts: {name}", part)
    sums = [sum(parts) for parts in every]
    return [Row(f"the chapter {_CHAPTER} unattended ({KIND}) / the sum of its parts", ratio(ours, sums), 1.3)]


def _quietly(command: list[Any]) -> None:
    subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def _commands() -> str:
    """The lines of its cells in their order, what a check runs, and the exercises: how they begin and are solved."""
    written = []
    for cell in json.loads(_NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"]) if cell["cell_type"] == "code" else ""
        first, _, rest = source.partition("\n")
        magic, _, words = first.partition(" ")
        if magic == "%%host":
            written.append(rest)
        elif magic == "%%container":
            written.append(f"docker exec -i {options.CONTAINER.read(words).name} sh <<'end'\n{rest}\nend")
        elif magic == "%check":
            found = re.findall(r'prints\("host1", "([^"]*)"', source)
            written += found
        elif magic == "%%exercise":
            exercise = exercises.find(words.strip())
            written += [exercise.setup, exercise.solution]
    return "\n".join(written) + "\n"
