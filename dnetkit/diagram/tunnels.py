"""Which vxlans send to each other: the tunnels of an overlay network, and those made by hand; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from dnetkit.model import Link, Namespace, Snapshot

__all__ = ["meshes", "pairs", "remotes"]

End = tuple[str, str]


@dataclass(frozen=True)
class _Mouth:
    """One end: where it sends to, and the addresses that it can be reached at."""

    end: End
    segment: tuple[str, str]
    remotes: frozenset[str]
    addresses: frozenset[str]


def remotes(space: Namespace, link: Link) -> tuple[str, ...]:
    """The machines that a vxlan sends frames to: the one it was made with, those its forwarding entries name."""
    named = [link.parameter("remote")]
    named += [entry.remote for entry in space.forwarding if entry.device == link.name]
    return tuple(dict.fromkeys(address for address in named if address and address not in ("0.0.0.0", "::")))  # noqa: S104


def pairs(state: Snapshot) -> Iterator[tuple[End, End]]:
    """Both ends of each tunnel: the same id and port, and one of them sends to an address that the other has."""
    spaces = {space.name: space for space in state.namespaces}
    mouths: dict[tuple[str, str], list[_Mouth]] = defaultdict(list)
    for space in state.namespaces:
        for link in space.links:
            if link.kind == "vxlan" and link.parameter("id"):
                mouth = _mouth(space, link, spaces.get(link.underlay or space.name))
                mouths[mouth.segment].append(mouth)
    for several in mouths.values():
        for one, other in combinations(several, 2):
            if one.remotes & other.addresses or other.remotes & one.addresses:
                yield one.end, other.end


def _mouth(space: Namespace, link: Link, below: Namespace | None) -> _Mouth:
    own = link.parameter("local")
    there = {address.ip for one in (below.links if below else ()) for address in one.addresses}
    return _Mouth(
        (space.name, link.name),
        (link.parameter("id"), link.parameter("port")),
        frozenset(remotes(space, link)),
        frozenset({own} if own else there),
    )


def meshes(tunnels: Iterable[tuple[End, End]]) -> list[tuple[End, ...]]:
    """Of the tunnels those groups of ends in which each sends to each other one: such a group is one network."""
    near: dict[End, set[End]] = defaultdict(set)
    for one, other in tunnels:
        near[one].add(other)
        near[other].add(one)
    found: list[tuple[End, ...]] = []
    seen: set[End] = set()
    for end in sorted(near):
        group = near[end] | {end}
        if end not in seen and all(near[other] | {other} == group for other in group):
            found.append(tuple(sorted(group)))
            seen |= group
    return found
