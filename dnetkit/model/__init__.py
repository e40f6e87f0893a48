"""What a lab looks like at one moment, as frozen data that survives a JSON round trip; no I/O.

    Snapshot
    ├── machines    Machine: a host with an engine, or the client
    ├── namespaces  Namespace: one network namespace with its links, routes, rules, sockets, settings ...
    ├── networks    Network: what `docker network ls` lists, joined to its bridge
    └── containers  Container: with an Endpoint for each network it is on, joined to both ends of its pair

Names: a namespace is called after its machine ('host1', 'client', 'lan'); one inside a machine is 'host1/web' for
a container, 'host1/netns:blue' for one that `ip netns` made and 'host1/pid:42' for one without a name, after its first
process. Those that an engine keeps for itself are 'host1/overlay:mynet' for the bridge and the vxlan of the overlay
network mynet, 'host1/balancer:mynet' for that network's load balancer, and 'host1/engine:ingress_sbox' after their file
for others. Numbers are in the kernel's units: MTU and counters in
bytes and packets, times in seconds since the epoch. Fields that change by themselves are marked: see `noise`.
"""

from __future__ import annotations

from dnetkit.model.delta import lengthen, shorten
from dnetkit.model.engine import Container, Endpoint, File, Machine, Network, PublishedPort, Subnet
from dnetkit.model.links import FOREVER, Address, BridgePort, Link, LinkRef, Statistics, Vlan
from dnetkit.model.netfilter import Chain, Connection, Flow, NamedSet, Rule
from dnetkit.model.noise import noise
from dnetkit.model.plain import from_plain, to_plain
from dnetkit.model.publishing import Publication, publication, publications
from dnetkit.model.results import Change, CommandResult, Step
from dnetkit.model.routing import ForwardingEntry, Membership, MulticastGroup, Neighbour, NextHop, PolicyRule, Route
from dnetkit.model.snapshot import SCHEMA, Namespace, Snapshot, Unavailable
from dnetkit.model.sockets import Process, Socket

__all__ = [
    "FOREVER",
    "SCHEMA",
    "Address",
    "BridgePort",
    "Chain",
    "Change",
    "CommandResult",
    "Connection",
    "Container",
    "Endpoint",
    "File",
    "Flow",
    "ForwardingEntry",
    "Link",
    "LinkRef",
    "Machine",
    "Membership",
    "MulticastGroup",
    "NamedSet",
    "Namespace",
    "Neighbour",
    "Network",
    "NextHop",
    "PolicyRule",
    "Process",
    "Publication",
    "PublishedPort",
    "Route",
    "Rule",
    "Snapshot",
    "Socket",
    "Statistics",
    "Step",
    "Subnet",
    "Unavailable",
    "Vlan",
    "from_plain",
    "lengthen",
    "noise",
    "publication",
    "publications",
    "shorten",
    "to_plain",
]
