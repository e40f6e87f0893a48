"""What a run says: a line a chapter, the cell that failed, the summary, and XML that a CI server can read."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from dnetkit import report
from dnetkit.errors import NotebookError
from dnetkit.notebooks import Chapter
from dnetkit.verdict import Failure, Outcome
from dnetkit.version import __version__

PASSED = Outcome(Chapter("01", "01-veth", "A cable", Path("x")), "passed", 12.34, 24, 24, 9, Path("out"))
RAISED = replace(
    PASSED,
    chapter=Chapter("02", "02-docker0", "", Path("y")),
    status="failed",
    cells=3,
    checks=1,
    failure=Failure(4, "%check a\n%check b", "CheckFailed", "<no> route & no hope", "Traceback: \x1b\x00 here"),
)
KILLED = replace(RAISED, status="died", failure=Failure(0, "", "KernelDied", "It ended.", log="oom\nkilled"))


def test_a_line_tells_name_result_time_cells_and_checks() -> None:
    assert report.line(PASSED, 10) == "01-veth     passed    12.3 s  24 cells, 9 checks"
    assert report.line(RAISED) == "02-docker0  failed    12.3 s  3 of 24 cells, 1 check"


def test_the_cell_that_failed_is_shown_indented() -> None:
    assert report.details(PASSED) == ""
    assert report.details(RAISED) == (
        "    code cell 4:\n        %check a\n        %check b\n    CheckFailed: <no> route & no hope"
    )
    assert report.details(KILLED) == ("    KernelDied: It ended.\n    the end of its log:\n        oom\n        killed")


def test_the_summary_counts() -> None:
    assert report.summary([PASSED, RAISED, KILLED]) == "1 passed, 2 failed"
    assert report.summary([]) == "0 passed, 0 failed"


def test_junit_has_a_case_a_chapter_and_says_how_each_failed() -> None:
    suites = ET.fromstring(report.junit([PASSED, RAISED, KILLED]))  # noqa: S314 - our own
    suite = suites[0]
    for element in (suites, suite):
        counts = [element.get(name) for name in ("tests", "failures", "errors", "skipped", "time")]
        assert counts == ["3", "2", "0", "0", "37.020"]
    assert [(case.get("name"), case.get("time")) for case in suite] == [
        ("01-veth", "12.340"),
        ("02-docker0", "12.340"),
        ("02-docker0", "12.340"),
    ]
    assert len(suite[0]) == 0
    failed, died = suite[1][0], suite[2][0]
    assert (failed.get("type"), failed.get("message")) == ("failed", "CheckFailed: <no> route & no hope")
    assert "%check b" in str(failed.text)
    assert "Traceback:  here" in str(failed.text), "without the characters that XML does not have"
    assert died.get("type") == "died"
    assert "killed" in str(died.text)


def test_files_are_written_with_the_folders_above_them(tmp_path: Path) -> None:
    path = tmp_path / "a b" / "网络" / "junit.xml"
    report.write_junit(path, [PASSED])
    assert ET.parse(path).getroot().tag == "testsuites"  # noqa: S314 - our own


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotebookError, match=r"The JUnit file cannot be written to .*file/junit\.xml: File exists"):
        report.write_junit(tmp_path / "file" / "junit.xml", [PASSED])


def test_the_head_says_when_and_on_what() -> None:
    about = report.about("rootless")
    assert about["Sandbox"] == "rootless"
    assert about["dnetkit"] == __version__
    assert about["Run"].endswith(" UTC")


def test_checks_that_did_not_apply_are_told_apart_with_the_reason() -> None:
    partly = replace(PASSED, not_applicable=("No ipvlan.", "No ipvlan."))
    assert report.line(partly).endswith("9 checks, 2 not applicable here")
    case = ET.fromstring(report.junit([partly]))[0][0]  # noqa: S314 - our own
    assert case[0].text == "2 not applicable: No ipvlan."
