"""What the engines say about their networks and containers, and how that joins with what the kernel says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from dnetkit.agent.dockerd import Engine
from dnetkit.model import (
    Container,
    Endpoint,
    Link,
    LinkRef,
    Namespace,
    Network,
    PublishedPort,
    Subnet,
    Unavailable,
)

__all__ = ["DockerState", "Sandbox", "read"]


@dataclass(frozen=True)
class Sandbox:
    """A running container's network namespace: `key` is its file inside the machine."""

    machine: str
    container: str
    key: str


@dataclass
class DockerState:
    """What was read from the engines: the plain answers to inspect, by machine."""

    networks: dict[str, list[Any]] = field(default_factory=dict)
    containers: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def sandboxes(self) -> list[Sandbox]:
        """The namespaces of running containers that have one of their own, those with the oldest first."""
        return [
            Sandbox(machine, _name(container), _file_of(container["NetworkSettings"]["SandboxKey"]))
            for machine, containers in self.containers.items()
            for container in containers
            if container["State"]["Running"]
            and container["NetworkSettings"].get("SandboxKey")
            and container["HostConfig"]["NetworkMode"] != "host"
        ]

    def join(self, spaces: list[Namespace]) -> tuple[tuple[Network, ...], tuple[Container, ...]]:
        """Networks and containers with their links and namespaces put in."""
        by_name = {space.name: space for space in spaces}
        networks = [_network(machine, plain) for machine, several in self.networks.items() for plain in several]
        containers = []
        for machine, several in self.containers.items():
            names = {plain["Id"]: _name(plain) for plain in several}
            for plain in several:
                containers.append(_container(machine, plain, names, by_name))
        return (
            tuple(sorted(networks, key=lambda network: (network.machine, network.name, network.id))),
            tuple(sorted(containers, key=lambda container: (container.machine, container.name, container.id))),
        )


def read(engines: dict[str, Engine], missing: list[Unavailable]) -> DockerState:
    """Ask every engine; one that does not answer is noted in `missing`."""
    state = DockerState()
    for machine, engine in engines.items():
        try:
            state.networks[machine] = engine.get("/networks")
            state.containers[machine] = sorted(
                (found for entry in engine.get("/containers/json?all=1") if (found := _inspect(engine, entry["Id"]))),
                key=lambda plain: (plain["Created"], plain["Id"]),
            )
        except OSError as error:
            missing.append(Unavailable(f"the engine of {machine}", str(error)))
    return state


def _inspect(engine: Engine, identity: str) -> Any:
    try:
        return engine.get(f"/containers/{quote(identity)}/json")
    except OSError:
        return None  # removed since it was listed


def _file_of(key: str) -> str:
    """/var/run is a link to /run; followed from outside the machine it would lead to another /run."""
    return key.replace("/var/run/", "/run/", 1)


def _name(plain: dict[str, Any]) -> str:
    return str(plain["Name"]).lstrip("/")


def _network(machine: str, plain: dict[str, Any]) -> Network:
    options = plain.get("Options") or {}
    bridge = options.get("com.docker.network.bridge.name", "")
    if plain["Driver"] == "bridge" and not bridge:
        bridge = f"br-{plain['Id'][:12]}"
    return Network(
        machine=machine,
        id=plain["Id"],
        name=plain["Name"],
        driver=plain["Driver"],
        scope=plain["Scope"],
        subnets=tuple(
            Subnet(entry.get("Subnet", ""), entry.get("Gateway", "")) for entry in plain["IPAM"].get("Config") or ()
        ),
        bridge=bridge,
        internal=bool(plain.get("Internal")),
        options=tuple(sorted((str(key), str(value)) for key, value in options.items())),
    )


def _container(machine: str, plain: dict[str, Any], names: dict[str, str], by_name: dict[str, Namespace]) -> Container:
    mode = plain["HostConfig"]["NetworkMode"]
    space = _space_of(machine, plain, names, mode)
    settings = plain["NetworkSettings"]
    return Container(
        machine=machine,
        id=plain["Id"],
        name=_name(plain),
        image=plain["Config"]["Image"],
        state=plain["State"]["Status"],
        network_mode=mode,
        hostname=plain["Config"].get("Hostname", ""),
        namespace=space if plain["State"]["Running"] and space in by_name else "",
        endpoints=tuple(
            _endpoint(name, endpoint, by_name.get(space))
            for name, endpoint in sorted((settings.get("Networks") or {}).items())
        ),
        ports=_ports(settings.get("Ports") or {}),
    )


def _space_of(machine: str, plain: dict[str, Any], names: dict[str, str], mode: str) -> str:
    if mode == "host":
        return machine
    if mode.startswith("container:"):
        target = mode.removeprefix("container:")
        return f"{machine}/{names.get(target, target)}"
    return f"{machine}/{_name(plain)}"


def _endpoint(network: str, plain: dict[str, Any], space: Namespace | None) -> Endpoint:
    mac = plain.get("MacAddress") or ""
    link = _link_of(space, mac, plain.get("IPAddress") or "") if space is not None else None
    return Endpoint(
        network=network,
        network_id=plain.get("NetworkID") or "",
        address=f"{plain['IPAddress']}/{plain['IPPrefixLen']}" if plain.get("IPAddress") else "",
        address6=f"{plain['GlobalIPv6Address']}/{plain['GlobalIPv6PrefixLen']}"
        if plain.get("GlobalIPv6Address")
        else "",
        gateway=plain.get("Gateway") or "",
        mac=mac,
        aliases=tuple(plain.get("Aliases") or ()),
        link=LinkRef(space.name, link.name, link.index) if space is not None and link is not None else None,
        host_link=link.peer if link is not None else None,
    )


def _link_of(space: Namespace, mac: str, address: str) -> Link | None:
    """The link of an endpoint: by its address, since names and order are not stable; by its MAC where it has none."""
    for link in space.links:
        if address and any(entry.ip == address for entry in link.addresses):
            return link
    return next((link for link in space.links if mac and link.mac == mac), None)


def _ports(plain: dict[str, Any]) -> tuple[PublishedPort, ...]:
    made = set()
    for inside, bindings in plain.items():
        port, _, protocol = inside.partition("/")
        for binding in bindings or ():
            made.add(PublishedPort(binding["HostIp"], int(binding["HostPort"]), int(port), protocol))
    return tuple(sorted(made))
