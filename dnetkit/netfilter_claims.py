"""Claims about netfilter: rules, what they counted, policies; see claims.py."""

from __future__ import annotations

from collections.abc import Iterable

from dnetkit import facts
from dnetkit.claims import CheckResult, claim, listed
from dnetkit.model import Rule, Snapshot

__all__: list[str] = []  # they are called by way of CLAIMS


@claim
def rule(
    snapshot: Snapshot,
    where: str,
    table: str,
    chain: str,
    target: str = "",
    contains: str | Iterable[str] = (),
    packets: int = 0,
) -> CheckResult:
    """The chain has a rule with that target and those words in it, that has counted at least so many packets."""
    there = _rules(snapshot, where, table, chain)
    fits = [r for r in there if _fits(r, target, contains)]
    claim = f"{where} has a rule in {table}/{chain}{_wanted(target, contains)}"
    if packets:
        claim += f" that counted {_packets(packets)} or more"
    if not fits:
        facts.must_be_read(snapshot, "rules", facts.namespace(snapshot, where))
        return CheckResult(False, claim, f"that chain has {listed((r.text for r in there), 'no rules')}")
    most = max(fits, key=lambda r: r.packets)
    return CheckResult(most.packets >= packets, claim, f"{most.text} ({_packets(most.packets)})")


@claim
def no_rule(
    snapshot: Snapshot, where: str, table: str, chain: str, target: str = "", contains: str | Iterable[str] = ()
) -> CheckResult:
    """The chain has no such rule."""
    facts.must_be_read(snapshot, "rules", facts.namespace(snapshot, where))
    fits = [r.text for r in _rules(snapshot, where, table, chain) if _fits(r, target, contains)]
    claim = f"{where} has no rule in {table}/{chain}{_wanted(target, contains)}"
    return CheckResult(not fits, claim, f"such rules: {listed(fits)}")


@claim
def dropped(snapshot: Snapshot, where: str, packets: int) -> CheckResult:
    """Some rule there, in whatever table and chain, has dropped at least so many packets."""
    space = facts.namespace(snapshot, where)
    drops = sorted((r for r in space.rules if r.target == "DROP"), key=lambda r: -r.packets)
    claim = f"a rule on {where} has dropped {packets} packets or more"
    if not drops or drops[0].packets < packets:
        facts.must_be_read(snapshot, "rules", space)
    seen = (f"{r.table}/{r.chain} {r.text} ({r.packets} packets)" for r in drops if r.packets)
    return CheckResult(bool(drops) and drops[0].packets >= packets, claim, listed(seen, "no rule dropped anything"))


@claim
def policy(snapshot: Snapshot, where: str, table: str, chain: str, expected: str) -> CheckResult:
    """What reaches the end of a built-in chain is let through ('ACCEPT') or not ('DROP')."""
    space = facts.namespace(snapshot, where)
    seen = {c.policy for c in space.chains if (c.table, c.name, c.family) == (table, chain, 4)}
    if not seen:
        facts.must_be_read(snapshot, "rules", space)
    return CheckResult(
        seen == {expected},
        f"the policy of {table}/{chain} on {where} is {expected}",
        f"it is {listed(sorted(seen), 'not there')}",
    )


def _packets(count: int) -> str:
    return f"{count} packet{'s' * (count != 1)}"


def _rules(snapshot: Snapshot, where: str, table: str, chain: str) -> list[Rule]:
    there = facts.namespace(snapshot, where).rules
    return [r for r in there if (r.table, r.chain, r.family) == (table, chain, 4)]


def _parts(contains: str | Iterable[str]) -> list[str]:
    return [contains] if isinstance(contains, str) else list(contains)


def _fits(rule: Rule, target: str, contains: str | Iterable[str]) -> bool:
    return target in ("", rule.target) and all(part in rule.text for part in _parts(contains))


def _wanted(target: str, contains: str | Iterable[str]) -> str:
    parts = _parts(contains)
    return (f" with target {target}" if target else "") + (f" about {' and '.join(parts)}" if parts else "")
