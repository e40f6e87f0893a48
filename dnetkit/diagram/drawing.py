"""From a scene to a graphviz.Digraph: machines as clusters, bridges as switches, cables between interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import graphviz  # type: ignore[import-untyped]  # it has no stubs

from dnetkit.diagram import labels, nodes, tips
from dnetkit.diagram.dot import Dot, node_id
from dnetkit.diagram.palette import BRIDGE, INK, LAN, LINE, MACHINE, MARKS, NOTE, SIGNS
from dnetkit.diagram.scene import Bridge, Cable, End, MachineBox, NetworkBox, Rack, Scene, Segment, Space

__all__ = ["draw"]

T = TypeVar("T")

FONT = "Helvetica,Arial,sans-serif"


def draw(scene: Scene, direction: str = "TB") -> graphviz.Digraph:
    """The graph of a scene; equal scenes give equal graphs, to the letter."""
    return graphviz.Digraph(
        "network",
        body=_Drawing(scene, direction).dot.lines,
        graph_attr={
            "rankdir": direction, "bgcolor": "transparent", "fontname": FONT, "nodesep": "0.28",
            "ranksep": "0.55" if direction == "TB" else "0.45", "pad": "0.1",
        },
        node_attr={"shape": "plain", "fontname": FONT, "fontsize": labels.NODE_SIZE, "fontcolor": INK},
        edge_attr={
            "fontname": FONT, "fontsize": "12", "color": LAN, "penwidth": "1.8", "dir": "none", "arrowhead": "none",
        },
    )  # fmt: skip


class _Drawing:
    def __init__(self, scene: Scene, direction: str) -> None:
        self.scene, self.direction = scene, direction
        self.places: dict[End, str] = {}
        self.dot = Dot()
        bridges = [bridge for space in (*scene.spaces, *([scene.lan] if scene.lan else [])) for bridge in space.bridges]
        self.ports = {port.end for bridge in bridges for port in bridge.ports}
        if scene.lan is not None:
            self.lan(scene.lan)
        for box in scene.machines:
            self.machine(box)
        for box in self.ordered(scene.machines):
            self.inside(box)
        machines = {space.name: space.machine for space in scene.spaces}
        across = [one for one in scene.cables if machines.get(one.upper[0]) != machines.get(one.lower[0])]
        for cable in self.ordered(across):
            self.cable(cable)
        for segment in scene.segments:
            self.segment(segment)

    def ordered(self, things: Sequence[T]) -> tuple[T, ...]:
        """From left to right, dot puts what hangs on one thing from the bottom up."""
        return tuple(things if self.direction == "TB" else reversed(things))

    # --- nodes

    def lan(self, lan: Space) -> None:
        for bridge in lan.bridges:
            name = node_id(f"{lan.name}/{bridge.key}")
            self.dot.node(name, nodes.lan(bridge, self.scene, self.direction), f"{bridge.name}: the LAN")
            for port in bridge.ports:
                self.place(port.end, name, whole=self.scene.detail != "full")

    def machine(self, box: MachineBox) -> None:
        own = box.own
        if own is None:
            return
        if not self.framed(box):
            self.space(own, box)
            return
        frame = {"color": MARKS[box.mark] if box.mark else MACHINE, "penwidth": "2.5" if box.mark == "added" else "1"}
        frame |= {"style": "rounded,filled", "fillcolor": f"{MACHINE}0a", "margin": "12"}
        with self.dot.inside(_cluster(box), tooltip=tips.machine(box), **frame):
            racks = self.scene.racks(box)
            racked = {space.name for rack in racks for space in rack.spaces}
            for space in self.ordered(box.spaces):
                if space.name not in racked:
                    self.space(space, box)
            for rack in racks:
                self.rack(box, rack)
            for network in box.networks:
                self.dot.node(node_id(network.key), nodes.network(network), tips.network(network))
            self.rows(box, racks)

    def rack(self, box: MachineBox, rack: Rack) -> None:
        """Many containers of the same bridges in one frame, with one cable to each bridge for all."""
        name, spaces = node_id(rack.key(box.machine.name)), rack.spaces
        on = " and ".join(bridge for _, bridge in rack.bridges)
        self.dot.node(name, nodes.rack(spaces, self.scene, self.direction), tips.rack(spaces, on))
        up, down = self.sides()
        for bridge in rack.bridges:
            self.dot.edge(
                f"{node_id('/'.join(bridge))}:{down}", f"{name}:{up}", color=LAN, penwidth="4",
                tooltip=f"a veth pair for each of the {len(spaces)} containers",
            )  # fmt: skip

    def rows(self, box: MachineBox, racks: tuple[Rack, ...]) -> None:
        """Hold bridges in one row and what hangs on them in another, each in its order."""
        own, racked = box.own, {rack.spaces[0].name: rack for rack in racks}
        if own is None:
            return
        hidden = {space.name for rack in racks for space in rack.spaces[1:]}
        level = {own.name, "lan", *(space.name for space in box.spaces if _bare(space))}
        below = {cable.lower[0] for cable in self.scene.cables if not cable.level and cable.upper[0] not in level}
        standing = [space for space in box.spaces if space is not own and not space.bridges]
        standing = [space for space in standing if space.name not in hidden | below]
        names = {
            space.name: node_id(racked[space.name].key(box.machine.name) if space.name in racked else space.name)
            for space in standing
        }
        joined = {(names.get(one.upper[0]), names.get(one.lower[0])) for one in self.scene.cables if one.level}
        bridges = [node_id(f"{own.name}/{bridge.key}") for bridge in own.bridges]
        for row in ([*bridges, *(node_id(network.key) for network in box.networks)], list(names.values())):
            if len(row) > 1:
                with self.dot.inside(rank="same"):
                    for pair in pairwise(row):
                        room = {"label": " " * 12} if pair in joined else {}
                        self.dot.edge(*self.ordered(pair), style="invis", **room)

    @staticmethod
    def framed(box: MachineBox) -> bool:
        """Whether a machine has a frame; a client on its own needs none."""
        return box.machine.kind != "client" or len(box.spaces) > 1 or any(space.bridges for space in box.spaces)

    def space(self, space: Space, box: MachineBox) -> None:
        if space.bridges and space is not box.own:
            frame = {"style": "rounded,dotted", "color": LINE, "margin": "8", "tooltip": tips.space(space, box)}
            if _bare(space):
                frame |= {"label": f"{space.what} {space.label}", "fontname": FONT, "fontsize": "9", "fontcolor": NOTE}
            with self.dot.inside(f"cluster_{node_id(space.name)}", **frame):
                self.stack(space, box)
        else:
            self.stack(space, box)

    def stack(self, space: Space, box: MachineBox) -> None:
        """The namespace's own node, and a node for each bridge in it."""
        name = node_id(space.name)
        if not _bare(space):
            label = nodes.space(space, box, self.scene, self.direction)
            orders = space is box.own and any(_bare(other) for other in box.spaces)
            self.dot.node(name, label, tips.space(space, box), orders=orders)
        for interface in space.interfaces:
            self.place(interface.end, name)
        for bridge in self.ordered(space.bridges):
            bridge_name = node_id(f"{space.name}/{bridge.key}")
            self.dot.node(bridge_name, nodes.bridge(bridge, self.scene, self.direction), tips.bridge(bridge))
            self.places[bridge.interface.end] = bridge_name
            for port in bridge.ports:
                self.place(port.end, bridge_name, whole=self.scene.detail == "brief")

    def place(self, end: End, node: str, *, whole: bool = False) -> None:
        """Where a cable to that end leads: to its cell in the node, or to the node as a whole."""
        self.places[end] = node if whole else f"{node}:{labels.port_id(end[1])}"

    # --- edges

    def inside(self, box: MachineBox) -> None:
        """The edges in one machine: to its bridges, its cables, and a place for what hangs on nothing."""
        own, names = box.own, {space.name for space in box.spaces}
        if own is None or (len(box.spaces) == 1 and not own.bridges and not box.networks and not own.interfaces):
            return
        cables = [one for one in self.scene.cables if {one.upper[0], one.lower[0]} <= names]
        hung = {cable.lower[0] for cable in cables if not cable.level}
        hung |= {end[0] for network in box.networks for end in network.ends}
        with self.dot.inside(_cluster(box) if self.framed(box) else ""):
            for space in self.ordered(box.spaces):
                for bridge in self.ordered(space.bridges):
                    if _bare(space):
                        self.dot.edge(node_id(own.name), node_id(f"{space.name}/{bridge.key}"), style="invis")
                    else:
                        self.foot(space, bridge)
                if space is not own and space.name not in hung and not _bare(space):
                    shelf = self.shelf(space, box)
                    steps = {"weight": "0" if own.bridges else "1", "minlen": "2" if own.bridges and not shelf else "1"}
                    self.dot.edge(shelf or node_id(own.name), node_id(space.name), style="invis", **steps)
            for network in box.networks:
                self.network(network, own)
            for cable in self.ordered(cables):
                self.cable(cable)

    def foot(self, space: Space, bridge: Bridge) -> None:
        """A bridge is an interface of the namespace it lies in: so that has a place in the bridge's network."""
        up, down = self.sides()
        self.dot.edge(
            f"{node_id(space.name)}:{down}",
            f"{node_id(f'{space.name}/{bridge.key}')}:{up}",
            color=MARKS[bridge.mark] if bridge.mark in ("added", "removed") else LINE,
            style="dashed" if bridge.mark == "removed" else "solid",
            penwidth="2.5" if bridge.mark == "added" else "1.2",
            weight="3",
            tooltip=f"{bridge.name} is an interface of {space.label}",
        )

    def shelf(self, space: Space, box: MachineBox) -> str:
        """The bridge below which a container that is not running waits."""
        wanted = {endpoint.network_id for guest in space.guests for endpoint in guest.container.endpoints}
        for bridge in box.own.bridges if box.own is not None else ():
            if bridge.network is not None and bridge.network.id in wanted:
                return node_id(f"{box.machine.name}/{bridge.key}")
        return ""

    def network(self, box: NetworkBox, own: Space) -> None:
        """A macvlan network stands between the interface that it is laid over and its containers."""
        up, down = self.sides()
        name = node_id(box.key)
        look = {"style": "dotted", "color": MARKS[box.mark] if box.mark else BRIDGE, "weight": "3"}
        if box.parent is not None and box.parent in self.places:
            self.dot.edge(self.under(box.parent, own), f"{name}:{up}", **look)
        else:
            self.dot.edge(node_id(own.name), name, style="invis")
        for end in box.ends:
            if end in self.places:
                self.dot.edge(f"{name}:{down}", f"{self.places[end]}:{up}", **look)

    def under(self, parent: End, own: Space) -> str:
        """Where the line of what is laid over an interface begins: below it, where its machine has it at that edge.

        One that faces the LAN is at the far edge, and a bridge is in the row of the networks: there it begins beside.
        """
        hangs = any(one.end == parent and not nodes.faces_lan(one) for one in own.interfaces)
        beside = "e" if self.direction == "TB" else "s"
        return f"{self.places[parent]}:{self.sides()[1] if hangs else beside}"

    def cable(self, cable: Cable) -> None:
        """A cable, led from the right side of one thing to the right side of the other."""
        if cable.upper not in self.places or cable.lower not in self.places:
            return  # it is one of many to the same frame
        up, down = self.sides()
        tail, head = self.places[cable.upper], self.places[cable.lower]
        look = {**_cable(cable), "tooltip": tips.cable(cable)}
        if cable.kind not in ("veth", "tunnel"):
            tail = tail.partition(":")[0]
        if cable.kind == "tunnel":
            self.dot.edge(self.mouth(tail), self.mouth(head), constraint="false", **look)
        elif cable.level:
            beside = ("e", "w") if self.direction == "TB" else ("s", "n")
            # A label would push the cable aside; what it would say stands at both ends.
            self.dot.edge(f"{tail}:{beside[0]}", f"{head}:{beside[1]}", constraint="false", **{**look, "label": ""})
        elif tail.partition(":")[0] == head.partition(":")[0]:
            return  # a note at each end says it
        elif cable.lower in self.ports and cable.upper in self.ports and cable.upper[0] != "lan":
            self.dot.edge(f"{tail}:{down}", f"{head}:{down}", constraint="false", **{**look, "label": ""})
        else:
            if cable.lower in self.ports:  # its socket is on the side away from the LAN
                head = head.partition(":")[0]
            if "/" in cable.lower[0] and "/" not in tail:
                look["minlen"] = "2"  # namespaces stand in one row below the bridges, whatever they hang on
            whole = cable.upper[0] == "lan" and ":" not in tail
            look["weight"] = "1" if cable.upper[0] == "lan" else "3"
            self.dot.edge(tail if whole else f"{tail}:{down}", f"{head}:{up}", **look)

    def segment(self, segment: Segment) -> None:
        """Vxlans that all send to each other are one network: a line from each to the next, beside the bridges."""
        look = {**_TUNNEL, **({"color": MARKS[segment.mark]} if segment.mark else {}), "tooltip": tips.segment(segment)}
        look |= {"added": {"penwidth": "3"}, "removed": {"style": "dotted"}}.get(segment.mark, {})
        ends = [self.mouth(self.places[end]) for end in segment.ends if end in self.places]
        for one, other in pairwise(self.ordered(ends)):
            self.dot.edge(one, other, constraint="false", **look)

    def mouth(self, place: str) -> str:
        """Where a tunnel is plugged in: below, or from left to right on the side where no other cable is."""
        return f"{place}:s" if self.direction == "TB" else f"{place.partition(':')[0]}:w"

    def sides(self) -> tuple[str, str]:
        """Towards the LAN, and away from it."""
        return ("n", "s") if self.direction == "TB" else ("w", "e")


def _bare(space: Space) -> bool:
    """Whether there is nothing in a namespace but bridges: then their frame says all."""
    idle = all(one.link.kind == "loopback" and not one.mark for one in space.interfaces)
    return space.kind == "engine" and bool(space.bridges) and idle


def _cluster(box: MachineBox) -> str:
    return f"cluster_{node_id(box.machine.name)}"


_TUNNEL = {"style": "dashed", "color": BRIDGE, "penwidth": "1.8"}


def _cable(cable: Cable) -> dict[str, str]:
    """How a cable looks; a plain one as edges do anyway."""
    look = {} if cable.kind == "veth" else {"style": "dotted", "color": BRIDGE}
    if cable.kind == "tunnel":
        look = {**_TUNNEL}
    if cable.down:
        look |= {"penwidth": "1", "color": LINE} if cable.kind == "veth" else {"color": LINE}
    if cable.mark:
        colour = MARKS[cable.mark]
        look |= {"color": colour, "fontcolor": colour, "label": f" {SIGNS[cable.mark]}"}
        look |= {"added": {"penwidth": "3"}, "removed": {"style": "dashed"}}.get(cable.mark, {"style": "dotted"})
    return look
