"""What the last step did, in the picture: added, removed, changed, moved, each with a sign, a colour and a line."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from networks import Net, plain

from dnetkit.diagram import Diagram, diagram
from dnetkit.diagram.palette import MARKS
from dnetkit.diff import Changes, diff
from dnetkit.model import Address, PublishedPort, Snapshot


def change(before: Snapshot, after: Snapshot) -> Diagram:
    return diagram(after, diff(before, after))


@pytest.fixture
def net() -> Net:
    net = Net()
    net.container("web")
    return net


def test_without_changes_nothing_is_marked(net: Net) -> None:
    picture = diagram(net.snapshot)
    assert not picture.scene.marks
    assert not any(colour in picture.graph.source for mark, colour in MARKS.items() if mark)


def test_what_was_added_is_bold_green_and_has_a_plus(net: Net) -> None:
    before = net.snapshot
    net.container("db", address="172.17.0.3/16")
    picture = change(before, net.snapshot)
    assert picture.scene.marks == {"added"}
    source = picture.graph.source
    assert MARKS["added"] in source
    assert re.search(r"<b><font [^>]*>\+ </font></b><b><font [^>]*>db</font></b>", source)
    assert 'penwidth="3"' in source
    told = plain(picture.text).splitlines()
    assert "  Added: container db (busybox)." in told
    assert "    Added: port veth-db is joined to eth0 in db." in told


def test_what_was_removed_is_still_drawn_dashed_struck_out_with_a_minus(net: Net) -> None:
    before = net.snapshot
    net.remove("web")
    picture = change(before, net.snapshot)
    assert picture.scene.marks == {"removed"}
    source = picture.graph.source
    assert "<s>web</s>" in source
    assert "<s>172.17.0.2/16</s>" in source
    assert re.search(r'-> .*style="dashed"', source)
    assert "\N{MINUS SIGN} " in source
    assert "Removed: container web (busybox)." in plain(picture.text)
    assert "1 host, 1 bridge, no containers" in plain(picture.text)


def test_what_changed_is_dotted_and_says_what_it_was(net: Net) -> None:
    before = net.snapshot
    net.change("host1/web", "eth0", up=False, state="DOWN")
    picture = change(before, net.snapshot)
    assert picture.scene.marks == {"changed"}
    assert "UP → DOWN" in picture.graph.source
    assert "dotted" in picture.graph.source
    assert "Changed: interface eth0 has 172.17.0.2/16, is down, changed (UP → DOWN)" in plain(picture.text)


def test_addresses_have_marks_of_their_own(net: Net) -> None:
    before = net.snapshot
    net.change("host1/web", "eth0", addresses=(Address("172.17.0.9/16"),))
    picture = change(before, net.snapshot)
    assert picture.scene.marks == {"added", "removed"}
    assert "has added: 172.17.0.9/16 and removed: 172.17.0.2/16" in plain(picture.text)


def test_published_ports_have_marks_of_their_own(net: Net) -> None:
    before = net.snapshot
    port = PublishedPort("127.0.0.1", 5353, 53, "udp")
    net.containers = [replace(one, ports=(port,)) for one in net.containers]
    picture = change(before, net.snapshot)
    assert "Added: port 5353 of host1 at 127.0.0.1 only leads to port 53 of web (udp)." in plain(picture.text)
    assert "port 127.0.0.1:5353/udp → web:53" in picture.graph.source


def test_an_interface_that_moved_is_seen_at_both_places() -> None:
    net = Net()
    blue = net.named("blue")
    net.pair(("host1", "a"), ("host1", "b"))
    before = net.snapshot
    moved = next(link for link in net.links["host1"] if link.name == "b")
    net.links["host1"].remove(moved)
    net.links[blue].append(moved)
    peer = next(link.peer for link in net.links["host1"] if link.name == "a")
    assert peer is not None
    net.change("host1", "a", peer=replace(peer, namespace=blue))
    picture = change(before, net.snapshot)
    assert "Changed: interface b changed (from host1) and is joined to a in host1." in plain(picture.text)
    assert "Interface a is joined to b in blue (changed)." in plain(picture.text)
    assert "Removed: interface b is now in blue." in plain(picture.text)
    assert plain(picture.text).count("(removed)") == 0  # the pair itself is still the same


def test_an_interface_with_a_new_name_is_the_same_interface(net: Net) -> None:
    before = net.snapshot
    net.change("host1/web", "eth0", name="uplink")
    ref = next(link.peer for link in net.links["host1"] if link.name == "veth-web")
    assert ref is not None
    net.change("host1", "veth-web", peer=replace(ref, name="uplink"))
    picture = change(before, net.snapshot)
    assert picture.scene.marks == {"changed"}
    assert "Changed: interface uplink has 172.17.0.2/16, changed (was eth0)" in plain(picture.text)


def test_a_container_that_stopped_stays_greyed_with_the_pair_that_went(net: Net) -> None:
    before = net.snapshot
    kept = net.containers
    net.remove("web")
    net.containers = [replace(one, state="exited", namespace="", endpoints=()) for one in kept]
    picture = change(before, net.snapshot)
    assert "Changed: container web (busybox) has exited. What changed: running → exited." in plain(picture.text)
    assert "Removed: interface eth0 has 172.17.0.2/16 and is joined to veth-web, a port of docker0." in plain(
        picture.text
    )
    later = diagram(net.snapshot)
    assert "  Container web (busybox) has exited." in later.text
    assert "dotted" in later.graph.source
    assert '"host1/web":peth0' not in later.graph.source


def test_a_container_made_anew_under_the_same_name_is_another(net: Net) -> None:
    before = net.snapshot
    net.remove("web")
    net.container("web", address="172.17.0.2/16")
    net.inodes["host1/web"] = 4026539999
    net.containers = [replace(one, id="another") for one in net.containers]
    picture = change(before, net.snapshot)
    assert plain(picture.text).count("Removed: container web (busybox).") == 1
    assert plain(picture.text).count("Added: container web (busybox).") == 1
    assert "#before" not in plain(picture.text)
    assert "#before" not in picture.svg()


def test_a_restarted_container_is_one_box_with_its_old_and_its_new_pair(net: Net) -> None:
    before = net.snapshot
    kept = net.containers
    net.remove("web")
    net.container("web")
    net.inodes["host1/web"] = 4026539999
    net.containers = [replace(one, endpoints=net.containers[0].endpoints) for one in kept]
    picture = change(before, net.snapshot)
    assert plain(picture.text).count("ontainer web") == 1
    assert "Removed: interface eth0" in plain(picture.text)
    assert "Added: interface eth0" in plain(picture.text)
    assert "#before" not in plain(picture.text)


def test_a_renamed_container_is_not_a_new_one(net: Net) -> None:
    before = net.snapshot
    net.containers = [replace(one, name="shop", namespace="host1/shop") for one in net.containers]
    for table in (net.kinds, net.links, net.inodes):
        table["host1/shop"] = table.pop("host1/web")  # type: ignore[attr-defined]
    ref = next(link.peer for link in net.links["host1"] if link.name == "veth-web")
    assert ref is not None
    net.change("host1", "veth-web", peer=replace(ref, namespace="host1/shop"))
    picture = change(before, net.snapshot)
    assert picture.scene.marks == {"changed"}
    assert "Changed: container shop (busybox). What changed: was web." in plain(picture.text)


def test_routing_that_was_switched_is_marked(net: Net) -> None:
    after = net.snapshot
    before = replace(
        after,
        namespaces=tuple(
            replace(space, sysctls=(("net.ipv4.ip_forward", "0"),)) if space.name == "host1" else space
            for space in after.namespaces
        ),
    )
    assert "Changed: host1 routes between its networks." in change(before, after).text


def test_a_picture_newer_than_the_changes_marks_only_what_still_holds(net: Net) -> None:
    before = net.snapshot
    net.container("db", address="172.17.0.3/16")
    changes = diff(before, net.snapshot)
    net.remove("db")
    net.container("late", address="172.17.0.4/16")
    assert not diagram(net.snapshot, changes).scene.marks


def test_no_changes_is_the_same_as_an_empty_list_of_them(net: Net) -> None:
    state = net.snapshot
    assert diagram(state, Changes(state, state)).graph.source == diagram(state).graph.source


def test_legend_names_the_signs_that_are_there_and_no_others(net: Net) -> None:
    before = net.snapshot
    net.container("db", address="172.17.0.3/16")
    shown = change(before, net.snapshot)._repr_mimebundle_()["text/html"]
    assert "added (bold)" in shown
    assert "removed (dashed" not in shown


def test_a_container_made_anew_is_another_even_when_the_kernel_uses_the_number_again(net: Net) -> None:
    before = net.snapshot
    number = net.inodes["host1/web"]
    net.remove("web")
    net.container("web")
    net.inodes["host1/web"] = number
    net.containers = [replace(one, id="another") for one in net.containers]
    state = net.snapshot
    picture = change(before, state)
    assert len([space for space in picture.scene.spaces if space.label == "web"]) == 2
    assert picture.text.count("Removed: container web (busybox).") == 1
    assert [one.verb for one in diff(before, state) if one.subject == "namespace"] == ["added", "removed"]


def test_what_a_picture_does_not_show_is_not_marked_in_it(net: Net) -> None:
    before = net.snapshot
    net.change("host1/web", "eth0", qdisc="tbf", alias="uplink", promiscuity=1)
    net.containers = [replace(one, exit_status=3, extra_hosts=("db:10.0.0.1",)) for one in net.containers]
    changes = diff(before, net.snapshot)
    assert changes
    assert not diagram(net.snapshot, changes).scene.marks
