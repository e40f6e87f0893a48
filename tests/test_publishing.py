"""Every published port is joined to its rules, to its socket and to the process that holds it."""

from __future__ import annotations

import json

import pytest

from dnetkit.lab import Lab
from dnetkit.model import (
    Container,
    Endpoint,
    Namespace,
    Process,
    PublishedPort,
    Rule,
    Snapshot,
    Socket,
    publication,
    publications,
)

PORT = PublishedPort("127.0.0.1", 8080, 80)
WEB = Container(
    "host1", "1", "web", "busybox", "running", endpoints=(Endpoint("n", address="10.0.0.2/24"),), ports=(PORT,)
)
RULES = {
    "dnat": "-d 127.0.0.1/32 ! -i br -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.2:80",
    "elsewhere": "-d 127.0.0.2/32 ! -i br -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.2:80",
    "other port": "! -i br -p tcp -m tcp --dport 8081 -j DNAT --to-destination 10.0.0.2:80",
    "other target": "! -i br -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.20:80",
    "udp": "! -i br -p udp -m udp --dport 8080 -j DNAT --to-destination 10.0.0.2:80",
    "hairpin": "-s 10.0.0.2/32 -d 10.0.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE",
    "accept": "-d 10.0.0.2/32 ! -i br -o br -p tcp -m tcp --dport 80 -j ACCEPT",
    "drop": "-d 10.0.0.2/32 -p tcp -m tcp --dport 80 -j DROP",
}
PROXY = Process(7, "docker-proxy")


def test_only_what_serves_the_port_is_joined_to_it() -> None:
    sockets = (
        Socket("tcp", "127.0.0.1", 8080, "LISTEN", processes=(PROXY,)),
        Socket("tcp", "127.0.0.1", 8080, "ESTAB", "127.0.0.1", 999, processes=(PROXY,)),
        Socket("udp", "127.0.0.1", 8080, "UNCONN", processes=(PROXY,)),
        Socket("tcp", "0.0.0.0", 8080, "LISTEN", processes=(Process(8, "httpd", "open"),)),
    )
    rules = tuple(Rule("nat", "DOCKER", place, text) for place, text in enumerate(RULES.values(), 1))
    host = Namespace("host1", "host", "host1", rules=rules, sockets=sockets)
    found = publication(Snapshot(namespaces=(host,), containers=(WEB,)), WEB, PORT)
    assert [rule.text for rule in found.rules] == [RULES["dnat"], RULES["hairpin"], RULES["accept"]]
    assert found.sockets == sockets[:1]
    assert found.processes == (PROXY,)


def test_nft_and_ipv6_are_understood() -> None:
    web = Container("host1", "1", "web", "b", "running", endpoints=(Endpoint("n", address6="fd00::2/64"),))
    port = PublishedPort("::", 8080, 80, "udp")
    rules = (
        Rule("x", "c", 1, "udp dport 8080 counter dnat to [fd00::2]:80", syntax="nft"),
        Rule("nat", "DOCKER", 1, "-p udp -m udp --dport 8080 -j DNAT --to-destination [fd00::2]:80", family=6),
    )
    found = publication(Snapshot(namespaces=(Namespace("host1", "host", "host1", rules=rules),)), web, port)
    assert found.rules == rules
    assert publication(Snapshot(), web, port).rules == ()


@pytest.mark.live
def test_ports_of_real_containers(lab: Lab) -> None:
    try:
        lab.host.run("docker run -d --name web -p 8080:80 -p 127.0.0.1:5300:53/udp busybox httpd -f -p 80")
        state = lab.snapshot()
        made = publications(state)
        told = json.loads(lab.host.run("docker inspect web").stdout)[0]["NetworkSettings"]["Ports"]
        assert len(made) == sum(len(bindings) for bindings in told.values())
        for one in made:
            targets = {rule.target for rule in one.rules}
            if one.port.host_address != "::":  # IPv6 is the proxy's business where the container has none
                assert "DNAT" in targets
            proxies = {process.name for process in one.processes}
            assert proxies <= {"docker-proxy", "dockerd", "rootlesskit-doc"}
            assert proxies or lab.sandbox == "rootless"
            for process in one.processes:
                words = lab.host.run(f"tr '\\0' ' ' </proc/{process.pid}/cmdline").stdout
                assert process.name != "docker-proxy" or f"-host-port {one.port.host_port}" in words
    finally:
        lab.host.run("docker rm -f web")
