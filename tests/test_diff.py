from __future__ import annotations

import dataclasses
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from fake_lab import change_link, change_namespace, snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snapshots import journeys, snapshots

from dnetkit.diff import Changes, apply, diff
from dnetkit.lab import Lab
from dnetkit.model import (
    Address,
    Container,
    ForwardingEntry,
    Link,
    LinkRef,
    Namespace,
    Neighbour,
    Route,
    Rule,
    Snapshot,
    Unavailable,
)
from dnetkit.parts import PARTS, SCALARS

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of a whole snapshot, in a message
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def part(state: Snapshot, where: str, name: str) -> Any:
    space = state.namespace(where)
    assert space is not None
    return getattr(space, name)


def short(changes: Changes) -> list[tuple[str, str, str]]:
    return [(one.verb, one.subject, one.where) for one in changes]


@quick
@given(snapshots, snapshots)
def test_a_full_diff_says_all_there_is(before: Snapshot, after: Snapshot) -> None:
    changes = diff(before, after, noise=True)
    assert apply(before, changes) == after
    assert bool(changes) == (before != after)


@quick
@given(journeys())
def test_a_full_diff_says_where_things_went(pair: tuple[Snapshot, Snapshot]) -> None:
    before, after = pair
    assert apply(before, diff(before, after, noise=True)) == after


@quick
@given(journeys(), st.booleans())
def test_every_change_is_told_once(pair: tuple[Snapshot, Snapshot], noise: bool) -> None:
    changes = diff(*pair, noise=noise)
    told = [id(member) for group in changes.groups for member in group.members]
    assert sorted(told) == sorted(map(id, changes.items))
    assert all(group.headline for group in changes.groups)


def test_every_field_of_a_namespace_is_compared() -> None:
    fields = {one.name for one in dataclasses.fields(Namespace)}
    assert fields == {*SCALARS, "links", *PARTS}


def test_what_goes_on_by_itself_is_left_out_and_told_with_noise() -> None:
    before = snapshot()
    after = change_namespace(
        replace(before, taken=9.0, duration=1.0),
        "host1",
        neighbours=tuple(replace(one, state="STALE") for one in part(before, "host1", "neighbours")),
        rules=tuple(replace(one, packets=9, bytes=99) for one in part(before, "host1", "rules")),
        chains=tuple(replace(one, packets=9) for one in part(before, "host1", "chains")),
        routes=(*part(before, "host1", "routes"), Route("10.0.0.0/8", "lo", table="local")),
    )
    after = change_link(after, "host1", "docker0", addresses=(Address("172.17.0.1/16"), Address("fe80::2/64", "link")))
    quiet = diff(before, after)
    assert [one.text for one in quiet] == ["host1: address fe80::1/64 on docker0 is gone"]  # it has scope global here
    subjects = {one.subject for one in diff(before, after, noise=True)}
    assert subjects == {"snapshot", "neighbour", "rule", "chain", "route", "address"}


def test_what_is_learned_is_told() -> None:
    before = snapshot()
    mac = "aa:00:00:00:00:77"
    after = change_namespace(
        before,
        "host1",
        neighbours=(*part(before, "host1", "neighbours"), Neighbour("172.17.0.3", "docker0", mac, "DELAY")),
        forwarding=(*part(before, "host1", "forwarding"), ForwardingEntry(mac, "veth5", "docker0", "learned")),
    )
    assert short(diff(before, after)) == [("added", "neighbour", "host1"), ("added", "forwarding", "host1")]


def test_the_own_addresses_of_ports_are_not_learned() -> None:
    before = snapshot()
    own = ForwardingEntry("02:42:00:00:00:01", "docker0", "docker0", "permanent")
    group = ForwardingEntry("33:33:00:00:00:01", "docker0", "", "permanent")
    by_hand = ForwardingEntry("02:00:00:00:00:99", "veth5", "docker0", "permanent")
    known = part(before, "host1", "forwarding")
    assert not diff(before, change_namespace(before, "host1", forwarding=(*known, own, group)))
    assert len(diff(before, change_namespace(before, "host1", forwarding=(*known, by_hand)))) == 1


