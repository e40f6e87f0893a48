"""Changes grouped as a person would tell them: one headline for what belongs together; pure.

TELLERS is the whole list of what is recognised, the largest first. A teller takes the changes that it tells out of
`Untold` and gives groups for them; what no teller took is told change by change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dnetkit.model import Change, Container, Endpoint, Link, LinkRef, Route, Snapshot
from dnetkit.words import SIGNS, chain_name, label, noun, rule, state

__all__ = ["TELLERS", "Group", "tell"]


@dataclass(frozen=True)
class Group:
    """Changes that belong together: '+', '-' or '~', one headline, and the changes themselves."""

    sign: str
    headline: str
    members: tuple[Change, ...]

    @property
    def details(self) -> tuple[Change, ...]:
        """The changes, but not one that would only say the headline again."""
        return self.members if len(self.members) > 1 else ()


class Untold:
    """The changes that no group has yet, with the snapshots on both sides."""

    def __init__(self, items: Iterable[Change], before: Snapshot, after: Snapshot) -> None:
        self.items = list(items)
        self.before = before
        self.after = after
        self.hosts = [one.name for one in after.machines if one.kind == "host"]

    def take(self, wanted: Callable[[Change], bool]) -> list[Change]:
        """Take out every change that is wanted."""
        found = [one for one in self.items if wanted(one)]
        self.items = [one for one in self.items if not wanted(one)] if found else self.items
        return found

    def of(self, subject: str, *verbs: str) -> list[Change]:
        """The changes of one kind that are still untold."""
        return [one for one in self.items if one.subject == subject and (not verbs or one.verb in verbs)]

    def place(self, where: str, word: str = "in") -> str:
        """' in blue', and nothing for the only host."""
        return "" if not where or [where] == self.hosts else f" {word} {label(where)}"

    def link(self, ref: LinkRef | None) -> Link | None:
        """The link that a reference points at, as it is now, or as it was."""
        for state_ in (self.after, self.before):
            space = next((n for n in state_.namespaces if ref is not None and n.name == ref.namespace), None)
            found = space.link(ref.name) if space is not None and ref is not None else None
            if found is not None:
                return found
        return None


def tell(items: Iterable[Change], before: Snapshot, after: Snapshot) -> tuple[Group, ...]:
    """All changes in groups."""
    untold = Untold(items, before, after)
    groups = [group for teller in TELLERS for group in teller(untold)]
    return tuple(groups + [Group(SIGNS[one.verb], one.text, (one,)) for one in untold.items])


# Containers


def _containers(untold: Untold) -> Iterator[Group]:
    for change in untold.of("container"):
        one: Container = change.after or change.before
        mine = _with_container(untold, change)
        yield Group(SIGNS[change.verb], _container_words(untold, change, one, mine), tuple(mine))


def _with_container(untold: Untold, change: Change) -> list[Change]:
    """The container's change, its endpoints and ports, its namespace and what is in it, the other ends of its links."""
    one: Container = change.after or change.before
    spaces = {side.namespace for side in (change.before, change.after) if side is not None and _own(side)} - {""}
    fresh = {
        space.where
        for space in untold.of("namespace")
        if space.where in spaces or (space.before and space.before.name in spaces)
    }
    took = untold.take(lambda other: other is change)
    took += untold.take(
        lambda other: (
            other.subject in ("endpoint", "port") and (other.owner.machine, other.owner.id) == (one.machine, one.id)
        )
    )
    took += untold.take(lambda other: other.where in fresh and not _is_dns(other))
    ends = {
        (ref.namespace, ref.name)
        for other in took
        if other.subject == "link"
        for side in (other.before, other.after)
        if side is not None and (ref := side.peer) is not None
    }
    return took + _at(untold, ends)


def _at(untold: Untold, links: set[tuple[str, str]]) -> list[Change]:
    """The links themselves, where they came or went, with their addresses and routes, and what was learned there."""

    def belongs(other: Change) -> bool:
        thing = other.after or other.before
        if other.verb == "changed":
            return False
        if other.subject == "link":
            return (other.where, thing.name) in links
        if other.subject == "address":
            return (other.where, other.owner.name) in links
        if other.subject == "route":
            return (other.where, thing.device) in links
        return (
            other.subject in ("forwarding", "neighbour")
            and other.verb == "removed"
            and (other.where, thing.device) in links
        )

    return untold.take(belongs)


def _own(container: Container) -> bool:
    mode = container.network_mode
    return mode != "host" and not mode.startswith("container:")


