"""The processes of the lab, as far as they tell about its network: which namespace, which machine, which sockets."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass

from dnetkit.agent.machines import Machine
from dnetkit.agent.place import read_value
from dnetkit.model import Process

__all__ = ["Entry", "Processes"]


@dataclass(frozen=True)
class Entry:
    """A process: its number as the agent counts, its parent's, its number in each pid namespace down to its own.

    network: the inode of its network namespace, 0 for a process that has ended. machine: the one it runs in, '' for
    what belongs to the lab itself; inside: its number there.
    """

    pid: int
    parent: int
    name: str
    numbers: tuple[int, ...]
    network: int
    machine: str = ""
    inside: int = 0


class Processes:
    """All processes that the agent can see but itself, as they were at one moment."""

    def __init__(self, machines: Collection[Machine]) -> None:
        found = {entry[0]: entry for entry in _scan()}
        tops = {machine.pid: machine.name for machine in machines}
        belongs: dict[int, int] = {}
        for pid in found:
            _trace(pid, found, tops, belongs)
        self._entries: dict[int, Entry] = {}
        self._inside: dict[tuple[str, int], Entry] = {}
        for pid, (_, parent, name, numbers, network) in found.items():
            top = belongs[pid]
            machine = tops.get(top, "")
            depth = len(found[top][3]) if machine else 0  # a machine's first process is 1 in a pid namespace of its own
            inside = numbers[depth - 1] if machine and depth <= len(numbers) else pid
            entry = Entry(pid, parent, name, numbers, network, machine, inside)
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
            directory = f"/proc/{entry.pid}/fd"
            with suppress(OSError):  # it has ended
                for number in os.listdir(directory):
                    target = _link(f"{directory}/{number}")
                    if target.startswith("socket:["):
                        self._sockets.setdefault(int(target[8:-1]), []).append(entry)
                    elif target.startswith("net:["):
                        self._kept.setdefault(int(target[5:-1]), (entry, f"{directory}/{number}"))


Found = tuple[int, int, str, tuple[int, ...], int]


def _scan() -> Iterator[Found]:
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
            yield int(name), int(fields["PPid"]), fields["Name"], numbers, int(network[5:-1]) if network else 0


def _trace(pid: int, found: dict[int, Found], tops: dict[int, str], belongs: dict[int, int]) -> None:
    """Put into `belongs`, for a process and all above it, the first process of its machine (0: the lab's own)."""
    way = []
    while pid not in belongs:
        way.append(pid)
        if pid in tops or pid not in found:
            belongs[pid] = pid if pid in tops and pid in found else 0
            break
        belongs[pid] = 0  # in case of a ring, which a moment of change can show
        pid = found[pid][1]
    for passed in way:
        belongs[passed] = belongs[pid]


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
