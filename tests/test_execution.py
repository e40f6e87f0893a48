"""Chapters run in workers of their own, and however one ends it is told: passed, failed, died, overrun, broken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from chapters import FIXTURES, code, fixture, markdown, write_notebook
from waiting import ended, wait_for

from dnetkit import execution, notebooks
from dnetkit.errors import NotebookError
from dnetkit.execution import execute, execute_all
from dnetkit.notebooks import Chapter
from dnetkit.verdict import Outcome

DNETKIT = Path(sys.executable).with_name("dnetkit")
CELL_TIMEOUT = 8.0


def chapter(path: Path) -> Chapter:
    (chosen,) = notebooks.choose([str(path)], [])
    return chosen


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Every fixture that needs no parameter, run side by side as `dnetkit run -j 3` does."""
    chosen = [one for one in notebooks.chapters(FIXTURES) if one.number not in ("10",)]
    told: list[Outcome] = []
    results = execute_all(
        chosen,
        sandbox="rootless",
        parameters={"hosts": "3", "image": "redis", "strict": "true"},
        cell_timeout=CELL_TIMEOUT,
        output_dir=tmp_path_factory.mktemp("run") / "out put",
        jobs=3,
        on_outcome=told.append,
    )
    assert [one.chapter for one in results] == chosen, "in the order asked for"
    assert {one.chapter.name for one in told} == {one.name for one in chosen}, "each told of once"
    assert len(told) == len(chosen)
    return {one.chapter.number: one for one in results}


