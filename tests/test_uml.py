"""The guest with a kernel of its own, all but the kernel: what it is started with, what it hands back, how it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packages import make_package
from uml import guest, inside, kernel
from waiting import wait_for

from dnetkit import doctor, programs
from dnetkit.errors import SandboxError
from dnetkit.features import Feature
from dnetkit.notebooks import Chapter
from dnetkit.programs import Ended

UML = Path(__file__).parent / "uml"
HOLDS = {"usr/bin/linux.uml": b"#!/bin/sh\n", "usr/lib/uml/modules/6.1.0/modules.dep": b""}
run_program = programs.run


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/dnetkit/uml"


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An apt that has one package, with what `holds` says; `asked` is what it was told to do."""
    told: dict[str, Any] = {"holds": HOLDS, "version": "6.1um4+b13", "network": True, "asked": []}

    def run(argv: list[Any], *, cwd: Path | None = None, **options: Any) -> Ended:
        words = [str(word) for word in argv]
        if words[0] not in ("apt-get", "apt-cache"):
            return run_program(argv, cwd=cwd, **options)
        told["asked"].append(words)
        if words[0] == "apt-cache":
            return Ended(0, f"Version: {told['version']}\n") if told["version"] else Ended(100, "", "E: none")
        if not told["network"]:
            return Ended(100, "", "E: Failed to fetch it")
        made = make_package(tmp_path, kernel.PACKAGE, told["holds"], told["version"])
        assert cwd is not None
        shutil.copy(made, cwd)
        return Ended(0)

    monkeypatch.setattr(programs, "run", run)
    return told


def test_the_kernel_is_unpacked_once_into_the_cache_and_nowhere_else(cache: Path, apt: dict[str, Any]) -> None:
    said: list[str] = []
    found = kernel.find_kernel(said.append)
    assert found.program == cache / "6.1um4+b13/usr/bin/linux.uml"
    assert (found.version, found.package) == ("6.1.0", "6.1um4+b13")
    assert len(said) == 1
    assert sorted(os.listdir(cache)) == ["6.1um4+b13"]
    apt["asked"].clear()
    assert kernel.find_kernel(said.append) == found
    assert (apt["asked"], len(said)) == ([], 1)


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        ("version", "", "apt has no package user-mode-linux"),
        ("network", False, "Failed to fetch it"),
        ("holds", {"usr/bin/other": b""}, "is of no use"),
    ],
)
def test_where_the_kernel_is_not_to_be_had_it_says_why_and_leaves_nothing(
    cache: Path, apt: dict[str, Any], what: str, value: Any, said: str
) -> None:
    apt[what] = value
    with pytest.raises(SandboxError, match=said):
        kernel.find_kernel(print)
    assert not cache.exists() or os.listdir(cache) == []


