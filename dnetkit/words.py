"""One change in the words of the field; pure."""

from __future__ import annotations

import dataclasses
from typing import Any

from dnetkit.model import Change, File, Link, LinkRef
from dnetkit.nouns import chain_name, conditions, label, name, noun, port, reason, route_way, rule

__all__ = [
    "SIGNS",
    "chain_name",
    "conditions",
    "differences",
    "label",
    "name",
    "noun",
    "port",
    "reason",
    "route_way",
    "rule",
    "sentence",
]

SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def sentence(change: Change) -> str:
    """The change in one sentence that can stand alone."""
    where = f"{label(change.where)}: " if change.where and change.subject != "namespace" else ""
    thing = change.before if change.verb == "removed" else change.after
    if change.subject == "unavailable":
        return where + ("can be read again: " if change.verb == "removed" else "could not be read: ") + noun(thing)
    owner = f" {'on' if change.subject == 'address' else 'of'} {change.owner.name}" if change.owner is not None else ""
    if change.verb == "added":
        return f"{where}new {noun(thing)}{owner}"
    if change.verb == "removed":
        return f"{where}{noun(thing)}{owner} is gone"
    return f"{where}{name(change.subject, thing)}{owner}: {', '.join(differences(change))}"


def differences(change: Change) -> list[str]:
    """What is different about something that changed, each in a few words."""
    before, after = change.before, change.after
    if change.subject == "sysctl":
        return [f"{before[1]} -> {after[1]}"] if before != after else ["listed in another order"]
    told = _link(change) if change.subject == "link" else []
    for field in change.fields:
        if field == "place":
            told.append("moved within its chain" if change.subject == "rule" else "listed in another order")
        elif field == "taken":
            told.append(f"taken {after.taken - before.taken:.1f} s later")
        elif field == "duration":
            told.append(f"took {before.duration * 1000:.0f} ms, then {after.duration * 1000:.0f} ms")
        elif field == "files":
            told += _files(before.files, after.files)
        elif not (change.subject == "link" and field in ("namespace", "name", "up", "state", "master")):
            told += _field(field, getattr(before, field), getattr(after, field))
    return told


def _link(change: Change) -> list[str]:
    before, after, fields = change.before, change.after, set(change.fields)
    told = []
    if "namespace" in fields:
        told.append(f"moved from {label(change.origin)} to {label(change.where)}")
    if "name" in fields:
        told.append(f"is now called {after.name}")
    if {"up", "state"} & fields:
        told.append(_state(before, after))
    if "master" in fields:
        told.append(f"now a port of {after.master}" if after.master else f"no longer a port of {before.master}")
    return told


def _state(before: Link, after: Link) -> str:
    """'DOWN -> UP', and what `ip link set` did where that does not show in the operational state."""
    if after.kind == "loopback" and before.up != after.up:
        return "DOWN -> UP" if after.up else "UP -> DOWN"
    if before.state == after.state:
        return f"set {'up' if after.up else 'down'}, {'still' if after.up else 'state'} {after.state}{_why(after)}"
    return f"{before.state} -> {after.state}{_why(after)}"


def _why(link: Link) -> str:
    if link.up and link.state == "LOWERLAYERDOWN":
        return " (set up, but its other end is down)"
    if link.up and link.state == "DOWN" and link.kind == "bridge":
        return " (no port of it is up)"
    return ""


def _field(field: str, before: Any, after: Any) -> list[str]:
    """What is different about one field; a field that has fields, or settings by name, is told by those that differ."""
    word = field.replace("_", " ")
    if dataclasses.is_dataclass(before) and type(before) is type(after) and not isinstance(before, LinkRef):
        names = [one.name for one in dataclasses.fields(before)]
        apart = [name for name in names if getattr(before, name) != getattr(after, name)]
        return [
            f"{word} {told}" for name in apart for told in _field(name, getattr(before, name), getattr(after, name))
        ]
    if isinstance(before, tuple) and isinstance(after, tuple):
        if before and after and all(isinstance(one, tuple) for one in before + after):
            old, new = dict(before), dict(after)
            keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
            return [f"{key} {_value(old.get(key))} -> {_value(new.get(key))}" for key in keys] or [f"{word} reordered"]
        gone = [f"-{_value(one)}" for one in before if one not in after]
        new_ones = [f"+{_value(one)}" for one in after if one not in before]
        return [f"{word} {' '.join(gone + new_ones) or 'in another order'}"]
    return [f"{word} {_value(before)} -> {_value(after)}"]


def _value(value: Any) -> str:
    if isinstance(value, LinkRef):
        return f"{value.name} in {label(value.namespace)}"
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "=".join(map(_value, value))
    if dataclasses.is_dataclass(value):
        return " ".join(filter(None, (_part(value, one) for one in dataclasses.fields(value))))
    return str(value)


def _part(value: Any, field: dataclasses.Field[Any]) -> str:
    """One field of a small object, where it says something: 'pvid', '10'."""
    part = getattr(value, field.name)
    if part in (field.default, ()):
        return ""
    return field.name if part is True else _value(part)


def _files(before: tuple[File, ...], after: tuple[File, ...]) -> list[str]:
    """Line by line: '/etc/hosts: +172.17.0.3 db'."""
    told = []
    old, new = {one.path: one for one in before}, {one.path: one for one in after}
    for path in sorted(old.keys() | new.keys()):
        lines = [(side[path].text if path in side else "").splitlines() for side in (old, new)]
        gone = [f"-{' '.join(line.split())}" for line in lines[0] if line not in lines[1]]
        come = [f"+{' '.join(line.split())}" for line in lines[1] if line not in lines[0]]
        if gone or come:
            told.append(f"{path}: {'; '.join(gone + come)}")
        elif path not in old or path not in new:
            told.append(f"{path} {'appeared' if path in new else 'is gone'}")
    return told or ["the same lines in other files"]
