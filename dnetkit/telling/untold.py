"""The changes that are still to be told, and the groups that they are told in; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dnetkit.model import Change, Container, Link, LinkRef, Namespace, Snapshot
from dnetkit.words import SIGNS, label

__all__ = ["Group", "Untold", "address_words", "gone_words", "link_refs", "own_namespace", "sign"]

Ends = set[tuple[str, str]]
"""Links, by the name of their namespace and their own."""


@dataclass(frozen=True)
class Group:
    """Changes that belong together: '+', '-' or '~', one headline, and the changes themselves."""

    sign: str
    headline: str
    members: tuple[Change, ...]

    @property
    def details(self) -> tuple[Change, ...]:
        """The changes, but not one that would only say the headline again."""
        return self.members if len(self.members) > 1 else ()


class Untold:
    """The changes that no group has yet, with the snapshots on both sides."""

    def __init__(self, items: Iterable[Change], before: Snapshot, after: Snapshot) -> None:
        self.items = list(items)
        self._left = {id(one) for one in self.items}
        self.before = before
        self.after = after
        self._hosts = [one.name for one in after.machines if one.kind == "host"]
        self._spaces: list[dict[str, Namespace]] = [
            {space.name: space for space in state.namespaces} for state in (after, before)
        ]

    def take(self, *wanted: Callable[[Change], bool]) -> list[Change]:
        """Take out every change that any of these wants."""
        found = [one for one in self.items if any(wants(one) for wants in wanted)]
        if found:
            self._left -= {id(one) for one in found}
            self.items = [one for one in self.items if id(one) in self._left]
        return found

    def take_one(self, change: Change) -> list[Change]:
        """Take out one change, by itself."""
        return self.take(lambda other: other is change)

    def each(self, subject: str, *verbs: str) -> Iterator[Change]:
        """The changes of one kind, as long as no group has taken them in the meantime."""
        for change in [one for one in self.items if one.subject == subject and (not verbs or one.verb in verbs)]:
            if id(change) in self._left:
                yield change

    def place(self, where: str, word: str = "in") -> str:
        """' in blue', ' on host2'; nothing for the only host."""
        if not where or [where] == self._hosts:
            return ""
        return " in the LAN" if where == "lan" else f" {word} {label(where)}"

    def who(self, where: str) -> str:
        """Who does something there: 'web', 'the LAN'."""
        return "the LAN" if where == "lan" else label(where)

    def space(self, name: str) -> Namespace | None:
        """A namespace as it is now, or as it was."""
        return next((spaces[name] for spaces in self._spaces if name in spaces), None)

    def tunnels(self, where: str) -> set[tuple[str, int]]:
        """The ports that vxlans keep in a namespace, theirs or another one that they send from: ('udp', 4789)."""
        return {
            ("udp", int(link.parameter("port") or 0))
            for spaces in self._spaces
            for space in spaces.values()
            for link in space.links
            if link.kind == "vxlan" and (link.underlay or space.name) == where
        }

    def link(self, ref: LinkRef | None) -> Link | None:
        """The link that a reference points at, as it is now, or as it was."""
        for spaces in self._spaces if ref is not None else ():
            found = spaces[ref.namespace].link(ref.name) if ref is not None and ref.namespace in spaces else None
            if found is not None:
                return found
        return None

    def with_links(self, ends: Ends, verb: str) -> list[Change]:
        """Take links that came or went, with their addresses, their routes, and what was known about them."""

        def belongs(change: Change) -> bool:
            if change.verb != verb:
                return False
            thing = change.after or change.before
            if change.subject == "link":
                return (change.where, thing.name) in ends
            if change.subject == "address":
                return (change.where, change.owner.name) in ends
            if change.subject in ("route", "neighbour", "membership"):
                return (change.where, thing.device) in ends and (change.subject == "route" or verb == "removed")
            own = verb == "removed" or getattr(thing, "state", "") == "permanent"
            return change.subject == "forwarding" and own and (change.where, thing.device) in ends

        return self.take(belongs) if ends else []


def link_refs(changes: Iterable[Change]) -> Ends:
    """The other ends of the links that came or went."""
    return {
        (peer.namespace, peer.name)
        for change in changes
        if change.subject == "link" and change.verb != "changed"
        for peer in [(change.after or change.before).peer]
        if peer is not None
    }


def own_namespace(container: Container) -> bool:
    """Whether a container has a network namespace of its own."""
    return container.network_mode != "host" and not container.network_mode.startswith("container:")


def gone_words(mine: Iterable[Change], word: str = "gone with it") -> str:
    """'; gone with it: its network namespace, eth0 172.17.0.2/16, vethX'."""
    gone = [one for one in mine if one.verb == "removed"]
    addresses: dict[tuple[str, str], str] = {}
    for one in gone:
        if one.subject == "address":
            addresses.setdefault((one.where, one.owner.name), one.before.cidr)
    links = [(one.where, one.before.name) for one in gone if one.subject == "link"]
    links.sort(key=lambda end: end not in addresses)
    named = ["its network namespace"] if any(one.subject == "namespace" for one in gone) else []
    named += [" ".join(filter(None, (end[1], addresses.get(end, "")))) for end in links]
    return f"; {word}: {', '.join(named)}" if named else ""


def address_words(mine: Iterable[Change]) -> str:
    """'; v0 10.0.0.1/24, v1 10.0.0.2/24': the addresses that came along."""
    added = [f"{one.owner.name} {one.after.cidr}" for one in mine if (one.subject, one.verb) == ("address", "added")]
    return f"; {', '.join(added)}" if added else ""


def sign(mine: Iterable[Change]) -> str:
    """One sign for several changes."""
    verbs = {one.verb for one in mine}
    return SIGNS[verbs.pop()] if len(verbs) == 1 else SIGNS["changed"]
