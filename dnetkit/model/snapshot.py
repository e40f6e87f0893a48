"""A network namespace, and the whole lab at one moment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dnetkit.errors import SnapshotError
from dnetkit.model.engine import Container, Machine, Network
from dnetkit.model.links import Link
from dnetkit.model.netfilter import Chain, Connection, NamedSet, Rule
from dnetkit.model.noise import noisy
from dnetkit.model.plain import from_plain, to_plain
from dnetkit.model.routing import ForwardingEntry, Membership, MulticastGroup, Neighbour, PolicyRule, Route
from dnetkit.model.sockets import Process, Socket

__all__ = ["SCHEMA", "Namespace", "Snapshot", "Unavailable"]

SCHEMA = 2
"""The version of the JSON form; a snapshot of another version is refused, never guessed at."""


@dataclass(frozen=True, order=True)
class Unavailable:
    """Something that could not be read: what, and the reason. Never to be taken for 'there is none'."""

    what: str
    reason: str


@dataclass(frozen=True)
class Namespace:
    """One network namespace.

    kind: 'lan' (the lab's own), 'host', 'client', 'container', 'named' (by `ip netns`), 'engine' (an engine's own, such
    as that of an overlay network) or 'unnamed' (no one gave it a name; then `processes` are those that keep it).
    machine: the one it lies in. inode: the kernel's number for it (`ls -l /proc/PID/ns/net`). path: the file in its
    machine that it is mounted on, which `nsenter --net=` takes; '' for none.
    """

    name: str
    kind: str
    machine: str
    inode: int = 0
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    forwarding: tuple[ForwardingEntry, ...] = ()
    chains: tuple[Chain, ...] = ()
    rules: tuple[Rule, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    unavailable: tuple[Unavailable, ...] = ()
    policy_rules: tuple[PolicyRule, ...] = ()
    memberships: tuple[Membership, ...] = ()
    groups: tuple[MulticastGroup, ...] = ()
    sets: tuple[NamedSet, ...] = ()
    connections: tuple[Connection, ...] = ()
    sockets: tuple[Socket, ...] = ()
    processes: tuple[Process, ...] = ()
    path: str = ""

    @property
    def label(self) -> str:
        """The name a person would use: 'host1', 'web', 'blue'."""
        return self.name.rpartition("/")[2].removeprefix("netns:")

    def link(self, name: str) -> Link | None:
        """The link of that name, or None."""
        return next((link for link in self.links if link.name == name), None)

    def sysctl(self, name: str) -> str | None:
        """The value of a setting, 'net.ipv4.ip_forward', or None when the kernel has no such setting here."""
        return dict(self.sysctls).get(name)


@dataclass(frozen=True)
class Snapshot:
    """The whole lab at one moment; `taken` is in seconds since the epoch, `duration` what taking it took."""

    taken: float = noisy(0.0)
    duration: float = noisy(0.0)
    lab: str = ""
    machines: tuple[Machine, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    networks: tuple[Network, ...] = ()
    containers: tuple[Container, ...] = ()
    unavailable: tuple[Unavailable, ...] = ()
    schema: int = SCHEMA

    def namespace(self, name: str) -> Namespace | None:
        """The namespace of that full name ('host1/web'), or of that label where only one has it ('web')."""
        exact = next((namespace for namespace in self.namespaces if namespace.name == name), None)
        if exact is not None:
            return exact
        labelled = [namespace for namespace in self.namespaces if namespace.label == name]
        return labelled[0] if len(labelled) == 1 else None

    def container(self, name: str, machine: str = "") -> Container | None:
        """The container of that name (on that machine, where one is given), or None."""
        return next((c for c in self.containers if c.name == name and machine in ("", c.machine)), None)

    def network(self, name: str, machine: str = "") -> Network | None:
        """The Docker network of that name (on that machine, where one is given), or None."""
        return next((n for n in self.networks if n.name == name and machine in ("", n.machine)), None)

    def to_json(self) -> str:
        """One line of JSON; `Snapshot.from_json` gives back an equal snapshot."""
        return json.dumps(to_plain(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """Read what `to_json` wrote. Raises SnapshotError for anything else."""
        try:
            plain = json.loads(text)
        except ValueError as error:
            raise SnapshotError(f"This is not a snapshot: {error}") from error
        return cls.from_plain(plain)

    @classmethod
    def from_plain(cls, plain: Any) -> Snapshot:
        """Read the plain form (what json.loads gives). Raises SnapshotError for another schema or shape."""
        schema = plain.get("schema") if isinstance(plain, dict) else None
        if schema != SCHEMA:
            raise SnapshotError(
                f"This snapshot has schema {schema!r}, and this dnetkit reads schema {SCHEMA}.",
                "Take it again, or read it with the version of dnetkit that wrote it.",
            )
        return from_plain(cls, plain)
