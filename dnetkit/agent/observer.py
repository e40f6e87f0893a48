"""Take snapshots of a lab: one consistent pass over the kernel and the engines.

The engines are asked while the kernel is read. Things can come and go meanwhile; that shows where the two do not fit
together. Then the pass is taken again, and what still changes in the last one is left out whole, and said.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from dnetkit.agent import inquiry
from dnetkit.agent.docker_state import DockerState
from dnetkit.agent.dockerd import Engine
from dnetkit.agent.inquiry import Memory
from dnetkit.agent.machines import Machine
from dnetkit.agent.place import Kept
from dnetkit.agent.probes import probe
from dnetkit.agent.probes.files import MACHINE_FILES, read_files
from dnetkit.agent.probes.links import join
from dnetkit.agent.probes.processes import Processes
from dnetkit.agent.probes.spaces import Located, find
from dnetkit.model import (
    Endpoint,
    File,
    LinkRef,
    Namespace,
    Process,
    Snapshot,
    Unavailable,
    shorten,
    to_plain,
)
from dnetkit.model import Machine as MachineState

__all__ = ["Observer"]

_PASSES = 4
_OF_OVERLAY = re.compile(r"/(lb_|\d+-)([a-z0-9]{9,10})$")
"""The file of what an engine keeps for an overlay network; it ends with the beginning of the network's id."""
_REMEMBERED = 4  # snapshots that the next one can be told from; there are several when several are asked for at once

Oddity = tuple[str, str, str]
"""What does not fit: 'container', 'namespace' or 'link'; the machine or namespace; the name."""


class Observer:
    """Takes the snapshots of one lab, and remembers from one to the next what saves work."""

    def __init__(self, machines: Sequence[Machine], engines: Mapping[str, Engine]) -> None:
        self._machines = machines
        self._engines = engines
        self._lock = threading.Lock()
        self._taken: dict[int, Snapshot] = {}
        self._count = 0
        self._memory: dict[type, Any] = {}
        self._answered = {name: Memory() for name in engines}
        self._kept: dict[int, Kept] = {}  # by the number of the namespace
        self._sandboxes: dict[tuple[str, str], str] = {}  # the container of each, for when an engine does not answer
        self._overlays: dict[tuple[str, str], str] = {}  # by machine and the beginning of its id: the network's name

    def take(self, lab: str) -> Snapshot:
        """One snapshot of the whole lab."""
        start, clock = time.time(), time.monotonic()
        before: frozenset[Oddity] = frozenset()
        for _ in range(_PASSES):
            snapshot, odd = self._pass()
            if not odd or odd == before:  # what is odd twice in the same way does not change: it is as it is
                break
            before = odd
        else:
            snapshot = _without(snapshot, odd)
        return replace(snapshot, taken=start, duration=time.monotonic() - clock, lab=lab)

    def tell(self, lab: str, since: int) -> dict[str, Any]:
        """One snapshot as plain data: {'number', 'since', 'snapshot'}.

        Told as what is new since the one with the number `since`, where there is one and it is still known; else the
        'since' of the answer is 0 and the snapshot is whole.
        """
        with self._lock:  # what is remembered from one to the next is not made for two at a time
            taken = self.take(lab)
            base = self._taken.get(since)
            self._count += 1
            number = self._count
            self._taken[number] = taken
            self._taken.pop(number - _REMEMBERED, None)
        if base is None:
            return {"number": number, "since": 0, "snapshot": to_plain(taken)}
        return {"number": number, "since": since, "snapshot": shorten(base, taken)}

    def _pass(self) -> tuple[Snapshot, frozenset[Oddity]]:
        missing: list[Unavailable] = []
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(max(1, len(self._engines))))
            asked = {
                name: pool.submit(inquiry.ask, engine, self._answered[name]) for name, engine in self._engines.items()
            }
            processes = Processes(self._machines)
            located = find(stack, self._machines, processes, missing)
            for one in located:
                one.place.memory = self._memory
                one.place.kept = self._kept.get(one.place.inode) or one.place.kept
            self._kept = {one.place.inode: one.place.kept for one in located}
            spaces = [probe(one.place) for one in located]
            docker = DockerState()
            for name, answer in asked.items():
                try:
                    docker.answers[name] = answer.result()
                except OSError as error:
                    missing.append(Unavailable(f"the engine of {name}", str(error)))
            odd = self._name(located, docker)
            docker.find_processes(processes)
            for one in located:  # what a container was left with when that whose network it shares was started anew
                if one.place.kind == "unnamed" and (one.place.machine, one.place.inode) in docker.dwellers:
                    _call(one, docker.dwellers[one.place.machine, one.place.inode])
            spaces = [_named(one, space, processes) for one, space in zip(located, spaces, strict=True)]
            spaces, dangling = join([one.place for one in located], spaces)
            spaces = [
                replace(space, unavailable=tuple(one.place.missing)) for one, space in zip(located, spaces, strict=True)
            ]
        odd |= {("link", where, name) for where, name in dangling}
        networks, containers, unfit = docker.join(spaces, missing)
        odd |= {("container", machine, name) for machine, name in unfit}
        snapshot = Snapshot(
            machines=tuple(self._machine(machine, docker, missing) for machine in self._machines),
            namespaces=tuple(spaces),
            networks=networks,
            containers=containers,
            unavailable=tuple(missing),
        )
        return snapshot, frozenset(odd)

    def _name(self, located: Sequence[Located], docker: DockerState) -> set[Oddity]:
        """Call the namespaces of containers after them; returns what does not fit together."""
        by_path = {(one.place.machine, one.path): one for one in located if one.path}
        odd: set[Oddity] = set()
        for sandbox in docker.sandboxes:
            one = by_path.get((sandbox.machine, sandbox.path))
            if one is None and sandbox.running:
                odd.add(("container", sandbox.machine, sandbox.container))
            elif one is not None and one.place.kind == "engine":
                _call(one, sandbox.container)
        for (machine, path), one in by_path.items():
            if one.place.kind != "engine":
                continue
            if machine in docker.answers and not docker.is_the_engines_own(path):
                odd.add(("namespace", machine, one.place.name))
            elif machine not in docker.answers and (machine, path) in self._sandboxes:
                _call(one, self._sandboxes[machine, path])
        kept = {key: name for key, name in self._sandboxes.items() if key[0] not in docker.answers}
        self._sandboxes = kept | {(one.machine, one.path): one.container for one in docker.sandboxes}
        self._name_overlays(located, docker)
        return odd

    def _name_overlays(self, located: Sequence[Located], docker: DockerState) -> None:
        """Call what an engine keeps for its overlay networks after those; as before when it does not answer."""
        known = docker.overlays
        self._overlays = {key: name for key, name in self._overlays.items() if key[0] not in docker.answers} | known
        for one in located:
            found = _OF_OVERLAY.search(one.path) if one.place.kind == "engine" else None
            name = self._overlays.get((one.place.machine, found[2])) if found else None
            if found and name:
                what = "balancer" if found[1] == "lb_" else "overlay"
                one.place.name = f"{one.place.machine}/{what}:{name}"

    def _machine(self, machine: Machine, docker: DockerState, missing: list[Unavailable]) -> MachineState:
        engine = self._engines.get(machine.name)
        files: tuple[File, ...] = ()
        try:
            files = read_files(machine.path(""), MACHINE_FILES, machine.name, missing)
        except OSError as error:
            missing.append(Unavailable(f"the files of {machine.name}", error.strerror or str(error)))
        return MachineState(
            machine.name,
            machine.kind,
            machine.address,
            engine.version if engine is not None else "",
            docker.settings(machine.name),
            files,
        )


