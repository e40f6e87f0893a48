"""A snapshot as what is new in it since another one: nearly all of a lab is, at a moment, as it was at the last one.

Of a field of several objects, a number stands for the object that had this place in the field before. A field that is
left out is as it was. A namespace is told from the one of before that had its name, by that one's place.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Container, Hashable
from functools import cache, partial
from typing import Any, TypeVar

from dnetkit.errors import SnapshotError
from dnetkit.model.plain import from_plain, to_plain
from dnetkit.model.snapshot import Namespace, Snapshot

__all__ = ["lengthen", "shorten"]

T = TypeVar("T")
W = TypeVar("W", Snapshot, Namespace)

_FROM = "from"
"""The key, beside its fields, for the place of the namespace that one is told from."""


def shorten(base: Snapshot, new: Snapshot) -> dict[str, Any]:
    """The plain form of what `new` has and `base` has not; `lengthen` gives back an equal snapshot."""
    made = _fields(base, new, {"namespaces"})
    places = {space.name: place for place, space in enumerate(base.namespaces)}
    spaces: list[Any] = []
    for space in new.namespaces:
        place = places.get(space.name)
        if place is None:
            spaces.append(to_plain(space))
        else:
            told = _fields(base.namespaces[place], space)
            spaces.append({**told, _FROM: place} if told else place)
    return {**made, "namespaces": spaces}


def lengthen(base: Snapshot, plain: Any) -> Snapshot:
    """The snapshot that was shortened against `base`. Raises SnapshotError when this is not what became of it."""

    def space(told: Any) -> Namespace:
        if _FROM not in told:
            return from_plain(Namespace, told)
        was: Namespace = base.namespaces[told[_FROM]]
        return _with(was, {name: value for name, value in told.items() if name != _FROM})

    try:
        spaces = _several(base.namespaces, plain["namespaces"], space)
        made = _with(base, {name: value for name, value in plain.items() if name != "namespaces"})
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise SnapshotError(f"This is not the difference to a snapshot: {type(error).__name__} {error}") from error
    return dataclasses.replace(made, namespaces=spaces)


def _fields(base: Snapshot | Namespace, new: Snapshot | Namespace, apart: Container[str] = ()) -> dict[str, Any]:
    """What differs, field by field."""
    made: dict[str, Any] = {}
    kind: Any = type(new)
    for name in _kinds(kind):
        before, after = getattr(base, name), getattr(new, name)
        if name in apart or before is after or before == after:
            continue
        made[name] = _places(before, after) if type(after) is tuple else to_plain(after)
    return made


def _places(before: tuple[Hashable, ...], after: tuple[Hashable, ...]) -> list[Any]:
    places = {item: place for place, item in enumerate(before)}
    return [to_plain(item) if (place := places.get(item)) is None else place for item in after]


def _with(base: W, told: dict[str, Any]) -> W:
    """The object with those of its fields replaced."""
    kind: Any = type(base)
    kinds = _kinds(kind)
    values = {}
    for name, value in told.items():
        kind, several = kinds[name]  # of what is in the field
        read: Callable[[Any], Any] = partial(from_plain, kind)
        values[name] = _several(getattr(base, name), value, read) if several else read(value)
    changed: W = dataclasses.replace(typing.cast(Any, base), **values)
    return changed


def _several(before: tuple[T, ...], told: Any, read: Callable[[Any], T]) -> tuple[T, ...]:
    if type(told) is not list:
        raise TypeError(f"expected a list, found {type(told).__name__}")
    made = []
    for item in told:
        if type(item) is not int:
            made.append(read(item))
        elif item < 0:
            raise IndexError(f"there is no place {item}")
        else:
            made.append(before[item])
    return tuple(made)


@cache
def _kinds(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Of each field, the type of what is in it, and whether there are several."""
    made: dict[str, tuple[Any, bool]] = {}
    for name, hint in typing.get_type_hints(kind).items():
        parts = typing.get_args(hint)
        several = typing.get_origin(hint) is tuple and parts[1:] == (Ellipsis,)
        made[name] = (parts[0], True) if several else (hint, False)
    return made
