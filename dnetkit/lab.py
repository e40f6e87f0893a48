"""Lab and the machines in it: what a notebook holds."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dnetkit import engines, sandbox, stores
from dnetkit.agent.mounts import BASE
from dnetkit.door import Door
from dnetkit.errors import CommandError, CommandTimeout, LabError, UnknownMachine, UsageError
from dnetkit.model import CommandResult, Snapshot
from dnetkit.session import Event, Session

if TYPE_CHECKING:
    import docker

__all__ = ["LAN_PREFIX", "Client", "ContainerShell", "EngineControl", "Host", "Lab"]

LAN_PREFIX = 24
"""Of 198.51.100.0/24, a range for documentation (RFC 5737) that no real network uses."""

_FIRST_HOST = 11
_CLIENT_ADDRESS = "198.51.100.100"
_DEADLINE = 30.0


class _Shell:
    """Something in a lab that scripts can be run in."""

    def __init__(self, lab: Lab, name: str, address: str = "") -> None:
        self._lab = lab
        self.name = name
        self.address = address

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.address}>".replace(" >", ">")

    def run(
        self, script: str, *, check: bool = True, timeout: float | None = 60.0, on_event: Event | None = None
    ) -> CommandResult:
        """Run a shell script here, command by command, up to the first that fails.

        timeout is in seconds for the whole script, None for none. Raises CommandError when a command fails and check is
        set, CommandTimeout (in any case) when it had to be ended, UsageError when the script is not complete.
        """
        result = self._run(script, timeout, on_event)
        if result.ended == "timeout":
            raise CommandTimeout(
                f"{self.name}: still running after {timeout:g} seconds, so it was ended: {_last(result)}",
                result,
                "Give it more time with --timeout SECONDS, or find out what it waits for.",
            )
        if check and not result.ok:
            step = result.steps[-1]
            detail = f"\n{step.stderr.strip()}" if step.stderr.strip() else ""
            raise CommandError(f"{self.name}: exit status {step.status}: {step.source}{detail}", result)
        return result

    def _run(self, script: str, timeout: float | None, on_event: Event | None) -> CommandResult:
        return self._lab.session.run(self.name, script, timeout=timeout, on_event=on_event)

    def snapshot(self) -> Snapshot:
        """The snapshot of this machine only."""
        return _only(self._lab.snapshot(), self.name)


class Client(_Shell):
    """A machine on the LAN without Docker."""


class EngineControl:
    """The engine of a host as a service: what an init system would do with it."""

    def __init__(self, lab: Lab, machine: str) -> None:
        self._lab = lab
        self._machine = machine

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._lab.session.engine(self._machine, "start")

    def stop(self) -> None:
        """Stop it."""
        self._lab.session.engine(self._machine, "stop")

    def restart(self) -> None:
        """Stop it, start it, wait until it answers."""
        self._lab.session.engine(self._machine, "restart")

    def kill(self) -> None:
        """Kill it with SIGKILL, as a crash would."""
        self._lab.session.engine(self._machine, "kill")

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return bool(self._lab.session.ask("status")["engines"].get(self._machine))


class Host(_Shell):
    """A machine with a Docker Engine of its own."""

    def __init__(self, lab: Lab, name: str, address: str) -> None:
        super().__init__(lab, name, address)
        self.engine = EngineControl(lab, name)
        self._docker: docker.DockerClient | None = None

    @property
    def docker(self) -> docker.DockerClient:
        """A client of the Docker SDK for this host's engine; its connections go through the agent."""
        if self._docker is None:
            from dnetkit.engine_api import client_over  # noqa: PLC0415 - the SDK takes long to import, and few need it

            self._docker = client_over(lambda: self._lab.session.connect(self.name))
        return self._docker

    def container(self, name: str) -> ContainerShell:
        """A container of this host, to run scripts in."""
        return ContainerShell(self._lab, name, self.name)

    def close(self) -> None:
        """Close the client, if one was made."""
        if self._docker is not None:
            self._docker.close()
            self._docker = None


class ContainerShell(_Shell):
    """A running container: scripts run in it by `docker exec NAME sh`."""

    def __init__(self, lab: Lab, name: str, machine: str) -> None:
        super().__init__(lab, name)
        self.machine = machine

    def _run(self, script: str, timeout: float | None, on_event: Event | None) -> CommandResult:
        result = self._lab.session.run(self.machine, script, container=self.name, timeout=timeout, on_event=on_event)
        return dataclasses.replace(result, machine=self.name)

    def snapshot(self) -> Snapshot:
        """The snapshot of its namespace only."""
        return _only(self._lab.snapshot(), f"{self.machine}/{self.name}")


