"""What changed between two snapshots, as typed changes in the words of the field; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from dnetkit.changes import Changes
from dnetkit.counting import Counters, counters
from dnetkit.matching import Match, Pair, Space, match, pair, steady
from dnetkit.model import Change, Container, Route, Snapshot
from dnetkit.notable import Notable
from dnetkit.patch import apply
from dnetkit.words import sentence

__all__ = ["Changes", "Counters", "apply", "counters", "diff"]

Key = Callable[[Any], Hashable]


def diff(before: Snapshot, after: Snapshot, *, noise: bool = False) -> Changes:
    """The changes from one snapshot to a later one.

    Without noise: what somebody did. With it also what goes on by itself and what follows from the rest (counters, the
    timers of neighbours, link-local addresses, the local routing table, renumbering, times): then nothing is left out,
    and `apply(before, changes)` gives `after` again.
    """
    matched = match(before, after)
    found: Iterable[Change] = _differences(matched)
    if not noise:
        found = Notable(matched).only(found)
    return Changes(before, after, tuple(dataclasses.replace(one, text=sentence(one)) for one in found))


def _differences(matched: Match) -> Iterator[Change]:
    """Every difference, as raw as it is."""
    before, after = matched.before, matched.after
    blank: dict[str, Any] = {"machines": (), "namespaces": (), "networks": (), "containers": (), "unavailable": ()}
    header = Pair(dataclasses.replace(before, **blank), dataclasses.replace(after, **blank), 0, 0)
    yield from _changes("snapshot", [header])
    yield from _changes("unavailable", pair(before.unavailable, after.unavailable, _itself))
    yield from _changes("machine", pair(before.machines, after.machines, _name), where=_name)
    yield from _changes("namespace", matched.spaces, where=_name, apart=_PARTS)
    for space in matched.spaces:
        yield from _namespace(matched, space)
    networks = pair(before.networks, after.networks, _id)
    yield from _changes("network", networks, where=_machine)
    containers = pair(before.containers, after.containers, _id)
    yield from _changes("container", containers, where=_machine, apart=("endpoints", "ports"))
    for one in containers:
        yield from _container(one)


def _itself(one: Any) -> Hashable:
    return one  # type: ignore[no-any-return] # every part of a snapshot is frozen


def _name(one: Any) -> str:
    return str(one.name)


def _machine(one: Any) -> str:
    return str(one.machine)


def _id(one: Any) -> Hashable:
    return one.machine, one.id


_PARTS = ("links", "routes", "neighbours", "forwarding", "chains", "rules", "sysctls", "unavailable")

# For each part of a namespace: its subject, and what an object in it is recognised by, the surest sign first.
_IDENTITY: dict[str, tuple[str, tuple[Key, ...]]] = {
    "routes": (
        "route",
        (
            _itself,
            lambda one: (one.family, one.table, one.destination, one.metric, one.kind, one.device),
            lambda one: _replaceable(one),  # noqa: PLW0108 - it is defined below
        ),
    ),
    "neighbours": ("neighbour", (lambda one: (one.address, one.device),)),
    "forwarding": (
        "forwarding",
        (
            lambda one: (one.mac, one.bridge, one.device, one.vlan, one.remote),
            lambda one: (one.mac, one.bridge, one.vlan) if one.bridge else None,
        ),
    ),
    "chains": ("chain", (lambda one: (one.family, one.backend, one.table, one.name),)),
    "rules": ("rule", (lambda one: (one.family, one.backend, one.table, one.chain, one.text),)),
    "sysctls": ("sysctl", (lambda one: one[0],)),
    "unavailable": ("unavailable", (_itself,)),
}


def _replaceable(route: Route) -> Hashable:
    """IPv4 has one route for a destination, table and metric, whichever way it leads; so has a default route."""
    if route.family == 4 or route.destination == "default":
        return (route.family, route.table, route.destination, route.metric, route.kind)
    return None


def _namespace(matched: Match, space: Space) -> Iterator[Change]:
    name = space.now or space.was
    origin = space.was if space.now and space.was != space.now else ""
    yield from _changes("link", space.links, where=lambda _: name, apart=("addresses",), origin=origin)
    for link in space.links:
        befores = link.before.addresses if link.before else ()
        afters = link.after.addresses if link.after else ()
        if befores != afters:
            pairs = pair(befores, afters, lambda one: one.cidr)
            yield from _changes(
                "address", pairs, where=lambda _: name, owner=link.after or link.before, origin=link.origin or origin
            )
    for part, (subject, keys) in _IDENTITY.items():
        befores = getattr(space.before, part, ())
        afters = getattr(space.after, part, ())
        if befores != afters:
            seen = partial(matched.seen, space.was) if part in ("routes", "neighbours", "forwarding") else None
            pairs = pair(befores, afters, *keys, seen=seen)
            changes = _changes(subject, pairs, where=lambda _: name, origin=origin)
            yield from _moved_rules(changes, pairs) if part == "rules" else changes


def _container(one: Pair) -> Iterator[Change]:
    old, new = one.before, one.after
    owner: Container = one.after or one.before
    for part, subject, key in (
        ("endpoints", "endpoint", lambda endpoint: endpoint.network_id or endpoint.network),
        ("ports", "port", _itself),
    ):
        befores, afters = getattr(old, part, ()), getattr(new, part, ())
        if befores != afters:
            pairs = pair(befores, afters, key)
            yield from _changes(subject, pairs, where=lambda _: owner.machine, owner=owner)


def _changes(
    subject: str,
    pairs: Sequence[Pair],
    *,
    where: Callable[[Any], str] = lambda _: "",
    apart: tuple[str, ...] = (),
    owner: Any = None,
    origin: str = "",
) -> Iterator[Change]:
    """Added, removed, changed; of equal ones those that left their order. apart: fields that are compared elsewhere."""
    same = []
    for one in pairs:
        place = where(one.before if one.after is None else one.after)
        if one.before is None:
            yield Change("added", subject, place, "", None, one.after, (), owner, "", one.place)
        elif one.after is None:
            yield Change("removed", subject, place, "", one.before, None, (), owner, origin)
        else:
            fields = (("namespace",) if one.origin else ()) + _fields(one.before, one.after, apart)
            change = Change(
                "changed", subject, place, "", one.before, one.after, fields, owner, one.origin or origin, one.place
            )
            if fields:
                yield change
            else:
                same.append((one.came, dataclasses.replace(change, fields=("place",))))
    kept = steady([came for came, _ in same if came is not None])
    yield from (change for came, change in same if came not in kept)


def _fields(before: Any, after: Any, apart: tuple[str, ...] = ()) -> tuple[str, ...]:
    if before == after:
        return ()
    if isinstance(before, tuple):
        return ("value",)
    names = (one.name for one in dataclasses.fields(before))
    return tuple(name for name in names if name not in apart and getattr(before, name) != getattr(after, name))


def _moved_rules(changes: Iterable[Change], pairs: Sequence[Pair]) -> Iterator[Change]:
    """A rule whose position differs has moved only when the others of its chain did not keep their order around it."""
    chains: dict[Hashable, list[int]] = {}
    came = {id(one.after): one.came for one in pairs if one.before is not None and one.after is not None}
    for one in pairs:
        if one.came is not None and one.after is not None:
            chains.setdefault(_chain(one.after), []).append(one.came)
    kept = {number for numbers in chains.values() for number in steady(numbers)}
    for change in changes:
        moved = change.verb == "changed" and "place" not in change.fields and came[id(change.after)] not in kept
        yield dataclasses.replace(change, fields=(*change.fields, "place")) if moved else change


def _chain(rule: Any) -> Hashable:
    return rule.family, rule.backend, rule.table, rule.chain