def test_a_renamed_link_is_one_change_whatever_names_it() -> None:
    before = snapshot()
    after = change_link(before, "host1", "docker0", name="br7")
    after = change_link(after, "host1", "veth5", master="br7")
    space = after.namespace("host1")
    assert space is not None
    after = change_namespace(
        after,
        "host1",
        routes=tuple(replace(one, device="br7") if one.device == "docker0" else one for one in space.routes),
        neighbours=tuple(replace(one, device="br7") for one in space.neighbours),
        forwarding=tuple(replace(one, bridge="br7") for one in space.forwarding),
    )
    changes = diff(before, after)
    assert [(one.subject, one.fields) for one in changes] == [("link", ("name",))]
    assert apply(before, diff(before, after, noise=True)) == after


def moved() -> tuple[Snapshot, Snapshot]:
    """veth5, unplugged, moves into a namespace of its own, where it gets another index and another name."""
    before = change_link(snapshot(), "host1", "veth5", master=None)
    before = replace(before, namespaces=(*before.namespaces, Namespace("host1/netns:blue", "named", "host1", 7)))
    links = part(before, "host1", "links")
    after = change_namespace(before, "host1", links=tuple(one for one in links if one.name != "veth5"))
    gone = next(one for one in links if one.name == "veth5")
    after = change_namespace(after, "host1/netns:blue", links=(replace(gone, index=2, name="up0"),))
    return before, change_link(after, "host1/web", "eth0", peer=LinkRef("host1/netns:blue", "up0", 2), peer_index=2)


def test_a_link_that_moved_is_one_change() -> None:
    before, after = moved()
    before = change_namespace(before, "host1", forwarding=())
    after = change_namespace(after, "host1", forwarding=())
    (change,) = diff(before, after)
    assert (change.subject, change.verb, change.origin, change.where) == (
        "link",
        "changed",
        "host1",
        "host1/netns:blue",
    )
    assert change.fields[0] == "namespace"


def test_another_link_with_the_same_mac_did_not_move() -> None:
    before, after = moved()
    after = change_link(after, "host1/web", "eth0", mac="aa:00:00:00:00:99")  # so the other end is another one
    verbs = [one.verb for one in diff(before, after) if one.subject == "link"]
    assert sorted(verbs) == ["added", "changed", "removed"]


def test_a_container_in_place_of_another_is_another_though_it_has_its_mac() -> None:
    """Up to engine 27 a macvlan container at the same address has the same MAC on the same parent."""

    def lab(number: str) -> Snapshot:
        link = Link(2, "eth0", "macvlan", "02:42:c6:33:64:32", 1500, True, "UP", parent=LinkRef("host1", "docker0", 3))
        name = f"host1/m{number}"
        space = Namespace(name, "container", "host1", 70 + int(number), links=(link,))
        container = Container("host1", f"id{number}", f"m{number}", "busybox", "running", namespace=name)
        state = snapshot()
        return replace(state, namespaces=(*state.namespaces, space), containers=(*state.containers, container))

    changes = diff(lab("1"), lab("2"))
    assert {one.verb for one in changes if one.subject == "link"} == {"removed", "added"}


def renamed(inode: int, mac: str) -> Snapshot:
    """host1 with one more namespace: 'blue' at first, 'red' for another MAC or number."""
    name = "host1/netns:blue" if inode == 7 and mac == "aa:00:00:00:00:01" else "host1/netns:red"
    link = Link(2, "d0", "dummy", mac, 1500, True, "UP")
    state = snapshot()
    return replace(state, namespaces=(*state.namespaces, Namespace(name, "named", "host1", inode, (link,))))


def test_a_namespace_keeps_its_number_when_it_is_renamed() -> None:
    before = renamed(7, "aa:00:00:00:00:01")
    space = replace(before.namespaces[-1], name="host1/netns:red")
    changes = diff(before, replace(before, namespaces=(*before.namespaces[:-1], space)))
    assert [(one.verb, one.subject, one.fields) for one in changes] == [("changed", "namespace", ("name",))]


def test_a_number_used_again_is_another_namespace() -> None:
    changes = diff(renamed(7, "aa:00:00:00:00:01"), renamed(7, "aa:00:00:00:00:02"))
    assert ("removed", "namespace", "host1/netns:blue") in short(changes)
    assert ("added", "namespace", "host1/netns:red") in short(changes)


