"""How a lab is started here: as root, or as an ordinary user in a user namespace; and clearing up after dead ones."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnetkit import programs, rights
from dnetkit.agent.keeper import cgroup_directories, remove_cgroups
from dnetkit.errors import SandboxError

__all__ = ["DeadLab", "choose", "launch", "state_directory", "sweep"]

_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), *programs.SYSTEM_DIRECTORIES])


def state_directory() -> Path:
    """Where this user's labs keep their records while they live: $XDG_STATE_HOME/dnetkit/labs."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "dnetkit" / "labs"


def choose(sandbox: str, try_out: bool = True) -> str:
    """The sandbox to use: the one asked for, for 'auto' the one that fits this user.

    Raises SandboxError where it cannot work here, as far as that shows without trying or, with `try_out`, when tried.
    """
    if sandbox not in ("auto", *rights.SANDBOXES):
        raise SandboxError(f"There is no sandbox {sandbox!r}.", f"Choose one of: auto, {', '.join(rights.SANDBOXES)}.")
    if sandbox == "auto":
        sandbox = "root" if os.geteuid() == 0 else "rootless"
    found = next(found for found in rights.judge(_facts(try_out)) if found.name == sandbox)
    if not found.usable:
        _facts.cache_clear()  # what was in the way may be put right meanwhile
        reasons = " ".join(obstacle.reason for obstacle in found.obstacles)
        remedies = " ".join(f"{obstacle.remedy.rstrip('.')}." for obstacle in found.obstacles)
        raise SandboxError(
            f"A lab cannot be started here with the sandbox {sandbox}: {reasons}",
            f"{remedies} `dnetkit doctor` tells more.",
        )
    return sandbox


@functools.cache
def _facts(try_out: bool) -> rights.Facts:
    return rights.gather(try_out)


def launch(
    identity: str, sandbox: str, bind: dict[str, str], writable: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a keeper, and by it a lab's agent; its stdin, stdout and stderr are pipes.

    bind: directories of this machine that the lab sees, by name below its base directory; writable: those that it may
    write. Raises SandboxError when the lab's record cannot be kept.
    """
    records = state_directory()
    try:
        records.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(records, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(records))
    except OSError as error:
        raise SandboxError(
            f"The records of your labs cannot be kept: {error}", "Set XDG_STATE_HOME to a folder that is yours."
        ) from error
    package = str(Path(__file__).resolve().parent.parent)
    python = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {package!r}); "]
    agent = [*python[:-1], python[-1] + "from dnetkit.agent.__main__ import main; sys.exit(main())"]
    # Should the keeper be stopped when its owner dies, it is woken: there is something left to do for it.
    woken = [str(programs.find("setpriv")), "--pdeathsig", "CONT", "--"]
    keeper = [*woken, *python[:-1], python[-1] + "from dnetkit.agent.keeper import main; sys.exit(main(sys.argv[1:]))"]
    config: dict[str, Any] = {
        "id": identity,
        "sandbox": sandbox,
        "owner": os.getpid(),
        "lock": str(records / f"{identity}.json"),
        "cgroup": f"dnetkit-{identity}" if sandbox == "root" else "",
        "bind": {**bind, **(writable or {})},
        "writable": list(writable or {}),
        "init": [str(programs.find("tini")), "--", *agent],
    }
    if sandbox == "rootless":
        config |= {
            "uid": os.getuid(),
            "gid": os.getgid(),
            "subuid": rights.own_range("/etc/subuid"),
            "subgid": rights.own_range("/etc/subgid"),
        }
    environment = {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [*keeper, json.dumps(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        bufsize=0,
        cwd="/",
    )


@dataclass(frozen=True)
class DeadLab:
    """A lab that ended without its keeper: what was removed after it, and what could not be."""

    id: str
    removed: tuple[str, ...]
    left: tuple[str, ...]


def sweep() -> list[DeadLab]:
    """Remove what this user's dead labs left: records that nobody holds locked, and the cgroups named after them."""
    swept = []
    records: list[Path] = []
    with contextlib.suppress(OSError):  # a directory that may not be read holds no record of this user's
        records = sorted(state_directory().glob("[0-9a-f]*.json"))
    for path in records:
        with contextlib.suppress(OSError), path.open("rb") as record:
            if os.fstat(record.fileno()).st_uid != os.geteuid():
                continue  # another user's: root may have come here with that user's HOME
            try:
                fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it lives
            if not path.exists():
                continue  # it ended properly while we looked
            cgroups = cgroup_directories(f"dnetkit-{path.stem}")
            left = remove_cgroups(f"dnetkit-{path.stem}") if cgroups else []
            if not left:
                path.unlink(missing_ok=True)
            removed = [str(found) for found in (path, *cgroups) if not found.exists()]
            swept.append(DeadLab(path.stem, tuple(removed), tuple(map(str, left))))
    return swept
