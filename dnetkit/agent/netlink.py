"""Netlink, spoken raw: ask the kernel for its links, routes, rules, sockets and the rest, or change them.

A whole dump of a namespace takes a fraction of a millisecond this way, which is what makes a snapshot before and after
every cell possible. Messages are RFC 3549's; attribute numbers are from linux/if_link.h, if_addr.h, rtnetlink.h,
neighbour.h, net_namespace.h and nfnetlink.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Hashable, Iterator
from types import TracebackType

from dnetkit.agent.kernel import in_network_namespace

__all__ = [
    "NETLINK_NETFILTER",
    "NETLINK_ROUTE",
    "NETLINK_SOCK_DIAG",
    "Attributes",
    "Found",
    "Known",
    "Netlink",
    "attribute",
    "ip",
    "listed",
    "mac",
    "nested",
    "number",
    "printable",
    "text",
]

Attributes = dict[int, bytes]
Found = list[tuple[bytes, Attributes]]
Known = dict[Hashable, tuple[list[bytes], Found]]
"""The last answers to each question: as they came, and taken apart."""

NETLINK_ROUTE = 0
NETLINK_SOCK_DIAG = 4
NETLINK_NETFILTER = 12

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 1
_NLM_F_ACK = 4
_NLM_F_DUMP = 0x300
_NLM_F_DUMP_INTR = 0x10
_NESTED_MASK = 0x3FFF
_BUFFER = 1 << 17
_TRIES = 10

_HEAD = struct.Struct("=HH").unpack_from
_MESSAGE = struct.Struct("=IHHII").unpack_from


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
    at, end, head = 0, len(data) - 3, _HEAD
    while at < end:
        length, kind = head(data, at)
        if length < 4:
            break
        found[kind & _NESTED_MASK] = data[at + 4 : at + length]
        at += length + 3 & ~3
    return found


def listed(data: bytes) -> list[tuple[int, bytes]]:
    """The attributes in `data` in their order, (number, value), for lists in which one number stands several times."""
    found = []
    at, end = 0, len(data) - 3
    while at < end:
        length, kind = _HEAD(data, at)
        if length < 4:
            break
        found.append((kind & _NESTED_MASK, data[at + 4 : at + length]))
        at += (length + 3) & ~3
    return found


def number(found: Attributes, key: int, default: int = 0) -> int:
    """An unsigned number of the machine's byte order, however long it is."""
    value = found.get(key)
    return default if value is None else int.from_bytes(value, sys.byteorder)


def text(found: Attributes, key: int) -> str:
    """A string of the kernel's; '' when it is not there."""
    return printable(found.get(key, b"").rstrip(b"\0"))


def printable(raw: bytes) -> str:
    """Bytes that someone chose as a name, as text; what is not UTF-8 is written as \\x.. to keep names distinct."""
    return raw.decode("utf-8", "backslashreplace")


def ip(raw: bytes | None) -> str:
    """An IPv4 or IPv6 address as text; '' for none."""
    if not raw:
        return ""
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def mac(raw: bytes) -> str:
    """A link-layer address as text."""
    return raw.hex(":") if raw else ""


class Netlink:
    """A netlink socket in one network namespace; a context manager, because an open one keeps its namespace alive.

    namespace: a descriptor of the namespace, or None for that of the calling thread. known: what earlier dumps of the
    same namespace gave; what is as it was then comes as the same objects, which no one may change.
    """

    def __init__(self, namespace: int | None = None, protocol: int = NETLINK_ROUTE, known: Known | None = None) -> None:
        if namespace is None:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        else:
            with in_network_namespace(namespace):
                self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0
        self._interrupted = False
        self._protocol = protocol
        self._known = known

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._socket.close()

    def dump(self, kind: int, header: bytes, attributes: bytes = b"", reply: int | None = None) -> Found:
        """Every object of a kind: the fixed header and the attributes of each.

        reply: how long the header of an answer is, where that is not as long as the one given. A dump that the kernel
        marks as interrupted by a change is taken again. Raises OSError when the kernel refuses, or when things never
        stop changing.
        """
        length = len(header) if reply is None else reply
        skip = (length + 3) & ~3
        for _ in range(_TRIES):
            self._send(kind, _NLM_F_REQUEST | _NLM_F_DUMP, header + attributes)
            self._interrupted = False
            payloads = list(self._replies())
            if self._protocol == NETLINK_NETFILTER:  # each names the generation, so that all would be new at any change
                payloads = [payload[:2] + b"\0\0" + payload[4:] for payload in payloads]
            if not self._interrupted:
                return self._taken_apart(payloads, length, skip, (kind, header, attributes, reply))
        raise OSError(errno.EAGAIN, f"it changed each of the {_TRIES} times that it was read")

    def _taken_apart(self, payloads: list[bytes], length: int, skip: int, question: Hashable) -> Found:
        """Header and attributes of each answer, as the same objects as the last time where nothing is new."""
        before, found = self._known.get(question, ([], [])) if self._known is not None else ([], [])
        if payloads == before:
            return found
        last = dict(zip(before, found, strict=True))
        found = [last.get(payload) or (payload[:length], nested(payload[skip:])) for payload in payloads]
        if self._known is not None:
            self._known[question] = payloads, found
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
                length, kind, flags, sequence, _ = _MESSAGE(data, at)
                payload = data[at + 16 : at + length]
                at += (length + 3) & ~3
                if sequence != self._sequence:
                    continue
                if kind in (_NLMSG_DONE, _NLMSG_ERROR):  # both may carry an errno
                    failed = -struct.unpack_from("=i", payload)[0] if len(payload) >= 4 else 0
                    if failed > 0:
                        raise OSError(failed, os.strerror(failed))
                    return
                self._interrupted |= bool(flags & _NLM_F_DUMP_INTR)
                yield payload
