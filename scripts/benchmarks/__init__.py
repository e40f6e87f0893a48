"""What `make bench` measures: each entry of BENCHMARKS gives rows, in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import bare, cell, chapter, chapters, crowd_snapshot, many, picture, plain_lab
from benchmarks.crowds import Crowds
from benchmarks.rows import Row

__all__ = ["BENCHMARKS", "Benchmark", "Row"]


@dataclass(frozen=True)
class Benchmark:
    """about: what it measures, in a few words; seldom: it takes long, so only when it is asked for."""

    about: str
    measure: Callable[[int, Crowds], list[Row]]
    seldom: bool = False


BENCHMARKS = {
    "opening": Benchmark("labs beside a bare dockerd", lambda runs, _: bare.measure(runs)),
    "no-engine": Benchmark("a lab without an engine beside Mininet", lambda runs, _: plain_lab.measure(runs)),
    "chapter": Benchmark("a chapter beside its parts", lambda runs, _: chapter.measure(runs)),
    "many": Benchmark("30 labs at once beside 30 bare dockerds", lambda runs, _: many.measure(runs)),
    "cell": Benchmark("before and after a cell beside one docker run", cell.measure),
    "diagram": Benchmark("a diagram of 40 containers beside dot", picture.measure),
    "snapshot": Benchmark("a snapshot of 40 containers beside the tools, and of 150", crowd_snapshot.measure),
    "chapters": Benchmark(
        "each chapter from 03 on beside its commands (when asked for with --only)", lambda *_: chapters.measure(), True
    ),
}
