"""Reading single facts out of a snapshot by the names that a learner uses; pure.

What is not there, or could not be read, raises CheckFailed with the reason: missing data is never taken for an answer.
"""

from __future__ import annotations

import re

from dnetkit.errors import CheckFailed
from dnetkit.failures import did_you_mean
from dnetkit.model import Container, Link, Namespace, Network, Snapshot

__all__ = [
    "Value",
    "address_of",
    "bridge_of",
    "container",
    "gateway_of",
    "host_port_of",
    "index_of",
    "link",
    "mac_of",
    "macs",
    "must_be_read",
    "namespace",
    "namespace_id_of",
    "namespace_of",
    "other_end",
    "peer_index_of",
    "subnet_of",
    "words",
]

_WORDS = {
    "links": ("link", "interface", "address"),
    "routes": ("route", "routing"),
    "neighbours": ("neighbour", "arp", "ndp"),
    "forwarding": ("forwarding", "fdb"),
    "rules": ("rule", "chain", "netfilter", "tables", "nft"),
    "sockets": ("socket",),
    "sysctls": ("sysctl",),
    "docker": ("docker", "engine", "container", "network", "endpoint", "port"),
}


class Value(str):
    """A fact, such as '172.17.0.1', that remembers in words what it is: 'the gateway of web'."""

    meaning: str

    def __new__(cls, text: object, meaning: str) -> Value:
        """Make one; it behaves as the plain text in every other respect."""
        value = super().__new__(cls, str(text))
        value.meaning = meaning
        return value


def must_be_read(snapshot: Snapshot, subject: str, where: Namespace | None = None) -> None:
    """Raise CheckFailed when something of that subject could not be read, so that 'there is none' proves nothing."""
    for missing in (*(where.unavailable if where else ()), *snapshot.unavailable):
        said = re.findall(r"[a-z]+", missing.what.lower())
        topics = {topic for topic, known in _WORDS.items() if any(part in word for word in said for part in known)}
        other_family = subject == "rules" and "IPv6" in missing.what  # the claims are about IPv4
        if (subject in topics and not other_family) or not topics:
            place = f" of {where.label}" if where else ""
            raise CheckFailed(f"the {subject}{place} could not be read ({missing.what}: {missing.reason})")


def container(snapshot: Snapshot, name: str) -> Container:
    """The container of that name, 'web' or 'host1/web'."""
    machine, _, short = name.rpartition("/")
    found = snapshot.container(short, machine)
    if found is None:
        must_be_read(snapshot, "docker")
        near = did_you_mean(short, [known.name for known in snapshot.containers])
        raise CheckFailed(f"there is no container {name}", near or "`docker ps -a` lists the containers.")
    return found


def namespace(snapshot: Snapshot, name: str) -> Namespace:
    """The namespace that a machine, a container or `ip netns` name stands for."""
    found = snapshot.namespace(name)
    if found is not None:
        return found
    machine, _, short = name.rpartition("/")
    owner = snapshot.container(short, machine)
    if owner is None:
        must_be_read(snapshot, "docker")
        near = did_you_mean(name, [known.label for known in snapshot.namespaces])
        raise CheckFailed(f"there is no machine, container or namespace {name}", near)
    shared = snapshot.namespace(owner.namespace) if owner.namespace else None
    if shared is None:
        raise CheckFailed(
            f"{name} is not running, so it has no network (state: {owner.state})", f"docker start {owner.name}"
        )
    return shared


def link(snapshot: Snapshot, where: str, name: str) -> Link:
    """The link of that name in that namespace."""
    space = namespace(snapshot, where)
    found = space.link(name)
    if found is None:
        must_be_read(snapshot, "links", space)
        there = ", ".join(known.name for known in space.links)
        raise CheckFailed(f"{where} has no interface {name} (it has: {there or 'none'})")
    return found


def other_end(snapshot: Snapshot, where: str, name: str) -> Value:
    """The name of the interface at the other end of that one's pair."""
    peer = link(snapshot, where, name).peer
    if peer is None:
        raise CheckFailed(f"{name} in {where} has no other end that can be seen", "Is it one end of a veth pair?")
    return Value(peer.name, f"the other end of {name} in {where}")


def index_of(snapshot: Snapshot, where: str, name: str) -> Value:
    """The number of an interface, as `ip link` prints it in front of the name."""
    return Value(link(snapshot, where, name).index, f"the index of {name} in {where}")


