"""`dnetkit run` from its arguments to its exit status, and what `dnetkit lab` passes on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from chapters import FIXTURES, fixture

from dnetkit import cli, execution, notebooks, workbook
from dnetkit.notebooks import Chapter
from dnetkit.verdict import Failure, Outcome

DNETKIT = Path(sys.executable).with_name("dnetkit")


def test_a_run_reports_in_the_terminal_on_a_page_and_to_the_ci_server(unusual_folder: Path) -> None:
    paths = [str(fixture(number)) for number in ("09", "02")]
    ran = subprocess.run(
        [DNETKIT, "run", *paths, "-j", "2", "--output", "out", "--junit", "ci/junit.xml"],
        cwd=unusual_folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 1, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[-1] == "1 passed, 1 failed"
    assert re.search(r"^09-shows   passed +\d+\.\d s  3 cells, 0 checks$", ran.stdout, re.MULTILINE)
    assert re.search(r"^02-raises  failed +\d+\.\d s  1 of 3 cells, 0 checks$", ran.stdout, re.MULTILINE)
    assert "    ValueError: the claim does not hold" in lines
    out = unusual_folder / "out"
    assert sorted(path.name for path in out.iterdir()) == ["02-raises.ipynb", "09-shows.ipynb", "report.html"]
    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.count("<svg") == 2, "both pictures are on the page"
    assert "kept</p>" in html
    assert not re.search(r"<script|<[^>]* on\w+=|<a href=.javascript", html), "and nothing that would run"
    suite = ET.parse(unusual_folder / "ci" / "junit.xml").getroot()[0]  # noqa: S314 - our own
    assert [(case.get("name"), len(case)) for case in suite] == [("09-shows", 0), ("02-raises", 1)]


class Run:
    """In place of execute_all: what it was asked, and outcomes made up for it to tell."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = statuses
        self.chosen: Sequence[Chapter] = ()
        self.asked: dict[str, Any] = {}

    def __call__(self, chosen: Sequence[Chapter], **asked: Any) -> list[Outcome]:
        self.chosen, self.asked = chosen, asked
        outcomes = [
            Outcome(
                one,
                status,
                1.0,
                1,
                2,
                0,
                one.path,
                None if status == "passed" else Failure(2, "x", "E", f"it {status}"),
            )
            for one, status in zip(chosen, self.statuses, strict=False)
        ]
        for outcome in outcomes:
            asked["on_outcome"](outcome)
        return outcomes


def test_options_are_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = Run("passed")
    monkeypatch.setattr(execution, "execute_all", run)
    options = ["--sandbox", "rootless", "-j", "4", "-p", "hosts", "2", "-p", "image", "a b", "--timeout", "7.5"]
    arguments = ["run", str(fixture("07")), *options, "--cell-timeout", "3", "--output", str(tmp_path)]
    assert cli.main(arguments) == 0
    assert [one.name for one in run.chosen] == ["07-parameters"]
    run.asked.pop("on_outcome")
    assert run.asked == {
        "sandbox": "rootless",
        "jobs": 4,
        "parameters": {"hosts": "2", "image": "a b"},
        "timeout": 7.5,
        "cell_timeout": 3.0,
        "output_dir": tmp_path,
    }


def test_without_options_all_chapters_run_one_by_one_within_limits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = Run()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(execution, "execute_all", run)
    monkeypatch.setattr(notebooks, "find_notebooks", lambda: FIXTURES)
    cli.main(["run"])
    assert len(run.chosen) == 10
    assert (run.asked["sandbox"], run.asked["jobs"], run.asked["parameters"]) == ("auto", 1, {})
    assert (run.asked["timeout"], run.asked["cell_timeout"]) == (execution.TIMEOUT, execution.CELL_TIMEOUT)
    assert run.asked["output_dir"] == Path("build/run")


@pytest.mark.parametrize("status", ["failed", "died", "overrun", "cancelled", "broken"])
def test_one_chapter_that_did_not_pass_is_status_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    monkeypatch.setattr(execution, "execute_all", Run("passed", status))
    assert cli.main(["run", str(fixture("01")), str(fixture("02")), "--output", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert printed.endswith("1 passed, 1 failed\n")
    assert f"E: it {status}" in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sandbox", "moon"], "invalid choice: 'moon'"),
        (["-j", "0"], "at least 1"),
        (["-j", "many"], "invalid"),
        (["--timeout", "-1"], "a number of seconds above 0"),
        (["--cell-timeout", "nan"], "a number of seconds above 0"),
        (["-p", "hosts"], "expected 2 arguments"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["run", *arguments])
    assert end.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["99-nothing"], "There is no chapter '99-nothing'."),
        ([str(fixture("07")), "-p", "nonsense", "1"], "There is no parameter 'nonsense'."),
        ([str(fixture("07")), "-p", "hosts", "x"], "Parameter hosts is 'x', which is not of type int."),
        ([str(fixture("01")), "--output", "/dev/null/x"], "The folder for the results cannot be made"),
    ],
)
def test_what_cannot_be_run_as_asked_is_status_2(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notebooks, "find_notebooks", lambda: FIXTURES)
    assert cli.main(["run", *arguments]) == 2
    assert said in capsys.readouterr().err


class Started:
    """In place of start_lab: where and how JupyterLab would have been started."""

    def __init__(self) -> None:
        self.directory = Path()
        self.options: dict[str, Any] = {}

    def __call__(self, directory: Path, **options: Any) -> None:
        self.directory, self.options = directory, options


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    replacement = Started()
    monkeypatch.setattr(workbook, "start_lab", replacement)
    return replacement


def test_lab_copies_the_chapters_into_the_folder_and_opens_it(
    started: Started, unusual_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notebooks, "find_notebooks", lambda: FIXTURES)
    cli.main(["lab", str(unusual_folder), "--port", "9999", "--ip", "0.0.0.0", "--no-browser"])
    assert started.directory == unusual_folder
    assert started.options == {"port": 9999, "ip": "0.0.0.0", "browser": False}
    assert capsys.readouterr().out == "10 notebooks copied\n"
    assert (unusual_folder / "01-passes.ipynb").exists()


def test_lab_without_a_folder_opens_the_checkouts_own(started: Started, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["lab"])
    assert started.directory == notebooks.find_notebooks()
    assert started.options == {"port": None, "ip": None, "browser": True}
    assert capsys.readouterr().out == ""


def test_lab_from_an_installed_package_makes_a_folder_here(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notebooks, "in_checkout", lambda: False)
    monkeypatch.setattr(notebooks, "find_notebooks", lambda: FIXTURES)
    cli.main(["lab"])
    assert started.directory == Path("dnetkit-workbook")
    assert (tmp_path / "dnetkit-workbook" / "01-passes.ipynb").exists()


def test_lab_in_a_place_that_is_no_folder_starts_nothing(
    started: Started, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["lab", os.fspath(tmp_path / "file")]) == 2
    assert "cannot be copied" in capsys.readouterr().err
    assert started.options == {}
