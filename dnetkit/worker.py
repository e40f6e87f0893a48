"""Run one chapter with papermill, in a process of its own that ends when the one that started it does.

    python -m dnetkit.worker '{"source": ..., "output": ..., "cwd": ..., "private": ..., "owner": ...,
                               "parameters": {...}, "timeout": ..., "cell_timeout": ...}'

`private` is a folder with a short name, for its kernel's sockets; `owner` is the process that removes it at the end.

It writes JSON lines to its standard output: {"kernel": PID} when the kernel runs, {"ended": HOW} at the end; HOW is
'finished' (which does not mean that the chapter passed), 'died', 'overrun' or 'cancelled'. When its standard input
ends, it kills its kernel and ends; when its owner has been killed, it removes the folder in its place. What goes wrong
in itself is a traceback on its standard error.
"""

# ruff: noqa: PLC0415 - what takes long to import is imported while the kernel starts, and once certain imports fail
# papermill has no types:
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from dnetkit.jupyter_kernel import Kernel, KernelFailed

__all__ = ["main"]

GRACE = 10.0
"""Seconds after its time limit at which a chapter is ended from outside, should the orderly way not have worked."""
_KERNEL = "python3"
_STARTING = 60.0  # seconds for the kernel to answer
_UNUSED = ("fqdn", "isoduration", "rfc3986_validator", "rfc3987_syntax", "uri_template", "webcolors")
_BETWEEN_SAVES = 5.0
"""Seconds: papermill would write the whole notebook twice a cell, which takes longer than most cells do."""


class Run:
    """One chapter on its way: its deadline, its kernel, and whether it is to stop."""

    def __init__(self, job: dict[str, Any], channel: TextIO) -> None:
        self.job = job
        self.channel = channel
        self.deadline: float = time.monotonic() + job["timeout"]
        self.kernel: Kernel | None = None
        self.ended = ""
        self._lock = threading.Lock()

    def start(self) -> None:
        """Watch for the end of standard input and for the deadline, run the chapter, and say how that ended."""
        threading.Thread(target=self._watch_input, daemon=True).start()
        alarm = threading.Timer(self.job["timeout"] + GRACE, self.stop, ["overrun"])
        alarm.daemon = True
        alarm.start()
        try:
            self._start_kernel()
            ended = self._papermill()
        finally:
            self._end_kernel()
            if os.getppid() != self.job["owner"]:
                shutil.rmtree(self.job["private"], ignore_errors=True)
        self.tell(ended=self.ended or ended)

    def tell(self, **message: Any) -> None:
        """Write one line to the process that started this one; that it is gone already is no error here."""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(message), file=self.channel, flush=True)

    def stop(self, why: str) -> None:
        """Kill the kernel, now or as soon as it is there; papermill then ends by itself."""
        self.ended = self.ended or why
        self._end_kernel()

    def limit(self, _: object) -> float:
        """How long the next cell may take: its own limit, and what is left of the chapter's (0 would mean no limit)."""
        return max(0.1, min(float(self.job["cell_timeout"]), self.deadline - time.monotonic()))

    def _watch_input(self) -> None:
        while os.read(0, 4096):
            pass
        self.stop("cancelled")

    def _start_kernel(self) -> None:
        kernel = Kernel(os.path.join(self.job["private"], "kernel"), self.job["cwd"])
        with self._lock:
            self.kernel = kernel
        if self.ended:
            self._end_kernel()
        self.tell(kernel=kernel.pid)

    def _end_kernel(self) -> None:
        with self._lock:
            if self.kernel is not None:
                self.kernel.kill()

    def _papermill(self) -> str:
        # jsonschema imports these where they are installed, which takes half as long as all the rest; they check
        # formats that no notebook uses.
        sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]  # the documented way to make imports fail
        from jupyter_core.utils import run_sync
        from nbclient.exceptions import CellTimeoutError, DeadKernelError
        from papermill.clientwrap import PapermillNotebookClient
        from papermill.engines import NBClientEngine, papermill_engines
        from papermill.exceptions import PapermillExecutionError
        from papermill.execute import execute_notebook

        run = self

        class Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill has no types
            """Papermill's client, with our kernel."""

            @contextlib.contextmanager
            def setup_kernel(self, **_: Any) -> Iterator[None]:
                assert run.kernel is not None
                self.kc = run_sync(run.kernel.connect)(_STARTING)
                yield

        class Engine(NBClientEngine):  # type: ignore[misc]  # papermill has no types
            """Papermill's engine, with our client and our limits."""

            @classmethod
            def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> Any:
                client = Client(
                    nb_man,
                    kernel_name=kernel_name,
                    timeout=round(run.job["cell_timeout"]) or 1,
                    timeout_func=run.limit,
                    iopub_timeout=30,
                    force_raise_errors=True,
                )
                save = nb_man.save
                nb_man.save = _seldom(save)
                try:
                    return client.execute()
                except BaseException:  # else papermill saves it
                    save()
                    raise

        papermill_engines.register("dnetkit", Engine)
        try:
            execute_notebook(
                _literal(self.job["source"]),
                _literal(self.job["output"]),
                self.job["parameters"],
                engine_name="dnetkit",
                kernel_name=_KERNEL,
                language="python",
                progress_bar=False,
                cwd=self.job["cwd"],
            )
        except PapermillExecutionError:
            return "finished"
        except CellTimeoutError:
            return "overrun"
        except DeadKernelError:
            return "died"
        except KernelFailed as error:
            print(error, file=sys.stderr)
            return "died"
        return "finished"


def main() -> None:
    """Do the job given as the only argument."""
    # The kernel inherits descriptor 1: keep ours for the messages, and let what the kernel writes there go to the log.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    Run(json.loads(sys.argv[1]), channel).start()
    sys.stderr.flush()
    os._exit(0)  # what was imported takes a third of a second to be taken down in good order, for nothing


def _seldom(save: Callable[[], None]) -> Callable[..., None]:
    """The same, but not done when it was done in the last seconds."""
    done = time.monotonic()

    def seldom(**_: Any) -> None:
        nonlocal done
        if time.monotonic() - done >= _BETWEEN_SAVES:
            save()
            done = time.monotonic()

    return seldom


def _literal(path: str) -> str:
    return path.replace("{", "{{").replace("}", "}}")  # papermill formats its paths


if __name__ == "__main__":
    main()
