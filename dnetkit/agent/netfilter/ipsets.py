"""The ipsets of a namespace, which rules of iptables match by '-m set'. Numbers: linux/netfilter/ipset/ip_set.h."""

from __future__ import annotations

import errno

from dnetkit.agent.netlink import Attributes, Netlink, attribute, ip, listed, mac, nested, text
from dnetkit.model import NamedSet

__all__ = ["ipsets"]

_LIST = 6 << 8 | 7  # NFNL_SUBSYS_IPSET, IPSET_CMD_LIST
_PROTOCOL = 6  # spoken by every kernel since 3.0; newer ones understand it too
_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}
_FAMILIES = {2: (4, "ip"), 10: (6, "ip6")}


def ipsets(netlink: Netlink) -> list[NamedSet]:
    """Every ipset with its elements as `ipset save` writes them; none where the kernel has no ipsets."""
    try:
        found = netlink.dump(_LIST, bytes(4), attribute(1, bytes([_PROTOCOL])))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
            return []
        raise
    made: dict[str, NamedSet] = {}
    for _, message in found:  # a long set comes in several messages
        name = text(message, 2)
        elements = tuple(_element(nested(data)) for _, data in listed(message.get(8, b"")))
        before = made[name].elements if name in made else ()
        family, layer = _FAMILIES.get(message.get(5, b"\0")[0], (0, ""))
        made[name] = NamedSet(
            name=name,
            key=text(message, 3),
            elements=tuple(sorted((*before, *elements))),
            family=family,
            layer=layer,
            backend="ipset",
        )
    return [made[name] for name in sorted(made)]


def _element(found: Attributes) -> str:
    parts = []
    if 1 in found:
        parts.append(_address(found, 1, 2, 3))
    if 10 in found:
        parts.append(f"0x{int.from_bytes(found[10], 'big'):08x}")
    if 17 in found and 1 not in found:
        parts.append(mac(found[17]))
    elif 17 in found:
        parts.append(mac(found[17]).upper())
    if 4 in found:
        parts.append(_port(found))
    if 20 in found:
        parts.append(_address(found, 20, 22, 21))
    if 23 in found:
        parts.append(text(found, 23))
    if 18 in found:
        parts.append(text(found, 18))
    return ",".join(parts)


def _address(found: Attributes, first: int, last: int, bits: int) -> str:
    said = ip(next(iter(nested(found[first]).values()), b""))
    if bits in found and found[bits][0] not in (32, 128):
        return f"{said}/{found[bits][0]}"
    if last in found:
        return f"{said}-{ip(next(iter(nested(found[last]).values()), b''))}"
    return said


def _port(found: Attributes) -> str:
    number = str(int.from_bytes(found[4], "big"))
    if 7 not in found:
        return number
    protocol = found[7][0]
    return f"{_NAMES.get(protocol, str(protocol))}:{number}"