def _call(one: Located, container: str) -> None:
    one.place.kind = "container"
    one.place.name = f"{one.place.machine}/{container}"


def _named(one: Located, space: Namespace, processes: Processes) -> Namespace:
    """The namespace with its name as it is known by now, its sockets with their holders, and who keeps it."""
    place = one.place
    held = tuple(replace(socket, processes=processes.holders(socket.inode)) for socket in space.sockets)
    keepers: tuple[Process, ...] = ()
    if place.kind == "unnamed":
        keepers = tuple(sorted(processes.tell(entry) for entry in processes if entry.network == place.inode))
    return replace(space, name=place.name, kind=place.kind, sockets=held, processes=keepers, path=one.path)


def _without(snapshot: Snapshot, odd: frozenset[Oddity]) -> Snapshot:
    """The snapshot without what would not keep still, and with a word on each."""
    containers = {(where, name) for kind, where, name in odd if kind == "container"}
    spaces = {name for kind, _, name in odd if kind == "namespace"} | {f"{where}/{name}" for where, name in containers}
    links = {(where, name) for kind, where, name in odd if kind == "link"}
    left = [_space_without(space, spaces, links) for space in snapshot.namespaces if space.name not in spaces]
    said = [
        Unavailable(f"{kind} {name} of {where}", "it came, went or changed while the snapshot was taken")
        for kind, where, name in sorted(odd)
    ]
    return replace(
        snapshot,
        namespaces=tuple(left),
        networks=tuple(replace(one, link=_kept(one.link, spaces, links)) for one in snapshot.networks),
        containers=tuple(
            replace(one, endpoints=tuple(_endpoint_without(end, spaces, links) for end in one.endpoints))
            for one in snapshot.containers
            if (one.machine, one.name) not in containers
        ),
        unavailable=(*snapshot.unavailable, *said),
    )


def _kept(ref: LinkRef | None, spaces: Set[str], links: Set[tuple[str, str]]) -> LinkRef | None:
    """A reference, unless it points at something that is left out."""
    gone = ref is not None and (ref.namespace in spaces or (ref.namespace, ref.name) in links)
    return None if gone else ref


def _space_without(space: Namespace, spaces: Set[str], links: Set[tuple[str, str]]) -> Namespace:
    """A namespace without the links that are left out, nor anything that belongs to them or points at them."""
    kept = tuple(
        replace(one, peer=_kept(one.peer, spaces, links), parent=_kept(one.parent, spaces, links))
        for one in space.links
        if (space.name, one.name) not in links
    )
    devices = {name for where, name in links if where == space.name}
    parts: dict[str, Any] = {
        name: tuple(one for one in getattr(space, name) if one.device not in devices)
        for name in ("routes", "neighbours", "forwarding", "memberships")
        if devices
    }
    return replace(space, links=kept, **parts)


def _endpoint_without(end: Endpoint, spaces: Set[str], links: Set[tuple[str, str]]) -> Endpoint:
    return replace(end, link=_kept(end.link, spaces, links), host_link=_kept(end.host_link, spaces, links))
