"""What is said of a thing in the picture when the pointer rests on it, in one line; pure."""

from __future__ import annotations

from collections.abc import Sequence

from dnetkit.diagram.scene import Bridge, Cable, Interface, MachineBox, NetworkBox, Segment, Space, called

__all__ = ["bridge", "cable", "machine", "network", "rack", "segment", "space"]


def machine(box: MachineBox) -> str:
    """A machine."""
    return " ".join(f"{box.machine.name} {box.machine.address} {box.machine.engine}".split())


def space(shown: Space, box: MachineBox) -> str:
    """A namespace."""
    who = ", ".join(
        f"{guest.container.name} ({guest.container.image}, {guest.container.state})" for guest in shown.guests
    )
    what = (
        f"{shown.label}: the namespace of {box.machine.name} itself" if shown is box.own else f"namespace {shown.label}"
    )
    return "; ".join([what, *([who] if who else []), *map(_interface, shown.interfaces)])


def bridge(shown: Bridge) -> str:
    """A bridge."""
    carried = f", network {shown.network.name}" if shown.network else ""
    return f"bridge {_interface(shown.interface)}{carried}, {len(shown.ports) + shown.hidden} ports"


def rack(spaces: Sequence[Space], bridge: str) -> str:
    """The containers in a frame."""
    return f"{len(spaces)} containers on {bridge}: {', '.join(space.label for space in spaces)}"


def network(box: NetworkBox) -> str:
    """A network."""
    return f"{box.network.driver} network {box.network.name}"


def segment(shown: Segment) -> str:
    """Vxlans that are one network."""
    return f"vxlan {shown.vni}: {', '.join(f'{called(name)} in {called(space)}' for space, name in shown.ends)}"


def cable(shown: Cable) -> str:
    """A cable."""
    kind = "veth pair" if shown.kind == "veth" else shown.kind
    state = ", down" if shown.down else ""
    mark = f" ({shown.mark})" if shown.mark else ""
    one, other = (f"{called(end[1])} in {called(end[0])}" for end in (shown.upper, shown.lower))
    return f"{kind}: {one} and {other}{state}{mark}"


def _interface(one: Interface) -> str:
    link = one.link
    addresses = " ".join(address for address, _ in one.addresses)
    return " ".join(f"{one.name} index {link.index} {link.mac} mtu {link.mtu} {link.state} {addresses}".split())
