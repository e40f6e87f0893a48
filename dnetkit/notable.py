"""What of all differences somebody did, and what goes on by itself or follows from the rest; pure.

TELLING and FIELDS are the whole list of what is left out: by the kind of object that came or went, and by the fields of
one that changed. Fields that the model itself marks as noise are left out everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from dnetkit.matching import Match
from dnetkit.model import Change, Link, Namespace, noise

__all__ = ["FIELDS", "TELLING", "Notable"]

FIELDS: dict[str, set[str]] = {
    # numbers that others gave, and what follows from the state, the bridge or the MAC
    "link": {"netnsid", "peer_index", "qdisc", "promiscuity", "broadcast"},
    "address": {"label"},
    "rule": {"position", "handle"},
    "socket": {"inode", "processes"},
    "namespace": {"inode", "kind", "path"},
    "container": {"namespace", "pid", "started", "exit_status"},
    "network": {"link", "namespace"},
    "endpoint": {"id"},
    "snapshot": {"lab", "schema"},
}
"""Fields that change by themselves, or say again what another change says."""

_SUBJECTS = {
    "links": ("link", "address"),
    "routes": ("route",),
    "neighbours": ("neighbour",),
    "forwarding": ("forwarding",),
    "memberships": ("membership",),
    "rules": ("rule", "chain", "set"),
    "sysctls": ("sysctl",),
    "sockets": ("socket",),
    "connections": ("connection",),
}
"""What a probe that failed leaves unknown, by the first word of what it says."""

_OWN_FLAGS = {
    "link": {"UP", "LOWER_UP", "RUNNING", "NO-CARRIER", "DORMANT", "ECHO", "PROMISC", "M-DOWN"},
    "route": {"linkdown", "dead", "offload", "rt_offload", "trap"},
    "address": {"permanent"},
}
"""Flags that follow from the state of a link."""

_FROM_MAC = {"bridge_id", "root_id"}
"""Parameters that say a bridge's MAC once more."""

_OF_LINK = re.compile(r"net\.ipv[46]\.conf\.([^.]+)\.(.+)")
"""The name of a setting of one link, or of 'all' or 'default'."""

_BY_HAND = ("PERMANENT", "NOARP")


