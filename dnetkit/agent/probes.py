"""Take a Snapshot: find every namespace of the lab, run each probe in it, join the result with what the engines say.

PROBES is the whole list of what is asked of a namespace. A probe is a function that is given an open `Place` and
returns the fields of model.Namespace that it fills; to add a fact, add a function. A probe that fails leaves its fields
empty and an Unavailable with the reason in their place: never 'there is none'.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from dnetkit.agent import docker_state, netfilter
from dnetkit.agent.dockerd import Engine
from dnetkit.agent.kernel import in_network_namespace
from dnetkit.agent.machines import Machine
from dnetkit.agent.netlink import Attributes, Netlink, attribute, nested
from dnetkit.model import (
    Address,
    ForwardingEntry,
    Link,
    LinkRef,
    Namespace,
    Neighbour,
    Route,
    Snapshot,
    Unavailable,
)
from dnetkit.model import Machine as MachineState

__all__ = ["PROBES", "Place", "take"]

_GETLINK, _GETADDR, _GETROUTE, _GETNEIGH, _GETNSID = 18, 22, 26, 30, 90
_SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
_TABLES = {253: "default", 254: "main", 255: "local"}
_ROUTE_KINDS = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
}
_PROTOCOLS = {0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp"}
_STATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")
_NEIGHBOUR = {
    *((0x01, "INCOMPLETE"), (0x02, "REACHABLE"), (0x04, "STALE"), (0x08, "DELAY"), (0x10, "PROBE")),
    *((0x20, "FAILED"), (0x40, "NOARP"), (0x80, "PERMANENT")),
}
_SYSCTLS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/bridge/bridge-nf-call-iptables")


@dataclass(frozen=True)
class Place:
    """One namespace, open: its name, an open route socket in it, its descriptor."""

    name: str
    fd: int
    netlink: Netlink


def links(place: Place) -> dict[str, Any]:
    """Links and their addresses."""
    addresses: dict[int, list[Address]] = {}
    for header, found in place.netlink.dump(_GETADDR, struct.pack("=BBBBi", 0, 0, 0, 0, 0)):
        family, prefix, _, scope, index = struct.unpack("=BBBBi", header)
        raw = found.get(2) or found.get(1)
        if raw and family in (socket.AF_INET, socket.AF_INET6):
            text = f"{ip_address(raw)}/{prefix}"
            addresses.setdefault(index, []).append(Address(text, _SCOPES.get(scope, str(scope))))
    made = []
    for header, found in place.netlink.dump(_GETLINK, _link_header()):
        _, hardware, index, flags, _ = struct.unpack("=BxHiII", header)
        made.append(_link(index, hardware, flags, found, tuple(addresses.get(index, ()))))
    names = {link.index: link.name for link in made}
    masters = (replace(link, master=names.get(int(link.master), link.master) if link.master else None) for link in made)
    return {"links": tuple(sorted(masters, key=lambda link: link.index))}


def routes(place: Place) -> dict[str, Any]:
    """Routes of every table, IPv4 and IPv6."""
    names = _names(place)
    made = []
    for header, found in place.netlink.dump(_GETROUTE, struct.pack("=BBBBBBBBI", 0, 0, 0, 0, 0, 0, 0, 0, 0)):
        family, length, _, _, table, protocol, scope, kind, flags = struct.unpack("=BBBBBBBBI", header)
        if family not in (socket.AF_INET, socket.AF_INET6) or flags & 0x200:  # RTM_F_CLONED: a cached one
            continue
        number = _number(found, 15, table)
        made.append(
            Route(
                destination=f"{ip_address(found[1])}/{length}" if 1 in found else "default",
                device=names.get(_number(found, 4), ""),
                gateway=_ip(found, 5),
                source=_ip(found, 7),
                table=_TABLES.get(number, str(number)),
                kind=_ROUTE_KINDS.get(kind, str(kind)),
                scope=_SCOPES.get(scope, str(scope)),
                protocol=_PROTOCOLS.get(protocol, str(protocol)),
                metric=_number(found, 6),
                family=4 if family == socket.AF_INET else 6,
            )
        )
    return {"routes": tuple(sorted(made))}


def neighbours(place: Place) -> dict[str, Any]:
    """What ARP and NDP have learned."""
    names = _names(place)
    made = []
    for header, found in place.netlink.dump(_GETNEIGH, struct.pack("=BxxxiHBB", 0, 0, 0, 0, 0)):
        family, index, state, _, kind = struct.unpack("=BxxxiHBB", header)
        if family in (socket.AF_INET, socket.AF_INET6) and 1 in found and not state & 0x40 and kind != 5:
            words = next((word for bit, word in sorted(_NEIGHBOUR) if state & bit), "NONE")
            made.append(Neighbour(_ip(found, 1), names.get(index, str(index)), _mac(found.get(2, b"")), words))
    return {"neighbours": tuple(sorted(made))}


def forwarding(place: Place) -> dict[str, Any]:
    """What bridges know about where each MAC is."""
    names = _names(place)
    made = []
    for header, found in place.netlink.dump(_GETNEIGH, struct.pack("=BxxxiHBB", socket.AF_BRIDGE, 0, 0, 0, 0)):
        _, index, state, flags, _ = struct.unpack("=BxxxiHBB", header)
        if 2 in found:
            word = "permanent" if state & 0x80 else "static" if state & 0x40 else "learned"
            del flags
            made.append(
                ForwardingEntry(
                    _mac(found[2]),
                    names.get(index, str(index)),
                    names.get(_number(found, 9), ""),
                    word,
                    int.from_bytes(found[5], "little") if 5 in found else 0,
                    _ip(found, 1),
                )
            )
    return {"forwarding": tuple(sorted(set(made)))}


def sysctls(place: Place) -> dict[str, Any]:
    """The settings that decide whether this namespace forwards, and whether bridged frames pass its rules."""
    made = []
    with in_network_namespace(place.fd):
        for name in _SYSCTLS:
            with contextlib.suppress(FileNotFoundError):
                made.append((name.replace("/", "."), (Path("/proc/sys") / name).read_text().strip()))
    return {"sysctls": tuple(made)}


def rules(place: Place) -> dict[str, Any]:
    """Netfilter's chains and rules with their counters."""
    return netfilter.read(place.fd)


