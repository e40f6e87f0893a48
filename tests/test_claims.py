"""Each claim holds on the sample lab, and each has a sabotage that turns it red."""

import dataclasses

import pytest
from fake_lab import change_link, change_namespace, snapshot

from dnetkit.checks import evaluate
from dnetkit.claims import CLAIMS
from dnetkit.model import (
    Address,
    Chain,
    Container,
    Link,
    LinkRef,
    Neighbour,
    Network,
    Process,
    PublishedPort,
    Route,
    Rule,
    Socket,
    Unavailable,
)

S = snapshot()
HOST = S.namespace("host1")
WEB = S.namespace("host1/web")


def with_web(**fields):
    containers = tuple(dataclasses.replace(c, **fields) if c.name == "web" else c for c in S.containers)
    return dataclasses.replace(S, containers=containers)


def host(**fields):
    return change_namespace(S, "host1", **fields)


EXTRA = Link(9, "dummy0", "dummy", "aa:00:00:00:00:09", 1500, True, "UP", "docker0")
ROUTED = change_namespace(S, "client", routes=(Route("default", "eth0", "198.51.100.1"),))
SABOTAGE = {
    'link_exists("host1", "docker0", kind="bridge")': host(links=()),
    'link_exists("web", "eth0")': change_namespace(S, "host1/web", links=()),
    'no_link("host1", "dummy0")': host(links=(*HOST.links, EXTRA)),
    'link_state("host1", "docker0", "UP")': change_link(S, "host1", "docker0", state="DOWN"),
    'pair("web", "eth0", "host1")': change_link(S, "host1/web", "eth0", peer=LinkRef("client", "veth5", 5)),
    'pair("web", "eth0", "host1", "veth5")': change_link(S, "host1/web", "eth0", peer=LinkRef("host1", "veth6", 6)),
    'pair("host1", "veth5", "web")': change_link(S, "host1", "veth5", peer=None),
    'port_of("host1", other_end("web", "eth0"), "docker0")': change_link(S, "host1", "veth5", master=None),
    'ports("host1", "docker0", 1)': host(links=(*HOST.links, EXTRA)),
    'has_address("web", "eth0", within="172.17.0.0/16")': change_link(
        S, "host1/web", "eth0", addresses=(Address("10.0.0.1/8"),)
    ),
    'has_address("web", "eth0", "172.17.0.2")': change_link(
        S, "host1/web", "eth0", addresses=(Address("172.17.0.22/16"),)
    ),
    'has_address("host1", "docker0", "172.17.0.1/16")': change_link(S, "host1", "docker0", addresses=()),
    'locally_administered("web", "eth0")': change_link(S, "host1/web", "eth0", mac="00:16:3e:00:00:04"),
    'no_address("host1", "veth5")': change_link(S, "host1", "veth5", addresses=(Address("172.17.0.5/16"),)),
    'route("web", "default", via=address_of("host1", "docker0"))': change_namespace(
        S, "host1/web", routes=(Route("default", "eth0", "172.17.0.254"),)
    ),
    'route("web", "172.17.0.0/16", dev="eth0")': change_namespace(S, "host1/web", routes=WEB.routes[:1]),
    'no_route("client", "default")': ROUTED,
    'rule("host1", "nat", "POSTROUTING", target="MASQUERADE", contains="172.17.0.0/16")': host(rules=()),
    'rule("host1", "nat", "POSTROUTING", contains=("172.17.0.0/16", "! -o docker0"), packets=3)': host(
        rules=(dataclasses.replace(HOST.rules[0], packets=2),)
    ),
    'no_rule("host1", "nat", "DOCKER", target="DNAT")': host(rules=(Rule("nat", "DOCKER", 1, "-p tcp -j DNAT"),)),
    'policy("host1", "filter", "FORWARD", "DROP")': host(chains=(Chain("filter", "FORWARD", "ACCEPT"),)),
    'sysctl("host1", "net.ipv4.ip_forward", 1)': host(sysctls=(("net.ipv4.ip_forward", "0"),)),
    'neighbour("host1", "172.17.0.2")': host(neighbours=(Neighbour("172.17.0.2", "docker0", "", "FAILED"),)),
    'neighbour("host1", "172.17.0.2", "reachable")': host(
        neighbours=(dataclasses.replace(HOST.neighbours[0], state="STALE"),)
    ),
    'no_neighbour("host1", "172.17.0.9")': host(neighbours=(Neighbour("172.17.0.9", "docker0", "aa:00:00:00:00:09"),)),
    'learned("host1", "docker0", "web")': host(forwarding=HOST.forwarding[:1]),
    'learned("host1", "docker0", mac_of("web"))': host(forwarding=()),
    'not_learned("host1", "docker0", "client")': host(
        forwarding=(dataclasses.replace(HOST.forwarding[1], mac="aa:00:00:00:00:09"),),
    ),
    'container_running("web")': with_web(state="exited"),
    'container_state("old", "exited")': dataclasses.replace(S, containers=()),
    'container_exists("old")': dataclasses.replace(S, containers=()),
    'no_container("db")': with_web(name="db"),
    'networks("bridge", "host", "none")': dataclasses.replace(
        S, networks=(*S.networks, Network("host1", "x", "blue", "bridge"))
    ),
    'on_network("web", "bridge")': with_web(endpoints=()),
    'not_on_network("web", "blue")': with_web(
        endpoints=(dataclasses.replace(S.containers[0].endpoints[0], network="blue"),)
    ),
    'not_same_network("web", "old")': dataclasses.replace(
        S, containers=tuple(dataclasses.replace(c, endpoints=S.containers[0].endpoints) for c in S.containers)
    ),
    'interfaces("web", 1)': change_namespace(S, "host1/web", links=(*WEB.links, EXTRA)),
    'dropped("host1", 3)': host(rules=HOST.rules[:1]),
    'same_network("web", "host1/web")': with_web(endpoints=()),
    'shares_namespace("same", "host1")': dataclasses.replace(
        S, containers=(Container("host1", "3", "same", "busybox", "running", namespace="host1/web"),)
    ),
    'published("web", 80, 8080)': with_web(ports=()),
    'not_published("old")': dataclasses.replace(
        S, containers=(*S.containers[:1], dataclasses.replace(S.containers[1], ports=S.containers[0].ports))
    ),
    'bound("web", 80, "0.0.0.0", 8080)': with_web(ports=(PublishedPort("127.0.0.1", 8080, 80),)),
    'bound("web", 80, "0.0.0.0")': with_web(ports=(PublishedPort("0.0.0.0", 8080, 80, "udp"),)),
    'listens("host1", 8080)': host(sockets=()),
    'listens("host1", host_port_of("web", 80), "docker-proxy", "0.0.0.0")': host(
        sockets=(dataclasses.replace(HOST.sockets[0], local="127.0.0.1"),)
    ),
    'listens("host1", 8080, program="docker-proxy")': host(
        sockets=(dataclasses.replace(HOST.sockets[0], processes=(Process(21, "httpd"),)),)
    ),
    'not_listens("host1", 5353, "udp")': host(sockets=(Socket("udp", "0.0.0.0", 5353, "UNCONN"),)),
    'not_listens("host1", 80)': host(sockets=(Socket("tcp", "::", 80, "LISTEN", family=6),)),
    'equal(gateway_of("web"), address_of("host1", "docker0"))': change_link(
        S, "host1", "docker0", addresses=(Address("172.17.0.9/16"),)
    ),
    'differ(index_of("web", "eth0"), index_of("host1", "veth5"))': change_link(S, "host1", "veth5", index=4),
}
# A client without interfaces but lo stands for no MAC address; give it one, so that the claim about it means something.
CLIENT = change_namespace(S, "client", links=(Link(2, "eth0", "veth", "aa:00:00:00:00:09", 1500, True, "UP"),))
SABOTAGE['not_learned("host1", "docker0", "client")'] = change_namespace(
    CLIENT, "host1", forwarding=(dataclasses.replace(HOST.forwarding[1], mac="aa:00:00:00:00:09"),)
)


