"""Links with their addresses, counters and place on a bridge; and afterwards, which of them belong together.

Attribute numbers are those of linux/if_link.h, if_addr.h and if_bridge.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dnetkit.agent.netlink import (
    Attributes,
    Found,
    Netlink,
    attribute,
    ip,
    listed,
    mac,
    nested,
    number,
    printable,
    text,
)
from dnetkit.agent.place import Place
from dnetkit.agent.probes.parameters import known, parameters
from dnetkit.model import Address, BridgePort, Link, LinkRef, Namespace, Statistics, Unavailable, Vlan

__all__ = ["join", "links"]

_GETLINK, _GETADDR, _GETNSID = 18, 22, 90
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
_STATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")
_LOOPBACK = 772  # ARPHRD_LOOPBACK

# Of these the kernel says the index of the other end or of the link below, in the namespace where that is. Of any other
# kind (vxlan, ifb) it says its own index, which means nothing there.
_LED = frozenset({"veth", "netkit", "vxcan", "macvlan", "macvtap", "ipvlan", "ipvtap", "vlan", "macsec", "hsr"})

_UNREAD = {"wireguard": "the kernel tells its peers by generic netlink, which is not asked here"}

_UP, _RUNNING = 0x1, 0x40
_FLAGS = (
    *((0x8, "LOOPBACK"), (0x2, "BROADCAST"), (0x10, "POINTOPOINT"), (0x1000, "MULTICAST"), (0x80, "NOARP")),
    *((0x200, "ALLMULTI"), (0x100, "PROMISC"), (0x400, "MASTER"), (0x800, "SLAVE"), (0x4, "DEBUG")),
    *((0x8000, "DYNAMIC"), (0x4000, "AUTOMEDIA"), (0x2000, "PORTSEL"), (0x20, "NOTRAILERS"), (_UP, "UP")),
    *((0x10000, "LOWER_UP"), (0x20000, "DORMANT"), (0x40000, "ECHO")),
)

_TENTATIVE, _PERMANENT = 0x40, 0x80
_ADDRESS_FLAGS = (
    *((0x02, "nodad"), (0x04, "optimistic"), (0x08, "dadfailed"), (0x10, "home"), (0x20, "deprecated")),
    *((0x100, "mngtmpaddr"), (0x200, "noprefixroute"), (0x400, "autojoin"), (0x800, "stable-privacy")),
)

_PORT_STATES = ("disabled", "listening", "learning", "forwarding", "blocking")
_PORT_FLAGS = (
    *((4, "hairpin"), (5, "guard"), (6, "root_block"), (7, "fastleave"), (8, "learning"), (9, "flood")),
    *((10, "proxy_arp"), (12, "proxy_arp_wifi"), (27, "mcast_flood"), (28, "mcast_to_unicast"), (29, "vlan_tunnel")),
    *((30, "bcast_flood"), (32, "neigh_suppress"), (33, "isolated"), (39, "locked"), (40, "mab")),
)

_COUNTERS = struct.Struct("=10Q")
_COUNTING = (7, 23, 26)
"""Attributes that change as packets pass: what of the counters in them (IFLA_STATS, _STATS64, _AF_SPEC) a link is told
with comes from the second."""


def links(place: Place) -> dict[str, Any]:
    """Links and their addresses, in the order of their indices."""
    addresses = _addresses(place)
    vlans = _vlans(place) if place.has_bridges else {}
    made = []
    for (_, hardware, index, flags, _), found in place.raw_links:
        lasting = {key: value for key, value in found.items() if key not in _COUNTING}
        more = {"addresses": addresses.get(index, ()), "vlans": vlans.get(index, ())}
        link = place.once(
            ("link", index),
            (hardware, flags, lasting, place.names, place.up, more),
            partial(_link, place, index, hardware, flags, lasting, more),
        )
        made.append(replace(link, statistics=_statistics(found)) if 23 in found else link)
    place.forget("link", place.names)
    return {"links": tuple(sorted(made, key=lambda link: link.index))}


def _link(
    place: Place, index: int, hardware: int, flags: int, found: Attributes, more: dict[str, tuple[Any, ...]]
) -> Link:
    info = nested(found.get(18, b""))
    kind = text(info, 1) or ("loopback" if hardware == _LOOPBACK else "ether")
    below = number(found, 5)
    name = text(found, 3)
    up_below = below in (0, index) or below in place.up
    why = _UNREAD.get(kind) or (f"what a link of kind {kind} has is not known here" if not known(kind) else "")
    if why and (info.get(2) or kind in _UNREAD):
        place.missing.append(Unavailable(f"parameters of link {name}", why))
    return Link(
        index=index,
        name=name,
        kind=kind,
        mac=mac(found.get(1, b"")),
        mtu=number(found, 4),
        up=bool(flags & _UP),
        state=_state(kind, flags, found),
        master=place.name_of(number(found, 10)) or None,
        # Both ends of a pair can have one number, each in its namespace; without a namespace id it is the link itself.
        peer_index=below if below and (below != index or (37 in found and kind in _LED)) else None,
        netnsid=struct.unpack("=i", found[37])[0] if 37 in found else None,
        parameters=tuple(
            (key, (f"if{value}" if 37 in found else place.name_of(int(value))) if key == "link" else value)
            for key, value in parameters(kind, nested(info.get(2, b"")))
        ),
        flags=(
            *(("NO-CARRIER",) if flags & _UP and not flags & _RUNNING else ()),
            *_words(flags, _FLAGS),
            *(("M-DOWN",) if 37 not in found and not up_below else ()),
        ),
        broadcast=mac(found.get(2, b"")),
        alias=text(found, 20),
        altnames=tuple(printable(raw.rstrip(b"\0")) for kind_of, raw in listed(found.get(52, b"")) if kind_of == 53),
        qdisc=text(found, 6),
        queue_length=number(found, 13),
        group=number(found, 27),
        promiscuity=number(found, 30),
        port=_port(nested(info.get(5, b""))) if text(info, 4) == "bridge" else None,
        addresses=more["addresses"],
        vlans=more["vlans"],
    )


def _state(kind: str, flags: int, found: Attributes) -> str:
    """The operational state (RFC 2863).

    For a bridge whose last port went, the kernel changes it up to a second later, when it tells everyone (linkwatch).
    Whether the bridge has a carrier, which the state follows from, is right at once.
    """
    state, carrier = number(found, 16), found.get(33)
    said = _STATES[state] if state < len(_STATES) else str(state)
    if kind == "bridge" and flags & _UP and said in ("UP", "DOWN") and carrier and not number(found, 17):
        return "UP" if carrier[0] else "DOWN"
    return said


def _words(value: int, table: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(word for bit, word in table if value & bit)


def _port(found: Attributes) -> BridgePort:
    state = number(found, 1)
    return BridgePort(
        number=number(found, 18),
        state=_PORT_STATES[state] if state < len(_PORT_STATES) else str(state),
        cost=number(found, 3),
        priority=number(found, 2),
        flags=tuple(word for key, word in _PORT_FLAGS if number(found, key)),
    )


def _statistics(found: Attributes) -> Statistics:
    received, sent, received_bytes, sent_bytes, bad, failed, lost, unsent, multicast, collisions = _COUNTERS.unpack(
        found[23][:80]
    )
    return Statistics(
        received, received_bytes, bad, lost, sent, sent_bytes, failed, unsent, multicast, collisions
    )  # fmt: skip


def _addresses(place: Place) -> dict[int, tuple[Address, ...]]:
    dumped = place.netlink().dump(_GETADDR, struct.pack("=BBBBi", 0, 0, 0, 0, 0))
    return place.once("addresses", (dumped, place.names), lambda: _told_addresses(place, dumped))


def _told_addresses(place: Place, dumped: Found) -> dict[int, tuple[Address, ...]]:
    made: dict[int, list[Address]] = {}
    for header, found in dumped:
        family, prefix, short, scope, index = struct.unpack("=BBBBi", header)
        if family not in (socket.AF_INET, socket.AF_INET6) or not (2 in found or 1 in found):
            continue
        flags = number(found, 8, short)
        own, far = found.get(2) or found[1], found.get(1)
        preferred, valid = struct.unpack("=II", found[6][:8]) if 6 in found else (0xFFFFFFFF, 0xFFFFFFFF)
        first = "temporary" if family == socket.AF_INET6 else "secondary"
        words = (*((first,) if flags & 1 else ()), *_words(flags, _ADDRESS_FLAGS))
        made.setdefault(index, []).append(
            Address(
                cidr=f"{ip(own)}/{prefix}",
                scope=SCOPES.get(scope, str(scope)),
                peer=ip(far) if far is not None and far != own else "",
                broadcast=ip(found.get(4)),
                label=text(found, 3) if text(found, 3) != place.names.get(index) else "",
                flags=(*words, *(() if flags & _PERMANENT else ("dynamic",))),
                tentative=bool(flags & _TENTATIVE),
                valid_lifetime=valid,
                preferred_lifetime=preferred,
            )
        )
    return {index: tuple(several) for index, several in made.items()}


def _vlans(place: Place) -> dict[int, tuple[Vlan, ...]]:
    """The VLANs of each port, where the kernel filters by them; the kernel's answer is empty where it cannot."""
    header = struct.pack("=BxHiII", socket.AF_BRIDGE, 0, 0, 0, 0)
    made = {}
    for reply, found in place.netlink().dump(_GETLINK, header, attribute(29, 2)):  # RTEXT_FILTER_BRVLAN
        index = struct.unpack("=BxHiII", reply)[2]
        entries = [struct.unpack("=HH", raw[:4]) for kind, raw in listed(found.get(26, b"")) if kind == 2]
        if entries:
            made[index] = tuple(sorted(Vlan(vid, bool(flags & 2), bool(flags & 4)) for flags, vid in entries))
    return made


