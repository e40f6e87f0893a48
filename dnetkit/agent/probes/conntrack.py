"""What conntrack remembers: each connection with both directions of its translation.

The kernel walks one table for all namespaces when it is asked for a namespace's entries; its counter of each namespace
says beforehand whether there is any. Asked by netlink it locks every row of that table, which takes ten times as long
as reading its list in /proc; but that list not every kernel has, and it is for the machine's root only. Numbers are
those of nfnetlink_conntrack.h and nf_conntrack_common.h in linux/netfilter.
"""

from __future__ import annotations

import errno
from ipaddress import ip_address
from typing import Any

from dnetkit.agent.netlink import NETLINK_NETFILTER, Attributes, ip, nested
from dnetkit.agent.place import Place, read_file
from dnetkit.model import Connection, Flow

__all__ = ["connections", "parse_line"]

_GET, _GET_STATS = 0x0101, 0x0105  # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_...
_PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 58: "icmpv6", 132: "sctp", 136: "udplite"}
_TCP_STATES = (
    *("NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE"),
    "SYN_SENT2",
)
_SCTP_STATES = (
    *("NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD"),
    *("SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT"),
)
_SEEN_REPLY = 0x2
_STATUS = (*((0x4, "ASSURED"), (0x10, "SNAT"), (0x20, "DNAT"), (0x4000, "OFFLOAD"), (0x8000, "HW_OFFLOAD")),)
_FAMILIES = {2: 4, 10: 6}


def connections(place: Place) -> dict[str, Any]:
    """The connections that this namespace keeps track of, IPv4 and IPv6."""
    netlink = place.netlink(NETLINK_NETFILTER)
    try:
        answer = netlink.ask(_GET_STATS, bytes(4))
        if answer is not None and not _big(answer[1], 1):
            return {}
        made = _listed()
        if made is None:
            made = [_connection(head[0], entry) for head, entry in netlink.dump(_GET, bytes(4))]
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
            raise OSError(error.errno, "this kernel does not say what conntrack remembers") from error
        raise
    return {"connections": tuple(sorted(made))}


def _listed() -> list[Connection] | None:
    """What the kernel's list in /proc says, None where it cannot be read."""
    try:
        return [parse_line(line) for line in read_file("/proc/thread-self/net/nf_conntrack").splitlines()]
    except (FileNotFoundError, PermissionError):
        return None


def parse_line(line: str) -> Connection:
    """One line of /proc/net/nf_conntrack.

    Such as 'ipv4 2 tcp 6 117 TIME_WAIT src=10.0.0.2 dst=10.0.0.1 sport=4 dport=80 src=... [ASSURED] mark=0 use=2'.
    """
    words = line.split()
    values: list[dict[str, str]] = []
    status = {word.strip("[]") for word in words if word.startswith("[")}
    plain = [word for word in words[4:] if "=" not in word and not word.startswith("[")]
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            if key == "src":
                values.append({})
            values[-1][key] = value
    original, reply = (_listed_flow(found) for found in values)
    last = values[1]
    number = int(words[3])
    return Connection(
        protocol=_PROTOCOLS.get(number, str(number)),
        original=original,
        reply=reply,
        family=4 if words[0] == "ipv4" else 6,
        status=(
            *(word for word in ("UNREPLIED", "ASSURED") if word in status),
            *(
                ("SNAT",)
                if (reply.destination, reply.destination_port) != (original.source, original.source_port)
                else ()
            ),
            *(
                ("DNAT",)
                if (reply.source, reply.source_port) != (original.destination, original.destination_port)
                else ()
            ),
            *(word for word in ("OFFLOAD", "HW_OFFLOAD") if word in status),
        ),
        mark=int(last.get("mark", 0)),
        zone=int(last.get("zone", 0)),
        state=next((word for word in plain if not word.lstrip("-").isdigit()), ""),
        timeout=next((int(word) for word in plain if word.lstrip("-").isdigit()), 0),
        packets=int(values[0].get("packets", 0)),
        bytes=int(values[0].get("bytes", 0)),
        reply_packets=int(last.get("packets", 0)),
        reply_bytes=int(last.get("bytes", 0)),
    )


def _listed_flow(found: dict[str, str]) -> Flow:
    what = f"type {found['type']} code {found['code']} id {found['id']}" if "type" in found else ""
    ports = (int(found.get("sport", 0)), int(found.get("dport", 0)))
    return Flow(_short(found["src"]), _short(found["dst"]), *ports, what)


def _short(address: str) -> str:
    """IPv6 addresses stand there with all their zeros."""
    return str(ip_address(address))


def _connection(family: int, entry: Attributes) -> Connection:
    status = _big(entry, 3)
    number, original = _flow(entry.get(1, b""))
    _, reply = _flow(entry.get(2, b""))
    ours, theirs = nested(entry.get(9, b"")), nested(entry.get(10, b""))
    return Connection(
        protocol=_PROTOCOLS.get(number, str(number)),
        original=original,
        reply=reply,
        family=_FAMILIES.get(family, 0),
        status=(
            *(() if status & _SEEN_REPLY else ("UNREPLIED",)),
            *(word for bit, word in _STATUS if status & bit),
        ),
        mark=_big(entry, 8),
        zone=_big(entry, 18),
        state=_state(nested(entry.get(4, b""))),
        timeout=_big(entry, 7),
        packets=_big(ours, 1),
        bytes=_big(ours, 2),
        reply_packets=_big(theirs, 1),
        reply_bytes=_big(theirs, 2),
    )


def _flow(data: bytes) -> tuple[int, Flow]:
    """The protocol's number, and one direction."""
    tuples = nested(data)
    addresses, protocol = nested(tuples.get(1, b"")), nested(tuples.get(2, b""))
    what = ""
    for kind, code, identity in ((5, 6, 4), (8, 9, 7)):  # ICMP, ICMPv6
        if kind in protocol:
            what = f"type {_big(protocol, kind)} code {_big(protocol, code)} id {_big(protocol, identity)}"
    return _big(protocol, 1), Flow(
        ip(addresses.get(1) or addresses.get(3)),
        ip(addresses.get(2) or addresses.get(4)),
        _big(protocol, 2),
        _big(protocol, 3),
        what,
    )


def _state(protocol: Attributes) -> str:
    for key, words in ((1, _TCP_STATES), (3, _SCTP_STATES)):
        found = nested(protocol.get(key, b""))
        if 1 in found:
            state = found[1][0]
            return words[state] if state < len(words) else str(state)
    return ""


def _big(found: Attributes, key: int) -> int:
    """A number in the byte order of the network."""
    return int.from_bytes(found.get(key, b""), "big")
