"""What a picture of the network shows, before it is drawn or told: machines, namespaces, bridges, cables; pure data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from dnetkit.model import Container, Link, Machine, Network, PublishedPort

__all__ = [
    "GHOST",
    "NOTE_WIDTH",
    "PAIR",
    "Bridge",
    "Cable",
    "End",
    "Guest",
    "Interface",
    "MachineBox",
    "NetworkBox",
    "Published",
    "Rack",
    "Scene",
    "Segment",
    "Space",
    "called",
    "counted",
    "is_link_local",
]

CROWD = 3
"""So many containers on the same bridges are shown in one frame, when the picture is brief."""

NOTE_WIDTH = 34
"""In letters: a longer note takes several lines."""

PAIR = "a pair with"
"""How a note begins that stands for the cable of a pair with both ends in one box."""

End = tuple[str, str]
"""(namespace, interface)."""

GHOST = "#before"
"""At the end of the name of something that was removed, when something else has that name now; it is never shown."""


@lru_cache(4096)
def called(name: str) -> str:
    """A name as it is shown; what no screen can show, such as a control character, is '?'."""
    return _UNPRINTABLE.sub("?", name.removesuffix(GHOST))


def is_link_local(address: str) -> bool:
    """Whether it is one of IPv6 that every interface gives itself."""
    return address.lower().startswith("fe80")


def counted(number: int, one: str, many: str = "") -> str:
    """'no ports', '1 port', '2 ports'."""
    return f"{number or 'no'} {one if number == 1 else many or one + 's'}"


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Interface:
    """An interface: `addresses` are (address, mark), `was` what changed on it, `note` what stands in for a cable."""

    space: str
    link: Link
    mark: str = ""
    addresses: tuple[tuple[str, str], ...] = ()
    was: tuple[str, ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return called(self.link.name)

    @property
    def end(self) -> End:
        """Where a cable is plugged in."""
        return (self.space, self.link.name)

    @property
    def down(self) -> bool:
        """Whether nothing can pass: it was not set up, or the other end was not."""
        return not self.link.up or self.link.state in ("DOWN", "LOWERLAYERDOWN")

    @property
    def trouble(self) -> str:
        """'down' when it was not set up, 'no carrier' when it was and nothing is at the other end; else ''."""
        if not self.link.up:
            return "down"
        return "no carrier" if self.down else ""


@dataclass(frozen=True)
class Bridge:
    """A bridge: its own interface, the Docker network it carries, its ports; `hidden` ports are left out."""

    interface: Interface
    network: Network | None = None
    ports: tuple[Interface, ...] = ()
    mark: str = ""
    hidden: int = 0

    @property
    def name(self) -> str:
        """The name of its interface."""
        return self.interface.name

    @property
    def key(self) -> str:
        """That name, or another when something that was removed has it too."""
        return self.interface.link.name

    @property
    def title(self) -> str:
        """What a learner calls it: the Docker network's name where it has one that differs from 'bridge'."""
        named = self.network is not None and self.network.name != "bridge"
        return self.network.name if named and self.network is not None else self.name


@dataclass(frozen=True)
class Published:
    """A port of a machine that leads to a container."""

    port: PublishedPort
    container: str
    space: str
    mark: str = ""

    @property
    def outside(self) -> str:
        """'8080', or '127.0.0.1:8080' when only that address of the host answers; with '/udp' when it is not TCP."""
        every = self.port.host_address in ("", "0.0.0.0", "::")  # noqa: S104 - a name for 'every address', not a bind
        address = "" if every else f"{self.port.host_address}:"
        return f"{address}{self.port.host_port}{'' if self.port.protocol == 'tcp' else '/' + self.port.protocol}"


@dataclass(frozen=True)
class Guest:
    """A container in the namespace that it uses; `home` says whose that is: 'own', 'shared' or 'machine'."""

    container: Container
    home: str = "own"
    mark: str = ""
    was: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether no process of it runs."""
        return self.container.state not in ("running", "paused", "restarting")


@dataclass(frozen=True)
class Space:
    """A network namespace; kind as in model.Namespace. A container that is not running has one with nothing in it."""

    name: str
    label: str
    kind: str
    machine: str
    mark: str = ""
    interfaces: tuple[Interface, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    guests: tuple[Guest, ...] = ()
    forwards: bool | None = None
    forwarding_mark: str = ""
    gateways: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What it is, when no container tells."""
        of, _, network = self.name.rpartition("/")[2].partition(":")
        if self.kind == "engine" and of == "balancer":
            return f"the engine's balancer for {called(network)}"
        kinds = {"engine": "namespace of the engine", "unnamed": "namespace without a name"}
        return kinds.get(self.kind, "namespace")

    @property
    def stopped(self) -> bool:
        """Whether it is only the place of containers that do not run."""
        return self.kind == "container" and bool(self.guests) and all(guest.stopped for guest in self.guests)


