"""Every check of every chapter can fail: the cells run up to it in a real lab, then something is broken, and mended.

After that the whole chapter is run again in the same notebook.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from live_notebook import Claim, LiveNotebook, claims, code_cells
from sabotage import Sabotage
from sabotaged import SABOTAGE

from dnetkit import checks, notebooks
from dnetkit.notebooks import Chapter
from dnetkit.options import patient

CHAPTERS = notebooks.chapters()
PATIENCE = 5.0
ROOT = Path(__file__).resolve().parent.parent
ONLY = frozenset(filter(None, os.environ.get("DNETKIT_ONLY_NEEDS", "").split(",")))
"""Break only the checks that need one of these, such as 'ipvs,esp': for a guest, in which all of them take too long."""


def wanted(claim: Claim) -> bool:
    return not ONLY or not ONLY.isdisjoint(claim.needs.split(","))


def expressions(chapter: Chapter) -> list[str]:
    return [claim.expression for cell in code_cells(chapter.path) for claim in claims(notebooks.source_of(cell))]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_no_check_is_without_a_sabotage_and_no_sabotage_without_a_check(chapter):
    assert set(SABOTAGE[chapter.name]) == set(expressions(chapter))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_every_check_line_is_recognised(chapter):
    """Else one that is written in an unusual way would be left out here."""
    lines = [line for cell in code_cells(chapter.path) for line in notebooks.source_of(cell).split("\n")]
    assert len(expressions(chapter)) == sum("%check" in line for line in lines)


@pytest.mark.live
@pytest.mark.sandbox("root")  # what turns a check red is a matter of the check
@pytest.mark.timeout(patient(900))
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_every_check_fails_under_its_sabotage_and_passes_when_that_is_undone(chapter, tmp_path, monkeypatch):
    monkeypatch.setenv("DNETKIT_UNATTENDED", "1")
    caught: dict[str, Caught] = {}
    with LiveNotebook(tmp_path) as notebook:
        cells = code_cells(chapter.path)
        last = max(place for place, cell in enumerate(cells) if any(map(wanted, claims(notebooks.source_of(cell)))))
        for cell in cells[: last + 1]:
            notebook.run(notebooks.source_of(cell))
            for claim in claims(notebooks.source_of(cell)):
                if claim.expression in caught or not wanted(claim):
                    continue
                if reason := notebook.lacking(claim):
                    caught[claim.expression] = Caught(claim.expression, "not applicable", reason)
                    continue
                sabotage = SABOTAGE[chapter.name][claim.expression]
                carry_out(notebook, sabotage, sabotage.do)
                red = turns_red(notebook, claim.expression)
                verdict = "red" if red else "SURVIVED"
                caught[claim.expression] = Caught(claim.expression, verdict, red.reason, sabotage.do)
                carry_out(notebook, sabotage, sabotage.undo)
                mended = checks.settled(
                    notebook.lab,
                    lambda look, claim=claim: notebook.judge(claim.expression, look),
                    max(claim.patience, PATIENCE),
                )
                assert mended, f"not mended in cell {cell['id']}: {mended}"
        report(chapter, list(caught.values()))
        assert not [check.expression for check in caught.values() if check.verdict == "SURVIVED"]

        if ONLY:
            return
        # A run that was cut short, and its lab still open: now once more, as a learner who leaves the exercises empty.
        monkeypatch.delenv("DNETKIT_UNATTENDED")
        notebook.run_all(cells)
        assert "lab" not in notebook.shell.user_ns, "the last cell closes the lab"


@dataclass(frozen=True)
class Caught:
    """What came of one check: its verdict, what it saw (or why it does not apply), and what had been done."""

    expression: str
    verdict: str
    seen: str
    sabotage: str = ""


def report(chapter: Chapter, caught: list[Caught]) -> None:
    """The list, check by check, for a person: build/sabotage/CHAPTER.txt."""
    lines = [
        f"{chapter.name}: {sum(check.verdict == 'red' for check in caught)} of {len(caught)} checks turned red",
        "",
    ]
    for check in caught:
        lines.append(f"{check.verdict}: {check.expression}")
        lines += [f"    {line}" for line in check.sabotage.splitlines()]
        lines.append(f"    -> {check.seen}")
    file = ROOT / "build" / "sabotage" / f"{chapter.name}.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def carry_out(notebook: LiveNotebook, sabotage: Sabotage, script: str) -> None:
    if sabotage.where == "notebook":
        notebook.run(script)
    else:
        notebook.lab.machine(sabotage.where).run(script)


@dataclass(frozen=True)
class Red:
    """A check that did not hold, and what it saw; false for one that held."""

    failed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.failed


def turns_red(notebook: LiveNotebook, expression: str) -> Red:
    def attempt(look: checks.Look) -> Red:
        result = notebook.judge(expression, look)
        return Red(not result, result.reason)

    return checks.settled(notebook.lab, attempt, PATIENCE)
