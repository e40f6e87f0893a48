"""What nf_tables holds in a namespace, as the kernel sends it: tables, chains, rules and sets, not yet in words.

iptables-nft and nft both keep their rules there. A dump costs a fraction of a millisecond, starts no process, and has
exact counters; only the words for an expression are someone else's (see texts.py). Numbers are those of
linux/netfilter/nf_tables.h; in these messages they travel in the byte order of the network.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field

from dnetkit.agent.netlink import Attributes, Found, Netlink, attribute, listed, nested, text

__all__ = ["FAMILIES", "Known", "RawChain", "RawRule", "RawSet", "Ruleset", "dump", "generation"]

FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}

_SUBSYSTEM = 10 << 8
_GETTABLE, _GETCHAIN, _GETRULE, _GETSET, _GETSETELEM, _GETGEN = (_SUBSYSTEM | n for n in (1, 4, 7, 10, 13, 16))
_HEADER = bytes(4)
_ANONYMOUS = 0x1
_HOOKS = {
    "inet": ("prerouting", "input", "forward", "output", "postrouting", "ingress"),
    "arp": ("input", "output", "forward"),
    "netdev": ("ingress", "egress"),
}
Anonymous = dict[tuple[str, str, str], bytes]
"""The key of each set without a name of its own: what is in it belongs to the rule that uses it."""
Known = dict[int, tuple[Attributes, Anonymous, "RawRule"]]
"""By the identity of the attributes, which it keeps alive."""

_VOLATILE_ELEMENT = (5, 7, 11)  # the time that an element has left, its counters


@dataclass(frozen=True)
class RawChain:
    """A chain; hook '' for one that others jump to. policy: None where it has none."""

    family: str
    table: str
    name: str
    hook: str = ""
    priority: int = 0
    type: str = ""
    device: str = ""
    accepts: bool | None = None
    packets: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class RawRule:
    """A rule: its expressions (name, attributes) without the counter, which is given apart.

    key: what its words depend on, the counter left out, the elements of a set without a name put in.
    """

    family: str
    table: str
    chain: str
    handle: int
    expressions: tuple[tuple[str, bytes], ...]
    counted: bool
    key: bytes
    packets: int
    bytes: int


@dataclass(frozen=True)
class RawSet:
    """A set that has a name; key: what its words depend on."""

    family: str
    table: str
    name: str
    key: bytes


@dataclass
class Ruleset:
    """All of a namespace at one generation of its rule set."""

    generation: int
    tables: tuple[tuple[str, str], ...] = ()
    chains: list[RawChain] = field(default_factory=list)
    rules: list[RawRule] = field(default_factory=list)
    sets: list[RawSet] = field(default_factory=list)


def generation(netlink: Netlink) -> int:
    """A number that grows with every change. Raises OSError where the kernel has no nf_tables."""
    answer = netlink.ask(_GETGEN, _HEADER)
    return _big(answer[1], 1) if answer is not None else 0


def dump(netlink: Netlink, tries: int = 10, known: Known | None = None) -> Ruleset:
    """The whole rule set, at one generation. Raises OSError where the kernel has none, or it never stops changing.

    known: what was made of the rules the last time; those that came as the same objects are not made again.
    """
    known = {} if known is None else known
    for _ in range(tries):
        number = generation(netlink)
        tables = [(FAMILIES.get(head[0], str(head[0])), text(found, 1)) for head, found in _all(netlink, _GETTABLE)]
        if not tables:
            return Ruleset(number)
        sets = list(_sets(netlink))
        anonymous = {(family, table, name): key for family, table, name, flags, key in sets if flags & _ANONYMOUS}
        made = Ruleset(
            number,
            tuple(tables),
            [_chain(head[0], found) for head, found in _all(netlink, _GETCHAIN)],
            _rules(_all(netlink, _GETRULE), anonymous, known),
            [RawSet(family, table, name, key) for family, table, name, flags, key in sets if not flags & _ANONYMOUS],
        )
        if generation(netlink) == number:
            return made
    raise OSError(errno.EAGAIN, f"the rule set changed each of the {tries} times that it was read")


def _all(netlink: Netlink, kind: int) -> list[tuple[bytes, Attributes]]:
    return netlink.dump(kind, _HEADER)


def _rules(dumped: Found, anonymous: Anonymous, known: Known) -> list[RawRule]:
    made: Known = {}
    rules = []
    for head, found in dumped:
        last = known.get(id(found))
        if last is None or last[0] is not found or last[1] != anonymous:
            last = (found, anonymous, _rule(head[0], found, anonymous))
        made[id(found)] = last
        rules.append(last[2])
    known.clear()
    known.update(made)
    return rules


def _chain(family: int, found: Attributes) -> RawChain:
    layer = FAMILIES.get(family, str(family))
    hook, counters = nested(found.get(4, b"")), nested(found.get(8, b""))
    names = _HOOKS.get(layer, _HOOKS["inet"])
    where = _big(hook, 1)
    devices = [value for _, value in listed(hook.get(4, b""))]
    return RawChain(
        family=layer,
        table=text(found, 1),
        name=text(found, 3),
        hook="" if 4 not in found else names[where] if where < len(names) else str(where),
        priority=int.from_bytes(hook.get(2, b""), "big", signed=True),
        type=text(found, 7),
        device=text(hook, 3) or ",".join(value.rstrip(b"\0").decode("utf-8", "backslashreplace") for value in devices),
        accepts=bool(_big(found, 5)) if 5 in found else None,
        packets=_big(counters, 2),
        bytes=_big(counters, 1),
    )


def _rule(family: int, found: Attributes, anonymous: Anonymous) -> RawRule:
    layer, table = FAMILIES.get(family, str(family)), text(found, 1)
    expressions = []
    counter: Attributes | None = None
    for _, item in listed(found.get(4, b"")):
        parts = nested(item)
        name, data = text(parts, 1), parts.get(2, b"")
        if name == "counter":
            if counter is None:
                counter = nested(data)
            data = b""
        expressions.append((name, data))
    key = [layer.encode(), table.encode(), found.get(5, b""), found.get(7, b"")]
    for name, data in expressions:
        key += (name.encode(), len(data).to_bytes(4, "big"), data)
        if name == "lookup":
            key.append(anonymous.get((layer, table, text(nested(data), 1)), b""))
    return RawRule(
        family=layer,
        table=table,
        chain=text(found, 2),
        handle=_big(found, 3),
        expressions=tuple(expressions),
        counted=counter is not None,
        packets=_big(counter or {}, 2),
        bytes=_big(counter or {}, 1),
        key=b"\0".join(key),
    )


def _sets(netlink: Netlink) -> Iterator[tuple[str, str, str, int, bytes]]:
    """Family, table, name, flags and key of each set, those without a name of their own too."""
    for head, found in _all(netlink, _GETSET):
        layer, table, name = FAMILIES.get(head[0], str(head[0])), text(found, 1), text(found, 2)
        which = bytes([head[0], 0, 0, 0])
        asked = attribute(1, table) + attribute(2, name)
        elements = []
        for _, message in netlink.dump(_GETSETELEM, which, asked):
            for _, element in listed(message.get(3, b"")):
                elements += [value for kind, value in listed(element) if kind not in _VOLATILE_ELEMENT]
        settings = [value for kind, value in sorted(found.items()) if kind not in (10, 16)]  # not: its id, its handle
        key = b"\0".join([layer.encode(), table.encode(), name.encode(), *settings, b"=", *elements])
        yield layer, table, name, _big(found, 3), key


def _big(found: Attributes, key: int) -> int:
    return int.from_bytes(found.get(key, b""), "big")
