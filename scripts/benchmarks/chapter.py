"""A chapter run unattended beside the sum of its parts: a lab, an empty notebook, its commands in a shell script."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.commands import play, recorded
from benchmarks.rows import KIND, Row, elapsed, ratio, tell
from dnetkit import notebooks
from dnetkit.lab import Lab

__all__ = ["measure"]

_CHAPTER = "01-veth"
_EMPTY = {
    "cells": [],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def measure(runs: int) -> list[Row]:
    """Each with a process of its own, as it is run."""
    (chapter,) = notebooks.choose([_CHAPTER])
    wanted, asked = recorded(chapter)
    programs = Path(sys.executable).parent
    ours: list[float] = []
    every: list[list[float]] = []
    stuck: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.ipynb"
        empty.write_text(json.dumps(_EMPTY), encoding="utf-8")
        run = [programs / "dnetkit", "run", chapter.path, "--output", Path(folder) / "run"]
        papermill = [programs / "papermill", empty, Path(folder) / "out.ipynb", "--no-progress-bar"]
        for _ in range(max(1, runs * 3 // 7)):
            ours.append(elapsed(lambda: _quietly(run)))
            lab = Lab(**wanted)
            parts = [elapsed(lab.open)]
            try:
                parts.append(elapsed(partial(play, lab, asked, stuck)))
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
    value = None if stuck else ratio(ours, sums)
    why = f"a script did not come to its end on {', '.join(stuck)}"
    return [Row(f"the chapter {_CHAPTER} unattended ({KIND}) / the sum of its parts", value, 1.3, why)]


def _quietly(command: list[Any]) -> None:
    subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
