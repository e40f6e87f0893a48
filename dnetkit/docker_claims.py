"""Claims about what Docker made: containers, networks, published ports; see claims.py."""

from __future__ import annotations

from collections.abc import Iterable

from dnetkit import facts, nouns
from dnetkit.claims import CheckResult, claim, listed
from dnetkit.model import PublishedPort, Snapshot

__all__: list[str] = []  # they are called by way of CLAIMS


@claim
def container_state(snapshot: Snapshot, name: str, state: str) -> CheckResult:
    """The container is 'running', 'exited', 'paused', ..."""
    seen = facts.container(snapshot, name).state
    return CheckResult(seen == state, f"the container {name} is {state}", f"it is {seen}")


@claim
def container_running(snapshot: Snapshot, name: str) -> CheckResult:
    """The container runs."""
    return container_state(snapshot, name, "running")


@claim
def container_exists(snapshot: Snapshot, name: str) -> CheckResult:
    """There is a container of that name, running or not."""
    seen = facts.container(snapshot, name).state
    return CheckResult(True, f"there is a container {name}", f"it is {seen}")


@claim
def no_container(snapshot: Snapshot, name: str) -> CheckResult:
    """There is no container of that name, running or not."""
    facts.must_be_read(snapshot, "docker")
    machine, _, short = name.rpartition("/")
    found = snapshot.container(short, machine)
    there = listed(c.name for c in snapshot.containers)
    return CheckResult(
        found is None, f"there is no container {name}", f"the containers: {there}", f"docker rm -f {short}"
    )


@claim
def networks(snapshot: Snapshot, *expected: str, on: str = "host1") -> CheckResult:
    """These, and no others, are the Docker networks of a host."""
    facts.must_be_read(snapshot, "docker")
    there = sorted(network.name for network in snapshot.networks if network.machine == on)
    return CheckResult(
        there == sorted(expected),
        f"the Docker networks of {on} are {listed(sorted(expected))}",
        f"they are {listed(there)}",
    )


@claim
def on_network(snapshot: Snapshot, name: str, network: str) -> CheckResult:
    """The container is on that Docker network."""
    there = [endpoint.network for endpoint in facts.container(snapshot, name).endpoints]
    hint = f"docker network connect {network} {name}"
    return CheckResult(
        network in there, f"{name} is on the network {network}", f"it is on {listed(there, 'no network')}", hint
    )


@claim
def not_on_network(snapshot: Snapshot, name: str, network: str) -> CheckResult:
    """The container is not on that Docker network."""
    there = [endpoint.network for endpoint in facts.container(snapshot, name).endpoints]
    facts.must_be_read(snapshot, "docker")
    hint = f"docker network disconnect {network} {name}"
    return CheckResult(
        network not in there, f"{name} is not on the network {network}", f"it is on {listed(there, 'no network')}", hint
    )


@claim
def same_network(snapshot: Snapshot, one: str, other: str) -> CheckResult:
    """Both containers are on one Docker network."""
    first, second = facts.container(snapshot, one), facts.container(snapshot, other)
    of_first, of_second = ({e.network for e in c.endpoints} for c in (first, second))
    seen = f"{one} is on {listed(sorted(of_first), 'no network')}, {other} on {listed(sorted(of_second), 'no network')}"
    passed = first.machine == second.machine and bool(of_first & of_second)
    return CheckResult(passed, f"{one} and {other} are on one network", seen)


@claim
def not_same_network(snapshot: Snapshot, one: str, other: str) -> CheckResult:
    """The two containers have no Docker network in common."""
    together = same_network(snapshot, one, other)
    facts.must_be_read(snapshot, "docker")
    return CheckResult(not together, f"{one} and {other} have no network in common", together.reason)


@claim
def shares_namespace(snapshot: Snapshot, one: str, other: str) -> CheckResult:
    """Both use the same network namespace: the same interfaces, routes and rules."""
    first, second = facts.namespace(snapshot, one), facts.namespace(snapshot, other)
    return CheckResult(
        first.name == second.name, f"{one} and {other} share one network namespace", f"{first.name} and {second.name}"
    )


@claim
def published(
    snapshot: Snapshot, name: str, container_port: int, host_port: int = 0, protocol: str = "tcp"
) -> CheckResult:
    """A port of the host (that one, where given) leads to that port of the container."""
    there = facts.container(snapshot, name).ports
    fits = [
        p
        for p in there
        if (p.container_port, p.protocol) == (container_port, protocol) and host_port in (0, p.host_port)
    ]
    # Once for IPv4 and once for IPv6, as a rule: one port all the same.
    seen = listed(dict.fromkeys(f"{p.host_port} -> {p.container_port}/{p.protocol}" for p in there))
    claim = (
        f"{f'port {host_port}' if host_port else 'a port'} of the host leads to {container_port}/{protocol} of {name}"
    )
    return CheckResult(
        bool(fits), claim, f"published: {seen}", f"docker run -p HOST:{container_port} publishes a port."
    )


@claim
def not_published(snapshot: Snapshot, name: str) -> CheckResult:
    """No port of the host leads to the container."""
    there = facts.container(snapshot, name).ports
    facts.must_be_read(snapshot, "docker")
    return CheckResult(not there, f"{name} publishes no port", f"published: {_ports(there)}")


@claim
def bound(
    snapshot: Snapshot, name: str, container_port: int, address: str, host_port: int = 0, protocol: str = "tcp"
) -> CheckResult:
    """That port of the container is published at that address of the host (as that port, where given).

    '0.0.0.0' is any IPv4 address of the host, '::' any IPv6 one.
    """
    there = facts.container(snapshot, name).ports
    wanted = (address, container_port, protocol)
    fits = [p for p in there if (p.host_address, p.container_port, p.protocol) == wanted]
    claim = f"{container_port}/{protocol} of {name} is published at {address}" + (f":{host_port}" if host_port else "")
    hint = f"docker run -p {address}:{host_port or ''}:{container_port} publishes it there."
    return CheckResult(any(host_port in (0, p.host_port) for p in fits), claim, f"published: {_ports(there)}", hint)


def _ports(ports: Iterable[PublishedPort]) -> str:
    return listed(nouns.port(port) for port in ports)
