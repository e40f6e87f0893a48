"""A Docker Engine in a machine: put its images in place, start it, wait until it answers, stop it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from dnetkit.agent import rootlesskit
from dnetkit.agent.machines import Machine
from dnetkit.agent.place import read_value

__all__ = ["OPTIONS", "SOCKET", "Conversation", "Engine", "NotThere", "Refusal", "wait_until"]

SOCKET = "/run/docker.sock"
"""Where an engine listens, inside its machine."""

OPTIONS = "/etc/default/docker"
"""Where a learner adds to its command line, with DOCKER_OPTS="...": what Debian's unit of the engine reads too."""

_INIT = "/usr/bin/tini-static"  # what `docker run --init` puts first; Debian's engine brings none along
_LOG = "/run/dockerd.log"
_SETTINGS = "/etc/docker/daemon.json"
_PIDFILE = "/run/docker.pid"
_ROOTLESS = "/run/dnetkit/rootless"  # where a rootless engine looks for what a root one finds in /etc and on PATH


def wait_until(condition: Any, deadline: float, pause: float = 0.005) -> bool:
    """Ask `condition` again and again until it is true or `deadline` (seconds from now) has passed; says which."""
    give_up = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > give_up:
            return False
        select.select([], [], [], pause)
    return True


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Refusal(OSError):
    """The engine answers, with an error."""


class NotThere(Refusal):
    """It knows no such thing."""


class Conversation:
    """Questions to an engine's API over one connection; a context manager, for one thread."""

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        self._connection = _UnixConnection(path, timeout)

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> Any:
        """GET, decoded. Raises OSError when the engine does not answer, Refusal when it does with an error."""
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            body = answer.read()
            if answer.status >= 400:
                kind = NotThere if answer.status == 404 else Refusal
                raise kind(f"{path}: {answer.status} {body[:200].decode(errors='replace')}")
            return json.loads(body)
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"{path}: {type(error).__name__} {error}") from error


