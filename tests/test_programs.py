"""Programs are found where an administrator's are too, and run without raising."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from waiting import wait_for

from dnetkit import programs


def test_found_beyond_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n", encoding="ascii")
    (tmp_path / "tool").chmod(0o755)
    monkeypatch.setattr(programs, "SYSTEM_DIRECTORIES", (str(tmp_path),))
    assert programs.find("tool") == tmp_path / "tool"
    (tmp_path / "tool").chmod(0o644)
    assert programs.find("tool") is None


def test_output_status_and_reason() -> None:
    ended = programs.run([sys.executable, "-c", "import sys; print('out'); sys.exit('first\\n\\nwhy\\n')"])
    assert (ended.status, ended.stdout, ended.ok, ended.reason) == (1, "out\n", False, "why")


def test_the_locale_is_fixed_and_there_is_no_input() -> None:
    ended = programs.run([sys.executable, "-c", "import os, sys; print(os.environ['LC_ALL'], repr(sys.stdin.read()))"])
    assert ended.stdout == "C.UTF-8 ''\n"


def test_a_program_that_is_not_there() -> None:
    ended = programs.run(["no-such-program"])
    assert ended.status is None
    assert ended.reason == "no-such-program: there is no such program on this machine"


def test_a_time_limit() -> None:
    ended = programs.run([sys.executable, "-c", "input_never = __import__('threading').Event().wait()"], timeout=0.2)
    assert ended.status is None
    assert "did not end within 0.2 s" in ended.reason


def test_a_program_is_read_while_it_runs_and_ends_with_what_it_started() -> None:
    with programs.start(["sh", "-c", "sleep 60 & echo $!; echo problem >&2; wait"]) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert process.stdout.readline() == b"problem\n"
        programs.end(process)
        assert process.wait(10) == -signal.SIGTERM
    wait_for("the child has ended", lambda: not _lives(child))
    programs.end(process)  # one that has ended is left alone


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_program_that_is_not_there_is_not_started() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        programs.start(["no-such-program"])


def test_silence_is_a_reason_too() -> None:
    assert programs.run(["false"]).reason == "it ended with status 1"
