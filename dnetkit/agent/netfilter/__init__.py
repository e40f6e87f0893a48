"""Netfilter's chains, rules and sets of one namespace, those of nf_tables and those of legacy iptables told apart.

Structure and counters come from the kernel; the words come from memory, from words.py, or from the tools themselves.
The table that `iptables -L` prints is not parsed: its columns differ by version, and it rounds counters.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any

from dnetkit.agent.netfilter import legacy, nft
from dnetkit.agent.netfilter.ipsets import ipsets
from dnetkit.agent.netfilter.legacy import Legacy
from dnetkit.agent.netfilter.nft import RawChain, RawRule, Ruleset
from dnetkit.agent.netfilter.texts import Said, Texts
from dnetkit.agent.netlink import NETLINK_NETFILTER
from dnetkit.agent.place import Place
from dnetkit.model import Chain, NamedSet, Rule, Unavailable

__all__ = ["rules"]

_ABSENT = (errno.EINVAL, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT)  # a kernel without nf_tables answers with one of them
_VERSIONS = {"ip": 4, "ip6": 6}
_TRIES = 5


@dataclass
class Memory:
    """What has been put into words already, for all namespaces of a lab."""

    texts: Texts = field(default_factory=Texts)
    legacy: Legacy = field(default_factory=Legacy)


def rules(place: Place) -> dict[str, Any]:
    """Netfilter's chains, rules and sets, with their counters."""
    memory = place.remembered(Memory)
    netlink = place.netlink(NETLINK_NETFILTER)
    nf_tables = _nf_tables(place, memory.texts)
    chains, told, said = [*nf_tables.chains], [*nf_tables.rules], nf_tables.said
    for (family, table), why in said.unsaid.items():
        place.missing.append(Unavailable(f"some of the rules or sets in the table {family} {table} (nft)", why))
    # The lab's own namespace is older than the ids of a lab without root, which then may not read the list there; and
    # no one but the agent is in it.
    for version in (4, 6) if place.kind != "lan" else ():
        try:
            if names := legacy.tables(version):
                old_chains, old_rules = memory.legacy.read(version, names)
                chains += old_chains
                told += old_rules
        except OSError as error:
            place.missing.append(Unavailable(f"rules (IPv{version}, legacy)", error.strerror or str(error)))
    sets = [_set(*where, description) for where, description in sorted(said.sets.items())]
    try:
        sets += ipsets(netlink)
    except OSError as error:
        place.missing.append(Unavailable("ipsets", error.strerror or str(error)))
    return {"chains": tuple(chains), "rules": tuple(told), "sets": tuple(sets)}


@dataclass(frozen=True)
class _Told:
    """What nf_tables holds, in the words that belong to it."""

    chains: list[Chain] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    said: Said = field(default_factory=Said)


def _nf_tables(place: Place, texts: Texts) -> _Told:
    netlink = place.netlink(NETLINK_NETFILTER)
    known: nft.Known = place.lasting("nft rules", {})
    try:
        for _ in range(_TRIES):
            ruleset = nft.dump(netlink, known=known)
            raw = (ruleset.tables, ruleset.chains, ruleset.rules, ruleset.sets)
            last: tuple[Any, _Told] = place.lasting("nf_tables", (None, _Told()))
            if last[0] == raw:
                return last[1]
            said = texts.say(ruleset)
            if not said.asked or nft.generation(netlink) == ruleset.generation:
                told = _Told([_chain(one) for one in ruleset.chains], _rules(ruleset, said), said)
                if not said.asked:  # else what it says depends on more than the rule set: on names that ipsets have
                    place.kept.lasting["nf_tables"] = (raw, told)
                return told
    except OSError as error:
        if error.errno in _ABSENT:
            return _Told()
        raise
    raise OSError(errno.EAGAIN, f"the rule set changed each of the {_TRIES} times that it was read")


def _chain(one: RawChain) -> Chain:
    policy = "" if not one.hook or one.accepts is None else "ACCEPT" if one.accepts else "DROP"
    return Chain(
        table=one.table,
        name=one.name,
        policy=policy,
        packets=one.packets,
        bytes=one.bytes,
        family=_VERSIONS.get(one.family, 0),
        backend="nft",
        layer=one.family,
        hook=one.hook,
        priority=one.priority,
        type=one.type,
        device=one.device,
    )


def _rules(ruleset: Ruleset, said: Said) -> list[Rule]:
    made = []
    positions: dict[tuple[str, str, str], int] = {}
    for raw in ruleset.rules:
        where = (raw.family, raw.table, raw.chain)
        positions[where] = positions.get(where, 0) + 1
        text = said.rules.get((raw.family, raw.table, raw.handle))
        if text is not None:
            made.append(_rule(raw, text, positions[where], (raw.family, raw.table) in said.iptables))
    return made


def _rule(raw: RawRule, text: str, position: int, iptables: bool) -> Rule:
    return Rule(
        table=raw.table,
        chain=raw.chain,
        position=position,
        text=text,
        packets=raw.packets,
        bytes=raw.bytes,
        family=_VERSIONS.get(raw.family, 0),
        backend="nft",
        layer=raw.family,
        syntax="iptables" if iptables else "nft",
        counted=raw.counted,
        handle=raw.handle,
    )


def _set(layer: str, table: str, name: str, said: dict[str, str]) -> NamedSet:
    key, _, value = said.get("type", said.get("typeof", "")).partition(" : ")
    flags = [word for word in said.get("flags", "").split(",") if word]
    flags += [word for word in ("timeout",) if word in said and word not in flags]
    elements = tuple(part.strip() for part in _commas(said.get("elements", "")))
    return NamedSet(name, table, key, value, tuple(flags), elements, _VERSIONS.get(layer, 0), layer)


def _commas(text: str) -> list[str]:
    """Split at the commas that are not inside quotation marks."""
    parts = [""]
    quoted = False
    for letter in text:
        quoted ^= letter == '"'
        if letter == "," and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]
