"""What the magics show besides terminals, changes and diagrams: status, snapshots, tasks, verdicts, progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from dnetkit.display import Html, View, escape, joined, listed, signed, table, tag
from dnetkit.errors import EngineError
from dnetkit.exercises import Exercise, Verdict
from dnetkit.model import Link, Snapshot, Unavailable
from dnetkit.prose import inline, prose
from dnetkit.work import Report

__all__ = [
    "LabLike",
    "advice",
    "engine_failed",
    "log",
    "message",
    "problem",
    "progress",
    "snapshot",
    "solution",
    "status",
    "task",
    "verdict",
    "working",
]


def message(text: str) -> View:
    """A sentence or two; what stands between backquotes is shown as code."""
    return View(text, prose(text))


def problem(text: str) -> View:
    """What went wrong, where an exception would not be seen."""
    return View(text, tag("div", prose(text), class_="dnk-removed"))


def engine_failed(error: EngineError) -> View:
    """An engine that did not start, as was expected: its own words."""
    head = f"{error.message} (as expected)"
    return View(f"{head}\n{error.log}", joined([tag("p", head, class_="dnk-removed"), tag("pre", error.log)]))


def working(report: Report) -> View:
    """How far each thing is that is made now: a line for each, with a bar where it can be measured."""
    rows = [
        (
            tag("b", task.name),
            task.doing,
            ""
            if task.share is None
            else tag("progress", value=f"{task.share:.2f}", max="1", title=f"{task.share:.0%}"),
        )
        for task in report.tasks
    ]
    return View("\n".join(map(str, report.tasks)), table(("image", "", ""), rows))


def log(text: str) -> View:
    """The end of a log, as it was written."""
    return View(text.rstrip("\n") or "(the log is empty)")


class LabLike(Protocol):
    """What is shown of a lab."""

    id: str
    sandbox: str
    requested: dict[str, Any]
    stand_ins: dict[str, str]


def status(lab: LabLike, state: Snapshot, took: float | None = None) -> View:
    """The lab: its number, its machines with their addresses and engines, its images."""
    ready = f", ready in {took:.1f} s" if took is not None else ""
    head = f"Lab {lab.id} is open ({lab.sandbox} sandbox{ready})."
    rows = [
        (machine.name, machine.address, f"Docker Engine {machine.engine}" if machine.engine else "no engine")
        for machine in state.machines
    ]
    names = [
        f"{name} (no registry has it here: {lab.stand_ins[name]} stands for it)" if name in lab.stand_ins else name
        for name in lab.requested["images"]
    ]
    foot = f"Images: {', '.join(names) or 'none'}"
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
    counts = ", ".join(
        [
            _count(len(state.containers), "container"),
            _count(len(state.networks), "Docker network"),
            _count(sum(len(space.rules) for space in state.namespaces), "netfilter rule"),
        ]
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
    head = f"{exercise.name}: not yet"
    hint = [f"Hint: {advised}"] if advised else []
    plain = [f"  {'✔' if one else '·'} {one.claim}{'' if one else f' (seen: {one.reason})'}" for one in result.results]
    rows = [
        signed("✔", "added", inline(one.claim)) if one else signed("·", "changed", inline(one.claim), _seen(one.reason))
        for one in result.results
    ]
    shown = [tag("p", tag("b", head)), listed(rows), _hint(advised)]
    return View("\n".join([head, *plain, *hint]), joined(shown))


def advice(exercise: Exercise, advised: str) -> View:
    """A hint on its own."""
    return View(f"{exercise.name}, hint: {advised}", _hint(advised))


def _hint(advised: str) -> Html:
    return prose(f"**Hint:** {advised}") if advised else Html()


def _seen(reason: str) -> Html:
    return tag("span", " \u2013 seen: ", inline(reason), class_="dnk-note")


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


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


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
