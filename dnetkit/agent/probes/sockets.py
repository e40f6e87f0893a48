"""Sockets of a namespace, listening and connected; who holds them is joined afterwards (see processes.py).

The kernel walks one table for all namespaces when it is asked for connections, which takes milliseconds; its counters
of each namespace say beforehand whether there is anything to find. Numbers are those of linux/inet_diag.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from dnetkit.agent.netlink import NETLINK_SOCK_DIAG, Attributes, ip, number
from dnetkit.agent.place import Place
from dnetkit.model import Socket

__all__ = ["sockets"]

_BY_FAMILY, _TCP_OF_BOTH = 20, 18  # SOCK_DIAG_BY_FAMILY, and TCPDIAG_GETSOCK, whose answer is for IPv4 and IPv6
_MESSAGE = struct.Struct("=BBBB2s2s16s16sI8sIIIII")
_STATES = {
    **{1: "ESTAB", 2: "SYN-SENT", 3: "SYN-RECV", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 6: "TIME-WAIT", 7: "UNCONN"},
    **{8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN-RECV"},
}
_LISTEN, _EVERY = 1 << 10, 0xFFF
_UDP, _SCTP, _UDPLITE, _RAW = 17, 132, 136, 255
_FAMILIES = ((socket.AF_INET, 4), (socket.AF_INET6, 6))
_V6ONLY = 11


def sockets(place: Place) -> dict[str, Any]:
    """Sockets of TCP, UDP and SCTP, raw ones and packet ones, in a fixed order."""
    found = [*_internet(place), *_packet(place)]
    return {"sockets": tuple(sorted(found))}


def _internet(place: Place) -> Iterator[Socket]:
    texts = tuple(_counters(place, file) for file in ("sockstat", "sockstat6"))
    counts = place.once("socket counts", texts, lambda: _counts(*texts))
    for name, protocol in (("udp", _UDP), ("udplite", _UDPLITE), ("raw", _RAW)):
        for family, version in _FAMILIES:
            if counts.get((name, version, "inuse")):
                yield from _dump(place, family, protocol, name, _EVERY)
    if os.path.exists("/proc/thread-self/net/sctp"):
        for family, _ in _FAMILIES:
            yield from _dump(place, family, _SCTP, "sctp", _EVERY)
    bound = sum(counts.get(("tcp", version, "inuse"), 0) for version in (4, 6))
    waiting = counts.get(("tcp", 4, "tw"), 0)
    if not bound and not waiting:
        return
    listening = list(_tcp(place, _LISTEN))
    yield from listening
    if waiting or len(listening) < bound:
        yield from _tcp(place, _EVERY & ~_LISTEN)


def _counters(place: Place, file: str) -> str:
    try:
        return place.listed(file)
    except FileNotFoundError:  # a kernel without IPv6
        return ""


def _counts(*texts: str) -> dict[tuple[str, int, str], int]:
    """(protocol, 4 or 6, what) to how many, from lines such as 'TCP: inuse 3 orphan 0 tw 0 alloc 4 mem 1'."""
    made = {}
    for version, text in zip((4, 6), texts, strict=True):
        for line in text.splitlines():
            name, _, rest = line.partition(":")
            words = rest.split()
            for what, value in zip(words[::2], words[1::2], strict=False):
                made[name.removesuffix("6").lower(), version, what] = int(value)
    return made


def _tcp(place: Place, states: int) -> Sequence[Socket]:
    request = struct.pack("=BBBB48sII", socket.AF_INET, 0, 0, 0, b"", states, 0)
    return _ask(place, "tcp", _TCP_OF_BOTH, request)


def _dump(place: Place, family: int, protocol: int, name: str, states: int) -> Sequence[Socket]:
    return _ask(place, name, _BY_FAMILY, struct.pack("=BBBBI", family, protocol, 0, 0, states) + bytes(48))


def _ask(place: Place, name: str, kind: int, request: bytes) -> Sequence[Socket]:
    dumped = place.netlink(NETLINK_SOCK_DIAG).dump(kind, request, reply=_MESSAGE.size)
    return place.once(
        ("sockets", name, request),
        (dumped, place.names),
        lambda: [_socket(place, name, header, found) for header, found in dumped],
    )


def _socket(place: Place, name: str, header: bytes, found: Attributes) -> Socket:
    fields = _MESSAGE.unpack(header)
    family, state, _, _, local_port, remote_port, local, remote, index, _, _, received, sent, uid, inode = fields
    size = 4 if family == socket.AF_INET else 16
    far, far_port = ip(remote[:size]), int.from_bytes(remote_port, "big")
    anywhere = far in ("0.0.0.0", "::") and not far_port  # noqa: S104 - compared, not bound
    return Socket(
        protocol=name,
        local=ip(local[:size]),
        local_port=int.from_bytes(local_port, "big"),
        state=_STATES.get(state, str(state)),
        remote="" if anywhere else far,
        remote_port=far_port,
        family=4 if family == socket.AF_INET else 6,
        device=place.name_of(index),
        v6only=bool(number(found, _V6ONLY)),
        uid=uid,
        inode=inode,
        receive_queue=received,
        send_queue=sent,
    )


def _packet(place: Place) -> Iterator[Socket]:
    """Sockets that take frames as they are (a capture, a DHCP client), from the kernel's own list of them.

    Its columns: address in the kernel, references, type, protocol, interface, running, memory, user, inode.
    """
    try:
        lines = place.listed("packet").splitlines()[1:]
    except FileNotFoundError:
        return
    for line in lines:
        _, _, _, protocol, index, _, memory, user, inode = line.split()
        yield Socket(
            protocol="packet",
            local="",
            local_port=int(protocol, 16),
            state="UNCONN",
            family=0,
            device=place.name_of(int(index)),
            uid=int(user),
            inode=int(inode),
            receive_queue=int(memory),
        )
