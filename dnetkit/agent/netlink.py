"""Netlink, spoken raw: ask the kernel for its links, addresses, routes and neighbours, or change them.

A whole dump of a namespace takes a fraction of a millisecond this way, which is what makes a snapshot before and after
every cell possible. Messages are RFC 3549's; attribute numbers are from linux/if_link.h, if_addr.h, rtnetlink.h,
neighbour.h, net_namespace.h and nfnetlink.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from types import TracebackType

from dnetkit.agent.kernel import in_network_namespace

__all__ = ["Attributes", "Netlink", "attribute", "nested"]

Attributes = dict[int, bytes]

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 1
_NLM_F_ACK = 4
_NLM_F_DUMP = 0x300
_NLM_F_DUMP_INTR = 0x10
_NESTED_MASK = 0x3FFF
_BUFFER = 1 << 18


def attribute(number: int, value: bytes | int | str) -> bytes:
    """One attribute; an int is packed as 32 bits, a str as bytes with a closing zero."""
    if isinstance(value, int):
        value = struct.pack("=I", value)
    elif isinstance(value, str):
        value = value.encode() + b"\0"
    return struct.pack("=HH", len(value) + 4, number) + value + b"\0" * (-len(value) % 4)


def nested(data: bytes) -> Attributes:
    """The attributes in `data`, by number; of one that stands twice the last."""
    found: Attributes = {}
    at, end = 0, len(data)
    while at + 4 <= end:
        length, number = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[number & _NESTED_MASK] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


class Netlink:
    """A netlink socket in one network namespace; a context manager, because an open one keeps its namespace alive.

    namespace: a descriptor of the namespace, or None for that of the calling thread.
    """

    def __init__(self, namespace: int | None = None, protocol: int = NETLINK_ROUTE) -> None:
        if namespace is None:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        else:
            with in_network_namespace(namespace):
                self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0
        self._interrupted = False

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._socket.close()

    def dump(self, kind: int, header: bytes, attributes: bytes = b"") -> list[tuple[bytes, Attributes]]:
        """Every object of a kind: the fixed header (as long as the one given) and the attributes of each.

        A dump that the kernel marks as interrupted by a change is taken again, a few times at the most.
        """
        skip = (len(header) + 3) & ~3
        for _ in range(5):
            self._send(kind, _NLM_F_REQUEST | _NLM_F_DUMP, header + attributes)
            self._interrupted = False
            found = [(payload[: len(header)], nested(payload[skip:])) for payload in self._replies()]
            if not self._interrupted:
                break
        return found

    def ask(self, kind: int, header: bytes, attributes: bytes = b"") -> tuple[bytes, Attributes] | None:
        """One object, or None when the kernel answers that there is none."""
        self._send(kind, _NLM_F_REQUEST | _NLM_F_ACK, header + attributes)
        found = None
        for payload in self._replies():
            found = payload[: len(header)], nested(payload[(len(header) + 3) & ~3 :])
        return found

    def change(self, kind: int, flags: int, header: bytes, attributes: bytes = b"") -> None:
        """Change something and wait for the kernel's word on it. Raises OSError with the kernel's errno."""
        self._send(kind, _NLM_F_REQUEST | _NLM_F_ACK | flags, header + attributes)
        for _ in self._replies():
            pass

    def _send(self, kind: int, flags: int, payload: bytes) -> None:
        self._sequence += 1
        self._socket.send(struct.pack("=IHHII", len(payload) + 16, kind, flags, self._sequence, 0) + payload)

    def _replies(self) -> Iterator[bytes]:
        while True:
            data = self._socket.recv(_BUFFER)
            at = 0
            while at + 16 <= len(data):
                length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, at)
                payload = data[at + 16 : at + length]
                at += (length + 3) & ~3
                if sequence != self._sequence:
                    continue
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", payload)[0]
                    if number:
                        raise OSError(number, os.strerror(number))
                    return
                self._interrupted |= bool(flags & _NLM_F_DUMP_INTR)
                yield payload
