from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from fake_lab import change_link, change_namespace, snapshot

from dnetkit.diff import Changes, diff
from dnetkit.lab import Lab
from dnetkit.model import (
    Address,
    BridgePort,
    Connection,
    Container,
    Endpoint,
    File,
    Flow,
    Link,
    LinkRef,
    NamedSet,
    Namespace,
    Neighbour,
    Network,
    Process,
    Snapshot,
    Socket,
    Subnet,
    Vlan,
)


def headlines(changes: Changes) -> list[str]:
    return [f"{group.sign} {group.headline}" for group in changes.groups]


def test_what_every_host_has_by_the_same_name_is_told_with_its_host() -> None:
    before = snapshot()
    spaces = tuple(Namespace(f"{host}/overlay:wide", "engine", host) for host in ("host1", "host2"))
    before = replace(before, namespaces=(*before.namespaces, *spaces))
    known = Neighbour("10.7.0.33", "vxlan0", "02:42:0a:07:00:21", "PERMANENT")
    changes = diff(before, change_namespace(before, "host2/overlay:wide", neighbours=(known,)))
    assert headlines(changes) == [
        "+ overlay:wide on host2 was told by the engine: 10.7.0.33 is at 02:42:0a:07:00:21 (vxlan0)"
    ]


def test_nothing_changed() -> None:
    changes = diff(snapshot(), snapshot())
    assert str(changes) == "Nothing changed."
    assert "Nothing changed." in changes._repr_mimebundle_()["text/html"]


def test_a_link_that_goes_down_is_told_in_one_line() -> None:
    changes = diff(snapshot(), change_link(snapshot(), "host1", "docker0", up=False, state="DOWN"))
    assert str(changes) == "What changed:\n~ docker0: UP -> DOWN"


def test_a_link_is_down_because_its_other_end_is() -> None:
    before = change_link(snapshot(), "host1", "veth5", up=False, state="DOWN")
    after = change_link(before, "host1", "veth5", up=True, state="LOWERLAYERDOWN")
    assert headlines(diff(before, after)) == ["~ veth5: DOWN -> LOWERLAYERDOWN (set up, but its other end is down)"]


def test_a_bridge_is_set_up_without_a_port() -> None:
    before = change_link(snapshot(), "host1", "docker0", up=False, state="DOWN")
    after = change_link(before, "host1", "docker0", up=True)
    assert headlines(diff(before, after)) == ["~ docker0: set up, still DOWN (no port of it is up)"]


def test_where_is_told_when_there_are_two_hosts() -> None:
    machines = (*snapshot().machines, replace(snapshot().machines[0], name="host2"))
    before = replace(snapshot(), machines=machines)
    after = change_link(before, "host1", "docker0", mtu=1400)
    assert headlines(diff(before, after)) == ["~ docker0 in host1: mtu 1500 -> 1400"]


def test_what_is_behind_a_headline_is_indented() -> None:
    before = snapshot()
    after = replace(before, containers=before.containers[1:], namespaces=(before.namespaces[0], before.namespaces[2]))
    after = change_namespace(after, "host1", links=after.namespaces[0].links[:2], forwarding=())
    assert str(diff(before, after)).splitlines() == [
        "What changed:",
        "- container web removed; gone with it: its network namespace, eth0 172.17.0.2/16, veth5",
        "    - host1: container web (busybox, running) is gone",
        "    - host1: endpoint on network bridge (172.17.0.2) of web is gone",
        "    - host1: published port 0.0.0.0:8080 -> 80/tcp of web is gone",
        "    - network namespace web is gone",
        "    - web: link eth0 (veth, other end veth5 in host1) is gone",
        "    - web: address 172.17.0.2/16 on eth0 is gone",
        "    - host1: link veth5 (veth, port of docker0, other end eth0 in web) is gone",
    ]