def test_without_apt_it_says_what_it_is(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    with pytest.raises(SandboxError, match="apt-get is not here") as raised:
        kernel.find_kernel(print)
    assert str(cache) in raised.value.hint


def made(tmp_path: Path, script: str) -> kernel.Kernel:
    """A 'kernel' that is a shell script; in it $results is the folder, and 4 the descriptor of its console."""
    program = tmp_path / "linux"
    head = 'for word in "$@"; do case $word in results=*) results=${word#*=};; esac; done'
    program.write_text(f"#!/bin/sh\n{head}\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return kernel.Kernel(program, tmp_path / "modules/6.1.0", "1")


def booted(tmp_path: Path, script: str, **options: Any) -> int:
    return guest.boot(
        made(tmp_path, script), guest.Guest(("true",), tmp_path, tmp_path / "results", memory="16M", **options)
    )


def test_what_the_job_prints_and_how_it_ends_come_out(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    script = "printf 'one\\r\\ntwo\\r\\n' >&4; echo boot messages; echo 3 >$results/status"
    assert booted(tmp_path, script) == 3
    assert capfdbinary.readouterr().out == b"one\ntwo\n"
    assert (tmp_path / "results/kernel.log").read_text(encoding="utf-8") == "boot messages\n"


def test_a_guest_that_does_not_say_how_its_job_did_has_not_passed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results/status").write_text("0")  # of an earlier run
    assert booted(tmp_path, "exit 0") == guest.NO_ANSWER
    assert "kernel.log" in capsys.readouterr().err


def test_a_guest_over_its_time_is_ended_with_all_its_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert booted(tmp_path, f"sleep 600 & echo $! >{tmp_path}/child; wait", timeout=1.0) == guest.NO_ANSWER
    wait_for("its child has ended", lambda: not alive(int((tmp_path / "child").read_text())))
    assert "--timeout" in capsys.readouterr().err


def test_a_guest_ends_with_the_one_that_started_it_even_when_that_is_killed(tmp_path: Path) -> None:
    program = made(
        tmp_path, f"sleep 600 & echo $! >{tmp_path}/child.new; mv {tmp_path}/child.new {tmp_path}/child; wait"
    )
    start = f"""
import pathlib
from uml import guest, kernel
here = pathlib.Path({str(tmp_path)!r})
guest.boot(kernel.Kernel(here / "linux", here, "1"), guest.Guest(("true",), here, here / "results", memory="16M"))
"""
    environment = {**os.environ, "PYTHONPATH": f"{UML.parent}", "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", start], env=environment, stderr=subprocess.DEVNULL) as launcher:
        try:
            child = int(
                wait_for("it has booted", lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
            )
        finally:
            launcher.kill()
    assert program.program.exists()
    wait_for("its child has ended", lambda: not alive(child))


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_nothing_is_left_of_the_guests_memory(tmp_path: Path) -> None:
    assert booted(tmp_path, "echo $TMPDIR >$results/scratch; touch $TMPDIR/memory; echo 0 >$results/status") == 0
    assert not Path((tmp_path / "results/scratch").read_text().strip()).exists()


def test_the_kernel_may_hold_as_many_files_open_as_this_user_may(tmp_path: Path) -> None:
    assert booted(tmp_path, "ulimit -S -n >$results/files; ulimit -H -n >>$results/files; echo 0 >$results/status") == 0
    soft, hard = (tmp_path / "results/files").read_text().split()
    assert soft == hard


def test_the_machines_root_is_the_guests_read_only(tmp_path: Path) -> None:
    asked = guest.Guest(("true",), tmp_path, tmp_path / "results")
    words = guest.command_line(made(tmp_path, ""), asked, tmp_path / "scratch")
    assert {"rootfstype=hostfs", "rootflags=/", "ro", "con1=null,fd:4", f"job={tmp_path}/results/job"} <= {*words}
    assert "rw" not in words


def test_a_path_that_the_kernel_cannot_be_given_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be given this path"):
        guest.command_line(made(tmp_path, ""), guest.Guest((), tmp_path, tmp_path / "two words"), tmp_path)


def test_the_job_runs_in_its_folder_with_what_it_needs_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "a tree"
    tree.mkdir()
    for name, value in {"DNETKIT_ENGINE": "it's 28", "SECRET": "x", "XDG_CACHE_HOME": "/c", "HOME": "/h"}.items():
        monkeypatch.setenv(name, value)
    show = "import json, os, sys; print(json.dumps([os.getcwd(), dict(os.environ), sys.argv[1:]]))"
    text = guest.script(guest.Guest((sys.executable, "-c", show, "a b", "$c"), tree, tmp_path))
    ran = subprocess.run(["sh"], input=text, capture_output=True, text=True, check=True)
    folder, environment, words = json.loads(ran.stdout)
    assert (folder, words) == (str(tree), ["a b", "$c"])
    assert (environment["DNETKIT_ENGINE"], environment["DNETKIT_PATIENCE"]) == ("it's 28", "10")
    assert (environment["XDG_CACHE_HOME"], environment["HOME"]) == ("/c", "/h")
    assert "SECRET" not in environment


def test_chapters_or_a_command() -> None:
    asked = guest.read(["--tree", "/t", "--nice", "0", "11", "12"])
    assert asked.command == ("/t/.venv/bin/python", str(UML / "inside.py"), "/t/build/uml", "11", "12")
    assert guest.read(["--output", "/o", "--", "ip", "--", "link"]).command == ("ip", "--", "link")
    for wrong in (["11", "--", "true"], ["--"]):
        with pytest.raises(SystemExit):
            guest.read(wrong)


def feature(name: str, state: str) -> Feature:
    return Feature(name, state, "for a test", "" if state == "yes" else "Unknown device type")


def test_a_kernel_without_a_feature_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [feature(name, "no" if name == "ESP" else "yes") for name in inside.NEEDED]
    monkeypatch.setattr(doctor, "kernel_features", lambda: found)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("nothing is to be run"))
    assert inside.main([str(tmp_path), "11"]) == 1
    assert "ESP: Unknown device type" in capsys.readouterr().out


def notebook(path: Path, *sources: str, reason: str = "") -> Chapter:
    note = {"dnetkit": {"not_applicable": "check", "reason": reason}} if reason else {}
    output = {"output_type": "display_data", "data": {}, "metadata": note}
    cells = [
        {"id": f"c{n}", "cell_type": "code", "source": s, "metadata": {}, "outputs": [output]}
        for n, s in enumerate(sources)
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return Chapter(path.stem[:2], path.stem, path.stem, path)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str], int]:
    """Chapter 11 run in a guest that has everything: with which status it ended, and why a step was not tried."""
    monkeypatch.setattr(doctor, "kernel_features", lambda: [feature(name, "yes") for name in inside.NEEDED])
    (tmp_path / "run").mkdir()

    def main(status: int, reason: str) -> int:
        def run(argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            notebook(tmp_path / "run/11-x.ipynb", "%check x", reason=reason)
            return subprocess.CompletedProcess(argv, status)

        monkeypatch.setattr(subprocess, "run", run)
        return inside.main([str(tmp_path), "11"])

    return main


@pytest.mark.parametrize(
    ("status", "reason", "ended"),
    [
        (0, "", 0),
        (1, "", 1),
        (0, "This is so on engines from 28 on; this one is 20.10.24.", 0),
        (0, "This machine's kernel has no ipvlan (ipvlan networks): Unknown device type.", 1),
    ],
)
def test_a_run_passes_when_no_chapter_failed_or_did_without_a_feature(
    runs: Callable[[int, str], int], capsys: pytest.CaptureFixture[str], status: int, reason: str, ended: int
) -> None:
    assert runs(status, reason) == ended
    assert reason in capsys.readouterr().out


def test_what_an_earlier_run_left_is_not_taken_for_this_ones(
    tmp_path: Path, runs: Callable[[int, str], int], capsys: pytest.CaptureFixture[str]
) -> None:
    notebook(tmp_path / "run/12-y.ipynb", "", reason="This machine's kernel has no ESP (x): y.")
    assert runs(0, "") == 0
    assert "ESP (x)" not in capsys.readouterr().out


def test_the_chapters_that_need_it_say_so_themselves(tmp_path: Path) -> None:
    chapters = [
        notebook(tmp_path / "01-a.ipynb", "%%host --needs root,engine<29\nip link"),
        notebook(tmp_path / "02-b.ipynb", "%%host\nip link", "%check --within 5 --needs=root,esp x"),
        notebook(tmp_path / "03-c.ipynb", "%%host --needs 802.1q\nip link"),
    ]
    assert [chapter.name for chapter in inside.needy(chapters)] == ["02-b", "03-c"]


def test_the_scripts_are_proper_shell() -> None:
    for name in ("run", "init"):
        subprocess.run(["sh", "-n", UML / name], check=True)
        assert os.access(UML / name, os.X_OK)
