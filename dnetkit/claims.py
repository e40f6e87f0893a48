"""Claims about the state of a lab: pure predicates over a Snapshot, each with what it saw and a hint.

A claim that something is absent fails when the data for it could not be read.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dnetkit import facts
from dnetkit.display import tag, wrap
from dnetkit.errors import UsageError
from dnetkit.model import Route, Snapshot
from dnetkit.prose import inline

__all__ = ["CLAIMS", "CheckResult", "claim", "listed"]


@dataclass(frozen=True)
class CheckResult:
    """Whether a claim holds; `reason` is what was seen, `hint` what to do when it does not. True when it passed."""

    passed: bool
    claim: str
    reason: str
    hint: str = ""

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        lines = [f"{'passed' if self.passed else 'FAILED'}: {self.claim}", f"  seen: {self.reason}"]
        return "\n".join(lines if self.passed or not self.hint else [*lines, f"  hint: {self.hint}"])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        mark, kind, verdict = ("✔", "added", "passed") if self.passed else ("✘", "removed", "failed")
        hint = tag("div", inline(self.hint)) if self.hint and not self.passed else ""
        head = tag("div", tag("b", f"{mark} {verdict}", class_=f"dnk-{kind}"), " ", inline(self.claim))
        seen = tag("div", "seen: ", inline(self.reason), class_="dnk-note")
        return {"text/plain": str(self), "text/html": wrap(tag("div", head, seen, hint, class_="dnetkit-check"))}


CLAIMS: dict[str, Callable[..., CheckResult]] = {}
"""Every claim by its name; the first parameter of each is the snapshot."""


def claim(function: Callable[..., CheckResult]) -> Callable[..., CheckResult]:
    """Make a function a claim: a check can call it by its name."""
    CLAIMS[function.__name__] = function
    return function


# Links


@claim
def link_exists(snapshot: Snapshot, where: str, link: str, kind: str = "") -> CheckResult:
    """The interface is there (and of that kind: 'veth', 'bridge', ...)."""
    space = facts.namespace(snapshot, where)
    found = space.link(link)
    claim = f"{where} has an interface {link}" + (f" of kind {kind}" if kind else "")
    if found is None:
        facts.must_be_read(snapshot, "links", space)
        return CheckResult(False, claim, _its("interface", (one.name for one in space.links)))
    return CheckResult(kind in ("", found.kind), claim, f"{link} is there, of kind {found.kind}")


@claim
def no_link(snapshot: Snapshot, where: str, link: str) -> CheckResult:
    """No interface of that name is there."""
    space = facts.namespace(snapshot, where)
    facts.must_be_read(snapshot, "links", space)
    there = [known.name for known in space.links]
    return CheckResult(link not in there, f"{where} has no interface {link}", _its("interface", there))


@claim
def interfaces(snapshot: Snapshot, where: str, count: int) -> CheckResult:
    """It has that many interfaces beside lo."""
    space = facts.namespace(snapshot, where)
    facts.must_be_read(snapshot, "links", space)
    there = [known.name for known in space.links if known.kind != "loopback"]
    claim = f"{where} has {count} interface{'' if count == 1 else 's'} beside lo"
    return CheckResult(len(there) == count, claim, _its("interface", there) if there else "it has only lo")


@claim
def link_state(snapshot: Snapshot, where: str, link: str, state: str) -> CheckResult:
    """The operational state is 'UP', 'DOWN', 'LOWERLAYERDOWN' or 'UNKNOWN'."""
    seen = facts.link(snapshot, where, link).state
    return CheckResult(seen.upper() == state.upper(), f"{link} in {where} is {state.upper()}", f"its state is {seen}")


@claim
def pair(snapshot: Snapshot, where: str, link: str, other: str, other_link: str = "") -> CheckResult:
    """The interface is one end of a veth pair, and the other end lies in `other`."""
    claim = (
        f"{link} in {where} is one end of a pair, the other end is {f'{other_link} ' if other_link else ''}in {other}"
    )
    found = facts.link(snapshot, where, link)
    far = facts.namespace(snapshot, other)
    if found.peer is None:
        return CheckResult(False, claim, f"no other end of {link} can be seen; it is of kind {found.kind}")
    seen = f"the other end is {found.peer.name} in {found.peer.namespace}"
    return CheckResult(found.peer.namespace == far.name and other_link in ("", found.peer.name), claim, seen)


@claim
def port_of(snapshot: Snapshot, where: str, link: str, bridge: str) -> CheckResult:
    """The interface is a port of that bridge."""
    master = facts.link(snapshot, where, link).master
    hint = f"`ip link set {link} master {bridge}` would make it one."
    return CheckResult(
        master == bridge, f"{link} in {where} is a port of {bridge}", f"its bridge is {master or 'none'}", hint
    )


@claim
def ports(snapshot: Snapshot, where: str, bridge: str, count: int) -> CheckResult:
    """The bridge has that many ports."""
    facts.link(snapshot, where, bridge)
    space = facts.namespace(snapshot, where)
    facts.must_be_read(snapshot, "links", space)
    there = [known.name for known in space.links if known.master == bridge]
    return CheckResult(
        len(there) == count,
        f"{bridge} on {where} has {count} port{'s' * (count != 1)}",
        _its("port", there),
    )


@claim
def has_address(snapshot: Snapshot, where: str, link: str, address: str = "", within: str = "") -> CheckResult:
    """The interface has an address: that one (with or without its prefix length), or one within that network."""
    there = facts.link(snapshot, where, link).addresses
    wanted = f"the address {address}" if address else f"an address within {within}" if within else "an address"
    claim = f"{link} in {where} has {wanted}"
    fits = [a for a in there if address in ("", a.ip, a.cidr) and (not within or _within(a.ip, within))]
    return CheckResult(bool(fits), claim, _its("address", (a.cidr for a in there), "addresses"))


@claim
def no_address(snapshot: Snapshot, where: str, link: str) -> CheckResult:
    """The interface has no IPv4 address."""
    there = [a.cidr for a in facts.link(snapshot, where, link).addresses if a.family == 4]
    facts.must_be_read(snapshot, "links", facts.namespace(snapshot, where))
    return CheckResult(not there, f"{link} in {where} has no IPv4 address", _its("address", there, "addresses"))


@claim
def locally_administered(snapshot: Snapshot, where: str, link: str) -> CheckResult:
    """The MAC address was made up here, not given by a manufacturer: the second bit of its first byte is set."""
    mac = facts.link(snapshot, where, link).mac
    first = int(mac.partition(":")[0] or "0", 16)
    claim = f"the MAC address of {link} in {where} is locally administered"
    return CheckResult(bool(first & 2), claim, f"it is {mac or 'none'}, its first byte {first:08b}")


# What the kernel knows


@claim
def route(snapshot: Snapshot, where: str, destination: str, via: str = "", dev: str = "") -> CheckResult:
    """There is a route to that destination ('default' or a prefix), by that gateway and device where given."""
    there = _routes(snapshot, where)
    fits = [r for r in there if r.destination == destination and via in ("", r.gateway) and dev in ("", r.device)]
    claim = f"{where} has a route {_route(destination, via, dev)}"
    if not fits:
        facts.must_be_read(snapshot, "routes", facts.namespace(snapshot, where))
    return CheckResult(bool(fits), claim, _its("route", (_route(r.destination, r.gateway, r.device) for r in there)))


@claim
def no_route(snapshot: Snapshot, where: str, destination: str) -> CheckResult:
    """There is no route to that destination."""
    facts.must_be_read(snapshot, "routes", facts.namespace(snapshot, where))
    there = _routes(snapshot, where)
    seen = _its("route", (_route(r.destination, r.gateway, r.device) for r in there))
    return CheckResult(all(r.destination != destination for r in there), f"{where} has no route {destination}", seen)


@claim
def sysctl(snapshot: Snapshot, where: str, name: str, value: object) -> CheckResult:
    """A kernel setting, such as 'net.ipv4.ip_forward', has that value."""
    space = facts.namespace(snapshot, where)
    seen = dict(space.sysctls).get(name)
    if seen is None:
        facts.must_be_read(snapshot, "sysctls", space)
    return CheckResult(
        seen == str(value), f"{name} on {where} is {value}", f"it is {'unknown' if seen is None else seen}"
    )


@claim
def neighbour(snapshot: Snapshot, where: str, address: str, state: str = "") -> CheckResult:
    """The neighbour table (ARP) knows a MAC address for that address."""
    space = facts.namespace(snapshot, where)
    fits = [n for n in space.neighbours if n.address == address and n.mac and state.upper() in ("", n.state.upper())]
    if not fits:
        facts.must_be_read(snapshot, "neighbours", space)
    there = (f"{n.address} {n.mac or 'without a MAC'} {n.state}" for n in space.neighbours)
    claim = f"{where} knows the MAC address of its neighbour {address}"
    return CheckResult(
        bool(fits), claim, _its("neighbour", there), f"It asks when it first sends there: ping {address}"
    )


@claim
def no_neighbour(snapshot: Snapshot, where: str, address: str) -> CheckResult:
    """The neighbour table (ARP) knows no MAC address for that address."""
    space = facts.namespace(snapshot, where)
    facts.must_be_read(snapshot, "neighbours", space)
    there = [n for n in space.neighbours if n.address == address]
    seen = listed((f"{n.mac or 'no MAC address'} ({n.state})" for n in there), "nothing")
    return CheckResult(
        not any(n.mac for n in there),
        f"{where} does not know the MAC address of {address}",
        f"its neighbour table has for it: {seen}",
    )


@claim
def learned(snapshot: Snapshot, where: str, bridge: str, who: str) -> CheckResult:
    """The bridge has learned by which port it reaches a MAC address, or the interfaces of a container."""
    facts.link(snapshot, where, bridge)
    fits, there = _learned(snapshot, where, bridge, who)
    if not fits:
        facts.must_be_read(snapshot, "forwarding", facts.namespace(snapshot, where))
    claim = f"{bridge} on {where} has learned where {who} is"
    return CheckResult(
        bool(fits),
        claim,
        f"learned: {listed(fits or there)}",
        f"A bridge learns from what it hears: {who} must send something.",
    )


@claim
def not_learned(snapshot: Snapshot, where: str, bridge: str, who: str) -> CheckResult:
    """The bridge has not (or no longer) learned where that MAC address or container is."""
    facts.link(snapshot, where, bridge)
    facts.must_be_read(snapshot, "forwarding", facts.namespace(snapshot, where))
    fits, _ = _learned(snapshot, where, bridge, who)
    return CheckResult(not fits, f"{bridge} on {where} has not learned where {who} is", f"learned: {listed(fits)}")


# Values


@claim
def equal(_snapshot: Snapshot, one: object, other: object) -> CheckResult:
    """Two values are the same."""
    return CheckResult(str(one) == str(other), f"{facts.words(one)} is {facts.words(other)}", f"{one} and {other}")


@claim
def differ(_snapshot: Snapshot, one: object, other: object) -> CheckResult:
    """Two values are not the same."""
    return CheckResult(str(one) != str(other), f"{facts.words(one)} is not {facts.words(other)}", f"{one} and {other}")


# Words


def listed(items: Iterable[str], empty: str = "none") -> str:
    """The first eight of some things, and how many there are when that is not all."""
    items = list(items)
    shown = ", ".join(items[:8])
    return f"{shown}, ... ({len(items)})" if len(items) > 8 else shown or empty


def _its(noun: str, items: Iterable[str], plural: str = "") -> str:
    """What something has of a kind: 'its port is veth1', 'its ports are veth1, veth2', or 'it has no port'."""
    items = list(items)
    if not items:
        return f"it has no {noun}"
    return f"its {noun} is {items[0]}" if len(items) == 1 else f"its {plural or noun + 's'} are {listed(items)}"


def _within(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network)
    except ValueError as error:
        raise UsageError(f"{network!r} is not a network such as 172.17.0.0/16.") from error


def _routes(snapshot: Snapshot, where: str) -> list[Route]:
    return [r for r in facts.namespace(snapshot, where).routes if r.table == "main" and r.family == 4]


def _route(destination: str, via: str, dev: str) -> str:
    return destination + (f" via {via}" if via else "") + (f" dev {dev}" if dev else "")


def _learned(snapshot: Snapshot, where: str, bridge: str, who: str) -> tuple[list[str], list[str]]:
    addresses = facts.macs(snapshot, who)
    entries = [e for e in facts.namespace(snapshot, where).forwarding if e.bridge == bridge and e.state != "permanent"]
    fits = [f"{e.mac} by {e.device}" for e in entries if e.mac.lower() in addresses]
    return fits, [f"{e.mac} by {e.device}" for e in entries]
