"""How a published port works: which rules lead to the container, who holds the port on the host; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dnetkit.model.engine import Container, PublishedPort
from dnetkit.model.netfilter import Rule
from dnetkit.model.snapshot import Namespace, Snapshot
from dnetkit.model.sockets import Process, Socket

__all__ = ["Publication", "publication", "publications"]


@dataclass(frozen=True)
class Publication:
    """A published port with all that makes it work on the host.

    rules: those that translate it, let it pass and hide the container's own way to itself, in the order in which the
    host has them. sockets: those that keep the port for it, with the processes that hold them (docker-proxy, or the
    engine itself); none where the engine leaves it to the rules alone.
    """

    machine: str
    container: str
    port: PublishedPort
    rules: tuple[Rule, ...] = ()
    sockets: tuple[Socket, ...] = ()

    @property
    def processes(self) -> tuple[Process, ...]:
        """Who keeps the port on the host."""
        return tuple(sorted({process for socket in self.sockets for process in socket.processes}))


def publications(snapshot: Snapshot) -> tuple[Publication, ...]:
    """Every published port of every container."""
    return tuple(
        publication(snapshot, container, port) for container in snapshot.containers for port in container.ports
    )


def publication(snapshot: Snapshot, container: Container, port: PublishedPort) -> Publication:
    """One published port of a container, joined to its rules and sockets."""
    host = snapshot.namespace(container.machine)
    if host is None:
        return Publication(container.machine, container.name, port)
    return Publication(
        container.machine,
        container.name,
        port,
        tuple(rule for rule in host.rules if any(_serves(rule, port, ip) for ip in _addresses(container))),
        tuple(_keepers(host, port)),
    )


def _addresses(container: Container) -> Iterator[str]:
    for endpoint in container.endpoints:
        for cidr in (endpoint.address, endpoint.address6):
            if cidr:
                yield cidr.partition("/")[0]


def _serves(rule: Rule, port: PublishedPort, ip: str) -> bool:
    words = rule.text.replace(",", " ").split()
    if port.protocol not in words:
        return False
    target = f"[{ip}]:{port.container_port}" if ":" in ip else f"{ip}:{port.container_port}"
    if rule.target.upper() == "DNAT":
        address = _after(words, "-d", "daddr").partition("/")[0]
        fits = not address or address == port.host_address
        return fits and _after(words, "--dport", "dport") == str(port.host_port) and rule.options.endswith(target)
    if _after(words, "--dport", "dport") != str(port.container_port):
        return False
    return rule.target.upper() in ("ACCEPT", "MASQUERADE") and _after(words, "-d", "daddr").partition("/")[0] == ip


def _after(words: list[str], *keys: str) -> str:
    return next((words[at + 1] for at, word in enumerate(words[:-1]) if word in keys), "")


def _keepers(host: Namespace, port: PublishedPort) -> Iterator[Socket]:
    for socket in host.sockets:
        if (socket.protocol, socket.local_port) != (port.protocol, port.host_port) or socket.remote_port:
            continue
        ours = socket.local == port.host_address or (not port.host_address and socket.local in ("0.0.0.0", "::"))  # noqa: S104
        if ours and not any(process.container for process in socket.processes):
            yield socket