@dataclass(frozen=True)
class NetworkBox:
    """A Docker network that is no bridge: macvlan, ipvlan, overlay; `ends` are its containers' interfaces."""

    network: Network
    parent: End | None = None
    ends: tuple[End, ...] = ()
    mark: str = ""
    note: str = ""

    @property
    def key(self) -> str:
        """A name for it that no other has."""
        return f"{self.network.machine}/network:{self.network.name}:{self.network.id[:12]}"


@dataclass(frozen=True)
class MachineBox:
    """A machine: first its own namespace, then those in it, in the order of their names."""

    machine: Machine
    spaces: tuple[Space, ...] = ()
    networks: tuple[NetworkBox, ...] = ()
    published: tuple[Published, ...] = ()
    mark: str = ""

    @property
    def own(self) -> Space | None:
        """The machine's own namespace."""
        return next((space for space in self.spaces if space.kind in ("host", "client")), None)


@dataclass(frozen=True)
class Cable:
    """What joins two interfaces; `upper` is the one nearer to the LAN. kind: 'veth', 'tunnel', 'macvlan', ..."""

    upper: End
    lower: End
    kind: str = "veth"
    mark: str = ""
    down: bool = False
    level: bool = False
    """Whether both ends are at the same height: two namespaces side by side, neither of them a machine's own."""


@dataclass(frozen=True)
class Segment:
    """Vxlans that all send to each other, and so are one network; `ends` are their interfaces."""

    vni: str
    port: str
    ends: tuple[End, ...]
    mark: str = ""


@dataclass(frozen=True)
class Rack:
    """Containers that hang on the same bridges, shown in one frame; a bridge by its namespace and key."""

    bridges: tuple[End, ...]
    spaces: tuple[Space, ...]

    def key(self, machine: str) -> str:
        """A name for it that no other has."""
        names = [name if where == machine else f"{where}/{name}" for where, name in self.bridges]
        return f"{machine}/on:{'+'.join(names)}"


@dataclass(frozen=True)
class Scene:
    """The whole picture. detail: 'brief', 'normal' or 'full'; `left_out` counts the containers that the focus hides."""

    lan: Space | None = None
    subnet: str = ""
    machines: tuple[MachineBox, ...] = ()
    cables: tuple[Cable, ...] = ()
    segments: tuple[Segment, ...] = ()
    detail: str = "normal"
    focus: str = ""
    left_out: int = 0
    unavailable: tuple[str, ...] = ()

    @cached_property
    def beside(self) -> tuple[frozenset[End], frozenset[End]]:
        """The ends of level cables: those on the left of theirs, and those on the right."""
        level = [cable for cable in self.cables if cable.level]
        return frozenset(cable.upper for cable in level), frozenset(cable.lower for cable in level)

    @property
    def spaces(self) -> tuple[Space, ...]:
        """Every namespace of every machine."""
        return tuple(space for box in self.machines for space in box.spaces)

    def racks(self, box: MachineBox) -> tuple[Rack, ...]:
        """In a brief picture: the containers that hang on the same bridges of the machine, where there are many."""
        if self.detail != "brief" or box.own is None:
            return ()
        bridge_of = {
            port.end: (space.name, bridge.key)
            for space in box.spaces
            for bridge in space.bridges
            for port in bridge.ports
            if space is box.own or space.kind == "engine"
        }
        uppers: dict[str, list[End]] = {}
        for cable in self.cables:
            uppers.setdefault(cable.lower[0], []).append(cable.upper)
            if cable.level or cable.upper not in bridge_of:
                uppers.setdefault(cable.upper[0], []).append(("", ""))
        found: dict[tuple[End, ...], list[Space]] = {}
        for space in box.spaces:
            ends = uppers.get(space.name, [])
            plain = space.kind == "container" and len(space.guests) == 1 and not space.bridges and bool(ends)
            if plain and len(space.interfaces) == len(ends) and all(end in bridge_of for end in ends):
                found.setdefault(tuple(sorted(bridge_of[end] for end in ends)), []).append(space)
        return tuple(Rack(bridges, tuple(spaces)) for bridges, spaces in found.items() if len(spaces) >= CROWD)

    @property
    def containers(self) -> int:
        """How many containers there are in it, without those that were removed."""
        return sum(guest.mark != "removed" for space in self.spaces for guest in space.guests)

    @property
    def marks(self) -> frozenset[str]:
        """Which marks are to be seen in it."""
        found = [one.mark for one in self.cables]
        for box in self.machines:
            found += [
                box.mark,
                *(one.mark for one in self.segments),
                *(one.mark for one in box.networks),
                *(one.mark for one in box.published),
            ]
        for space in self.spaces:
            found += [space.mark, space.forwarding_mark, *(guest.mark for guest in space.guests)]
            ports = [port for bridge in space.bridges for port in (bridge.interface, *bridge.ports)]
            for one in (*space.interfaces, *ports):
                found += [one.mark, *(mark for _, mark in one.addresses)]
        return frozenset(found) - {""}
