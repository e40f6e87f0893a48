"""Wait for something to become true, with a deadline and in words: no test sleeps and hopes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["ended", "wait_for"]

T = TypeVar("T")


def wait_for(what: str, condition: Callable[[], T], deadline: float = 10.0) -> T:
    """The first truthy answer of `condition`. Raises AssertionError when there is none within `deadline` seconds."""
    give_up = time.monotonic() + deadline
    while not (answer := condition()):
        assert time.monotonic() < give_up, f"not within {deadline:g} s: {what}"
        time.sleep(0.01)
    return answer


def ended(pid: int) -> bool:
    """Whether a process has ended; one that waits for its parent to take note has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