def _container_words(untold: Untold, change: Change, one: Container, mine: list[Change]) -> str:
    name = f"container {one.name}"
    on = untold.place(one.machine, "on")
    if change.verb == "removed":
        return f"container {one.name} removed{on}{_left(mine)}"
    if change.verb == "added":
        if one.state == "running":
            return f"{name} started ({one.image}){on}{_with(untold, one)}"
        how = "created" if one.state == "created" else f"ran ({one.state})"
        return f"{name} {how} ({one.image}){on}"
    before: Container = change.before
    if "state" in change.fields:
        if (before.state, one.state) == ("running", "paused"):
            told = f"{name} paused"
        elif (before.state, one.state) == ("paused", "running"):
            told = f"{name} goes on (paused -> running)"
        elif one.state == "running":
            told = f"{name} started{on}{_with(untold, one)}"
        elif before.state in ("running", "paused"):
            how = "" if one.state == "exited" else f" ({one.state})"
            told = f"{name} stopped{how}{on}{_left(mine)}"
        else:
            told = f"{name}: {before.state} -> {one.state}"
        return told + (f"; it was called {before.name}" if "name" in change.fields else "")
    if "name" in change.fields:
        return f"container {before.name} is now called {one.name}"
    return change.text


def _with(untold: Untold, one: Container) -> str:
    """What a container that started was given."""
    if one.network_mode == "host":
        told = f" in {one.machine}'s own network namespace"
    elif one.network_mode.startswith("container:"):
        told = f" in the network namespace of {label(one.namespace) or 'another container'}"
    elif one.network_mode == "none":
        told = " with no network but its own lo"
    else:
        joined = [f"joined network {end.network}{_place_of(untold, end)}" for end in one.endpoints]
        told = f", {', '.join(joined)}" if joined else " without a network"
    ports = sorted({f"{port.host_port}->{port.container_port}/{port.protocol}" for port in one.ports})
    return told + (f"; publishes {', '.join(ports)}" if ports else "")


def _place_of(untold: Untold, end: Endpoint) -> str:
    """': eth0 172.17.0.2/16; its other end vethX is a new port of docker0'."""
    if end.link is None:
        return f": {end.address}" if end.address else ""
    told = ": " + " ".join(word for word in (end.link.name, end.address, end.address6) if word)
    link, host = untold.link(end.link), untold.link(end.host_link)
    if host is not None and end.host_link is not None:
        port_of = (
            f"is a new port of {host.master}"
            if host.master
            else f"lies{untold.place(end.host_link.namespace) or ' in the host'}"
        )
        told += f"; its other end {host.name} {port_of}"
    elif link is not None and link.parent is not None:
        told += f", a {link.kind} on {link.parent.name}"
    return told


def _left(mine: list[Change]) -> str:
    """What went away with a container."""
    gone = [one for one in mine if one.verb == "removed"]
    addresses = {
        (one.where, one.owner.name): one.before.cidr
        for one in gone
        if one.subject == "address" and one.before.family == 4
    }
    links = [one for one in gone if one.subject == "link"]
    links.sort(key=lambda one: (one.where, one.before.name) not in addresses)
    named = [
        " ".join(filter(None, (one.before.name, addresses.get((one.where, one.before.name), "")))) for one in links
    ]
    if any(one.subject == "namespace" for one in gone):
        named.insert(0, "its network namespace")
    return f"; gone with it: {', '.join(named)}" if named else ""


def _endpoints(untold: Untold) -> Iterator[Group]:
    """A container that joined or left a network while it ran, or was restarted."""
    for change in untold.of("endpoint"):
        if change not in untold.items:
            continue
        one: Container = change.owner
        restarted = [
            space
            for space in untold.of("namespace")
            if one.namespace == space.where and one.state == "running" and _own(one)
        ]
        if restarted:
            yield _restarted(untold, one)
            continue
        end: Endpoint = change.after or change.before
        mine = untold.take(lambda other, change=change: other is change)  # type: ignore[misc]
        own = {(ref.namespace, ref.name) for side in (change.before, change.after) if side and (ref := side.link)}
        other_ends = {
            (ref.namespace, ref.name) for side in (change.before, change.after) if side and (ref := side.host_link)
        }
        if change.verb != "changed":
            mine += _at(untold, own | other_ends)
        gone = f"{_left(mine)}".replace("gone with it", "gone")
        told = {
            "added": f"container {one.name} joined network {end.network}{_place_of(untold, end)}",
            "removed": f"container {one.name} left network {end.network}{gone}",
        }
        yield Group(SIGNS[change.verb], told.get(change.verb, change.text), tuple(mine))


