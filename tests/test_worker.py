"""The worker's side of a run: what it writes to whoever started it, and that it ends with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chapters import code, fixture, write_notebook
from waiting import wait_for

from dnetkit.notebooks import jupyter_environment


@contextmanager
def worker(folder: Path, source: Path, **more: Any) -> Iterator[subprocess.Popen[str]]:
    job = {
        "source": str(source),
        "output": str(folder / "out.ipynb"),
        "cwd": str(folder),
        "private": str(folder / "private"),
        "owner": os.getpid(),
        "parameters": {},
        "timeout": 60.0,
        "cell_timeout": 60.0,
        **more,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "dnetkit.worker", json.dumps(job)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=jupyter_environment(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def messages(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    assert process.stdout is not None
    return [json.loads(line) for line in process.stdout]


def test_it_tells_of_its_kernel_and_of_its_end(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "01-x.ipynb", code("import os\nos.write(1, b'not a message')\nprint('shown')"))
    with worker(tmp_path, source) as process:
        kernel, end = messages(process)
        assert kernel["kernel"] > 0
        assert end == {"ended": "finished"}
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert "not a message" in process.stderr.read()


def test_a_chapter_that_raises_has_finished_too(tmp_path: Path) -> None:
    with worker(tmp_path, fixture("02")) as process:
        assert messages(process)[-1] == {"ended": "finished"}


def test_the_end_of_its_input_is_the_end_of_its_kernel(tmp_path: Path) -> None:
    with worker(tmp_path, fixture("10"), parameters={"folder": str(tmp_path)}) as process:
        wait_for("the kernel runs", lambda: list(tmp_path.glob("*.pid")), 60)
        assert process.stdin is not None
        process.stdin.close()
        kernel, end = messages(process)
        assert end == {"ended": "cancelled"}
        assert not Path(f"/proc/{kernel['kernel']}").exists()


def test_when_its_input_ends_before_there_is_a_kernel_none_is_left(tmp_path: Path) -> None:
    with worker(tmp_path, fixture("10"), parameters={"folder": str(tmp_path)}) as process:
        assert process.stdin is not None
        process.stdin.close()
        *started, end = messages(process)
        assert end == {"ended": "cancelled"}
        assert not any(Path(f"/proc/{one['kernel']}").exists() for one in started)


def test_what_goes_wrong_in_itself_is_told_on_its_standard_error(tmp_path: Path) -> None:
    with worker(tmp_path, tmp_path / "missing.ipynb") as process:
        (started,) = messages(process)
        assert not Path(f"/proc/{started['kernel']}").exists()
        assert process.wait(20) != 0
        assert process.stderr is not None
        assert "missing.ipynb" in process.stderr.read()