def test_the_html_has_the_list_folded_away_and_signs_beside_the_colours() -> None:
    pair = tuple(
        Link(
            n, f"v{n}", "veth", f"aa:00:00:00:01:0{n}", 1500, False, "DOWN", None, LinkRef("host1", f"v{3 - n}", 3 - n)
        )
        for n in (1, 2)
    )
    after = change_namespace(snapshot(), "host1", links=(*snapshot().namespaces[0].links, *pair))
    html = diff(snapshot(), after)._repr_mimebundle_()["text/html"]
    sign = '<span class="dnk-sign dnk-added">+</span>'
    assert f"<details><summary>{sign} veth pair created: v1 and v2</summary>" in html
    assert html.count(f"{sign} host1: new link") == 2


def test_what_is_shown_is_no_markup_of_others() -> None:
    web = replace(snapshot().containers[0], image="<script>alert(1)</script>", id="9", name="<b>x</b>", namespace="")
    after = replace(snapshot(), containers=(*snapshot().containers, web))
    html = diff(snapshot(), after)._repr_mimebundle_()["text/html"]
    assert "<script>" not in html
    assert "<b>x" not in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html


def test_many_containers_go_in_one_line() -> None:
    many = tuple(Container("host1", f"id{n}", f"c{n}", "busybox", "exited") for n in range(12))
    before = replace(snapshot(), containers=(*snapshot().containers, *many))
    assert headlines(diff(before, snapshot())) == ["- 12 containers removed: c0, c1, c2, c3, c4 and 7 more"]


def test_what_is_inside_a_field_is_told_and_not_the_object() -> None:
    port = BridgePort(1, "forwarding", 2, 32, ("flood", "learning"))
    before = change_link(snapshot(), "host1", "veth5", port=port, parameters=(("mode", "bridge"),))
    after = change_link(
        before,
        "host1",
        "veth5",
        port=replace(port, flags=("flood",), state="disabled"),
        parameters=(("mode", "private"),),
        vlans=(Vlan(10, pvid=True),),
    )
    (told,) = headlines(diff(before, after))
    assert (
        told
        == "~ veth5: mode bridge -> private, port state forwarding -> disabled, port flags -learning, vlans +10 pvid"
    )


def test_what_was_forgotten_together_is_told_together() -> None:
    known = tuple(Neighbour(f"172.17.0.{n}", "docker0", f"aa:00:00:00:00:0{n}", "STALE") for n in (2, 3))
    before = change_namespace(snapshot(), "host1", neighbours=known)
    told = "- host1 forgot on docker0: 172.17.0.2 at aa:00:00:00:00:02, 172.17.0.3 at aa:00:00:00:00:03"
    assert headlines(diff(before, change_namespace(before, "host1", neighbours=()))) == [told]


def test_an_answer_that_came_late_was_learned() -> None:
    asked = Neighbour("172.17.0.9", "docker0", "", "FAILED")
    before = change_namespace(snapshot(), "host1", neighbours=(asked,))
    after = change_namespace(before, "host1", neighbours=(replace(asked, mac="aa:00:00:00:00:09", state="REACHABLE"),))
    assert headlines(diff(before, after)) == ["+ host1 learned: 172.17.0.9 is at aa:00:00:00:00:09 (docker0)"]
    assert not diff(after, before)  # an entry that fails again does so by a timer
    other = change_namespace(before, "host1", neighbours=(replace(asked, mac="aa:00:00:00:00:10", state="STALE"),))
    (told,) = headlines(diff(after, other))
    assert told.endswith("is at aa:00:00:00:00:10 (docker0), no longer at aa:00:00:00:00:09")


def test_a_changed_file_is_told_by_its_lines() -> None:
    def lab(*lines: str) -> Snapshot:
        web = replace(snapshot().containers[0], files=(File("/etc/hosts", "\n".join(lines)),))
        return replace(snapshot(), containers=(web, *snapshot().containers[1:]))

    (told,) = headlines(diff(lab("127.0.0.1\tlocalhost"), lab("127.0.0.1\tlocalhost", "172.17.0.3\tdb")))
    assert told == "~ host1: container web: /etc/hosts: +172.17.0.3 db"


