"""Judge an executed notebook: did it pass, and if not, which cell failed and how; corrects what papermill wrote."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnetkit.errors import NotebookError
from dnetkit.notebooks import Chapter, read_notebook, source_of

__all__ = ["Failure", "Outcome", "judge", "plain"]

KINDS = {
    "died": ("KernelDied", "The kernel ended while this cell ran."),
    "overrun": ("Overrun", "The cell, or the chapter, was still running at its time limit and was ended."),
    "cancelled": ("Cancelled", "The run was stopped."),
    "broken": ("RunBroken", "The notebook could not be run to its end."),
}
"""The ways in which a run ends other than by itself: what stands for an exception's name and message."""

CHECK = re.compile(r"^\s*%%?check\b", re.MULTILINE)
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-~])")
LOG_LINES = 15


@dataclass(frozen=True)
class Failure:
    """Where a chapter failed: the code cell (counted from 1; 0 when none had begun), its source and the error.

    traceback: what the kernel showed for an exception. log: for a run that was ended, the end of what it and its kernel
    wrote to their standard error.
    """

    cell: int
    source: str
    ename: str
    evalue: str
    traceback: str = ""
    log: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one chapter.

    status: 'passed', 'failed' (a cell raised), 'died' (its kernel ended), 'overrun' (it ran into a time limit),
    'cancelled' or 'broken' (it could not be run at all). cells: code cells that ran to their end without an error, of
    `total`. checks: the %check lines in those that passed. output: the executed notebook. not_applicable: why, for each
    %check that was not tried because sandbox, kernel or engine lacks what it needs.
    """

    chapter: Chapter
    status: str
    seconds: float
    cells: int
    total: int
    checks: int
    output: Path
    failure: Failure | None = None
    not_applicable: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True only when the whole chapter ran and nothing in it failed."""
        return self.status == "passed"


def judge(chapter: Chapter, output: Path, *, ended: str, log: str = "", seconds: float = 0.0) -> Outcome:
    """Judge the notebook that papermill wrote to `output`, where the worker `ended` so, and write it back corrected."""
    notebook = _executed(chapter, output)
    cells = [cell for cell in notebook["cells"] if _runs(cell)]
    done = 0
    while done < len(cells) and _succeeded(cells[done]):
        done += 1
    failure = None
    status = "passed"
    if ended != "finished" or done < len(cells):
        status = "failed" if ended == "finished" else ended
        failed_at = _failing(cells, done, ended)
        failure = _failure(cells, failed_at, status, log)
        done = min(done, failed_at)
        if failed_at < len(cells) and not _error(cells[failed_at]):
            cells[failed_at].setdefault("outputs", []).append(_as_output(failure))
    _correct(notebook, cells, done, status, failure)
    _write(output, notebook)
    untried = tuple(reason for cell in cells[:done] for reason in _not_applicable(cell))
    checks = sum(len(CHECK.findall(source_of(cell))) for cell in cells[:done]) - len(untried)
    return Outcome(chapter, status, seconds, done, len(cells), checks, output, failure, untried)


def plain(text: str) -> str:
    """Text without the escape sequences that colour it in a terminal."""
    return ANSI.sub("", text)


def _executed(chapter: Chapter, output: Path) -> dict[str, Any]:
    """The executed notebook without the cells that papermill adds to point at an error; else the chapter."""
    try:
        notebook = read_notebook(output)
    except NotebookError:
        notebook = read_notebook(chapter.path)
        for cell in notebook["cells"]:
            if cell.get("cell_type") == "code":
                cell.update(outputs=[], execution_count=None)
    marker = "papermill-error-cell-tag"
    notebook["cells"] = [cell for cell in notebook["cells"] if marker not in _tags(cell)]
    return notebook


def _tags(cell: dict[str, Any]) -> list[str]:
    tags: list[str] = cell.get("metadata", {}).get("tags", [])
    return tags


def _runs(cell: dict[str, Any]) -> bool:
    return cell.get("cell_type") == "code" and bool(source_of(cell).strip()) and "skip-execution" not in _tags(cell)


def _error(cell: dict[str, Any]) -> dict[str, Any] | None:
    return next((output for output in cell.get("outputs", []) if output.get("output_type") == "error"), None)


def _succeeded(cell: dict[str, Any]) -> bool:
    """The kernel reported its end, with no error, neither shown nor (as in an Output widget) unseen."""
    metadata = cell.get("metadata", {})
    ended = "shell.execute_reply" in metadata.get("execution", {})
    return ended and _error(cell) is None and metadata.get("papermill", {}).get("exception") is not True


def _not_applicable(cell: dict[str, Any]) -> list[str]:
    """For each %check of a cell that was not tried, why; `needs.NotApplicable` leaves it in the output's metadata."""
    notes = [output.get("metadata", {}).get("dnetkit", {}) for output in cell.get("outputs", [])]
    return [str(note["reason"]) for note in notes if note.get("not_applicable") == "check"]


def _failing(cells: list[dict[str, Any]], done: int, ended: str) -> int:
    """The index of the cell to blame: the first that did not succeed, else the last one."""
    return min(done, len(cells) - 1) if ended != "finished" and cells and done == len(cells) else done


def _failure(cells: list[dict[str, Any]], index: int, status: str, log: str) -> Failure:
    cell = cells[index] if index < len(cells) else None
    begun = cell is not None and bool(cell.get("metadata", {}).get("papermill", {}).get("start_time"))
    source = source_of(cell) if cell is not None and begun else ""
    number = index + 1 if begun else 0
    error = _error(cell) if cell is not None else None
    if error is not None and status == "failed":
        traceback = plain("\n".join(error.get("traceback", [])))
        return Failure(number, source, error.get("ename", ""), plain(error.get("evalue", "")), traceback)
    if status == "failed" and begun:
        return Failure(number, source, "Unknown", "The cell failed, and its error was not shown.")
    if status == "failed":
        return Failure(number, source, "NotRun", f"Cell {index + 1} never ran: does one above it call exit()?")
    ename, evalue = KINDS[status]
    if not begun:
        evalue = "No cell was running when it ended." if index else "It ended before its first cell."
    return Failure(number, source, ename, evalue, log="\n".join(plain(log).strip().splitlines()[-LOG_LINES:]))


def _as_output(failure: Failure) -> dict[str, Any]:
    return {
        "output_type": "error",
        "ename": failure.ename,
        "evalue": failure.evalue,
        "traceback": [f"{failure.ename}: {failure.evalue}", *failure.log.splitlines()],
    }


def _correct(
    notebook: dict[str, Any], cells: list[dict[str, Any]], done: int, status: str, failure: Failure | None
) -> None:
    """Papermill calls cells completed that never ran: give each the status that it has, and the notebook ours."""
    states = ["completed"] * done + (["failed"] if failure else []) + ["pending"] * len(cells)
    for cell, state in zip(cells, states, strict=False):
        cell.setdefault("metadata", {}).setdefault("papermill", {}).update(status=state, exception=state == "failed")
    summary = notebook.setdefault("metadata", {}).setdefault("papermill", {})
    summary["exception"] = True if failure else None
    notebook["metadata"]["dnetkit"] = {"status": status}


def _write(path: Path, notebook: dict[str, Any]) -> None:
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(beside, path)
    except OSError as error:
        raise NotebookError(f"The executed notebook cannot be written to {path}: {error.strerror}.") from error
