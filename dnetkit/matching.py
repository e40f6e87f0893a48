"""Which object of one snapshot is which object of a later one: by identity, not by name; pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dnetkit.model import Link, LinkRef, Namespace, Network, Snapshot

__all__ = ["Match", "Pair", "Space", "match", "pair", "steady"]

Key = Callable[[Any], Hashable]

_SPACES = ("namespace", "underlay")
_NAMING = ("device", "bridge", "port", "master", "peer", "parent", "link", "host_link", "nexthops", *_SPACES)
"""The fields in which objects mention links and namespaces."""


@dataclass(frozen=True)
class Pair:
    """One object before and after (None: it is not there).

    came, place: its index among its kind before and afterwards. origin: the namespace that a link moved from.
    """

    before: Any
    after: Any
    came: int | None = None
    place: int | None = None
    origin: str = ""


@dataclass(frozen=True)
class Space(Pair):
    """A namespace before and after, with the links that are in it afterwards, and those of before that ended.

    No links where it is called the same and has the same links: then nothing is to be said of them.
    """

    before: Namespace | None
    after: Namespace | None
    links: tuple[Pair, ...] = ()

    @property
    def was(self) -> str:
        """What it was called, '' when it was not there."""
        return self.before.name if self.before else ""

    @property
    def now(self) -> str:
        """What it is called, '' when it is gone."""
        return self.after.name if self.after else ""


@dataclass(frozen=True)
class Match:
    """Two snapshots with their namespaces and links paired.

    names: what a namespace of before is called afterwards. refs: the same for a link of before, by its namespace and
    name. renamed: whether any is called otherwise.
    """

    before: Snapshot
    after: Snapshot
    spaces: tuple[Space, ...]
    names: dict[str, str] = field(default_factory=dict)
    refs: dict[tuple[str, str], LinkRef] = field(default_factory=dict)
    renamed: bool = False

    def seen(self, where: str, thing: Any) -> Any:
        """An object of before, in the namespace of that name, with everything it mentions called as it is afterwards.

        So that the renaming of one link is not a change of each route, neighbour and pair that names it.
        """
        if not self.renamed:
            return thing
        called = {}
        for name in _NAMING:
            if name == "bridge" and isinstance(thing, Network):
                continue  # the engine's word for it, which it does not change
            value = getattr(thing, name, None)
            if value and (now := self._called(where, name, value)) != value:
                called[name] = now
        return replace(thing, **called) if called else thing

    def _called(self, where: str, name: str, value: Any) -> Any:
        if isinstance(value, LinkRef):
            return self._ref(value)
        if name == "nexthops":
            return tuple(self.seen(where, hop) for hop in value)
        if name in _SPACES:
            return self.names.get(value, value)
        return self._device(where, value) if isinstance(value, str) else value

    def _device(self, where: str, name: str) -> str:
        found = self.refs.get((where, name))
        return found.name if found is not None and found.namespace == self.names.get(where) else name

    def _ref(self, ref: LinkRef) -> LinkRef:
        return self.refs.get((ref.namespace, ref.name), ref)


def match(before: Snapshot, after: Snapshot) -> Match:
    """Pair the namespaces and the links of two snapshots."""
    spaces = _links(before, after, _spaces(before, after))
    names = {space.was: space.now for space in spaces if space.was and space.now}
    refs: dict[tuple[str, str], LinkRef] = {}
    renamed = any(was != now for was, now in names.items())
    for space in spaces:
        for one in space.links:
            if one.before is not None and one.after is not None:
                was, now = one.before, one.after
                refs[one.origin or space.was, was.name] = LinkRef(space.now, now.name, now.index)
                renamed |= bool(one.origin) or (was.name, was.index) != (now.name, now.index)
    return Match(before, after, spaces, names, refs, renamed)


def pair(before: Sequence[Any], after: Sequence[Any], *keys: Key, seen: Key | None = None) -> list[Pair]:
    """Pair two lists by the first key, what is left by the second, and so on; a key of None pairs nothing.

    seen: how an object of before is looked at, see `Match.seen`. Several with an equal key are paired in their order.
    """
    partner: dict[int, int] = {}
    left = list(range(len(before)))
    views = [seen(one) if seen else one for one in before]
    for key in keys:
        waiting: dict[Hashable, deque[int]] = defaultdict(deque)
        for number in left:
            waiting[key(views[number])].append(number)
        waiting.pop(None, None)
        for place, one in enumerate(after):
            if waiting and place not in partner and waiting.get(found := key(one)):
                partner[place] = waiting[found].popleft()
        taken = set(partner.values())
        left = [number for number in left if number not in taken]
    pairs = [
        Pair(before[partner[n]], one, partner[n], n) if n in partner else Pair(None, one, None, n)
        for n, one in enumerate(after)
    ]
    return pairs + [Pair(before[number], None, number) for number in left]


def steady(numbers: Sequence[int]) -> set[int]:
    """The members of a longest rising subsequence: what kept its order while the others moved."""
    tails: list[int] = []
    ends: list[int] = []
    previous: list[int] = []
    for number, value in enumerate(numbers):
        length = bisect_left(tails, value)
        previous.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [value]
        ends[length : length + 1] = [number]
    found = set()
    number = ends[-1] if ends else -1
    while number >= 0:
        found.add(numbers[number])
        number = previous[number]
    return found


def _spaces(before: Snapshot, after: Snapshot) -> list[Pair]:
    """By the kernel's number and the name; by the name alone where a machine has just the one, or no number is known.

    The kernel uses the number of a namespace that ended again, and at once. So the number with another name is the same
    namespace only when something in it says so too: its container, or a link that is not lo.
    """

    def lasting(space: Namespace) -> Hashable:
        return None if space.inode and space.kind in ("container", "named") else space.name

    pairs = pair(before.namespaces, after.namespaces, lambda space: (space.inode, space.name), lasting)
    pairs = [part for one in pairs for part in (_apart(one) if _taken_over(before, after, one) else [one])]
    gone = [one for one in pairs if one.after is None and one.before.inode]
    found = []
    for one in pairs:
        for old in gone if one.before is None else ():
            same_number = old.before.inode == one.after.inode and old.before.name != one.after.name
            if same_number and _signs(before, old.before) & _signs(after, one.after):
                gone.remove(old)
                found.append(replace(one, before=old.before, came=old.came))
                break
        else:
            found.append(one)
    same = {id(one.before) for one in found if one.after is not None}
    return [one for one in found if one.after is not None or id(one.before) not in same]


def _taken_over(before: Snapshot, after: Snapshot, one: Pair) -> bool:
    """A container ended, and it or another of its name was started and given the same number."""
    if one.before is None or one.after is None or one.after.kind != "container":
        return False
    old, new = (
        {(c.id, c.started) for c in state.containers if c.namespace == one.after.name} for state in (before, after)
    )
    return bool(old and new) and not old & new


def _apart(one: Pair) -> list[Pair]:
    return [Pair(None, one.after, None, one.place), Pair(one.before, None, one.came)]


def _signs(state: Snapshot, space: Namespace) -> set[Hashable]:
    signs: set[Hashable] = {(link.index, link.mac) for link in space.links if link.kind != "loopback" and link.mac}
    return signs | {one.id for one in state.containers if one.namespace == space.name and space.kind == "container"}


def _links(before: Snapshot, after: Snapshot, spaces: Iterable[Pair]) -> tuple[Space, ...]:
    """By index and kind within a namespace; what is left, by MAC and kind and other end: those moved."""
    made = []
    for one in spaces:
        old: Sequence[Link] = one.before.links if one.before else ()
        new: Sequence[Link] = one.after.links if one.after else ()
        same = one.before and one.after and one.before.name == one.after.name and old == new
        links = [] if same else pair(old, new, lambda link: (link.index, link.kind))
        made.append(Space(one.before, one.after, one.came, one.place, links=tuple(links)))
    gone: dict[Hashable, list[tuple[Space, Link]]] = defaultdict(list)
    for space in made:
        for one in space.links:
            if one.after is None and one.before.mac and one.before.kind != "loopback":
                gone[one.before.mac, one.before.kind].append((space, one.before))
    moved: set[int] = set()

    def found(space: Space, one: Pair) -> Pair:
        for candidate in gone.get((one.after.mac, one.after.kind), ()):
            old, was = candidate
            if old is not space and not _replaced(old, space) and _same_end(before, was, after, one.after):
                gone[was.mac, was.kind].remove(candidate)
                moved.add(id(was))
                return replace(one, before=was, origin=old.was)
        return one

    def settled(space: Space) -> Space:
        links = (one if one.before is not None else found(space, one) for one in space.links)
        return replace(space, links=tuple(links))

    made = [settled(space) if gone and space.links else space for space in made]
    return tuple(
        replace(space, links=tuple(one for one in space.links if one.after is not None or id(one.before) not in moved))
        if moved and space.links
        else space
        for space in made
    )


def _replaced(old: Space, new: Space) -> bool:
    """One container ended and another began: up to engine 27 it may be given the same MAC, on the same parent."""
    kinds = {space.kind for space in (old.before, new.after) if space}
    return old.after is None and new.before is None and kinds == {"container"}


def _same_end(before: Snapshot, was: Link, after: Snapshot, now: Link) -> bool:
    """Whether the link at the other end (or below) is the same one, by its MAC since it may have moved as well."""
    old, new = _find(before, was.peer or was.parent), _find(after, now.peer or now.parent)
    if old is None and new is None:
        return was.kind != "veth" or was.peer_index == now.peer_index
    return old is not None and new is not None and old.mac == new.mac


def _find(state: Snapshot, ref: LinkRef | None) -> Link | None:
    space = next((one for one in state.namespaces if one.name == ref.namespace), None) if ref is not None else None
    return space.link(ref.name) if space is not None and ref is not None else None
