"""Marks the fields of the model that change by themselves: counters, timers, what a protocol goes through.

A field is marked where it is defined, `packets: int = noisy(0)`; whoever compares two snapshots asks `noise` for the
names and leaves them out, unless the learner wants to see them too.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

__all__ = ["noise", "noisy"]

_KEY = "noise"


def noisy(default: Any) -> Any:
    """A field that changes without anyone having done anything; takes its default, returns a dataclass field."""
    return dataclasses.field(default=default, metadata={_KEY: True})


@cache
def noise(kind: type) -> frozenset[str]:
    """The names of the noisy fields of a dataclass of the model."""
    return frozenset(field.name for field in dataclasses.fields(kind) if field.metadata.get(_KEY))
