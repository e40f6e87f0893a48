"""The magics for exercises: show the task, run and grade the learner's lines, hint, reveal; or prove it unattended."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class

from dnetkit import exercises, views
from dnetkit.display import View
from dnetkit.errors import CommandError, ExerciseError
from dnetkit.exercises import Exercise, Verdict
from dnetkit.model import CommandResult
from dnetkit.progress import Progress
from dnetkit.stage import show

if TYPE_CHECKING:
    from dnetkit.magics import Workbench

__all__ = ["Tutor", "unattended"]


def unattended() -> bool:
    """Whether this is a test run (DNETKIT_UNATTENDED=1): no learner, no buttons, exercises are proved."""
    return os.environ.get("DNETKIT_UNATTENDED", "") not in ("", "0")


@magics_class
class Tutor(Magics):
    """Exercises in a notebook; it remembers what was prepared in this lab, and which hints were given."""

    def __init__(self, shell: InteractiveShell, bench: Workbench) -> None:
        super().__init__(shell)
        self._shell = shell
        self._bench = bench
        self._prepared: set[str] = set()
        self._carded: set[str] = set()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._printed: dict[str, str] = {}

    def forget(self) -> None:
        """The lab is a new one: nothing is prepared in it."""
        self._prepared.clear()
        self._printed.clear()

    @line_cell_magic
    def exercise(self, line: str, cell: str | None = None) -> None:
        """Show the task, with buttons for a hint, a check and the solution: %exercise NAME.

        %%exercise NAME runs the cell's lines as the answer to it, and grades that.
        """
        exercise = _find(line)
        if cell is None:
            self._card(exercise)
            self._carded.add(exercise.name)
        else:
            self._attempt(exercise, cell)

    def _attempt(self, exercise: Exercise, cell: str) -> None:
        self._prepare(exercise)
        if unattended():
            if exercise.name not in self._carded:
                self._card(exercise)
            self._show(exercise, exercises.prove(exercise, self._bench.need_lab(), self._bench.run))
            return
        untouched = exercises.is_untouched(cell)
        if not untouched:
            self._answer(exercise, cell)
        verdict = self._grade(exercise, patience=0.0 if untouched else 1.0)
        if untouched and not verdict:
            if exercise.name not in self._carded:
                self._card(exercise)
            show(views.message(f"{exercise.name}: not yet. Write your commands below the first line and run the cell."))
            return
        self._show(exercise, verdict)

    def _card(self, exercise: Exercise) -> None:
        if unattended() or not self._bench.live:
            show(views.task(exercise))
            return
        from dnetkit.widgets import exercise_card  # noqa: PLC0415 - only where there are buttons to press

        show(
            exercise_card(
                exercise,
                hint=lambda: self._hint(exercise),
                check=lambda: self._judged(exercise, self._grade(exercise)),
                solution=lambda: views.solution(exercise),
            )
        )

    @line_magic
    def hint(self, line: str) -> None:
        """A hint that fits what the lab looks like now; asked again, a plainer one: %hint NAME."""
        show(self._hint(_find(line)))

    @line_magic
    def solution(self, line: str) -> None:
        """Show the stored solution: %solution NAME."""
        show(views.solution(_find(line)))

    @line_magic
    def progress(self, _line: str) -> None:
        """Which exercises you have passed: %progress."""
        record = Progress()
        show(views.progress(exercises.catalogue(), record.passed(), record.notes))

    def _prepare(self, exercise: Exercise) -> None:
        lab = self._bench.need_lab()
        if len(lab.hosts) < exercise.hosts:
            raise ExerciseError(
                f"{exercise.name} takes a lab with {exercise.hosts} hosts; this one has {len(lab.hosts)}.",
                f"`%lab open --hosts {exercise.hosts}`, then this cell again.",
            )
        if exercise.setup and exercise.name not in self._prepared:
            for machine, script in exercises.parts(exercise.setup, exercise.machine):
                lab.machine(machine).run(script)
        self._prepared.add(exercise.name)

    def _answer(self, exercise: Exercise, cell: str) -> None:
        self._printed.pop(exercise.name, None)
        try:
            result = self._bench.run(exercises.parts(cell, exercise.machine))
        except CommandError as error:
            # The terminal above shows what failed. The grade says what is missing, which is what a learner needs next.
            result = error.result
            show(views.message(str(error)))
        self._printed[exercise.name] = _stdout(result)

    def _grade(self, exercise: Exercise, patience: float = 1.0) -> Verdict:
        self._prepare(exercise)
        printed = self._printed.get(exercise.name)
        return exercises.grade(exercise, self._bench.need_lab(), printed, self._shell.user_ns, patience)

    def _hint(self, exercise: Exercise) -> View:
        verdict = self._grade(exercise, patience=0.0)
        return self._judged(exercise, verdict) if verdict else views.advice(exercise, self._advice(exercise, verdict))

    def _advice(self, exercise: Exercise, verdict: Verdict) -> str:
        state = (exercise.name, verdict.hint.unless if verdict.hint else "")
        self._asked[state] += 1
        return verdict.advice(self._asked[state] - 1)

    def _judged(self, exercise: Exercise, verdict: Verdict) -> View:
        if not verdict:
            return views.verdict(exercise, verdict, self._advice(exercise, verdict))
        if unattended():
            return views.verdict(exercise, verdict)
        record = Progress()
        record.record(exercise.name)
        return views.verdict(exercise, verdict, notes=record.notes)

    def _show(self, exercise: Exercise, verdict: Verdict) -> None:
        show(self._judged(exercise, verdict))


def _find(line: str) -> Exercise:
    words = line.split()
    if len(words) != 1:
        raise ExerciseError("Name one exercise.", f"The exercises are: {', '.join(exercises.catalogue())}")
    return exercises.find(words[0])


def _stdout(result: CommandResult | None) -> str:
    return result.stdout if result else ""
