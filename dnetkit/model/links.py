"""Links and what hangs on them: addresses, counters, a place on a bridge."""

from __future__ import annotations

from dataclasses import dataclass

from dnetkit.model.noise import noisy

__all__ = ["FOREVER", "Address", "BridgePort", "Link", "LinkRef", "Statistics", "Vlan"]

FOREVER = 0xFFFFFFFF
"""The lifetime of an address that does not expire, as the kernel counts it."""


@dataclass(frozen=True, order=True)
class LinkRef:
    """Points at one link: the name of its namespace, its name and its index there."""

    namespace: str
    name: str
    index: int


@dataclass(frozen=True, order=True)
class Address:
    """An address on a link, as `ip address` prints it: '172.17.0.2/16', scope 'global', 'link' or 'host'.

    peer: the address at the far end, where that is another one ('ip address add A peer B'). flags: what `ip address`
    prints, 'dynamic', 'secondary', 'deprecated', 'dadfailed', ...; tentative: IPv6 is still asking whether someone else
    has it. Lifetimes are in seconds, FOREVER for one that does not end.
    """

    cidr: str
    scope: str = "global"
    peer: str = ""
    broadcast: str = ""
    label: str = ""
    flags: tuple[str, ...] = ()
    tentative: bool = noisy(False)
    valid_lifetime: int = noisy(FOREVER)
    preferred_lifetime: int = noisy(FOREVER)

    @property
    def ip(self) -> str:
        """The address without its prefix length."""
        return self.cidr.partition("/")[0]

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.cidr else 4


@dataclass(frozen=True)
class Statistics:
    """What a link has received and sent, in packets and bytes, since it was made."""

    rx_packets: int = noisy(0)
    rx_bytes: int = noisy(0)
    rx_errors: int = noisy(0)
    rx_dropped: int = noisy(0)
    tx_packets: int = noisy(0)
    tx_bytes: int = noisy(0)
    tx_errors: int = noisy(0)
    tx_dropped: int = noisy(0)
    multicast: int = noisy(0)
    collisions: int = noisy(0)


@dataclass(frozen=True, order=True)
class Vlan:
    """A VLAN that a port (or the bridge itself) takes part in.

    pvid: frames without a tag belong to it. untagged: its frames leave without a tag.
    """

    id: int
    pvid: bool = False
    untagged: bool = False


@dataclass(frozen=True)
class BridgePort:
    """A link's place on a bridge, as `bridge -d link` prints it.

    state: 'forwarding', 'disabled', 'listening', 'learning' or 'blocking'. flags: the switches that are on: 'hairpin',
    'isolated', 'learning', 'flood', ...
    """

    number: int
    state: str
    cost: int = 0
    priority: int = 0
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """A network interface.

    kind: 'loopback', 'veth', 'bridge', 'macvlan', ... as the kernel names it; 'ether' for one without a kind.
    up: the administrative state (what `ip link set up` sets). state: the operational one (RFC 2863), 'UP', 'DOWN',
    'LOWERLAYERDOWN' (the other end is down) or 'UNKNOWN'. master: the bridge it is a port of.
    peer: for a veth, its other end; None when that end lies in a namespace that no one here can see.
    parent: for macvlan, vlan and their like, the link below.
    underlay: for a tunnel such as vxlan, the namespace in which its packets travel, where that is another one than its
    own: an overlay's vxlan lies in a namespace of the engine's, and sends from the host's.
    netnsid: this namespace's own number for the one that the other end or the parent lies in.
    parameters: those of its kind, named as `ip -d link` names them. flags: as in the brackets of `ip link`.
    alias: what `ip link set alias` wrote; altnames: further names. port, vlans: its place on a bridge.
    """

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    state: str
    master: str | None = None
    peer: LinkRef | None = None
    parent: LinkRef | None = None
    peer_index: int | None = None
    netnsid: int | None = None
    addresses: tuple[Address, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    flags: tuple[str, ...] = ()
    broadcast: str = ""
    alias: str = ""
    altnames: tuple[str, ...] = ()
    qdisc: str = ""
    queue_length: int = 0
    group: int = 0
    promiscuity: int = 0
    port: BridgePort | None = None
    vlans: tuple[Vlan, ...] = ()
    underlay: str = ""
    statistics: Statistics | None = noisy(None)  # noqa: RUF009 - it is dataclasses.field in other words

    def parameter(self, name: str) -> str:
        """The value of a parameter of its kind, '' when it has none of that name."""
        return dict(self.parameters).get(name, "")