class Lab:
    """Private machines on a private LAN, each host with a real Docker Engine; a context manager.

    hosts: how many Docker hosts. client: whether there is a machine without Docker too. sandbox: 'root', 'rootless' or
    'auto'. images: logical names from the catalogue, ready in every host when the lab opens. engine: 'auto', a version
    that is installed, or None for a lab without Docker. disk: the size of each host's /var/lib, such as '2g'. progress:
    told, in a few words, what takes time.
    """

    def __init__(
        self,
        hosts: int = 1,
        client: bool = True,
        sandbox: str = "auto",
        images: Sequence[str] = ("busybox",),
        engine: str | None = "auto",
        disk: str = "",
        progress: Callable[[str], None] | None = None,
    ) -> None:
        if not 1 <= hosts <= 50:
            raise UsageError(f"A lab has 1 to 50 hosts, not {hosts}.")
        self.id = secrets.token_hex(4)
        self.requested = {
            "hosts": hosts,
            "client": client,
            "sandbox": sandbox,
            "images": tuple(images),
            "engine": engine,
        }
        self.sandbox = sandbox
        self.engines: dict[str, str] = {}
        self.opened_in = 0.0
        self._images = tuple(images) if engine is not None else ()
        self._engine = engine
        self._disk = disk
        self._progress = progress or (lambda _: None)
        self._session: Session | None = None
        self._door: Door | None = None
        self.hosts: dict[str, Host] = {}
        for number in range(1, hosts + 1):
            self.hosts[f"host{number}"] = Host(self, f"host{number}", f"198.51.100.{_FIRST_HOST + number - 1}")
        self.client = Client(self, "client", _CLIENT_ADDRESS) if client else None

    def __enter__(self) -> Lab:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Lab {self.id} {self.sandbox}, {'open' if self.alive else 'closed'}: {', '.join(self._machines())}>"

    @property
    def host(self) -> Host:
        """The first host."""
        return self.hosts["host1"]

    @property
    def alive(self) -> bool:
        """Whether it is open and answers."""
        return self._session is not None and self._session.alive

    @property
    def session(self) -> Session:
        """The conversation with its agent. Raises LabError when the lab is not open."""
        if self._session is None:
            raise LabError("This lab is not open.", "Open one: `%lab open` in a notebook, `lab.open()` in Python.")
        return self._session

    def open(self) -> Lab:
        """Start it: ready when every engine answers with its images. Raises SandboxError, EngineError or ImageError."""
        if self._session is not None:
            raise LabError("This lab is open already.", "Close it first, or use it as it is.")
        start = time.monotonic()
        self.sandbox = sandbox.choose(self.sandbox)
        sandbox.sweep()
        engine = engines.find_engine(self._engine) if self._engine is not None else None
        bind: dict[str, str] = {}
        if engine is not None:
            found = stores.prepare(self._images, engine, self.sandbox, partial(self._bare, engine), self._progress)
            bind = {f"image{number}": str(path) for number, path in enumerate(found)}
        session = _launch(self.id, self.sandbox, engine, bind)
        answer = _opened(session, self._config(engine, [f"{BASE}/{name}" for name in bind]))
        self._session = session
        self._door = Door(self.id, session, self._resolve)
        self.engines = answer["engines"]
        self.opened_in = time.monotonic() - start
        return self

    def close(self) -> None:
        """End it and everything in it; closing a closed lab does nothing."""
        for host in self.hosts.values():
            with contextlib.suppress(Exception):  # a client whose lab has died cannot say goodbye
                host.close()
        if self._door is not None:
            self._door.close()
            self._door = None
        if self._session is not None:
            self._session.close()
            self._session = None
            sandbox.sweep()

    def restart(self) -> Lab:
        """Close it and open it afresh, with nothing left of before."""
        self.close()
        self.id = secrets.token_hex(4)
        return self.open()

    def machine(self, name: str) -> Host | Client | ContainerShell:
        """The host, client or container of that name. Raises UnknownMachine, naming those that exist."""
        if name in self.hosts:
            return self.hosts[name]
        if self.client is not None and name == self.client.name:
            return self.client
        snapshot = self.snapshot()
        machine, _, label = name.rpartition("/")
        found = [c for c in snapshot.containers if c.name == label and machine in ("", c.machine)]
        if len(found) == 1:
            return ContainerShell(self, label, found[0].machine)
        if found:
            several = ", ".join(f"{c.machine}/{c.name}" for c in found)
            raise UnknownMachine(f"There is more than one container {name!r}.", f"Say which: {several}.")
        names = self.names(snapshot)
        close = difflib.get_close_matches(name, names, 1)
        raise UnknownMachine(
            f"There is no machine or container {name!r} in this lab.",
            (f"Did you mean {close[0]!r}? " if close else "") + f"There are: {', '.join(names)}.",
        )

    def _resolve(self, name: str) -> tuple[str, str]:
        """(machine, container or '') of a name."""
        found = self.machine(name)
        return (found.machine, found.name) if isinstance(found, ContainerShell) else (found.name, "")

    def names(self, snapshot: Snapshot | None = None) -> list[str]:
        """What `machine` accepts: the machines, then the containers."""
        snapshot = snapshot or self.snapshot()
        return self._machines() + [container.name for container in snapshot.containers]

    def snapshot(self) -> Snapshot:
        """What the lab looks like now."""
        return self.session.snapshot(self.id)

    def log(self, name: str = "agent", lines: int = 50) -> str:
        """The end of a log: the agent's, or that of a host's engine."""
        if name == "agent":
            return self.session.log(lines)
        return str(self.session.ask("log", machine=name, lines=lines)["text"])

    def _bare(self, engine: engines.Engine, bind: dict[str, str], writable: dict[str, str]) -> Session:
        """A lab with one host and no image, to make images ready in."""
        session = _launch(secrets.token_hex(4), self.sandbox, engine, bind, writable)
        config = self._config(engine, [])
        _opened(session, {**config, "machines": config["machines"][:1], "disk": ""})
        return session

    def _machines(self) -> list[str]:
        return [*self.hosts, *([self.client.name] if self.client is not None else [])]

    def _config(self, engine: engines.Engine | None, stores: list[str]) -> dict[str, Any]:
        machines = [{"name": host.name, "kind": "host", "address": host.address} for host in self.hosts.values()]
        if self.client is not None:
            machines.append({"name": self.client.name, "kind": "client", "address": self.client.address})
        bins = [f"{BASE}/bin{n}" for n in range(len(engine.path))] if engine is not None else []
        libraries = [f"{BASE}/lib{n}" for n in range(len(engine.library_path))] if engine is not None else []
        return {
            "machines": machines,
            "prefix": LAN_PREFIX,
            "sandbox": self.sandbox,
            "engine": engine is not None,
            "deadline": _DEADLINE,
            "bin": bins,
            "library_path": libraries,
            "disk": self._disk,
            "cgroup": f"dnetkit-{self.id}",
            "proxy": _proxy(engine, bins),
            "stores": stores,
        }


