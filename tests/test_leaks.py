"""The watch itself: it tells of each kind of thing that is left, and only of what is ours."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from leaks import Watch, descendants

from dnetkit import sandbox

Leak = Callable[[Watch], AbstractContextManager[str]]


@contextlib.contextmanager
def _a_process(_: Watch) -> Iterator[str]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield f"process: {process.pid} sleep 60"
        process.kill()


@contextlib.contextmanager
def _an_orphan(_: Watch) -> Iterator[str]:
    script = "import subprocess; print(subprocess.Popen(['sleep', '61'], stdout=-3, stderr=-3).pid)"
    pid = int(subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True).stdout)
    yield f"process: {pid} sleep 61"
    os.kill(pid, 9)
    os.waitpid(pid, 0)


@contextlib.contextmanager
def _a_descriptor(_: Watch) -> Iterator[str]:
    with Path("/etc/passwd").open():
        yield "/etc/passwd"


@contextlib.contextmanager
def _a_thread(_: Watch) -> Iterator[str]:
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten")
    thread.start()
    yield "thread: forgotten"
    end.set()
    thread.join()


@contextlib.contextmanager
def _a_temporary_file(watch: Watch) -> Iterator[str]:
    path = watch.temporary / "forgotten"
    path.touch()
    yield "temporary file: forgotten"
    path.unlink()


@contextlib.contextmanager
def _a_record_and_a_door(_: Watch) -> Iterator[str]:
    path = sandbox.state_directory() / "0badc0d2.json"
    path.touch()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("\0dnetkit/0/0badc0d2")
        yield "socket: @dnetkit/0/0badc0d2"
    path.unlink()


@contextlib.contextmanager
def _a_cgroup(_: Watch) -> Iterator[str]:
    record = sandbox.state_directory() / "0badc0d1.json"
    record.touch()
    record.unlink()
    path = Path("/sys/fs/cgroup/pids/dnetkit-0badc0d1")
    if not path.parent.is_dir():  # version 2
        path = Path("/sys/fs/cgroup/dnetkit-0badc0d1")
    path.mkdir()
    yield f"cgroup: {path}"
    path.rmdir()


@contextlib.contextmanager
def _a_mount(watch: Watch) -> Iterator[str]:
    place = watch.temporary / "mounted"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    yield f"mount: {place} tmpfs"
    subprocess.run(["umount", place], check=True)
    place.rmdir()


def _assert_told(watch: Watch, leak: Leak) -> None:
    with (
        contextlib.ExitStack() as later,
        pytest.raises(AssertionError, match="Left behind") as caught,
        watch.nothing_left(deadline=0.1),
    ):
        told = later.enter_context(leak(watch))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "leak", [_a_process, _an_orphan, _a_descriptor, _a_thread, _a_temporary_file, _a_record_and_a_door]
)
def test_what_is_left_is_told(watch: Watch, leak: Leak) -> None:
    _assert_told(watch, leak)


@pytest.mark.sandbox("root")
@pytest.mark.live
@pytest.mark.parametrize("leak", [_a_cgroup, _a_mount])
def test_what_only_root_can_leave_is_told(watch: Watch, leak: Leak) -> None:
    _assert_told(watch, leak)


def test_what_ends_a_moment_later_is_no_leak(watch: Watch) -> None:
    with watch.nothing_left():
        process = subprocess.Popen(["sleep", "0.3"])
    assert process.wait() == 0


def test_the_labs_of_others_do_not_count(watch: Watch) -> None:
    """A door with an id that no lab of this run has had."""
    with socket.socket(socket.AF_UNIX) as door, contextlib.ExitStack() as later:
        later.callback(door.close)
        with watch.nothing_left(deadline=0):
            descriptor = door.fileno()  # opened before, bound meanwhile
            door.bind("\0dnetkit/0/feedf00d")
        assert descriptor >= 0


def test_descendants_are_found_below_one_that_has_died() -> None:
    script = "sleep 62 & sleep 62 & wait"
    with subprocess.Popen(["sh", "-c", script]) as shell:
        while len(descendants(shell.pid)) < 2:
            pass
        found = descendants(shell.pid)
        assert set(found.values()) == {"sleep 62"}
        shell.kill()
        for pid in found:
            os.kill(pid, 9)
