"""Take a Snapshot: find every namespace of the lab, run each probe in it, join the result with what the engines say.

PROBES is the whole list of what is asked of a namespace. A probe is a function that is given an open `Place`, in whose
namespace its thread is, and returns the fields of model.Namespace that it fills; to add a fact, add a function. A probe
that fails leaves its fields empty and an Unavailable with the reason in their place: never 'there is none'.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from dnetkit.agent.kernel import in_network_namespace
from dnetkit.agent.netfilter import rules
from dnetkit.agent.place import Place
from dnetkit.agent.probes.bridging import forwarding, groups, memberships
from dnetkit.agent.probes.conntrack import connections
from dnetkit.agent.probes.links import links
from dnetkit.agent.probes.routing import neighbours, policy_rules, routes
from dnetkit.agent.probes.settings import sysctls
from dnetkit.agent.probes.sockets import sockets
from dnetkit.model import Namespace, Unavailable

__all__ = ["PROBES", "probe"]

PROBES: tuple[Callable[[Place], dict[str, Any]], ...] = (
    links,
    routes,
    policy_rules,
    neighbours,
    forwarding,
    groups,
    memberships,
    sysctls,
    rules,
    connections,
    sockets,
)


def probe(place: Place) -> Namespace:
    """Ask everything of one namespace; its name and kind may change later, and links are not joined yet."""
    fields: dict[str, Any] = {}
    with in_network_namespace(place.fd):
        for ask in PROBES:
            try:
                fields |= ask(place)
            except (OSError, ValueError, LookupError, struct.error) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                place.missing.append(Unavailable(ask.__name__, reason))
    return Namespace(place.name, place.kind, place.machine, place.inode, **fields)
