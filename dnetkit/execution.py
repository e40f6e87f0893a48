"""Run chapters, each in a worker process of its own, and judge what came of them.

papermill passes a chapter that left through `exit()`, and after a dead kernel or an overrun it marks cells 'completed'
that never ran. So: a chapter has passed when the worker came to its end, every code cell ran, and none holds an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from dnetkit import notebooks, verdict
from dnetkit.errors import NotebookError
from dnetkit.notebooks import Chapter
from dnetkit.verdict import Outcome

__all__ = ["CELL_TIMEOUT", "TIMEOUT", "execute", "execute_all"]

TIMEOUT = 900.0
"""Seconds that a chapter may take as a whole."""
CELL_TIMEOUT = 300.0
"""Seconds that one cell may take."""
GRACE = 30.0
"""Seconds beyond its limit after which a worker that has not ended by itself is killed."""


def execute_all(
    chosen: Sequence[Chapter],
    *,
    sandbox: str = "auto",
    parameters: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    cell_timeout: float = CELL_TIMEOUT,
    output_dir: Path,
    jobs: int = 1,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Run the chapters, `jobs` at a time, and return their outcomes in the order of `chosen`.

    `parameters` are texts, as a command line has them; each goes to the chapters that declare it. `on_outcome` is
    called in this thread as each chapter ends. When it or Ctrl-C raises, every kernel is ended before the exception
    goes on.
    """
    values = notebooks.parameters_for(chosen, parameters or {})
    targets = _targets(chosen, output_dir)
    stop = _Stop()
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        futures = [
            pool.submit(
                _execute,
                chapter,
                target,
                sandbox=sandbox,
                parameters=values.get(chapter.path, {}),
                timeout=timeout,
                cell_timeout=cell_timeout,
                stop=stop,
            )
            for chapter, target in zip(chosen, targets, strict=True)
        ]
        try:
            for future in as_completed(futures):
                outcome = future.result()
                if on_outcome is not None:
                    on_outcome(outcome)
        except BaseException:
            for future in futures:
                future.cancel()
            stop.set()
            raise
    return [future.result() for future in futures]


def execute(
    chapter: Chapter,
    *,
    sandbox: str = "auto",
    parameters: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    cell_timeout: float = CELL_TIMEOUT,
    output_dir: Path,
) -> Outcome:
    """Run one chapter; the executed notebook is written to `output_dir` under the chapter's name."""
    options: dict[str, Any] = {"timeout": timeout, "cell_timeout": cell_timeout, "output_dir": output_dir}
    return execute_all([chapter], sandbox=sandbox, parameters=parameters, **options)[0]


class _Stop:
    """Tells every worker to end: each holds the reading end of a pipe, and the end of input is the sign."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writers: set[int] = set()
        self._set = False

    def set(self) -> None:
        with self._lock:
            self._set = True
            for writer in self._writers:
                os.close(writer)
            self._writers.clear()

    @contextlib.contextmanager
    def input(self) -> Iterator[int]:
        """The descriptor to give to a worker as its standard input."""
        reader, writer = os.pipe()
        with self._lock:
            if self._set:
                os.close(writer)
            else:
                self._writers.add(writer)
        try:
            yield reader
        finally:
            os.close(reader)
            with self._lock:
                if writer in self._writers:
                    self._writers.remove(writer)
                    os.close(writer)


def _targets(chosen: Sequence[Chapter], output_dir: Path) -> list[Path]:
    """The file that each executed notebook goes to; two chapters of one name get files of their own."""
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotebookError(
            f"The folder for the results cannot be made: {output_dir}: {error.strerror}.",
            "Choose one with --output DIR.",
        ) from error
    targets: list[Path] = []
    for chapter in chosen:
        target, number = output_dir.resolve() / chapter.path.name, 1
        while target in targets:
            number += 1
            target = target.with_name(f"{chapter.name}-{number}.ipynb")
        if target == chapter.path.resolve():
            raise NotebookError(
                f"The results would overwrite {chapter.path}.", "Choose another folder with --output DIR."
            )
        targets.append(target)
    return targets


def _execute(
    chapter: Chapter,
    target: Path,
    *,
    sandbox: str,
    parameters: dict[str, Any],
    timeout: float,
    cell_timeout: float,
    stop: _Stop,
) -> Outcome:
    source = chapter.path.resolve()
    job: dict[str, Any] = {
        "source": str(source),
        "output": str(target),
        "cwd": str(source.parent),
        "parameters": parameters,
        "timeout": timeout,
        "cell_timeout": cell_timeout,
    }
    target.unlink(missing_ok=True)  # what an earlier run left there must not be taken for this one's
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dnetkit-run-", dir=_short_directory()) as private:
        job |= {"private": private, "owner": os.getpid()}
        ended, log = _work(job, _environment(sandbox, Path(private)), Path(private), stop)
    return verdict.judge(chapter, target, ended=ended, log=log, seconds=time.monotonic() - began)


def _work(job: dict[str, Any], environment: dict[str, str], private: Path, stop: _Stop) -> tuple[str, str]:
    """Run the worker to its end; returns how that was ('broken' when it does not say) and what was logged."""
    log = private / "log"
    with stop.input() as reader, log.open("wb") as log_file:
        worker = subprocess.Popen(
            [sys.executable, "-m", "dnetkit.worker", json.dumps(job)],
            stdin=reader,
            stdout=subprocess.PIPE,
            stderr=log_file,
            cwd=private,
            env=environment,
            start_new_session=True,  # so that Ctrl-C reaches only us, and the worker still has its kernel to end
        )
        try:
            output, _ = worker.communicate(timeout=job["timeout"] + GRACE)
        except subprocess.TimeoutExpired:
            worker.kill()  # the kernel sees that its parent has gone and ends within a second
            output, _ = worker.communicate()
    messages = dict(pair for line in output.splitlines() for pair in json.loads(line).items())
    return messages.get("ended", "broken"), log.read_text(encoding="utf-8", errors="replace")


def _environment(sandbox: str, private: Path) -> dict[str, str]:
    """What an unattended run needs, without what a person's own set-up of IPython would add."""
    return {
        **notebooks.jupyter_environment(),
        "DNETKIT_SANDBOX": sandbox,
        "DNETKIT_UNATTENDED": "1",
        "IPYTHONDIR": str(private / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(private / "jupyter"),
    }


def _short_directory() -> str | None:
    """Where the kernel's sockets go: a socket's path has at most 107 bytes, so a long TMPDIR will not do."""
    return "/tmp" if len(os.fsencode(tempfile.gettempdir())) > 30 else None  # noqa: S108 - a private folder is made in it
