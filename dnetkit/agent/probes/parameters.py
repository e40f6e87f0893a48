"""The parameters that each kind of link has, as the kernel numbers them and `ip -d link` names them.

Attribute numbers are those of linux/if_link.h and linux/if_tunnel.h. A kind that is not in the table is one whose
parameters cannot be read: `known` says so.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable

from dnetkit.agent.netlink import Attributes, ip, mac

__all__ = ["known", "parameters"]

Format = Callable[[bytes], str]


def _number(raw: bytes) -> str:
    return str(int.from_bytes(raw, sys.byteorder))


def _network_number(raw: bytes) -> str:
    return str(int.from_bytes(raw, "big"))


def _hex(raw: bytes) -> str:
    return hex(int.from_bytes(raw, sys.byteorder))


def _flag(raw: bytes) -> str:
    del raw
    return "1"


def _protocol(raw: bytes) -> str:
    value = int.from_bytes(raw, "big")
    return {0x8100: "802.1Q", 0x88A8: "802.1ad"}.get(value, hex(value))


def _bridge_id(raw: bytes) -> str:
    """As ip prints it: priority in hex without zeros in front, then the address with single digits left single."""
    return f"{raw[0]:02x}{raw[1]:02x}.{':'.join(f'{byte:x}' for byte in raw[2:8])}"


def _port_range(raw: bytes) -> str:
    low, high = struct.unpack("!HH", raw[:4])
    return f"{low} {high}"


def _words(*names: tuple[int, str]) -> Format:
    table = dict(names)
    return lambda raw: table.get(int.from_bytes(raw, sys.byteorder), _number(raw))


def _bits(*names: tuple[int, str], none: str = "") -> Format:
    def write(raw: bytes) -> str:
        value = int.from_bytes(raw[:4], sys.byteorder)
        return ",".join(name for bit, name in names if value & bit) or none

    return write


_MACVLAN_MODE = _words((1, "private"), (2, "vepa"), (4, "bridge"), (8, "passthru"), (16, "source"))
_MACVLAN: dict[int, tuple[str, Format]] = {
    1: ("mode", _MACVLAN_MODE),
    2: ("flags", _bits((1, "nopromisc"), (2, "nodst"))),
    7: ("bcqueuelen", _number),
}
_IPVLAN: dict[int, tuple[str, Format]] = {
    1: ("mode", _words((0, "l2"), (1, "l3"), (2, "l3s"))),
    2: ("flags", _bits((1, "private"), (2, "vepa"), none="bridge")),
}
_IPTUN: dict[int, tuple[str, Format]] = {
    1: ("link", _number),
    2: ("local", ip),
    3: ("remote", ip),
    4: ("ttl", _number),
    5: ("tos", _number),
}
_GRE: dict[int, tuple[str, Format]] = {
    1: ("link", _number),
    4: ("ikey", _network_number),
    5: ("okey", _network_number),
    6: ("local", ip),
    7: ("remote", ip),
    8: ("ttl", _number),
    9: ("tos", _number),
}
_VTI: dict[int, tuple[str, Format]] = {
    1: ("link", _number),
    2: ("ikey", _network_number),
    3: ("okey", _network_number),
    4: ("local", ip),
    5: ("remote", ip),
}
_BRIDGE: dict[int, tuple[str, Format]] = {
    1: ("forward_delay", _number),
    2: ("hello_time", _number),
    3: ("max_age", _number),
    4: ("ageing_time", _number),
    5: ("stp_state", _number),
    6: ("priority", _number),
    7: ("vlan_filtering", _number),
    8: ("vlan_protocol", _protocol),
    9: ("group_fwd_mask", _hex),
    10: ("root_id", _bridge_id),
    11: ("bridge_id", _bridge_id),
    12: ("root_port", _number),
    13: ("root_path_cost", _number),
    14: ("topology_change", _number),
    15: ("topology_change_detected", _number),
    20: ("group_addr", mac),
    22: ("mcast_router", _number),
    23: ("mcast_snooping", _number),
    24: ("mcast_query_use_ifaddr", _number),
    25: ("mcast_querier", _number),
    26: ("mcast_hash_elasticity", _number),
    27: ("mcast_hash_max", _number),
    36: ("nf_call_iptables", _number),
    37: ("nf_call_ip6tables", _number),
    38: ("nf_call_arptables", _number),
    39: ("vlan_default_pvid", _number),
    41: ("vlan_stats_enabled", _number),
    43: ("mcast_igmp_version", _number),
    44: ("mcast_mld_version", _number),
    49: ("fdb_max_learned", _number),
}
_VXLAN: dict[int, tuple[str, Format]] = {
    1: ("id", _number),
    2: ("remote", ip),
    3: ("link", _number),
    4: ("local", ip),
    5: ("ttl", _number),
    6: ("tos", _number),
    7: ("learning", _number),
    8: ("ageing", _number),
    9: ("limit", _number),
    10: ("port_range", _port_range),
    11: ("proxy", _number),
    12: ("rsc", _number),
    13: ("l2miss", _number),
    14: ("l3miss", _number),
    15: ("port", _network_number),
    16: ("remote", ip),
    17: ("local", ip),
    18: ("udp_csum", _number),
    19: ("udp_zero_csum6_tx", _number),
    20: ("udp_zero_csum6_rx", _number),
    23: ("gbp", _flag),
    25: ("external", _number),
    27: ("gpe", _flag),
}
_GENEVE: dict[int, tuple[str, Format]] = {
    1: ("id", _number),
    2: ("remote", ip),
    3: ("ttl", _number),
    4: ("tos", _number),
    5: ("port", _network_number),
    6: ("external", _flag),
    7: ("remote", ip),
}
_TUN: dict[int, tuple[str, Format]] = {
    1: ("user", _number),
    2: ("group", _number),
    3: ("type", _words((1, "tun"), (2, "tap"))),
    4: ("pi", _number),
    5: ("vnet_hdr", _number),
    6: ("persist", _number),
    7: ("multi_queue", _number),
}
_VLAN: dict[int, tuple[str, Format]] = {
    1: ("id", _number),
    2: ("flags", _bits((1, "REORDER_HDR"), (2, "GVRP"), (4, "LOOSE_BINDING"), (8, "MVRP"), (16, "BRIDGE_BINDING"))),
    5: ("protocol", _protocol),
}

_KINDS: dict[str, dict[int, tuple[str, Format]]] = {
    "bridge": _BRIDGE,
    "dummy": {},
    "geneve": _GENEVE,
    "gre": _GRE,
    "gretap": _GRE,
    "erspan": _GRE,
    "ifb": {},
    "ip6tnl": _IPTUN,
    "ipip": _IPTUN,
    "ipvlan": _IPVLAN,
    "ipvtap": _IPVLAN,
    "macvlan": _MACVLAN,
    "macvtap": _MACVLAN,
    "sit": _IPTUN,
    "tun": _TUN,
    "veth": {},
    "vlan": _VLAN,
    "vrf": {1: ("table", _number)},
    "vti": _VTI,
    "vti6": _VTI,
    "vxlan": _VXLAN,
}


def known(kind: str) -> bool:
    """Whether the parameters of that kind can be told."""
    return kind in _KINDS


def parameters(kind: str, data: Attributes) -> tuple[tuple[str, str], ...]:
    """(name, value) of each parameter that the kernel gives, in the order of the kernel's numbers."""
    table = _KINDS.get(kind, {})
    return tuple((table[key][0], table[key][1](raw)) for key, raw in sorted(data.items()) if key in table)
