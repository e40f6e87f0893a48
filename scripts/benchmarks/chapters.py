"""Each chapter run unattended, as `dnetkit run` does it, beside the time of its commands as shell scripts.

The scripts run in a lab of the same kind, whose opening and closing counts as it does in the chapter.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.commands import play, recorded
from benchmarks.rows import KIND, Row, elapsed, tell
from dnetkit import notebooks
from dnetkit.lab import Lab
from dnetkit.notebooks import Chapter

__all__ = ["measure"]

_FIRST = "03"
"""The chapters before it are shorter than starting a kernel takes; `chapter` measures one of them beside its parts."""
_SHORT = 20.0
"""Seconds: a chapter that takes less is run this many times, since a second more or less weighs much in it:"""
_RUNS = 5


def measure() -> list[Row]:
    """A row takes one to two minutes."""
    return [_measure(chapter) for chapter in notebooks.chapters() if chapter.number >= _FIRST]


def _measure(chapter: Chapter) -> Row:
    wanted, asked = recorded(chapter)
    ours: list[float] = []
    opened: list[float] = []
    scripts: list[float] = []
    stuck: list[str] = []
    while not ours or (len(ours) < _RUNS and ours[0] < _SHORT):
        ours.append(_unattended(chapter))
        lab = Lab(**wanted)
        to_open = elapsed(lab.open)
        try:
            scripts.append(elapsed(partial(play, lab, asked, stuck)))
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