def with_rules(*texts: str) -> Snapshot:
    rules = tuple(Rule("filter", "FORWARD", number, text) for number, text in enumerate(texts, 1))
    return change_namespace(snapshot(), "host1", rules=rules)


def test_a_rule_that_is_put_in_changes_no_other() -> None:
    (change,) = diff(with_rules("-j A", "-j B", "-j C"), with_rules("-j NEW", "-j A", "-j B", "-j C"))
    assert (change.verb, change.after.text, change.after.position) == ("added", "-j NEW", 1)


def test_a_rule_that_moved_is_one_change() -> None:
    (change,) = diff(with_rules("-j A", "-j B", "-j C"), with_rules("-j B", "-j C", "-j A"))
    assert (change.verb, change.after.text, change.fields) == ("changed", "-j A", ("position", "place"))


def test_the_second_of_two_equal_rules_is_the_one_that_is_new() -> None:
    (change,) = diff(with_rules("-j A"), with_rules("-j A", "-j A"))
    assert (change.verb, change.after.position) == ("added", 2)


def test_what_could_not_be_read_is_not_gone() -> None:
    before = snapshot()
    gap = Unavailable("rules (IPv4, nft)", "timed out")
    after = change_namespace(before, "host1", rules=(), chains=(), unavailable=(gap,))
    assert [one.text for one in diff(before, after)] == ["host1: could not be read: rules (IPv4, nft) (timed out)"]
    assert apply(before, diff(before, after, noise=True)) == after


def test_the_containers_of_an_engine_that_does_not_answer_are_not_gone() -> None:
    before = snapshot()
    gap = Unavailable("the engine of host1", "[Errno 111] Connection refused")
    after = replace(
        before,
        containers=(),
        networks=(),
        namespaces=tuple(one for one in before.namespaces if one.kind != "container"),
        unavailable=(gap,),
    )
    after = change_link(after, "host1", "veth5", peer=None)
    told = str(diff(before, after))
    assert told.splitlines()[1:] == [
        "- the engine of host1 does not answer (Connection refused): its networks and containers are not known"
    ]


def test_forty_containers_are_compared_in_a_few_milliseconds() -> None:
    def lab(packets: int) -> Snapshot:
        state = snapshot()
        web = next(one for one in state.namespaces if one.name == "host1/web")
        spaces = [replace(web, name=f"host1/c{n}", inode=n) for n in range(1, 41)]
        rules = tuple(Rule("nat", "DOCKER", n, f"-j DNAT --to-destination 172.17.0.{n}:80", packets) for n in range(40))
        host = replace(state.namespaces[0], rules=rules)
        return replace(state, namespaces=(host, *state.namespaces[1:], *spaces))

    before, after = lab(0), lab(1)
    best = min(_timed(before, after) for _ in range(5))
    assert best < 0.05  # of processor time; 5 ms on an idle machine


def _timed(before: Snapshot, after: Snapshot) -> float:
    start = time.process_time()
    diff(before, after)
    return time.process_time() - start


STORY = """\
docker run -d --name web busybox top
docker run -d --name api -p 8080:80 busybox top
docker exec web ping -c 1 172.17.0.3
docker network create shop
docker network connect shop web
docker rename api door
docker stop -t 0 web
docker start web
docker network disconnect shop web
ip netns add blue
ip link add v0 type veth peer name v1
ip link set v0 netns blue
ip link set v1 name v9
ip netns del blue
docker rm -f web door
docker network rm shop
"""


@pytest.mark.live
def test_a_full_diff_of_a_real_lab_says_all_there_is(lab: Lab) -> None:
    states = [lab.snapshot()]
    for line in STORY.splitlines():
        lab.host.run(line)
        states.append(lab.snapshot())
    for before, after in [*pairwise(states), (states[0], states[8]), (states[-1], states[3])]:
        changes = diff(before, after, noise=True)
        assert apply(before, changes) == after
        assert str(changes)


@pytest.mark.live
def test_an_idle_lab_does_not_change(lab: Lab) -> None:
    lab.host.run("docker run -d --name web busybox top; docker exec web ping -c 1 172.17.0.1")
    try:
        before = lab.snapshot()
        lab.host.run("sleep 3")
        assert str(diff(before, lab.snapshot())) == "Nothing changed."
    finally:
        lab.host.run("docker rm -f web")
