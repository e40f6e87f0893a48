"""One object of a snapshot in the words of the field; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dnetkit.model import (
    Address,
    Chain,
    Connection,
    Container,
    Endpoint,
    ForwardingEntry,
    Link,
    Machine,
    Membership,
    MulticastGroup,
    NamedSet,
    Namespace,
    Neighbour,
    Network,
    PolicyRule,
    Process,
    PublishedPort,
    Route,
    Rule,
    Snapshot,
    Socket,
    Unavailable,
)

__all__ = ["chain_name", "conditions", "label", "name", "noun", "port", "reason", "route_way", "rule"]


def label(namespace: str) -> str:
    """What a person calls a namespace: 'web' for 'host1/web', 'blue' for 'host1/netns:blue'.

    Those of the engine have the same names on each host: 'overlay:wide on host1'.
    """
    machine, _, own = namespace.rpartition("/")
    if machine and own.startswith(("overlay:", "balancer:", "engine:")):
        return f"{own} on {machine}"
    return own.removeprefix("netns:")


def noun(thing: Any) -> str:
    """An object with what matters about it: 'link v0 (veth, other end v1 in red)'."""
    return _NOUNS[type(thing)](thing)


def name(subject: str, thing: Any) -> str:
    """An object by its name alone, as the beginning of a sentence about it."""
    return _NAMES[subject](thing) if subject in _NAMES else noun(thing)


def reason(gap: Unavailable) -> str:
    """Why something could not be read, without the number of the error."""
    return gap.reason.partition("] ")[2] or gap.reason if gap.reason.startswith("[Errno") else gap.reason


def chain_name(one: Chain | Rule) -> str:
    """'nat/DOCKER'; with the family where it is not IPv4."""
    own = one.name if isinstance(one, Chain) else one.chain
    layer = {4: "", 6: "ip6 "}.get(one.family, f"{one.layer} " if one.layer else "")
    return f"{layer}{one.table}/{own}"


def rule(one: Rule) -> str:
    """A rule with its target first: 'MASQUERADE -s 172.17.0.0/16 ! -o docker0', 'DNAT tcp 8080 -> 172.17.0.2:80'."""
    return f"{one.target} {conditions(one)}".strip()


def conditions(one: Rule) -> str:
    """A rule without its target; 'for everything' where it has no condition."""
    matches = [match for match in one.matches if match not in ("-m tcp", "-m udp", "-m sctp")]
    said = dict(match.split(" ", 1) for match in matches if match.count(" ") == 1)
    ports = [match for match in matches if " --dport " in f" {match}"]
    to = one.options.removeprefix("--to-destination ")
    if one.target == "DNAT" and to != one.options and ports:
        dport = ports[0].rpartition(" ")[2]
        address = f"{said['-d'].removesuffix('/32')}:" if "-d" in said else ""
        return f"{said.get('-p', '')} {address}{dport} -> {to}".strip()
    shown = [match.removeprefix(f"-m {said.get('-p', '')} ") if " --" in match else match for match in matches]
    return " ".join(filter(None, (*shown, one.options))) or "for everything"


def route_way(one: Route) -> str:
    """Where a route leads: 'via 172.17.0.1 dev eth0'."""
    words = [f"via {one.gateway}" if one.gateway else "", f"dev {one.device}" if one.device else ""]
    ways = [f"via {hop.gateway} dev {hop.device}" for hop in one.nexthops]
    return " ".join(filter(None, words)) or " and ".join(ways) or one.kind


def port(one: PublishedPort) -> str:
    """'0.0.0.0:8080 -> 80/tcp', as `docker port` and `docker ps` write it."""
    return f"{_at(one.host_address, one.host_port)} -> {one.container_port}/{one.protocol}"


def _at(address: str, number: int) -> str:
    return f"[{address}]:{number}" if ":" in address else f"{address}:{number}"


def _listed(*parts: str) -> str:
    kept = [part for part in parts if part]
    return f" ({', '.join(kept)})" if kept else ""


def _machine(one: Machine) -> str:
    return f"{one.kind} {one.name}" + _listed(one.address, f"Docker Engine {one.engine}" if one.engine else "")


def _namespace(one: Namespace) -> str:
    if one.kind == "unnamed":
        return "unnamed network namespace" + _listed(", ".join(f"{p.name} {p.pid}" for p in one.processes))
    return f"network namespace {label(one.name)}" + _listed("the engine's own" if one.kind == "engine" else "")


def _link(one: Link) -> str:
    return f"link {one.name}" + _listed(
        one.kind,
        *(f"{key} {value}" for key, value in one.parameters if key in ("mode", "id", "group", "remote", "local")),
        f"port of {one.master}" if one.master else "",
        f"other end {one.peer.name} in {label(one.peer.namespace)}" if one.peer else "",
        f"on {one.parent.name} in {label(one.parent.namespace)}" if one.parent else "",
    )


def _route(one: Route) -> str:
    words = [
        "" if one.kind == "unicast" else one.kind,
        one.destination,
        route_way(one) if one.device or one.gateway or one.nexthops else "",
        f"metric {one.metric}" if one.metric and one.family == 4 else "",
        f"table {one.table}" if one.table != "main" else "",
    ]
    return f"route {' '.join(filter(None, words))}"


def _policy_rule(one: PolicyRule) -> str:
    words = [
        f"{one.priority}:",
        "not" if one.invert else "",
        f"from {one.source}",
        f"to {one.destination}" if one.destination != "all" else "",
        *(f"{key} {value}" for key, value in one.options),
        one.action,
        one.table,
    ]
    return f"policy rule {' '.join(filter(None, words))}"


def _neighbour(one: Neighbour) -> str:
    known = f"at {one.mac}" if one.mac else "proxy" if "proxy" in one.flags else "without an answer"
    return f"neighbour {one.address} dev {one.device} {known}" + _listed(one.state)


def _forwarding(one: ForwardingEntry) -> str:
    behind = f"behind {one.device}" + (f" of {one.bridge}" if one.bridge and one.bridge != one.device else "")
    vlan, remote = f"vlan {one.vlan}" if one.vlan else "", f"at {one.remote}" if one.remote else ""
    return f"forwarding entry {one.mac} {behind}" + _listed(one.state, vlan, remote)


def _set(one: NamedSet) -> str:
    count = len(one.elements)
    table = f"{one.layer or one.family} {one.table}/" if one.table else ""
    return f"{'map' if one.value else 'set'} {table}{one.name}" + _listed(
        one.key, f"{count} element{'' if count == 1 else 's'}"
    )


def _connection(one: Connection) -> str:
    there, back = one.original, one.reply
    if not there.destination_port:
        told = f"{one.protocol} connection {there.source} -> {there.destination}"
        return told + (f", answered by {back.source} to {back.destination}" if one.translated else "")
    told = f"{one.protocol} connection {_at(there.source, there.source_port)} -> "
    told += _at(there.destination, there.destination_port)
    if not one.translated:
        return told
    return f"{told}, answered by {_at(back.source, back.source_port)} to {_at(back.destination, back.destination_port)}"


def _socket(one: Socket) -> str:
    remote = f" -> {_at(one.remote, one.remote_port)}" if one.remote_port else ""
    names = ", ".join(dict.fromkeys(process.name for process in one.processes))
    return f"socket {one.protocol} {_at(one.local, one.local_port)}{remote}" + _listed(one.state, names)


def _container(one: Container) -> str:
    return f"container {one.name}" + _listed(one.image, one.state)


def _network(one: Network) -> str:
    subnets = [subnet.cidr for subnet in one.subnets]
    gateways = [f"gateway {subnet.gateway}" for subnet in one.subnets if subnet.gateway]
    return f"network {one.name}" + _listed(one.driver, *subnets, *gateways, "internal" if one.internal else "")


def _endpoint(one: Endpoint) -> str:
    link = one.link.name if one.link else ""
    return f"endpoint on network {one.network}" + _listed(link, one.address, one.address6, one.mac)


_NOUNS: dict[type, Callable[[Any], str]] = {
    Machine: _machine,
    Namespace: _namespace,
    Link: _link,
    Address: lambda one: f"address {one.cidr}" + _listed(f"peer {one.peer}" if one.peer else ""),
    Route: _route,
    PolicyRule: _policy_rule,
    Neighbour: _neighbour,
    ForwardingEntry: _forwarding,
    Membership: lambda one: f"membership of {one.device} in group {one.address}",
    MulticastGroup: lambda one: f"multicast group {one.group} behind {one.port} of {one.bridge}" + _listed(one.state),
    Chain: lambda one: f"chain {chain_name(one)}" + _listed(f"policy {one.policy}" if one.policy else ""),
    Rule: lambda one: f"rule {one.position} of {chain_name(one)}: {one.text}",
    NamedSet: _set,
    Connection: _connection,
    Socket: _socket,
    Process: lambda one: f"process {one.pid} {one.name}",
    tuple: lambda one: f"setting {one[0]} = {one[1]}",
    Network: _network,
    Container: _container,
    Endpoint: _endpoint,
    PublishedPort: lambda one: f"published port {port(one)}",
    Unavailable: lambda one: f"{one.what} ({reason(one)})",
    Snapshot: lambda one: f"snapshot of lab {one.lab}",
}

_NAMES: dict[str, Callable[[Any], str]] = {
    "machine": lambda one: f"{one.kind} {one.name}",
    "namespace": lambda one: f"network namespace {label(one.name)}",
    "link": lambda one: str(one.name),
    "address": lambda one: f"address {one.cidr}",
    "route": lambda one: f"route {one.destination}",
    "neighbour": lambda one: f"neighbour {one.address} dev {one.device}",
    "forwarding": lambda one: f"forwarding entry {one.mac}",
    "chain": chain_name,
    "rule": lambda one: f"rule {one.position} of {chain_name(one)}, {rule(one)}",
    "set": lambda one: f"{'map' if one.value else 'set'} {one.name}",
    "sysctl": lambda one: str(one[0]),
    "network": lambda one: f"network {one.name}",
    "container": lambda one: f"container {one.name}",
    "endpoint": lambda one: f"endpoint on network {one.network}",
    "snapshot": lambda _: "the snapshots",
}
