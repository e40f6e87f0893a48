"""What a network namespace consists of, and what each object in it is recognised by; pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from dnetkit.model import ForwardingEntry, Route

__all__ = ["PARTS", "SCALARS", "Part"]

Key = Callable[[Any], Hashable]

SCALARS = ("name", "kind", "machine", "inode", "path")
"""The fields of a Namespace that are facts about itself; every other one holds objects."""


@dataclass(frozen=True)
class Part:
    """A field of Namespace: what a change of an object in it is called, and its keys, the surest first.

    An object without a key is itself: it can come and go, but not change. named: it names links of its namespace.
    """

    subject: str
    keys: tuple[Key, ...] = ()
    named: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", self.keys or (lambda one: one,))


def _route(one: Route) -> Hashable:
    return one.family, one.table, one.destination, one.metric, one.tos, one.from_prefix, one.kind, one.device


def _replaceable(one: Route) -> Hashable:
    """IPv4 has one route for a destination, table and metric, whichever way it leads; so has a default route."""
    if one.family == 4 or one.destination == "default":
        return one.family, one.table, one.destination, one.metric, one.tos, one.from_prefix, one.kind
    return None


def _entry(one: ForwardingEntry) -> Hashable:
    return one.mac, one.bridge, one.device, one.vlan, one.remote, one.port, one.vni, "self" in one.flags


def _movable(one: ForwardingEntry) -> Hashable:
    """A bridge knows a MAC once in a VLAN, behind whichever port."""
    return (one.mac, one.bridge, one.vlan) if one.bridge else None


PARTS: dict[str, Part] = {
    "routes": Part("route", (lambda one: one, _route, _replaceable), named=True),
    "policy_rules": Part("policy rule"),
    "neighbours": Part("neighbour", (lambda one: (one.address, one.device, "proxy" in one.flags),), named=True),
    "forwarding": Part("forwarding", (_entry, _movable), named=True),
    "memberships": Part("membership", (lambda one: (one.address, one.device, one.family),), named=True),
    "groups": Part("group", (lambda one: (one.bridge, one.port, one.group, one.vlan),), named=True),
    "chains": Part("chain", (lambda one: (one.backend, one.family, one.layer, one.table, one.name),)),
    "rules": Part("rule", (lambda one: (one.backend, one.family, one.layer, one.table, one.chain, one.text),)),
    "sets": Part("set", (lambda one: (one.backend, one.family, one.layer, one.table, one.name),)),
    "connections": Part("connection", (lambda one: (one.family, one.protocol, one.original, one.reply, one.zone),)),
    "sockets": Part(
        "socket",
        (
            lambda one: (one.family, one.protocol, one.local, one.local_port, one.remote, one.remote_port, one.inode),
            lambda one: (one.family, one.protocol, one.local, one.local_port, one.remote, one.remote_port, one.device),
        ),
    ),
    "processes": Part("process"),
    "sysctls": Part("sysctl", (lambda one: one[0],)),
    "unavailable": Part("unavailable"),
}
"""Every field of Namespace that holds objects, but `links`, which can move from one to another."""
