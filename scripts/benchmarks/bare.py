"""Opening and closing labs beside an engine that is started by hand."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from benchmarks.crowds import IMAGE
from benchmarks.rows import KIND, Row, elapsed, ratio, tell
from dnetkit import engines, images
from dnetkit.lab import Lab

__all__ = ["bare_dockerd", "measure", "unshare"]

_BARE = Path(__file__).resolve().parent.with_name("bare-dockerd")
_NAMESPACES = "--net --mount --pid --ipc --fork --kill-child --mount-proc --propagation private"


def measure(runs: int) -> list[Row]:
    """Opening a lab beside a bare dockerd that is given the same image; opening two hosts; closing."""
    bare: list[float] = []
    one: list[float] = []
    two: list[float] = []
    closing: list[float] = []
    _lab(1)  # makes the image ready, and warms the page cache for both
    for _ in range(runs):  # in turn, so that a machine that gets slower does so for all of them
        bare.append(bare_dockerd())
        opened, closed = _lab(1)
        one.append(opened)
        closing.append(closed)
        two.append(_lab(2)[0])
    tell("a bare dockerd with the image loaded", bare)
    tell("a lab with one host", one)
    tell("a lab with two hosts", two)
    tell("closing a lab with one host", closing)
    return [
        Row(f"opening a one-host lab ({KIND}) / a bare dockerd", ratio(one, bare), 2.0),
        Row(f"opening two hosts ({KIND}) / one", ratio(two, one), 1.4),
        Row(f"closing a lab ({KIND}) / opening it", ratio(closing, one), 0.5),
    ]


def _lab(hosts: int) -> tuple[float, float]:
    """Seconds that opening and closing take."""
    lab = Lab(hosts=hosts, images=[IMAGE])
    opened = elapsed(lab.open)
    return opened, elapsed(lab.close)


def unshare() -> list[str]:
    """What starts a program in empty namespaces, as an ordinary user with a user namespace around them."""
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user", "--map-auto")
    return ["unshare", *user, *_NAMESPACES.split()]


def bare_dockerd(count: int = 1) -> float:
    """Seconds until so many engines, started by hand and at once, answer and have the image."""
    engine = engines.find_engine()
    archive = images.archives([IMAGE], print)[IMAGE]
    environment = {**os.environ, "PATH": ":".join([*map(str, engine.path), os.environ["PATH"], "/usr/sbin:/sbin"])}
    if engine.library_path:
        environment["LD_LIBRARY_PATH"] = ":".join(map(str, engine.library_path))
    if os.geteuid() != 0:
        environment["ROOTLESS"] = "1"
    command = [*unshare(), str(_BARE), str(archive.path)]
    start = time.monotonic()
    started = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)
    ]
    said = []
    for process in started:
        assert process.stdout is not None
        said.append(process.stdout.readline())
    took = time.monotonic() - start
    for process in started:
        process.communicate()  # the script ends, and with the first process of its namespaces everything else
    if said != [b"ready\n"] * count:
        raise RuntimeError("the bare dockerd did not start: its log is above")
    return took
