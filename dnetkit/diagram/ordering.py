"""In which order things stand side by side: by name, neighbours together, so that few cables cross; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from dnetkit.model import Container, Namespace, Network, Snapshot
from dnetkit.words import label

__all__ = ["Order", "bridge_order", "natural"]

Key = tuple[Any, ...]


@cache
def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """For sorting: 'c2' comes before 'c10'."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part)


def bridge_order(title: str) -> Key:
    """docker0 first, then by name."""
    return (title != "docker0", natural(title))


class Order:
    """The places of the namespaces of a snapshot.

    First those on the first bridge, then those on the next, then those on none; among them by name, clients last.
    Namespaces that a pair joins directly come one after the other, from one end of the chain to the other.
    """

    def __init__(self, state: Snapshot) -> None:
        self.networks = {
            (one.link.namespace, one.link.name) if one.link is not None else (one.machine, one.bridge): one
            for one in state.networks
            if one.bridge or one.driver not in ("macvlan", "ipvlan", "host", "null")
        }
        self.bridges = self._bridges(state)
        columns = self._columns(state)
        self.keys: dict[str, Key] = {
            space.name: _key(columns.get(space.name, len(self.bridges)), space.name, late=space.kind == "client")
            for space in state.namespaces
        }
        for chain in _chains(_beside(state), self.keys):
            first = min(self.keys[name] for name in chain)
            self.keys |= {name: (*first[:-1], number) for number, name in enumerate(chain)}

    def of(self, space: str, containers: Iterable[Container] = ()) -> Key:
        """What a namespace is sorted by; `containers` are those that wait for one that is not there."""
        if space in self.keys:
            return self.keys[space]
        networks = {endpoint.network_id for one in containers for endpoint in one.endpoints}
        places = [
            self.bridges[machine, bridge]
            for (machine, bridge), one in self.networks.items()
            if one.id in networks and (machine, bridge) in self.bridges
        ]
        middle = sum(places) / len(places) if places else len(self.bridges)
        return _key(middle, space)

    def network(self, space: str, bridge: str) -> Network | None:
        """The Docker network that a bridge carries."""
        return self.networks.get((space, bridge))

    def title(self, space: str, bridge: str) -> str:
        """What a bridge is called: by its network, where that has a name of its own."""
        network = self.network(space, bridge)
        return network.name if network is not None and network.name != "bridge" else bridge

    def _bridges(self, state: Snapshot) -> dict[tuple[str, str], int]:
        found = [
            (bridge_order(self.title(space.name, link.name)), natural(space.name), space.name, link.name)
            for space in state.namespaces
            for link in space.links
            if link.kind == "bridge"
        ]
        return {(space, name): number for number, (_, _, space, name) in enumerate(sorted(found))}

    def _columns(self, state: Snapshot) -> dict[str, float]:
        """For each namespace the middle of the bridges that it is plugged into."""
        plugged: dict[str, list[int]] = {}
        for space in state.namespaces:
            for link in space.links:
                place = self.bridges.get((space.name, link.master)) if link.master else None
                if link.peer is not None and place is not None:
                    plugged.setdefault(link.peer.namespace, []).append(place)
        return {name: sum(places) / len(places) for name, places in plugged.items()}


def _key(column: float, name: str, *, late: bool = False) -> Key:
    return (column, late, natural(label(name)), natural(name), 0)


def _beside(state: Snapshot) -> dict[str, set[str]]:
    """Which namespaces a pair joins directly, neither end being a port of a bridge or belonging to a machine itself."""
    inner = {space.name: space for space in state.namespaces if space.kind in ("container", "named", "unnamed")}
    found: dict[str, set[str]] = {}
    for space in inner.values():
        for link in space.links:
            other = inner.get(link.peer.namespace) if link.peer is not None and link.master is None else None
            if link.peer is not None and other is not None and other is not space:
                far = other.link(link.peer.name)
                if far is not None and far.master is None and other.machine == space.machine:
                    found.setdefault(space.name, set()).add(other.name)
                    found.setdefault(other.name, set()).add(space.name)
    return {name: others for name, others in found.items() if not _has_bridge(inner[name])}


def _has_bridge(space: Namespace) -> bool:
    return any(link.kind == "bridge" for link in space.links)


def _chains(beside: dict[str, set[str]], keys: dict[str, Key]) -> Iterable[list[str]]:
    """Each group that hangs together, from an end of it onwards."""
    waiting = sorted(beside, key=lambda name: (len(beside[name]), keys[name]))
    seen: set[str] = set()
    for start in waiting:
        chain: list[str] = []
        ahead = [start]
        while ahead:
            name = ahead.pop()
            if name not in seen and name in beside:
                seen.add(name)
                chain.append(name)
                ahead += sorted(beside[name] - seen, key=lambda other: keys[other], reverse=True)
        if chain:
            yield chain
