"""Both ends of a pair may have the same number, each in a namespace of its own."""

import pytest

from dnetkit.lab import Lab


@pytest.mark.live
def test_ends_with_the_same_number_find_each_other(fresh_lab: Lab) -> None:
    fresh_lab.host.run(
        "ip netns add west; ip netns add east; ip link add w0 netns west type veth peer name e0 netns east"
    )
    state = fresh_lab.snapshot()
    west, east = (state.namespace(name).link(link) for name, link in (("west", "w0"), ("east", "e0")))
    assert west.index == east.index
    assert west.peer.name == "e0"
    assert east.peer.namespace == "host1/netns:west"