PROBES: tuple[Callable[[Place], dict[str, Any]], ...] = (links, routes, neighbours, forwarding, sysctls, rules)


def take(lab: str, machines: list[Machine], engines: dict[str, Engine]) -> Snapshot:
    """One snapshot of the lab."""
    start = time.time()
    clock = time.monotonic()
    missing: list[Unavailable] = []
    docker = docker_state.read(engines, missing)
    with contextlib.ExitStack() as stack:
        found = _find(stack, machines, docker.sandboxes)
        spaces = [_read(place, kind, machine, inode) for place, kind, machine, inode in found]
        spaces = _join_pairs([place for place, *_ in found], spaces)
    networks, containers = docker.join(spaces)
    return Snapshot(
        taken=start,
        duration=time.monotonic() - clock,
        lab=lab,
        machines=tuple(
            MachineState(m.name, m.kind, m.address, engines[m.name].version if m.name in engines else "")
            for m in machines
        ),
        namespaces=tuple(spaces),
        networks=networks,
        containers=containers,
        unavailable=tuple(missing),
    )


Found = tuple[Place, str, str, int]


def _find(stack: contextlib.ExitStack, machines: list[Machine], sandboxes: list[docker_state.Sandbox]) -> list[Found]:
    """Every namespace once: the lab's own, each machine's, each container's, and those that `ip netns` names."""
    wanted: list[tuple[str, str, str, str]] = [("lan", "lan", "", "/proc/self/ns/net")]
    wanted += [(m.name, m.kind, m.name, f"/proc/{m.pid}/ns/net") for m in machines]
    pids = {machine.name: machine for machine in machines}
    for sandbox in sandboxes:
        path = pids[sandbox.machine].path(sandbox.key)
        wanted.append((f"{sandbox.machine}/{sandbox.container}", "container", sandbox.machine, path))
    for machine in machines:
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(machine.path("/run/netns"))):
                path = machine.path(f"/run/netns/{name}")
                wanted.append((f"{machine.name}/netns:{name}", "named", machine.name, path))
    found: list[Found] = []
    seen: set[int] = set()
    for name, kind, where, path in wanted:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # it ended since it was listed, or is an empty file that `ip netns` left
        stack.callback(os.close, fd)
        inode = os.fstat(fd).st_ino
        if inode not in seen:
            with contextlib.suppress(OSError):  # EINVAL: not a namespace at all
                netlink = stack.enter_context(Netlink(fd))
                seen.add(inode)
                found.append((Place(name, fd, netlink), kind, where, inode))
    return found


