"""Write nodes, edges and frames in Graphviz's language, faster than the library's own methods do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from dnetkit.diagram.labels import Label

__all__ = ["Dot", "node_id"]


@lru_cache(4096)
def node_id(name: str) -> str:
    """The id of a node: the name of what it shows, without what Graphviz would take for its own."""
    return _SPECIAL.sub(_spelled, name)


_SPECIAL = re.compile(r"[^A-Za-z0-9._/-]")


def _spelled(found: re.Match[str]) -> str:
    return f"_{ord(found[0]):x}_"


class Dot:
    """The body of a graph, line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._indent = "\t"

    def node(self, name: str, label: Label, tooltip: str, *, orders: bool = False) -> None:
        """A node with a label in markup; orders: what hangs on it stands in the order of its edges."""
        order = " ordering=out" if orders else ""
        self._line(f'"{name}" [label=<{label}> tooltip={_quoted(tooltip)}{order}]')

    def edge(self, tail: str, head: str, **attributes: str) -> None:
        """An edge; each end is a node's id, or id:cell, id:side or id:cell:side."""
        written = " ".join([f"{name}={_quoted(value)}" for name, value in attributes.items()])
        self._line(f"{_end(tail)} -> {_end(head)} [{written}]" if written else f"{_end(tail)} -> {_end(head)}")

    @contextmanager
    def inside(self, name: str = "", **attributes: str) -> Iterator[None]:
        """What is written meanwhile goes into a subgraph; one that is named again is the same one."""
        self._line(f'subgraph "{name}" {{' if name else "{")
        before, self._indent = self._indent, self._indent + "\t"
        for key, value in attributes.items():
            self._line(f"{key}={_quoted(value)}")
        yield
        self._indent = before
        self._line("}")

    def _line(self, text: str) -> None:
        self.lines.append(f"{self._indent}{text}\n")


def _end(text: str) -> str:
    name, colon, rest = text.partition(":")
    return f'"{name}"{colon}{rest}'


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
