"""One object, one rule, one change in the words of the field; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dnetkit.model import (
    Address,
    Chain,
    Change,
    Container,
    Endpoint,
    ForwardingEntry,
    Link,
    LinkRef,
    Machine,
    Namespace,
    Neighbour,
    Network,
    PublishedPort,
    Route,
    Rule,
    Snapshot,
    Unavailable,
)

__all__ = ["SIGNS", "chain_name", "label", "moved", "noun", "port", "rule", "sentence", "state", "target"]

SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def label(namespace: str) -> str:
    """What a person calls a namespace: 'web' for 'host1/web', 'blue' for 'host1/netns:blue'."""
    return namespace.rpartition("/")[2].removeprefix("netns:")


def sentence(change: Change) -> str:
    """The change in one sentence that can stand alone."""
    where = f"{label(change.where)}: " if change.where else ""
    thing = change.before if change.verb == "removed" else change.after
    if change.subject == "unavailable":
        return where + ("can be read again: " if change.verb == "removed" else "could not be read: ") + noun(thing)
    owner = _owner(change)
    if change.subject == "snapshot":
        return "the snapshots differ in: " + ", ".join(change.fields)
    if change.subject == "namespace":
        where = ""
    if change.verb == "added":
        return f"{where}new {noun(thing)}{owner}"
    if change.verb == "removed":
        return f"{where}{noun(thing)}{owner} is gone"
    return f"{where}{_name(change.subject, thing)}{owner}: {'; '.join(_differences(change))}"


def _owner(change: Change) -> str:
    if change.owner is None:
        return ""
    return f" {'on' if change.subject == 'address' else 'of'} {change.owner.name}"


def noun(thing: Any) -> str:
    """An object with what matters about it."""
    return _NOUNS[type(thing)](thing)


def _name(subject: str, thing: Any) -> str:
    return _NAMES[subject](thing)


def _differences(change: Change) -> list[str]:
    before, after, fields = change.before, change.after, list(change.fields)
    told = []
    if change.subject == "link":
        if "namespace" in fields:
            told.append(moved(change))
        if {"up", "state"} & set(fields):
            told.append(state(before, after))
        fields = [name for name in fields if name not in ("namespace", "up", "state")]
    for name in fields:
        if name == "place":
            told.append("moved within its chain" if change.subject == "rule" else "listed in another order")
        elif name == "value":
            told.append(f"{before[1]} -> {after[1]}")
        else:
            told.append(f"{name.replace('_', ' ')} {_value(getattr(before, name))} -> {_value(getattr(after, name))}")
    return told


def moved(change: Change) -> str:
    """Where a link moved, as long as its namespaces' names tell it."""
    return f"moved from {label(change.origin)} to {label(change.where)}"


def state(before: Link, after: Link) -> str:
    """How the state of a link changed: 'DOWN -> UP', and what `ip link set` did where that does not show in it."""
    if before.up == after.up:
        return f"{before.state} -> {after.state}"
    if after.kind == "loopback":
        return "DOWN -> UP" if after.up else "UP -> DOWN"
    if before.state == after.state:
        return f"set {'up' if after.up else 'down'}, {'still' if after.up else 'state'} {after.state}{_why(after)}"
    return f"{before.state} -> {after.state}{_why(after)}"


def _why(link: Link) -> str:
    if link.up and link.state == "LOWERLAYERDOWN":
        return " (set up, but its other end is down)"
    if link.up and link.state == "DOWN" and link.kind == "bridge":
        return " (a bridge without a port that is up)"
    return ""


def _value(value: Any) -> str:
    if isinstance(value, LinkRef):
        return f"{value.name} in {label(value.namespace)}"
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join("=".join(one) if isinstance(one, tuple) else getattr(one, "cidr", str(one)) for one in value)
    return str(value)


def _listed(*parts: str) -> str:
    kept = [part for part in parts if part]
    return f" ({', '.join(kept)})" if kept else ""


def _machine(one: Machine) -> str:
    return f"{one.kind} {one.name}" + _listed(one.address, f"Docker Engine {one.engine}" if one.engine else "")


def _namespace(one: Namespace) -> str:
    return f"network namespace {label(one.name)}"


def _link(one: Link) -> str:
    return f"link {one.name}" + _listed(
        one.kind,
        *(f"{key} {value}" for key, value in one.parameters),
        f"port of {one.master}" if one.master else "",
        f"other end {one.peer.name} in {label(one.peer.namespace)}" if one.peer else "",
        f"on {one.parent.name} in {label(one.parent.namespace)}" if one.parent else "",
    )


