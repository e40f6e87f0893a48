"""What belongs where in the picture, what is left out as noise, and what a focus keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from networks import Net, plain

from dnetkit.diagram import diagram
from dnetkit.model import Address, Container, Endpoint, LinkRef, Network, Process, Subnet, Unavailable


@pytest.fixture
def net() -> Net:
    net = Net()
    net.container("web")
    return net


def test_lo_and_link_local_addresses_are_left_out_until_detail_is_full(net: Net) -> None:
    net.change("host1", "docker0", addresses=(Address("172.17.0.1/16"), Address("fe80::1/64", "link")))
    for shown in (plain(diagram(net.snapshot).text), diagram(net.snapshot).graph.source):
        assert "fe80" not in shown
        assert ": lo" not in shown
        assert "Interface lo" not in shown
    full = diagram(net.snapshot, detail="full")
    assert "fe80::1/64" in full.graph.source
    assert "lo has 127.0.0.1/8" in plain(full.text)
    assert "MTU 1500" in plain(full.text)


def test_lo_with_an_address_of_its_own_is_shown(net: Net) -> None:
    net.change("host1", "lo", addresses=(Address("127.0.0.1/8", "host"), Address("10.9.9.9/32")))
    assert "Interface lo has 127.0.0.1/8 and 10.9.9.9/32" in plain(diagram(net.snapshot).text)


def test_a_pair_inside_one_namespace_is_drawn_there() -> None:
    net = Net()
    net.pair(("host1", "a"), ("host1", "b"))
    picture = diagram(net.snapshot)
    assert "a pair with b" in picture.graph.source
    assert '"host1":pa' not in picture.graph.source
    assert "is joined to b in host1" in plain(picture.text)


def test_two_namespaces_by_hand_stand_side_by_side() -> None:
    net = Net()
    net.pair((net.named("red"), "r"), (net.named("blue"), "b"))
    picture = diagram(net.snapshot)
    assert "pb:e -> " in picture.graph.source
    assert 'rank="same"' in picture.graph.source
    assert "  Namespace blue." in plain(picture.text)
    assert "is joined to r in red" in plain(picture.text)


def test_interfaces_that_are_down_say_so(net: Net) -> None:
    net.change("host1/web", "eth0", up=False, state="DOWN")
    net.change("host1", "veth-web", state="LOWERLAYERDOWN")
    picture = diagram(net.snapshot)
    assert "is down and is joined to veth-web" in plain(picture.text)
    assert "has no carrier and is joined to eth0" in plain(picture.text)
    assert ">down<" in picture.graph.source


def test_a_container_in_another_ones_namespace_is_drawn_in_it(net: Net) -> None:
    net.containers.append(
        Container("host1", "id-side", "side", "busybox", "running", "container:id-web", namespace="host1/web")
    )
    picture = diagram(net.snapshot)
    assert "Container side (busybox). It shares the namespace of web." in plain(picture.text)
    assert "shares this namespace" in picture.graph.source
    assert '"host1/side"' not in picture.graph.source


def test_a_container_in_host_mode_is_drawn_in_the_host(net: Net) -> None:
    net.containers.append(Container("host1", "id-h", "bare", "busybox", "running", "host", namespace="host1"))
    picture = diagram(net.snapshot)
    assert "Container bare (busybox). It uses the network of host1 itself." in plain(picture.text)
    assert "in the host's own namespace" in picture.graph.source.replace("&#x27;", "'")


def test_a_container_without_network_has_no_interface_but_lo(net: Net) -> None:
    net.space("host1/alone", "container", "host1")
    net.containers.append(Container("host1", "id-a", "alone", "busybox", "running", "none", namespace="host1/alone"))
    assert "It has no interface but lo." in plain(diagram(net.snapshot).text)


def test_macvlan_by_hand_hangs_on_its_parent() -> None:
    net = Net()
    space = net.named("mv")
    eth0 = next(link for link in net.links["host1"] if link.name == "eth0")
    net.link(
        space, "mac0", kind="macvlan", parent=LinkRef("host1", "eth0", eth0.index), parameters=(("mode", "bridge"),)
    )
    picture = diagram(net.snapshot)
    assert "macvlan mode bridge on eth0" in picture.graph.source
    assert 'style="dotted"' in picture.graph.source
    assert "is macvlan mode bridge on eth0" in plain(picture.text)
    assert "carries mac0 of mv" in plain(picture.text)


def test_a_macvlan_network_stands_between_its_parent_and_its_containers() -> None:
    net = Net()
    net.space("host1/phys", "container", "host1")
    eth0 = next(link for link in net.links["host1"] if link.name == "eth0")
    link = net.link("host1/phys", "eth0", kind="macvlan", address="198.51.100.50/24",
                    parent=LinkRef("host1", "eth0", eth0.index))  # fmt: skip
    net.networks.append(
        Network(
            "host1",
            "n1",
            "wire",
            "macvlan",
            subnets=(Subnet("198.51.100.0/24"),),
            link=LinkRef("host1", "eth0", eth0.index),
        )
    )
    ref = LinkRef("host1/phys", "eth0", link.index)
    net.containers.append(
        Container(
            "host1",
            "c1",
            "phys",
            "busybox",
            "running",
            namespace="host1/phys",
            endpoints=(Endpoint("wire", "n1", link=ref),),
        )
    )
    picture = diagram(net.snapshot)
    assert "Docker network wire: macvlan on eth0, 198.51.100.0/24. It joins phys." in plain(picture.text)
    assert picture.graph.source.count('style="dotted"') == 2
    assert picture.graph.source.count('-> "host1/phys') + picture.graph.source.count("-> host1/phys") == 1
    assert '"host1":peth0:e -> "host1/network_3a_wire' in picture.graph.source, "it begins at eth0, beside the machine"


def test_a_macvlan_network_on_a_bridge_begins_at_the_bridge() -> None:
    net = Net()
    bridge = next(link for link in net.links["host1"] if link.kind == "bridge")
    net.networks.append(Network("host1", "n1", "lane", "macvlan", link=LinkRef("host1", bridge.name, bridge.index)))
    source = diagram(net.snapshot).graph.source
    assert f'"host1/{bridge.name}":e -> "host1/network_3a_lane' in source


def test_a_vlan_says_what_it_lies_on() -> None:
    net = Net()
    eth0 = next(link for link in net.links["host1"] if link.name == "eth0")
    net.link("host1", "eth0.10", kind="vlan", parent=LinkRef("host1", "eth0", eth0.index), parameters=(("id", "10"),))
    assert "Interface eth0.10 is vlan id 10 on eth0." in plain(diagram(net.snapshot).text)


def test_a_network_whose_bridge_is_gone_is_still_named(net: Net) -> None:
    net.networks.append(Network("host1", "n2", "app", "bridge", bridge="br-lost"))
    assert "Docker network app: bridge, its bridge br-lost is not there." in plain(diagram(net.snapshot).text)


def test_an_end_out_of_sight_is_not_passed_over(net: Net) -> None:
    net.link("host1", "veth9", peer_index=3)
    picture = diagram(net.snapshot)
    assert "leads out of sight" in plain(picture.text)
    assert "leads out of sight" in picture.graph.source


def test_what_could_not_be_read_is_said(net: Net) -> None:
    state = replace(net.snapshot, unavailable=(Unavailable("the engine of host1", "refused"),))
    assert "Not known: the engine of host1 (refused)." in plain(diagram(state).text)


def test_focus_on_a_container_keeps_its_bridge_and_its_host(net: Net) -> None:
    net.container("db", address="172.17.0.3/16")
    picture = diagram(net.snapshot, focus="web")
    assert "veth-web" in picture.graph.source
    assert "veth-db" not in picture.graph.source
    assert "1 more port" in picture.graph.source
    assert "client" not in picture.graph.source
    assert "1 of them is left out." in plain(picture.text)
    assert "Left out: 1 other container." in plain(picture.text)


def test_focus_on_a_network_keeps_its_containers(net: Net) -> None:
    net.bridge("host1", "br-app", "172.18.0.1/16", network="app")
    net.container("db", bridge="br-app", address="172.18.0.2/16")
    picture = diagram(net.snapshot, focus="app")
    assert "Container db" in plain(picture.text)
    assert "Container web" not in plain(picture.text)
    assert "docker0" not in plain(picture.text)


def test_focus_on_a_machine_keeps_all_of_it_and_the_lan() -> None:
    net = Net(hosts=2)
    net.container("one", "host1")
    net.container("two", "host2")
    picture = diagram(net.snapshot, focus="host2")
    assert "Container two" in plain(picture.text)
    assert "Container one" not in plain(picture.text)
    assert "lan0 is the LAN" in plain(picture.text)


def test_two_containers_of_one_name_are_told_apart_by_their_host() -> None:
    net = Net(hosts=2)
    net.container("web", "host1")
    net.container("web", "host2")
    assert diagram(net.snapshot, focus="web").scene.containers == 2
    assert diagram(net.snapshot, focus="host2/web").scene.containers == 1


def overlay(net: Net) -> None:
    """As an engine lays one: a bridge with a vxlan in a namespace of its own, and one more for its balancer."""
    net.space("host1/engine:1-ov", "engine", "host1")
    bridge = net.link("host1/engine:1-ov", "br0", kind="bridge", address="10.0.1.1/24")
    net.link("host1/engine:1-ov", "vxlan0", kind="vxlan", master="br0", parameters=(("id", "4097"), ("ttl", "0")))
    net.networks.append(Network("host1", "ov", "ov", "overlay", link=LinkRef("host1/engine:1-ov", "br0", bridge.index)))
    net.space("host1/engine:lb", "engine", "host1")
    net.pair(("host1/engine:1-ov", "veth0"), ("host1/engine:lb", "eth0"), master="br0")
    net.pair(("host1/engine:1-ov", "veth1"), ("host1/web", "eth1"), address="10.0.1.2/24", master="br0")


def test_an_overlay_network_is_the_bridge_in_the_engines_own_namespace(net: Net) -> None:
    overlay(net)
    picture = diagram(net.snapshot)
    told = plain(picture.text)
    assert "Namespace of the engine: 1-ov." in told
    assert "Bridge br0 carries the Docker network ov, has 10.0.1.1/24 and has 3 ports." in told
    assert "Port vxlan0 is vxlan id 4097." in told
    assert "Interface eth1 has 10.0.1.2/24 and is joined to veth1, a port of ov." in told
    assert "namespace of the engine 1-ov" in picture.graph.source
    assert picture.svg()


def test_the_other_namespaces_of_the_engine_are_left_out_until_detail_is_full(net: Net) -> None:
    overlay(net)
    assert "Port veth0 leads to a namespace of the engine." in plain(diagram(net.snapshot).text)
    assert "lb" not in diagram(net.snapshot).text.split()
    assert "Namespace of the engine: lb." in diagram(net.snapshot, detail="full").text


def test_a_namespace_without_a_name_is_called_after_its_process(net: Net) -> None:
    net.space("host1/pid:77", "unnamed", "host1")
    state = net.snapshot
    process = Process(77, "sleep")
    spaces = tuple(
        replace(space, processes=(process,)) if space.kind == "unnamed" else space for space in state.namespaces
    )
    picture = diagram(replace(state, namespaces=spaces))
    assert "Namespace without a name: sleep 77 has no interface but lo." in picture.text
    assert "namespace without a name" in picture.graph.source
