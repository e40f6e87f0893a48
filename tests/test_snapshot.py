"""A snapshot says of a real network what the usual tools say of it, fact by fact."""

from __future__ import annotations

import ipaddress
import json
import threading
from typing import Any

import pytest
from waiting import wait_for

from dnetkit.lab import Lab
from dnetkit.model import Namespace, Snapshot

SPACES = ("host1", "client", "host1/web", "host1/db", "host1/netns:blue", "host1/alone")
"""The namespaces of the network below."""


@pytest.fixture(scope="module")
def network(lab: Lab) -> Lab:
    """Two containers on two networks, one with a published port, one without a network; a namespace made by hand."""
    lab.host.run(
        """
        docker network create --subnet 10.5.0.0/24 back
        docker run -d --name web -p 8080:80 -p 127.0.0.1:5353:53/udp busybox sleep 10000
        docker network connect --ip 10.5.0.77 back web
        docker run -d --name db --network back --network-alias store busybox sleep 10000
        docker run -d --name alone --network none busybox sleep 10000
        docker run -d --name near --network container:web busybox sleep 10000
        docker run -d --name bare --network host busybox sleep 10000
        docker create --name asleep busybox
        ip netns add blue
        ip link add v0 type veth peer name v0 netns blue
        ip link add link eth0 name v0.up type macvlan mode bridge
        ip addr add 192.0.2.1/30 dev v0
        ip -6 addr add 2001:db8::1/64 dev v0 nodad
        ip link set v0 up
        ip -n blue addr add 192.0.2.2/30 dev v0
        ip -n blue link set v0 up
        ip -n blue route add default via 192.0.2.1 metric 7
        ip route add blackhole 203.0.113.0/24
        ip route add 203.0.113.128/25 dev v0 table 77
        iptables -t nat -N MINE
        iptables -t nat -A MINE -p tcp --dport 1 -m comment --comment 'two words' -j RETURN
        iptables -A FORWARD -s 192.0.2.2 -j DROP
        ip6tables -A INPUT -p tcp --dport 22 -j ACCEPT
        ping -c 1 192.0.2.2
        ping -c 1 172.17.0.2
        """
    )
    lab.host.container("web").run("ping -c 1 store; ping -c 1 172.17.0.1")
    wait_for("IPv6 is settled", lambda: not any(inside(lab, space, "ip -6 addr show tentative") for space in SPACES))
    return lab


@pytest.fixture(scope="module")
def snapshot(network: Lab) -> Snapshot:
    return network.snapshot()


def inside(lab: Lab, space: str, command: str) -> str:
    """What a command of the host says in a namespace."""
    machine, _, name = space.partition("/")
    if not name:
        return lab.machine(machine).run(command).stdout
    enter = f"ip netns exec {name[6:]}"
    if not name.startswith("netns:"):
        enter = f"nsenter -n -t $(docker inspect -f '{{{{.State.Pid}}}}' {name})"
    return lab.host.run(f"{enter} {command}").stdout


def told(lab: Lab, space: str, command: str) -> list[dict[str, Any]]:
    return [entry for entry in json.loads(inside(lab, space, command) or "[]") if entry]


def space_of(snapshot: Snapshot, name: str) -> Namespace:
    found = snapshot.namespace(name)
    assert found is not None, [space.name for space in snapshot.namespaces]
    assert not found.unavailable
    return found


@pytest.mark.live
def test_every_namespace_is_there_once(snapshot: Snapshot) -> None:
    assert {space.name for space in snapshot.namespaces} == {"lan", *SPACES}
    assert snapshot.unavailable == ()
    assert snapshot.duration < 5


@pytest.mark.live
@pytest.mark.parametrize("name", SPACES)
def test_links_and_addresses_are_those_of_ip(network: Lab, snapshot: Snapshot, name: str) -> None:
    links = {link.index: link for link in space_of(snapshot, name).links}
    said = {entry["ifindex"]: entry for entry in told(network, name, "ip -j -d addr")}
    assert links.keys() == said.keys()
    for index, entry in said.items():
        link = links[index]
        assert (link.name, link.mac, link.mtu, link.state, link.master) == (
            entry["ifname"], entry["address"], entry["mtu"], entry["operstate"], entry.get("master"),
        )  # fmt: skip
        assert link.up == ("UP" in entry["flags"])
        assert link.kind == entry.get("linkinfo", {}).get("info_kind", "loopback")
        assert {(a.cidr, a.scope) for a in link.addresses} == {
            (f"{a['local']}/{a['prefixlen']}", a["scope"]) for a in entry["addr_info"]
        }
        near = [n for n, candidate in said.items() if candidate["ifname"] == entry.get("link")]
        other = near[0] if near else entry.get("link_index", 0)
        assert (link.peer_index or 0) == other
        if link.kind == "veth":
            assert link.peer is not None
            assert link.peer.index == other