class Engine:
    """The engine of one machine; its process ends with the lab at the latest."""

    def __init__(self, machine: Machine, config: dict[str, Any]) -> None:
        self.machine = machine
        self.version = ""
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0  # where in its log the last start is
        self._starts = 0
        # The stamps of its settings at its start, and once it answered; None: they do not hang on the file alone.
        self._read: tuple[int, ...] | None = None
        self._settings: tuple[int, ...] | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def settings(self) -> tuple[int, ...] | None:
        """What stands for its settings as long as they cannot have changed since it was started; None: they may have.

        When it is told to (SIGHUP), it reads the file of its settings again.
        """
        unchanged = self.running and self._settings is not None and self._settings == self._stamps()
        return (self._starts, *(self._settings or ())) if unchanged else None

    def start(self) -> None:
        """Start dockerd; returns at once, `wait` waits. An engine that runs is left alone. Raises OSError."""
        if self.running:
            return
        config = self._config
        with contextlib.suppress(FileNotFoundError):  # one that was killed leaves it, and its number may be taken now
            os.unlink(self.machine.path(_PIDFILE))
        command = [
            *("dockerd", "--host", f"unix://{SOCKET}", "--data-root", "/var/lib/docker"),
            *("--exec-root", "/run/docker", "--pidfile", _PIDFILE),
            *("--storage-driver", "overlay2"),  # left to itself an engine 29 has containerd keep the images
        ]
        if os.path.exists(_INIT):
            command += ["--init-path", _INIT]
        environment = dict(self.machine.environment)
        if config["library_path"]:
            environment["LD_LIBRARY_PATH"] = ":".join(config["library_path"])
        if config["sandbox"] == "rootless":
            command += ["--rootless", "--group", "root"]
            if config["proxy"]:
                command += ["--userland-proxy-path", config["proxy"]]
                self._link(config["proxy"], f"{_ROOTLESS}/bin/rootlesskit-docker-proxy")  # it does not start without
            self._link("/etc/docker", f"{_ROOTLESS}/config/docker")
            rootlesskit.serve(self.machine.path(rootlesskit.STATE))
            environment |= {
                "PATH": f"{environment['PATH']}:{_ROOTLESS}/bin",
                "XDG_RUNTIME_DIR": "/run",
                "XDG_CONFIG_HOME": f"{_ROOTLESS}/config",
                "XDG_DATA_HOME": "/root/.local/share",
                "ROOTLESSKIT_STATE_DIR": rootlesskit.STATE,
            }
        else:
            command += ["--exec-opt", "native.cgroupdriver=cgroupfs"]
            command += ["--cgroup-parent", f"/{config['cgroup']}/{self.machine.name}"]
        options = self._options()
        command += options
        self._starts += 1
        self._settings = None
        self._read = None if options else self._stamps()[:-1]  # an option may name another file
        if config["sandbox"] == "rootless":
            self._end_leftovers(command, environment)
        with open(self.machine.path(_LOG), "ab") as log:
            self._began = log.tell()
            self._process = subprocess.Popen(
                self.machine.enter(*command),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )

    def wait(self, deadline: float) -> None:
        """Wait until it answers. Raises OSError with what is wrong when it does not within `deadline` seconds."""

        def answers() -> bool:
            if not self.running:
                raise OSError("the engine ended while it was starting")
            with contextlib.suppress(OSError):
                self.version = self.get("/version")["Version"]
                return True
            return False

        if not wait_until(answers, deadline):
            raise OSError(f"the engine did not answer within {deadline:.0f} seconds")
        stamps = self._stamps()  # of the folder too, in which it has put a key of its own by now
        self._settings = stamps if self._read == stamps[:-1] else None

    def stop(self, deadline: float = 15.0, *, kill: bool = False) -> None:
        """Stop dockerd (its containers with it, unless live-restore is on); with kill at once, by SIGKILL."""
        if self._process is None or not self.running:
            return
        for child in self._children(self._process.pid) if kill else [self._pid_inside()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self._process.wait(deadline)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def get(self, path: str) -> Any:
        """GET from the engine's API, decoded. Raises OSError when it does not answer or answers with an error."""
        with self.converse() as conversation:
            return conversation.get(path)

    def converse(self) -> Conversation:
        """A connection for several questions in a row."""
        return Conversation(self.machine.path(SOCKET))

    def log(self, lines: int, *, this_time: bool = False) -> str:
        """The last lines of what dockerd wrote; with this_time, since it was started last."""
        data = Path(self.machine.path(_LOG)).read_bytes()[self._began if this_time else 0 :]
        return "\n".join(data.decode(errors="replace").splitlines()[-lines:])

    def _end_leftovers(self, command: list[str], environment: dict[str, str]) -> None:
        """End the containers that an engine before this one left running, if this one is to start at all.

        Without cgroups containerd takes their shims for leaked and gives them up (those of engines before 23.0 do not;
        they do not know --validate either). They would go on, with addresses that are handed out anew, and could not
        be started again.
        """
        shims = [pid for pid in self._children(self.machine.pid) if _comm(pid).startswith("containerd-shim")]
        if not shims:
            return
        validate = self.machine.enter(*command, "--validate")
        quiet = subprocess.DEVNULL
        try:
            status = subprocess.call(validate, env=environment, stdin=quiet, stdout=quiet, stderr=quiet, timeout=20)
        except subprocess.TimeoutExpired as error:
            raise OSError("dockerd --validate does not come to its end") from error
        if status == 0:
            ended = [process for shim in shims for process in (*self._children(shim), shim)]
            for process in ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            wait_until(lambda: not any(map(_comm, ended)), 5.0)

    def _stamps(self) -> tuple[int, ...]:
        """When the file of its settings was changed last, if there is one, and when its folder was (stat(2), ctime)."""
        found = []
        for path in (_SETTINGS, os.path.dirname(_SETTINGS)):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.stat(self.machine.path(path)).st_ctime_ns)
        return tuple(found)

    def _options(self) -> list[str]:
        """The words of DOCKER_OPTS in the machine's file of options."""
        try:
            text = Path(self.machine.path(OPTIONS)).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        try:
            words = [word.partition("=") for word in shlex.split(text, comments=True)]
        except ValueError as error:
            raise OSError(f"{OPTIONS}: {error}") from error
        return [option for name, _, value in words if name == "DOCKER_OPTS" for option in value.split()]

    def _link(self, target: str, name: str) -> None:
        path = self.machine.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.symlink(target, path)

    def _pid_inside(self) -> int:
        """dockerd itself: the child of the nsenter that was started for it."""
        assert self._process is not None
        children = self._children(self._process.pid)
        return children[0] if children else self._process.pid

    @staticmethod
    def _children(pid: int) -> list[int]:
        with contextlib.suppress(OSError):
            return [
                int(child)
                for file in Path(f"/proc/{pid}/task").glob("*/children")
                for child in file.read_text().split()
            ]
        return []


def _comm(pid: int) -> str:
    """The name of a process; '' for one that has ended."""
    with contextlib.suppress(OSError):
        return read_value(f"/proc/{pid}/comm")
    return ""
