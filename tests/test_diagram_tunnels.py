"""Tunnels between vxlans: which send to each other, how they are drawn and said; many containers on an overlay."""

from __future__ import annotations

from dataclasses import replace

import pytest
from networks import Net, plain

from dnetkit.diagram import diagram, tunnels
from dnetkit.diff import diff
from dnetkit.model import Address, Endpoint, ForwardingEntry, Link, LinkRef, Network, Snapshot

DASHED = 'style="dashed" color="#0b63ce"'


def vxlan(net: Net, host: str, remote: str = "", vni: str = "42", name: str = "vx") -> None:
    """A vxlan by hand, a port of a bridge br9."""
    if not any(link.name == "br9" for link in net.links[host]):
        net.link(host, "br9", kind="bridge")
    parameters = [("id", vni), ("port", "4789"), *([("remote", remote)] if remote else [])]
    net.link(host, name, kind="vxlan", master="br9", parameters=tuple(parameters))


def learned(state: Snapshot, host: str, remote: str, device: str = "vx") -> Snapshot:
    """With a forwarding entry that says that a MAC is on that machine."""
    entry = ForwardingEntry("02:00:00:00:00:99", device, remote=remote)
    spaces = [
        replace(one, forwarding=(*one.forwarding, entry)) if one.name == host else one for one in state.namespaces
    ]
    return replace(state, namespaces=tuple(spaces))


def overlay(hosts: int, containers: int = 0) -> Snapshot:
    """An overlay as engines lay it out: bridge and vxlan in a namespace of the engine, sending from the host."""
    net = Net(hosts=hosts)
    for number in range(1, hosts + 1):
        host = f"host{number}"
        space = f"{host}/overlay:wide"
        net.space(space, "engine", host)
        bridge = net.link(space, "br0", kind="bridge", address="10.7.0.1/24")
        net.link(
            space, "vxlan0", kind="vxlan", master="br0", underlay=host, parameters=(("id", "4097"), ("port", "4789"))
        )
        net.networks.append(Network(host, "wide", "wide", "overlay", link=LinkRef(space, "br0", bridge.index)))
        net.bridge(host, "docker_gwbridge", "172.18.0.1/16", network="docker_gwbridge")
        for place in range(containers):
            name = f"c{number}{place}"
            net.container(name, host, "docker_gwbridge", f"172.18.0.{place + 2}/16")
            net.pair((space, f"veth{place}"), (f"{host}/{name}", "eth9"), f"10.7.0.{number}{place}/24", master="br0")
            link = net.links[f"{host}/{name}"][-1]
            end = Endpoint("wide", "wide", link.addresses[0].cidr, link=LinkRef(f"{host}/{name}", "eth9", link.index))
            net.containers[-1] = replace(net.containers[-1], endpoints=(*net.containers[-1].endpoints, end))
    state = net.snapshot
    for one in range(1, hosts + 1):
        for other in range(1, hosts + 1):
            if one != other:
                state = learned(state, f"host{one}/overlay:wide", f"198.51.100.{10 + other}", "vxlan0")
    return state


def test_two_that_are_told_of_each_other_are_a_tunnel() -> None:
    net = Net(hosts=2)
    vxlan(net, "host1", "198.51.100.12")
    vxlan(net, "host2")
    assert list(tunnels.pairs(net.snapshot)) == [(("host1", "vx"), ("host2", "vx"))]
    picture = diagram(net.snapshot)
    assert picture.graph.source.count(DASHED) == 1
    assert (
        "Vxlan 42 is one network between vx of br9 on host1 and vx of br9 on host2, by UDP port 4789." in picture.text
    )


def test_what_a_forwarding_entry_says_is_enough() -> None:
    net = Net(hosts=2)
    vxlan(net, "host1")
    vxlan(net, "host2")
    assert list(tunnels.pairs(net.snapshot)) == []
    assert list(tunnels.pairs(learned(net.snapshot, "host2", "198.51.100.11")))


@pytest.mark.parametrize(("vni", "remote"), [("43", "198.51.100.12"), ("42", "198.51.100.99")])
def test_another_id_or_address_is_no_tunnel(vni: str, remote: str) -> None:
    net = Net(hosts=2)
    vxlan(net, "host1", remote)
    vxlan(net, "host2", vni=vni)
    assert list(tunnels.pairs(net.snapshot)) == []