def cells(outcome: Outcome) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = notebooks.read_notebook(outcome.output)["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def printed(outcome: Outcome) -> str:
    outputs = [output for cell in cells(outcome) for output in cell["outputs"]]
    return "".join(notebooks.source_of({"source": output.get("text", "")}) for output in outputs)


@pytest.mark.parametrize(
    ("number", "status", "ran", "total"),
    [
        ("01", "passed", 4, 4),
        ("02", "failed", 1, 3),
        ("03", "died", 1, 3),
        ("04", "overrun", 1, 3),
        ("05", "failed", 1, 3),
        ("06", "failed", 0, 2),
        ("07", "passed", 3, 3),  # one more: the cell with the values given
        ("08", "passed", 2, 2),
        ("09", "passed", 3, 3),
    ],
)
def test_how_each_fixture_ends(outcomes: dict[str, Outcome], number: str, status: str, ran: int, total: int) -> None:
    outcome = outcomes[number]
    assert (outcome.status, outcome.cells, outcome.total) == (status, ran, total)
    assert outcome.passed == (status == "passed")
    assert outcome.output.name == outcome.chapter.path.name
    stored = notebooks.read_notebook(outcome.output)["metadata"]["dnetkit"]
    assert stored == {"status": status}


@pytest.mark.parametrize(
    ("number", "cell", "ename"),
    [
        ("02", 2, "ValueError"),
        ("03", 2, "KernelDied"),
        ("04", 2, "Overrun"),
        ("05", 2, "SystemExit"),
        ("06", 1, "ZeroDivisionError"),
    ],
)
def test_the_cell_to_blame_is_marked_and_no_later_one_counts_as_run(
    outcomes: dict[str, Outcome], number: str, cell: int, ename: str
) -> None:
    failure = outcomes[number].failure
    assert failure is not None
    assert (failure.cell, failure.ename) == (cell, ename)
    states = [one["metadata"]["papermill"]["status"] for one in cells(outcomes[number])]
    assert states == ["completed"] * (cell - 1) + ["failed"] + ["pending"] * (len(states) - cell)
    enames = [output.get("ename") for output in cells(outcomes[number])[cell - 1]["outputs"]]
    assert ename in enames
    assert "never" not in printed(outcomes[number])


def test_what_a_killed_kernel_said_before_is_kept(outcomes: dict[str, Outcome]) -> None:
    assert "last words" in printed(outcomes["03"])


def test_checks_are_counted_and_the_environment_is_that_of_an_unattended_run(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["01"].checks == 2
    assert "sandbox rootless unattended 1" in printed(outcomes["01"])


def test_parameters_reach_the_chapter_that_declares_them(outcomes: dict[str, Outcome]) -> None:
    assert "got (3, 'redis', 0.5, True)" in printed(outcomes["07"])


def test_the_chapters_themselves_stay_as_they_are(outcomes: dict[str, Outcome]) -> None:
    del outcomes
    for path in FIXTURES.glob("*.ipynb"):
        assert not any(cell.get("outputs") for cell in notebooks.read_notebook(path)["cells"])


def test_an_unknown_parameter_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="There is no parameter 'nonsense'"):
        execute(chapter(fixture("01")), parameters={"nonsense": "1"}, output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_results_never_overwrite_a_chapter(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "01-x.ipynb", code("1"))
    before = path.read_bytes()
    with pytest.raises(NotebookError, match="The results would overwrite"):
        execute(chapter(path), output_dir=tmp_path)
    assert path.read_bytes() == before


def test_a_folder_for_the_results_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotebookError, match=r"cannot be made: .*file/out: Not a directory") as raised:
        execute(chapter(fixture("01")), output_dir=tmp_path / "file" / "out")
    assert "--output DIR" in raised.value.hint


def test_strange_paths_and_chapters_of_one_name_do_not_get_mixed_up(unusual_folder: Path) -> None:
    paths = [
        write_notebook(unusual_folder / where / "01-x.ipynb", markdown("# X"), code(f"print('I am {where[0]}')"))
        for where in ("a {b}", "c {0} %d")
    ]
    output = unusual_folder / "out {x}"
    (output / "01-x.ipynb").parent.mkdir()
    write_notebook(output / "01-x.ipynb", code("what an earlier run left"))
    results = execute_all([chapter(path) for path in paths], output_dir=output, jobs=2)
    assert [one.status for one in results] == ["passed", "passed"]
    assert [one.output.name for one in results] == ["01-x.ipynb", "01-x-2.ipynb"]
    assert [printed(one).strip() for one in results] == ["I am a", "I am c"]


def test_a_temporary_folder_with_a_long_name_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel's socket must have a path of at most 107 bytes (unix(7))."""
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    path = write_notebook(tmp_path / "01-x.ipynb", code("1"))
    assert execute(chapter(path), output_dir=tmp_path / "out").passed
    assert list(long.iterdir()) == []


def kernel_in(folder: Path) -> int:
    """The number of the process that runs fixture 10, once it does."""
    return int(wait_for("the kernel runs", lambda: next(folder.glob("*.pid"), None), 60).stem)


def test_a_chapter_over_its_time_is_an_overrun_and_its_kernel_is_gone(tmp_path: Path) -> None:
    outcome = execute(
        chapter(fixture("10")), parameters={"folder": str(tmp_path)}, timeout=12.0, output_dir=tmp_path / "out"
    )
    assert (outcome.status, outcome.cells, outcome.total) == ("overrun", 3, 4)
    assert outcome.seconds < 12.0 + execution.GRACE
    assert ended(kernel_in(tmp_path))


def running(folder: Path, temporary: str = "") -> subprocess.Popen[str]:
    """`dnetkit run` on its way through fixture 10."""
    command = [DNETKIT, "run", str(fixture("10")), "-p", "folder", str(folder), "--output", str(folder / "out")]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=folder,
        env={**os.environ, "TMPDIR": temporary or tempfile.gettempdir()},
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_kernel_and_no_file_outlives_the_run_that_was_ended(tmp_path: Path, number: int, status: int) -> None:
    with tempfile.TemporaryDirectory(prefix="run-", dir="/tmp") as temporary:  # a short one, or it is not taken
        with running(tmp_path, temporary) as run:
            kernel = kernel_in(tmp_path)
            assert os.listdir(temporary)
            os.kill(run.pid, number)
            _, errors = run.communicate(timeout=30)
        assert run.returncode == status
        assert errors in ("", "dnetkit: interrupted\n")
        wait_for("the kernel has ended", lambda: ended(kernel), 20)
        wait_for("its folder has been removed", lambda: not os.listdir(temporary), 20)


def test_a_worker_that_is_killed_is_a_broken_run_and_its_kernel_ends(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        kernel = kernel_in(tmp_path)
        worker = int(Path(f"/proc/{kernel}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(worker, signal.SIGKILL)
        output, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "10-pid  broken" in output
    assert output.endswith("0 passed, 1 failed\n")
    wait_for("the kernel has ended", lambda: ended(kernel), 20)


def test_what_hears_of_outcomes_may_stop_the_run(tmp_path: Path) -> None:
    quick = chapter(write_notebook(tmp_path / "01-quick.ipynb", code("1")))

    class Enough(Exception):
        pass

    def enough(_: Outcome) -> None:
        kernel_in(tmp_path)  # the other one is on its way
        raise Enough

    with pytest.raises(Enough):
        execute_all(
            [quick, chapter(fixture("10"))],
            parameters={"folder": str(tmp_path)},
            output_dir=tmp_path / "out",
            jobs=2,
            on_outcome=enough,
        )
    assert ended(kernel_in(tmp_path)), "all kernels are ended before the exception goes on"


def test_a_kernel_that_cannot_start_is_a_chapter_that_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ipykernel_launcher.py").write_text("raise SystemExit('no kernel today')")
    environment = notebooks.jupyter_environment()
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    monkeypatch.setattr(notebooks, "jupyter_environment", lambda: environment)
    path = write_notebook(tmp_path / "01-x.ipynb", code("1"))
    outcome = execute(chapter(path), output_dir=tmp_path / "out")
    assert (outcome.status, outcome.cells, outcome.total) == ("died", 0, 1)
    assert outcome.failure is not None
    assert outcome.failure.cell == 0
    assert "no kernel today\nThe kernel ended before it answered." in outcome.failure.log
