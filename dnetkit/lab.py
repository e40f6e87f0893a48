"""Lab: the machines of a lab and what is common to them; what a notebook holds."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from dnetkit import engines, sandbox
from dnetkit.agent.mounts import BASE
from dnetkit.door import Door
from dnetkit.errors import LabError, SandboxError, UnknownMachine, UsageError
from dnetkit.hosts import Client, ContainerShell, Host
from dnetkit.model import Snapshot
from dnetkit.session import Session

__all__ = ["LAN_PREFIX", "Lab"]

LAN_PREFIX = 24
"""Of 198.51.100.0/24, a range for documentation (RFC 5737) that no real network uses."""

_FIRST_HOST = 11
_MOST_HOSTS = 50
_CLIENT_ADDRESS = "198.51.100.100"
_DEADLINE = 30.0
_PYTHON = "python"
"""The directory below BASE in which the machines' python3 finds packages."""
_RECENT = 0.5  # seconds


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
        _examine(hosts, images, disk)
        self.id = os.urandom(4).hex()
        self.requested = {
            "hosts": hosts,
            "client": client,
            "sandbox": sandbox,
            "images": tuple(images),
            "engine": engine,
        }
        self.sandbox = sandbox
        self.engines: dict[str, str] = {}
        self.stand_ins: dict[str, str] = {}
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
        if self.alive:
            raise LabError("This lab is open already.", "Use it as it is, or `restart` it.")
        if self._session is not None:  # it has died since: what is left of it goes first
            self.close()
            self.id = os.urandom(4).hex()
        start = time.monotonic()
        self.sandbox = sandbox.choose(self.sandbox, try_out=False)  # to try takes as long as to start the lab
        sandbox.sweep()
        engine = engines.find_engine(self._engine) if self._engine is not None else None
        bind: dict[str, str] = {}
        if engine is not None:
            from dnetkit import images, stores  # noqa: PLC0415 - half of all that is imported; not every lab has images

            found = stores.prepare(self._images, engine, self.sandbox, partial(self._bare, engine), self._progress)
            bind = {f"image{number}": str(path) for number, path in enumerate(found)}
            self.stand_ins = images.stand_ins(self._images)
        session = _launch(self.id, self.sandbox, engine, bind)
        with _closing_on_failure(session, self.sandbox, self._disk):
            answer = session.open(self._config(engine, [f"{BASE}/{name}" for name in bind]))
            self._door = Door(self.id, session, self._resolve)
        self._session = session
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

    def restart(self, progress: Callable[[str], None] | None = None) -> Lab:
        """Close it and open it afresh, with nothing left of before; `progress` is told from now on."""
        self._progress = progress or self._progress
        self.close()
        self.id = os.urandom(4).hex()
        return self.open()

    def machine(self, name: str) -> Host | Client | ContainerShell:
        """The host, client or container of that name. Raises UnknownMachine, naming those that exist."""
        if name in self.hosts:
            return self.hosts[name]
        if self.client is not None and name == self.client.name:
            return self.client
        machine, _, label = name.rpartition("/")
        for state in (self.recent, self.snapshot):
            snapshot = state()
            found = [c for c in snapshot.containers if c.name == label and machine in ("", c.machine)]
            if found:
                break
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
        snapshot = snapshot or self.recent()
        return self._machines() + [container.name for container in snapshot.containers]

    def snapshot(self) -> Snapshot:
        """What the lab looks like now."""
        return self.session.snapshot(self.id)

    def recent(self) -> Snapshot:
        """What the lab looked like a moment ago: the last snapshot, where nothing was asked of the lab since.

        A new one where something was, or where the last one is older than half a second. What changes by itself in that
        time is not in it: look once more, with `snapshot`, before saying that something is not there.
        """
        return self.session.recent(self.id, _RECENT)

    def log(self, name: str = "agent", lines: int = 50) -> str:
        """The end of a log: the agent's, or that of a host's engine."""
        if name == "agent":
            return self.session.log(lines)
        return str(self.session.ask("log", machine=name, lines=lines)["text"])

    def _bare(self, engine: engines.Engine, bind: dict[str, str], writable: dict[str, str]) -> Session:
        """A lab with one host and no image, to make images ready in."""
        session = _launch(os.urandom(4).hex(), self.sandbox, engine, bind, writable)
        config = self._config(engine, [])
        with _closing_on_failure(session, self.sandbox):
            session.open({**config, "machines": config["machines"][:1], "disk": ""})
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
            "python": f"{BASE}/{_PYTHON}",
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
    programs = {f"{_PYTHON}/{name}": path for name, path in _packages().items()}
    if engine is not None:
        programs |= {f"bin{n}": str(path) for n, path in enumerate(engine.path)}
        programs |= {f"lib{n}": str(path) for n, path in enumerate(engine.library_path)}
    return Session(sandbox.launch(identity, kind, {**programs, **bind}, writable))


def _packages() -> dict[str, str]:
    """What a machine's python3 can import beside the standard library: name to directory.

    Packages that are Python through and through, since the machine's may be another Python than this one.
    """
    found = find_spec("pyroute2")  # not imported: that would take longer than opening a lab
    return {"pyroute2": str(found.submodule_search_locations[0])} if found and found.submodule_search_locations else {}


@contextlib.contextmanager
def _closing_on_failure(session: Session, kind: str, disk: str = "") -> Iterator[None]:
    """Leave nothing of a lab that does not open, and say of what went wrong as much as can be known."""
    try:
        yield
    except BaseException as error:
        session.close()
        sandbox.sweep()
        if type(error) is LabError:  # it ended before it answered
            sandbox.choose(kind)  # raises with what is in the way, where it finds that; else what was written must do
            raise SandboxError(
                f"The lab did not start: {session.log(15) or 'it ended without a word'}",
                "`dnetkit doctor` tells what this machine can do.",
            ) from error
        if isinstance(error, SandboxError) and disk and os.strerror(errno.ENOSPC) in error.message:
            error.hint = f"A disk of {disk} does not hold the images: give the lab a larger one, or fewer images."
        raise


def _examine(hosts: int, images: Sequence[str], disk: str) -> None:
    """Refuse options that make no sense before anything is started."""
    if type(hosts) is not int or not 1 <= hosts <= _MOST_HOSTS:
        raise UsageError(f"A lab has 1 to {_MOST_HOSTS} hosts, not {hosts!r}.")
    if isinstance(images, str) or not all(isinstance(name, str) for name in images):
        raise UsageError(f"images are names in a list, not {images!r}.", 'For example: Lab(images=["busybox"])')
    if not isinstance(disk, str) or not re.fullmatch(r"(\d+[kmg]?)?", disk, re.ASCII | re.IGNORECASE):
        raise UsageError(f"disk is a size such as '512m' or '2g', not {disk!r}.", "'' means half of the memory.")


def _proxy(engine: engines.Engine | None, bins: list[str]) -> str:
    """Where docker-proxy will be inside the lab; a rootless engine looks for another program unless it is told."""
    if engine is None:
        return ""
    for inside, path in zip(bins, engine.path, strict=True):
        if (path / "docker-proxy").exists():
            return f"{inside}/docker-proxy"
    return shutil.which("docker-proxy", path="/usr/bin:/usr/sbin:/usr/libexec/docker:/usr/local/bin") or ""