class Notable:
    """Picks the changes worth telling between two matched snapshots."""

    def __init__(self, matched: Match) -> None:
        self._matched = matched
        self._spaces = {space.name: space for state in (matched.before, matched.after) for space in state.namespaces}
        self._begun = {space.now for space in matched.spaces if space.before is None}
        self._ended = {space.was for space in matched.spaces if space.after is None}
        self._devices = {space.name: {link.name for link in space.links} for space in matched.after.namespaces}
        self._macs = {
            link.mac for state in (matched.before, matched.after) for space in state.namespaces for link in space.links
        }
        self._blind = set(_blind(matched))
        self._silent = {
            gap.what.removeprefix("the engine of ")
            for state in (matched.before, matched.after)
            for gap in state.unavailable
        }

    def only(self, changes: Iterable[Change]) -> Iterator[Change]:
        """The changes to tell, each with the fields that matter."""
        for change in changes:
            if self._unknown(change):
                continue
            if change.verb == "changed":
                fields = self._fields(change)
                if fields:
                    yield replace(change, fields=fields)
            elif (telling := TELLING.get(change.subject)) is None or telling(
                self, change, change.after or change.before
            ):
                yield change

    def _unknown(self, change: Change) -> bool:
        """Whether a side of it could not be read: then a difference says nothing about the lab."""
        if change.subject in ("container", "endpoint", "port", "network"):
            return change.where in self._silent
        if change.subject == "unavailable":
            return False
        space = self._spaces.get(change.where)
        if space is not None and space.kind in ("container", "engine") and space.machine in self._silent:
            return change.where in self._begun | self._ended
        return (change.where, change.subject) in self._blind

    def _fields(self, change: Change) -> tuple[str, ...]:
        """The fields that differ once everything is called by the same name, and that matter."""
        before, after = self._matched.seen(change.origin or change.where, change.before), change.after
        if change.subject == "sysctl":
            return ("value",) if before != after and not self._follows(change) else ()
        kind: Any = type(after)
        quiet = FIELDS.get(change.subject, set()) | noise(kind)
        fields = [
            name
            for name in change.fields
            if name != "place" and name not in quiet and getattr(before, name, None) != getattr(after, name, None)
        ]
        if change.subject == "link":
            fields = self._link_fields(before, after, fields)
            if "namespace" in change.fields:
                fields.insert(0, "namespace")
        elif change.subject == "rule" and {"place", "position"} <= set(change.fields):
            fields += ["position", "place"]
        elif "flags" in fields and _same_but(before.flags, after.flags, _OWN_FLAGS.get(change.subject, set())):
            fields.remove("flags")
        elif change.subject == "neighbour":
            if before.mac and not after.mac:
                return ()  # no one has answered for a while
            if (before.state in _BY_HAND) != (after.state in _BY_HAND):
                fields.append("state")
        elif change.subject == "connection" and not after.translated:
            return ()  # nor is it told when it comes
        elif change.subject == "container" and "files" in fields and (not before.files or not after.files):
            fields.remove("files")  # they are there while it runs
        return tuple(fields)

    def _follows(self, change: Change) -> bool:
        """Whether a setting was changed with another: forwarding of all links at once is one switch, ip_forward."""
        tree = "ipv4" if change.after[0].startswith("net.ipv4.") else "ipv6"
        name = _OF_LINK.fullmatch(change.after[0])
        if name is None or name[2] != "forwarding":
            return False
        leader = "net.ipv4.ip_forward" if tree == "ipv4" else "net.ipv6.conf.all.forwarding"
        space = next((one for one in self._matched.spaces if one.now == change.where), None)
        if space is None or space.before is None or space.after is None or change.after[0] == leader:
            return False
        values = space.before.sysctl(leader), space.after.sysctl(leader)
        return values[0] != values[1] and values[1] == change.after[1]

    def _link_fields(self, before: Link, after: Link, fields: list[str]) -> list[str]:
        left_out = set()
        if _same_but(before.flags, after.flags, _OWN_FLAGS["link"]):
            left_out.add("flags")
        if before.port is None or after.port is None:
            left_out |= {"port", "vlans"}  # they come with the bridge
        elif before.port.flags == after.port.flags and before.port.cost == after.port.cost:
            left_out.add("port")  # its state follows from the link's
        differing = {name for name, _ in set(before.parameters) ^ set(after.parameters)}
        if before.mac != after.mac and differing <= _FROM_MAC:
            left_out.add("parameters")
        if after.peer is None and self._silent:
            left_out.add("peer")
        return [name for name in fields if name not in left_out]

    def _whole(self, change: Change) -> bool:
        """Whether it came or went with its namespace."""
        return change.where in (self._begun if change.verb == "added" else self._ended)

    def _ended_with_it(self, change: Change) -> bool:
        return change.verb == "removed" and self._whole(change)

    def _device_stays(self, change: Change, device: str) -> bool:
        return device in self._devices.get(change.where, ())

    def link(self, change: Change, one: Any) -> bool:
        """Every namespace has a lo; it is down in a new one, and up in a new container."""
        if one.kind != "loopback" or not self._whole(change):
            return True
        return change.verb == "added" and one.up and self._spaces[change.where].kind == "named"

    def address(self, change: Change, one: Any) -> bool:
        """Not what the kernel gives by itself."""
        own = one.family == 6 and one.scope == "link"
        return not own and not (one.scope == "host" and self._whole(change))

    def route(self, change: Change, one: Any) -> bool:
        """Not what the kernel keeps for its own addresses and for link-local ones."""
        own = one.family == 6 and one.destination in ("fe80::/64", "ff00::/8", "::1/128")
        return one.table != "local" and not own and not self._ended_with_it(change)

    def neighbour(self, change: Change, one: Any) -> bool:
        """What was learned; nothing that went with its link."""
        if one.state == "NOARP" or one.address.startswith(("fe80:", "ff")):
            return False
        return change.verb == "added" or (bool(one.mac) and self._device_stays(change, one.device))

    def forwarding(self, change: Change, one: Any) -> bool:
        """Not group addresses, nor those of the links themselves; always which machine a vxlan sends to."""
        if int(one.mac[:2] or "0", 16) & 1 or (one.state == "permanent" and one.mac in self._macs and not one.remote):
            return False
        return change.verb == "added" or self._device_stays(change, one.device)

    def membership(self, change: Change, one: Any) -> bool:
        """Not the groups that every interface joins by itself."""
        common = ("224.0.0.1", "224.0.0.106", "ff01::1", "ff02::1", "ff02::2", "ff02::6a", "ff05::2")
        own = one.family == 0 or one.address in common or one.address.startswith("ff02::1:ff")
        return not own and not self._whole(change) and self._device_stays(change, one.device)

    def group(self, change: Change, one: Any) -> bool:
        """Only what was put in by hand."""
        return one.state == "permanent" and self._device_stays(change, one.bridge)

    def chain(self, change: Change, one: Any) -> bool:
        """Not a built-in chain that accepts: it is there as soon as its table is used."""
        return one.policy != "ACCEPT" and not self._ended_with_it(change)

    def inside(self, change: Change, _: Any) -> bool:
        """What no one asks about once its namespace is gone."""
        return not self._ended_with_it(change)

    def given(self, change: Change, _: Any) -> bool:
        """What every namespace has."""
        return not self._whole(change)

    def setting(self, change: Change, one: Any) -> bool:
        """Not those of a link that came or went, or has another name now."""
        name = _OF_LINK.fullmatch(one[0])
        return self.given(change, one) and (name is None or name[1] in ("all", "default"))

    def connection(self, change: Change, one: Any) -> bool:
        """Those that were translated; they are forgotten by a timer."""
        own = one.original.destination.startswith("127.") or one.original.source.startswith("127.")
        return change.verb == "added" and one.translated and not own

    def socket(self, change: Change, one: Any) -> bool:
        """Those that wait for others to come: listening, or unconnected UDP."""
        waits = one.state == "LISTEN" or (one.protocol == "udp" and one.state == "UNCONN" and not one.remote_port)
        return waits and not self._ended_with_it(change)

    def never(self, _: Change, __: Any) -> bool:
        """What follows from the rest."""
        return False


TELLING: dict[str, Callable[[Notable, Change, Any], bool]] = {
    "link": Notable.link,
    "address": Notable.address,
    "route": Notable.route,
    "policy rule": Notable.given,
    "neighbour": Notable.neighbour,
    "forwarding": Notable.forwarding,
    "membership": Notable.membership,
    "group": Notable.group,
    "chain": Notable.chain,
    "rule": Notable.inside,
    "set": Notable.inside,
    "sysctl": Notable.setting,
    "connection": Notable.connection,
    "socket": Notable.socket,
    "process": Notable.never,
}
"""Whether to tell that an object of a kind came or went; always where the kind is not here."""


def _same_but(before: Iterable[str], after: Iterable[str], ignored: set[str]) -> bool:
    return set(before) - ignored == set(after) - ignored


def _blind(matched: Match) -> Iterator[tuple[str, str]]:
    """(namespace, subject) of what could not be read on either side."""
    for space in matched.spaces:
        for side in (space.before, space.after):
            for gap in side.unavailable if isinstance(side, Namespace) else ():
                for subject in _SUBJECTS.get(gap.what.partition(" ")[0], ()):
                    yield space.now or space.was, subject
