"""The same picture in words: short sentences that can be read aloud, one thing a line; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    counted,
)

__all__ = ["summary", "tell"]


def summary(scene: Scene) -> str:
    """What the picture shows, in one sentence."""
    hosts = [box for box in scene.machines if box.machine.kind == "host"]
    bridges = sum(len(space.bridges) for space in scene.spaces)
    named = sum(space.kind in ("named", "unnamed") for space in scene.spaces)
    counts = [
        counted(len(hosts), "host"),
        counted(bridges, "bridge"),
        counted(scene.containers, "container"),
        counted(named, "namespace made by hand", "namespaces made by hand") if named else "",
        counted(len(scene.machines) - len(hosts), "client") if len(hosts) < len(scene.machines) else "",
    ]
    about = f"{scene.focus} and its neighbours" if scene.focus else "The network"
    return f"{about}: {_list([count for count in counts if count])}."


def tell(scene: Scene) -> str:
    """Everything that the picture shows."""
    return "\n".join(_Teller(scene).lines())


class _Teller:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.brief = scene.detail == "brief"
        self.full = scene.detail == "full"
        self.cables: dict[End, list[Cable]] = {}
        for cable in scene.cables:
            self.cables.setdefault(cable.upper, []).append(cable)
            self.cables.setdefault(cable.lower, []).append(cable)
        self.machines = {space.name: space.machine for space in scene.spaces}
        self.labels = {space.name: space.label for space in scene.spaces} | {"lan": "the LAN"}
        self.bridge_of = {
            port.end: bridge.title
            for space in [*scene.spaces, *([scene.lan] if scene.lan else [])]
            for bridge in space.bridges
            for port in bridge.ports
        }

    def lines(self) -> Iterable[str]:
        yield summary(self.scene)
        if self.scene.lan is not None:
            yield from self.lan(self.scene.lan)
        for segment in self.scene.segments:
            yield self.segment(segment)
        for box in self.scene.machines:
            yield from self.machine(box)
        if self.scene.left_out:
            yield f"Left out: {counted(self.scene.left_out, 'other container')}."
        for missing in self.scene.unavailable:
            yield f"Not known: {missing}."

    def lan(self, lan: Space) -> Iterable[str]:
        for bridge in lan.bridges:
            on = {cable.lower[0] for port in bridge.ports for cable in self.cables.get(port.end, ())}
            machines = [box.machine.name for box in self.scene.machines if box.machine.name in on]
            net = f" {self.scene.subnet}" if self.scene.subnet else ""
            yield f"{bridge.name} is the LAN{net} between the machines {_list(machines)}."
            if self.full:
                yield from (f"  {self.sentence(port, 'Port')}" for port in bridge.ports)

    def segment(self, segment: Segment) -> str:
        ends = _list([f"{called(end[1])} of {self.where(end)}" for end in segment.ends])
        return _said(segment.mark, f"Vxlan {segment.vni} is one network between {ends}, by UDP port {segment.port}.")

    def where(self, end: End) -> str:
        """Whose an end of a tunnel is: a bridge's where it is the port of one, a namespace's, and which machine's."""
        label, machine = self.labels.get(end[0], end[0]), self.machines.get(end[0], "")
        whose = self.bridge_of.get(end, label)
        return f"{whose} on {machine}" if machine and machine != whose else whose

    def machine(self, box: MachineBox) -> Iterable[str]:
        own = box.own
        engine = f", with Docker Engine {box.machine.engine}" if box.machine.engine else ""
        what = "a machine without Docker" if box.machine.kind == "client" else "a host"
        yield _said(box.mark, f"{box.machine.name} is {what}{engine}.")
        if own is not None:
            yield from self.indented(self.stack(own, box))
        racks = self.scene.racks(box)
        racked = {space.name for rack in racks for space in rack.spaces}
        for network in box.networks:
            yield f"  {self.network(network)}"
        for space in box.spaces:
            if space is not own and space.name not in racked:
                yield from self.indented(self.space(space))
        for rack in racks:
            to = _list([self.titled(box, bridge) for bridge in rack.bridges])
            yield f"  {len(rack.spaces)} containers have a veth pair each to {to}:"
            yield from (f"    {_joined(self.in_rack(space))}." for space in rack.spaces)

    @staticmethod
    def indented(lines: Iterable[str]) -> Iterable[str]:
        return (f"  {line}" for line in lines)

    @staticmethod
    def titled(box: MachineBox, bridge: End) -> str:
        found = (one.title for space in box.spaces for one in space.bridges if (space.name, one.key) == bridge)
        return next(found, bridge[1])

    def in_rack(self, space: Space) -> Iterable[str]:
        for guest in space.guests:
            yield _said(guest.mark, guest.container.name)
        for one in space.interfaces:
            yield from (address if mark in ("", one.mark) else f"{mark}: {address}" for address, mark in one.addresses)
            yield one.trouble

    def stack(self, own: Space, box: MachineBox) -> Iterable[str]:
        """The machine's own namespace."""
        for one in own.interfaces:
            yield self.sentence(one)
        if own.forwards is not None and box.machine.kind == "host" and not self.brief:
            does = "routes between its networks" if own.forwards else "does not route between its networks"
            yield _said(own.forwarding_mark, f"{box.machine.name} {does}.")
        yield from self.gateways(own)
        for published in box.published:
            yield self.published(published, box)
        for guest in own.guests:
            yield f"{self.guest(guest)} It uses the network of {box.machine.name} itself."
        for bridge in own.bridges:
            yield from self.bridge(bridge)

    def published(self, one: Published, box: MachineBox) -> str:
        address, _, port = one.outside.partition("/")[0].rpartition(":")
        only = f" at {address} only" if address else ""
        inside = f"port {one.port.container_port} of {one.container} ({one.port.protocol})"
        return _said(one.mark, f"Port {port} of {box.machine.name}{only} leads to {inside}.")

    def bridge(self, bridge: Bridge) -> Iterable[str]:
        interface = bridge.interface
        number = "" if self.brief else f" ({interface.link.index})"
        internal = " (internal)" if bridge.network is not None and bridge.network.internal else ""
        carries = " was made by hand"
        if bridge.network is not None:
            carries = f" carries the Docker network {bridge.network.name}{internal}"
        ports = sum(port.mark != "removed" for port in bridge.ports) + bridge.hidden
        has = f"{self.has(interface)} and has {counted(ports, 'port')}"
        down = f", and is {interface.trouble}" if interface.trouble == "down" else ""
        was = f" {_sentence(interface.was)}" if interface.was else ""
        text = _said(bridge.mark, f"Bridge {bridge.name}{number}{carries}, {has}{down}.{was}")
        yield text + (
            f" {bridge.hidden} of them {'is' if bridge.hidden == 1 else 'are'} left out." if bridge.hidden else ""
        )
        if not self.brief:
            yield from (f"  {self.sentence(port, 'Port')}" for port in bridge.ports)

    def space(self, space: Space) -> Iterable[str]:
        if not space.guests:
            only = "" if space.interfaces or space.bridges else " has no interface but lo"
            name = (
                f"{space.what[0].upper()}{space.what[1:]}: {space.label}"
                if " " in space.what
                else f"Namespace {space.label}"
            )
            yield _said(space.mark, f"{name}{only}.")
        for guest in space.guests:
            shares = f" It shares the namespace of {space.label}." if guest.home == "shared" else ""
            yield self.guest(guest) + shares
        if space.guests and not space.interfaces and not space.stopped:
            yield "  It has no interface but lo."
        yield from (f"  {self.sentence(one)}" for one in space.interfaces)
        yield from (f"  {line}" for line in self.gateways(space))
        for bridge in space.bridges:
            yield from self.indented(self.bridge(bridge))

    def gateways(self, space: Space) -> Iterable[str]:
        return (f"Its default route leads to {gateway}." for gateway in space.gateways) if self.full else ()

    def guest(self, guest: Guest) -> str:
        container = guest.container
        image = "" if self.brief else f" ({container.image})"
        state = (
            ""
            if container.state == "running"
            else f" {'has' if container.state == 'exited' else 'is'} {container.state}"
        )
        was = f" {_sentence(guest.was)}" if guest.was else ""
        return _said(guest.mark, f"Container {container.name}{image}{state}.{was}")

    def network(self, box: NetworkBox) -> str:
        subnets = [subnet.cidr for subnet in box.network.subnets]
        on = f" on {box.parent[1]}" if box.parent else ""
        told = ", ".join([f"{box.network.driver}{on}", *subnets, *([box.note] if box.note else [])])
        users = [self.labels.get(end[0], end[0]) for end in box.ends]
        joins = f" It joins {_list(users)}." if users else ""
        return _said(box.mark, f"Docker network {box.network.name}: {told}.{joins}")

    def sentence(self, one: Interface, noun: str = "Interface") -> str:
        """An interface, its addresses, what is wrong with it, and where its cable leads."""
        number = "" if self.brief else f" ({one.link.index})"
        parts = [self.has(one)] if one.addresses else []
        if one.note and not self.brief and not one.note.startswith(PAIR):
            parts.append(one.note if one.note.startswith("leads") else f"is {one.note}")
        if self.full:
            mac = "" if one.link.kind == "loopback" else f"MAC {one.link.mac} and "
            parts.append(f"has {mac}MTU {one.link.mtu}")
        if one.trouble and one.mark != "removed":
            parts.append("is down" if one.trouble == "down" else f"has {one.trouble}")
        parts += [f"is {told}" if one.mark == "removed" else f"changed ({told})" for told in one.was]
        cables = [
            cable  # what it lies on is in its note
            for cable in self.cables.get(one.end, ())
            if cable.kind in ("veth", "tunnel") or cable.upper == one.end or cable.mark != one.mark
        ]
        parts += [self.leads(one, cable) for cable in cables]
        return _said(one.mark, f"{noun} {one.name}{number} {_list(parts) or 'has no address'}.")

    def has(self, one: Interface) -> str:
        if not one.addresses:
            return "has no address"
        told = [address if mark in ("", one.mark) else f"{mark}: {address}" for address, mark in one.addresses]
        return f"has {_list(told)}"

    def leads(self, one: Interface, cable: Cable) -> str:
        """Where a cable goes from here."""
        there = cable.lower if one.end == cable.upper else cable.upper
        label, name = self.labels.get(there[0], there[0]), called(there[1])
        bridge = self.bridge_of.get(there)
        told = f"is joined to {name} in {label}"
        if cable.kind == "tunnel":
            told = f"is joined by a tunnel to {name} of {self.where(there)}"
        elif cable.kind != "veth":
            told = f"carries {name} of {label}" if one.end == cable.upper else f"lies on {name} of {label}"
        elif bridge and there[0] == "lan":
            told = f"is joined to {bridge}"
        elif bridge:
            told = f"is joined to {'' if self.brief else name + ', '}a port of {bridge}"
        return told if cable.mark in ("", one.mark) else f"{told} ({cable.mark})"


def _said(mark: str, sentence: str) -> str:
    """The sentence, with its mark in front."""
    if not mark:
        return sentence
    first = sentence if sentence.startswith("Docker") else sentence[0].lower() + sentence[1:]
    return f"{mark.capitalize()}: {first}"


def _sentence(parts: Sequence[str]) -> str:
    return f"What changed: {', '.join(parts)}."


def _joined(parts: Iterable[str]) -> str:
    return " ".join(part for part in parts if part)


def _list(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
