"""Where packets and frames are sent: routes, rules that choose a table, neighbours, forwarding databases, groups."""

from __future__ import annotations

from dataclasses import dataclass

from dnetkit.model.noise import noisy

__all__ = ["ForwardingEntry", "Membership", "MulticastGroup", "Neighbour", "NextHop", "PolicyRule", "Route"]


@dataclass(frozen=True, order=True)
class NextHop:
    """One way of a route that has several; weight as `ip route` prints it, from 1."""

    device: str = ""
    gateway: str = ""
    weight: int = 1
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class Route:
    """A route; destination is 'default' or a prefix, table 'main', 'local' or a number, metric 0 when unset.

    nexthops: the ways of a route with several, which then has no device of its own. from_prefix: only for packets from
    there (IPv6). options: what else `ip route` prints, ('mtu', '1400'), ('pref', 'medium'), ('encap', 'ip'), ...
    flags: 'onlink', 'linkdown', 'dead', ... expires: seconds that an IPv6 route has left, 0 when it does not expire.
    """

    destination: str
    device: str = ""
    gateway: str = ""
    source: str = ""
    table: str = "main"
    kind: str = "unicast"
    scope: str = "global"
    protocol: str = ""
    metric: int = 0
    family: int = 4
    tos: int = 0
    from_prefix: str = ""
    flags: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    nexthops: tuple[NextHop, ...] = ()
    expires: int = noisy(0)


@dataclass(frozen=True, order=True)
class PolicyRule:
    """A rule of `ip rule`: which packets look into which table.

    source, destination: a prefix or 'all'. action: 'lookup' (then table says where), 'blackhole', 'unreachable',
    'prohibit', 'nop' or 'goto N'. invert: it holds for all but the packets described. options: further conditions and
    settings, ('fwmark', '0x1/0xff'), ('iif', 'eth0'), ('ipproto', 'tcp'), ('suppress_prefixlength', '0'), ...
    """

    priority: int
    source: str = "all"
    destination: str = "all"
    action: str = "lookup"
    table: str = ""
    family: int = 4
    invert: bool = False
    protocol: str = ""
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, order=True)
class Neighbour:
    """An ARP or NDP entry; state is 'REACHABLE', 'STALE', 'FAILED', 'PERMANENT', ...

    flags: 'router', 'extern_learn', 'proxy' (this machine answers for it; such an entry has no MAC), ...
    """

    address: str
    device: str
    mac: str = ""
    state: str = noisy("")
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class ForwardingEntry:
    """Where a bridge (or vxlan) sends frames for a MAC; state 'permanent' (its own), 'learned' or 'static'.

    remote, port, vni: for a vxlan, the machine that the frames are sent to. flags: 'self', 'master', 'extern_learn',
    ... age: seconds since a frame from that MAC was last seen.
    """

    mac: str
    device: str
    bridge: str = ""
    state: str = ""
    vlan: int = 0
    remote: str = ""
    port: int = 0
    vni: int = 0
    flags: tuple[str, ...] = ()
    age: int = noisy(0)


@dataclass(frozen=True, order=True)
class Membership:
    """A group address that a link listens to, as `ip maddress` lists it; family 4, 6, or 0 for one of layer 2."""

    address: str
    device: str
    family: int
    users: int = noisy(1)


@dataclass(frozen=True, order=True)
class MulticastGroup:
    """What a bridge has heard of who listens to a group, as `bridge mdb` lists it; state 'temp' or 'permanent'."""

    bridge: str
    port: str
    group: str
    state: str = ""
    vlan: int = 0
    flags: tuple[str, ...] = ()
