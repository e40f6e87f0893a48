"""A network namespace while it is being read: its descriptor, its sockets, what several probes need of it."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Container, Hashable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any, TypeVar

from dnetkit.agent.netlink import NETLINK_ROUTE, Attributes, Found, Known, Netlink, text
from dnetkit.model import Process, Unavailable

__all__ = ["Kept", "Place", "read_file", "read_value", "sorted_unique"]

T = TypeVar("T")
Inputs = tuple[Any, ...]

_LISTS = "/proc/thread-self/net"
_GETLINK = 18
_LINK = struct.Struct("=BxHiII")


@dataclass
class Kept:
    """What was read of one namespace the last time, as the kernel said it and what was made of it.

    Most of a lab is as it was. What the kernel says is read anew for each snapshot; what was made of the same words is
    not made again.
    """

    dumps: dict[int, Known] = field(default_factory=dict)
    made: dict[Hashable, tuple[Inputs, Any, list[Unavailable]]] = field(default_factory=dict)
    lasting: dict[str, Any] = field(default_factory=dict)


@dataclass
class Place:
    """One namespace; fd is open on it, and probes run in a thread that is in it.

    Whatever must be read there (a socket opened, a file below /proc/thread-self/net or /proc/sys) is read while the
    thread is in it; sockets stay usable afterwards. `missing` takes what a probe could not read in part; `memory`, for
    all namespaces, and `kept`, for this one, last from one snapshot to the next.
    """

    fd: int
    inode: int
    name: str
    kind: str
    machine: str = ""
    memory: dict[type, Any] = field(default_factory=dict)
    kept: Kept = field(default_factory=Kept)
    processes: tuple[Process, ...] = ()
    missing: list[Unavailable] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)
    _sockets: dict[int, Netlink] = field(default_factory=dict)
    _directories: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.close()
        os.close(self.fd)

    def netlink(self, protocol: int = NETLINK_ROUTE) -> Netlink:
        """A socket of that protocol in this namespace, the same for all who ask."""
        if protocol not in self._sockets:
            known = self.kept.dumps.setdefault(protocol, {})
            self._sockets[protocol] = self._stack.enter_context(Netlink(None, protocol, known))
        return self._sockets[protocol]

    def directory(self, path: str) -> int:
        """A descriptor of a directory as it is seen from this namespace, to be used while the thread is in it.

        To find a file from there takes the kernel a third of the time. Raises FileNotFoundError.
        """
        if path not in self._directories:
            fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._directories[path] = fd
            self._stack.callback(os.close, fd)
        return self._directories[path]

    def listed(self, name: str) -> str:
        """A list of the kernel's about this namespace, one of /proc/net. Raises OSError."""
        return read_file(name, self.directory(_LISTS))

    def remembered(self, kind: type[T]) -> T:
        """The one object of that class that all snapshots of a lab share."""
        found: T = self.memory.setdefault(kind, kind())
        return found

    def once(self, what: Hashable, inputs: Inputs, make: Callable[[], T]) -> T:
        """What `make` makes of the inputs, which are all that it depends on; the last time's where they are the same.

        What it puts into `missing` comes again as well.
        """
        known = self.kept.made.get(what)
        if known is not None and known[0] == inputs:
            self.missing += known[2]
            found: T = known[1]
            return found
        said = len(self.missing)
        made = make()
        self.kept.made[what] = (inputs, made, self.missing[said:])
        return made

    def lasting(self, what: str, first: T) -> T:
        """What a probe keeps of this namespace by itself; `first` to begin with."""
        found: T = self.kept.lasting.setdefault(what, first)
        return found

    def forget(self, kind: str, there: Container[Any]) -> None:
        """Let go of what was made once as (kind, which) of what is not there any more."""
        made = self.kept.made
        for key in [key for key in made if isinstance(key, tuple) and key[0] == kind and key[1] not in there]:
            del made[key]

    @cached_property
    def dumped_links(self) -> Found:
        """Each link as the kernel sends it."""
        return self.netlink().dump(_GETLINK, _LINK.pack(0, 0, 0, 0, 0))

    @cached_property
    def raw_links(self) -> list[tuple[tuple[Any, ...], Attributes]]:
        """Each link as the kernel sends it: (family, hardware, index, flags, change) and its attributes."""
        return [(_LINK.unpack(header), attributes) for header, attributes in self.dumped_links]

    @cached_property
    def names(self) -> dict[int, str]:
        """The name of each link by its index; the same object as long as all have the same."""
        made = {header[2]: text(attributes, 3) for header, attributes in self.raw_links}
        return self.once("names", (made,), lambda: made)

    def name_of(self, index: int) -> str:
        """The name of the link with that index, the index itself where there is none, '' for 0."""
        return self.names.get(index, str(index)) if index else ""

    @cached_property
    def up(self) -> set[int]:
        """The indices of the links that were put up; the same object as long as it is the same links."""
        made = {header[2] for header, _ in self.raw_links if header[3] & 1}
        return self.once("up", (made,), lambda: made)

    @cached_property
    def has_bridges(self) -> bool:
        """Whether there is a bridge or a port of one here."""
        return any(b"bridge" in attributes.get(18, b"") for _, attributes in self.raw_links)


def read_file(path: str, directory: int | None = None) -> str:
    """A list of the kernel's, whole; its path may begin at an open directory. Raises OSError when it cannot be read."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        parts: list[bytes] = []
        while part := os.read(fd, 1 << 14):
            parts.append(part)
        return b"".join(parts).decode("utf-8", "backslashreplace")
    finally:
        os.close(fd)


def read_value(path: str, directory: int | None = None, most: int = 1 << 12) -> str:
    """A file of the kernel's that is at most a page and comes in one piece: a setting, a process' status.

    Its path may begin at an open directory. For a setting the kernel clears as much memory as is asked for (`most`), so
    that a small question is twice as fast.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.read(fd, most).decode("utf-8", "backslashreplace")
    finally:
        os.close(fd)


def sorted_unique(items: Iterable[Any]) -> tuple[Any, ...]:
    """As a tuple in a fixed order, each once."""
    return tuple(sorted(set(items)))
