"""Frozen dataclasses to plain JSON data and back, without loss and quickly: a snapshot has thousands of objects.

Fields at their default are left out; reading refuses what does not fit the types of the fields.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from dnetkit.errors import SnapshotError

__all__ = ["from_plain", "to_plain"]

T = TypeVar("T")

_ALWAYS = "schema"  # written even at its default, so that a reader can tell which schema it was


def to_plain(value: Any) -> Any:
    """Dataclasses and tuples as dicts and lists, fields at their default left out (but the schema)."""
    kind: Any = type(value)
    if kind in (str, int, float, bool, type(None)):
        return value
    if kind in (tuple, list):
        return [to_plain(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    plain = {}
    for name, default in _defaults(kind):
        item = getattr(value, name)
        if item is default or (item == default and name != _ALWAYS):
            if name == _ALWAYS:
                plain[name] = item
            continue
        plain[name] = item if type(item) in (str, int) else to_plain(item)
    return plain


def from_plain(kind: type[T], plain: Any) -> T:
    """Build a dataclass of `kind` from what `to_plain` made of one. Raises SnapshotError when the shape is wrong."""
    try:
        return typing.cast(T, _reader(typing.cast(Any, kind))(plain))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise SnapshotError(f"This is not the JSON of a {kind.__name__}: {error}") from error


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.default) for field in dataclasses.fields(kind))


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """A function that turns plain data into a value of that type, made once for each type."""
    if dataclasses.is_dataclass(kind):
        return _object_reader(typing.cast(type, kind))
    origin = typing.get_origin(kind)
    if origin is tuple:
        return _tuple_reader(typing.get_args(kind))
    if origin in (typing.Union, types.UnionType):
        return _optional_reader(next(part for part in typing.get_args(kind) if part is not type(None)))
    if kind is Any:
        return lambda plain: plain
    if kind is float:
        return _float
    return _scalar_reader(kind)


def _object_reader(kind: type) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    readers: dict[str, Callable[[Any], Any]] = {}
    required = {name for name, default in _defaults(kind) if default is dataclasses.MISSING}
    defaults = {name: default for name, default in _defaults(kind) if default is not dataclasses.MISSING}
    plain_types = {name: hint for name, hint in hints.items() if hint in (str, int)}

    def read(plain: Any) -> Any:
        if type(plain) is not dict:
            raise TypeError(f"expected an object, found {type(plain).__name__}")
        if not readers:  # not before: a type may mention itself
            readers.update((name, _reader(hint)) for name, hint in hints.items())
        values = dict(defaults)
        for name, item in plain.items():
            if type(item) is plain_types.get(name):
                values[name] = item
            elif name in readers:
                values[name] = readers[name](item)
            else:
                raise TypeError(f"unknown field {name!r} of {kind.__name__}")
        if not required <= plain.keys():
            raise TypeError(f"{kind.__name__} without {', '.join(sorted(required - plain.keys()))}")
        made: Any = object.__new__(kind)  # what a frozen dataclass' __init__ does, at a fifth of the time
        made.__dict__.update(values)
        return made

    return read


def _tuple_reader(parts: tuple[Any, ...]) -> Callable[[Any], Any]:
    if len(parts) == 2 and parts[1] is Ellipsis:
        several = _reader(parts[0])

        def read_several(plain: Any) -> Any:
            if type(plain) is not list:
                raise TypeError(f"expected a list, found {type(plain).__name__}")
            return tuple([several(item) for item in plain])

        return read_several
    readers = [_reader(part) for part in parts]

    def read(plain: Any) -> Any:
        if type(plain) is not list:
            raise TypeError(f"expected a list, found {type(plain).__name__}")
        if len(plain) != len(readers):
            raise TypeError(f"expected {len(readers)} items, found {len(plain)}")
        return tuple([reader(item) for reader, item in zip(readers, plain, strict=True)])

    return read


def _optional_reader(kind: Any) -> Callable[[Any], Any]:
    reader = _reader(kind)
    return lambda plain: None if plain is None else reader(plain)


def _scalar_reader(kind: type) -> Callable[[Any], Any]:
    def read(plain: Any) -> Any:
        if type(plain) is not kind:
            raise TypeError(f"expected {kind.__name__}, found {type(plain).__name__}")
        return plain

    return read


def _float(plain: Any) -> float:
    if type(plain) not in (float, int):
        raise TypeError(f"expected float, found {type(plain).__name__}")
    return float(plain)
