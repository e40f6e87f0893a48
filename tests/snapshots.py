"""Snapshots that never were: of every shape that the model allows, for properties that hold for all of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from dnetkit.model import (
    Address,
    Chain,
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
unavailable = st.builds(Unavailable, st.sampled_from(["rules", "links", "the engine of a"]), names)


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    made: list[Rule] = []
    for chain in draw(parts(names, most=2)):
        for number, text in enumerate(draw(st.lists(st.sampled_from(["-j A", "-j B", "-j C"]), max_size=4)), 1):
            made.append(Rule("nat", chain, number, text, draw(numbers), draw(numbers)))
    return tuple(made)


namespaces = st.builds(
    Namespace, names, st.sampled_from(["host", "container", "named"]), names, numbers,
    links=parts(links, (lambda one: one.name, lambda one: one.index)), routes=parts(routes),
    neighbours=parts(neighbours), forwarding=parts(forwarding),
    chains=parts(chains, lambda one: (one.table, one.name)), rules=rules(),
    sysctls=parts(sysctls, lambda one: one[0]), unavailable=parts(unavailable),
)  # fmt: skip
endpoints = st.builds(Endpoint, names, names, names, link=refs, host_link=refs)
ports = st.builds(PublishedPort, st.just("0.0.0.0"), numbers, numbers)
containers = st.builds(
    Container, names, names, names, names, st.sampled_from(["running", "exited", "paused"]),
    st.sampled_from(["default", "host", "container:a"]), namespace=names,
    endpoints=parts(endpoints, (lambda one: one.network, lambda one: one.network_id)), ports=parts(ports),
)  # fmt: skip
networks = st.builds(Network, names, names, names, names, subnets=parts(st.builds(Subnet, names)), bridge=names)
machines = st.builds(Machine, names, st.sampled_from(["host", "client"]), names, names)

snapshots = st.builds(
    Snapshot, st.floats(0, 9), st.floats(0, 9), names, parts(machines, lambda one: one.name),
    parts(namespaces, lambda one: one.name),
    parts(networks, (lambda one: (one.machine, one.id), lambda one: (one.machine, one.name))),
    parts(containers, (lambda one: (one.machine, one.id), lambda one: (one.machine, one.name))),
    parts(unavailable),
)  # fmt: skip
