"""Leave of a scene only one thing and its neighbours; pure."""

from __future__ import annotations

import difflib
from dataclasses import replace

from dnetkit.diagram.scene import Bridge, End, Guest, MachineBox, Scene, Space
from dnetkit.errors import UsageError

__all__ = ["focused", "names"]


def names(scene: Scene) -> list[str]:
    """What can be looked at closely: machines, containers, namespaces, networks, bridges."""
    found: dict[str, None] = {box.machine.name: None for box in scene.machines}
    for box in scene.machines:
        found |= {guest.container.name: None for space in box.spaces for guest in space.guests}
        found |= {space.label: None for space in box.spaces if space.kind in ("named", "unnamed")}
        found |= {bridge.title: None for space in box.spaces for bridge in space.bridges}
        found |= {one.network.name: None for one in box.networks}
    return list(found)


def focused(scene: Scene, name: str) -> Scene:
    """The scene with that thing, what its cables lead to, and the machine that they are on. Raises UsageError."""
    chosen = _Chosen(scene, name)
    if not chosen.spaces and not chosen.bridges and not chosen.networks:
        known = names(scene)
        close = difflib.get_close_matches(name, known, 1)
        raise UsageError(
            f"There is nothing called {name!r} in this network.",
            (f"Did you mean {close[0]!r}? " if close else "") + f"There are: {', '.join(known)}.",
        )
    return chosen.scene()


class _Chosen:
    """What the name means, and then what goes with it."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.whole, self.name = scene, name
        self.spaces: set[str] = set()
        self.bridges: set[End] = set()
        self.networks: set[str] = set()
        for box in scene.machines:
            whole = box.machine.name == name
            for space in box.spaces:
                if whole or self.means(space, own=space is box.own):
                    self.spaces.add(space.name)
                chosen = space.name in self.spaces
                self.bridges |= {one.interface.end for one in space.bridges if chosen or self.is_bridge(one)}
            self.networks |= {one.key for one in box.networks if whole or one.network.name == name}

    def means(self, space: Space, *, own: bool) -> bool:
        """Whether the name is that of the namespace or of a container in it."""
        called = {name for guest in space.guests for name in (guest.container.name, _full(guest))}
        return self.name in (called if own else {space.name, space.label, *called})

    def is_bridge(self, bridge: Bridge) -> bool:
        return self.name in {bridge.name, bridge.network.name if bridge.network else bridge.name}

    def scene(self) -> Scene:
        """Keep what was chosen, and whatever is at the other end of one of its cables."""
        ends = {end for box in self.whole.machines for space in box.spaces for end in self.ends(space)}
        kept = set(self.spaces)
        bridges = set(self.bridges)
        bridge_of = {
            port.end: bridge.interface.end
            for space in self.whole.spaces
            for bridge in space.bridges
            for port in bridge.ports
        }
        cables = tuple(cable for cable in self.whole.cables if cable.upper in ends or cable.lower in ends)
        for cable in cables:
            for end in (cable.upper, cable.lower):
                kept.add(end[0])
                bridges |= {bridge_of[end]} if end in bridge_of else set()
        networks = set(self.networks)
        for box in self.whole.machines:
            for one in box.networks:
                if one.key in self.networks:
                    kept |= {end[0] for end in one.ends}
                elif any(end[0] in self.spaces for end in one.ends):
                    networks.add(one.key)
        segments = tuple(
            replace(one, ends=inner)
            for one in self.whole.segments
            if len(inner := tuple(end for end in one.ends if end in ends or bridge_of.get(end) in self.bridges)) > 1
        )
        plugged = {end for cable in cables for end in (cable.upper, cable.lower)}
        plugged |= {end for one in segments for end in one.ends}
        boxes = tuple(
            made for box in self.whole.machines if (made := self.box(box, kept, bridges, networks, plugged)) is not None
        )
        shown = {space.name for box in boxes for space in box.spaces} | {"lan"}
        if len(boxes) > 1:  # then what joins them is part of it
            cables += tuple(one for one in self.whole.cables if one.upper[0] == "lan" and one not in cables)
        wires = tuple(cable for cable in cables if cable.upper[0] in shown and cable.lower[0] in shown)
        lan = self.whole.lan if any("lan" in (cable.upper[0], cable.lower[0]) for cable in wires) else None
        part = replace(self.whole, machines=boxes, cables=wires, segments=segments, lan=lan, focus=self.name)
        return replace(part, left_out=self.whole.containers - part.containers)

    def ends(self, space: Space) -> set[End]:
        """The interfaces of what was chosen in a namespace."""
        found = {one.end for one in space.interfaces} if space.name in self.spaces else set()
        for bridge in space.bridges:
            if bridge.interface.end in self.bridges:
                found |= {port.end for port in bridge.ports}
        return found

    def box(
        self, box: MachineBox, kept: set[str], bridges: set[End], networks: set[str], plugged: set[End]
    ) -> MachineBox | None:
        """A machine with what is kept of it; None when nothing is."""
        own_bridges = any(end[0] == box.machine.name for end in bridges)
        spaces = tuple(
            self.space(space, bridges, plugged)
            for space in box.spaces
            if space.name in kept or (space is box.own and (own_bridges or any(s.name in kept for s in box.spaces)))
        )
        if not spaces:
            return None
        shown = {space.name for space in spaces}
        return replace(
            box,
            spaces=spaces,
            networks=tuple(one for one in box.networks if one.key in networks),
            published=tuple(one for one in box.published if one.space in shown),
        )

    def space(self, space: Space, bridges: set[End], plugged: set[End]) -> Space:
        kept = []
        for bridge in space.bridges:
            if bridge.interface.end in bridges:
                ports = tuple(port for port in bridge.ports if port.end in plugged)
                kept.append(replace(bridge, ports=ports, hidden=len(bridge.ports) - len(ports)))
        return replace(space, bridges=tuple(kept))


def _full(guest: Guest) -> str:
    return f"{guest.container.machine}/{guest.container.name}"
