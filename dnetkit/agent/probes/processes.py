"""The processes of the lab, as far as they tell about its network: which namespace, which machine, which sockets."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from dnetkit.agent.machines import Machine
from dnetkit.agent.place import read_value
from dnetkit.model import Process

__all__ = ["Entry", "Processes"]


@dataclass(frozen=True)
class Entry:
    """A process: its number as the agent counts.

    network: the inode of its network namespace, 0 for a process that has ended. machine: the one it runs in, '' for
    what belongs to the lab itself; inside: its number there.
    """

    pid: int
    name: str
    network: int
    machine: str = ""
    inside: int = 0


class Processes:
    """All processes that the agent can see but itself, as they were at one moment."""

    def __init__(self, machines: Collection[Machine]) -> None:
        found = {one.pid: one for one in _scan()}
        by_pids = {_link(f"/proc/{machine.pid}/ns/pid"): machine.name for machine in machines}
        depths = {machine.name: len(found[machine.pid].numbers) for machine in machines if machine.pid in found}
        belongs: dict[int, str] = {}
        self._entries: dict[int, Entry] = {}
        self._inside: dict[tuple[str, int], Entry] = {}
        for pid, one in found.items():
            machine = _machine_of(pid, found, by_pids, belongs, set(depths.values()))
            inside = one.numbers[depths[machine] - 1] if machine else pid
            entry = Entry(pid, one.name, one.network, machine, inside)
            self._entries[pid] = self._inside[machine, inside] = entry
        self._containers: dict[str, str] = {}
        self._sockets: dict[int, list[Entry]] | None = None
        self._kept: dict[int, tuple[Entry, str]] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def find(self, machine: str, inside: int) -> Entry | None:
        """The process that has that number in that machine."""
        return self._inside.get((machine, inside))

    def is_container(self, entry: Entry, name: str) -> None:
        """Take note that this is the first process of that container."""
        if mounts := _link(f"/proc/{entry.pid}/ns/mnt"):
            self._containers[mounts] = name

    def tell(self, entry: Entry) -> Process:
        """The process for the model. What shares the mounts of a container's first process runs in that container."""
        container = self._containers.get(_link(f"/proc/{entry.pid}/ns/mnt"), "") if self._containers else ""
        return Process(entry.inside, entry.name, container)

    def holders(self, inode: int) -> tuple[Process, ...]:
        """Who has the socket of that inode open."""
        if self._sockets is None:
            self._read_descriptors()
            assert self._sockets is not None
        return tuple(sorted({self.tell(entry) for entry in self._sockets.get(inode, ())}))

    def kept_namespaces(self) -> dict[int, tuple[Entry, str]]:
        """Network namespaces that some process holds open: inode to a process and where they can be opened."""
        if self._sockets is None:
            self._read_descriptors()
        return self._kept

    def _read_descriptors(self) -> None:
        self._sockets, self._kept = {}, {}
        for entry in self._entries.values():
            path = f"/proc/{entry.pid}/fd"
            with suppress(OSError), _opened(path) as directory:  # else it has ended
                for number in os.listdir(directory):
                    target = _link(number, directory)
                    if target.startswith("socket:["):
                        self._sockets.setdefault(int(target[8:-1]), []).append(entry)
                    elif target.startswith("net:["):
                        self._kept.setdefault(int(target[5:-1]), (entry, f"{path}/{number}"))


@dataclass(frozen=True)
class _Found:
    pid: int
    parent: int
    name: str
    numbers: tuple[int, ...]  # in each pid namespace from the agent's down to its own
    network: int


def _scan() -> Iterator[_Found]:
    own = str(os.getpid())
    for name in os.listdir("/proc"):
        if name.isdigit() and name != own:
            try:
                status = read_value(f"/proc/{name}/status")
            except OSError:
                continue  # it has just ended
            fields = dict(line.partition(":\t")[::2] for line in status.splitlines()[:16])
            numbers = tuple(map(int, fields["NSpid"].split())) if "NSpid" in fields else (int(name),)
            network = _link(f"/proc/{name}/ns/net")
            yield _Found(int(name), int(fields["PPid"]), fields["Name"], numbers, int(network[5:-1]) if network else 0)


def _machine_of(
    pid: int, found: dict[int, _Found], by_pids: dict[str, str], belongs: dict[int, str], depths: set[int]
) -> str:
    """The machine in whose pid namespace a process is, or the closest above it (a container has one of its own)."""
    way = []
    while pid not in belongs:
        one = found.get(pid)
        way.append(pid)
        belongs[pid] = ""  # in case of a ring, which a moment of change can show
        if one is None or len(one.numbers) in depths:
            belongs[pid] = by_pids.get(_link(f"/proc/{pid}/ns/pid"), "") if one is not None else ""
            break
        pid = one.parent
    for passed in way:
        belongs[passed] = belongs[pid]
    return belongs[way[0] if way else pid]


@contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _link(path: str, directory: int | None = None) -> str:
    try:
        return os.readlink(path, dir_fd=directory)
    except OSError:
        return ""