def test_who_listens_is_told_and_who_is_connected_is_not() -> None:
    proxy = (Process(77, "docker-proxy"),)
    listening = Socket("tcp", "0.0.0.0", 8080, "LISTEN", processes=proxy, inode=5)
    connected = Socket("tcp", "198.51.100.11", 8080, "ESTAB", "198.51.100.100", 41000, processes=proxy, inode=6)
    too = replace(listening, local="::", family=6, inode=7)
    before = change_namespace(snapshot(), "host1", sockets=())
    after = change_namespace(before, "host1", sockets=(listening, too, connected))
    assert headlines(diff(before, after)) == ["+ docker-proxy listens on 0.0.0.0:8080/tcp, [::]:8080/tcp"]


def test_a_translated_connection_is_told_and_others_are_not() -> None:
    there = Flow("198.51.100.100", "198.51.100.11", 41000, 8080)
    translated = Connection("tcp", there, Flow("172.17.0.2", "198.51.100.100", 80, 41000))
    plain = Connection("tcp", there, Flow("198.51.100.11", "198.51.100.100", 8080, 41000))
    after = change_namespace(snapshot(), "host1", connections=(translated, plain))
    assert headlines(diff(snapshot(), after)) == [
        "+ host1 translated a tcp connection 198.51.100.100:41000 -> 198.51.100.11:8080, "
        "answered by 172.17.0.2:80 to 198.51.100.100:41000"
    ]


def test_lo_of_a_namespace_made_by_hand_is_told_once_it_is_up() -> None:
    def blue(up: bool) -> Snapshot:
        state = "UNKNOWN" if up else "DOWN"
        addresses = (Address("127.0.0.1/8", "host"),) if up else ()
        lo = Link(1, "lo", "loopback", "", 65536, up, state, addresses=addresses)
        space = Namespace("host1/netns:blue", "named", "host1", 7, (lo,))
        return replace(snapshot(), namespaces=(*snapshot().namespaces, space))

    assert headlines(diff(snapshot(), blue(False))) == ["+ network namespace blue created"]
    assert headlines(diff(snapshot(), blue(True))) == ["+ network namespace blue created", "+ lo in blue is up"]
    assert headlines(diff(blue(False), blue(True))) == [
        "~ lo in blue: DOWN -> UP",
        "+ lo in blue has address 127.0.0.1/8",
    ]


LIFE = {
    "docker run -d --name web busybox top": [
        "+ container web started (busybox), joined network bridge: eth0 172.17.0.2/16; "
        "its other end VETH is a new port of docker0",
        "~ docker0: DOWN -> UP",
    ],
    "docker run -d --name api busybox top": [
        "+ container api started (busybox), joined network bridge: eth0 172.17.0.3/16; "
        "its other end VETH is a new port of docker0",
    ],
    "docker exec web ping -c 1 172.17.0.3": [
        "+ docker0 learned: MAC behind VETH (web), MAC behind VETH (api)",
        "+ web learned: 172.17.0.3 is at MAC (eth0)",
        "+ api learned: 172.17.0.2 is at MAC (eth0)",
    ],
    "docker rename api door": ["~ container api is now called door"],
    "docker rm -f door": ["- container door removed; gone with it: its network namespace, eth0 172.17.0.3/16, VETH"],
    "docker restart -t 0 web": [
        "~ container web restarted, in a new network namespace, back on network bridge: eth0 172.17.0.2/16; "
        "its other end VETH is a new port of docker0; gone: VETH",
    ],
    "docker stop -t 0 web": [
        "~ container web stopped; gone with it: its network namespace, eth0 172.17.0.2/16, VETH",
        "~ docker0: UP -> DOWN (no port of it is up)",
    ],
    "docker rm web": ["- container web removed"],
}