@pytest.mark.parametrize("expression", SABOTAGE)
def test_holds_on_the_sample_and_not_after_the_sabotage(expression):
    good = evaluate(expression, S)
    assert good.passed, str(good)
    bad = evaluate(expression, SABOTAGE[expression])
    assert not bad.passed, str(bad)
    assert bad.claim
    assert bad.reason


def test_every_claim_has_a_sabotage():
    assert {expression.partition("(")[0] for expression in SABOTAGE} == set(CLAIMS)


EVERYTHING = (
    "links",
    "routes",
    "neighbours",
    "forwarding",
    "sockets",
    "sysctls",
    "rules",
    "rules (IPv4, nft)",
    "the engine of host1",
)


@pytest.mark.parametrize("expression", [e for e in SABOTAGE if e.startswith(("no_", "not_", "networks", "ports"))])
def test_absence_is_never_concluded_from_data_that_could_not_be_read(expression):
    missing = tuple(Unavailable(what, "no permission") for what in EVERYTHING)
    state = S
    for name in ("host1", "host1/web", "client"):
        state = change_namespace(state, name, unavailable=missing)
    state = dataclasses.replace(state, unavailable=missing)
    result = evaluate(expression, state)
    assert not result.passed
    assert "could not be read" in result.reason
    assert "no permission" in result.reason


