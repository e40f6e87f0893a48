"""Thirty labs at once, as on the machine of a course, beside as many engines started by hand."""

from __future__ import annotations

import contextlib
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.bare import bare_dockerd
from benchmarks.crowds import IMAGE
from benchmarks.rows import KIND, Row, elapsed, ratio, tell
from dnetkit.lab import Lab

__all__ = ["measure"]

_LABS = 30
_MEGABYTE = 1 << 20


def measure(runs: int) -> list[Row]:
    """The time until all are open, and the memory that each takes then."""
    ours: list[float] = []
    bare: list[float] = []
    sizes: list[float] = []
    with Lab(images=[IMAGE]):
        pass  # makes the image ready
    for _ in range(max(1, runs * 3 // 7)):
        bare.append(bare_dockerd(_LABS))
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(_LABS) as pool:
            labs = [Lab(images=[IMAGE]) for _ in range(_LABS)]
            for lab in labs:
                stack.callback(lab.close)
            ours.append(elapsed(lambda labs=labs, pool=pool: list(pool.map(Lab.open, labs))))  # type: ignore[misc]
            sizes.append(_memory_of_descendants(os.getpid()) / _LABS / _MEGABYTE)
    tell(f"{_LABS} bare dockerds at once", bare)
    tell(f"{_LABS} labs at once", ours)
    return [
        Row(f"{_LABS} labs opened at once ({KIND}) / {_LABS} bare dockerds", ratio(ours, bare), 1.3),
        Row(f"megabytes of memory of each of {_LABS} labs ({KIND})", statistics.median(sizes), 60.0),
    ]


def _memory_of_descendants(pid: int) -> int:
    """Bytes: of what processes share, each has its part (proc(5), Pss)."""
    total = 0
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text(encoding="ascii").split():
            with contextlib.suppress(OSError):  # it has just ended
                lines = Path(f"/proc/{child}/smaps_rollup").read_text(encoding="ascii").splitlines()
                total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
            total += _memory_of_descendants(int(child))
    return total
