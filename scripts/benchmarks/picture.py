"""A diagram beside what dot alone takes for the same graph."""

from __future__ import annotations

import subprocess

from benchmarks.crowds import Crowds
from benchmarks.rows import KIND, Row, elapsed, ratio, tell
from dnetkit import programs
from dnetkit.diagram import diagram

__all__ = ["measure"]


def measure(runs: int, crowds: Crowds) -> list[Row]:
    """From a snapshot of 40 containers to what the notebook shows."""
    name = f"a diagram of 40 containers ({KIND}) / dot"
    if programs.find("dot") is None:
        return [Row(name, None, 1.5, "install it: apt-get install graphviz")]
    snapshot = crowds.of(40).snapshot()
    source = diagram(snapshot).graph.source.encode()
    ours: list[float] = []
    dot: list[float] = []
    for _ in range(runs):
        ours.append(elapsed(lambda: diagram(snapshot)._repr_mimebundle_()))
        dot.append(elapsed(lambda: subprocess.run(["dot", "-Tsvg"], input=source, capture_output=True, check=True)))
    tell("a diagram of 40 containers", ours)
    tell("dot for the same graph", dot)
    return [Row(name, ratio(ours, dot), 1.5)]