def join(places: Sequence[Place], spaces: Sequence[Namespace]) -> tuple[list[Namespace], list[tuple[str, str]]]:
    """Give each veth its other end, and each macvlan, vlan or vxlan its parent.

    The kernel says the other end's index and a number for its namespace that holds only in the asking one; RTM_GETNSID
    tells which open namespace has that number there. Returns with them the links, (namespace, name), whose other end
    is said to be in one of these namespaces and is not there, or says something else: it went or moved while they were
    read.
    """
    by_index = [{link.index: link for link in space.links} for space in spaces]
    joined = []
    dangling: list[tuple[str, str]] = []
    for here, space in enumerate(spaces):
        numbers = _Numbers(places, here)
        made = []
        for link in space.links:
            there = here if link.netnsid is None else numbers.place_of(link.netnsid)
            below = link.peer_index or (_below(link, by_index[there]) if there is not None else None)
            if there is not None and there != here and link.kind not in _LED:
                found = by_index[there].get(below) if below else None
                parent = LinkRef(spaces[there].name, found.name, found.index) if found else None
                made.append(replace(link, underlay=spaces[there].name, parent=parent))
            elif below is None or there is None:
                made.append(link)
            elif below not in by_index[there]:
                made.append(link)
                dangling.append((space.name, link.name))
            else:
                other = by_index[there][below]
                if link.kind == other.kind == "veth" and not _agree(link, other):
                    dangling.append((space.name, link.name))
                ref = LinkRef(spaces[there].name, other.name, other.index)
                made.append(replace(link, peer=ref) if link.kind == "veth" else replace(link, parent=ref))
        joined.append(replace(space, links=tuple(made)))
    return joined, dangling


