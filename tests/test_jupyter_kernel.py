"""The kernel of a chapter run unattended: it answers, or says why not, and it ends with all that it started."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import ended, wait_for

from dnetkit.jupyter_kernel import Kernel, KernelFailed


@contextmanager
def kernel(folder: Path) -> Iterator[Kernel]:
    started = Kernel(str(folder / "kernel"), str(folder))
    try:
        yield started
    finally:
        started.kill()


def stand_in(folder: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ipykernel_launcher.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_it_runs_code_in_its_folder_and_publishes_what_comes_of_it(tmp_path: Path) -> None:
    async def converse() -> str:
        client = await started.connect(60)
        asked = client.execute("import os; print(os.getcwd())")
        while True:
            message = await client.iopub_channel.get_msg(timeout=20)
            if message["parent_header"].get("msg_id") == asked and message["msg_type"] == "stream":
                client.stop_channels()
                return str(message["content"]["text"])

    with kernel(tmp_path) as started:
        assert asyncio.run(converse()) == f"{tmp_path}\n"


def test_a_client_tells_that_it_lives_and_that_it_has_ended(tmp_path: Path) -> None:
    async def converse() -> tuple[bool, bool]:
        client = await started.connect(60)
        before = await client.is_alive()
        started.kill()
        after = await client.is_alive()
        client.stop_channels()
        return before, after

    with kernel(tmp_path) as started:
        assert asyncio.run(converse()) == (True, False)


def test_killing_it_ends_what_it_started_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import subprocess, pathlib\np = subprocess.Popen(['sleep', '600'])\n"
    stand_in(tmp_path, program + "pathlib.Path('pid').write_text(f'{p.pid}\\n')\np.wait()", monkeypatch)
    with kernel(tmp_path) as started:
        wait_for("its program runs", lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 20)
        pid = int((tmp_path / "pid").read_text())
        started.kill()
        wait_for("its program has ended", lambda: ended(pid), 20)
        started.kill()  # once more is no error


def test_one_that_ends_before_it_answers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "raise SystemExit(3)", monkeypatch)
    with kernel(tmp_path) as started, pytest.raises(KernelFailed, match="ended before it answered"):
        asyncio.run(started.connect(60))


def test_one_that_never_answers_is_told_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "import time; time.sleep(600)", monkeypatch)
    with kernel(tmp_path) as started, pytest.raises(KernelFailed, match="did not answer"):
        asyncio.run(started.connect(0.3))


def test_only_its_user_can_reach_it(tmp_path: Path) -> None:
    with kernel(tmp_path):
        assert (tmp_path / "kernel").stat().st_mode & 0o077 == 0
