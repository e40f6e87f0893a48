"""What changed between two snapshots, as typed changes in the words of the field; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from dnetkit.changes import Changes
from dnetkit.counting import Counters, counters
from dnetkit.matching import Match, Pair, Space, match, pair, steady
from dnetkit.model import Change, Container, Snapshot
from dnetkit.notable import Notable
from dnetkit.parts import PARTS
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
    yield from _changes("namespace", matched.spaces, where=_name, apart=("links", *PARTS))
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
    for part, known in PARTS.items():
        befores = getattr(space.before, part, ())
        afters = getattr(space.after, part, ())
        if befores != afters:
            seen = partial(matched.seen, space.was) if known.named else None
            pairs = pair(befores, afters, *known.keys, seen=seen)
            changes = _changes(known.subject, pairs, where=lambda _: name, origin=origin)
            yield from _moved_rules(changes, pairs) if part == "rules" else changes


def _container(one: Pair) -> Iterator[Change]:
    old, new = one.before, one.after
    owner: Container = one.after or one.before
    for part, subject, key in (
        ("endpoints", "endpoint", lambda endpoint: endpoint.network),
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
        elif fields := (("namespace",) if one.origin else ()) + _fields(one.before, one.after, apart):
            was = one.origin or origin
            yield Change("changed", subject, place, "", one.before, one.after, fields, owner, was, one.place)
        else:
            same.append(one)
    kept = steady([one.came for one in same if one.came is not None])
    for one in same if len(kept) < len(same) else ():
        if one.came not in kept:
            place = where(one.after)
            yield Change("changed", subject, place, "", one.before, one.after, ("place",), owner, origin, one.place)


def _fields(before: Any, after: Any, apart: tuple[str, ...] = ()) -> tuple[str, ...]:
    if before is after or (not apart and before == after):
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