def _route(one: Route) -> str:
    words = [
        *([] if one.kind == "unicast" else [one.kind]),
        one.destination,
        *(["via", one.gateway] if one.gateway else []),
        *(["dev", one.device] if one.device else []),
        *(["metric", str(one.metric)] if one.metric and one.family == 4 else []),
        *(["table", one.table] if one.table != "main" else []),
    ]
    return f"route {' '.join(words)}"


def _neighbour(one: Neighbour) -> str:
    known = f"at {one.mac}" if one.mac else "without an answer"
    return f"neighbour {one.address} dev {one.device} {known}" + _listed(one.state)


def _forwarding(one: ForwardingEntry) -> str:
    behind = f"behind {one.device}" + (f" of {one.bridge}" if one.bridge and one.bridge != one.device else "")
    vlan, remote = f"vlan {one.vlan}" if one.vlan else "", f"at {one.remote}" if one.remote else ""
    return f"forwarding entry {one.mac} {behind}" + _listed(one.state, vlan, remote)


def chain_name(one: Chain | Rule) -> str:
    """'nat/DOCKER'; the family where it is IPv6."""
    name = one.name if isinstance(one, Chain) else one.chain
    return f"{'ip6 ' if one.family == 6 else ''}{one.table}/{name}"


def rule(one: Rule) -> str:
    """A rule with its target first: 'DNAT tcp 8080 -> 172.17.0.2:80', else its conditions as iptables writes them."""
    short = target(one)
    if one.target in ("DNAT", "REDIRECT") and "--dport" in one.text and "--to-" in one.text:
        return f"{one.target} {short}"
    return f"{one.target or 'no target'} {short}".rstrip() if short else f"{one.target or 'no target'} (everything)"


def target(one: Rule) -> str:
    """What a rule says without its target; a DNAT of a port as 'tcp 8080 -> 172.17.0.2:80'."""
    words = one.text.split()
    flags = {word: words[n + 1] for n, word in enumerate(words[:-1]) if word.startswith("-")}
    if one.target == "DNAT" and "--dport" in flags and "--to-destination" in flags:
        address = f"{flags['-d'].removesuffix('/32')}:" if "-d" in flags else ""
        return f"{flags.get('-p', '')} {address}{flags['--dport']} -> {flags['--to-destination']}".strip()
    kept: list[str] = []
    skip = False
    for n, word in enumerate(words):
        if skip:
            skip = False
        elif word in ("-j", "-g") or (word == "-m" and n + 1 < len(words) and words[n + 1] in ("tcp", "udp", "sctp")):
            skip = True
        else:
            kept.append(word)
    return " ".join(kept)


def _container(one: Container) -> str:
    return f"container {one.name}" + _listed(one.image, one.state)


def _network(one: Network) -> str:
    subnets = [subnet.cidr for subnet in one.subnets]
    gateways = [f"gateway {subnet.gateway}" for subnet in one.subnets if subnet.gateway]
    return f"network {one.name}" + _listed(one.driver, *subnets, *gateways, "internal" if one.internal else "")


def _endpoint(one: Endpoint) -> str:
    link = one.link.name if one.link else ""
    return f"endpoint on network {one.network}" + _listed(link, one.address, one.address6, one.mac)


def port(one: PublishedPort) -> str:
    """'0.0.0.0:8080 -> 80/tcp', as `docker port` and `docker ps` write it."""
    host = f"[{one.host_address}]" if ":" in one.host_address else one.host_address
    return f"{host}:{one.host_port} -> {one.container_port}/{one.protocol}"


_NOUNS: dict[type, Callable[[Any], str]] = {
    Machine: _machine,
    Namespace: _namespace,
    Link: _link,
    Address: lambda one: f"address {one.cidr}",
    Route: _route,
    Neighbour: _neighbour,
    ForwardingEntry: _forwarding,
    Chain: lambda one: f"chain {chain_name(one)}" + _listed(f"policy {one.policy}" if one.policy else ""),
    Rule: lambda one: f"rule {one.position} of {chain_name(one)}: {one.text}",
    tuple: lambda one: f"setting {one[0]} = {one[1]}",
    Network: _network,
    Container: _container,
    Endpoint: _endpoint,
    PublishedPort: lambda one: f"published port {port(one)}",
    Unavailable: lambda one: f"{one.what} ({one.reason})",
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
    "sysctl": lambda one: str(one[0]),
    "network": lambda one: f"network {one.name}",
    "container": lambda one: f"container {one.name}",
    "endpoint": lambda one: f"endpoint on network {one.network}",
    "port": lambda one: f"published port {port(one)}",
    "unavailable": lambda one: str(one.what),
}
