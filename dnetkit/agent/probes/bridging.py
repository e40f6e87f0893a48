"""What bridges know: where each MAC is, and who listens to which group.

Attribute numbers are those of linux/neighbour.h and if_bridge.h; the lists of memberships are those of /proc/net.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from dnetkit.agent.netlink import Attributes, Found, ip, listed, mac, number
from dnetkit.agent.place import Place, sorted_unique
from dnetkit.model import ForwardingEntry, Membership, MulticastGroup

__all__ = ["forwarding", "groups", "memberships"]

_GETNEIGH, _GETMDB = 30, 86
_PERMANENT, _NOARP = 0x80, 0x40
_FLAGS = (
    (0x02, "self"),
    (0x04, "master"),
    (0x10, "extern_learn"),
    (0x20, "offload"),
    (0x40, "sticky"),
    (0x80, "router"),
)
_TICKS = 100  # a second, in the kernel's numbers for user space (USER_HZ)
_GROUP_FLAGS = ((1, "offload"), (2, "fast_leave"), (4, "added_by_star_ex"), (8, "blocked"))


def forwarding(place: Place) -> dict[str, Any]:
    """What bridges and vxlans know about where each MAC is, as `bridge fdb` lists it."""
    dumped = place.netlink().dump(_GETNEIGH, struct.pack("=BxxxiHBB", socket.AF_BRIDGE, 0, 0, 0, 0))
    return {"forwarding": place.once("forwarding", (dumped, place.names), lambda: _forwarding(place, dumped))}


def _forwarding(place: Place, dumped: Found) -> tuple[ForwardingEntry, ...]:
    made = []
    for header, found in dumped:
        _, index, state, flags, _ = struct.unpack("=BxxxiHBB", header)
        if 2 not in found:
            continue
        word = "permanent" if state & _PERMANENT else "static" if state & _NOARP else "learned"
        made.append(
            ForwardingEntry(
                mac=mac(found[2]),
                device=place.name_of(index),
                bridge=place.name_of(number(found, 9)),
                state=word,
                vlan=number(found, 5),
                remote=ip(found.get(1)),
                port=int.from_bytes(found.get(6, b""), "big"),
                vni=number(found, 7) or number(found, 11),
                flags=tuple(name for bit, name in _FLAGS if flags & bit),
                age=_age(found) if word == "learned" else 0,
            )
        )
    return sorted_unique(made)


def _age(found: Attributes) -> int:
    """Seconds since the entry was last confirmed by a frame (struct nda_cacheinfo, the third number)."""
    return int(struct.unpack_from("=I", found[3], 8)[0]) // _TICKS if len(found.get(3, b"")) >= 12 else 0


def groups(place: Place) -> dict[str, Any]:
    """Who on which port listens to which group, as the bridges have heard it."""
    if not place.has_bridges:
        return {}
    made = []
    for header, found in place.netlink().dump(_GETMDB, struct.pack("=BxxxI", socket.AF_BRIDGE, 0)):
        bridge = place.name_of(struct.unpack("=BxxxI", header)[1])
        for _, entry in listed(found.get(1, b"")):
            for kind, info in listed(entry):
                if kind == 1:
                    made.append(_group(place, bridge, info))
    return {"groups": sorted_unique(made)}


def _group(place: Place, bridge: str, info: bytes) -> MulticastGroup:
    """Of struct br_mdb_entry: interface, state, flags, VLAN, an address of any family, and which family."""
    index, state, flags, vlan = struct.unpack_from("=IBBH", info)
    protocol = int.from_bytes(info[24:26], "big")
    raw = info[8:24]
    address = ip(raw[:4]) if protocol == 0x0800 else ip(raw) if protocol == 0x86DD else mac(raw[:6])
    return MulticastGroup(
        bridge,
        place.name_of(index),
        address,
        "permanent" if state == 1 else "temp",
        vlan,
        tuple(word for bit, word in _GROUP_FLAGS if flags & bit),
    )


def memberships(place: Place) -> dict[str, Any]:
    """The group addresses that each link listens to, of layer 2, IPv4 and IPv6, as `ip maddress` lists them."""
    lists = tuple(_list(place, name) for name in ("dev_mcast", "igmp", "igmp6"))
    return {"memberships": place.once("memberships", lists, lambda: _memberships(*lists))}


def _memberships(links: str, version4: str, version6: str) -> tuple[Membership, ...]:
    made = []
    for line in links.splitlines():
        _, device, users, _, address = line.split()
        made.append(Membership(mac(bytes.fromhex(address)), device, 0, int(users)))
    device = ""
    for line in version4.splitlines()[1:]:
        words = line.split()
        if not line[0].isspace():
            device = words[1].rstrip(":")  # a long name touches the colon behind it
        else:
            raw = struct.pack("=I", int(words[0], 16))
            made.append(Membership(ip(raw), device, 4, int(words[1])))
    for line in version6.splitlines():
        _, device, address, users, *_ = line.split()
        made.append(Membership(ip(bytes.fromhex(address)), device, 6, int(users)))
    return sorted_unique(made)


def _list(place: Place, name: str) -> str:
    """A list of the kernel's; an empty one where it lacks that protocol."""
    try:
        return place.listed(name)
    except FileNotFoundError:
        return ""
