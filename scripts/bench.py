"""How long learners wait, each figure as a ratio against plain tools timed in the same run; medians of several runs.

Prints a table, writes build/bench.json (rows of name, value, limit) and returns 1 when a row is over its limit. As root
it measures labs of root's, as an ordinary user rootless ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from dnetkit import engines, images
from dnetkit.lab import Lab

__all__ = ["Row", "main"]

BARE = Path(__file__).resolve().with_name("bare-dockerd")
NAMESPACES = (
    "--net",
    "--mount",
    "--pid",
    "--ipc",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)
IMAGE = "busybox"


@dataclass(frozen=True)
class Row:
    """One figure: a ratio (seconds of ours / seconds of the plain tools) and the most that it may be."""

    name: str
    value: float
    limit: float


def main(arguments: list[str]) -> int:
    """Measure everything; returns 1 when a row is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("-n", "--runs", type=int, default=7, help="runs of each (default: 7)")
    parser.add_argument("--output", type=Path, default=Path("build", "bench.json"))
    asked = parser.parse_args(arguments)
    rows = opening(asked.runs)
    for row in rows:
        verdict = "ok" if row.value <= row.limit else "OVER"
        print(f"{row.name:<60} {row.value:6.2f}   at most {row.limit:.2f}   {verdict}")
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return 1 if any(row.value > row.limit for row in rows) else 0


def opening(runs: int) -> list[Row]:
    """Opening a lab beside a bare dockerd that is given the same image; opening two hosts; closing."""
    kind = "root" if os.geteuid() == 0 else "rootless"
    bare: list[float] = []
    one: list[float] = []
    two: list[float] = []
    closing: list[float] = []
    _lab(1)  # makes the image ready, and warms the page cache for both
    for _ in range(runs):  # in turn, so that a machine that gets slower does so for all of them
        bare.append(_bare_dockerd())
        opened, closed = _lab(1)
        one.append(opened)
        closing.append(closed)
        two.append(_lab(2)[0])
    print(_seconds("a bare dockerd with the image loaded", bare), _seconds("a lab with one host", one), sep="\n")
    print(_seconds("a lab with two hosts", two), _seconds("closing a lab with one host", closing), "", sep="\n")
    median = statistics.median
    return [
        Row(f"opening a one-host lab ({kind}) / a bare dockerd", median(one) / median(bare), 2.0),
        Row(f"opening two hosts ({kind}) / one", median(two) / median(one), 1.4),
        Row(f"closing a lab ({kind}) / opening it", median(closing) / median(one), 0.5),
    ]


def _lab(hosts: int) -> tuple[float, float]:
    """Seconds that opening and closing take."""
    lab = Lab(hosts=hosts, images=[IMAGE])
    opened = _timed(lab.open)
    return opened, _timed(lab.close)


def _bare_dockerd() -> float:
    """Seconds until an engine that was started by hand answers and has the image."""
    engine = engines.find_engine()
    archive = images.archives([IMAGE], print)[IMAGE]
    environment = {**os.environ, "PATH": ":".join([*map(str, engine.path), os.environ["PATH"], "/usr/sbin:/sbin"])}
    if engine.library_path:
        environment["LD_LIBRARY_PATH"] = ":".join(map(str, engine.library_path))
    user: tuple[str, ...] = ()
    if os.geteuid() != 0:
        user = ("--user", "--map-root-user", "--map-auto")
        environment["ROOTLESS"] = "1"
    start = time.monotonic()
    with subprocess.Popen(
        ["unshare", *user, *NAMESPACES, str(BARE), str(archive.path)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = process.stdout.readline()
        took = time.monotonic() - start
        process.stdin.close()  # the script ends, and with the first process of its namespaces everything else
    if said != b"ready\n":
        raise RuntimeError("the bare dockerd did not start: its log is above")
    return took


def _timed(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def _seconds(name: str, figures: list[float]) -> str:
    return f"{name:<45} {statistics.median(figures):.3f} s  ({min(figures):.3f} to {max(figures):.3f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
