"""The words for what nf_tables holds: remembered, known, or else asked of iptables-save and nft.

A rule's words follow from its expressions alone, so a program has to be started only for a rule never seen before. Its
answer holds for the rule set that was dumped only if no change came between: the caller compares generations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dnetkit.agent.netfilter import programs, words
from dnetkit.agent.netfilter.nft import RawChain, RawRule, RawSet, Ruleset

__all__ = ["Said", "Texts"]

_BUILT_IN = {
    "filter": {"INPUT", "FORWARD", "OUTPUT"},
    "nat": {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"},
    "mangle": {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"},
    "raw": {"PREROUTING", "OUTPUT"},
    "security": {"INPUT", "FORWARD", "OUTPUT"},
}
_SAVE = {"ip": (4, "iptables-nft-save"), "ip6": (6, "ip6tables-nft-save")}
_MANY = 50_000

Table = tuple[str, str]
Printed = dict[str, dict[tuple[str, int], str]]  # table, then chain and position, to text


@dataclass
class Said:
    """Words by place in the rule set: rules by (family, table, handle), sets by (family, table, name).

    iptables: the tables that are told in the words of iptables. unsaid: a table to why not all of it can be told.
    asked: whether a program had to be started.
    """

    rules: dict[tuple[str, str, int], str] = field(default_factory=dict)
    sets: dict[tuple[str, str, str], dict[str, str]] = field(default_factory=dict)
    iptables: set[Table] = field(default_factory=set)
    unsaid: dict[Table, str] = field(default_factory=dict)
    asked: bool = False


class Texts:
    """What was said of rules and sets so far, for all namespaces of a lab."""

    def __init__(self) -> None:
        self._iptables: dict[bytes, str] = {}
        self._nft: dict[bytes, str] = {}
        self._sets: dict[bytes, dict[str, str]] = {}

    def say(self, ruleset: Ruleset) -> Said:
        """The words for a whole rule set; the calling thread must be in its namespace."""
        for cache in (self._iptables, self._nft, self._sets):
            if len(cache) > _MANY:
                cache.clear()
        said = Said()
        printed: dict[str, Printed] = {}
        rest = []
        for table in ruleset.tables:
            rules = [rule for rule in ruleset.rules if (rule.family, rule.table) == table]
            chains = [chain for chain in ruleset.chains if (chain.family, chain.table) == table]
            found = self._iptables_words(table, rules, printed, said) if _like_iptables(table, chains) else None
            if found is None:
                rest.append(table)
            else:
                said.iptables.add(table)
                said.rules.update(((*table, rule.handle), text) for rule, text in zip(rules, found, strict=True))
        rules = [rule for rule in ruleset.rules if (rule.family, rule.table) in rest]
        self._nft_words(rules, ruleset.sets, said)
        return said

    def _iptables_words(
        self, table: Table, rules: Sequence[RawRule], printed: dict[str, Printed], said: Said
    ) -> list[str] | None:
        """What iptables says of each rule of a table, None where it does not say all."""
        found = [self._iptables.get(rule.key) or words.say(rule.family, rule.expressions) for rule in rules]
        if None in found:
            family, name = table
            if family not in printed:
                said.asked = True
                printed[family] = _save(family)
            told = printed[family].get(name, {})
            found = [told.get(place) for place in _places(rules)]
            if len(told) != len(rules):
                return None
        complete = []
        for rule, text in zip(rules, found, strict=True):
            if text is None:
                return None
            complete.append(text)
            if not _names_an_ipset(rule):
                self._iptables[rule.key] = text
        return complete

    def _nft_words(self, rules: Sequence[RawRule], sets: Sequence[RawSet], said: Said) -> None:
        """Put in what nft says of rules and sets."""
        texts = {rule.key: self._nft.get(rule.key) for rule in rules}
        descriptions = {one.key: self._sets.get(one.key) for one in sets}
        why = "nft does not list it"
        if None in texts.values() or None in descriptions.values():
            said.asked = True
            try:
                told = programs.parse_nft(programs.ask("nft", "--stateless", "--handle", "list", "ruleset"))
            except OSError as error:
                told, why = ({}, {}), str(error)
            texts |= {rule.key: told[0].get((rule.family, rule.table, rule.chain, rule.handle)) for rule in rules}
            descriptions |= {one.key: told[1].get((one.family, one.table, one.name)) for one in sets}
            self._nft.update((key, text) for key, text in texts.items() if text is not None)
            self._sets.update((key, text) for key, text in descriptions.items() if text is not None)
        for rule in rules:
            if (text := texts[rule.key]) is not None:
                said.rules[rule.family, rule.table, rule.handle] = text
            else:
                said.unsaid[rule.family, rule.table] = why
        for one in sets:
            if (description := descriptions[one.key]) is not None:
                said.sets[one.family, one.table, one.name] = description
            else:
                said.unsaid[one.family, one.table] = why


def _like_iptables(table: Table, chains: Iterable[RawChain]) -> bool:
    """Whether a table and the chains that are hung in it bear the names that iptables gives."""
    family, name = table
    return (
        family in _SAVE
        and name in _BUILT_IN
        and all(chain.name in _BUILT_IN[name] and chain.hook == chain.name.lower() for chain in chains if chain.hook)
    )


def _save(family: str) -> Printed:
    """What iptables-save prints of that family; nothing when it fails, for then nft is asked."""
    version, program = _SAVE[family]
    printed: Printed = {}
    try:
        _, rules = programs.parse_save(programs.ask(program, "-c"), version, "nft")
    except OSError:
        return printed
    for rule in rules:
        printed.setdefault(rule.table, {})[rule.chain, rule.position] = rule.text
    return printed


def _places(rules: Iterable[RawRule]) -> Iterable[tuple[str, int]]:
    counts: dict[str, int] = {}
    for rule in rules:
        counts[rule.chain] = counts.get(rule.chain, 0) + 1
        yield rule.chain, counts[rule.chain]


def _names_an_ipset(rule: RawRule) -> bool:
    """A match of the kind 'set' holds an ipset's number, and which name that has may change."""
    return any(name == "match" and data[4:8] == b"set\0" for name, data in rule.expressions)
