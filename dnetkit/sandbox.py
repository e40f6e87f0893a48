"""How a lab is started here: as root, or as an ordinary user in a user namespace; and clearing up after dead ones."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnetkit.agent.keeper import remove_cgroups
from dnetkit.errors import SandboxError

__all__ = ["SANDBOXES", "DeadLab", "choose", "launch", "obstacle", "state_directory", "sweep"]

SANDBOXES = ("root", "rootless")

_TOOLS = {"nsenter": "util-linux", "tini": "tini", "ip": "iproute2", "iptables": "iptables"}
_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def state_directory() -> Path:
    """Where this user's labs keep their records while they live: $XDG_STATE_HOME/dnetkit/labs."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "dnetkit" / "labs"


def obstacle(sandbox: str) -> SandboxError | None:  # noqa: PLR0911 - one return an obstacle
    """What stands in the way of this sandbox here, as far as can be told without starting one; else None."""
    if sandbox not in SANDBOXES:
        return SandboxError(f"There is no sandbox {sandbox!r}.", f"Choose one of: auto, {', '.join(SANDBOXES)}.")
    missing = [
        f"{tool} (package {package})" for tool, package in _TOOLS.items() if shutil.which(tool, path=_PATH) is None
    ]
    if missing:
        return SandboxError(
            f"These tools are missing: {', '.join(missing)}.", "Run `make setup`, or install the packages."
        )
    if sandbox == "root":
        if os.geteuid() != 0:
            return SandboxError("The root sandbox needs root.", "Use the rootless sandbox, which does not.")
        return None
    if os.geteuid() == 0:
        return SandboxError("The rootless sandbox is for ordinary users.", "As root, use the root sandbox.")
    for tool in ("newuidmap", "newgidmap"):
        if shutil.which(tool, path=_PATH) is None:
            return SandboxError(f"{tool} is missing.", "Install the package uidmap: sudo apt-get install uidmap")
    name = _user()
    for file in ("/etc/subuid", "/etc/subgid"):
        if _range(file) is None:
            return SandboxError(
                f"{name} has no range of ids in {file}.",
                "Ask an administrator for one: "
                f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}",
            )
    return _userns_obstacle()


def choose(sandbox: str) -> str:
    """The sandbox to use: the one asked for, or for 'auto' the first that works. Raises SandboxError with a way out."""
    if sandbox == "auto":
        sandbox = "root" if os.geteuid() == 0 else "rootless"
    problem = obstacle(sandbox)
    if problem is not None:
        problem.hint = f"{problem.hint} `dnetkit doctor` tells more.".strip()
        raise problem
    return sandbox


def launch(
    identity: str, sandbox: str, bind: dict[str, str], writable: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a keeper, and by it a lab's agent; its stdin, stdout and stderr are pipes.

    bind: directories of this machine that the lab sees, by name below its base directory; writable: those that it may
    write.
    """
    package = str(Path(__file__).resolve().parent.parent)
    python = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {package!r}); "]
    agent = [*python[:-1], python[-1] + "from dnetkit.agent.__main__ import main; sys.exit(main())"]
    keeper = [*python[:-1], python[-1] + "from dnetkit.agent.keeper import main; sys.exit(main(sys.argv[1:]))"]
    tini = shutil.which("tini", path=_PATH) or "tini"
    config: dict[str, Any] = {
        "id": identity,
        "sandbox": sandbox,
        "owner": os.getpid(),
        "lock": str(state_directory() / f"{identity}.json"),
        "cgroup": f"dnetkit-{identity}" if sandbox == "root" else "",
        "bind": {**bind, **(writable or {})},
        "writable": list(writable or {}),
        "init": [tini, "--", *agent],
    }
    if sandbox == "rootless":
        config |= {
            "uid": os.getuid(),
            "gid": os.getgid(),
            "subuid": _range("/etc/subuid"),
            "subgid": _range("/etc/subgid"),
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
    """Remove what this user's dead labs left: a record that nobody holds locked, and the cgroups that it names."""
    swept = []
    for path in sorted(state_directory().glob("*.json")):
        with contextlib.suppress(OSError), path.open("r+b") as record:
            try:
                fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it lives
            if not path.exists():
                continue  # it ended properly while we looked
            try:
                cgroup = json.loads(record.read() or b"{}").get("cgroup", "")
            except ValueError:
                cgroup = ""  # it died while it wrote its record, before there was a cgroup
            left = remove_cgroups(cgroup) if cgroup else []
            if not left:
                path.unlink(missing_ok=True)
            swept.append(DeadLab(path.stem, (str(path), cgroup) if cgroup else (str(path),), tuple(map(str, left))))
    return swept


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _range(file: str) -> tuple[int, int] | None:
    """The first range of at least 65,536 ids that subuid(5) gives this user."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(file).read_text(encoding="utf-8").splitlines():
            fields = line.split(":")
            if len(fields) == 3 and fields[0] in (_user(), str(os.getuid())) and int(fields[2]) >= 65536:
                return int(fields[1]), 65536
    return None


def _userns_obstacle() -> SandboxError | None:
    """Whether the kernel lets this user make a user namespace; really tried, in a process of its own."""
    done = subprocess.run(["unshare", "--user", "true"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    apparmor = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if apparmor.exists() and apparmor.read_text().strip() == "1":
        return SandboxError(
            "AppArmor keeps ordinary users from making user namespaces (Ubuntu 23.10 and later do so).",
            "An administrator can allow it: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        )
    return SandboxError(
        f"This machine does not let you make a user namespace: {done.stderr.strip()}",
        "It may be a container without the right, kernel.unprivileged_userns_clone or user.max_user_namespaces is 0.",
    )
