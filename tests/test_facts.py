import dataclasses

import pytest
from fake_lab import change_link, change_namespace, snapshot

from dnetkit import facts
from dnetkit.errors import CheckFailed
from dnetkit.model import Address, LinkRef, Network, PublishedPort, Route, Subnet, Unavailable

S = change_link(snapshot(), "host1/web", "eth0", peer_index=5, netnsid=0)
S = dataclasses.replace(
    S,
    networks=(
        Network(
            *("host1", "1", "bridge", "bridge"),
            subnets=(Subnet("fd00::/64"), Subnet("172.17.0.0/16", "172.17.0.1")),
            bridge="docker0",
        ),
        Network("host1", "3", "none", "null"),
        Network("host1", "2", "six", "bridge", subnets=(Subnet("fd00:1::/64"),)),
    ),
)


@pytest.mark.parametrize(
    ("function", "arguments", "value", "meaning"),
    [
        (facts.other_end, ("web", "eth0"), "veth5", "the other end of eth0 in web"),
        (facts.index_of, ("host1", "docker0"), "3", "the index of docker0 in host1"),
        (facts.peer_index_of, ("web", "eth0"), "5", "the number that eth0 in web gives for its other end"),
        (facts.namespace_id_of, ("web", "eth0"), "0", "the namespace id of the other end of eth0 in web"),
        (facts.mac_of, ("web",), "aa:00:00:00:00:04", "the MAC address of eth0 in web"),
        (facts.address_of, ("web",), "172.17.0.2", "the address of eth0 in web"),
        (facts.address_of, ("host1", "docker0"), "172.17.0.1", "the address of docker0 in host1"),
        (facts.gateway_of, ("web",), "172.17.0.1", "the gateway of web"),
        (facts.subnet_of, ("bridge",), "172.17.0.0/16", "the subnet of the network bridge"),
        (facts.subnet_of, ("bridge", "host1"), "172.17.0.0/16", "the subnet of the network bridge on host1"),
        (facts.host_port_of, ("web", 80), "8080", "the port of the host that leads to 80/tcp of web"),
        (facts.bridge_of, ("bridge",), "docker0", "the bridge of the network bridge"),
    ],
)
def test_a_value_is_plain_text_that_knows_what_it_is(function, arguments, value, meaning):
    found = function(S, *arguments)
    assert found == value
    assert facts.words(found) == meaning


def test_what_is_made_of_a_value_is_plain_text_again():
    assert facts.words(facts.address_of(S, "web") + "/16") == "172.17.0.2/16"


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (facts.other_end, ("host1", "docker0"), "no other end"),
        (facts.other_end, ("web", "eth1"), "has no interface eth1"),
        (facts.peer_index_of, ("host1", "docker0"), "names no other end"),
        (facts.namespace_id_of, ("host1", "docker0"), "names no other namespace"),
        (facts.address_of, ("host1", "veth5"), "no IPv4 address"),
        (facts.gateway_of, ("client",), "no default route"),
        (facts.subnet_of, ("brigde",), "no network brigde"),
        (facts.subnet_of, ("bridge", "host2"), "no network bridge"),
        (facts.subnet_of, ("six",), "no IPv4 subnet"),
        (facts.host_port_of, ("web", 81), r"leads to 81/tcp of web \(published: 80/tcp\)"),
        (facts.host_port_of, ("web", 80, "udp"), "leads to 80/udp of web"),
        (facts.host_port_of, ("old", 80), "published: none"),
        (facts.bridge_of, ("brigde",), "no network brigde"),
        (facts.bridge_of, ("none",), "no bridge: its driver is null"),
        (facts.container, ("wbe",), "no container wbe"),
        (facts.namespace, ("wbe",), "no machine, container or namespace wbe"),
        (facts.namespace, ("old",), "not running"),
    ],
)
def test_what_is_not_there_is_said_never_guessed(function, arguments, said):
    with pytest.raises(CheckFailed, match=said):
        function(S, *arguments)


def test_a_near_name_is_offered():
    with pytest.raises(CheckFailed) as caught:
        facts.subnet_of(S, "brigde")
    assert caught.value.hint == "Did you mean bridge?"


@pytest.mark.parametrize(
    ("function", "arguments", "missing"),
    [
        (facts.other_end, ("host1", "veth9"), "links"),
        (facts.gateway_of, ("client",), "routes"),
        (facts.subnet_of, ("blue",), "the engine of host1"),
        (facts.host_port_of, ("web", 81), "the engine of host1"),
        (facts.bridge_of, ("blue",), "the engine of host1"),
        (facts.container, ("db",), "the engine of host1"),
        (facts.namespace, ("db",), "the engine of host1"),
    ],
)
def test_what_could_not_be_read_is_not_taken_for_absent(function, arguments, missing):
    state = dataclasses.replace(S, unavailable=(Unavailable(missing, "no permission"),))
    with pytest.raises(CheckFailed, match="could not be read"):
        function(state, *arguments)


def test_a_name_with_its_machine_is_as_good_as_one_without():
    assert facts.container(S, "host1/web") == facts.container(S, "web")
    assert facts.namespace(S, "host1/web") == facts.namespace(S, "web")


def test_the_namespace_of_a_container_that_shares_one_is_that_one():
    assert facts.namespace(S, "same").name == "host1"


def test_macs_are_those_of_the_interfaces_without_lo_or_the_one_that_was_given():
    assert facts.macs(S, "web") == {"aa:00:00:00:00:04"}
    assert facts.macs(S, "AA:00:00:00:00:09") == {"aa:00:00:00:00:09"}


def test_the_first_ipv4_address_counts_and_ipv6_routes_do_not():
    state = change_link(S, "host1/web", "eth0", addresses=(Address("fe80::1/64"), Address("10.0.0.1/8")))
    assert facts.address_of(state, "web") == "10.0.0.1"
    state = change_namespace(S, "client", routes=(Route("default", "eth0", "fe80::1", family=6),))
    with pytest.raises(CheckFailed):
        facts.gateway_of(state, "client")


def test_of_several_ports_the_one_that_any_ipv4_address_has_comes_first():
    ports = [("::", 1), ("127.0.0.1", 2), ("0.0.0.0", 4), ("0.0.0.0", 3)]
    for count, first in ((4, "3"), (2, "2"), (1, "1")):
        published = tuple(PublishedPort(address, port, 80) for address, port in ports[:count])
        state = dataclasses.replace(S, containers=(dataclasses.replace(S.containers[0], ports=published),))
        assert facts.host_port_of(state, "web", 80) == first


def test_an_end_that_lies_out_of_sight_is_named_by_its_number_only():
    state = change_link(S, "host1/web", "eth0", peer=None)
    assert facts.peer_index_of(state, "web", "eth0") == "5"
    with pytest.raises(CheckFailed):
        facts.other_end(state, "web", "eth0")
    assert facts.other_end(change_link(S, "host1/web", "eth0", peer=LinkRef("x", "y", 1)), "web", "eth0") == "y"
