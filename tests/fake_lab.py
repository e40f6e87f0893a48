"""A lab that exists only as data: for each command what it prints and what it does to the state."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

from dnetkit.errors import CommandTimeout, LabError, UnknownMachine
from dnetkit.model import (
    Address,
    Chain,
    CommandResult,
    Container,
    Endpoint,
    ForwardingEntry,
    Link,
    LinkRef,
    Machine,
    Namespace,
    Neighbour,
    Network,
    Process,
    PublishedPort,
    Route,
    Rule,
    Snapshot,
    Socket,
    Step,
)
from dnetkit.work import Report, Task

_numbers = itertools.count(1)


def snapshot() -> Snapshot:
    """host1 with docker0, and the container web on it; a client; a container 'old' that has exited."""
    lo = Link(
        1, "lo", "loopback", "00:00:00:00:00:00", 65536, True, "UNKNOWN", addresses=(Address("127.0.0.1/8", "host"),)
    )
    docker0 = Link(
        3,
        "docker0",
        "bridge",
        "02:42:00:00:00:01",
        1500,
        True,
        "UP",
        addresses=(Address("172.17.0.1/16"), Address("fe80::1/64")),
    )
    veth = Link(5, "veth5", "veth", "aa:00:00:00:00:05", 1500, True, "UP", "docker0", LinkRef("host1/web", "eth0", 4))
    eth0 = Link(
        4, "eth0", "veth", "aa:00:00:00:00:04", 1500, True, "UP", None, LinkRef("host1", "veth5", 5),
        addresses=(Address("172.17.0.2/16"),),
    )  # fmt: skip
    host = Namespace(
        "host1",
        "host",
        "host1",
        links=(lo, docker0, veth),
        routes=(Route("172.17.0.0/16", "docker0"), Route("198.51.100.0/24", "eth0")),
        neighbours=(
            Neighbour("172.17.0.2", "docker0", "aa:00:00:00:00:04", "REACHABLE"),
            Neighbour("172.17.0.9", "docker0", "", "FAILED"),
        ),
        forwarding=(
            ForwardingEntry("aa:00:00:00:00:05", "veth5", "docker0", "permanent"),
            ForwardingEntry("aa:00:00:00:00:04", "veth5", "docker0", "learned"),
        ),
        chains=(Chain("filter", "FORWARD", "DROP"), Chain("filter", "DOCKER")),
        rules=(
            Rule("nat", "POSTROUTING", 1, "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", packets=3, bytes=252),
            Rule("filter", "DOCKER-ISOLATION-STAGE-2", 1, "-o docker0 -j DROP", packets=4, bytes=336),
        ),
        sysctls=(("net.ipv4.ip_forward", "1"),),
        sockets=(Socket("tcp", "0.0.0.0", 8080, "LISTEN", processes=(Process(21, "docker-proxy"),)),),
    )
    web = Namespace(
        "host1/web", "container", "host1", links=(lo, eth0),
        routes=(Route("default", "eth0", "172.17.0.1"), Route("172.17.0.0/16", "eth0")),
    )  # fmt: skip
    return Snapshot(
        lab="cafe",
        machines=(Machine("host1", "host", "198.51.100.11", "28.5.2"), Machine("client", "client", "198.51.100.100")),
        namespaces=(host, web, Namespace("client", "client", "client", links=(lo,))),
        networks=tuple(Network("host1", name, name, name) for name in ("bridge", "host", "none")),
        containers=(
            Container(
                "host1", "1", "web", "busybox", "running", namespace="host1/web",
                endpoints=(Endpoint("bridge", address="172.17.0.2"),), ports=(PublishedPort("0.0.0.0", 8080, 80),),
            ),
            Container("host1", "2", "old", "busybox", "exited"),
            Container("host1", "3", "same", "busybox", "running", "host", namespace="host1"),
        ),
    )  # fmt: skip


def change_namespace(state: Snapshot, name: str, /, **fields: Any) -> Snapshot:
    """The snapshot with some fields of one namespace replaced."""
    spaces = tuple(dataclasses.replace(n, **fields) if n.name == name else n for n in state.namespaces)
    return dataclasses.replace(state, namespaces=spaces)


def change_link(state: Snapshot, where: str, link: str, /, **fields: Any) -> Snapshot:
    """The snapshot with some fields of one link replaced."""
    space = state.namespace(where)
    assert space is not None
    links = tuple(dataclasses.replace(one, **fields) if one.name == link else one for one in space.links)
    return change_namespace(state, space.name, links=links)


class FakeEngine:
    """Keeps what was done to it in the lab's `ran`; an answer to 'engine stop' is an exception or a function."""

    def __init__(self, lab: FakeLab, name: str) -> None:
        self.lab = lab
        self.name = name

    def start(self) -> None:
        """Start it."""
        self._do("start")

    def stop(self) -> None:
        """Stop it."""
        self._do("stop")

    def restart(self) -> None:
        """Stop and start it."""
        self._do("restart")

    def kill(self) -> None:
        """Kill it."""
        self._do("kill")

    def _do(self, action: str) -> None:
        self.lab.ran.append((self.name, f"engine {action}", 0.0))
        answer = self.lab.answers.get(f"engine {action}")
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            answer(self.lab)


