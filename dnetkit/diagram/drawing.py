"""From a scene to a graphviz.Digraph: machines as clusters, bridges as switches, cables between interfaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import graphviz  # type: ignore[import-untyped]  # it has no stubs

from dnetkit.diagram import labels, nodes
from dnetkit.diagram.palette import BRIDGE, INK, LAN, LINE, MACHINE, MARKS, NOTE, SIGNS, tint
from dnetkit.diagram.scene import Cable, End, MachineBox, NetworkBox, Scene, Space

__all__ = ["draw", "node_id"]

T = TypeVar("T")

FONT = "Helvetica,Arial,sans-serif"


def draw(scene: Scene, direction: str = "TB") -> graphviz.Digraph:
    """The graph of a scene; equal scenes give equal graphs, to the letter."""
    return _Drawing(scene, direction).graph


def node_id(name: str) -> str:
    """The id of a node: the name of what it shows, without what Graphviz would take for its own."""
    return re.sub(r"[^A-Za-z0-9._-]", lambda found: "/" if found[0] == "/" else f"_{ord(found[0]):x}_", name)


class _Drawing:
    def __init__(self, scene: Scene, direction: str) -> None:
        self.scene, self.direction = scene, direction
        self.places: dict[End, str] = {}
        self.graph = graphviz.Digraph("network", comment=None)
        self.graph.attr(
            "graph", rankdir=direction, bgcolor="transparent", fontname=FONT, fontsize="12", fontcolor=INK,
            nodesep="0.28", ranksep="0.55", ordering="out", pad="0.1", compound="true", labeljust="l",
        )  # fmt: skip
        self.graph.attr("node", shape="plain", fontname=FONT, fontsize="10.5", fontcolor=INK)
        self.graph.attr("edge", fontname=FONT, fontsize="9", fontcolor=NOTE, color=LINE, dir="none", arrowhead="none")
        if scene.lan is not None:
            self.lan(scene.lan)
        for box in scene.machines:
            self.machine(box)
        for box in self.ordered(scene.machines):
            self.inside(box)
        for cable in self.ordered(scene.cables):
            self.cable(cable)

    def ordered(self, things: Sequence[T]) -> tuple[T, ...]:
        """From left to right, dot puts what hangs on one thing from the bottom up."""
        return tuple(things if self.direction == "TB" else reversed(things))

    # --- nodes

    def lan(self, lan: Space) -> None:
        for bridge in lan.bridges:
            name = node_id(f"{lan.name}/{bridge.name}")
            self.node(self.graph, name, nodes.lan(bridge, self.scene, self.direction), f"{bridge.name}: the LAN")
            for port in bridge.ports:
                self.place(port.end, name, whole=self.scene.detail != "full")

    def machine(self, box: MachineBox) -> None:
        own = box.own
        if own is None:
            return
        if box.machine.kind == "client" and len(box.spaces) == 1 and not own.bridges:
            self.space(self.graph, own, box)
            return
        with self.graph.subgraph(name=f"cluster_{node_id(box.machine.name)}") as cluster:
            cluster.attr(
                label="", style="rounded,filled", fillcolor=tint(MACHINE)[:-2] + "0a",
                margin="12", tooltip=nodes.machine_tip(box), **_frame(box.mark, MACHINE),
            )  # fmt: skip
            racks = self.scene.racks(box)
            racked = {space.name for spaces in racks.values() for space in spaces}
            for space in self.ordered(box.spaces):
                if space.name not in racked:
                    self.space(cluster, space, box)
            for bridge, spaces in racks.items():
                self.rack(cluster, box, bridge, spaces)
            self.rows(cluster, box)
            for network in box.networks:
                self.node(cluster, node_id(network.key), nodes.network(network), nodes.network_tip(network))

    def rack(self, cluster: graphviz.Digraph, box: MachineBox, bridge: str, spaces: tuple[Space, ...]) -> None:
        """Many containers of one bridge in one frame, with one cable for all."""
        above, name = node_id(f"{box.machine.name}/{bridge}"), node_id(f"{box.machine.name}/on:{bridge}")
        self.node(cluster, name, nodes.rack(spaces, self.scene, self.direction), nodes.rack_tip(spaces, bridge))
        up, down = self.sides()
        self.edge(
            f"{above}:{down}", f"{name}:{up}", color=LAN, penwidth="4", label=f" {len(spaces)} veth pairs",
            tooltip=f"a veth pair for each of the {len(spaces)} containers",
        )  # fmt: skip

    def rows(self, cluster: graphviz.Digraph, box: MachineBox) -> None:
        """Namespaces that are joined to each other stand side by side."""
        inside = {space.name for space in box.spaces}
        joined = [cable for cable in self.scene.cables if cable.level and {cable.upper[0], cable.lower[0]} <= inside]
        if joined:
            with cluster.subgraph() as same:
                same.attr(rank="same")
                for cable in joined:
                    ends = [node_id(cable.upper[0]), node_id(cable.lower[0])]
                    same.edge(*self.ordered(ends), style="invis", label=" " * 12)

    def space(self, graph: graphviz.Digraph, space: Space, box: MachineBox) -> None:
        name = node_id(space.name)
        if space.bridges and space is not box.own:
            with graph.subgraph(name=f"cluster_{name}") as cluster:
                cluster.attr(label="", style="rounded,dotted", color=LINE, margin="8")
                self.stack(cluster, space, box)
        else:
            self.stack(graph, space, box)

    def stack(self, graph: graphviz.Digraph, space: Space, box: MachineBox) -> None:
        """The namespace's own node, and a node for each bridge in it."""
        name = node_id(space.name)
        self.node(graph, name, nodes.space(space, box, self.scene, self.direction), nodes.space_tip(space, box))
        for interface in space.interfaces:
            self.place(interface.end, name)
        for bridge in self.ordered(space.bridges):
            bridge_name = node_id(f"{space.name}/{bridge.name}")
            self.node(graph, bridge_name, nodes.bridge(bridge, self.scene, self.direction), nodes.bridge_tip(bridge))
            self.places[bridge.interface.end] = bridge_name
            for port in bridge.ports:
                self.place(port.end, bridge_name, whole=self.scene.detail == "brief")

    def node(self, graph: graphviz.Digraph, name: str, label: str, tip: str) -> None:
        graph.node(name, nodes.wrapped(label), tooltip=graphviz.escape(tip), id=name)

    def place(self, end: End, node: str, *, whole: bool = False) -> None:
        """Where a cable to that end leads: to its cell in the node, or to the node as a whole."""
        self.places[end] = node if whole else f"{node}:{labels.port_id(end[1])}"

    # --- edges

    def inside(self, box: MachineBox) -> None:
        """Join a bridge with the namespace it lies in, and give a place to what hangs on nothing."""
        up, down = self.sides()
        for space in self.ordered(box.spaces):
            for bridge in self.ordered(space.bridges):
                self.edge(
                    f"{node_id(space.name)}:{down}",
                    f"{node_id(f'{space.name}/{bridge.name}')}:{up}",
                    color=MARKS[bridge.mark] if bridge.mark else LINE,
                    style="dashed" if bridge.mark == "removed" else "solid",
                    penwidth="2.5" if bridge.mark == "added" else "1.2",
                    tooltip=f"{bridge.name} is an interface of {space.label}",
                )
        own = box.own
        hung = {cable.lower[0] for cable in self.scene.cables if not cable.level}
        for space in self.ordered(box.spaces):
            if own is not None and space is not own and space.name not in hung:
                shelf = self.shelf(space, box)
                self.edge(
                    shelf or node_id(own.name),
                    node_id(space.name),
                    style="invis",
                    minlen="2" if own.bridges and not shelf else "1",
                )
        for network in box.networks:
            self.network(network, own)

    def shelf(self, space: Space, box: MachineBox) -> str:
        """The bridge below which a container that is not running waits."""
        wanted = {endpoint.network_id for guest in space.guests for endpoint in guest.container.endpoints}
        for bridge in box.own.bridges if box.own is not None else ():
            if bridge.network is not None and bridge.network.id in wanted:
                return node_id(f"{box.machine.name}/{bridge.name}")
        return ""

    def network(self, box: NetworkBox, own: Space | None) -> None:
        """A macvlan network stands between the interface that it is laid over and its containers."""
        if own is None:
            return
        up, down = self.sides()
        name = node_id(box.key)
        look = {"style": "dotted", "penwidth": "1.8", "color": MARKS[box.mark] if box.mark else BRIDGE}
        if box.parent is not None and box.parent in self.places:
            self.edge(f"{node_id(own.name)}:{down}", f"{name}:{up}", label=f" on {box.parent[1]}", **look)
        else:
            self.edge(node_id(own.name), name, style="invis")
        for end in box.ends:
            if end in self.places:
                self.edge(f"{name}:{down}", f"{self.places[end]}:{up}", **look)

    def cable(self, cable: Cable) -> None:
        if cable.upper not in self.places or cable.lower not in self.places:
            return  # it is one of many to the same frame
        tail, head = self.places[cable.upper], self.places[cable.lower]
        colour = MARKS[cable.mark] if cable.mark else LINE if cable.down else BRIDGE if cable.kind != "veth" else LAN
        look = {"color": colour, "penwidth": "1.8", "style": "solid", "tooltip": nodes.cable_tip(cable)}
        if cable.kind != "veth":
            look |= {"style": "dotted", "label": f" {cable.kind} on {cable.upper[1]}"}
            tail = tail.partition(":")[0]
        if cable.down:
            look |= {"penwidth": "1"}
        if cable.mark:
            look |= {"label": f" {SIGNS[cable.mark]}{look.get('label', '')}", "fontcolor": colour, "fontsize": "12"}
            look |= {"penwidth": "3"} if cable.mark == "added" else {}
            look |= {"style": "dashed"} if cable.mark == "removed" else {}
        self.plug(cable, tail, head, look)

    def plug(self, cable: Cable, tail: str, head: str, look: dict[str, str]) -> None:
        """Lead a cable from the right side of one thing to the right side of the other."""
        up, down = self.sides()
        if cable.level:
            beside = ("e", "w") if self.direction == "TB" else ("s", "n")
            # A label would push the cable aside; what it would say stands at both ends.
            self.edge(f"{tail}:{beside[0]}", f"{head}:{beside[1]}", constraint="false", **{**look, "label": ""})
        elif tail.partition(":")[0] == head.partition(":")[0]:
            self.edge(f"{tail}:{down}", f"{head}:{down}", **look)
        else:
            # Namespaces stand in one row, below the bridges, whether they hang on one or on the machine itself.
            longer = "/" in cable.lower[0] and "/" not in tail
            self.edge(
                tail if cable.upper[0] == "lan" and ":" not in tail else f"{tail}:{down}",
                f"{head}:{up}",
                minlen="2" if longer else "1",
                **look,
            )

    def edge(self, tail: str, head: str, **attributes: str) -> None:
        self.graph.edge(tail, head, **attributes)

    def sides(self) -> tuple[str, str]:
        """Towards the LAN, and away from it."""
        return ("n", "s") if self.direction == "TB" else ("w", "e")


def _frame(mark: str, colour: str) -> dict[str, str]:
    return {
        "color": MARKS[mark] if mark else colour,
        "penwidth": "2.5" if mark == "added" else "1",
    }
