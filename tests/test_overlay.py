"""An overlay network over two hosts: the engine's hidden namespaces, the vxlan there, as snapshot, change, picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import zoo
from leaks import Watch
from waiting import wait_for

from dnetkit.diagram import diagram
from dnetkit.diff import apply, diff
from dnetkit.lab import Lab
from dnetkit.model import Namespace, Snapshot

pytestmark = [pytest.mark.live, pytest.mark.sandbox("root")]


@dataclass
class Swarm:
    """A lab with an overlay network, before and after a container on each host joined it."""

    lab: Lab
    before: Snapshot
    after: Snapshot


def laid_out(state: Snapshot) -> bool:
    """Whether each host knows of the other's container."""
    spaces = [one for one in state.namespaces if one.label == "overlay:wide"]
    return len(spaces) == 2 and all(any(entry.remote for entry in one.forwarding) for one in spaces)


@pytest.fixture(scope="module")
def swarm(watch: Watch) -> Iterator[Swarm]:
    with watch.nothing_left(whole=True), Lab(hosts=2, client=False) as lab:
        one, two = lab.hosts.values()
        one.run("docker swarm init --advertise-addr eth0")
        token = one.run("docker swarm join-token -q worker").stdout.strip()
        two.run(f"docker swarm join --token {token} {one.address}:2377", timeout=60)
        one.run("docker network create -d overlay --attachable --subnet 10.7.0.0/24 wide")
        before = lab.snapshot()
        one.run("docker run -d --name web --network wide busybox sleep 10000", timeout=60)
        two.run("docker run -d --name db --network wide busybox sleep 10000", timeout=60)
        one.run("docker exec web ping -c 1 db")
        wait_for("the overlay on both hosts", lambda: laid_out(lab.snapshot()))
        yield Swarm(lab, before, lab.snapshot())


def hidden(state: Snapshot) -> list[Namespace]:
    return [space for space in state.namespaces if space.kind == "engine"]


def test_what_the_engine_hides_is_there_by_a_name_that_says_what_it_is_for(swarm: Swarm) -> None:
    labels = {"overlay:ingress", "overlay:wide", "balancer:wide", "engine:ingress_sbox"}
    for host in swarm.lab.hosts:
        assert {one.label for one in hidden(swarm.after) if one.machine == host} == labels
    for space in hidden(swarm.after):
        inode = swarm.lab.machine(space.machine).run(f"stat -c %i {space.path}").stdout
        assert int(inode) == space.inode
        assert space.unavailable == ()
    assert swarm.after.unavailable == ()


def test_the_vxlan_is_what_ip_and_bridge_say(swarm: Swarm) -> None:
    for space in hidden(swarm.after):
        run = zoo.enter(swarm.lab, swarm.after, space)
        for link, one in zip(space.links, zoo.read_json(run, "ip -j -d link"), strict=True):
            told = one.get("linkinfo", {})
            assert (link.index, link.name, link.mac, link.master) == (
                one["ifindex"], one["ifname"], one["address"], one.get("master"),
            )  # fmt: skip
            if link.kind == "vxlan":
                data = told["info_data"]
                assert link.parameter("id") == str(data["id"])
                assert link.parameter("port") == str(data["port"]) == "4789"
                for name in ("learning", "proxy", "l2miss", "l3miss", "udp_csum"):
                    assert link.parameter(name) == str(int(data.get(name, False)))
                # It sends from the namespace that the kernel gives the number of, and stands on no link of it.
                assert (link.underlay, link.peer, link.parent) == (space.machine, None, None)
        entries = {
            (one["mac"], one["ifname"], one.get("dst", "")) for one in zoo.read_json(run, "bridge -j fdb")
            if not one["mac"].startswith(("01:00:5e", "33:33"))
        }  # fmt: skip
        ours = {(one.mac, one.device, one.remote) for one in space.forwarding}
        assert {one for one in ours if not one[0].startswith(("01:00:5e", "33:33"))} == entries
    far = {"host1": "198.51.100.12", "host2": "198.51.100.11"}
    wide = [one for one in hidden(swarm.after) if one.label == "overlay:wide"]
    for space in wide:
        assert {entry.remote for entry in space.forwarding if entry.remote} == {far[space.machine]}


def test_endpoints_are_joined_to_the_bridge_in_there(swarm: Swarm) -> None:
    for name, host in (("web", "host1"), ("db", "host2")):
        container = swarm.after.container(name)
        endpoint = container.endpoint("wide")
        space = swarm.after.namespace(f"{host}/overlay:wide")
        assert endpoint.link.namespace == f"{host}/{name}"
        assert endpoint.host_link.namespace == space.name
        assert space.link(endpoint.host_link.name).master == "br0"
        network = swarm.after.network("wide", host)
        assert (network.namespace, network.link.name, network.scope) == (space.name, "br0", "swarm")
        told = json.loads(swarm.lab.machine(host).run("docker network inspect wide").stdout)[0]
        assert told["Containers"][container.id]["EndpointID"] == endpoint.id
        assert told["Containers"][container.id]["MacAddress"] == endpoint.mac
        assert told["Options"] == dict(network.options)
        assert space.link("vxlan0").parameter("id") == told["Options"]["com.docker.network.driver.overlay.vxlanid_list"]


def test_it_is_told_as_one_thing_for_each_namespace(swarm: Swarm) -> None:
    changes = diff(swarm.before, swarm.after)
    lines = [group.headline for group in changes.groups]
    bridge = next(line for line in lines if "host2 for the bridge of network wide" in line)
    assert bridge.startswith(
        "the engine made a namespace on host2 for the bridge of network wide: br0 10.7.0.1/24, vxlan0"
    )
    assert "(vxlan id 4097, port 4789)" in bridge
    assert "the kernel's vxlan in host2 listens on 0.0.0.0:4789/udp" in lines
    assert any(line.startswith("container db started") and "a new port of br0" in line for line in lines)
    assert not any("overlay:wide" in line and "created" in line for line in lines)
    full = diff(swarm.before, swarm.after, noise=True)
    assert apply(swarm.before, full) == swarm.after


def test_it_is_drawn_with_its_tunnel_and_said_in_words(swarm: Swarm) -> None:
    picture = diagram(swarm.after)
    assert "Vxlan 4097 is one network between vxlan0 of wide on host1 and vxlan0 of wide on host2" in picture.text
    assert "is vxlan id 4097 to 198.51.100.12 through host1" in picture.text
    assert picture.graph.source.count('style="dashed" color="#0b63ce"') == 2  # ingress has one too
    brief = diagram(swarm.after, detail="brief")
    assert "vxlan 4097" in brief.graph.source
    assert "Vxlan 4097 is one network" in brief.text
    added = diagram(swarm.after, diff(swarm.before, swarm.after))
    assert "Added: vxlan 4097 is one network" in added.text


def test_the_names_stay_when_the_engine_does_not_answer(swarm: Swarm) -> None:
    host = swarm.lab.hosts["host2"]
    host.engine.kill()
    try:
        names = {one.name for one in hidden(swarm.lab.snapshot()) if one.machine == "host2"}
    finally:
        host.engine.start()
    assert {"host2/overlay:wide", "host2/overlay:ingress"} <= names