BY_HAND = {
    "ip netns add blue; ip netns add red": ["+ network namespace blue created", "+ network namespace red created"],
    "ip link add v0 type veth peer name v1": ["+ veth pair created: v0 and v1"],
    "ip link set v0 netns blue; ip link set v1 netns red": [
        "~ v0 moved from host1 to blue",
        "~ v1 moved from host1 to red",
    ],
    "ip -n blue address add 10.0.0.1/24 dev v0; ip -n blue link set v0 up": [
        "~ v0 in blue: DOWN -> LOWERLAYERDOWN (set up, but its other end is down)",
        "+ v0 in blue has address 10.0.0.1/24, with the route to 10.0.0.0/24",
    ],
    "ip -n red address add 10.0.0.2/24 dev v1; ip -n red link set v1 up": [
        "~ v0 in blue: LOWERLAYERDOWN -> UP",
        "~ v1 in red: DOWN -> UP",
        "+ v1 in red has address 10.0.0.2/24, with the route to 10.0.0.0/24",
    ],
    "nsenter --net=/run/netns/blue ping -c 1 10.0.0.2": [
        "+ blue learned: 10.0.0.2 is at MAC (v0)",
        "+ red learned: 10.0.0.1 is at MAC (v1)",
    ],
    "ip -n red link set v1 netns 1": [
        "~ v1 moved from red to host1, UP -> DOWN",
        "~ v0 in blue: UP -> DOWN",
        "- v1 no longer has address 10.0.0.2/24",
        "- red lost its route 10.0.0.0/24 dev v1",
        "- blue forgot on v0: 10.0.0.2 at MAC",
    ],
    "ip link set v1 name uplink": ["~ v1 is now called uplink"],
    "ip netns del blue; ip netns del red": [
        "- network namespace blue removed; gone with it: v0 10.0.0.1/24, uplink",
        "- network namespace red removed",
    ],
    "ip link add br9 type bridge; ip address add 10.9.0.1/24 dev br9": ["+ bridge br9 created: 10.9.0.1/24"],
    "ip link set br9 address 02:00:00:00:00:09": ["~ br9: mac MAC -> MAC"],
    "ip link del br9": ["- bridge br9 removed"],
    "ip route add 10.8.0.0/16 via 198.51.100.100": ["+ host1 has a route 10.8.0.0/16 via 198.51.100.100 dev eth0"],
    "ip route del 10.8.0.0/16": ["- host1 lost its route 10.8.0.0/16 via 198.51.100.100 dev eth0"],
    "iptables -N MINE; iptables -A MINE -p tcp --dport 22 -j DROP": [
        "+ filter/MINE: new chain, +1 DROP rule -p tcp --dport 22"
    ],
    "iptables -t nat -I PREROUTING -p tcp --dport 80 -j DNAT --to-destination 172.17.0.9:8080": [
        "+ nat/PREROUTING: +1 DNAT rule tcp 80 -> 172.17.0.9:8080"
    ],
    "iptables -t nat -D PREROUTING 1; iptables -F MINE; iptables -X MINE": [
        "- filter/MINE: chain removed, -1 DROP rule -p tcp --dport 22",
        "- nat/PREROUTING: -1 DNAT rule tcp 80 -> 172.17.0.9:8080",
    ],
    "sysctl -w net.ipv4.ip_forward=0": ["~ net.ipv4.ip_forward: 1 -> 0"],
    "sysctl -w net.ipv4.ip_forward=1": ["~ net.ipv4.ip_forward: 0 -> 1"],
}


OF_SOME_ENGINES = re.compile(r"[+-] raw/PREROUTING: [+-]\d DROP rules?\b.*|\+ docker0 learned: .*")
"""From 28 on there is a rule for each endpoint, and the bridge hears of its address sooner."""


def steady(lines: list[str]) -> list[str]:
    return [line for line in lines if not OF_SOME_ENGINES.fullmatch(line)]


