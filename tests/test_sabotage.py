"""Every check of every chapter can fail: the cells run up to it in a real lab, then something is broken, and mended."""

from __future__ import annotations

import pytest
from live_notebook import LiveNotebook, claims, code_cells
from sabotage import Sabotage
from sabotaged import SABOTAGE

from dnetkit import checks, notebooks
from dnetkit.notebooks import Chapter

CHAPTERS = notebooks.chapters()
PATIENCE = 5.0


def expressions(chapter: Chapter) -> list[str]:
    return [claim for cell in code_cells(chapter.path) for claim, _ in claims(notebooks.source_of(cell))]


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
@pytest.mark.timeout(900)
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_every_check_fails_under_its_sabotage_and_passes_when_that_is_undone(chapter, tmp_path, monkeypatch):
    monkeypatch.setenv("DNETKIT_UNATTENDED", "1")
    survivors = []
    with LiveNotebook(tmp_path) as notebook:
        cells = code_cells(chapter.path)
        last = max(place for place, cell in enumerate(cells) if claims(notebooks.source_of(cell)))
        for cell in cells[: last + 1]:
            notebook.run(notebooks.source_of(cell))
            for claim, patience in claims(notebooks.source_of(cell)):
                sabotage = SABOTAGE[chapter.name][claim]
                carry_out(notebook, sabotage, sabotage.do)
                if not turns_red(notebook, claim):
                    survivors.append(claim)
                carry_out(notebook, sabotage, sabotage.undo)
                mended = checks.settled(lambda claim=claim: notebook.judge(claim), max(patience, PATIENCE))
                assert mended, f"not mended in cell {cell['id']}: {mended}"
    assert not survivors


def carry_out(notebook: LiveNotebook, sabotage: Sabotage, script: str) -> None:
    if sabotage.where == "notebook":
        notebook.run(script)
    else:
        notebook.lab.machine(sabotage.where).run(script)


def turns_red(notebook: LiveNotebook, claim: str) -> bool:
    return checks.settled(lambda: not notebook.judge(claim), PATIENCE)