def test_a_claim_about_what_was_read_is_not_disturbed_by_what_was_not():
    state = host(unavailable=(Unavailable("rules (IPv6, legacy)", "no such program"), Unavailable("sysctls", "x")))
    assert evaluate('no_rule("host1", "nat", "DOCKER")', state)
    assert evaluate('no_link("host1", "dummy0")', state)


def test_a_connection_is_not_taken_for_something_that_listens():
    state = host(sockets=(dataclasses.replace(HOST.sockets[0], state="ESTAB", remote="1.2.3.4", remote_port=5),))
    assert not evaluate('listens("host1", 8080)', state)
    assert evaluate('not_listens("host1", 8080)', state)


def test_something_of_an_unknown_kind_that_could_not_be_read_counts_against_every_absence():
    state = dataclasses.replace(S, unavailable=(Unavailable("mystery", "x"),))
    assert not evaluate('no_link("host1", "dummy0")', state)
    assert not evaluate('no_container("db")', state)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ('link_state("wbe", "eth0", "UP")', "Did you mean web?"),
        ('no_link("old", "eth0")', "not running"),
        ('pair("web", "eth1", "host1")', "lo, eth0"),
        ('container_running("wep")', "Did you mean web?"),
        ('equal(gateway_of("client"), "1.2.3.4")', "no default route"),
        ('port_of("host1", other_end("host1", "docker0"), "docker0")', "no other end"),
        ('rule("host1", "nat", "PREROUTING", target="DNAT")', "no rules"),
        ('rule("host1", "nat", "POSTROUTING", packets=9)', "(3 packets)"),
        ('not_published("web")', "0.0.0.0:8080 -> 80/tcp"),
        ('bound("web", 80, "127.0.0.1", 8080)', "0.0.0.0:8080 -> 80/tcp"),
        ('listens("host1", 80)', "0.0.0.0:8080 (docker-proxy)"),
        ('not_listens("host1", 8080)', "0.0.0.0:8080 (docker-proxy)"),
    ],
)
def test_a_failed_claim_says_what_was_seen(expression, said):
    result = evaluate(expression, S)
    assert not result.passed
    assert said in f"{result.reason} {result.hint}"
