"""Several things made at once, each in a thread of its own, while the caller's thread hears how far they are."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from dnetkit.errors import DnetkitError

__all__ = ["Job", "Progress", "Report", "Task", "together"]

T = TypeVar("T")

Progress = Callable[[str], object]
"""Is told, in a few words, what takes time. What it gets may be a Report: the words, and how far each thing is."""

_STEP = 0.05  # the least advance worth telling


@dataclass(frozen=True)
class Task:
    """One of the things that are made: its name, what is done for it now, and how much of that is done (0 to 1).

    note: what is said is to be kept in sight, such as what it was made from.
    """

    name: str
    doing: str
    share: float | None = None
    note: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.doing}" + ("" if self.share is None else f" {self.share:.0%}")


class Report(str):
    """News of one task, as text; `tasks` is where all of them are, `begins` whether the task began another step."""

    task: Task
    tasks: tuple[Task, ...]
    begins: bool

    def __new__(cls, task: Task, tasks: tuple[Task, ...], begins: bool) -> Report:
        """The text is the task's."""
        report = super().__new__(cls, str(task))
        report.task = task
        report.tasks = tasks
        report.begins = begins
        return report


class Job:
    """What a thread that makes something tells and asks of the one that waits for it."""

    def __init__(self, name: str, news: queue.SimpleQueue[Task | None]) -> None:
        self.name = name
        self.stop = threading.Event()
        self._news = news
        self._told = Task(name, "")
        self._endings: list[Callable[[], object]] = []

    def tell(self, doing: str, share: float | None = None) -> None:
        """Say what is done now, and how much of it is done."""
        task = Task(self.name, doing, share)
        if doing == self._told.doing and abs((share or 0.0) - (self._told.share or 0.0)) < _STEP and share != 1.0:
            return
        self._told = task
        self._news.put(task)

    def note(self, text: str) -> None:
        """Say something that is to be kept in sight."""
        self._told = Task(self.name, text, note=True)
        self._news.put(self._told)

    @contextlib.contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """While this lasts, an interrupt calls `end`, which is to make the thread's waiting end."""
        self._endings.append(end)
        try:
            if self.stop.is_set():
                end()
            yield
        finally:
            self._endings.remove(end)

    def end(self) -> None:
        """Interrupt it."""
        self.stop.set()
        for end in list(self._endings):
            with contextlib.suppress(OSError, DnetkitError):
                end()


def together(make: Mapping[str, Callable[[Job], T]], progress: Progress) -> dict[str, T]:
    """Make all of them, and call `progress` in this thread. An interrupt, or an error of progress, ends them all first.

    When some of them fail the others go on; then the first error is raised, and names the others that failed.
    """
    news: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    jobs = {name: Job(name, news) for name in make}
    tasks: dict[str, Task] = {}

    def spread(task: Task) -> None:
        begins = task.name not in tasks or tasks[task.name].doing != task.doing
        tasks[task.name] = task
        progress(Report(task, tuple(tasks.values()), begins))

    with ThreadPoolExecutor(min(len(make), (os.cpu_count() or 1) + 1) or 1, "dnetkit-make") as pool:
        futures: dict[str, Future[T]] = {name: pool.submit(make[name], jobs[name]) for name in make}
        try:
            for future in futures.values():
                future.add_done_callback(lambda _: news.put(None))
            under_way = len(futures)
            while under_way:
                task = news.get()
                if task is None:
                    under_way -= 1
                else:
                    spread(task)
        except BaseException:
            for name, future in futures.items():
                future.cancel()
                jobs[name].end()
            raise
    errors = {name: error for name, future in futures.items() if (error := future.exception()) is not None}
    if errors:
        first, *rest = errors.values()
        if isinstance(first, DnetkitError):
            for error in rest:
                first.message += f"\n{error}"
        raise first
    return {name: future.result() for name, future in futures.items()}
