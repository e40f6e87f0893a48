"""What the magics show besides terminals, changes and diagrams: status, snapshots, tasks, verdicts, progress."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from dnetkit.display import Html, View, escape, joined, table, tag
from dnetkit.exercises import Exercise, Verdict
from dnetkit.model import Link, Snapshot, Unavailable

__all__ = [
    "LabLike",
    "advice",
    "log",
    "message",
    "progress",
    "prose",
    "snapshot",
    "solution",
    "status",
    "task",
    "verdict",
]


def message(text: str) -> View:
    """A sentence or two; what stands between backquotes is shown as code."""
    return View(text, prose(text))


def log(text: str) -> View:
    """The end of a log, as it was written."""
    return View(text.rstrip("\n") or "(the log is empty)")


class LabLike(Protocol):
    """What is shown of a lab."""

    id: str
    sandbox: str
    requested: dict[str, Any]


def status(lab: LabLike, state: Snapshot, took: float | None = None) -> View:
    """The lab: its number, its machines with their addresses and engines, its images."""
    ready = f", ready in {took:.1f} s" if took is not None else ""
    head = f"Lab {lab.id} is open ({lab.sandbox} sandbox{ready})."
    rows = [
        (machine.name, machine.address, f"Docker Engine {machine.engine}" if machine.engine else "no engine")
        for machine in state.machines
    ]
    foot = f"Images: {', '.join(lab.requested['images']) or 'none'}"
    header = ("machine", "address", "engine")
    markup = [tag("p", head), table(header, rows), tag("p", foot)]
    return View("\n".join([head, *_columns(header, rows), foot]), joined(markup))


def snapshot(state: Snapshot) -> View:
    """Every interface of the lab, one a line, with what it is joined to, and its addresses."""
    header = ("where", "interface", "kind", "state", "joined to", "addresses")
    rows = [
        (
            space.name,
            f"{link.index}: {link.name}",
            link.kind,
            link.state,
            _joined_to(link),
            ", ".join(a.cidr for a in link.addresses),
        )
        for space in state.namespaces
        for link in space.links
        if link.kind != "loopback"
    ]
    counts = (
        f"{len(state.containers)} containers, {len(state.networks)} Docker networks, "
        f"{sum(len(space.rules) for space in state.namespaces)} netfilter rules"
    )
    missing = [f"Not read: {item.what} ({item.reason})" for item in _unavailable(state)]
    plain = "\n".join([*_columns(header, rows), counts, *missing])
    return View(plain, joined([table(header, rows), *(tag("p", line) for line in [counts, *missing])]))


def task(exercise: Exercise) -> View:
    """The task of an exercise."""
    title = f"Exercise {exercise.name}: {exercise.title}"
    return View(f"{title}\n\n{exercise.task}", joined([tag("h4", title), prose(exercise.task)]))


def verdict(exercise: Exercise, result: Verdict, advised: str = "", notes: Sequence[str] = ()) -> View:
    """Passed, or not yet: which checks hold, and the hint that fits."""
    if result:
        line = f"✔ {exercise.name}: passed"
        told = [tag("p", note) for note in notes]
        return View("\n".join([line, *notes]), joined([tag("p", tag("b", line, class_="dnk-added")), *told]))
    lines = [f"{'✔' if one else '·'} {one.claim}" + ("" if one else f" (seen: {one.reason})") for one in result.results]
    head = f"{exercise.name}: not yet"
    plain = "\n".join([head, *(f"  {line}" for line in lines), *([f"Hint: {advised}"] if advised else [])])
    items = tag("ul", *(tag("li", line) for line in lines))
    return View(plain, joined([tag("p", tag("b", head)), items, prose(f"**Hint:** {advised}") if advised else ""]))


def advice(exercise: Exercise, advised: str) -> View:
    """A hint on its own."""
    return View(f"{exercise.name}, hint: {advised}", prose(f"**Hint:** {advised}"))


def solution(exercise: Exercise) -> View:
    """The stored solution of an exercise."""
    head = f"One solution of {exercise.name} (on {exercise.machine}):"
    body = Html("\n".join(escape(line) for line in exercise.solution.split("\n")))
    return View(f"{head}\n{exercise.solution}", joined([tag("p", head), tag("pre", body)]))


def progress(exercises: Mapping[str, Exercise], passed: Mapping[str, str], notes: Sequence[str] = ()) -> View:
    """How far a learner is: chapter by chapter, each exercise with the day that it was passed."""
    chapters: dict[str, list[str]] = {}
    for name, exercise in exercises.items():
        chapters.setdefault(exercise.chapter, []).append(name)
    rows = []
    for chapter, names in chapters.items():
        done = sum(name in passed for name in names)
        listed = ", ".join(f"✔ {name} ({passed[name]})" if name in passed else f"· {name}" for name in names)
        rows.append((chapter, f"{done} of {len(names)}", listed))
    header = ("chapter", "passed", "exercises")
    plain = "\n".join([*_columns(header, rows), *notes])
    return View(plain, joined([table(header, rows), *(tag("p", note) for note in notes)]))


def prose(text: str) -> Html:
    """Short Markdown as html: paragraphs, lists with '- ', `code`, **bold**, fenced code. Everything else is text."""
    blocks = re.split(r"\n\s*\n", text.strip())
    return joined(_block(block) for block in blocks)


def _block(block: str) -> Html:
    lines = block.split("\n")
    if lines[0].startswith("```"):
        return tag("pre", Html("\n".join(escape(line) for line in lines[1:] if not line.startswith("```"))))
    if all(line.startswith(("- ", "  ")) for line in lines):
        items = re.split(r"(?m)^- ", block)[1:]
        return tag("ul", *(tag("li", _inline(" ".join(item.split()))) for item in items))
    return tag("p", _inline(" ".join(lines)))


def _inline(text: str) -> Html:
    pieces = re.split(r"`([^`]+)`|\*\*([^*]+)\*\*", text)
    shown: list[object] = []
    for place, piece in enumerate(pieces):
        if piece is not None:
            shown.append(piece if place % 3 == 0 else tag("code" if place % 3 == 1 else "b", piece))
    return joined(shown)


def _joined_to(link: Link) -> str:
    ends = [f"bridge {link.master}"] if link.master else []
    if link.peer:
        ends.append(f"{link.peer.name} in {link.peer.namespace}")
    if link.parent:
        ends.append(f"{link.parent.name} below")
    return ", ".join(ends)


def _unavailable(state: Snapshot) -> list[Unavailable]:
    return [*state.unavailable, *(item for space in state.namespaces for item in space.unavailable)]


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
