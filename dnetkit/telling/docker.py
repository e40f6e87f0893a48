"""Tells what happened to containers and Docker networks; pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnetkit.model import Change, Container, Endpoint, Link, Namespace, Network
from dnetkit.telling.untold import Group, Untold, gone_words, link_refs, own_namespace
from dnetkit.words import SIGNS, label, reason

__all__ = ["containers", "dns", "endpoints", "engines", "gone_networks", "new_networks", "overlays"]

_MANY = 5
"""Up to so many containers that were removed are told one by one."""


def engines(untold: Untold) -> Iterator[Group]:
    """An engine that stopped or began to answer."""
    for change in untold.each("unavailable"):
        gap = change.after or change.before
        if change.where or not gap.what.startswith("the engine of "):
            continue
        told = f"{gap.what} does not answer ({reason(gap)}): its networks and containers are not known"
        if change.verb == "removed":
            told = f"{gap.what} answers again; what became of its containers in between was not seen"
        yield Group("-" if change.verb == "added" else "+", told, tuple(untold.take_one(change)))


def containers(untold: Untold) -> Iterator[Group]:
    """Containers that went, came, or changed, each with its namespace and its links."""
    for verb in ("removed", "changed", "added"):
        told = []
        for change in untold.each("container", verb):
            if _follows_an_endpoint(untold, change):
                continue
            mine = _with_container(untold, change)
            told.append(Group(SIGNS[verb], _container_words(untold, change, mine), tuple(mine)))
        yield from [_many_removed(told)] if verb == "removed" and len(told) > _MANY else told


def _follows_an_endpoint(untold: Untold, change: Change) -> bool:
    """Whether only its files changed, as they do when it joins or leaves a network: told with that."""
    return change.fields == ("files",) and any(
        other.verb in ("added", "removed") and _is_of(other, change.after) for other in untold.each("endpoint")
    )


def _many_removed(groups: list[Group]) -> Group:
    members = tuple(one for group in groups for one in group.members)
    names = [group.members[0].before.name for group in groups]
    running = any(one.subject == "namespace" for one in members)
    gone = "; gone with them: their network namespaces and links" if running else ""
    named = ", ".join(names if len(names) < 2 * _MANY else names[:_MANY])
    named += f" and {len(names) - _MANY} more" if len(names) >= 2 * _MANY else ""
    return Group("-", f"{len(names)} containers removed: {named}{gone}", members)


def _with_container(untold: Untold, change: Change) -> list[Change]:
    """The container's change, its endpoints and ports, its namespace and what is in it, the other ends of its links."""
    mine = untold.take_one(change)
    mine += untold.take(lambda other: _is_of(other, change.after or change.before))
    for verb, container in (("removed", change.before), ("added", change.after)):
        if container is not None and container.namespace and own_namespace(container):
            mine += _with_namespace(untold, container.namespace, verb)
    if change.verb == "changed" and "name" in change.fields:
        spaces = (change.before.namespace, change.after.namespace)
        mine += untold.take(
            lambda other: (
                (other.subject, other.verb) == ("namespace", "changed")
                and (other.before.name, other.after.name) == spaces
            )
        )
    return mine


def _is_of(change: Change, container: Container) -> bool:
    """Whether it is about an endpoint or a port of the container."""
    return change.subject in ("endpoint", "port") and (change.owner.machine, change.owner.id) == (
        container.machine,
        container.id,
    )


def _with_namespace(untold: Untold, name: str, verb: str) -> list[Change]:
    """A namespace that came or went, what is in it (but the way to Docker's DNS), and the other ends of its links."""
    whole = any(one.where == name and one.verb == verb for one in untold.each("namespace"))
    if not whole:
        return []
    mine = untold.take(lambda other: other.where == name and other.verb == verb and not _is_dns(other))
    return mine + untold.with_links(link_refs(mine), verb)


def _container_words(untold: Untold, change: Change, mine: list[Change]) -> str:
    one: Container = change.after or change.before
    name, on = f"container {one.name}", untold.place(one.machine, "on")
    if change.verb == "removed":
        return f"{name} removed{on}{gone_words(mine)}"
    if change.verb == "added":
        if one.state == "running":
            return f"{name} started ({one.image}){on}{_given(untold, one)}"
        how = "created" if one.state == "created" else "ran and exited" if one.state == "exited" else one.state
        return f"{name} {how} ({one.image}){on}"
    before: Container = change.before
    if "name" in change.fields:
        name = f"container {before.name}{on} is now called {one.name}"
        if "state" not in change.fields:
            return name
        name += ", and"
    if "state" in change.fields:
        return f"{name} {_state_words(untold, before, one, mine)}"
    return change.text


