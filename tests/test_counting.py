from __future__ import annotations

from dataclasses import replace

import pytest
from fake_lab import change_namespace, snapshot

from dnetkit.diff import counters
from dnetkit.lab import Lab
from dnetkit.model import Chain, Rule, Snapshot, Unavailable

MASQUERADE = Rule("nat", "POSTROUTING", 1, "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE")


def lab_with(*rules: Rule, chains: tuple[Chain, ...] = ()) -> Snapshot:
    return change_namespace(snapshot(), "host1", rules=rules, chains=chains)


def test_nothing_counted() -> None:
    counted = counters(snapshot(), snapshot())
    assert not counted
    assert str(counted) == "No rule counted a packet."
    assert "No rule counted a packet." in counted._repr_mimebundle_()["text/html"]


def test_a_rule_that_counted_is_named_with_its_place() -> None:
    counted = counters(lab_with(MASQUERADE), lab_with(replace(MASQUERADE, packets=1, bytes=84)))
    assert str(counted) == (
        "In host1:\n  nat POSTROUTING 1: MASQUERADE -s 172.17.0.0/16 ! -o docker0 +1 packet, 84 bytes"
    )


def test_a_policy_counts_too() -> None:
    drop = Chain("filter", "FORWARD", "DROP")
    counted = counters(lab_with(chains=(drop,)), lab_with(chains=(replace(drop, packets=2, bytes=168),)))
    assert "filter FORWARD policy: DROP +2 packets, 168 bytes" in str(counted)


def test_a_rule_that_moved_counts_on_and_one_that_was_put_in_again_counts_from_nothing() -> None:
    old = replace(MASQUERADE, packets=5, bytes=420)
    shifted = replace(old, position=2, packets=7, bytes=588)
    other = Rule("nat", "POSTROUTING", 1, "-j RETURN", 3, 300)
    assert "2: MASQUERADE -s 172.17.0.0/16 ! -o docker0 +2 packets, 168 bytes" in str(
        counters(lab_with(old), lab_with(other, shifted))
    )
    again = replace(MASQUERADE, packets=2, bytes=168)
    assert "+2 packets, 168 bytes" in str(counters(lab_with(old), lab_with(again)))


def test_rules_that_could_not_be_read_are_not_silent() -> None:
    after = change_namespace(snapshot(), "host1", rules=(), unavailable=(Unavailable("rules (IPv4, nft)", "no"),))
    assert "Not known for host1: its rules could not be read." in str(counters(snapshot(), after))


def test_the_table_is_no_markup_of_others() -> None:
    rule = Rule("nat", "POSTROUTING", 1, "-m comment --comment <i>x</i> -j ACCEPT")
    html = counters(lab_with(rule), lab_with(replace(rule, packets=1)))._repr_mimebundle_()["text/html"]
    assert "<i>" not in html
    assert "&lt;i&gt;x" in html


@pytest.mark.live
def test_a_ping_through_the_bridge_is_counted(lab: Lab) -> None:
    lab.host.run("docker run -d --name web busybox top")
    try:
        before = lab.snapshot()
        lab.host.run("docker exec web ping -c 1 198.51.100.11")  # the host's own address: not forwarded
        assert "FORWARD" not in str(counters(before, lab.snapshot()))
        before = lab.snapshot()
        lab.host.run("docker exec web ping -c 2 198.51.100.100")
        counted = counters(before, lab.snapshot())
        assert "MASQUERADE -s 172.17.0.0/16 ! -o docker0 +1 packet, 84 bytes" in str(counted)
        assert any(one.packets == 4 for one in counted.counts)  # two there, two back, in FORWARD
    finally:
        lab.host.run("docker rm -f web")
