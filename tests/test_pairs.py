"""Both ends of a pair may have the same number, each in a namespace of its own."""

import sys

import pytest

from dnetkit.agent.place import Place
from dnetkit.agent.probes.links import join
from dnetkit.lab import Lab
from dnetkit.model import Link, Namespace


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


def test_ends_that_do_not_agree_were_read_while_one_of_them_moved(monkeypatch) -> None:
    numbers = {"host1": {}, "host1/web": {0: 0}}
    places = [Place(-1, inode, name, "host") for inode, name in enumerate(numbers)]
    module = sys.modules[join.__module__]  # its package calls a function by the name of this module
    monkeypatch.setattr(module, "_Numbers", lambda places, here: Known(numbers[places[here].name]))
    stays = Link(8, "veth8", "veth", "", 1500, True, "UP", peer_index=7)
    moves = Link(7, "veth7", "veth", "", 1500, True, "UP", peer_index=8)
    arrived = Link(7, "veth7", "veth", "", 1500, True, "UP", peer_index=8, netnsid=0)
    torn = [Namespace("host1", "host", "host1", links=(moves, stays)), Namespace("host1/web", "engine", "host1")]
    assert join(places, torn)[1] == []
    torn[1] = Namespace("host1/web", "engine", "host1", links=(arrived,))
    assert join(places, torn)[1] == [("host1/web", "veth7")]


class Known:
    def __init__(self, numbers: dict[int, int]) -> None:
        self.place_of = numbers.get