def _state_words(untold: Untold, before: Container, after: Container, mine: list[Change]) -> str:
    on = untold.place(after.machine, "on")
    states = (before.state, after.state)
    if states == ("running", "paused"):
        return f"paused{on}"
    if states == ("paused", "running"):
        return f"resumed{on}"
    if after.state == "running":
        return f"started{on}{_given(untold, after)}"
    if before.state in ("running", "paused"):
        how = "stopped" if after.state == "exited" else f"stopped ({after.state})"
        return f"{how}{on}{gone_words(mine)}"
    return f"{before.state} -> {after.state}{on}"


def _given(untold: Untold, one: Container, word: str = "joined") -> str:
    """What a container that started was given."""
    if one.network_mode == "host":
        told = f", in {one.machine}'s own network namespace"
    elif one.network_mode.startswith("container:"):
        told = f", in the network namespace of {label(one.namespace) or 'another container'}"
    elif one.network_mode == "none":
        told = ", with no network but its own lo"
    elif len(one.endpoints) == 1:
        told = f", {word} network {one.endpoints[0].network}{_place_of(untold, one.endpoints[0])}"
    elif one.endpoints:
        several = [f"{end.network} ({_link_and_address(end)})" for end in one.endpoints]
        told = f", {word} networks {' and '.join((', '.join(several[:-1]), several[-1]))}"
    else:
        told = ", without a network"
    ports = sorted({f"{port.host_port}->{port.container_port}/{port.protocol}" for port in one.ports})
    return told + (f"; publishes {', '.join(ports)}" if ports else "")


def _link_and_address(end: Endpoint) -> str:
    return " ".join(filter(None, (end.link.name if end.link else "", end.address, end.address6))) or "no address yet"


def _place_of(untold: Untold, end: Endpoint) -> str:
    """': eth0 172.17.0.2/16; its other end vethX is a new port of docker0'."""
    told = f": {_link_and_address(end)}" if end.link is not None or end.address else ""
    link, host = untold.link(end.link), untold.link(end.host_link)
    if host is not None and end.host_link is not None:
        there = f"is a new port of {host.master}" if host.master else f"lies in {label(end.host_link.namespace)}"
        return f"{told}; its other end {host.name} {there}"
    if link is not None and link.parent is not None:
        article = "an" if link.kind.startswith("i") else "a"  # ipvlan, macvlan
        return f"{told}, {article} {link.kind} on {link.parent.name}"
    return told


def endpoints(untold: Untold) -> Iterator[Group]:
    """A container that joined or left a network while it ran, or was restarted."""
    for change in untold.each("endpoint"):
        one: Container = change.owner
        if any(space.where == one.namespace for space in untold.each("namespace")) and own_namespace(one):
            yield _restarted(untold, one)
            continue
        end: Endpoint = change.after or change.before
        mine = untold.take_one(change)
        on = untold.place(one.machine, "on")
        told = change.text
        if change.verb != "changed":
            mine += [
                taken for other in untold.each("container") if other.after == one for taken in untold.take_one(other)
            ]
            refs = {(ref.namespace, ref.name) for ref in (end.link, end.host_link) if ref is not None}
            mine += untold.with_links(refs, change.verb)
            told = f"container {one.name}{on} joined network {end.network}{_place_of(untold, end)}"
        if change.verb == "removed":
            told = f"container {one.name}{on} left network {end.network}{gone_words(mine, 'gone')}"
        yield Group(SIGNS[change.verb], told, tuple(mine))


def _restarted(untold: Untold, one: Container) -> Group:
    mine = untold.take(lambda other: _is_of(other, one))
    before = {ip for other in mine if other.before is not None and (ip := getattr(other.before, "address", ""))}
    before -= {end.address for end in one.endpoints}
    gone = _with_namespace(untold, one.namespace, "removed")
    mine += gone + _with_namespace(untold, one.namespace, "added")
    told = f"container {one.name} restarted{untold.place(one.machine, 'on')}, in a new network namespace"
    told += _given(untold, one, "back on") + (f"; before it had {', '.join(sorted(before))}" if before else "")
    return Group("~", told + gone_words([other for other in gone if other.where != one.namespace], "gone"), tuple(mine))


