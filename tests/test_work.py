"""Several things at once: how far they are is heard in the caller's thread, and an interrupt ends them all."""

from __future__ import annotations

import threading

import pytest

from dnetkit.errors import ImageError
from dnetkit.work import Job, Report, Task, together


def test_what_was_made_comes_back_by_name() -> None:
    made = together({"one": lambda _: 1, "two": lambda _: 2}, lambda _: None)
    assert made == {"one": 1, "two": 2}
    assert list(made) == ["one", "two"]


def test_they_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    together({"one": lambda _: both.wait(), "two": lambda _: both.wait()}, lambda _: None)


def test_progress_is_told_in_the_caller_s_thread_with_where_all_of_them_are() -> None:
    heard: list[Report] = []
    threads = set()

    def hear(report: str) -> None:
        assert isinstance(report, Report)
        heard.append(report)
        threads.add(threading.current_thread())

    def make(job: Job) -> None:
        job.tell("downloading", 0.0)
        job.tell("downloading", 0.5)
        job.tell("unpacking")

    together({"redis": make}, hear)
    assert threads == {threading.current_thread()}
    assert [str(report) for report in heard] == ["redis: downloading 0%", "redis: downloading 50%", "redis: unpacking"]
    assert [report.begins for report in heard] == [True, False, True]
    assert heard[1].tasks == (Task("redis", "downloading", 0.5),)


def test_small_advances_are_not_told_but_the_last_is() -> None:
    heard: list[str] = []

    def make(job: Job) -> None:
        for share in (0.0, 0.01, 0.02, 0.06, 0.99, 1.0):
            job.tell("downloading", share)

    together({"redis": make}, heard.append)
    assert [line.rpartition(" ")[2] for line in heard] == ["0%", "6%", "99%", "100%"]


def test_one_that_fails_does_not_keep_the_others_from_their_end() -> None:
    ended = []

    def fail(job: Job) -> None:
        raise ImageError(f"{job.name} failed", "Try again.")

    with pytest.raises(ImageError, match="one failed") as caught:
        together({"one": fail, "three": ended.append, "two": fail}, lambda _: None)
    assert len(ended) == 1
    assert "two failed" in caught.value.message
    assert caught.value.hint == "Try again."


def test_an_interrupt_ends_what_they_wait_for() -> None:
    waiting = threading.Event()
    ends = []

    def wait(job: Job) -> None:
        with job.ending(lambda: (ends.append(job.name), waiting.set())):
            job.tell("waiting")
            assert waiting.wait(10)

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        together({"one": wait}, interrupt)
    assert ends == ["one"]


def test_an_interrupt_that_came_before_the_wait_ends_it_too() -> None:
    told = threading.Event()
    ends = []

    def wait(job: Job) -> None:
        job.tell("about to wait")
        assert job.stop.wait(10)
        with job.ending(lambda: ends.append("ended")):
            told.set()

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        together({"one": wait}, interrupt)
    assert told.is_set()
    assert ends == ["ended"]
