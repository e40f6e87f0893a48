"""The tables of legacy iptables, which the kernel keeps apart: counters from the kernel, words from a tool.

A table is one block of memory (linux/netfilter_ipv4/ip_tables.h, and ip6_tables.h for IPv6). With its counters blanked
it tells whether anything has changed; only then iptables-legacy-save has to be started again.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from dnetkit.agent.netfilter import programs
from dnetkit.agent.place import read_file
from dnetkit.model import Chain, Rule

__all__ = ["Legacy", "tables"]

_GET_INFO, _GET_ENTRIES = 64, 65  # the same numbers for IPv4 and IPv6
_INFO = struct.Struct("=32sI5I5III")
_HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
T = TypeVar("T", Chain, Rule)

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class _Layout:
    """Where things stand in an entry: its target's offset (the next entry's follows it), and its counters."""

    level: int
    kind: int
    names: str
    program: str
    offsets: int
    counters: int


_LAYOUTS = {
    4: _Layout(socket.IPPROTO_IP, socket.AF_INET, "ip_tables_names", "iptables-legacy-save", 88, 96),
    6: _Layout(socket.IPPROTO_IPV6, socket.AF_INET6, "ip6_tables_names", "ip6tables-legacy-save", 140, 152),
}


def tables(family: int) -> list[str]:
    """The legacy tables of the calling thread's namespace."""
    try:
        return read_file(f"/proc/thread-self/net/{_LAYOUTS[family].names}").split()
    except FileNotFoundError:
        return []


class Legacy:
    """What was said of legacy tables so far, for all namespaces of a lab."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, bytes], tuple[list[Chain], list[Rule]]] = {}

    def read(self, family: int, names: list[str]) -> tuple[list[Chain], list[Rule]]:
        """The chains and rules of those tables in the calling thread's namespace. Raises OSError."""
        layout = _LAYOUTS[family]
        chains: list[Chain] = []
        rules: list[Rule] = []
        with socket.socket(layout.kind, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW) as sock:
            for name in names:
                some_chains, some_rules = self._table(sock, layout, family, name)
                chains += some_chains
                rules += some_rules
        return chains, rules

    def _table(self, sock: socket.socket, layout: _Layout, family: int, name: str) -> tuple[list[Chain], list[Rule]]:
        for _ in range(5):
            block = _block(sock, layout, name)
            blank, counts, policies = _split(block, layout)
            key = (family, name, blank)
            if key not in self._known:
                told = programs.parse_save(programs.ask(layout.program, "-c", "-t", name), family, "legacy")
                if _split(_block(sock, layout, name), layout)[0] != blank or len(told[1]) != len(counts):
                    continue  # it changed in between
                if len(self._known) > 1000:
                    self._known.clear()
                self._known[key] = told
            chains, rules = self._known[key]
            return (
                [_counted(chain, policies.get(chain.name, (0, 0))) for chain in chains],
                [_counted(rule, pair) for rule, pair in zip(rules, counts, strict=True)],
            )
        raise OSError(errno.EAGAIN, f"the table {name} changed each time that it was read")


def _counted(one: T, counts: tuple[int, int]) -> T:
    return replace(one, packets=counts[0], bytes=counts[1])


Block = tuple[bytes, tuple[int, ...]]


def _block(sock: socket.socket, layout: _Layout, name: str) -> Block:
    """The entries of a table, and where each built-in chain ends (its policy), by hook; -1: there is none."""
    for _ in range(5):
        info = ctypes.create_string_buffer(name.encode(), _INFO.size)
        _getsockopt(sock, layout.level, _GET_INFO, info)
        _, hooks, *numbers = _INFO.unpack(info.raw)
        size = numbers[11]
        buffer = ctypes.create_string_buffer(struct.pack("=32sI4x", name.encode(), size), 40 + size)
        try:
            _getsockopt(sock, layout.level, _GET_ENTRIES, buffer)
        except OSError as error:
            if error.errno == errno.EAGAIN:  # it has another size by now
                continue
            raise
        return buffer.raw[40:], tuple(numbers[5 + hook] if hooks & 1 << hook else -1 for hook in range(5))
    raise OSError(errno.EAGAIN, f"the table {name} changed each time that it was read")


def _getsockopt(sock: socket.socket, level: int, option: int, buffer: ctypes.Array[ctypes.c_char]) -> None:
    size = ctypes.c_uint32(len(buffer))
    if _libc.getsockopt(sock.fileno(), level, option, buffer, ctypes.byref(size)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _split(block: Block, layout: _Layout) -> tuple[bytes, list[tuple[int, int]], dict[str, tuple[int, int]]]:
    """The entries without counters, the counters of the rules in their order, those of the policies by chain."""
    data, ends = block
    blank = bytearray(data)
    entries = list(_entries(data, layout))
    policies = {_HOOKS[number]: counts for at, counts, _ in entries for number in range(5) if ends[number] == at}
    rules: list[tuple[int, int]] = []
    for position, (at, counts, target) in enumerate(entries):
        kept = at + layout.offsets + 4  # from here to the counters: a mark of the kernel's own
        blank[kept : at + layout.counters + 16] = bytes(layout.counters + 16 - layout.offsets - 4)
        following = entries[position + 1] if position + 1 < len(entries) else None
        ends_chain = following is not None and following[2] == "ERROR" and at not in ends
        if target != "ERROR" and at not in ends and not ends_chain:
            rules.append(counts)
    return bytes(blank), rules, policies


def _entries(data: bytes, layout: _Layout) -> Iterator[tuple[int, tuple[int, int], str]]:
    """Offset, (packets, bytes) and the name of the target of each entry; '' is a verdict or a jump."""
    at = 0
    while at + layout.counters + 16 <= len(data):
        target, following = struct.unpack_from("=HH", data, at + layout.offsets)
        counts = struct.unpack_from("=QQ", data, at + layout.counters)
        name = data[at + target + 2 : at + target + 31].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
        yield at, (counts[0], counts[1]), name
        if following == 0:
            return
        at += following