def plainly(text: str) -> str:
    """Without what the kernel and the engine draw at random."""
    return re.sub(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b", "MAC", re.sub(r"\bveth[0-9a-f]{6,}", "VETH", text))


def test_an_element_that_was_put_into_a_map_of_nft_is_told() -> None:
    jumps = NamedSet("jumps", "docker-bridges", "ifname", "verdict", (), ('"docker0" : jump a',), layer="ip")
    states = [
        change_namespace(snapshot(), "host1", sets=(one,))
        for one in (jumps, replace(jumps, elements=(*jumps.elements, '"br-1" : drop')))
    ]
    assert headlines(diff(*states)) == ['~ host1: map jumps: elements +"br-1" : drop']
    assert headlines(diff(change_namespace(snapshot(), "host1"), states[0])) == [
        "+ host1: new map ip docker-bridges/jumps (ifname, 1 element)"
    ]


def test_a_macvlan_network_is_told_with_its_parent() -> None:
    wire = Network(
        "host1", "n9", "wire", "macvlan", subnets=(Subnet("10.9.0.0/24"),), link=LinkRef("host1", "docker0", 3)
    )
    after = replace(snapshot(), networks=(*snapshot().networks, wire))
    assert headlines(diff(snapshot(), after)) == ["+ network wire created (macvlan): 10.9.0.0/24, on docker0"]


@pytest.mark.parametrize(("kind", "told"), [("macvlan", "a macvlan"), ("ipvlan", "an ipvlan")])
def test_a_container_on_such_a_network_is_told_with_what_its_interface_lies_on(kind: str, told: str) -> None:
    link = Link(2, "eth0", kind, "02:42:0a:09:00:02", 1500, True, "UP", parent=LinkRef("host1", "docker0", 3))
    space = Namespace("host1/new", "container", "host1", 77, links=(link,))
    end = Endpoint("wire", "n9", address="10.9.0.2/24", link=LinkRef("host1/new", "eth0", 2))
    new = Container("host1", "id9", "new", "busybox", "running", namespace="host1/new", endpoints=(end,))
    before = snapshot()
    after = replace(before, namespaces=(*before.namespaces, space), containers=(*before.containers, new))
    assert headlines(diff(before, after)) == [
        f"+ container new started (busybox), joined network wire: eth0 10.9.0.2/24, {told} on docker0"
    ]


@pytest.mark.live
@pytest.mark.parametrize("story", [LIFE, BY_HAND], ids=["containers", "by hand"])
def test_each_step_of_a_real_lab_is_told_as_a_person_would(fresh_lab: Lab, story: dict[str, list[str]]) -> None:
    told: dict[str, list[str]] = {}
    before = fresh_lab.snapshot()
    for line in story:
        fresh_lab.host.run(line)
        after = fresh_lab.snapshot()
        told[line] = steady([plainly(one) for one in headlines(diff(before, after))])
        before = after
    assert told == {line: steady(lines) for line, lines in story.items()}


@pytest.mark.live
@pytest.mark.sandbox("root")  # a rootless engine has no cgroups to freeze
def test_a_pause_is_told(lab: Lab) -> None:
    lab.host.run("docker run -d --name web busybox top")
    try:
        states = [lab.snapshot()]
        for line in ("docker pause web", "docker unpause web"):
            lab.host.run(line)
            states.append(lab.snapshot())
        told = [headlines(diff(a, b)) for a, b in pairwise(states)]
        assert told == [["~ container web paused"], ["~ container web resumed"]]
    finally:
        lab.host.run("docker rm -f web")


@pytest.mark.live
def test_a_published_port_is_told_by_its_dnat_rule(lab: Lab) -> None:
    before = lab.snapshot()
    lab.host.run("docker run -d --name api -p 8080:80 busybox top")
    try:
        told = headlines(diff(before, lab.snapshot()))
        assert told[0].endswith("; publishes 8080->80/tcp")
        assert "+ nat/DOCKER: +1 DNAT rule tcp 8080 -> 172.17.0.2:80" in told
    finally:
        lab.host.run("docker rm -f api")


@pytest.mark.live
def test_a_network_is_told_with_its_bridge_and_who_joins_it(lab: Lab) -> None:
    states = [lab.snapshot()]
    for line in (
        "docker network create --subnet 10.7.0.0/24 shop",
        "docker run -d --name web busybox top",
        "docker network connect shop web",
        "docker network disconnect shop web",
        "docker rm -f web",
        "docker network rm shop",
    ):
        lab.host.run(line)
        states.append(lab.snapshot())
    first = [plainly(headlines(diff(a, b))[0]) for a, b in pairwise(states)]
    assert re.fullmatch(r"\+ network shop created \(bridge\): new bridge br-\w{12} 10\.7\.0\.1/24", first[0])
    joined = r"\+ container web joined network shop: eth1 10\.7\.0\.2/24; its other end VETH is a new port of br-\w{12}"
    assert re.fullmatch(joined, first[2])
    assert first[3] == "- container web left network shop; gone: eth1 10.7.0.2/24, VETH"
    assert re.fullmatch(r"- network shop removed; its bridge br-\w{12} is gone", first[5])