def _launch(
    identity: str,
    kind: str,
    engine: engines.Engine | None,
    bind: dict[str, str],
    writable: dict[str, str] | None = None,
) -> Session:
    programs: dict[str, str] = {}
    if engine is not None:
        programs |= {f"bin{n}": str(path) for n, path in enumerate(engine.path)}
        programs |= {f"lib{n}": str(path) for n, path in enumerate(engine.library_path)}
    return Session(sandbox.launch(identity, kind, {**programs, **bind}, writable))


def _opened(session: Session, config: dict[str, Any]) -> dict[str, Any]:
    try:
        return session.open(config)
    except BaseException:
        session.close()
        raise


def _proxy(engine: engines.Engine | None, bins: list[str]) -> str:
    """Where docker-proxy will be inside the lab; a rootless engine looks for another program unless it is told."""
    if engine is None:
        return ""
    for inside, path in zip(bins, engine.path, strict=True):
        if (path / "docker-proxy").exists():
            return f"{inside}/docker-proxy"
    return shutil.which("docker-proxy", path="/usr/bin:/usr/sbin:/usr/libexec/docker:/usr/local/bin") or ""


def _last(result: CommandResult) -> str:
    return result.steps[-1].source if result.steps else "(nothing was run)"


def _only(snapshot: Snapshot, name: str) -> Snapshot:
    def belongs(namespace: str) -> bool:
        return namespace == name or namespace.startswith(f"{name}/")

    machine = name.partition("/")[0]
    return dataclasses.replace(
        snapshot,
        machines=tuple(m for m in snapshot.machines if m.name == machine),
        namespaces=tuple(n for n in snapshot.namespaces if belongs(n.name)),
        networks=tuple(n for n in snapshot.networks if n.machine == machine),
        containers=tuple(c for c in snapshot.containers if belongs(c.namespace) or (name == c.machine)),
    )
