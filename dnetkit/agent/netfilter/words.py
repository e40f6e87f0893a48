"""The words of iptables for the simplest rules, without starting a program: addresses, interfaces, ports, NAT.

These are the rules that an engine writes for each container, on the host and, for its DNS, inside every container. What
is not known here for certain is left to iptables-save itself: `say` then returns None.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from dnetkit.agent.netlink import Attributes, ip, nested, printable, text

__all__ = ["say"]

_IIFNAME, _OIFNAME, _L4PROTO = 6, 7, 16
_NETWORK, _TRANSPORT = 1, 2
_EQUAL, _UNEQUAL = 0, 1
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp"}
_VERDICTS = {0: "-j DROP", 1: "-j ACCEPT", 0xFFFFFFFB: "-j RETURN", 0xFFFFFFFD: "-j ", 0xFFFFFFFC: "-g "}
_JUMPS = (0xFFFFFFFD, 0xFFFFFFFC)
# Where an address begins in the header, by its length.
_ADDRESSES = {("ip", 12): "-s", ("ip", 16): "-d", ("ip6", 8): "-s", ("ip6", 24): "-d"}
_SIZES = {"ip": 4, "ip6": 16}
_PORTS = {0: "--sport", 2: "--dport"}


class _Unknown(Exception):
    """The rule has something that is not known here."""


def say(family: str, expressions: Sequence[tuple[str, bytes]]) -> str | None:
    """What `iptables-save` prints of a rule after '-A CHAIN ', or None when only it can tell."""
    try:
        return _Rule(family).read(expressions)
    except (_Unknown, struct.error, KeyError, IndexError):
        return None


class _Rule:
    """One rule while its expressions are read: what was loaded last, and the words so far by their place."""

    def __init__(self, family: str) -> None:
        self._family = family
        self._loaded: tuple[str, int, int] | None = None
        self._mask: bytes | None = None
        self._words: dict[str, str] = {}
        self._protocol = ""
        self._matches: list[str] = []
        self._target = ""

    def read(self, expressions: Sequence[tuple[str, bytes]]) -> str:
        if self._family not in _SIZES:
            raise _Unknown
        readers: dict[str, Callable[[Attributes], None]] = {
            "meta": self._meta,
            "payload": self._payload,
            "bitwise": self._bitwise,
            "cmp": self._compare,
            "immediate": self._immediate,
            "target": self._xtables_target,
        }
        for name, data in expressions:
            if self._target:
                raise _Unknown
            if name == "counter":
                if self._loaded is not None:
                    raise _Unknown
            elif name in readers:
                readers[name](nested(data))
            else:
                raise _Unknown
        if self._loaded is not None:
            raise _Unknown
        order = [self._words[flag] for flag in ("-s", "-d", "-i", "-o", "-p") if flag in self._words]
        return " ".join([*order, *self._matches, *([self._target] if self._target else [])])

    def _load(self, what: tuple[str, int, int]) -> None:
        if self._loaded is not None:
            raise _Unknown
        self._loaded, self._mask = what, None

    def _meta(self, found: Attributes) -> None:
        if set(found) != {1, 2}:
            raise _Unknown
        self._load(("meta", _big(found, 2), 0))

    def _payload(self, found: Attributes) -> None:
        if set(found) != {1, 2, 3, 4}:
            raise _Unknown
        base, offset, length = _big(found, 2), _big(found, 3), _big(found, 4)
        if base == _NETWORK and (self._family, offset) in _ADDRESSES and length <= _SIZES[self._family]:
            self._load((_ADDRESSES[self._family, offset], offset, length))
        elif base == _TRANSPORT and offset in _PORTS and length == 2:
            self._load((_PORTS[offset], offset, length))
        else:
            raise _Unknown

    def _bitwise(self, found: Attributes) -> None:
        mask, turn = nested(found[4])[1], nested(found[5])[1]
        if self._loaded is None or self._mask is not None or any(turn) or _big(found, 6):
            raise _Unknown
        self._mask = mask

    def _compare(self, found: Attributes) -> None:
        if self._loaded is None or _big(found, 2) not in (_EQUAL, _UNEQUAL):
            raise _Unknown
        (what, key, length), value = self._loaded, nested(found[3])[1]
        self._loaded = None
        not_ = "! " if _big(found, 2) == _UNEQUAL else ""
        if what == "meta":
            self._compare_meta(key, value, not_)
        elif what in ("-s", "-d"):
            self._put(what, f"{not_}{what} {self._address(value, length)}")
        elif self._protocol in ("tcp", "udp") and self._mask is None and "!" not in self._words["-p"]:
            word = f"-m {self._protocol} {not_}{what} {int.from_bytes(value, 'big')}"
            if self._matches:  # two of a kind share the '-m'; how, is for iptables to say
                raise _Unknown
            self._matches.append(word)
        else:
            raise _Unknown

    def _compare_meta(self, key: int, value: bytes, not_: str) -> None:
        if self._mask is not None:
            raise _Unknown
        if key == _L4PROTO:
            self._protocol = _PROTOCOLS[value[0]]
            self._put("-p", f"{not_}-p {self._protocol}")
        elif key in (_IIFNAME, _OIFNAME):
            flag = "-i" if key == _IIFNAME else "-o"
            name = printable(value.rstrip(b"\0"))
            if not name or any(letter in name for letter in " \"'\\"):
                raise _Unknown
            any_end = "" if value.endswith(b"\0") else "+"
            self._put(flag, f"{not_}{flag} {name}{any_end}")
        else:
            raise _Unknown

    def _address(self, value: bytes, length: int) -> str:
        size = _SIZES[self._family]
        bits = length * 8
        if self._mask is not None:
            number = int.from_bytes(self._mask, "big")
            bits = number.bit_count()
            if number != ((1 << bits) - 1) << (len(self._mask) * 8 - bits) or length != size:
                raise _Unknown
        return f"{ip(value[:length] + bytes(size - length))}/{bits}"

    def _put(self, flag: str, words: str) -> None:
        if flag in self._words:
            raise _Unknown
        self._words[flag] = words

    def _immediate(self, found: Attributes) -> None:
        verdict = nested(nested(found[2])[2])
        code = _big(verdict, 1)
        chain = text(verdict, 2)
        if self._loaded is not None or any(letter in chain for letter in " \"'\\"):
            raise _Unknown
        self._target = _VERDICTS[code] + (chain if code in _JUMPS else "")

    def _xtables_target(self, found: Attributes) -> None:
        name, revision, info = text(found, 1), _big(found, 2), found[3]
        if self._loaded is not None:
            raise _Unknown
        if name == "MASQUERADE" and self._family == "ip" and revision == 0 and not any(info[4:20]):
            self._target = "-j MASQUERADE"
        elif name == "SNAT" and self._family == "ip" and revision == 0:
            self._target = f"-j SNAT --to-source {_range(*_compact(info))}"
        elif name == "DNAT" and revision == 2:
            self._target = f"-j DNAT --to-destination {_range(*self._wide(info))}"
        else:
            raise _Unknown

    def _wide(self, info: bytes) -> tuple[int, str, int]:
        """Of struct nf_nat_range2: flags, first and last address, first and last port."""
        flags, first, last, low, high, base = struct.unpack_from("=I16s16s2s2s2s", info)
        if first != last or low != high or any(base):
            raise _Unknown
        size = _SIZES[self._family]
        return flags, ip(first[:size]), int.from_bytes(low, "big")


def _compact(info: bytes) -> tuple[int, str, int]:
    """Of struct nf_nat_ipv4_multi_range_compat: how many ranges, then flags, addresses and ports."""
    count, flags, first, last, low, high = struct.unpack_from("=II4s4s2s2s", info)
    if count != 1 or first != last or low != high:
        raise _Unknown
    return flags, ip(first), int.from_bytes(low, "big")


def _range(flags: int, address: str, port: int) -> str:
    if flags not in (1, 2, 3):
        raise _Unknown
    if flags == 1:
        return address
    shown = "" if not flags & 1 else f"[{address}]" if ":" in address else address
    return f"{shown}:{port}"


def _big(found: Attributes, key: int) -> int:
    return int.from_bytes(found.get(key, b""), "big")
