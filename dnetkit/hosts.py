"""The machines of an open lab, to run scripts on: hosts with a Docker Engine, the client, and containers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dnetkit.errors import CommandTimeout, EngineError
from dnetkit.failures import failure
from dnetkit.model import CommandResult, Snapshot
from dnetkit.session import Event

if TYPE_CHECKING:
    import docker

    from dnetkit.lab import Lab

__all__ = ["Client", "ContainerShell", "EngineControl", "Host"]


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
        problem = failure(result, timeout or 0.0)
        if problem is not None and (check or isinstance(problem, CommandTimeout)):
            raise problem
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
    """A machine with a Docker Engine of its own, unless the lab has none."""

    def __init__(self, lab: Lab, name: str, address: str) -> None:
        super().__init__(lab, name, address)
        self.engine = EngineControl(lab, name)
        self._docker: docker.DockerClient | None = None

    @property
    def docker(self) -> docker.DockerClient:
        """A client of the Docker SDK for this host's engine; its connections go through the agent.

        Raises EngineError in a lab without engines.
        """
        if self._lab.requested["engine"] is None:
            raise EngineError(
                f"{self.name} has no Docker Engine: this lab was opened without.",
                "Open one that has: `%lab open` in a notebook, `Lab()` in Python.",
            )
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
