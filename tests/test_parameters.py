"""The parameters of kinds of links that not every kernel has, from the bytes that a kernel would send."""

from __future__ import annotations

import socket
import struct

import pytest

from dnetkit.agent.probes.parameters import known, parameters

V4 = socket.inet_aton


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("vlan", {1: struct.pack("=H", 10), 2: struct.pack("=II", 3, 0xFFFFFFFF), 5: b"\x81\0"},
         {"id": "10", "flags": "REORDER_HDR,GVRP", "protocol": "802.1Q"}),
        ("vlan", {5: b"\x88\xa8"}, {"protocol": "802.1ad"}),
        ("ipvlan", {1: struct.pack("=H", 0), 2: struct.pack("=H", 0)}, {"mode": "l2", "flags": "bridge"}),
        ("ipvlan", {1: struct.pack("=H", 2), 2: struct.pack("=H", 1)}, {"mode": "l3s", "flags": "private"}),
        ("macvlan", {1: struct.pack("=I", 8), 2: struct.pack("=H", 1)}, {"mode": "passthru", "flags": "nopromisc"}),
        ("ipip", {2: V4("10.0.0.1"), 3: V4("10.0.0.2"), 4: b"\x40"},
         {"local": "10.0.0.1", "remote": "10.0.0.2", "ttl": "64"}),
        ("gre", {4: b"\0\0\0\7", 6: V4("10.0.0.1"), 7: V4("0.0.0.0")},
         {"ikey": "7", "local": "10.0.0.1", "remote": "0.0.0.0"}),
        ("geneve", {1: struct.pack("=I", 9), 5: b"\x17\xc1", 7: socket.inet_pton(socket.AF_INET6, "fd00::1")},
         {"id": "9", "port": "6081", "remote": "fd00::1"}),
        ("vrf", {1: struct.pack("=I", 77)}, {"table": "77"}),
        ("vxlan", {1: struct.pack("=I", 42), 10: b"\0\1\0\2", 15: b"\x12\xb5", 23: b""},
         {"id": "42", "port_range": "1 2", "port": "4789", "gbp": "1"}),
        ("bridge", {11: b"\x80\0\2\x42\0\0\0\1", 7: b"\1"}, {"bridge_id": "8000.2:42:0:0:0:1", "vlan_filtering": "1"}),
        ("macvlan", {1: struct.pack("=I", 99)}, {"mode": "99"}),
    ],
)  # fmt: skip
def test_parameters_are_named_as_ip_names_them(kind: str, data: dict[int, bytes], expected: dict[str, str]) -> None:
    assert known(kind)
    assert dict(parameters(kind, data)) == expected


def test_of_a_kind_that_is_not_known_nothing_is_made_up() -> None:
    assert not known("hyperlink")
    assert parameters("hyperlink", {1: b"\1"}) == ()
