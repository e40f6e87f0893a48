"""Netfilter: chains, rules, sets, and the connections that it remembers."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from dnetkit.model.noise import noisy

__all__ = ["Chain", "Connection", "Flow", "NamedSet", "Rule"]

_VERDICTS = {
    *("accept", "drop", "reject", "return", "continue", "queue", "jump", "goto"),
    *("snat", "dnat", "masquerade", "redirect", "tproxy", "dup", "fwd", "notrack", "synproxy"),
}


@dataclass(frozen=True, order=True)
class Chain:
    """A netfilter chain; policy is 'ACCEPT' or 'DROP' for a built-in one, '' for one that was added.

    The counters of a built-in chain count what reached its policy; nft keeps none for a chain that iptables did not
    make. family: 4 or 6, 0 for a table of nft that is for both or for neither; layer: nft's word for it, 'ip', 'ip6',
    'inet', 'arp', 'bridge' or 'netdev'. backend: 'nft' or 'legacy'. hook, priority, type: where a base chain is hung
    in, 'prerouting', -100, 'nat'; device: the link it is for ('netdev' only).
    """

    table: str
    name: str
    policy: str = ""
    packets: int = noisy(0)
    bytes: int = noisy(0)
    family: int = 4
    backend: str = "nft"
    layer: str = ""
    hook: str = ""
    priority: int = 0
    type: str = ""
    device: str = ""


@dataclass(frozen=True, order=True)
class Rule:
    """A rule as `iptables-save -c` writes it, without '-A CHAIN' and counters; position counts from 1.

    syntax: 'nft' for one that nft made and iptables cannot say; its text is then what `nft --stateless list ruleset`
    prints. layer: see Chain. counted: whether the rule has a counter at all (one of nft need not). handle: nft's number
    for it, which it keeps when others come and go; 0 where there is none.
    """

    table: str
    chain: str
    position: int
    text: str
    packets: int = noisy(0)
    bytes: int = noisy(0)
    family: int = 4
    backend: str = "nft"
    layer: str = ""
    syntax: str = "iptables"
    counted: bool = True
    handle: int = 0

    @property
    def target(self) -> str:
        """What the rule does: 'ACCEPT', 'DNAT', 'DOCKER-USER', 'masquerade', ... or '' when it only counts.

        'vmap' where that depends on a value; the options then say in which map.
        """
        return self._parts[1]

    @property
    def options(self) -> str:
        """What is said of the target: '--to-destination 172.17.0.2:80', or 'to 172.17.0.2:80' in nft's words."""
        return self._parts[2]

    @property
    def matches(self) -> tuple[str, ...]:
        """The conditions one by one: ('-s 172.17.0.0/16', '! -o docker0'), or in nft's words as they stand."""
        return self._parts[0]

    @property
    def _parts(self) -> tuple[tuple[str, ...], str, str]:
        if self.syntax == "nft":
            return _nft_parts(self.text)
        return _iptables_parts(self.text)


def _iptables_parts(text: str) -> tuple[tuple[str, ...], str, str]:
    try:
        words = shlex.split(text)
    except ValueError:  # a quotation mark that does not close: no rule of iptables' own making
        words = text.split()
    matches: list[list[str]] = []
    negated = False
    at = 0
    while at < len(words):
        word = words[at]
        if word in ("-j", "-g") and at + 1 < len(words):
            return _joined(matches), words[at + 1], " ".join(words[at + 2 :])
        short = len(word) == 2 and word[0] == "-" and word[1] != "-"
        if word == "!":
            negated = True
        elif short:
            matches.append((["!"] if negated else []) + [word])
            negated = False
        elif matches:
            matches[-1] += (["!"] if negated else []) + [word]
            negated = False
        at += 1
    return _joined(matches), "", ""


def _joined(matches: list[list[str]]) -> tuple[str, ...]:
    return tuple(" ".join(match) for match in matches)


def _nft_parts(text: str) -> tuple[tuple[str, ...], str, str]:
    words = text.partition(' comment "')[0].split()
    depth = 0
    for at, word in enumerate(words):
        if depth == 0 and word == "vmap":  # a verdict for each value: where it leads is in the map
            return _conditions(words[:at]), word, " ".join(other for other in words[at + 1 :] if other != "counter")
        if depth == 0 and word in _VERDICTS and words[at - 1 : at] not in (["status"], ["!="]):
            target, *rest = words[at + 1 :] if word in ("jump", "goto") else words[at:]
            return _conditions(words[:at]), target, " ".join(rest)
        depth += word.count("{") - word.count("}")
    return _conditions(words), "", ""


def _conditions(words: list[str]) -> tuple[str, ...]:
    said = " ".join(word for word in words if word != "counter")
    return (said,) if said else ()


@dataclass(frozen=True, order=True)
class NamedSet:
    """A set or map that rules look into; elements as nft (or ipset) writes them, 'KEY : VALUE' in a map.

    key: the type of the elements, 'ipv4_addr', or for an ipset its type, 'hash:ip'. table: '' for an ipset, which
    belongs to none. backend: 'nft' or 'ipset'. flags: 'interval', 'timeout', 'map', 'dynamic', ...
    """

    name: str
    table: str = ""
    key: str = ""
    value: str = ""
    flags: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    family: int = 4
    layer: str = ""
    backend: str = "nft"


@dataclass(frozen=True, order=True)
class Flow:
    """One direction of a connection; for ICMP the ports are 0 and `what` says 'type 8 code 0 id 7'."""

    source: str
    destination: str
    source_port: int = 0
    destination_port: int = 0
    what: str = ""


@dataclass(frozen=True, order=True)
class Connection:
    """What conntrack remembers of a connection: how it came in, and how its answers come back.

    Where the reply is not the original turned round, an address or port was translated. protocol: 'tcp', 'udp',
    'icmp', ... state: TCP's, 'ESTABLISHED', 'TIME_WAIT', ..., '' for others. status: 'UNREPLIED', 'ASSURED', 'SNAT',
    'DNAT', ... timeout: seconds until it is forgotten. The counters are 0 where the kernel does not keep them.
    """

    protocol: str
    original: Flow
    reply: Flow
    family: int = 4
    status: tuple[str, ...] = ()
    mark: int = 0
    zone: int = 0
    state: str = noisy("")
    timeout: int = noisy(0)
    packets: int = noisy(0)
    bytes: int = noisy(0)
    reply_packets: int = noisy(0)
    reply_bytes: int = noisy(0)

    @property
    def translated(self) -> bool:
        """Whether an address or port differs between the two directions."""
        turned = (
            self.original.destination,
            self.original.source,
            self.original.destination_port,
            self.original.source_port,
        )
        reply = (self.reply.source, self.reply.destination, self.reply.source_port, self.reply.destination_port)
        return turned != reply
