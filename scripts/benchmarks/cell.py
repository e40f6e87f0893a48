"""What a learner waits for at every cell, the comparison of before and after, beside one `docker run`."""

from __future__ import annotations

import time

from benchmarks.crowds import IMAGE, Crowds
from benchmarks.rows import KIND, Row, elapsed, ratio, tell
from dnetkit.diff import diff
from dnetkit.lab import Lab

__all__ = ["measure"]


def measure(runs: int, crowds: Crowds) -> list[Row]:
    """In a lab with 5 containers and in one with 40."""
    return [_row(crowds.of(5), 5, 0.5, runs), _row(crowds.of(40), 40, 1.5, runs)]


def _row(lab: Lab, containers: int, limit: float, runs: int) -> Row:
    ours: list[float] = []
    plain: list[float] = []
    for _ in range(runs):
        start = time.monotonic()
        before = lab.snapshot()
        took = time.monotonic() - start
        plain.append(elapsed(lambda: lab.host.run(f"docker run --rm {IMAGE} true")))
        start = time.monotonic()
        changes = diff(before, lab.snapshot())
        changes._repr_mimebundle_()
        ours.append(took + time.monotonic() - start)
    tell(f"before, after and what changed, with {containers} containers", ours)
    tell(f"docker run --rm {IMAGE} true, with {containers} containers", plain)
    return Row(f"before and after a cell with {containers} containers ({KIND}) / docker run", ratio(ours, plain), limit)
