"""What is to be drawn: the state with what the last step removed still in it, and a mark on what it touched; pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from dnetkit.model import Change, Container, Link, Namespace, Snapshot

__all__ = ["ADDED", "CHANGED", "REMOVED", "ChangesLike", "Marked", "Wire", "marked", "wires"]

ADDED, REMOVED, CHANGED = "added", "removed", "changed"

T = TypeVar("T")
Key = tuple[Hashable, ...]
Wire = tuple[tuple[str, str], tuple[str, str], str]
"""Two ends, each (namespace, interface), and the kind: 'veth'; for 'macvlan' and its like the parent is first."""

# These show in the picture by themselves: as an address, as a wire.
_DRAWN_ELSEWHERE = frozenset(
    {"addresses", "peer", "peer_index", "netnsid", "parent", "index", "namespace", "endpoints"}
)


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
    ('network', machine, id), ('container', machine, name), ('port', machine, container, port), ('wire', *Wire),
    ('forwarding', namespace).
    """

    state: Snapshot
    wires: list[Wire]
    marks: dict[Key, str] = field(default_factory=dict)
    was: dict[Key, tuple[str, ...]] = field(default_factory=dict)

    def mark(self, *key: Hashable) -> str:
        """'added', 'removed', 'changed' or ''."""
        return self.marks.get(key, "")


def wires(state: Snapshot) -> list[Wire]:
    """Every pair, and every link that stands on another, once."""
    found: dict[Wire, None] = {}
    for space in state.namespaces:
        for link in space.links:
            here = (space.name, link.name)
            if link.peer is not None:
                one, other = sorted([here, (link.peer.namespace, link.peer.name)])
                found[one, other, "veth"] = None
            if link.parent is not None:
                found[(link.parent.namespace, link.parent.name), here, link.kind] = None
    return list(found)


def marked(snapshot: Snapshot, changes: ChangesLike | None = None) -> Marked:
    """Lay the changes over the snapshot.

    The snapshot may be newer than the changes: only what is still there is marked as added, only what is still gone
    as removed.
    """
    if changes is None:
        return Marked(snapshot, wires(snapshot))
    return _Overlay(snapshot, changes).result()


class _Overlay:
    """Collects the marks while the two states are laid over each other."""

    def __init__(self, snapshot: Snapshot, changes: ChangesLike) -> None:
        self.snapshot, self.changes = snapshot, changes
        self.marks: dict[Key, str] = {}
        self.was: dict[Key, tuple[str, ...]] = {}

    def result(self) -> Marked:
        now, before, after = self.snapshot, self.changes.before, self.changes.after
        state = replace(
            now,
            machines=self._union(
                now.machines, before.machines, after.machines, lambda machine: ("machine", machine.name)
            ),
            networks=self._union(
                now.networks, before.networks, after.networks, lambda network: ("network", network.machine, network.id)
            ),
            namespaces=self._namespaces(),
            containers=self._containers(),
        )
        drawn = self._union(wires(now), wires(before), wires(after), lambda wire: ("wire", *wire))
        for item in self.changes.items:
            self._note(item)
        return Marked(state, list(drawn), self.marks, self.was)

    def _union(
        self, now: Iterable[T], before: Iterable[T], after: Iterable[T], key: Callable[[T], Key]
    ) -> tuple[T, ...]:
        """What is, then what was removed; both marked."""
        old = {key(thing): thing for thing in before}
        new = {key(thing) for thing in after}
        kept = {key(thing): thing for thing in now}
        self.marks.update((name, ADDED) for name in kept if name in new and name not in old)
        gone = {name: thing for name, thing in old.items() if name not in new and name not in kept}
        self.marks.update((name, REMOVED) for name in gone)
        return (*kept.values(), *gone.values())

    def _namespaces(self) -> tuple[Namespace, ...]:
        old = {space.name: space for space in self.changes.before.namespaces}
        new = {space.name: space for space in self.changes.after.namespaces}
        both = self._union(
            self.snapshot.namespaces, old.values(), new.values(), lambda space: ("namespace", space.name)
        )
        merged = []
        for space in both:
            removed = self.marks.get(("namespace", space.name)) == REMOVED
            links = self._union(
                () if removed else space.links,
                _links(old.get(space.name)),
                _links(new.get(space.name)),
                lambda link, where=space.name: ("link", where, link.name),  # type: ignore[misc]
            )
            links = tuple(self._addresses(space.name, link, old, new) for link in links)
            if space.name in old and space.name in new and _forwards(old[space.name]) != _forwards(new[space.name]):
                self.marks["forwarding", space.name] = CHANGED
            merged.append(replace(space, links=links))
        return tuple(merged)

    def _addresses(self, where: str, link: Link, old: dict[str, Namespace], new: dict[str, Namespace]) -> Link:
        removed = self.marks.get(("link", where, link.name)) == REMOVED
        addresses = self._union(
            () if removed else link.addresses,
            _addresses(old.get(where), link.name),
            _addresses(new.get(where), link.name),
            lambda address: ("address", where, link.name, address.cidr),
        )
        return replace(link, addresses=addresses)

    def _containers(self) -> tuple[Container, ...]:
        old = {(c.machine, c.name): c for c in self.changes.before.containers}
        new = {(c.machine, c.name): c for c in self.changes.after.containers}
        both = self._union(
            self.snapshot.containers, old.values(), new.values(), lambda c: ("container", c.machine, c.name)
        )
        merged = []
        for container in both:
            where = (container.machine, container.name)
            removed = self.marks.get(("container", *where)) == REMOVED
            ports = self._union(
                () if removed else container.ports,
                old[where].ports if where in old else (),
                new[where].ports if where in new else (),
                lambda port, where=where: ("port", *where, port),  # type: ignore[misc]
            )
            merged.append(replace(container, ports=ports))
        return tuple(merged)

    def _note(self, item: Change) -> None:
        """Mark what the changes call changed, with what it was."""
        key = _key(item)
        fields = tuple(name for name in item.fields if name not in _DRAWN_ELSEWHERE)
        if key is None or key in self.marks or item.verb != CHANGED or (item.fields and not fields):
            return
        self.marks[key] = CHANGED
        self.was[key] = tuple(
            f"{name} {_shown(getattr(item.before, name, None))} → {_shown(getattr(item.after, name, None))}"
            for name in fields
        )


def _key(item: Change) -> Key | None:
    thing = item.after if item.after is not None else item.before
    name = getattr(thing, "name", "")
    if item.subject == "link":
        return ("link", item.where, name)
    if item.subject == "container":
        return ("container", getattr(thing, "machine", item.where), name)
    if item.subject == "network":
        return ("network", getattr(thing, "machine", item.where), getattr(thing, "id", ""))
    if item.subject in ("machine", "namespace"):
        return (item.subject, name or item.where)
    return None


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value or "none")


def _links(space: Namespace | None) -> tuple[Link, ...]:
    return space.links if space is not None else ()


def _addresses(space: Namespace | None, link: str) -> tuple[Any, ...]:
    found = space.link(link) if space is not None else None
    return found.addresses if found is not None else ()


def _forwards(space: Namespace) -> str:
    return dict(space.sysctls).get("net.ipv4.ip_forward", "")
