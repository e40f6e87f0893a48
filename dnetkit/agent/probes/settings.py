"""The settings that decide about forwarding, bridging, ARP and reverse-path filtering.

Those of single links come with the links, and some of 'all' and 'default' in one message (linux/ip.h, ipv6.h and
netconf.h number them); only what no message has is read from /proc/sys, file by file.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

from dnetkit.agent.netlink import Attributes, nested
from dnetkit.agent.place import Place, read_value

__all__ = ["sysctls"]

_GETNETCONF = 82
_AF_SPEC = 26
_ALL, _DEFAULT = -1, -2

_SINGLE = (
    *("net/ipv4/ip_forward", "net/ipv4/ip_nonlocal_bind", "net/ipv4/ip_local_port_range"),
    *("net/ipv4/ip_unprivileged_port_start", "net/ipv4/icmp_echo_ignore_all", "net/ipv4/ping_group_range"),
    *("net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"),
    *("net/bridge/bridge-nf-call-arptables", "net/ipv4/vs/conntrack"),
)

# Position in the array of a link's settings, name below net/ipv4/conf/LINK.
_IPV4 = (
    *((1, "forwarding"), (3, "proxy_arp"), (4, "accept_redirects"), (6, "send_redirects"), (8, "rp_filter")),
    *((11, "log_martians"), (13, "arp_filter"), (18, "arp_announce"), (19, "arp_ignore"), (21, "arp_accept")),
    *(
        (22, "arp_notify"),
        (23, "accept_local"),
        (24, "src_valid_mark"),
        (25, "proxy_arp_pvlan"),
        (26, "route_localnet"),
    ),
)
_IPV6 = ((0, "forwarding"), (3, "accept_ra"), (4, "accept_redirects"), (22, "proxy_ndp"), (26, "disable_ipv6"))

# Of 'all' and 'default', attribute number in a message of RTM_GETNETCONF (for proxying the name differs by family).
_NETCONF = {2: "forwarding", 3: "rp_filter", 5: "proxy"}
_PROXY = {4: "proxy_arp", 6: "proxy_ndp"}
_READ = {
    4: ("arp_announce", "arp_filter", "arp_ignore", "accept_local", "route_localnet"),
    6: ("accept_ra", "disable_ipv6"),
}


def sysctls(place: Place) -> dict[str, Any]:
    """(name, value) of each, sorted by name; a dot in the name of a link is written as '/', as sysctl(8) does."""
    made = dict(_single())
    for family, version, tree in ((socket.AF_INET, 4, "ipv4"), (socket.AF_INET6, 6, "ipv6")):
        made.update(_general(place, family, version, tree))
    for (_, _, index, _, _), found in place.raw_links:
        name = place.names[index].replace(".", "/")
        specific = nested(found.get(_AF_SPEC, b""))
        values = nested(specific.get(socket.AF_INET, b"")).get(1, b"")
        made.update(_array(values, f"net.ipv4.conf.{name}", _IPV4, 1))
        values = nested(specific.get(socket.AF_INET6, b"")).get(2, b"")
        made.update(_array(values, f"net.ipv6.conf.{name}", _IPV6, 0))
    return {"sysctls": tuple(sorted(made.items()))}


def _single() -> Iterator[tuple[str, str]]:
    for path in _SINGLE:
        try:
            yield path.replace("/", "."), " ".join(read_value(f"/proc/sys/{path}").split())
        except FileNotFoundError:  # not in this kernel
            continue


def _general(place: Place, family: int, version: int, tree: str) -> Iterator[tuple[str, str]]:
    """What holds for all links, and what a new one starts with."""
    for header, found in place.netlink().dump(_GETNETCONF, struct.pack("=Bxxx", family)):
        del header
        index = struct.unpack("=i", found[1])[0] if 1 in found else 0
        if index in (_ALL, _DEFAULT):
            where = f"net.{tree}.conf.{'all' if index == _ALL else 'default'}"
            yield from _of_message(found, where, version)
    for whom in ("all", "default"):
        for name in _READ[version]:
            try:
                value = read_value(f"/proc/sys/net/{tree}/conf/{whom}/{name}")
            except FileNotFoundError:
                continue
            yield f"net.{tree}.conf.{whom}.{name}", value.strip()


def _of_message(found: Attributes, where: str, version: int) -> Iterator[tuple[str, str]]:
    for key, name in _NETCONF.items():
        if key in found and not (name == "rp_filter" and version == 6):
            called = _PROXY[version] if name == "proxy" else name
            yield f"{where}.{called}", str(struct.unpack("=i", found[key])[0])


def _array(values: bytes, where: str, names: tuple[tuple[int, str], ...], first: int) -> Iterator[tuple[str, str]]:
    numbers = struct.unpack(f"={len(values) // 4}i", values[: len(values) // 4 * 4])
    for position, name in names:
        if position - first < len(numbers):
            yield f"{where}.{name}", str(numbers[position - first])
