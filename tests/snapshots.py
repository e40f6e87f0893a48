"""Snapshots that never were: of every shape that the model allows, for properties that hold for all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from dnetkit.model import (
    Address,
    Chain,
    Connection,
    Container,
    Endpoint,
    File,
    Flow,
    ForwardingEntry,
    Link,
    LinkRef,
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
    Subnet,
    Unavailable,
)

# Few values, so that the snapshots of a pair have much in common, and names and numbers are used again.
names = st.sampled_from(["a", "b", "c", "d"])
numbers = st.integers(0, 3)
macs = st.sampled_from(["", "aa:00:00:00:00:01", "aa:00:00:00:00:02", "01:00:5e:00:00:01"])
refs = st.none() | st.builds(LinkRef, names, names, numbers)


def parts(one: st.SearchStrategy[Any], key: Any = None, most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=most, unique_by=key or (lambda thing: thing)).map(tuple)


addresses = st.builds(
    Address, st.sampled_from(["10.0.0.1/24", "10.0.0.2/24", "fe80::1/64"]), st.sampled_from(["global", "link"])
)
links = st.builds(
    Link, index=numbers, name=names, kind=st.sampled_from(["veth", "bridge", "loopback"]), mac=macs, mtu=st.just(1500),
    up=st.booleans(), state=st.sampled_from(["UP", "DOWN"]), master=st.none() | names, peer=refs, parent=refs,
    addresses=parts(addresses, lambda one: one.cidr),
)  # fmt: skip
routes = st.builds(
    Route, st.sampled_from(["default", "10.0.0.0/24"]), names, names, table=st.sampled_from(["main", "local"]),
    family=st.sampled_from([4, 6]),
)  # fmt: skip
neighbours = st.builds(Neighbour, names, names, macs, st.sampled_from(["REACHABLE", "STALE", "FAILED"]))
forwarding = st.builds(ForwardingEntry, macs, names, names, st.sampled_from(["learned", "permanent"]), numbers)
chains = st.builds(Chain, names, names, st.sampled_from(["", "ACCEPT", "DROP"]), numbers, numbers)
sysctls = st.tuples(names, names)
policy_rules = st.builds(PolicyRule, numbers, table=names)
memberships = st.builds(Membership, names, names, st.just(4), numbers)
groups = st.builds(MulticastGroup, names, names, names, st.sampled_from(["temp", "permanent"]))
sets = st.builds(NamedSet, names, names, elements=parts(names))
flows = st.builds(Flow, names, names, numbers, numbers)
connections = st.builds(Connection, st.just("tcp"), flows, flows, timeout=numbers)
processes = st.builds(Process, numbers, names)
sockets = st.builds(
    Socket, st.sampled_from(["tcp", "udp"]), names, numbers, st.sampled_from(["LISTEN", "UNCONN"]),
    processes=parts(processes), inode=numbers,
)  # fmt: skip
files = st.builds(File, st.sampled_from(["/etc/hosts", "/etc/hostname"]), st.sampled_from(["", "a\nb\n", "b\nc\n"]))
unavailable = st.builds(Unavailable, st.sampled_from(["rules", "links", "the engine of a"]), names)


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    made: list[Rule] = []
    for chain in draw(parts(names, most=2)):
        for number, text in enumerate(draw(st.lists(st.sampled_from(["-j A", "-j B", "-j C"]), max_size=4)), 1):
            made.append(Rule("nat", chain, number, text, draw(numbers), draw(numbers)))
    return tuple(made)


namespaces = st.builds(
    Namespace, names, st.sampled_from(["host", "container", "named", "unnamed"]), names, numbers,
    links=parts(links, (lambda one: one.name, lambda one: one.index)), routes=parts(routes),
    neighbours=parts(neighbours), forwarding=parts(forwarding),
    chains=parts(chains, lambda one: (one.table, one.name)), rules=rules(),
    sysctls=parts(sysctls, lambda one: one[0]), unavailable=parts(unavailable),
    policy_rules=parts(policy_rules), memberships=parts(memberships), groups=parts(groups),
    sets=parts(sets, lambda one: (one.table, one.name)), connections=parts(connections, most=2),
    sockets=parts(sockets, most=2), processes=parts(processes, most=2),
)  # fmt: skip
endpoints = st.builds(Endpoint, names, names, names, link=refs, host_link=refs)
ports = st.builds(PublishedPort, st.just("0.0.0.0"), numbers, numbers)
containers = st.builds(
    Container, names, names, names, names, st.sampled_from(["running", "exited", "paused"]),
    st.sampled_from(["default", "host", "container:a"]), namespace=names,
    endpoints=parts(endpoints, lambda one: one.network), ports=parts(ports), pid=numbers,
    files=parts(files, lambda one: one.path, 2),
)  # fmt: skip
networks = st.builds(Network, names, names, names, names, subnets=parts(st.builds(Subnet, names)), bridge=names)
machines = st.builds(Machine, names, st.sampled_from(["host", "client"]), names, names, parts(sysctls, most=2))

snapshots = st.builds(
    Snapshot, st.floats(0, 9), st.floats(0, 9), names, parts(machines, lambda one: one.name),
    parts(namespaces, lambda one: one.name),
    parts(networks, (lambda one: (one.machine, one.id), lambda one: (one.machine, one.name))),
    parts(containers, (lambda one: (one.machine, one.id), lambda one: (one.machine, one.name))),
    parts(unavailable),
)  # fmt: skip


@st.composite
def journeys(draw: st.DrawFn) -> tuple[Snapshot, Snapshot]:
    """A snapshot and what became of it: namespaces renamed, ended, begun, in another order; links that moved."""
    before, other = draw(snapshots), draw(snapshots)
    spaces = draw(st.permutations([*before.namespaces, *other.namespaces]))[: draw(st.integers(0, 4))]
    called = draw(st.permutations(["a", "b", "c", "d", "e", "f"]))
    renamed = draw(st.booleans())
    made: dict[str, Namespace] = {}
    for number, space in enumerate(spaces):
        name = called[number] if renamed else space.name
        made.setdefault(name, replace(space, name=name))
    for start in list(made):
        target = draw(st.sampled_from(sorted(made)))
        links = made[start].links
        free = all(links[0].name != one.name and links[0].index != one.index for one in made[target].links if links)
        if start != target and links and free:
            made[start] = replace(made[start], links=links[1:])
            made[target] = replace(made[target], links=(*made[target].links, links[0]))
    containers_ = tuple(draw(st.permutations(before.containers)))
    return before, replace(other, namespaces=tuple(made.values()), containers=containers_)
