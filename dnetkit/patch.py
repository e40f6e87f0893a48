"""Apply the changes from one snapshot to a later one: what a full diff says is all there is; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dnetkit.model import Change, Container, Namespace, Snapshot
from dnetkit.parts import PARTS

__all__ = ["apply"]


def apply(before: Snapshot, changes: Iterable[Change]) -> Snapshot:
    """The later snapshot again, from the earlier one and `diff(before, after, noise=True)`.

    Where changes leave something out, the result has that as it was before.
    """
    by_subject: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_subject[change.subject].append(change)
    header = next((change.after for change in by_subject["snapshot"]), before)
    at_top = [change for change in by_subject["unavailable"] if not change.where]
    spaces = _pairs(before.namespaces, by_subject["namespace"])
    containers = _pairs(before.containers, by_subject["container"])
    return replace(
        header,
        machines=_members(before.machines, by_subject["machine"]),
        unavailable=_members(before.unavailable, at_top),
        networks=_members(before.networks, by_subject["network"]),
        containers=tuple(_container(old, new, by_subject) for old, new in containers),
        namespaces=tuple(_namespace(old, new, by_subject) for old, new in spaces),
    )


def _container(old: Container | None, new: Container, by_subject: Mapping[str, list[Change]]) -> Container:
    def mine(subject: str) -> list[Change]:
        changes = by_subject[subject]
        return [one for one in changes if (one.owner.machine, one.owner.id) == (new.machine, new.id)]

    return replace(
        new,
        endpoints=_members(old.endpoints if old else (), mine("endpoint")),
        ports=_members(old.ports if old else (), mine("port")),
    )


def _namespace(old: Namespace | None, new: Namespace, by_subject: Mapping[str, list[Change]]) -> Namespace:
    def mine(subject: str) -> list[Change]:
        """What leaves the namespace as it was called before, and what is in it as it is called now."""
        return [
            replace(
                one,
                before=one.before if old is not None and (one.origin or one.where) == old.name else None,
                after=one.after if one.where == new.name else None,
            )
            for one in by_subject[subject]
        ]

    links = []
    moved = {id(one.after): one for one in by_subject["link"] if "namespace" in one.fields}
    for was, now in _pairs(old.links if old else (), mine("link")):
        origin = moved[id(now)].origin if id(now) in moved else old.name if old else ""
        link = moved[id(now)].before if id(now) in moved else was
        addresses = [
            one
            for one in by_subject["address"]
            if (one.where, one.owner.index, one.owner.kind) == (new.name, now.index, now.kind)
            and (one.before is None or (one.origin or one.where) == origin)
        ]
        links.append(replace(now, addresses=_members(link.addresses if link else (), addresses)))
    parts: dict[str, Any] = {
        part: _members(getattr(old, part, ()), mine(known.subject)) for part, known in PARTS.items()
    }
    return replace(new, links=tuple(links), **parts)


def _members(before: Sequence[Any], changes: Iterable[Change]) -> tuple[Any, ...]:
    return tuple(after for _, after in _pairs(before, changes))


def _pairs(before: Sequence[Any], changes: Iterable[Change]) -> list[tuple[Any, Any]]:
    """What is there afterwards, in its order, each with what it was before (None: it was not there)."""
    kept = list(before)
    placed: dict[int, tuple[Any, Any]] = {}
    for change in changes:
        if change.before is not None and change.before in kept:
            kept.remove(change.before)
        if change.after is not None and change.place is not None:
            placed[change.place] = (change.before, change.after)
    made: list[tuple[Any, Any]] = []
    for place in sorted(placed):
        while kept and len(made) < place:
            made.append((kept[0], kept.pop(0)))
        made.append(placed[place])
    return made + [(one, one) for one in kept]
