"""A network namespace while it is being read: its descriptor, its sockets, what several probes need of it."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any, TypeVar

from dnetkit.agent.netlink import NETLINK_ROUTE, Attributes, Netlink, text
from dnetkit.model import Process, Unavailable

__all__ = ["Place", "read_file", "read_value", "sorted_unique"]

T = TypeVar("T")

_GETLINK = 18
_LINK = struct.Struct("=BxHiII")


@dataclass
class Place:
    """One namespace; fd is open on it, and probes run in a thread that is in it.

    Whatever must be read there (a socket opened, a file below /proc/thread-self/net or /proc/sys) is read while the
    thread is in it; sockets stay usable afterwards. `missing` takes what a probe could not read in part; `memory` is
    kept from one snapshot to the next.
    """

    fd: int
    inode: int
    name: str
    kind: str
    machine: str = ""
    memory: dict[type, Any] = field(default_factory=dict)
    processes: tuple[Process, ...] = ()
    missing: list[Unavailable] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)
    _sockets: dict[int, Netlink] = field(default_factory=dict)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.close()
        os.close(self.fd)

    def netlink(self, protocol: int = NETLINK_ROUTE) -> Netlink:
        """A socket of that protocol in this namespace, the same for all who ask."""
        if protocol not in self._sockets:
            self._sockets[protocol] = self._stack.enter_context(Netlink(None, protocol))
        return self._sockets[protocol]

    def remembered(self, kind: type[T]) -> T:
        """The one object of that class that all snapshots of a lab share."""
        found: T = self.memory.setdefault(kind, kind())
        return found

    @cached_property
    def raw_links(self) -> list[tuple[tuple[Any, ...], Attributes]]:
        """Each link as the kernel sends it: (family, hardware, index, flags, change) and its attributes."""
        found = self.netlink().dump(_GETLINK, _LINK.pack(0, 0, 0, 0, 0))
        return [(_LINK.unpack(header), attributes) for header, attributes in found]

    @cached_property
    def names(self) -> dict[int, str]:
        """The name of each link by its index."""
        return {header[2]: text(attributes, 3) for header, attributes in self.raw_links}

    def name_of(self, index: int) -> str:
        """The name of the link with that index, the index itself where there is none, '' for 0."""
        return self.names.get(index, str(index)) if index else ""

    @cached_property
    def up(self) -> set[int]:
        """The indices of the links that were put up."""
        return {header[2] for header, _ in self.raw_links if header[3] & 1}

    @cached_property
    def has_bridges(self) -> bool:
        """Whether there is a bridge or a port of one here."""
        return any(b"bridge" in attributes.get(18, b"") for _, attributes in self.raw_links)


def read_file(path: str) -> str:
    """A list of the kernel's, whole. Raises OSError when it cannot be read."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts: list[bytes] = []
        while part := os.read(fd, 1 << 14):
            parts.append(part)
        return b"".join(parts).decode("utf-8", "backslashreplace")
    finally:
        os.close(fd)


def read_value(path: str) -> str:
    """A file of the kernel's that is at most a page and comes in one piece: a setting, a process' status.

    For a setting the kernel clears as much memory as is asked for, so that a small question is twice as fast.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 12).decode("utf-8", "backslashreplace")
    finally:
        os.close(fd)


def sorted_unique(items: Iterable[Any]) -> tuple[Any, ...]:
    """As a tuple in a fixed order, each once."""
    return tuple(sorted(set(items)))
