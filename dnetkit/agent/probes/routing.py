"""Where packets go: routes of every table, the rules that choose a table, neighbours.

Attribute numbers are those of linux/rtnetlink.h, fib_rules.h and neighbour.h.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from dnetkit.agent.netlink import Attributes, Found, ip, mac, nested, number, text
from dnetkit.agent.place import Place, sorted_unique
from dnetkit.agent.probes.links import SCOPES
from dnetkit.model import Neighbour, NextHop, PolicyRule, Route

__all__ = ["neighbours", "policy_rules", "routes"]

_GETROUTE, _GETNEIGH, _GETRULE = 26, 30, 34
_FAMILIES = {socket.AF_INET: 4, socket.AF_INET6: 6}
_TABLES = {253: "default", 254: "main", 255: "local"}
_ROUTE_KINDS = {
    **{1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole"},
    **{7: "unreachable", 8: "prohibit", 9: "throw", 10: "nat"},
}
_PROTOCOLS = {
    **{0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt", 11: "zebra"},
    **{12: "bird", 16: "dhcp", 18: "keepalived", 42: "babel", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip"},
}
_HOP_FLAGS = {1: "dead", 2: "pervasive", 4: "onlink", 8: "offload", 16: "linkdown", 32: "unresolved", 64: "trap"}
_METRICS = {
    **{2: "mtu", 3: "window", 4: "rtt", 5: "rttvar", 6: "ssthresh", 7: "cwnd", 8: "advmss", 9: "reordering"},
    **{10: "hoplimit", 11: "initcwnd", 12: "features", 13: "rto_min", 14: "initrwnd", 15: "quickack"},
}
_PREFERENCES = {0: "medium", 1: "high", 3: "low"}
_ENCAPSULATIONS = {1: "mpls", 2: "ip", 3: "ila", 4: "ip6", 5: "seg6", 6: "bpf", 7: "seg6local", 8: "rpl", 9: "ioam6"}
_CACHED = 0x200  # RTM_F_CLONED: what the kernel remembers of a route it has used

_RULE_ACTIONS = {1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_IP_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp"}

_STATES = (
    *((0x01, "INCOMPLETE"), (0x02, "REACHABLE"), (0x04, "STALE"), (0x08, "DELAY"), (0x10, "PROBE")),
    *((0x20, "FAILED"), (0x40, "NOARP"), (0x80, "PERMANENT")),
)
_NOARP, _PROXY, _MULTICAST = 0x40, 8, 5
_NEIGHBOUR_FLAGS = ((0x08, "proxy"), (0x10, "extern_learn"), (0x20, "offload"), (0x80, "router"))


def routes(place: Place) -> dict[str, Any]:
    """Routes of every table, IPv4 and IPv6."""
    dumped = place.netlink().dump(_GETROUTE, bytes(12))
    return {"routes": place.once("routes", (dumped, place.names), lambda: _routes(place, dumped))}


def _routes(place: Place, dumped: Found) -> tuple[Route, ...]:
    made = []
    for header, found in dumped:
        family, length, from_length, tos, table, protocol, scope, kind, flags = struct.unpack("=BBBBBBBBI", header)
        if family not in _FAMILIES or flags & _CACHED:
            continue
        made.append(
            Route(
                destination=f"{ip(found[1])}/{length}" if 1 in found else "default",
                device=place.name_of(number(found, 4)),
                gateway=_gateway(found),
                source=ip(found.get(7)),
                table=_table(number(found, 15, table)),
                kind=_ROUTE_KINDS.get(kind, str(kind)),
                scope=SCOPES.get(scope, str(scope)),
                protocol=_PROTOCOLS.get(protocol, str(protocol)),
                metric=number(found, 6),
                family=_FAMILIES[family],
                tos=tos,
                from_prefix=f"{ip(found[2])}/{from_length}" if 2 in found else "",
                flags=_hop_flags(flags),
                options=_options(found),
                nexthops=_nexthops(place, found[9]) if 9 in found else (),
                expires=_expires(found),
            )
        )
    return sorted_unique(made)


def _table(value: int) -> str:
    return _TABLES.get(value, str(value))


def _gateway(found: Attributes) -> str:
    """RTA_VIA is for a gateway of the other family: two bytes of family, then the address."""
    return ip(found[18][2:]) if 18 in found else ip(found.get(5))


def _hop_flags(flags: int) -> tuple[str, ...]:
    return tuple(word for bit, word in _HOP_FLAGS.items() if flags & bit)


def _nexthops(place: Place, data: bytes) -> tuple[NextHop, ...]:
    made = []
    at = 0
    while at + 8 <= len(data):
        length, flags, weight, index = struct.unpack_from("=HBBi", data, at)
        if length < 8:
            break
        found = nested(data[at + 8 : at + length])
        made.append(NextHop(place.name_of(index), _gateway(found), weight + 1, _hop_flags(flags)))
        at += (length + 3) & ~3
    return tuple(made)


def _options(found: Attributes) -> tuple[tuple[str, str], ...]:
    metrics = nested(found.get(8, b""))
    made = [(word, str(number(metrics, key))) for key, word in _METRICS.items() if number(metrics, key)]
    if 16 in metrics:
        made.append(("congctl", text(metrics, 16)))
    if 20 in found:
        made.append(("pref", _PREFERENCES.get(found[20][0], str(found[20][0]))))
    if number(found, 30):
        made.append(("nhid", str(number(found, 30))))
    if number(found, 21):
        made.append(("encap", _ENCAPSULATIONS.get(number(found, 21), str(number(found, 21)))))
    if number(found, 11):
        made.append(("realm", str(number(found, 11))))
    return tuple(made)


def _expires(found: Attributes) -> int:
    """Seconds until an IPv6 route goes; the kernel counts hundredths (struct rta_cacheinfo, the third number)."""
    return max(0, struct.unpack_from("=i", found[12], 8)[0]) // 100 if len(found.get(12, b"")) >= 12 else 0


def policy_rules(place: Place) -> dict[str, Any]:
    """The rules of `ip rule`, IPv4 and IPv6, in the order in which they are asked."""
    dumped = place.netlink().dump(_GETRULE, bytes(12))
    return {"policy_rules": place.once("policy rules", (dumped,), lambda: _policy_rules(dumped))}


def _policy_rules(dumped: Found) -> tuple[PolicyRule, ...]:
    made = []
    for header, found in dumped:
        family, to_length, from_length, tos, table, action, flags = struct.unpack("=BBBBBxxBI", header)
        if family not in _FAMILIES:
            continue
        word = _RULE_ACTIONS.get(action, str(action))
        made.append(
            PolicyRule(
                priority=number(found, 6),
                source=_prefix(found, 2, from_length),
                destination=_prefix(found, 1, to_length),
                action=f"goto {number(found, 4)}" if word == "goto" else word,
                table=_table(number(found, 15, table)) if word == "lookup" else "",
                family=_FAMILIES[family],
                invert=bool(flags & 2),
                protocol=_PROTOCOLS.get(number(found, 21), str(number(found, 21))) if 21 in found else "",
                options=_rule_options(found, tos),
            )
        )
    return tuple(sorted(made, key=lambda rule: (rule.family, rule.priority)))


def _prefix(found: Attributes, key: int, length: int) -> str:
    if key not in found:
        return "all" if not length else f"0/{length}"
    address = ip(found[key])
    return address if length == len(found[key]) * 8 else f"{address}/{length}"


def _rule_options(found: Attributes, tos: int) -> tuple[tuple[str, str], ...]:
    made = [("tos", hex(tos))] if tos else []
    if number(found, 10) or number(found, 16):
        mask = number(found, 16, 0xFFFFFFFF)
        made.append(("fwmark", hex(number(found, 10)) + ("" if mask == 0xFFFFFFFF else f"/{hex(mask)}")))
    made += [(word, text(found, key)) for key, word in ((3, "iif"), (17, "oif")) if key in found]
    if number(found, 19):
        made.append(("l3mdev", "1"))
    if 20 in found:
        made.append(("uidrange", "-".join(map(str, struct.unpack("=II", found[20][:8])))))
    if 22 in found:
        made.append(("ipproto", _IP_PROTOCOLS.get(number(found, 22), str(number(found, 22)))))
    for key, word in ((23, "sport"), (24, "dport")):
        if key in found:
            low, high = struct.unpack("=HH", found[key][:4])
            made.append((word, str(low) if low == high else f"{low}-{high}"))
    if 12 in found:
        made.append(("tun_id", str(int.from_bytes(found[12], "big"))))
    for key, word in ((14, "suppress_prefixlength"), (13, "suppress_ifgroup")):
        if key in found and number(found, key) != 0xFFFFFFFF:
            made.append((word, str(number(found, key))))
    return tuple(made)


def neighbours(place: Place) -> dict[str, Any]:
    """What ARP and NDP have learned, what was set by hand, and the addresses that are answered for others (proxy).

    As with `ip neighbour`, what needs no neighbour discovery (multicast and the like) is not told.
    """
    asked = [struct.pack("=BxxxiHBB", 0, 0, 0, flag, 0) for flag in (0, _PROXY)]
    dumped = [place.netlink().dump(_GETNEIGH, question) for question in asked]
    return {"neighbours": place.once("neighbours", (*dumped, place.names), lambda: _neighbours(place, dumped))}


def _neighbours(place: Place, dumped: list[Found]) -> tuple[Neighbour, ...]:
    made = []
    for some in dumped:
        for header, found in some:
            family, index, state, flags, kind = struct.unpack("=BxxxiHBB", header)
            if family not in _FAMILIES or 1 not in found or state & _NOARP or kind == _MULTICAST:
                continue
            made.append(
                Neighbour(
                    ip(found[1]),
                    place.name_of(index),
                    mac(found.get(2, b"")),
                    next((word for bit, word in _STATES if state & bit), "" if flags & _PROXY else "NONE"),
                    tuple(word for bit, word in _NEIGHBOUR_FLAGS if flags & bit),
                )
            )
    return sorted_unique(made)
