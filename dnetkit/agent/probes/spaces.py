"""Find every network namespace of the lab, each once: by machine, by mount, by process, by open descriptor."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dnetkit.agent.machines import Machine
from dnetkit.agent.place import Place, read_file
from dnetkit.agent.probes.files import open_inside
from dnetkit.agent.probes.processes import Entry, Processes
from dnetkit.model import Unavailable

__all__ = ["Located", "find", "inside"]

_OCTAL = re.compile(r"\\([0-7]{3})")
_BY_IP_NETNS = "/run/netns/"
_BY_ENGINE = re.compile(r"/docker/netns/([^/]+)$")
_OUT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@dataclass
class Located:
    """A namespace and the file in its machine that it was found by ('' for none)."""

    place: Place
    path: str = ""


@dataclass(frozen=True)
class _Way:
    """A way to a namespace that may have been found already: the inode says which."""

    inode: int
    name: str
    kind: str
    machine: str
    open: tuple[str, str]
    path: str = ""


def inside(path: str) -> str:
    """A path in a machine with the one link resolved that it is written with: /var/run is /run."""
    return path.replace("/var/run/", "/run/", 1) if path.startswith("/var/run/") else path


def find(
    stack: contextlib.ExitStack, machines: Iterable[Machine], processes: Processes, missing: list[Unavailable]
) -> list[Located]:
    """The lab's own, each machine's, those that are mounted there (ip netns, the engine), and those without a name.

    What has ended since it was seen is not there; a machine that cannot be opened is noted in `missing`, and so is what
    there are not enough open files for.
    """
    found: dict[int, Located] = {}
    names: set[str] = set()
    for way in _ways(machines, processes):
        if way.inode in found:
            continue
        try:
            fd = _open(*way.open)
        except OSError as error:
            if way.kind in ("lan", "host", "client") or error.errno in _OUT_OF:
                missing.append(Unavailable(f"the network of {way.name}", error.strerror or str(error)))
            continue
        inode = os.fstat(fd).st_ino
        if inode in found or way.inode not in (0, inode):
            os.close(fd)
            continue
        place = stack.enter_context(Place(fd, inode, _unique(way.name, names), way.kind, way.machine))
        found[inode] = Located(place, way.path)
    return list(found.values())


def _ways(machines: Iterable[Machine], processes: Processes) -> Iterator[_Way]:
    yield _Way(0, "lan", "lan", "", ("/proc/self/ns/net", ""))
    for machine in machines:
        yield _Way(0, machine.name, machine.kind, machine.name, (f"/proc/{machine.pid}/ns/net", ""))
    for machine in machines:
        with contextlib.suppress(OSError):
            yield from _mounted(machine.name, machine.pid)
    for entry in sorted(processes, key=lambda entry: (entry.machine, entry.inside)):
        if entry.network:
            yield _unnamed(entry, entry.network, f"/proc/{entry.pid}/ns/net", f"pid:{entry.inside}")
    for inode, (entry, path) in processes.kept_namespaces().items():
        yield _unnamed(entry, inode, path, f"open:{inode}")


def _unnamed(entry: Entry, inode: int, path: str, label: str) -> _Way:
    where = entry.machine or "lan"
    return _Way(inode, f"{where}/{label}", "unnamed", entry.machine, (path, ""))


def _mounted(machine: str, pid: int) -> Iterator[_Way]:
    """The namespaces that are mounted somewhere in the machine: proc(5), mountinfo."""
    for line in read_file(f"/proc/{pid}/mountinfo").splitlines():
        fields, _, rest = line.partition(" - ")
        words = fields.split(" ")
        if not rest.startswith("nsfs ") or not words[3].startswith("net:["):
            continue
        path = inside(_OCTAL.sub(lambda found: chr(int(found[1], 8)), words[4]))
        inode = int(words[3][5:-1])
        label = path.rpartition("/")[2]
        if path.startswith(_BY_IP_NETNS):
            name, kind = f"netns:{label}", "named"
        elif _BY_ENGINE.search(path):
            name, kind = f"engine:{label}", "engine"
        else:
            name, kind = f"mount:{label}", "named"
        yield _Way(inode, f"{machine}/{name}", kind, machine, (f"/proc/{pid}/root", path), path)


def _open(top: str, path: str) -> int:
    """A descriptor of a namespace: of `top` itself or, with a path, of what lies there below it."""
    if not path:
        return os.open(top, os.O_RDONLY | os.O_CLOEXEC)
    root = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return open_inside(root, path, os.O_RDONLY | os.O_NONBLOCK)
    finally:
        os.close(root)


def _unique(name: str, names: set[str]) -> str:
    """The name, with a number behind it where another has it already."""
    number, made = 1, name
    while made in names:
        number += 1
        made = f"{name}#{number}"
    names.add(made)
    return made