def _read(place: Place, kind: str, machine: str, inode: int) -> Namespace:
    fields: dict[str, Any] = {}
    missing: list[Unavailable] = []
    for probe in PROBES:
        try:
            fields |= probe(place)
        except (OSError, ValueError) as error:
            missing.append(Unavailable(probe.__name__, str(error)))
    missing += fields.pop("unavailable", ())
    return Namespace(place.name, kind, machine, inode, unavailable=tuple(missing), **fields)


def _join_pairs(places: list[Place], spaces: list[Namespace]) -> list[Namespace]:
    """Give each veth its other end, and each macvlan or vlan its parent.

    The kernel says the other end's index and a number for its namespace that holds only in the asking one; RTM_GETNSID
    tells which open namespace has that number there.
    """
    by_index = [{link.index: link for link in space.links} for space in spaces]
    joined = []
    for here, space in enumerate(spaces):
        numbers: dict[int, int] = {}

        def number_of(there: int, here: int = here, numbers: dict[int, int] = numbers) -> int:
            if there not in numbers:
                numbers[there] = _nsid(places[here].netlink, places[there].fd)
            return numbers[there]

        links = []
        for link in space.links:
            if link.peer_index:
                if link.netnsid is None:
                    candidates = [here]
                else:
                    likely = [n for n, other in enumerate(by_index) if link.peer_index in other]
                    candidates = [n for n in likely if number_of(n) == link.netnsid]
                other = by_index[candidates[0]].get(link.peer_index) if candidates else None
                if other is not None:
                    ref = LinkRef(spaces[candidates[0]].name, other.name, other.index)
                    link = replace(link, peer=ref) if link.kind == "veth" else replace(link, parent=ref)  # noqa: PLW2901
            links.append(link)
        joined.append(replace(space, links=tuple(links)))
    return joined


def _nsid(netlink: Netlink, fd: int) -> int:
    found = netlink.ask(_GETNSID, b"\0\0\0\0", attribute(3, fd))
    return int(struct.unpack("=i", found[1][1])[0]) if found and 1 in found[1] else -1


def _link(index: int, hardware: int, flags: int, found: Attributes, addresses: tuple[Address, ...]) -> Link:
    info = nested(found.get(18, b""))
    kind = info[1].rstrip(b"\0").decode() if 1 in info else "loopback" if hardware == 772 else "ether"
    state = found.get(16, b"\0")[0]
    return Link(
        index=index,
        name=found[3].rstrip(b"\0").decode(errors="replace"),
        kind=kind,
        mac=_mac(found.get(1, b"")),
        mtu=_number(found, 4),
        up=bool(flags & 1),
        state=_STATES[state] if state < len(_STATES) else str(state),
        master=str(_number(found, 10)) if 10 in found else None,
        # Both ends of a pair can have one number, each in its namespace; without a namespace id it is the link itself.
        peer_index=_number(found, 5) if 5 in found and (37 in found or _number(found, 5) != index) else None,
        netnsid=struct.unpack("=i", found[37])[0] if 37 in found else None,
        addresses=addresses,
        parameters=_parameters(kind, nested(info.get(2, b""))),
    )


def _parameters(kind: str, data: Attributes) -> tuple[tuple[str, str], ...]:
    if kind == "vlan" and 1 in data:
        return (("id", str(int.from_bytes(data[1], "little"))),)
    if kind == "vxlan" and 1 in data:
        return (("id", str(_number(data, 1))),)
    if kind == "macvlan" and 1 in data:
        modes = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"}
        return (("mode", modes.get(_number(data, 1), str(_number(data, 1)))),)
    if kind == "ipvlan" and 1 in data:
        return (("mode", {0: "l2", 1: "l3", 2: "l3s"}.get(int.from_bytes(data[1], "little"), "?")),)
    return ()


def _link_header() -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 0, 0, 0)


def _names(place: Place) -> dict[int, str]:
    names = {}
    for header, found in place.netlink.dump(_GETLINK, _link_header(), attribute(29, 8)):  # RTEXT_FILTER_SKIP_STATS
        names[struct.unpack("=BxHiII", header)[2]] = found[3].rstrip(b"\0").decode(errors="replace")
    return names


def _number(found: Attributes, key: int, default: int = 0) -> int:
    return int(struct.unpack("=I", found[key][:4])[0]) if key in found else default


def _ip(found: Attributes, key: int) -> str:
    return str(ip_address(found[key])) if key in found else ""


def _mac(raw: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in raw)
