"""Make links, give them addresses, put them up: the few things that wiring a lab takes, over raw netlink."""

from __future__ import annotations

import ipaddress
import socket
import struct

from dnetkit.agent.netlink import Netlink, attribute

__all__ = ["add_address", "add_bridge", "add_pair", "index_of", "set_up"]

_RTM_NEWLINK, _RTM_GETLINK, _RTM_NEWADDR = 16, 18, 20
_CREATE = 0x600  # NLM_F_CREATE | NLM_F_EXCL
_IFNAME, _LINKINFO, _MASTER, _NET_NS_FD, _ADDRESS = 3, 18, 10, 28, 1
_INFO_KIND, _INFO_DATA, _PEER = 1, 2, 1
_IFF_UP = 1


def _header(index: int = 0, flags: int = 0, mask: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, mask)


def index_of(netlink: Netlink, name: str) -> int:
    """The index of the link of that name. Raises OSError (ENODEV) when there is none."""
    found = netlink.ask(_RTM_GETLINK, _header(), attribute(_IFNAME, name))
    if found is None:
        raise OSError(f"no link {name}")
    return int(struct.unpack_from("=BxHiII", found[0])[2])


def add_bridge(netlink: Netlink, name: str) -> None:
    """Make a bridge and put it up."""
    info = attribute(_LINKINFO, attribute(_INFO_KIND, "bridge"))
    netlink.change(_RTM_NEWLINK, _CREATE, _header(), attribute(_IFNAME, name) + info)
    set_up(netlink, name)


def add_pair(netlink: Netlink, name: str, bridge: str, peer: str, namespace: int) -> None:
    """Make a veth pair: `name` here as a port of `bridge` and up, `peer` in the namespace of that descriptor."""
    other = _header() + attribute(_IFNAME, peer) + attribute(_NET_NS_FD, namespace)
    info = attribute(_INFO_KIND, "veth") + attribute(_INFO_DATA, attribute(_PEER, other))
    master = attribute(_MASTER, index_of(netlink, bridge))
    netlink.change(_RTM_NEWLINK, _CREATE, _header(), attribute(_IFNAME, name) + attribute(_LINKINFO, info))
    netlink.change(_RTM_NEWLINK, 0, _header(index_of(netlink, name), _IFF_UP, _IFF_UP), master)


def set_up(netlink: Netlink, name: str) -> None:
    """Put a link up."""
    netlink.change(_RTM_NEWLINK, 0, _header(index_of(netlink, name), _IFF_UP, _IFF_UP))


def add_address(netlink: Netlink, name: str, cidr: str) -> None:
    """Give a link an IPv4 address, '198.51.100.11/24'."""
    interface = ipaddress.IPv4Interface(cidr)
    header = struct.pack("=BBBBi", socket.AF_INET, interface.network.prefixlen, 0, 0, index_of(netlink, name))
    packed = interface.ip.packed
    broadcast = interface.network.broadcast_address.packed
    netlink.change(_RTM_NEWADDR, _CREATE, header, attribute(1, packed) + attribute(2, packed) + attribute(4, broadcast))