class FakeMachine:
    """Runs each line of a script by looking it up in the lab's `answers`; an unknown line succeeds in silence."""

    def __init__(self, lab: FakeLab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.engine = FakeEngine(lab, name)

    def run(
        self,
        script: str,
        *,
        check: bool = True,  # noqa: ARG002 - the signature of a Host
        timeout: float = 60.0,
        on_event: Callable[[str, Any], None] | None = None,
    ) -> CommandResult:
        """Line by line up to the first that fails. An answer: a Step, an exception, 'hang' or a function of the lab."""
        tell = on_event or (lambda *_: None)
        steps: list[Step] = []
        self.lab.ran.append((self.name, script, timeout))
        for line in filter(None, (line.strip() for line in script.splitlines())):
            tell("command", line)
            answer = self.lab.answers.get(line, Step(line, 0))
            if callable(answer):
                answer = answer(self.lab) or Step(line, 0)
            if isinstance(answer, BaseException):
                raise answer
            if answer == "hang":
                result = CommandResult(self.name, (*steps, Step(line, None)), "timeout")
                raise CommandTimeout("still running", result)
            answer = dataclasses.replace(answer, source=line)
            for stream in ("stdout", "stderr"):
                if getattr(answer, stream):
                    tell(stream, getattr(answer, stream))
            tell("status", answer.status)
            steps.append(answer)
            if answer.status:
                break
        return CommandResult(self.name, tuple(steps))


class FakeLab:
    """The API of a Lab over a snapshot in memory."""

    def __init__(
        self, state: Snapshot | None = None, progress: Callable[[str], None] | None = None, **requested: Any
    ) -> None:
        self.requested = {"hosts": 1, "client": True, "sandbox": "auto", "images": ("busybox",), **requested}
        self.state = state or snapshot()
        self.answers: dict[str, Any] = {}
        self.ran: list[tuple[str, str, float]] = []
        self.snapshots = 0
        self.looks = 0
        self.alive = True
        self.sandbox = "rootless"
        self.engines = {machine.name: machine.engine for machine in snapshot().machines if machine.engine}
        self.id = f"fake{next(_numbers)}"
        self.hosts = {"host1": FakeMachine(self, "host1")}
        self.client = FakeMachine(self, "client") if self.requested["client"] else None
        self.stand_ins = {"alpine": "busybox"} if "alpine" in self.requested["images"] else {}
        if progress:
            for share in (0.0, 0.5):
                task = Task("redis", "unpacking", share)
                progress(Report(task, (task,), begins=not share))
            progress("Starting the engine of `host1` ...")

    @property
    def host(self) -> FakeMachine:
        """The first host."""
        return self.hosts["host1"]

    def machine(self, name: str) -> FakeMachine:
        """Any machine or running container."""
        if name not in self.names():
            raise UnknownMachine(f"There is no machine {name!r}.", f"There are: {', '.join(self.names())}.")
        return FakeMachine(self, name)

    def names(self) -> list[str]:
        """Machines, then containers."""
        return [m.name for m in self.state.machines] + [c.name for c in self.state.containers]

    def snapshot(self) -> Snapshot:
        """The state as it is."""
        if not self.alive:
            raise LabError("The lab has ended.")
        self.snapshots += 1
        return self.state

    def recent(self) -> Snapshot:
        """The state as it is: nothing here changes by itself."""
        self.looks += 1
        return self.snapshot()

    def restart(self, progress: Callable[[str], None] | None = None) -> FakeLab:
        """A fresh state under a fresh id."""
        if progress:
            progress("Starting the engine of `host1` again ...")
        self.id = f"fake{next(_numbers)}"
        self.state = snapshot()
        self.alive = True
        return self

    def log(self, name: str = "agent", lines: int = 50) -> str:
        """Says what was asked for."""
        return f"the last {lines} lines of {name} <log>"

    def close(self) -> None:
        """End it."""
        self.alive = False
