"""Which netfilter rules and policies counted packets between two snapshots; pure."""

from __future__ import annotations

from dataclasses import dataclass

from dnetkit.display import Html, joined, table, tag, wrap
from dnetkit.matching import match, pair
from dnetkit.model import Chain, Rule, Snapshot
from dnetkit.parts import PARTS
from dnetkit.words import chain_name, label, rule

__all__ = ["Count", "Counters", "counters"]


@dataclass(frozen=True)
class Count:
    """How many packets and bytes one rule, or the policy of one built-in chain, counted in a namespace."""

    where: str
    counted: Rule | Chain
    packets: int
    bytes: int

    @property
    def place(self) -> str:
        """'nat POSTROUTING 1', and 'nat POSTROUTING policy' for what fell through to the policy."""
        one = self.counted
        number = "policy" if isinstance(one, Chain) else one.position
        return f"{chain_name(one).replace('/', ' ')} {number}"

    @property
    def words(self) -> str:
        """What the rule does, or the policy."""
        return rule(self.counted) if isinstance(self.counted, Rule) else self.counted.policy

    def __str__(self) -> str:
        return f"{self.place}: {self.words} +{_packets(self.packets)}, {self.bytes} bytes"


@dataclass(frozen=True)
class Counters:
    """What was counted, in the order of the rules; false when nothing was."""

    counts: tuple[Count, ...] = ()
    unread: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.counts)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def _notes(self) -> list[str]:
        notes = [] if self.counts else ["No rule counted a packet."]
        return notes + [f"Not known for {name}: its rules could not be read." for name in self.unread]

    def __str__(self) -> str:
        lines = []
        for name in dict.fromkeys(count.where for count in self.counts):
            lines.append(f"In {label(name)}:")
            lines += [f"  {count}" for count in self.counts if count.where == name]
        return "\n".join(lines + self._notes)

    def _html(self) -> Html:
        rows = [
            (label(one.where), one.place, tag("code", one.words), f"+{one.packets}", f"+{one.bytes}")
            for one in self.counts
        ]
        shown = [table(("in", "rule", "what it does", "packets", "bytes"), rows)] if rows else []
        return joined([*shown, *(tag("p", note) for note in self._notes)])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        return {"text/plain": str(self), "text/html": wrap(self._html())}


def counters(before: Snapshot, after: Snapshot) -> Counters:
    """What each rule and policy counted from one snapshot to the later one.

    A rule that is new, or that was put in again in between (its counter went back), counts from 0.
    """
    counts: list[Count] = []
    unread: list[str] = []
    for space in match(before, after).spaces:
        if space.after is None:
            continue
        sides = [space.after] if space.before is None else [space.before, space.after]
        if any(one.what.startswith("rules") for side in sides for one in side.unavailable):
            unread.append(label(space.now))
        old = space.before
        pairs = pair(
            old.chains if old else (),
            space.after.chains,
            *PARTS["chains"].keys,
        )
        pairs += pair(
            old.rules if old else (),
            space.after.rules,
            *PARTS["rules"].keys,
        )
        found = []
        for one in pairs:
            if one.after is None or (isinstance(one.after, Chain) and not one.after.policy):
                continue
            again = one.before is None or one.after.packets < one.before.packets
            packets = one.after.packets - (0 if again else one.before.packets)
            size = one.after.bytes - (0 if again else one.before.bytes)
            if packets:
                found.append(Count(space.now, one.after, packets, size))
        order = {(c.family, c.table, c.name): n for n, c in enumerate(space.after.chains)}
        counts += sorted(found, key=lambda count: _order(count, order))
    return Counters(tuple(counts), tuple(unread))


def _order(count: Count, chains: dict[tuple[int, str, str], int]) -> tuple[int, int]:
    one = count.counted
    if isinstance(one, Chain):
        return chains.get((one.family, one.table, one.name), 0), 1 << 30  # the policy comes after the rules
    return chains.get((one.family, one.table, one.chain), 0), one.position


def _packets(number: int) -> str:
    return f"{number} packet{'' if number == 1 else 's'}"
