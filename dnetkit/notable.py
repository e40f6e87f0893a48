"""What of all differences somebody did, and what goes on by itself or follows from the rest; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from dnetkit.matching import Match
from dnetkit.model import Change, Namespace, Unavailable

__all__ = ["Notable"]

# Fields that change by themselves, or say again what another change says.
_QUIET = {
    "link": {"netnsid", "peer_index"},
    "chain": {"packets", "bytes"},
    "rule": {"packets", "bytes", "position"},
    "neighbour": {"state"},
    "container": {"namespace"},
    "namespace": {"inode"},
}

_BLINDING = {"links": ("link", "address"), "rules": ("rule", "chain"), "sysctls": ("sysctl",)}
_BLINDING |= {"routes": ("route",), "neighbours": ("neighbour",), "forwarding": ("forwarding",)}


class Notable:
    """Picks the changes worth telling between two matched snapshots."""

    def __init__(self, matched: Match) -> None:
        self._matched = matched
        self._begun = {space.now for space in matched.spaces if space.before is None}
        self._ended = {space.was for space in matched.spaces if space.after is None}
        self._macs: dict[str, set[str]] = {}
        self._devices: dict[str, set[str]] = {}
        for state in (matched.before, matched.after):
            for space in state.namespaces:
                self._macs.setdefault(space.name, set()).update(link.mac for link in space.links)
        for space in matched.after.namespaces:
            self._devices[space.name] = {link.name for link in space.links}
        self._kinds = {n.name: n for state in (matched.before, matched.after) for n in state.namespaces}
        self._blind = set(_blind(matched))
        self._sourceless = {
            one.what.removeprefix("the engine of ")
            for state in (matched.before, matched.after)
            for one in state.unavailable
        }

    def only(self, changes: Iterable[Change]) -> Iterator[Change]:
        """The changes to tell, each with the fields that matter."""
        for change in changes:
            if change.subject == "snapshot" or self._unknown(change):
                continue
            if change.verb == "changed":
                fields = self._fields(change)
                if fields:
                    yield replace(change, fields=fields)
            elif (telling := _TELLING.get(change.subject)) is None or telling(self, change):
                yield change

    def _unknown(self, change: Change) -> bool:
        """Whether a side of it could not be read: then a difference says nothing about the lab."""
        if change.subject in ("container", "endpoint", "port", "network"):
            return change.where in self._sourceless
        if change.subject == "unavailable":
            return False
        space = self._kinds.get(change.where)
        if space is not None and space.kind == "container" and space.machine in self._sourceless:
            return change.where in self._begun | self._ended
        return (change.where, change.subject) in self._blind

    def _fields(self, change: Change) -> tuple[str, ...]:
        quiet = _QUIET.get(change.subject, set())
        before, after = self._matched.seen(change.origin or change.where, change.before), change.after
        fields = tuple(
            name
            for name in change.fields
            if name == "value"
            or (name == "namespace" and change.subject == "link")
            or (name not in quiet and _differs(before, after, name))
        )
        if change.subject == "rule" and "place" in change.fields and "position" in change.fields:
            fields += ("place",)
        if change.subject == "neighbour":
            lasting = ("PERMANENT", "NOARP")
            if before.mac != after.mac and not after.mac:
                return ()
            if (before.state in lasting) != (after.state in lasting):
                fields += ("state",)
        if change.subject == "link" and "peer" in fields and after.peer is None and self._sourceless:
            fields = tuple(name for name in fields if name != "peer")
        return fields

    def _whole(self, change: Change) -> bool:
        """Whether it came or went with its namespace."""
        return change.where in (self._begun if change.verb == "added" else self._ended)

    def _link(self, change: Change) -> bool:
        return not ((change.after or change.before).kind == "loopback" and self._whole(change))

    def _address(self, change: Change) -> bool:
        one = change.after or change.before
        return not ((one.family == 6 and one.scope == "link") or (one.scope == "host" and self._whole(change)))

    def _route(self, change: Change) -> bool:
        one = change.after or change.before
        by_itself = (
            one.family == 6 and one.protocol == "kernel" and one.destination in ("fe80::/64", "ff00::/8", "::1/128")
        )
        return one.table != "local" and not by_itself and not self._with_its_namespace(change)

    def _neighbour(self, change: Change) -> bool:
        one = change.after or change.before
        if one.state == "NOARP" or (":" in one.address and one.address.startswith("fe80:")):
            return False
        if change.verb == "removed":
            there = one.device in self._devices.get(change.where, ())
            return there and bool(one.mac)
        return True

    def _forwarding(self, change: Change) -> bool:
        one = change.after or change.before
        if int(one.mac[:2] or "0", 16) & 1:  # a group address: what the kernel listens to
            return False
        if one.state == "permanent" and one.mac in self._macs.get(change.where, ()):
            return False  # a port's own address
        return change.verb == "added" or one.device in self._devices.get(change.where, ())

    def _chain(self, change: Change) -> bool:
        one = change.after or change.before
        # A built-in chain is there, with the policy ACCEPT, as soon as its table is used.
        return one.policy != "ACCEPT" and not self._with_its_namespace(change)

    def _rule(self, change: Change) -> bool:
        return not self._with_its_namespace(change)

    def _with_its_namespace(self, change: Change) -> bool:
        return change.verb == "removed" and self._whole(change)

    def _sysctl(self, change: Change) -> bool:
        return not self._whole(change)


_TELLING: dict[str, Callable[[Notable, Change], bool]] = {
    "link": Notable._link,
    "address": Notable._address,
    "route": Notable._route,
    "neighbour": Notable._neighbour,
    "forwarding": Notable._forwarding,
    "chain": Notable._chain,
    "rule": Notable._rule,
    "sysctl": Notable._sysctl,
}


def _differs(before: Any, after: Any, name: str) -> bool:
    return name != "place" and bool(getattr(before, name) != getattr(after, name))


def _blind(matched: Match) -> Iterator[tuple[str, str]]:
    """(namespace, subject) of what a probe could not read on either side."""
    for space in matched.spaces:
        missing: list[Unavailable] = []
        for one in (space.before, space.after):
            if isinstance(one, Namespace):
                missing += one.unavailable
        for gap in missing:
            for subject in _BLINDING.get(gap.what.partition(" ")[0], ()):
                yield space.now or space.was, subject