@pytest.mark.live
def test_the_ends_of_a_pair_point_at_each_other(snapshot: Snapshot) -> None:
    links = {(space.name, link.index): link for space in snapshot.namespaces for link in space.links}
    pairs = [(place, link) for place, link in links.items() if link.kind == "veth"]
    assert len(pairs) == 2 * (3 + 1 + 2), "three of containers, one by hand, two to the LAN"
    for (space, index), link in pairs:
        assert link.peer is not None
        back = links[(link.peer.namespace, link.peer.index)].peer
        assert back is not None
        assert (back.namespace, back.index, back.name) == (space, index, link.name)
    up = space_of(snapshot, "host1").link("v0.up")
    assert up is not None
    assert up.parent is not None
    assert (up.parent.namespace, up.parent.name) == ("host1", "eth0")


@pytest.mark.live
@pytest.mark.parametrize("name", SPACES)
def test_routes_are_those_of_ip(network: Lab, snapshot: Snapshot, name: str) -> None:
    kinds = {"1": "unicast", "2": "local", "3": "broadcast", "4": "anycast", "5": "multicast", "6": "blackhole"}
    tables = {"255": "local", "254": "main", "253": "default"}
    said = set()
    for family, length in ((4, 32), (6, 128)):
        for route in told(network, name, f"ip -j -N -{family} route show table all"):
            to = route["dst"] if route["dst"] == "default" or "/" in route["dst"] else f"{route['dst']}/{length}"
            kind, table = str(route.get("type", "1")), str(route.get("table", "254"))
            place = (to, tables.get(table, table), kinds.get(kind, kind), route.get("metric", 0), family)
            said.add((*place, route.get("dev", ""), route.get("gateway", ""), route.get("prefsrc", "")))
    ours = {
        (r.destination, r.table, r.kind, r.metric, r.family, r.device, r.gateway, r.source)
        for r in space_of(snapshot, name).routes
    }
    assert ours == said


@pytest.mark.live
def test_the_forwarding_database_is_that_of_bridge(network: Lab, snapshot: Snapshot) -> None:
    said = {
        (entry["mac"], entry["ifname"], entry.get("master", "")) for entry in told(network, "host1", "bridge -j fdb")
    }
    assert {(e.mac, e.device, e.bridge) for e in space_of(snapshot, "host1").forwarding} == said
    web = snapshot.container("web")
    assert web is not None
    learned = {e.mac: e for e in space_of(snapshot, "host1").forwarding if e.state == "learned"}
    endpoint = web.endpoint("bridge")
    assert endpoint is not None
    assert learned[endpoint.mac].bridge == "docker0"


@pytest.mark.live
def test_neighbours_are_those_of_ip(network: Lab, snapshot: Snapshot) -> None:
    for name in ("host1", "host1/web", "host1/netns:blue"):
        said = {(entry["dst"], entry["dev"], entry.get("lladdr", "")) for entry in told(network, name, "ip -j neigh")}
        ours = {(n.address, n.device, n.mac) for n in space_of(snapshot, name).neighbours}
        assert ours == said
        assert ours, f"{name} has spoken with someone"


@pytest.mark.live
@pytest.mark.parametrize("name", ["host1", "host1/db", "client"])
@pytest.mark.parametrize("family", [4, 6])
def test_rules_are_those_of_iptables_save(network: Lab, snapshot: Snapshot, name: str, family: int) -> None:
    program = "iptables-save -c" if family == 4 else "ip6tables-save -c"
    said: dict[tuple[str, str], list[str]] = {}
    policies, table = {}, ""
    for line in inside(network, name, program).splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            policies[(table, chain)] = policy.strip("-")
        elif line.startswith("["):
            chain, _, text = line.partition("] -A ")[2].partition(" ")
            said.setdefault((table, chain), []).append(text)
    space = space_of(snapshot, name)
    rules = [rule for rule in space.rules if rule.family == family]
    ours: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        ours.setdefault((rule.table, rule.chain), []).append(rule.text)
    assert ours == said
    chains = {(chain.table, chain.name): chain.policy for chain in space.chains if chain.family == family}
    assert chains.items() <= policies.items()
    assert {policy for chain, policy in policies.items() if chain not in chains} <= {"ACCEPT"}, "those it makes up"
    if (name, family) == ("host1", 4):
        assert any('--comment "two words"' in rule.text for rule in rules)
        assert any(rule.packets for rule in rules), "the pings were counted"