def _agree(link: Link, other: Link) -> bool:
    """Whether each end of a pair says that the other is the other end, and whether they are in one namespace."""
    return other.peer_index == link.index and (other.netnsid is None) == (link.netnsid is None)


def _below(link: Link, there: Mapping[int, Link]) -> int | None:
    """The index of the link that a tunnel is bound to, which the kernel gives as one of its parameters only."""
    bound = link.parameter("link") if link.parameters else ""
    if link.netnsid is not None:
        return int(bound.removeprefix("if") or 0) or None
    return next((index for index, other in there.items() if other.name == bound), None) if bound else None


class _Numbers:
    """What one place calls the others: asked one by one, as far as is needed."""

    def __init__(self, places: Sequence[Place], here: int) -> None:
        self._netlink = places[here].netlink
        self._left = list(enumerate(places))[::-1]
        self._found: dict[int, int] = {}

    def place_of(self, netnsid: int) -> int | None:
        """The position of the place that has that number, None when none of them has."""
        while netnsid not in self._found and self._left:
            there, place = self._left.pop()
            self._found[_nsid(self._netlink(), place.fd)] = there
        return self._found.get(netnsid)


def _nsid(netlink: Netlink, fd: int) -> int:
    found = netlink.ask(_GETNSID, b"\0\0\0\0", attribute(3, fd))
    return int(struct.unpack("=i", found[1][1])[0]) if found and 1 in found[1] else -1
