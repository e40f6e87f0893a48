"""Links that this kernel may not make, as a kernel that has them sends them."""

from __future__ import annotations

import os
import struct
from types import SimpleNamespace
from typing import Any

import pytest

from dnetkit.agent.netlink import attribute, nested
from dnetkit.agent.place import Place
from dnetkit.agent.probes.links import _state, _vlans, join, links
from dnetkit.model import Link, Namespace, Unavailable, Vlan


class Kernel:
    """Sends one link, and nothing else when asked for more."""

    def dump(self, *_: Any, **__: Any) -> list[Any]:
        return []


def told(monkeypatch: pytest.MonkeyPatch, kind: str, *more: bytes, info: bytes = b"") -> tuple[Link, list[Unavailable]]:
    """What is told of a link number 5 of that kind, and what is said to be unavailable."""
    monkeypatch.setattr(Place, "netlink", lambda *_: Kernel())
    attributes = attribute(3, "x0") + attribute(18, attribute(1, kind) + info) + b"".join(more)
    with Place(os.open("/proc/self/ns/net", os.O_RDONLY), 1, "x", "host") as place:
        place.__dict__["raw_links"] = [((0, 1, 5, 0, 0), nested(attributes))]
        (link,) = links(place)["links"]
        return link, place.missing


def test_what_is_not_asked_of_a_wireguard_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    link, missing = told(monkeypatch, "wireguard")
    assert (link.kind, [one.what for one in missing]) == ("wireguard", ["parameters of link x0"])
    assert "generic netlink" in missing[0].reason


def test_a_kind_that_is_not_known_says_so_where_it_has_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    _, missing = told(monkeypatch, "strange", info=attribute(2, attribute(1, 7)))
    assert missing == [Unavailable("parameters of link x0", "what a link of kind strange has is not known here")]
    assert told(monkeypatch, "plain")[1] == []


def test_an_index_that_only_a_pair_means_is_no_other_end_of_a_vxlan(monkeypatch: pytest.MonkeyPatch) -> None:
    away = attribute(5, 5) + struct.pack("=HHi", 8, 37, 0)  # IFLA_LINK is its own index, and another namespace
    assert told(monkeypatch, "vxlan", away)[0].peer_index is None
    assert told(monkeypatch, "veth", away)[0].peer_index == 5


def reading(away: int) -> Any:
    """Two open namespaces, 3 and 4; each calls the one given `away` 0, and knows no number for the other."""

    class Numbering:
        def ask(self, kind: int, header: bytes, wanted: bytes) -> tuple[bytes, dict[int, bytes]]:
            del kind, header
            return b"", {1: struct.pack("=i", 0 if nested(wanted)[3] == struct.pack("=I", away) else -1)}

    return [SimpleNamespace(netlink=Numbering, fd=fd) for fd in (3, 4)]


def test_a_link_that_moved_between_the_readings_of_two_namespaces_does_not_fit() -> None:
    def veth(index: int, name: str, peer: int, netnsid: int | None = None) -> Link:
        return Link(index, name, "veth", "", 1500, True, "UP", peer_index=peer, netnsid=netnsid)

    early = Namespace("host", "host", "h", links=(veth(17, "veth17", 18), veth(18, "veth18", 17)))
    late = Namespace("web", "container", "h", links=(veth(17, "eth0", 18, netnsid=0),))
    assert join(reading(away=3), [early, late])[1] == [("web", "eth0")]
    assert join(reading(away=3), [early])[1] == []


def test_a_tunnel_is_not_joined_to_what_happens_to_have_its_index_elsewhere() -> None:
    tunnel = Link(5, "vxlan0", "vxlan", "", 1450, True, "UNKNOWN", netnsid=0)
    other = Link(5, "veth9", "veth", "", 1500, True, "UP")
    spaces = [Namespace("engine", "engine", "h", links=(tunnel,)), Namespace("host", "host", "h", links=(other,))]
    joined, dangling = join(reading(away=4), spaces)
    made = joined[0].links[0]
    assert (made.peer, made.parent, dangling) == (None, None, [])
    assert made.underlay == "host"


def test_a_bridge_is_up_as_its_carrier_is() -> None:
    def state(kind: str, said: int, carrier: int, flags: int = 1) -> str:
        return _state(kind, flags, {16: bytes([said]), 33: bytes([carrier])})

    up, down = 6, 2
    assert state("bridge", up, 0) == "DOWN"
    assert state("bridge", down, 1) == "UP"
    assert state("bridge", down, 1, flags=0) == "DOWN"
    assert state("bridge", 0, 1) == "UNKNOWN"
    assert state("veth", up, 0) == "UP"


def test_the_vlans_of_a_port() -> None:
    entries = b"".join(attribute(2, struct.pack("=HH", flags, vid)) for flags, vid in ((6, 1), (0, 20)))
    reply = struct.pack("=BxHiII", 7, 0, 7, 0, 0), {26: entries}
    here: Any = SimpleNamespace(netlink=lambda: SimpleNamespace(dump=lambda *_: [reply]))
    assert _vlans(here) == {7: (Vlan(1, pvid=True, untagged=True), Vlan(20))}
