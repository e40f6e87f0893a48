"""Exercises: the task, its grading, hints from the learner's actual state, the solution; no screen.

They are written in tasks/CHAPTER.toml, one file a chapter:

    [[exercise]]
    name = "docker0-second"
    title = "A second container"
    task = "Start a second container called `two`."
    machine = "host1"                                 # where the learner's lines run; the default
    setup = "docker run -d --name one busybox top"    # run once before the first attempt; optional
    checks = ['container_running("two")', 'port_of("host1", other_end("two", "eth0"), "docker0")']
    solution = "docker run -d --name two busybox top"

    [[exercise.hint]]
    unless = 'container_running("two")'               # the first hint whose check does not hold is given
    say = ["Which command starts a container?", "`docker run` does; `--name` gives it its name."]

    [[exercise.wrong]]                                # what a learner may well try; the tests do, and see that it does
    script = "docker run -d busybox top"              # not pass and that this hint comes, some words of which are here
    hint = "Which command"
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from dnetkit.cells import as_python
from dnetkit.checks import CheckResult, evaluate, settled
from dnetkit.errors import ExerciseError
from dnetkit.failures import did_you_mean
from dnetkit.model import CommandResult, Snapshot
from dnetkit.trials import LabLike

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = [
    "Exercise",
    "Hint",
    "Verdict",
    "Wrong",
    "catalogue",
    "find",
    "grade",
    "is_untouched",
    "load",
    "parts",
    "prove",
]

_SECTION = re.compile(r"^%%(host|client|container)\b(?:[ \t]+(?!--)(\S+))?([ \t]+--python)?[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Hint:
    """What to say while `unless` does not hold: `say` gets plainer each time it is asked for."""

    unless: str
    say: tuple[str, ...]


@dataclass(frozen=True)
class Wrong:
    """A likely answer that is not right, and words of the hint that it is to get."""

    script: str
    hint: str


@dataclass(frozen=True)
class Exercise:
    """One exercise; `checks` and `Hint.unless` are expressions as %check takes them, and `answer(VALUE)`."""

    name: str
    chapter: str
    title: str
    task: str
    solution: str
    checks: tuple[str, ...]
    hints: tuple[Hint, ...] = ()
    wrong: tuple[Wrong, ...] = ()
    machine: str = "host1"
    setup: str = ""


@dataclass(frozen=True)
class Verdict:
    """The grade of an exercise; `hint` is the one that fits the lab's state, None when passed or when none fits."""

    passed: bool
    results: tuple[CheckResult, ...]
    hint: Hint | None = None

    def __bool__(self) -> bool:
        return self.passed

    @property
    def failed(self) -> CheckResult | None:
        """The first check that does not hold."""
        return next((result for result in self.results if not result), None)

    def advice(self, asked: int = 0) -> str:
        """What to tell a learner who has asked in this state that many times before."""
        if self.hint:
            return self.hint.say[min(asked, len(self.hint.say) - 1)]
        failed = self.failed
        return "" if failed is None else failed.hint or f"Not so yet: {failed.claim}."  # a failed check is falsy


@cache
def catalogue() -> dict[str, Exercise]:
    """Every exercise that comes with dnetkit, by name, in the order of the chapters."""
    return load(resources.files("dnetkit") / "tasks")


def find(name: str) -> Exercise:
    """The exercise of that name. Raises ExerciseError naming those that exist."""
    known = catalogue()
    if name not in known:
        near = did_you_mean(name, known)
        raise ExerciseError(f"There is no exercise {name!r}. {near}".strip(), f"The exercises are: {', '.join(known)}")
    return known[name]


def load(folder: Traversable) -> dict[str, Exercise]:
    """Read every CHAPTER.toml of a folder. Raises ExerciseError for one that is not as the head of this module says."""
    found: dict[str, Exercise] = {}
    files = [file for file in folder.iterdir() if file.name.endswith(".toml")] if folder.is_dir() else []
    for file in sorted(files, key=lambda file: file.name):
        try:
            entries = tomllib.loads(file.read_text(encoding="utf-8")).get("exercise", [])
            for entry in entries:
                exercise = _exercise(entry, file.name.removesuffix(".toml"))
                if exercise.name in found:
                    raise ValueError(f"there are two exercises {exercise.name}")
                found[exercise.name] = exercise
        except (ValueError, TypeError, KeyError) as error:
            raise ExerciseError(f"{file.name} is not a list of exercises: {error}") from error
    return found


