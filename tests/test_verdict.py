"""A chapter has passed only when it ran to its end and every cell of it did; who failed, and how, is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chapters import code, markdown, write_notebook

from dnetkit import verdict
from dnetkit.errors import NotebookError
from dnetkit.notebooks import Chapter
from dnetkit.verdict import Outcome

ERROR = {
    "output_type": "error",
    "ename": "CheckFailed",
    "evalue": "\x1b[31mno route\x1b[0m",
    "traceback": ["\x1b[31mCheckFailed\x1b[0m: no route"],
}


def ran(source: str, *outputs: dict[str, Any], **papermill: Any) -> dict[str, Any]:
    """A cell as papermill leaves one that has run to its end."""
    metadata = {
        "execution": {"shell.execute_reply": "2026-01-01T00:00:00"},
        "papermill": {"start_time": "2026-01-01T00:00:00", "status": "completed", "exception": False, **papermill},
    }
    return code(source, outputs=list(outputs), metadata=metadata)


def begun(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    """A cell that has begun and not ended, as papermill leaves it: it calls it completed."""
    cell = ran(source, *outputs)
    del cell["metadata"]["execution"]
    return cell


def judge(tmp_path: Path, *cells: dict[str, Any], ended: str = "finished", log: str = "") -> Outcome:
    chapter = Chapter("01", "01-x", "X", write_notebook(tmp_path / "01-x.ipynb", *map(dict, cells)))
    output = tmp_path / "out" / "01-x.ipynb"
    write_notebook(output, *cells)
    return verdict.judge(chapter, output, ended=ended, log=log, seconds=1.5)


def written(outcome: Outcome) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(outcome.output.read_text(encoding="utf-8"))
    return result


def states(outcome: Outcome) -> list[str]:
    return [c["metadata"].get("papermill", {}).get("status", "") for c in written(outcome)["cells"]]


def test_a_chapter_whose_every_cell_ran_has_passed(tmp_path: Path) -> None:
    check = ran("%check one\nprint()\n  %check two")
    outcome = judge(tmp_path, markdown("# X"), ran("1"), code("  "), code("never", "skip-execution"), check)
    assert (outcome.status, outcome.passed, outcome.failure) == ("passed", True, None)
    assert (outcome.cells, outcome.total, outcome.checks, outcome.seconds) == (2, 2, 2, 1.5)
    assert written(outcome)["metadata"]["dnetkit"] == {"status": "passed"}
    assert written(outcome)["metadata"]["papermill"]["exception"] is None


def test_an_exception_is_the_failure_and_what_follows_never_ran(tmp_path: Path) -> None:
    outcome = judge(tmp_path, ran("%check fine"), ran("%check bad", ERROR), code("later"), code("last"))
    assert (outcome.status, outcome.cells, outcome.total, outcome.checks) == ("failed", 1, 4, 1)
    failure = outcome.failure
    assert failure is not None
    assert (failure.cell, failure.source, failure.ename, failure.evalue) == (2, "%check bad", "CheckFailed", "no route")
    assert failure.traceback == "CheckFailed: no route"
    assert states(outcome) == ["completed", "failed", "pending", "pending"]


def test_an_error_that_a_tag_allows_is_a_failure_all_the_same(tmp_path: Path) -> None:
    outcome = judge(tmp_path, ran("1 / 0", ERROR), ran("after"))
    assert (outcome.status, outcome.cells) == ("failed", 0)
    assert states(outcome) == ["failed", "pending"]


def test_a_failure_that_was_not_shown_is_one(tmp_path: Path) -> None:
    outcome = judge(tmp_path, ran("widget", exception=True))
    assert outcome.failure is not None
    assert (outcome.status, outcome.failure.ename) == ("failed", "Unknown")


def test_cells_that_never_ran_in_a_run_that_finished_are_a_failure(tmp_path: Path) -> None:
    outcome = judge(tmp_path, ran("exit()"), code("check the claim"))
    assert outcome.failure is not None
    assert (outcome.status, outcome.failure.ename, outcome.failure.cell) == ("failed", "NotRun", 0)
    assert "Cell 2 never ran" in outcome.failure.evalue


@pytest.mark.parametrize(
    ("ended", "ename"),
    [("died", "KernelDied"), ("overrun", "Overrun"), ("cancelled", "Cancelled"), ("broken", "RunBroken")],
)
def test_a_run_that_was_ended_is_a_failure_of_its_own_kind(tmp_path: Path, ended: str, ename: str) -> None:
    said = {"output_type": "stream", "name": "stdout", "text": "last words"}
    log = "\n".join(f"line {number}" for number in range(40)) + "\n\x1b[1mSegmentation fault\x1b[0m\n"
    outcome = judge(tmp_path, ran("1"), begun("boom", said), code("later"), ended=ended, log=log)
    failure = outcome.failure
    assert failure is not None
    assert (outcome.status, outcome.cells) == (ended, 1)
    assert (failure.cell, failure.source, failure.ename) == (2, "boom", ename)
    assert failure.log.splitlines()[-1] == "Segmentation fault"
    assert len(failure.log.splitlines()) == verdict.LOG_LINES
    assert states(outcome) == ["completed", "failed", "pending"]
    outputs = written(outcome)["cells"][1]["outputs"]
    assert outputs[0] == said
    assert (outputs[1]["output_type"], outputs[1]["ename"]) == ("error", ename)


@pytest.mark.parametrize("ended", ["died", "overrun", "cancelled", "broken"])
def test_a_run_that_was_ended_has_not_passed_though_every_cell_did(tmp_path: Path, ended: str) -> None:
    outcome = judge(tmp_path, ran("1"), ran("2"), ended=ended)
    assert (outcome.status, outcome.passed, outcome.cells) == (ended, False, 1)


def test_a_run_that_ended_before_its_first_cell_blames_none(tmp_path: Path) -> None:
    outcome = judge(tmp_path, code("1"), ended="died", log="no kernel")
    assert outcome.failure is not None
    assert (outcome.failure.cell, outcome.failure.source) == (0, "")
    assert outcome.failure.evalue == "It ended before its first cell."


@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_a_run_that_wrote_nothing_usable_is_shown_as_the_chapter(tmp_path: Path, content: bytes | None) -> None:
    path = write_notebook(tmp_path / "01-x.ipynb", code("1", outputs=[ERROR], execution_count=4))
    output = tmp_path / "out.ipynb"
    if content is not None:
        output.write_bytes(content)
    outcome = verdict.judge(Chapter("01", "01-x", "X", path), output, ended="broken", log="Traceback")
    assert (outcome.status, outcome.cells, outcome.total) == ("broken", 0, 1)
    (cell,) = written(outcome)["cells"]
    assert [output["ename"] for output in cell["outputs"]] == ["RunBroken"], "and not what was stored in the chapter"


def test_the_cells_that_papermill_adds_are_taken_out(tmp_path: Path) -> None:
    marker = {**markdown("an error below"), "metadata": {"tags": ["papermill-error-cell-tag"]}}
    outcome = judge(tmp_path, marker, marker, ran("1 / 0", ERROR))
    assert [cell["source"] for cell in written(outcome)["cells"]] == ["1 / 0"]


def test_an_empty_chapter_has_passed_only_when_the_run_finished(tmp_path: Path) -> None:
    assert judge(tmp_path, markdown("# X")).passed
    assert judge(tmp_path, markdown("# X"), ended="died").status == "died"


def test_a_notebook_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "01-x.ipynb", code("1"))
    with pytest.raises(NotebookError, match=r"cannot be written to .*missing/out\.ipynb"):
        verdict.judge(Chapter("01", "01-x", "X", path), tmp_path / "missing" / "out.ipynb", ended="broken")


def test_plain_text_has_no_escape_sequences_left() -> None:
    coloured = "\x1b[1;31mred\x1b(B\x1b[m \x1b]8;;http://x\x07link\x1b]8;;\x1b\\ \x1b7moved\x1b[2K\x1b8"
    assert verdict.plain(coloured) == "red link moved"


def test_a_check_that_did_not_apply_is_counted_apart_from_those_that_passed(tmp_path: Path) -> None:
    note = {
        "output_type": "display_data",
        "data": {"text/plain": "not applicable here: two"},
        "metadata": {"dnetkit": {"not_applicable": "check", "reason": "No ipvlan."}},
    }
    left_out = {**note, "metadata": {"dnetkit": {"not_applicable": "commands", "reason": "No ipvlan."}}}
    outcome = judge(tmp_path, ran("%check one"), ran("%%host --needs ipvlan", left_out), ran("%check two", note))
    assert (outcome.passed, outcome.checks, outcome.not_applicable) == (True, 1, ("No ipvlan.",))
