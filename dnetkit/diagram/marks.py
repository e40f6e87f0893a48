"""What is to be drawn: the state with what the last step removed still in it, and a mark on what it touched; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from dnetkit.diagram import tunnels
from dnetkit.diagram.scene import GHOST, End
from dnetkit.matching import Match, match
from dnetkit.model import Address, Change, Container, Link, Namespace, Snapshot
from dnetkit.words import label

__all__ = ["ADDED", "CHANGED", "REMOVED", "ChangesLike", "Marked", "Wire", "home_of", "marked", "wires"]

ADDED, REMOVED, CHANGED = "added", "removed", "changed"

T = TypeVar("T")
Key = tuple[Hashable, ...]
Wire = tuple[End, End, str]
"""Two ends, each (namespace, interface), and the kind: 'veth'; 'tunnel' between vxlans; for 'macvlan' and its like the
parent is first."""

# What of a changed thing is worth a mark in a picture. The list of changes has the rest: files, flags, counters, ...;
# and addresses, ports and cables have marks of their own.
_WORTH = {
    "link": frozenset({"namespace", "name", "up", "state", "master", "mac", "mtu", "parameters"}),
    "container": frozenset({"name", "state", "image", "network_mode", "hostname"}),
    "network": frozenset({"name", "subnets", "internal"}),
    "machine": frozenset({"address", "engine"}),
}


_PARAMETERS = ("mode", "id", "remote", "local", "vlan_filtering", "stp_state")
"""Of the parameters of a link; timers and the like are not among them."""


class ChangesLike(Protocol):
    """What is read of a dnetkit.diff.Changes."""

    @property
    def before(self) -> Snapshot: ...  # noqa: D102 - as in diff.Changes
    @property
    def after(self) -> Snapshot: ...  # noqa: D102
    @property
    def items(self) -> tuple[Change, ...]: ...  # noqa: D102


@dataclass
class Marked:
    """`state` holds what is and what was removed; `marks` says which is which, `was` what a changed thing was before.

    Keys: ('machine', name), ('namespace', name), ('link', namespace, name), ('address', namespace, link, cidr),
    ('network', machine, id), ('container', machine, id), ('port', machine, container's id, port), ('wire', *Wire),
    ('forwarding', namespace). homes: the namespace that a container is drawn in, by (machine, id).
    """

    state: Snapshot
    wires: list[Wire]
    homes: dict[tuple[str, str], str]
    marks: dict[Key, str] = field(default_factory=dict)
    was: dict[Key, tuple[str, ...]] = field(default_factory=dict)

    def mark(self, *key: Hashable) -> str:
        """'added', 'removed', 'changed' or ''."""
        return self.marks.get(key, "")


def wires(state: Snapshot) -> list[Wire]:
    """Every pair, every link that stands on another, every tunnel, once."""
    found: dict[Wire, None] = {}
    for space in state.namespaces:
        for link in space.links:
            here = (space.name, link.name)
            if link.peer is not None:
                found[_wire(here, (link.peer.namespace, link.peer.name), "veth")] = None
            if link.parent is not None:
                found[_wire((link.parent.namespace, link.parent.name), here, link.kind)] = None
    found |= {_wire(one, other, "tunnel"): None for one, other in tunnels.pairs(state)}
    return list(found)


def _wire(one: End, other: End, kind: str) -> Wire:
    first, second = sorted([one, other]) if kind in ("veth", "tunnel") else (one, other)
    return (first, second, kind)


def home_of(container: Container) -> str:
    """The namespace that it uses, or what that was called and will be again when it runs."""
    return container.namespace or f"{container.machine}/{container.name}"


def marked(snapshot: Snapshot, changes: ChangesLike | None = None) -> Marked:
    """Lay the changes over the snapshot.

    The snapshot may be newer than the changes: only what is still there is marked as added, only what is still gone
    as removed.
    """
    homes = {(one.machine, one.id): home_of(one) for one in snapshot.containers}
    if changes is None:
        return Marked(snapshot, wires(snapshot), homes)
    return _Overlay(snapshot, changes, Marked(snapshot, wires(snapshot), homes)).result()


class _Overlay:
    """Collects the marks, and what is to be drawn of that which is gone."""

    def __init__(self, snapshot: Snapshot, changes: ChangesLike, made: Marked) -> None:
        self.now, self.changes, self.made = snapshot, changes, made
        self.match: Match = match(changes.before, changes.after)
        self.spaces = {space.name: space for space in snapshot.namespaces}
        self.links = {(space.name, link.name): link for space in snapshot.namespaces for link in space.links}
        self.gone: dict[str, list[Link]] = defaultdict(list)
        self.ended: dict[str, Namespace] = {}
        self.names: dict[End, End] = {}

    def result(self) -> Marked:
        before, after, now = self.changes.before, self.changes.after, self.now
        machines = self._union(now.machines, before.machines, after.machines, lambda one: ("machine", one.name))
        networks = self._union(
            now.networks, before.networks, after.networks, lambda one: ("network", one.machine, one.id)
        )
        containers = self._containers()
        for space in self.match.spaces:
            self._space(space)
        namespaces = [self._with_ghosts(space) for space in (*now.namespaces, *self.ended.values())]
        self.made.state = replace(
            now, machines=machines, networks=networks, containers=containers, namespaces=tuple(namespaces)
        )
        self._wires()
        for item in self.changes.items:
            self._note(item)
        return self.made

    def _union(
        self, now: Iterable[T], before: Iterable[T], after: Iterable[T], key: Callable[[T], Key]
    ) -> tuple[T, ...]:
        """What is, then what was removed; both marked."""
        old = {key(thing): thing for thing in before}
        new = {key(thing) for thing in after}
        kept = {key(thing): thing for thing in now}
        self.made.marks.update((name, ADDED) for name in kept if name in new and name not in old)
        gone = {name: thing for name, thing in old.items() if name not in new and name not in kept}
        self.made.marks.update((name, REMOVED) for name in gone)
        return (*kept.values(), *gone.values())

    def _containers(self) -> tuple[Container, ...]:
        old = {(one.machine, one.id): one for one in self.changes.before.containers}
        new = {(one.machine, one.id): one for one in self.changes.after.containers}
        both = self._union(
            self.now.containers, old.values(), new.values(), lambda one: ("container", one.machine, one.id)
        )
        merged = []
        for one in both:
            identity = (one.machine, one.id)
            removed = self.made.mark("container", *identity) == REMOVED
            ports = self._union(
                () if removed else one.ports,
                old[identity].ports if identity in old else (),
                new[identity].ports if identity in new else (),
                lambda port, identity=identity: ("port", *identity, port),  # type: ignore[misc]
            )
            merged.append(replace(one, ports=ports))
            if removed:
                self.made.homes[identity] = self._home(home_of(one))
        return tuple(merged)

    def _home(self, name: str) -> str:
        """Where to draw what was in a namespace of before.

        In the same one; when that ended, with its container, which was stopped or has another now; else in a place
        of its own.
        """
        lasting = self.match.names.get(name)
        if lasting is not None:
            return lasting
        for one in self.changes.before.containers:
            own = one.namespace == name and name != one.machine and not one.network_mode.startswith("container:")
            lives = self.made.mark("container", one.machine, one.id) != REMOVED
            if own and lives and (one.machine, one.id) in self.made.homes:
                return self.made.homes[one.machine, one.id]
        taken = name in self.spaces or name in {
            home
            for (machine, identity), home in self.made.homes.items()
            if self.made.mark("container", machine, identity) != REMOVED
        }
        return name + GHOST if taken else name

    def _space(self, space: Any) -> None:
        """The marks of one namespace, its links and their addresses."""
        if space.before is None:
            self._add(("namespace", space.now), space.now in self.spaces)
        home = space.now or self._home(space.was)
        if space.after is None and home not in self.spaces:
            self.ended[home] = replace(space.before, name=home, links=(), routes=())
            self.made.marks["namespace", home] = REMOVED
        elif space.before is not None and space.after is not None and _forwards(space.before) != _forwards(space.after):
            self.made.marks["forwarding", space.now] = CHANGED
        for one in space.links:
            was, link = one.before, one.after
            if link is None:
                self._ghost(space.was, home, was)
            elif was is None:
                self._add(("link", space.now, link.name), (space.now, link.name) in self.links)
            elif one.origin:
                self._ghost(one.origin, self._home(one.origin), was)
                ghost = self.names.pop((one.origin, was.name), None)
                if ghost is not None:
                    self.made.was[("link", *ghost)] = (f"now in {label(space.now)}",)
            if link is not None and (space.now, link.name) in self.links:
                self._addresses((space.now, link.name), was.addresses if was else (), link.addresses)

    def _add(self, key: Key, there: bool) -> None:
        if there:
            self.made.marks[key] = ADDED

    def _ghost(self, where: str, home: str, link: Link) -> None:
        """A link that is no more where it was."""
        if link.kind == "loopback":
            return
        taken = (home, link.name) in self.links or any(one.name == link.name for one in self.gone[home])
        name = link.name + GHOST if taken else link.name
        master = self.match.refs.get((where, link.master or ""))
        peer = replace(link.peer, namespace=self._home(link.peer.namespace)) if link.peer else None
        self.gone[home].append(replace(link, name=name, master=master.name if master else link.master, peer=peer))
        self.names[where, link.name] = (home, name)
        self.made.marks["link", home, name] = REMOVED
        self.made.marks.update((("address", home, name, one.cidr), REMOVED) for one in link.addresses)

    def _addresses(self, end: End, old: tuple[Address, ...], new: tuple[Address, ...]) -> None:
        link = self.links[end]
        addresses = self._union(link.addresses, old, new, lambda one: ("address", *end, one.cidr))
        self.links[end] = replace(link, addresses=addresses)

    def _with_ghosts(self, space: Namespace) -> Namespace:
        here = [self.links[space.name, link.name] for link in space.links]
        return replace(space, links=(*here, *self.gone.get(space.name, ())))

    def _wires(self) -> None:
        """A pair is the same pair when its links are the same, wherever they are and whatever they are called."""
        now, later = set(self.made.wires), set(wires(self.changes.after))
        seen = set()
        for one, other, kind in wires(self.changes.before):
            ends = [self._lasting(end) for end in (one, other)]
            wire = _wire(ends[0], ends[1], kind)
            seen.add(wire)
            if wire in later:
                moved = any(old[0] != new[0] for old, new in zip((one, other), ends, strict=True))
                renamed = {self.match.names.get(end[0], end[0]) for end in (one, other)} == {end[0] for end in ends}
                if moved and not renamed and wire in now:
                    self.made.marks[("wire", *wire)] = CHANGED
            elif wire not in now:
                self.made.wires.append(wire)
                self.made.marks[("wire", *wire)] = REMOVED
        self.made.marks.update((("wire", *wire), ADDED) for wire in later & now if wire not in seen)

    def _lasting(self, end: End) -> End:
        """An end of before: where that link is now, or where it is drawn as gone."""
        found = self.match.refs.get(end)
        return (found.namespace, found.name) if found is not None else self.names.get(end, end)

    def _note(self, item: Change) -> None:
        """Mark what the changes call changed, with what it was."""
        key = _key(item) if item.verb == CHANGED else None
        if key is None or key in self.made.marks:
            return
        told = _differences(item)
        if told or not item.fields:
            self.made.marks[key] = CHANGED
            self.made.was[key] = told


def _key(item: Change) -> Key | None:
    thing = item.after
    if item.subject == "link":
        return ("link", item.where, thing.name)
    if item.subject in ("container", "network"):
        return (item.subject, thing.machine, thing.id)
    if item.subject == "machine":
        return ("machine", thing.name)
    return None


def _differences(item: Change) -> tuple[str, ...]:
    """What a changed thing was, in few words."""
    told = []
    fields = [name for name in item.fields if name in _WORTH[item.subject]]
    if item.subject == "link" and item.after.kind == "bridge":
        fields = [name for name in fields if name != "mac"]  # it takes that of a port
    if "namespace" in fields:
        told.append(f"from {label(item.origin)}" if item.origin else "moved")
    if "name" in fields:
        told.append(f"was {item.before.name}")
    if {"up", "state"} & set(fields):
        states = (item.before.state, item.after.state)
        if "up" in fields and "UNKNOWN" in states:  # what lo and some others are, up or not
            told.append("set up" if item.after.up else "set down")
        elif states[0] != states[1]:
            told.append(" → ".join(states))
        else:
            told.append("set up" if item.after.up else "set down")
    if "master" in fields:
        told.append(f"was a port of {item.before.master}" if item.before.master else "now a port")
    if "parameters" in fields:
        before, after = (dict(link.parameters) for link in (item.before, item.after))
        changed = [name for name in _PARAMETERS if before.get(name) != after.get(name)]
        told += [f"{name} {before.get(name, 'none')} → {after.get(name, 'none')}" for name in changed]
    for name in fields:
        if name not in ("namespace", "name", "up", "state", "master", "parameters"):
            values = [_shown(getattr(thing, name, None)) for thing in (item.before, item.after)]
            told.append(f"{name.replace('_', ' ')} {values[0]} → {values[1]}")
    return tuple(told)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value)) or "none"
    return str(getattr(value, "cidr", value) or "none")


def _forwards(space: Namespace) -> str:
    return dict(space.sysctls).get("net.ipv4.ip_forward", "")