def _exercise(entry: Mapping[str, Any], chapter: str) -> Exercise:
    values: dict[str, Any] = {key: item.strip() if isinstance(item, str) else item for key, item in entry.items()}
    hints = [
        Hint(hint["unless"], tuple([hint["say"]] if isinstance(hint["say"], str) else hint["say"]))
        for hint in values.pop("hint", [])
    ]
    wrong = [Wrong(**answer) for answer in values.pop("wrong", [])]
    values["checks"] = tuple(values.get("checks", ()))
    exercise = Exercise(chapter=chapter, hints=tuple(hints), wrong=tuple(wrong), **values)
    empty = [field.name for field in fields(Exercise) if field.name not in ("hints", "setup", "wrong")]
    empty = [name for name in empty if not getattr(exercise, name)]
    if empty or not all(hint.say for hint in hints):
        raise ValueError(f"{values.get('name', 'an exercise')} has no {', '.join(empty) or 'text in a hint'}")
    return exercise


def grade(
    exercise: Exercise,
    lab: LabLike,
    output: str | None = None,
    variables: Mapping[str, Any] | None = None,
    patience: float = 1.0,
) -> Verdict:
    """Evaluate the checks in the lab as it is, `output` being what the learner's lines printed.

    A state that the kernel settles into shortly after a command gets `patience` seconds to appear.
    """
    return settled(lab, lambda state: _grade(exercise, state, lab, output, variables), patience)


def _grade(
    exercise: Exercise, state: Snapshot, lab: LabLike, output: str | None, variables: Mapping[str, Any] | None
) -> Verdict:
    results = tuple(evaluate(check, state, lab, variables, output) for check in exercise.checks)
    if all(results):
        return Verdict(True, results)
    missing = (hint for hint in exercise.hints if not evaluate(hint.unless, state, lab, variables, output))
    return Verdict(False, results, next(missing, None))


def is_untouched(body: str) -> bool:
    """True when a cell holds nothing to run: blank lines, comments, and the name of a machine."""
    lines = (line.strip() for line in body.splitlines())
    return all(not line or line.startswith("#") or _SECTION.fullmatch(line) for line in lines)


def parts(script: str, machine: str) -> list[tuple[str, str]]:
    """Cut a script into (machine, lines): a line such as `%%container web` moves to another machine.

    What follows `%%host --python` is a Python program; it comes as the command that runs it.
    """
    found: list[tuple[str, str, bool]] = []
    start, where, python = 0, machine, False
    for section in _SECTION.finditer(script):
        found.append((where, script[start : section.start()], python))
        start = section.end()
        where = section[2] or {"host": "host1", "client": "client", "container": machine}[section[1]]
        python = bool(section[3])
    found.append((where, script[start:], python))
    return [
        (where, as_python(lines.strip("\n"), "END") if python else lines.strip("\n"))
        for where, lines, python in found
        if not is_untouched(lines)
    ]


def prove(
    exercise: Exercise, lab: LabLike, perform: Callable[[Iterable[tuple[str, str]]], CommandResult | None]
) -> Verdict:
    """Show that the exercise proves something: untouched it does not pass, and its stored solution does.

    `perform` runs (machine, lines) pairs and gives the last result. Raises ExerciseError.
    """
    if grade(exercise, lab, patience=0):
        raise ExerciseError(
            f"{exercise.name} passes before anything was done, so it proves nothing.",
            "Its checks must ask for something that its setup and the cells before it do not bring about.",
        )
    result = perform(parts(exercise.solution, exercise.machine))
    verdict = grade(exercise, lab, result.stdout if result else None)
    if not verdict:
        raise ExerciseError(f"The stored solution of {exercise.name} does not pass.", str(verdict.failed))
    return verdict