def _restarted(untold: Untold, one: Container) -> Group:
    mine = untold.take(lambda other: other.subject in ("endpoint", "port") and other.owner.id == one.id)
    mine += untold.take(lambda other: other.where == one.namespace)
    ends = {
        (side.peer.namespace, side.peer.name)
        for other in mine
        if other.subject == "link"
        for side in (other.before, other.after)
        if side is not None and side.peer is not None
    }
    mine += _at(untold, ends)
    return Group("~", f"container {one.name} restarted, in a new network namespace{_with(untold, one)}", tuple(mine))


def _is_dns(change: Change) -> bool:
    """A rule or chain, in a container, that leads its questions for names to Docker's own DNS server."""
    thing = change.after or change.before
    if change.subject == "chain":
        return change.verb == "added" and thing.name.startswith("DOCKER_")
    return (
        change.verb == "added"
        and change.subject == "rule"
        and (thing.chain.startswith("DOCKER_") or "-d 127.0.0.11/32" in thing.text)
    )


def _dns(untold: Untold) -> Iterator[Group]:
    for where in dict.fromkeys(one.where for one in untold.items if _is_dns(one)):
        mine = untold.take(lambda one, where=where: one.where == where and _is_dns(one))  # type: ignore[misc]
        count = sum(one.subject == "rule" for one in mine)
        yield Group(
            "+", f"{label(where)}: +{count} nat rules lead its DNS questions (127.0.0.11:53) to Docker", tuple(mine)
        )


# Networks, namespaces, links


def _networks(untold: Untold) -> Iterator[Group]:
    for change in untold.of("network"):
        if change.verb == "changed":
            continue
        one = change.after or change.before
        mine = untold.take(lambda other, change=change: other is change)  # type: ignore[misc]
        mine += _at(untold, {(one.machine, one.bridge)}) if one.bridge else []
        on = untold.place(one.machine, "on")
        verb = "created" if change.verb == "added" else "removed"
        links = [other for other in mine if other.subject == "link"]
        told = f"network {one.name} {verb} ({one.driver}){on}"
        addresses = [other.after.cidr for other in mine if other.subject == "address" and other.verb == "added"]
        if links and change.verb == "added":
            told += f": new bridge {one.bridge} {' '.join(addresses)}".rstrip()
        elif links:
            told += f"; its bridge {one.bridge} is gone"
        elif one.subnets:
            told += f": {', '.join(subnet.cidr for subnet in one.subnets)}"
        yield Group(SIGNS[change.verb], told, tuple(mine))


def _namespaces(untold: Untold) -> Iterator[Group]:
    for change in untold.of("namespace"):
        one = change.after or change.before
        if change.verb == "changed":
            if "name" in change.fields:
                untold.take(lambda other, change=change: other is change)  # type: ignore[misc]
                told = f"network namespace {label(change.before.name)} is now called {label(one.name)}"
                yield Group("~", told, (change,))
            continue
        mine = untold.take(lambda other, change=change: other.where == change.where and other.verb == change.verb)  # type: ignore[misc]
        on = untold.place(one.machine, "on")
        if change.verb == "added":
            yield Group("+", f"network namespace {label(one.name)} created{on}{_holds(mine)}", tuple(mine))
            continue
        ends = {
            (other.before.peer.namespace, other.before.peer.name)
            for other in mine
            if other.subject == "link" and other.before.peer is not None
        }
        mine += _at(untold, ends)
        yield Group("-", f"network namespace {label(one.name)} removed{on}{_left(_but_namespace(mine))}", tuple(mine))


def _but_namespace(mine: list[Change]) -> list[Change]:
    return [one for one in mine if one.subject != "namespace"]


def _holds(mine: list[Change]) -> str:
    links = [one.after.name for one in mine if one.subject == "link"]
    return f" with {', '.join(links)}" if links else ""


def _pairs(untold: Untold) -> Iterator[Group]:
    """veth pairs whose ends both came or both went."""
    for change in untold.of("link", "added", "removed"):
        one: Link = change.after or change.before
        peer = one.peer
        if change not in untold.items or peer is None:
            continue
        other = next(
            (
                end
                for end in untold.of("link", change.verb)
                if end.where == peer.namespace and (end.after or end.before).name == peer.name
            ),
            None,
        )
        if other is None or other is change:
            continue
        mine = _at(untold, {(change.where, one.name), (other.where, peer.name)})
        verb = "created" if change.verb == "added" else "removed"
        if change.where == other.where:
            told = f"veth pair {verb}{untold.place(change.where)}: {' and '.join(sorted((one.name, peer.name)))}"
        else:
            told = f"veth pair {verb}: {one.name} in {label(change.where)} and {peer.name} in {label(other.where)}"
        yield Group(SIGNS[change.verb], told + _addresses_of(mine), tuple(mine))