@pytest.mark.live
def test_networks_are_those_of_docker(network: Lab, snapshot: Snapshot) -> None:
    said = json.loads(network.host.run("docker network inspect $(docker network ls -q)").stdout)
    assert {n.id for n in snapshot.networks} == {entry["Id"] for entry in said}
    for entry in said:
        found = snapshot.network(entry["Name"])
        assert found is not None
        assert (found.driver, found.scope, found.internal) == (entry["Driver"], entry["Scope"], entry["Internal"])
        pools = [(pool.get("Subnet"), pool.get("Gateway", "")) for pool in entry["IPAM"]["Config"] or []]
        assert [(subnet.cidr, subnet.gateway) for subnet in found.subnets] == pools
        if found.driver == "bridge":
            link = space_of(snapshot, "host1").link(found.bridge)
            assert link is not None
            assert link.kind == "bridge"
        for identity, end in entry["Containers"].items():
            container = next(c for c in snapshot.containers if c.id == identity)
            endpoint = container.endpoint(entry["Name"])
            assert endpoint is not None
            assert (endpoint.address, endpoint.mac) == (end["IPv4Address"], end["MacAddress"])


@pytest.mark.live
def test_containers_are_those_of_docker(network: Lab, snapshot: Snapshot) -> None:
    said = json.loads(network.host.run("docker inspect $(docker ps -aq)").stdout)
    assert {c.name: (c.id, c.state, c.image) for c in snapshot.containers} == {
        entry["Name"][1:]: (entry["Id"], entry["State"]["Status"], entry["Config"]["Image"]) for entry in said
    }
    places = {c.name: c.namespace for c in snapshot.containers}
    assert places.pop("near") == "host1/web"
    assert places == {"web": "host1/web", "db": "host1/db", "alone": "host1/alone", "bare": "host1", "asleep": ""}
    web = snapshot.container("web")
    assert web is not None
    assert {(p.host_address, p.host_port, p.container_port, p.protocol) for p in web.ports} >= {
        ("0.0.0.0", 8080, 80, "tcp"),
        ("127.0.0.1", 5353, 53, "udp"),
    }
    for endpoint in web.endpoints:
        assert endpoint.link is not None
        assert endpoint.host_link is not None
        inner = next(link for link in space_of(snapshot, "host1/web").links if link.index == endpoint.link.index)
        assert endpoint.address in {address.cidr for address in inner.addresses}
        outer = space_of(snapshot, "host1").link(endpoint.host_link.name)
        assert outer is not None
        network_of = snapshot.network(endpoint.network)
        assert network_of is not None
        assert outer.master == network_of.bridge
        assert ipaddress.ip_interface(endpoint.address).network == ipaddress.ip_network(network_of.subnets[0].cidr)


@pytest.mark.live
def test_a_snapshot_survives_being_written_down(snapshot: Snapshot) -> None:
    assert Snapshot.from_json(snapshot.to_json()) == snapshot


@pytest.mark.live
def test_what_is_gone_is_gone_from_the_next_snapshot(network: Lab) -> None:
    network.host.run("docker rm -f bare near; ip netns del blue; docker stop -t 0 db")
    after = network.snapshot()
    assert after.namespace("host1/netns:blue") is None
    assert after.namespace("host1/db") is None
    assert space_of(after, "host1").link("v0") is None
    db = after.container("db")
    assert db is not None
    assert (db.state, db.namespace, db.ports) == ("exited", "", ())
    assert after.container("bare") is None
    network.host.run("docker start db; ip link del v0.up; ip route del blackhole 203.0.113.0/24", check=False)


@pytest.mark.live
def test_snapshots_taken_while_containers_come_and_go_never_fail(lab: Lab) -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            lab.host.run("docker run --rm busybox true; ip netns add x; ip netns del x")

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        for _ in range(10):
            taken = lab.snapshot()
            assert taken.namespace("host1") is not None
            assert not taken.unavailable
    finally:
        stop.set()
        worker.join()
