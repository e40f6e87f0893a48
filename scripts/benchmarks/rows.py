"""Rows of figures, and what every measurement needs to get them."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["KIND", "Row", "elapsed", "ratio", "tell"]

KIND = "root" if os.geteuid() == 0 else "rootless"
"""The labs that this run measures."""


@dataclass(frozen=True)
class Row:
    """One figure and the most that it may be; most are seconds of ours / seconds of the plain tools.

    value: None where it could not be measured here; then `why` says what to do about it.
    """

    name: str
    value: float | None
    limit: float
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether it was measured and is within its limit."""
        return self.value is not None and self.value <= self.limit

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.name:<76}      -   at most {self.limit:.2f}   NOT MEASURED: {self.why}"
        return f"{self.name:<76} {self.value:6.2f}   at most {self.limit:.2f}   {'ok' if self.holds else 'OVER'}"


def elapsed(work: Callable[[], object]) -> float:
    """The seconds that it takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def ratio(ours: Sequence[float], plain: Sequence[float]) -> float:
    """That of the medians."""
    return statistics.median(ours) / statistics.median(plain)


def tell(name: str, figures: Sequence[float]) -> None:
    """Print the seconds behind a row."""
    print(f"    {name:<60} {statistics.median(figures):.3f} s  ({min(figures):.3f} to {max(figures):.3f})", flush=True)