def _addresses_of(mine: list[Change]) -> str:
    addresses = [
        f"{one.owner.name} {one.after.cidr}" for one in mine if one.subject == "address" and one.verb == "added"
    ]
    return f"; {', '.join(addresses)}" if addresses else ""


def _single_links(untold: Untold) -> Iterator[Group]:
    for change in untold.of("link", "added", "removed"):
        one: Link = change.after or change.before
        mine = _at(untold, {(change.where, one.name)})
        verb = "created" if change.verb == "added" else "removed"
        extra = [
            f"a port of {one.master}" if one.master else "",
            f"on {one.parent.name}" if one.parent else "",
            f"its other end is {one.peer.name} in {label(one.peer.namespace)}" if one.peer else "",
        ]
        details = "".join(f", {word}" for word in extra if word) if change.verb == "added" else ""
        told = f"{one.kind} {one.name} {verb}{untold.place(change.where)}{details}{_addresses_of(mine)}"
        yield Group(SIGNS[change.verb], told, tuple(mine))


def _changed_links(untold: Untold) -> Iterator[Group]:
    for change in untold.of("link", "changed"):
        known = {"namespace", "name", "up", "state", "master"}
        if not set(change.fields) <= known:
            continue
        mine = untold.take(lambda other, change=change: other is change)  # type: ignore[misc]
        yield Group("~", _link_words(untold, change), tuple(mine))


def _link_words(untold: Untold, change: Change) -> str:
    before, after = change.before, change.after
    told = []
    where = untold.place(change.where)
    if "namespace" in change.fields:
        told.append(f"moved from {label(change.origin)} to {label(change.where)}")
        where = ""
    if "name" in change.fields:
        told.append(f"is now called {after.name}")
    if {"up", "state"} & set(change.fields):
        told.append(state(before, after))
    if "master" in change.fields:
        told.append(f"now a port of {after.master}" if after.master else f"no longer a port of {before.master}")
    if told[0].startswith(("moved", "is now")):
        return f"{before.name}{where} {told[0]}" + "".join(f", {one}" for one in told[1:])
    return f"{before.name}{where}: {', '.join(told)}"


# Addresses, routes, what was learned


def _addresses(untold: Untold) -> Iterator[Group]:
    for change in untold.of("address", "added", "removed"):
        if change not in untold.items:
            continue
        one = change.after or change.before
        mine = untold.take(lambda other, change=change: other is change)  # type: ignore[misc]
        mine += untold.take(
            lambda other, change=change, one=one: (
                other.subject == "route"  # type: ignore[misc]
                and other.where == change.where
                and other.verb == change.verb
                and _connected(other.after or other.before, change.owner.name, one.ip)
            )
        )
        verb = "has address" if change.verb == "added" else "no longer has address"
        route = (
            f", and a route to {(mine[1].after or mine[1].before).destination}"
            if len(mine) > 1 and change.verb == "added"
            else ""
        )
        yield Group(
            SIGNS[change.verb], f"{change.owner.name}{untold.place(change.where)} {verb} {one.cidr}{route}", tuple(mine)
        )


def _connected(route: Route, device: str, address: str) -> bool:
    return route.device == device and not route.gateway and route.source in (address, "") and route.protocol == "kernel"


def _routes(untold: Untold) -> Iterator[Group]:
    for change in untold.of("route", "added", "removed"):
        mine = untold.take(lambda other, change=change: other is change)  # type: ignore[misc]
        where = label(change.where)
        gone = " removed" if change.verb == "removed" else ""
        yield Group(SIGNS[change.verb], f"{where}: {noun(change.after or change.before)}{gone}", tuple(mine))


def _learned(untold: Untold) -> Iterator[Group]:
    """What bridges learned about who is behind which port."""
    for where, bridge in dict.fromkeys((one.where, one.after.bridge) for one in untold.of("forwarding", "added")):
        mine = untold.take(
            lambda one, where=where, bridge=bridge: (
                (one.subject, one.verb, one.where) == ("forwarding", "added", where)  # type: ignore[misc]
                and one.after.bridge == bridge
                and one.after.state == "learned"
            )
        )
        if mine:
            told = ", ".join(f"{one.after.mac} behind {one.after.device}{_owner_of(untold, one)}" for one in mine)
            yield Group("+", f"{bridge}{untold.place(where)} learned: {told}", tuple(mine))


