"""Stands outside a lab from its first moment to after its last: starts it, ends it with its owner, removes its cgroups.

A keeper is the process that a session starts. It clones the lab's first process into new namespaces, hands it stdin and
stdout, and then only waits: for that process to end, or for its owner (the process that started it) to be gone, however
that died. What the kernel does not remove by itself, the cgroups of an engine run as root, it removes last.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dnetkit.agent import kernel

__all__ = ["cgroup_directories", "main", "remove_cgroups"]

_NOT_STARTED = 70
_ALL_NEW = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS | kernel.CLONE_NEWNET


def cgroup_directories(name: str) -> list[Path]:
    """The directories called `name` at the top of every cgroup hierarchy of this machine, version 1 or 2."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.split(" ", 1)[0] in ("cgroup", "cgroup2"):
            directory = Path(fields.split()[4]) / name
            if directory.is_dir():
                found.append(directory)
    return found


def remove_cgroups(name: str, deadline: float = 5.0) -> list[Path]:
    """Remove the empty cgroups of a lab that has ended; returns those that are still there after `deadline` seconds."""
    give_up = time.monotonic() + deadline
    while True:
        left = []
        for top in cgroup_directories(name):
            for directory, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)
            if top.exists():
                left.append(top)
        if not left or time.monotonic() > give_up:
            return left
        select.select([], [], [], 0.02)


def main(arguments: list[str]) -> int:
    """Keep one lab, described by the JSON in the first argument; returns the lab's exit status."""
    os.umask(0o022)  # a lab is the same whatever its owner's umask is
    try:
        return _keep(json.loads(arguments[0]))
    except OSError as error:
        os.write(2, f"{error}\n".encode())
        return _NOT_STARTED


def _keep(config: dict[str, Any]) -> int:
    with _lock(Path(config["lock"]), config):
        go, ready = os.pipe()
        rootless = config["sandbox"] == "rootless"
        first = kernel.clone(_ALL_NEW | (kernel.CLONE_NEWUSER if rootless else 0))
        if first == 0:
            _become_lab(config, go, ready)
        os.close(go)
        try:
            if rootless:
                _map_ids(first, config)
            os.write(ready, b"1")  # and it stays open: that it is closed tells the child that this process is gone
            null = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(null, standard)
            _wait(first, config["owner"])
        finally:
            os.kill(first, signal.SIGKILL)  # still ours: it is reaped only in the next line
            status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
            if config["cgroup"]:
                remove_cgroups(config["cgroup"])
    return status


def _become_lab(config: dict[str, Any], go: int, ready: int) -> None:
    """In the child: wait for the id maps, arrange the mounts, become tini with the agent below it."""
    try:
        os.close(ready)
        kernel.die_with_parent()
        if os.read(go, 1) != b"1":
            os._exit(_NOT_STARTED)
        if config["sandbox"] == "rootless":
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            os.setgroups([])
            kernel.die_with_parent()  # once more: new ids undo it
            if select.select([go], [], [], 0)[0]:  # closed: the keeper died in between
                os._exit(_NOT_STARTED)
        from dnetkit.agent import mounts  # noqa: PLC0415 - after the clone: the keeper itself has no use for it

        mounts.arrange_lab(config)
        os.execv(config["init"][0], config["init"])  # noqa: S606 - an argv, and no shell
    except BaseException as error:
        os.write(2, f"the lab's first process: {type(error).__name__}: {error}\n".encode())
    os._exit(_NOT_STARTED)


def _map_ids(pid: int, config: dict[str, Any]) -> None:
    for tool, start, key in (("newuidmap", config["uid"], "subuid"), ("newgidmap", config["gid"], "subgid")):
        first, count = config[key]
        done = subprocess.run(
            [tool, str(pid), "0", str(start), "1", "1", str(first), str(count)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise OSError(f"{tool} refused the range {first}+{count}: {done.stderr.strip()}")


def _wait(first: int, owner: int) -> None:
    """Wait until the lab or its owner has ended, or someone asks this keeper to end with SIGTERM."""
    wake, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.signal(signal.SIGTERM, lambda *_: os.write(alarm, b"t"))
    try:
        parent = os.pidfd_open(owner)
    except ProcessLookupError:
        return
    if os.getppid() == owner:
        select.select([os.pidfd_open(first), wake, parent], [], [])


@contextlib.contextmanager
def _lock(path: Path, config: dict[str, Any]) -> Iterator[None]:
    """Hold the lab's record, locked: whoever can lock it knows that the lab is dead and may clean up after it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = _open_locked(path)
    try:
        record = {"id": config["id"], "cgroup": config["cgroup"], "keeper": os.getpid(), "owner": config["owner"]}
        os.write(handle, json.dumps(record).encode())
        yield
    finally:
        if not (config["cgroup"] and cgroup_directories(config["cgroup"])):
            path.unlink(missing_ok=True)  # else it stays, for a sweep to find
        os.close(handle)


def _open_locked(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)  # someone who swept took it for a dead lab's, between the two calls above, and removed it


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
