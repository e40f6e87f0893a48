"""Changes grouped as a person would tell them: one headline for what belongs together; pure.

TELLERS is the whole list of what is recognised, in the order in which it is told. A teller takes the changes that it
tells out of `Untold` and gives groups for them; what no teller took is told change by change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dnetkit.model import Change, Snapshot
from dnetkit.telling import docker, firewall, links, traffic
from dnetkit.telling.untold import Group, Untold
from dnetkit.words import SIGNS

__all__ = ["TELLERS", "Group", "tell"]

TELLERS: tuple[Callable[[Untold], Iterator[Group]], ...] = (
    docker.engines,
    docker.new_networks,
    docker.containers,
    docker.endpoints,
    docker.overlays,
    docker.dns,
    docker.gone_networks,
    links.namespaces,
    links.bridges,
    links.pairs,
    links.links,
    links.changed_links,
    links.addresses,
    links.routes,
    traffic.forwarding,
    traffic.neighbours,
    traffic.sockets,
    traffic.connections,
    firewall.rules,
    firewall.settings,
)


def tell(items: Iterable[Change], before: Snapshot, after: Snapshot) -> tuple[Group, ...]:
    """All changes in groups, each in one of them."""
    untold = Untold(items, before, after)
    groups = [group for teller in TELLERS for group in teller(untold)]
    return tuple(groups + [Group(SIGNS[one.verb], one.text, (one,)) for one in untold.items])