def _owner_of(untold: Untold, change: Change) -> str:
    link = untold.link(LinkRef(change.where, change.after.device, 0))
    return f" ({label(link.peer.namespace)})" if link is not None and link.peer is not None else ""


def _neighbours(untold: Untold) -> Iterator[Group]:
    for change in untold.of("neighbour"):
        one = change.after or change.before
        where = label(change.where)
        if change.verb == "removed":
            told = f"{where} forgot where {one.address} is"
        elif change.verb == "changed" and "mac" not in change.fields:
            continue
        elif one.mac:
            told = f"{where} learned: {one.address} is at {one.mac} ({one.device})"
            if change.verb == "changed" and change.before.mac:
                told += f", no longer at {change.before.mac}"
        else:
            told = f"{where} asked for {one.address} on {one.device}: no answer yet ({one.state})"
        mine = untold.take(lambda other, change=change: other is change)  # type: ignore[misc]
        yield Group(SIGNS[change.verb], told, tuple(mine))


# Netfilter, settings

_MANY = 4


def _netfilter(untold: Untold) -> Iterator[Group]:
    """Rules, chain by chain; in one line where they are spread over many chains."""
    for where in dict.fromkeys(one.where for one in untold.items if one.subject in ("rule", "chain")):
        chains: dict[str, list[Change]] = {}
        for one in untold.items:
            if one.where == where and _is_netfilter(one):
                chains.setdefault(chain_name(one.after or one.before), []).append(one)
        untold.take(lambda one, where=where: one.where == where and _is_netfilter(one))  # type: ignore[misc]
        prefix = f"{label(where)} " if untold.place(where) else ""
        if len(chains) <= _MANY:
            for name, mine in chains.items():
                yield Group(_sign(mine), f"{prefix}{name}: {_chain_words(mine)}", tuple(mine))
            continue
        mine = [one for several in chains.values() for one in several]
        told = ", ".join(f"{name} {_numbers(several)}" for name, several in chains.items())
        yield Group(_sign(mine), f"{prefix}netfilter: {_numbers(mine)} rules: {told}", tuple(mine))


def _is_netfilter(change: Change) -> bool:
    return change.subject in ("rule", "chain") and (
        change.verb != "changed" or bool({"policy", "place"} & set(change.fields))
    )


def _sign(mine: list[Change]) -> str:
    verbs = {one.verb for one in mine}
    return SIGNS[verbs.pop()] if len(verbs) == 1 else "~"


def _numbers(mine: list[Change]) -> str:
    rules = [one for one in mine if one.subject == "rule"]
    counts = [(sign, sum(one.verb == verb for one in rules)) for verb, sign in SIGNS.items()]
    return " ".join(f"{sign}{count}" for sign, count in counts if count) or "+0"


def _chain_words(mine: list[Change]) -> str:
    told = []
    for one in mine:
        if one.subject == "chain":
            thing = one.after or one.before
            policy = f" with policy {thing.policy}" if thing.policy else ""
            words = {"added": f"new chain{policy}", "removed": "chain removed"}
            told.append(words.get(one.verb) or f"policy {one.before.policy} -> {one.after.policy}")
    rules = [one for one in mine if one.subject == "rule"]
    if len(rules) == 1 and rules[0].verb != "changed":
        one = rules[0].after or rules[0].before
        target, _, rest = rule(one).partition(" ")
        told.append(f"{SIGNS[rules[0].verb]}1 {target} rule{f' {rest}' if rest else ''}")
    elif len(rules) == 1:
        moved = rules[0]
        told.append(f"{rule(moved.after)} moved from position {moved.before.position} to {moved.after.position}")
    elif rules:
        targets = [(one.after or one.before).target or "no target" for one in rules]
        counted = ", ".join(f"{targets.count(name)} {name}" for name in dict.fromkeys(targets))
        told.append(f"{_numbers(rules)} rules ({counted})")
    return ", ".join(told)


def _settings(untold: Untold) -> Iterator[Group]:
    for change in untold.of("sysctl", "changed"):
        mine = untold.take(lambda other, change=change: other is change)  # type: ignore[misc]
        where = untold.place(change.where)
        yield Group("~", f"{change.after[0]}{where}: {change.before[1]} -> {change.after[1]}", tuple(mine))


TELLERS: tuple[Callable[[Untold], Iterator[Group]], ...] = (
    _containers,
    _endpoints,
    _dns,
    _networks,
    _namespaces,
    _pairs,
    _single_links,
    _changed_links,
    _addresses,
    _routes,
    _learned,
    _neighbours,
    _netfilter,
    _settings,
)
"""Every way of telling, in the order in which they are asked."""
