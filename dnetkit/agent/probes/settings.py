"""The settings that decide about forwarding, bridging, ARP and reverse-path filtering.

Those of single links come with the links, and some of 'all' and 'default' in one message (linux/ip.h, ipv6.h and
netconf.h number them); only what no message has is read from /proc/sys, file by file.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from dnetkit.agent.netlink import Attributes, Found, nested
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
    "ipv4": ("arp_announce", "arp_filter", "arp_ignore", "accept_local", "route_localnet"),
    "ipv6": ("accept_ra", "disable_ipv6"),
}
_FILES = (
    *_SINGLE,
    *(f"net/{tree}/conf/{whom}/{name}" for tree in _READ for whom in ("all", "default") for name in _READ[tree]),
)
_LONGEST = 128  # bytes of such a file
_FAMILIES = ((socket.AF_INET, 4, "ipv4"), (socket.AF_INET6, 6, "ipv6"))


def sysctls(place: Place) -> dict[str, Any]:
    """(name, value) of each, sorted by name; a dot in the name of a link is written as '/', as sysctl(8) does."""
    texts = [_read(place, *path.rsplit("/", 1)) for path in _FILES]
    general = [place.netlink().dump(_GETNETCONF, struct.pack("=Bxxx", family)) for family, _, _ in _FAMILIES]
    links = [(place.names[index], *_arrays(found.get(_AF_SPEC, b""))) for (_, _, index, _, _), found in place.raw_links]
    made = place.once("sysctls", (texts, general, links), lambda: _told(texts, general, links))
    return {"sysctls": made}


def _read(place: Place, directory: str, name: str) -> str | None:
    try:
        return read_value(name, place.directory(f"/proc/sys/{directory}"), _LONGEST)
    except FileNotFoundError:  # not in this kernel
        return None


def _arrays(specific: bytes) -> tuple[bytes, bytes]:
    """The settings of a link, IPv4 and IPv6: what else stands there changes as packets pass."""
    found = nested(specific)
    return nested(found.get(socket.AF_INET, b"")).get(1, b""), nested(found.get(socket.AF_INET6, b"")).get(2, b"")


def _told(
    texts: Sequence[str | None], general: Sequence[Found], links: Sequence[tuple[str, bytes, bytes]]
) -> tuple[tuple[str, str], ...]:
    made: dict[str, str] = {}
    for path, value in zip(_FILES, texts, strict=True):
        if value is not None:
            made[path.replace("/", ".")] = " ".join(value.split())
    for (_, version, tree), dumped in zip(_FAMILIES, general, strict=True):
        for _, found in dumped:  # what holds for all links, and what a new one starts with
            index = struct.unpack("=i", found[1])[0] if 1 in found else 0
            if index in (_ALL, _DEFAULT):
                where = f"net.{tree}.conf.{'all' if index == _ALL else 'default'}"
                made.update(_of_message(found, where, version))
    for name, version4, version6 in links:
        made.update(_of_link(name.replace(".", "/"), version4, version6))
    return tuple(sorted(made.items()))


@lru_cache(4096)
def _of_link(name: str, version4: bytes, version6: bytes) -> tuple[tuple[str, str], ...]:
    return (
        *_array(version4, f"net.ipv4.conf.{name}", _IPV4, 1),
        *_array(version6, f"net.ipv6.conf.{name}", _IPV6, 0),
    )


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