def peer_index_of(snapshot: Snapshot, where: str, name: str) -> Value:
    """The number of the other end in the other end's own namespace: the 7 of 'eth0@if7'."""
    number = link(snapshot, where, name).peer_index
    if number is None:
        raise CheckFailed(f"{name} in {where} names no other end", "Is it one end of a veth pair?")
    return Value(number, f"the number that {name} in {where} gives for its other end")


def namespace_id_of(snapshot: Snapshot, where: str, name: str) -> Value:
    """What `where` calls the namespace of the other end: the 3 of 'link-netnsid 3'."""
    number = link(snapshot, where, name).netnsid
    if number is None:
        raise CheckFailed(f"{name} in {where} names no other namespace", "Is its other end in the same one?")
    return Value(number, f"the namespace id of the other end of {name} in {where}")


def mac_of(snapshot: Snapshot, where: str, name: str = "eth0") -> Value:
    """The MAC address of an interface."""
    return Value(link(snapshot, where, name).mac, f"the MAC address of {name} in {where}")


def address_of(snapshot: Snapshot, where: str, name: str = "eth0") -> Value:
    """The first IPv4 address of an interface, without its prefix length."""
    for address in link(snapshot, where, name).addresses:
        if address.family == 4:
            return Value(address.ip, f"the address of {name} in {where}")
    raise CheckFailed(f"{name} in {where} has no IPv4 address")


def gateway_of(snapshot: Snapshot, where: str) -> Value:
    """The address that the default route goes by."""
    space = namespace(snapshot, where)
    for route in space.routes:
        if route.destination == "default" and route.gateway and route.family == 4:
            return Value(route.gateway, f"the gateway of {where}")
    must_be_read(snapshot, "routes", space)
    raise CheckFailed(f"{where} has no default route with a gateway")


def namespace_of(snapshot: Snapshot, where: str) -> Value:
    """The name of the network namespace that a machine or container uses."""
    return Value(namespace(snapshot, where).name, f"the network namespace of {where}")


def subnet_of(snapshot: Snapshot, name: str, on: str = "") -> Value:
    """The first IPv4 address pool of a Docker network, such as '172.17.0.0/16'."""
    for subnet in _network(snapshot, name, on).subnets:
        if ":" not in subnet.cidr:
            return Value(subnet.cidr, f"the subnet of the network {name}{f' on {on}' if on else ''}")
    raise CheckFailed(f"the network {name} has no IPv4 subnet")


def bridge_of(snapshot: Snapshot, name: str, on: str = "") -> Value:
    """The interface on the host that is the switch of a Docker network, such as 'docker0'."""
    network = _network(snapshot, name, on)
    if not network.bridge:
        raise CheckFailed(f"the network {name} has no bridge: its driver is {network.driver}")
    return Value(network.bridge, f"the bridge of the network {name}{f' on {on}' if on else ''}")


def _network(snapshot: Snapshot, name: str, on: str) -> Network:
    network = snapshot.network(name, on)
    if network is None:
        must_be_read(snapshot, "docker")
        near = did_you_mean(name, [known.name for known in snapshot.networks])
        raise CheckFailed(f"there is no network {name}", near or "`docker network ls` lists the networks.")
    return network


def host_port_of(snapshot: Snapshot, name: str, container_port: int, protocol: str = "tcp") -> Value:
    """The port of the host that leads to that port of the container.

    Of several, one that any IPv4 address of the host has comes first: an engine may choose another one for IPv6.
    """
    there = container(snapshot, name).ports
    fits = [p for p in there if (p.container_port, p.protocol) == (container_port, protocol)]
    if not fits:
        must_be_read(snapshot, "docker")
        others = ", ".join(dict.fromkeys(f"{p.container_port}/{p.protocol}" for p in there))
        raise CheckFailed(
            f"no port of the host leads to {container_port}/{protocol} of {name} (published: {others or 'none'})",
            f"`docker port {name.rpartition('/')[2]}` lists them.",
        )
    first = min(fits, key=lambda p: (":" in p.host_address, p.host_address not in ("", "0.0.0.0"), p.host_port))  # noqa: S104 - compared, not bound
    return Value(first.host_port, f"the port of the host that leads to {container_port}/{protocol} of {name}")


def macs(snapshot: Snapshot, who: str) -> set[str]:
    """The MAC addresses that `who` stands for: itself, or those of a machine's or container's interfaces."""
    if who.count(":") == 5:
        return {who.lower()}
    return {known.mac for known in namespace(snapshot, who).links if known.kind != "loopback"}


def words(value: object) -> str:
    """What a value means, or the value itself."""
    return value.meaning if isinstance(value, Value) else str(value)
