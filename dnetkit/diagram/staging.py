"""From a snapshot with marks to the scene: what belongs where, what is noise, what joins what; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import ip_interface

from dnetkit.diagram import tunnels
from dnetkit.diagram.marks import CHANGED, REMOVED, Marked
from dnetkit.diagram.ordering import Order, bridge_order, natural
from dnetkit.diagram.scene import (
    PAIR,
    Bridge,
    Cable,
    End,
    Guest,
    Interface,
    MachineBox,
    NetworkBox,
    Published,
    Scene,
    Segment,
    Space,
    called,
    is_link_local,
)
from dnetkit.model import Container, Link, LinkRef, Machine, Namespace, Network

__all__ = ["stage"]

# Of the parameters of a link, those that say what it is for.
_TELLING = frozenset({"id", "mode", "remote", "local", "group", "table"})

_FEW = 2
"""Up to so many machines that a vxlan sends to are named."""

_ON_PARENT = frozenset({"macvlan", "ipvlan"})
"""Drivers whose networks lie on another interface."""

# Devices that some kernels put into every namespace.
_FALLBACK = frozenset(
    {"ipip", "sit", "ip6tnl", "gre", "gretap", "erspan", "ip_vti", "ip6_vti", "ip6gre", "vti", "vti6"}
)


def stage(marked: Marked, detail: str = "normal") -> Scene:
    """Everything, each thing in its place, in an order that depends only on names."""
    return _Stage(marked, detail).scene()


class _Stage:
    def __init__(self, marked: Marked, detail: str) -> None:
        self.marked, self.state, self.detail = marked, marked.state, detail
        self.links = {(space.name, link.name): link for space in self.state.namespaces for link in space.links}
        self.order = Order(self.state)
        self.other = {one: other for wire in marked.wires for one, other in (wire[:2], wire[1::-1])}
        self.sockets: dict[End, int] = {}
        self.untold = {space.name for space in self.state.namespaces if space.kind == "engine" and not self.told(space)}
        self.on_networks = {end for network in self.state.networks for end in self.ends_on(network)}
        self.homes: dict[str, list[Container]] = {}
        for container in self.state.containers:
            home = marked.homes[container.machine, container.id]
            self.homes.setdefault(home, []).append(container)

    def scene(self) -> Scene:
        lan = next((self.space(space) for space in self.state.namespaces if space.kind == "lan"), None)
        boxes = tuple(self.machine(machine) for machine in sorted(self.state.machines, key=_machine_order))
        segments = self.segments(boxes)
        missing = [f"{item.what} ({item.reason})" for item in self.state.unavailable]
        missing += [
            f"{item.what} of {space.name} ({item.reason})"
            for space in self.state.namespaces
            for item in space.unavailable
        ]
        return Scene(
            lan=lan,
            subnet=self.subnet(),
            machines=boxes,
            cables=self.cables(lan, boxes, {end for segment in segments for end in segment.ends}),
            segments=segments,
            detail=self.detail,
            unavailable=tuple(missing),
        )

    def machine(self, machine: Machine) -> MachineBox:
        inside = [space for space in self.state.namespaces if space.machine == machine.name and self.told(space)]
        inside.sort(key=lambda space: space.name != machine.name)  # its bridges give an order to what hangs on them
        spaces = [self.space(space) for space in inside]
        present = {space.name for space in inside}
        spaces += [
            self.resting(home, containers)
            for home, containers in self.homes.items()
            if containers[0].machine == machine.name and home not in present
        ]
        published = (shown for space in spaces for guest in space.guests for shown in self.published(space, guest))
        return MachineBox(
            machine,
            spaces=tuple(sorted(spaces, key=self.space_order)),
            networks=tuple(self.networks(machine)),
            published=tuple(sorted(published, key=lambda one: (natural(one.container), one.port))),
            mark=self.marked.mark("machine", machine.name),
        )

    def told(self, space: Namespace) -> bool:
        """Whether a namespace is part of the picture: of an engine's own only those that carry a network."""
        if space.kind == "engine" and self.detail != "full":
            return any(self.order.network(space.name, link.name) for link in space.links)
        return space.kind != "lan"

    def space(self, space: Namespace) -> Space:
        """A namespace that is there (or was)."""
        interfaces = {link.name: self.interface(space, link) for link in space.links if self.shown(space, link)}
        guests = self.guests(space.name, space.kind, self.homes.get(space.name, ()))
        settings = dict(space.sysctls)
        mark = self.marked.mark("namespace", space.name)
        if space.kind == "container" and guests:
            mark = guests[0].mark
        gateways = sorted(
            f"{route.gateway} by {route.device}"
            for route in space.routes
            if route.destination == "default" and route.gateway and route.table == "main"
        )
        bridges = sorted(
            (self.bridge(one, interfaces) for one in interfaces.values() if one.link.kind == "bridge"),
            key=lambda bridge: bridge_order(bridge.title),
        )
        for port in [port for bridge in bridges for port in bridge.ports]:
            self.sockets[port.end] = len(self.sockets)
        own = [one for one in interfaces.values() if one.link.kind != "bridge" and one.link.master not in interfaces]
        return Space(
            name=space.name,
            label=_label(space),
            kind=space.kind,
            machine=space.machine,
            mark=mark,
            interfaces=tuple(sorted(own, key=self.interface_order)),
            bridges=tuple(bridges),
            guests=guests,
            forwards=settings.get("net.ipv4.ip_forward") == "1" if "net.ipv4.ip_forward" in settings else None,
            forwarding_mark=self.marked.mark("forwarding", space.name),
            gateways=tuple(gateways) if mark != REMOVED else (),
        )

    def space_order(self, space: Space) -> tuple[object, ...]:
        """The machine's own first, then as they stand beside each other."""
        return (space.kind not in ("host", "client"), self.order.of(space.name, self.homes.get(space.name, ())))

    def resting(self, home: str, containers: list[Container]) -> Space:
        """The place of a container that is not running: it has no namespace."""
        guests = self.guests(home, "container", containers)
        label = called(home).rpartition("/")[2]
        return Space(home, label, "container", containers[0].machine, guests[0].mark, guests=guests)

    def guests(self, home: str, kind: str, containers: Iterable[Container]) -> tuple[Guest, ...]:
        made = []
        for container in containers:
            key = ("container", container.machine, container.id)
            own = called(home) == f"{container.machine}/{container.name}"
            whose = "machine" if kind == "host" else "own" if own else "shared"
            made.append(Guest(container, whose, self.marked.mark(*key), self.marked.was.get(key, ())))
        return tuple(sorted(made, key=lambda guest: (guest.home != "own", natural(guest.container.name))))

    def published(self, space: Space, guest: Guest) -> list[Published]:
        """Its ports, those for every IPv4 address and for every IPv6 address as one."""
        made: dict[tuple[object, ...], Published] = {}
        for port in guest.container.ports:
            mark = self.marked.mark("port", guest.container.machine, guest.container.id, port)
            one = Published(port, guest.container.name, space.name, mark)
            made.setdefault((one.outside, port.container_port, port.protocol, mark), one)
        return list(made.values())

    def shown(self, space: Namespace, link: Link) -> bool:
        """Leaves out lo and what the kernel puts everywhere, unless something was done with it."""
        if self.detail == "full" or self.marked.mark("link", space.name, link.name) == CHANGED:
            return True
        if link.kind == "loopback":
            return any(
                not address.ip.startswith("127.") and address.ip != "::1" and address.scope != "link"
                for address in link.addresses
            )
        return not (link.kind in _FALLBACK and not link.up and not link.addresses)

    def interface(self, space: Namespace, link: Link) -> Interface:
        gone = self.marked.mark("link", space.name, link.name) == REMOVED
        addresses = tuple(
            (address.cidr, self.marked.mark("address", space.name, link.name, address.cidr))
            for address in link.addresses
            if self.detail == "full" or not is_link_local(address.cidr)
        )
        note = ""
        lost = link.kind == "veth" and link.peer is None and link.peer_index and not gone
        if lost and (space.name, link.name) not in self.on_networks:
            note = "leads out of sight"
        elif link.peer is not None and link.peer.namespace == space.name and self.beside(link, link.peer):
            note = f"{PAIR} {called(link.peer.name)}"
        elif link.peer is not None and link.peer.namespace in self.untold:
            note = "leads to a namespace of the engine"
        elif link.kind not in ("veth", "bridge", "ether", "loopback"):
            details = [f"{name} {value}" for name, value in link.parameters if name in _TELLING and value]
            details += self.far(space, link)
            on = [f"on {link.parent.name}"] if link.parent else [f"through {link.underlay}"] if link.underlay else []
            note = " ".join([link.kind, *details, *on])
        key = ("link", space.name, link.name)
        return Interface(space.name, link, self.marked.mark(*key), addresses, self.marked.was.get(key, ()), note)

    def beside(self, link: Link, peer: LinkRef) -> bool:
        """Whether both ends of a pair in one namespace are drawn in one box, where a cable would lead across it."""
        other = self.links.get((peer.namespace, peer.name))
        return other is not None and other.master == link.master

    @staticmethod
    def far(space: Namespace, link: Link) -> list[str]:
        """Where a vxlan sends to that was not made with one machine at its other end."""
        found = tunnels.remotes(space, link) if link.kind == "vxlan" and not link.parameter("remote") else ()
        if len(found) > _FEW:
            return [f"to {len(found)} machines"]
        return [f"to {' and '.join(filter(None, (', '.join(found[:-1]), found[-1])))}"] if found else []

    def bridge(self, interface: Interface, interfaces: dict[str, Interface]) -> Bridge:
        network = self.order.network(interface.space, interface.link.name)
        ports = sorted(
            (one for one in interfaces.values() if one.link.master == interface.link.name), key=self.port_order
        )
        return Bridge(interface, network, tuple(ports), interface.mark)

    def port_order(self, port: Interface) -> tuple[object, ...]:
        """By what is plugged in, as that is drawn; what was removed comes before what took its place."""
        other = self.other.get(port.end)
        place = self.order.of(other[0]) if other is not None else ()
        return (other is None, place, port.mark != REMOVED, natural(port.link.name))

    def interface_order(self, one: Interface) -> tuple[object, ...]:
        """By the place of the port that it is plugged into, then by its number."""
        return (self.sockets.get(self.other.get(one.end, one.end), len(self.sockets)), one.link.index, one.link.name)

    def networks(self, machine: Machine) -> Iterable[NetworkBox]:
        for network in sorted(self.state.networks, key=lambda one: (natural(one.name), one.id)):
            if network.machine != machine.name or network.driver in ("host", "null"):
                continue
            link = network.link
            known = self.links.get((link.namespace, link.name)) if link is not None else None
            if known is not None and known.kind == "bridge" and network.driver not in _ON_PARENT:
                continue  # it is drawn as that
            note = f"its bridge {network.bridge} is not there" if network.driver == "bridge" else ""
            parent = (link.namespace, link.name) if link is not None and network.driver in _ON_PARENT else None
            yield NetworkBox(
                network,
                parent if parent in self.links else None,
                tuple(self.ends_on(network)) if network.driver != "bridge" else (),
                self.marked.mark("network", network.machine, network.id),
                note,
            )

    def ends_on(self, network: Network) -> Iterable[End]:
        for container in self.state.containers:
            for endpoint in container.endpoints:
                if endpoint.network_id == network.id and container.machine == network.machine and endpoint.link:
                    yield (endpoint.link.namespace, endpoint.link.name)

    def segments(self, boxes: tuple[MachineBox, ...]) -> tuple[Segment, ...]:
        """Vxlans that all send to each other."""
        shown = {port.end for box in boxes for space in box.spaces for one in space.bridges for port in one.ports}
        shown |= {one.end for box in boxes for space in box.spaces for one in space.interfaces}
        wires = [wire for wire in self.marked.wires if wire[2] == "tunnel" and {wire[0], wire[1]} <= shown]
        made = []
        for ends in tunnels.meshes((one, other) for one, other, _ in wires):
            marks = {self.marked.mark("wire", *wire) for wire in wires if wire[0] in ends}
            link = self.links[ends[0]]
            mark = marks.pop() if len(marks) == 1 else CHANGED
            made.append(Segment(link.parameter("id"), link.parameter("port"), ends, mark))
        return tuple(made)

    def cables(self, lan: Space | None, boxes: tuple[MachineBox, ...], meshed: Collection[End]) -> tuple[Cable, ...]:
        heights: dict[End, int] = {}
        for space in [*([lan] if lan else []), *(space for box in boxes for space in box.spaces)]:
            ground = {"lan": 0, "host": 2, "client": 2}.get(space.kind, 4 if space.bridges else 6)
            heights |= {one.end: ground for one in space.interfaces}
            for bridge in space.bridges:
                heights |= {one.end: ground + 1 for one in (bridge.interface, *bridge.ports)}
        covered = {(end, box.parent) for machine in boxes for box in machine.networks for end in box.ends}
        order = {space.name: number for number, space in enumerate(space for box in boxes for space in box.spaces)}
        made = []
        for one, other, kind in self.marked.wires:
            known = one in heights and other in heights
            inside = kind != "veth" and one[0] == other[0]  # told in words: a vlan on eth0 of the same machine
            if not known or inside or (other, one) in covered or (kind == "tunnel" and one in meshed):
                continue
            upper, lower = (one, other) if kind != "veth" else sorted([one, other], key=lambda end: (heights[end], end))
            level = kind == "veth" and heights[one] == heights[other] and one[0] != other[0]
            if level and order.get(lower[0], -1) < order.get(upper[0], -1):
                upper, lower = lower, upper
            mark = self.marked.mark("wire", one, other, kind)
            down = mark != REMOVED and any(_down(self.links[end]) for end in (one, other))
            made.append(Cable(upper, lower, kind, mark, down, level))
        return tuple(sorted(made, key=lambda one: (order.get(one.lower[0], -1), natural(one.lower[1]), one.upper)))

    def subnet(self) -> str:
        """The LAN's, from the address of a machine on it."""
        for machine in self.state.machines:
            link = self.links.get((machine.name, "eth0"))
            for address in link.addresses if link else ():
                if address.ip == machine.address:
                    return str(ip_interface(address.cidr).network)
        return ""


def _label(space: Namespace) -> str:
    """What a person would call it; one without a name after the process that keeps it."""
    if space.kind == "unnamed":
        return f"{space.processes[0].name} {space.processes[0].pid}" if space.processes else "unnamed"
    if space.kind == "engine" and space.path:
        return called(space.path.rpartition("/")[2])
    return called(space.label).removeprefix("engine:")


def _down(link: Link) -> bool:
    return not link.up or link.state in ("DOWN", "LOWERLAYERDOWN")


def _machine_order(machine: Machine) -> tuple[object, ...]:
    return (machine.kind != "host", natural(machine.name))
