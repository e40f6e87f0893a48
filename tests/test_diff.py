from __future__ import annotations

from dataclasses import replace

from fake_lab import change_link, change_namespace, snapshot
from hypothesis import HealthCheck, given, settings
from snapshots import snapshots

from dnetkit.diff import apply, counters, diff
from dnetkit.model import Snapshot


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(snapshots, snapshots)
def test_a_full_diff_says_all_there_is(before: Snapshot, after: Snapshot) -> None:
    changes = diff(before, after, noise=True)
    assert apply(before, changes) == after
    assert str(changes)
    assert bool(changes) == (before != after)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(snapshots, snapshots)
def test_every_change_is_told_once(before: Snapshot, after: Snapshot) -> None:
    for noise in (False, True):
        changes = diff(before, after, noise=noise)
        told = [id(member) for group in changes.groups for member in group.members]
        assert sorted(told) == sorted(map(id, changes.items))


def test_a_snapshot_taken_again_differs_in_nothing_to_tell() -> None:
    before = snapshot()
    changes = diff(before, replace(before, taken=1.0, duration=2.0))
    assert not changes
    assert str(changes) == "Nothing changed."


def test_a_link_that_goes_down_is_told_in_one_line() -> None:
    changes = diff(snapshot(), change_link(snapshot(), "host1", "docker0", up=False, state="DOWN"))
    assert str(changes) == "What changed:\n~ docker0: UP -> DOWN"


def test_what_is_shown_is_no_markup() -> None:
    changes = diff(snapshot(), change_link(snapshot(), "host1", "docker0", name="<b>"))
    html = changes._repr_mimebundle_()["text/html"]
    assert "&lt;b&gt;" in html
    assert "<b>&lt;" not in html.replace("<b>What changed:</b>", "")


def test_no_counter_moved() -> None:
    assert str(counters(snapshot(), snapshot())) == "No rule counted a packet."


def test_a_rule_that_counted_is_named_with_its_place() -> None:
    rule = snapshot().namespaces[0].rules[0]
    after = change_namespace(snapshot(), "host1", rules=(replace(rule, packets=4, bytes=336),))
    told = "nat POSTROUTING 1: MASQUERADE -s 172.17.0.0/16 ! -o docker0 +1 packet, 84 bytes"
    assert told in str(counters(snapshot(), after))
