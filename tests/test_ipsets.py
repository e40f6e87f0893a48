"""The ipsets of a namespace, made here through netlink, read as `ipset save` writes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from dnetkit.agent.netfilter import _Told, rules
from dnetkit.agent.netfilter.ipsets import ipsets
from dnetkit.agent.place import Place

UNSHARE = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]

MAKE = """
import json, struct
from dnetkit.agent.netfilter.ipsets import ipsets
from dnetkit.agent.netlink import NETLINK_NETFILTER, Netlink, attribute

CREATE, ADD, NEW = 6 << 8 | 2, 6 << 8 | 9, 0x600
netlink = Netlink(None, NETLINK_NETFILTER)

def ask(kind, name, *more):
    head = attribute(1, bytes([6])) + attribute(2, name)
    netlink.change(kind, NEW if kind == CREATE else 0, bytes(4), head + b"".join(more))

def create(name, kind, family):
    what = attribute(3, kind) + attribute(4, bytes([0])) + attribute(5, bytes([family]))
    ask(CREATE, name, what, attribute(7 | 0x8000, b""))

def ip(number, *raw):  # IPSET_ATTR_IP or _IP2, and in it the address in the byte order of the network
    return attribute(number | 0x8000, attribute((1 if len(raw) == 4 else 2) | 0x4000, bytes(raw)))

def add(name, *parts):
    ask(ADD, name, attribute(7 | 0x8000, b"".join(parts)))

print(json.dumps(str(ipsets(netlink))))
create("friends", "hash:ip", 2)
add("friends", ip(1, 10, 0, 0, 2))
add("friends", ip(1, 10, 0, 0, 1))
create("nets", "hash:net", 10)
add("nets", ip(1, 0xFD, *[0] * 15), attribute(3, bytes([64])))
create("ports", "hash:ip,port", 2)
add("ports", ip(1, 10, 0, 0, 1), attribute(7, bytes([6])), attribute(4 | 0x4000, struct.pack("!H", 80)))
print(json.dumps([(s.name, s.key, s.family, s.layer, s.table, s.backend, s.elements) for s in ipsets(netlink)]))
"""


@pytest.mark.live
def test_they_are_read_as_ipset_writes_them() -> None:
    done = subprocess.run([*UNSHARE, sys.executable, "-c", MAKE], capture_output=True, text=True, check=False)
    if done.returncode and "create(" in done.stderr:
        pytest.skip(f"this kernel makes no ipsets: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    none, found = map(json.loads, done.stdout.splitlines())
    assert none == "[]"
    assert found == [
        ["friends", "hash:ip", 4, "ip", "", "ipset", ["10.0.0.1", "10.0.0.2"]],
        ["nets", "hash:net", 6, "ip6", "", "ipset", ["fd00::/64"]],
        ["ports", "hash:ip,port", 4, "ip", "", "ipset", ["10.0.0.1,tcp:80"]],
    ]


class Refusing:
    """A kernel that answers every question about netfilter with one error."""

    def __init__(self, number: int) -> None:
        self.number = number

    def dump(self, *_: Any, **__: Any) -> Any:
        raise OSError(self.number, os.strerror(self.number))

    ask = dump


@pytest.mark.parametrize("number", [22, 95])  # EINVAL, EOPNOTSUPP
def test_a_kernel_without_ipsets_has_none(number: int) -> None:
    assert ipsets(Refusing(number)) == []  # type: ignore[arg-type]


def test_what_may_not_be_asked_is_unavailable_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Place, "netlink", lambda *_: Refusing(1))
    monkeypatch.setattr("dnetkit.agent.netfilter._nf_tables", lambda *_: _Told())
    place = Place(os.open("/proc/self/ns/net", os.O_RDONLY), 1, "x", "lan")
    with place:
        found = rules(place)
    assert found["sets"] == ()
    assert [(one.what, one.reason) for one in place.missing] == [("ipsets", "Operation not permitted")]