def test_each_to_each_is_one_network_and_a_hub_is_not() -> None:
    ends = [(f"host{number}", "vx") for number in range(1, 5)]
    every = [(one, other) for one in ends for other in ends if one < other]
    assert tunnels.meshes(every) == [tuple(ends)]
    hub = [(ends[0], other) for other in ends[1:]]
    assert tunnels.meshes(hub) == []
    net = Net(hosts=3)
    vxlan(net, "host1")
    for host in ("host2", "host3"):
        vxlan(net, host, "198.51.100.11")
    picture = diagram(net.snapshot)
    assert picture.graph.source.count(DASHED) == 2
    assert "is joined by a tunnel to vx of br9 on host1" in plain(picture.text)


def test_an_overlay_over_three_hosts_is_one_network_in_picture_and_words() -> None:
    picture = diagram(overlay(3, containers=1))
    assert picture.graph.source.count(DASHED) == 2  # from each to the next
    told = plain(picture.text)
    assert "Vxlan 4097 is one network between vxlan0 of wide on host1, vxlan0 of wide on host2 and" in told
    assert "Port vxlan0 is vxlan id 4097 to 198.51.100.12 and 198.51.100.13 through host1." in told
    assert picture.svg()


def test_a_new_tunnel_is_marked() -> None:
    net = Net(hosts=2)
    vxlan(net, "host1", "198.51.100.12")
    before = net.snapshot
    vxlan(net, "host2", "198.51.100.11")
    picture = diagram(net.snapshot, diff(before, net.snapshot))
    assert "Added: vxlan 42 is one network between" in picture.text
    assert "added" in picture.scene.marks
    gone = diagram(before, diff(net.snapshot, before))
    assert "Removed: vxlan 42 is one network between" in gone.text


def test_many_containers_on_an_overlay_stand_in_one_frame_with_a_cable_to_each_bridge() -> None:
    state = overlay(3, containers=5)
    picture = diagram(state)
    assert picture.scene.detail == "brief"
    for host in ("host1", "host2", "host3"):
        frames = [line for line in picture.graph.source.splitlines() if f'-> "{host}/on' in line and "penwidth" in line]
        assert len(frames) == 2, host
    assert picture.graph.source.count("vxlan 4097") >= 3
    told = picture.text
    assert "5 containers have a veth pair each to docker_gwbridge and wide:" in told
    assert "    c10 172.18.0.2/16 10.7.0.10/24." in told
    assert max(map(len, told.splitlines())) < 200


def test_focus_on_an_overlay_keeps_its_tunnel_and_the_lan() -> None:
    picture = diagram(overlay(2, containers=1), focus="wide")
    told = picture.text
    assert "Vxlan 4097 is one network" in told
    assert "lan0 is the LAN" in told
    assert "docker_gwbridge" not in told
    assert "vxlan0" in picture.graph.source


def test_two_bridges_are_joined_from_socket_to_socket() -> None:
    net = Net()
    for name in ("br8", "br9"):
        net.link("host1", name, kind="bridge")
    net.pair(("host1", "p8"), ("host1", "p9"), master="br8")
    net.change("host1", "p9", master="br9")
    line = next(line for line in diagram(net.snapshot).graph.source.splitlines() if "pp8" in line and "->" in line)
    assert '"host1/br8":pp8:s -> "host1/br9":pp9:s' in line
    assert 'constraint="false"' in line


def test_an_internal_network_says_so() -> None:
    net = Net()
    net.bridge("host1", "br-in", "172.20.0.1/16", network="inner")
    net.networks[-1] = replace(net.networks[-1], internal=True)
    picture = diagram(net.snapshot)
    assert "internal bridge" in picture.graph.source
    assert "carries the Docker network inner (internal)" in picture.text


def test_a_full_picture_is_not_much_wider_than_a_normal_one() -> None:
    net = Net()
    for name in ("app", "back"):
        net.bridge("host1", f"br-{name}", "172.20.0.1/16", network=name)
    for number, bridge in enumerate(("docker0", "br-app", "br-back")):
        net.container(f"c{number}", bridge=bridge, address=f"172.20.{number}.2/16")
    for space, links in net.links.items():
        net.links[space] = [_with_link_local(link) for link in links]
    widths = [
        float(diagram(net.snapshot, detail=detail, direction="TB").svg().split('width="')[1].split("pt")[0])
        for detail in ("normal", "full")
    ]
    assert widths[1] < 1.4 * widths[0]


def _with_link_local(link: Link) -> Link:
    own = Address(f"fe80::{link.index:x}8d:ccff:fedc:7bca/64", "link")
    return replace(link, addresses=(*link.addresses, own)) if link.kind != "loopback" else link
