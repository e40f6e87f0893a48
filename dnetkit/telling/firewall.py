"""Tells what happened to netfilter's chains and rules, and to settings; pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnetkit.model import Change, Rule
from dnetkit.telling.untold import Group, Untold, sign
from dnetkit.words import SIGNS, chain_name, conditions, label, rule

__all__ = ["rules", "settings"]

_MANY = 4
"""Up to so many chains are told in a line each."""


def rules(untold: Untold) -> Iterator[Group]:
    """Rules, chain by chain; in one line where they are spread over many chains."""
    for where in dict.fromkeys(one.where for one in untold.items if _is_netfilter(one)):
        found = untold.take(lambda one, where=where: one.where == where and _is_netfilter(one))  # type: ignore[misc]
        chains: dict[str, list[Change]] = {}
        for one in found:
            chains.setdefault(chain_name(one.after or one.before), []).append(one)
        prefix = f"{label(where)} " if untold.place(where) else ""
        if len(chains) > _MANY:
            told = ", ".join(f"{name} {_numbers(several)}" for name, several in chains.items())
            yield Group(sign(found), f"{prefix}netfilter: {_numbers(found)} rules: {told}", tuple(found))
        else:
            for name, mine in chains.items():
                yield Group(sign(mine), f"{prefix}{name}: {_chain_words(mine)}", tuple(mine))


def _is_netfilter(change: Change) -> bool:
    if change.verb != "changed":
        return change.subject in ("rule", "chain")
    return (change.subject == "chain" and "policy" in change.fields) or (
        change.subject == "rule" and "place" in change.fields and "position" in change.fields
    )


def _numbers(mine: list[Change]) -> str:
    counts = [(mark, sum((one.subject, one.verb) == ("rule", verb) for one in mine)) for verb, mark in SIGNS.items()]
    return " ".join(f"{mark}{count}" for mark, count in counts if count) or "+0"


def _chain_words(mine: list[Change]) -> str:
    told = [_policy_words(one) for one in mine if one.subject == "chain"]
    changed = [one for one in mine if one.subject == "rule"]
    for one in changed:
        if one.verb == "changed":
            told.append(f"{rule(one.after)} moved from position {one.before.position} to {one.after.position}")
    for verb in ("removed", "added"):
        several = [one.after or one.before for one in changed if one.verb == verb]
        if several:
            told.append(f"{SIGNS[verb]}{len(several)} {_rules_words(several)}")
    return ", ".join(told)


def _policy_words(change: Change) -> str:
    if change.verb == "changed":
        return f"policy {change.before.policy} -> {change.after.policy}"
    if change.verb == "removed":
        return "chain removed"
    return f"new chain with policy {change.after.policy}" if change.after.policy else "new chain"


def _rules_words(several: list[Rule]) -> str:
    """'DNAT rule tcp 8080 -> 172.17.0.2:80', '3 ACCEPT rules', 'rules (4 ACCEPT, 1 DOCKER)'."""
    targets = [one.target or "counting" for one in several]
    kinds = list(dict.fromkeys(targets))
    if len(several) == 1:
        return f"{targets[0]} rule {conditions(several[0])}"
    if kinds == ["DNAT"] and len(several) <= _MANY:
        return f"DNAT rules: {', '.join(conditions(one) for one in several)}"
    if len(kinds) == 1:
        return f"{kinds[0]} rules"
    return f"rules ({', '.join(f'{targets.count(name)} {name}' for name in kinds)})"


def settings(untold: Untold) -> Iterator[Group]:
    """Kernel settings."""
    for change in untold.each("sysctl", "changed"):
        told = f"{change.after[0]}{untold.place(change.where)}: {change.before[1]} -> {change.after[1]}"
        yield Group("~", told, tuple(untold.take_one(change)))
