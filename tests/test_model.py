"""The model survives a JSON round trip, refuses what does not fit, and says which of its fields are noise."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshots import journeys

from dnetkit import model
from dnetkit.errors import SnapshotError
from dnetkit.model import (
    Address,
    Chain,
    Link,
    Namespace,
    Neighbour,
    Rule,
    Snapshot,
    Socket,
    from_plain,
    lengthen,
    noise,
    shorten,
    to_plain,
)

KINDS = [getattr(model, name) for name in model.__all__ if dataclasses.is_dataclass(getattr(model, name))]

# Names that containers and learners can give: any character that JSON can carry, lone surrogates apart.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def values(hint: Any) -> st.SearchStrategy[Any]:
    if dataclasses.is_dataclass(hint):
        return objects(typing.cast(type, hint))
    if typing.get_origin(hint) is tuple:
        parts = typing.get_args(hint)
        if parts[-1] is Ellipsis:
            return st.lists(st.deferred(lambda: values(parts[0])), max_size=2).map(tuple)
        return st.tuples(*map(values, parts))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return st.one_of(*map(values, typing.get_args(hint)))
    plain = {str: TEXT, int: st.integers(), bool: st.booleans(), float: st.floats(0, 1e12), type(None): st.none()}
    return plain.get(hint, st.none() | TEXT)


def objects(kind: type) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in dataclasses.fields(kind)})


@settings(max_examples=60, deadline=None)
@given(objects(Snapshot).map(lambda made: dataclasses.replace(made, schema=model.SCHEMA)))
def test_a_snapshot_survives_json(snapshot: Snapshot) -> None:
    assert Snapshot.from_json(snapshot.to_json()) == snapshot


@settings(max_examples=60, deadline=None)
@given(journeys())
def test_a_snapshot_survives_being_told_as_what_is_new_since_another(journey: tuple[Snapshot, Snapshot]) -> None:
    for base, new in (journey, journey[::-1], (journey[0], journey[0])):
        back = lengthen(base, json.loads(json.dumps(shorten(base, new))))
        assert back == new
        assert repr(back) == repr(new)


def test_of_what_is_as_it_was_nothing_is_told_and_it_stays_the_same_object() -> None:
    link, moved = Link(1, "lo", "loopback", "", 1, True, "UP"), Link(2, "eth0", "veth", "", 1500, True, "UP")
    base = Snapshot(namespaces=(Namespace("host1", "host", "host1", links=(link, moved)), Namespace("lan", "lan", "")))
    new = dataclasses.replace(
        base, namespaces=(base.namespaces[1], Namespace("host1", "host", "host1", links=(moved, link, link)))
    )
    assert shorten(base, base) == {"namespaces": [0, 1]}
    told = shorten(base, new)
    assert told == {"namespaces": [1, {"links": [1, 0, 0], "from": 0}]}
    back = lengthen(base, told)
    assert back.namespaces[0] is base.namespaces[1]
    assert back.namespaces[1].links[0] is moved


@pytest.mark.parametrize(
    "told",
    [
        *(None, [], {}, {"namespaces": {}}, {"namespaces": [2]}, {"namespaces": [-1]}, {"namespaces": ["a"]}),
        *({"namespaces": [{"from": 2}]}, {"namespaces": [{"from": 0, "links": [7]}]}, {"namespaces": [None]}),
        *({"namespaces": [0], "machines": 3}, {"namespaces": [0], "no": 3}, {"namespaces": [{"from": 0, "no": [1]}]}),
        {"namespaces": [{"from": 0, "links": [True]}]},
    ],
)
def test_what_is_not_the_difference_to_a_snapshot_is_refused(told: Any) -> None:
    with pytest.raises(SnapshotError):
        lengthen(Snapshot(namespaces=(Namespace("host1", "host", "host1"),)), told)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_object_survives_json_and_stays_like_one_made_by_hand(kind: type, data: st.DataObject) -> None:
    made = data.draw(objects(kind))
    back = from_plain(kind, json.loads(json.dumps(to_plain(made))))
    assert back == made
    assert repr(back) == repr(made)
    assert dataclasses.replace(back) == made
    assert vars(back).keys() == vars(made).keys()


def test_a_field_at_its_default_is_not_written() -> None:
    assert to_plain(Rule("nat", "POSTROUTING", 1, "-j RETURN")) == {
        "table": "nat",
        "chain": "POSTROUTING",
        "position": 1,
        "text": "-j RETURN",
    }
    assert to_plain(Snapshot()) == {"schema": model.SCHEMA}


@pytest.mark.parametrize(
    "plain",
    [
        [],
        None,
        {},
        {"index": 1},
        {"index": True, "name": "a", "kind": "veth", "mac": "", "mtu": 1, "up": True, "state": "UP"},
        {"index": 1, "name": 2, "kind": "veth", "mac": "", "mtu": 1, "up": True, "state": "UP"},
        {"index": 1, "name": "a", "kind": "veth", "mac": "", "mtu": 1, "up": 1, "state": "UP"},
        {"index": 1, "name": "a", "kind": "veth", "mac": "", "mtu": 1, "up": True, "state": "UP", "colour": "red"},
        {"index": 1, "name": "a", "kind": "v", "mac": "", "mtu": 1, "up": True, "state": "UP", "addresses": {}},
        {"index": 1, "name": "a", "kind": "v", "mac": "", "mtu": 1, "up": True, "state": "UP", "parameters": [["a"]]},
        {"index": 1, "name": "a", "kind": "v", "mac": "", "mtu": 1, "up": True, "state": "UP", "peer": {"name": "b"}},
    ],
)
def test_what_does_not_fit_is_refused(plain: Any) -> None:
    with pytest.raises(SnapshotError, match="Link"):
        from_plain(Link, plain)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"schema": 1}', '{"schema": 2, "x": 1}', '{"schema": "2"}'])
def test_another_schema_or_no_snapshot_at_all_is_refused(text: str) -> None:
    with pytest.raises(SnapshotError):
        Snapshot.from_json(text)


def test_the_model_says_what_changes_by_itself() -> None:
    assert noise(Rule) == {"packets", "bytes"}
    assert noise(Chain) == {"packets", "bytes"}
    assert noise(Neighbour) == {"state"}
    assert noise(Address) == {"tentative", "valid_lifetime", "preferred_lifetime"}
    assert noise(Link) == {"statistics"}
    assert noise(Socket) == {"receive_queue", "send_queue"}
    assert noise(model.Connection) > {"timeout", "state", "packets"}
    assert noise(Snapshot) == {"taken", "duration"}
    assert noise(model.Route) == {"expires"}


def test_a_rule_of_iptables_is_told_in_parts() -> None:
    rule = Rule(
        "nat", "DOCKER", 1, "! -i docker0 -p tcp -m tcp --dport 8080 -m comment --comment \"a -j b\" -j DNAT "
        "--to-destination 172.17.0.2:80",
    )  # fmt: skip
    assert rule.matches == ("! -i docker0", "-p tcp", "-m tcp --dport 8080", "-m comment --comment a -j b")
    assert (rule.target, rule.options) == ("DNAT", "--to-destination 172.17.0.2:80")
    negated = Rule("filter", "A", 1, "-m addrtype ! --src-type LOCAL -m set ! --match-set s src -g B")
    assert negated.matches == ("-m addrtype ! --src-type LOCAL", "-m set ! --match-set s src")
    assert (negated.target, negated.options) == ("B", "")
    assert Rule("filter", "A", 1, "-s 10.0.0.0/8").target == ""


@pytest.mark.parametrize(
    ("text", "matches", "target", "options"),
    [
        ("tcp dport 80 counter dnat to 10.0.0.2:80", ("tcp dport 80",), "dnat", "to 10.0.0.2:80"),
        ("counter", (), "", ""),
        ("ct state established,related accept", ("ct state established,related",), "accept", ""),
        ("ct status dnat counter jump inner", ("ct status dnat",), "inner", ""),
        ("tcp dport vmap { 22 : accept, 80 : drop }", ("tcp dport",), "vmap", "{ 22 : accept, 80 : drop }"),
        ("oifname vmap @jumps counter", ("oifname",), "vmap", "@jumps"),
        ("reject with icmp port-unreachable", (), "reject", "with icmp port-unreachable"),
    ],
)
def test_a_rule_of_nft_is_told_in_parts(text: str, matches: tuple[str, ...], target: str, options: str) -> None:
    rule = Rule("t", "c", 1, text, syntax="nft")
    assert (rule.matches, rule.target, rule.options) == (matches, target, options)