def overlays(untold: Untold) -> Iterator[Group]:
    """What an engine lays out for an overlay network when its first container comes, and takes away with the last."""
    for change in untold.each("namespace", "added", "removed"):
        one: Namespace = change.after or change.before
        if one.kind != "engine":
            continue
        mine = untold.take(lambda other, one=one, verb=change.verb: other.where == one.name and other.verb == verb)  # type: ignore[misc]
        mine += untold.with_links(link_refs(mine), change.verb)
        what, _, network = one.label.partition(":")
        use = {"overlay": f"the bridge of network {network}", "balancer": f"the load balancer of network {network}"}
        told = (
            f"the engine {'made' if change.verb == 'added' else 'removed'} a namespace{untold.place(one.machine, 'on')}"
        )
        told += f" for {use.get(what, network)}"
        if change.verb == "added":
            links = [
                _laid_out(link) for link in one.links if link.kind != "loopback" and not _of_container(untold, link)
            ]
            told += f": {', '.join(links)}" if links else ""
        yield Group(SIGNS[change.verb], told, tuple(mine))


def _laid_out(link: Link) -> str:
    """'br0 10.0.1.1/24', 'vxlan0 (vxlan id 4097, port 4789)'."""
    kind = [f"{link.kind} id {link.parameter('id')}, port {link.parameter('port')}"] if link.kind == "vxlan" else []
    return " ".join([link.name, *(address.cidr for address in link.addresses), *(f"({told})" for told in kind)])


def _of_container(untold: Untold, link: Link) -> bool:
    there = untold.space(link.peer.namespace) if link.peer is not None else None
    return there is not None and there.kind == "container"


def _is_dns(change: Change) -> bool:
    """A rule or chain, in a container, that leads its questions for names to Docker's own DNS server."""
    if change.verb != "added" or change.subject not in ("rule", "chain"):
        return False
    name = change.after.name if change.subject == "chain" else change.after.chain
    return name in ("DOCKER_OUTPUT", "DOCKER_POSTROUTING") or (
        change.subject == "rule" and "127.0.0.11" in change.after.text
    )


def dns(untold: Untold) -> Iterator[Group]:
    """What an engine puts into a container's namespace, so that 127.0.0.11 answers there."""
    for where in dict.fromkeys(one.where for one in untold.items if _is_dns(one)):

        def mine_is(change: Change, where: str = where) -> bool:
            listens = (change.subject, change.verb) == ("socket", "added") and change.after.local == "127.0.0.11"
            return change.where == where and (_is_dns(change) or listens)

        mine = untold.take(mine_is)
        count = sum(one.subject == "rule" for one in mine)
        told = f"{label(where)}: {count} nat rules lead its DNS questions (127.0.0.11:53) to the engine"
        yield Group("+", told, tuple(mine))


def new_networks(untold: Untold) -> Iterator[Group]:
    """Networks that were created, before the containers that joined them."""
    for change in untold.each("network", "added"):
        mine, bridged = _with_bridge(untold, change)
        one: Network = change.after
        addresses = [other.after.cidr for other in mine if other.subject == "address"]
        pools = ", ".join(subnet.cidr for subnet in one.subnets)
        what = f": new bridge {' '.join([one.bridge, *addresses])}" if bridged else f": {pools}" if pools else ""
        if one.driver in ("macvlan", "ipvlan") and one.link is not None:
            what += f", on {one.link.name}"
        on = untold.place(one.machine, "on")
        yield Group("+", f"network {one.name} created ({one.driver}){on}{what}", tuple(mine))


def gone_networks(untold: Untold) -> Iterator[Group]:
    """Networks that were removed, after the containers that left them."""
    for change in untold.each("network", "removed"):
        mine, bridged = _with_bridge(untold, change)
        one: Network = change.before
        told = f"network {one.name} removed{untold.place(one.machine, 'on')}"
        yield Group("-", told + (f"; its bridge {one.bridge} is gone" if bridged else ""), tuple(mine))


def _with_bridge(untold: Untold, change: Change) -> tuple[list[Change], bool]:
    """A network's change with those of its bridge, and whether it had one."""
    one: Network = change.after or change.before
    mine = untold.take_one(change)
    mine += untold.with_links({(one.machine, one.bridge)} if one.bridge else set(), change.verb)
    return mine, any(other.subject == "link" for other in mine)
