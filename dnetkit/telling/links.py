"""Tells what happened to namespaces, links, addresses and routes; pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnetkit.model import Change, Link, Route
from dnetkit.telling.untold import Group, Untold, address_words, gone_words, link_refs
from dnetkit.words import SIGNS, differences, label, noun, route_way

__all__ = ["addresses", "bridges", "changed_links", "links", "namespaces", "pairs", "routes"]


def namespaces(untold: Untold) -> Iterator[Group]:
    """Namespaces made by hand; one that went takes with it what was in it, and the other ends of its pairs."""
    for change in untold.each("namespace"):
        one = change.after or change.before
        mine = untold.take_one(change)
        what, on = noun(one), untold.place(one.machine, "on")
        if change.verb == "added":
            yield Group("+", f"{what} created{on}", tuple(mine))
        elif change.verb == "removed":
            inside = untold.take(lambda other, name=one.name: other.where == name and other.verb == "removed")  # type: ignore[misc]
            inside += untold.with_links(link_refs(inside), "removed")
            yield Group("-", f"{what} removed{on}{gone_words(inside)}", tuple(mine + inside))
        elif "name" in change.fields:
            told = f"network namespace {label(change.before.name)} is now called {label(one.name)}{on}"
            yield Group("~", told, tuple(mine))
        else:
            yield Group("~", change.text, tuple(mine))


def bridges(untold: Untold) -> Iterator[Group]:
    """Bridges, before the pairs that become their ports."""
    for change in untold.each("link", "added", "removed"):
        if (change.after or change.before).kind == "bridge":
            yield _single(untold, change)


def pairs(untold: Untold) -> Iterator[Group]:
    """veth pairs of which both ends came, or both went."""
    for change in untold.each("link", "added", "removed"):
        one: Link = change.after or change.before
        peer = one.peer
        ends = [
            other
            for other in untold.each("link", change.verb)
            if other is not change and peer is not None
            and (other.where, (other.after or other.before).name) == (peer.namespace, peer.name)
        ]  # fmt: skip
        if not ends or peer is None:
            continue
        mine = untold.with_links({(change.where, one.name), (peer.namespace, peer.name)}, change.verb)
        both = sorted(
            [(one, change.where), (ends[0].after or ends[0].before, ends[0].where)], key=lambda end: end[0].name
        )
        apart = change.where != ends[0].where
        named = [
            end.name + (f" in {label(where)}" if apart else "") + (f" (a port of {end.master})" if end.master else "")
            for end, where in both
        ]
        verb = "created" if change.verb == "added" else "removed"
        where = "" if apart else untold.place(change.where)
        yield Group(
            SIGNS[change.verb], f"veth pair {verb}{where}: {' and '.join(named)}{address_words(mine)}", tuple(mine)
        )


def links(untold: Untold) -> Iterator[Group]:
    """All other links that came or went."""
    for change in untold.each("link", "added", "removed"):
        yield _single(untold, change)


def _single(untold: Untold, change: Change) -> Group:
    one: Link = change.after or change.before
    mine = untold.with_links({(change.where, one.name)}, change.verb)
    where = untold.place(change.where)
    if one.kind == "loopback":
        return Group(SIGNS[change.verb], f"lo{where} is {'up' if one.up else 'down'}{address_words(mine)}", tuple(mine))
    if change.verb == "removed":
        return Group("-", f"{one.kind} {one.name} removed{where}", tuple(mine))
    extra = [
        f", a port of {one.master}" if one.master else "",
        f", on {one.parent.name}" if one.parent else "",
        f", its other end is {one.peer.name} in {label(one.peer.namespace)}" if one.peer else "",
    ]
    addresses = [other.after.cidr for other in mine if other.subject == "address"]
    told = f"{one.kind} {one.name} created{where}{''.join(extra)}" + (f": {', '.join(addresses)}" if addresses else "")
    return Group("+", told, tuple(mine))


def changed_links(untold: Untold) -> Iterator[Group]:
    """Links that moved, were renamed, went up or down, joined a bridge."""
    for change in untold.each("link", "changed"):
        mine = untold.take_one(change)
        told = differences(change)
        where = untold.place(change.where)
        name = change.before.name
        if "namespace" in change.fields:
            yield Group("~", f"{name} {', '.join(told)}", tuple(mine))
        elif "name" in change.fields:
            yield Group("~", f"{name}{where} {', '.join(told)}", tuple(mine))
        else:
            yield Group("~", f"{name}{where}: {', '.join(told)}", tuple(mine))


def addresses(untold: Untold) -> Iterator[Group]:
    """Addresses, each with the route to its own subnet that comes and goes with it."""
    for change in untold.each("address", "added", "removed"):
        one = change.after or change.before
        mine = untold.take_one(change)

        def follows(other: Change, change: Change = change, ip: str = one.ip) -> bool:
            same = (other.subject, other.where, other.verb) == ("route", change.where, change.verb)
            return same and _connected(other.after or other.before, change.owner.name, ip)

        mine += untold.take(follows)
        routes = [(other.after or other.before).destination for other in mine[1:]]
        verb = "has address" if change.verb == "added" else "no longer has address"
        extra = "with the route" if change.verb == "added" else "nor the route"
        told = f"{change.owner.name}{untold.place(change.where)} {verb} {one.cidr}"
        told += f", {extra} to {', '.join(routes)}" if routes else ""
        yield Group(SIGNS[change.verb], told, tuple(mine))


def _connected(route: Route, device: str, address: str) -> bool:
    own = route.device == device and not route.gateway and route.protocol == "kernel"
    return own and route.source in (address, "")


def routes(untold: Untold) -> Iterator[Group]:
    """Routes that came, went, or lead another way."""
    for change in untold.each("route"):
        one = change.after or change.before
        mine = untold.take_one(change)
        who = untold.who(change.where)
        if change.verb == "added":
            told = f"{who} has a {noun(one)}"
        elif change.verb == "removed":
            told = f"{who} lost its {noun(one)}"
        elif {"device", "gateway"} & set(change.fields):
            what = "default route" if one.destination == "default" else f"route {one.destination}"
            told = f"{who}: {what}: {route_way(change.before)} -> {route_way(one)}"
        else:
            told = change.text
        yield Group(SIGNS[change.verb], told, tuple(mine))
