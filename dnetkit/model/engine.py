"""What the engines say: machines, networks, containers, endpoints, published ports."""

from __future__ import annotations

from dataclasses import dataclass

from dnetkit.model.links import LinkRef

__all__ = ["Container", "Endpoint", "File", "Machine", "Network", "PublishedPort", "Subnet"]


@dataclass(frozen=True, order=True)
class File:
    """A small file that decides about names; truncated when it has more than the text that is given here."""

    path: str
    text: str
    truncated: bool = False


@dataclass(frozen=True, order=True)
class Subnet:
    """An address pool of a network: '172.17.0.0/16' and its gateway ('' when it has none).

    range: the part that containers get addresses from, '' for all of it. auxiliary: names and addresses that are kept
    for others.
    """

    cidr: str
    gateway: str = ""
    range: str = ""
    auxiliary: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Network:
    """A Docker network; bridge is the name of its interface on the host ('' where the driver has none).

    link: that interface, or the parent of a macvlan or ipvlan. namespace: the one that an overlay keeps its bridge in.
    pool_driver: who gives out its addresses ('default' is the engine itself).
    """

    machine: str
    id: str
    name: str
    driver: str
    scope: str = "local"
    subnets: tuple[Subnet, ...] = ()
    bridge: str = ""
    internal: bool = False
    options: tuple[tuple[str, str], ...] = ()
    link: LinkRef | None = None
    namespace: str = ""
    ipv6: bool = False
    attachable: bool = False
    ingress: bool = False
    pool_driver: str = "default"
    pool_options: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    created: str = ""


@dataclass(frozen=True)
class Endpoint:
    """A container's place on a network: its address there, its link, and the other end of its pair on the host.

    dns_names: what the embedded DNS answers to (engines from 25 on say so; before, the container's name, its short id
    and its aliases). asked_address: the fixed address that was asked for, '' when the engine chose.
    """

    network: str
    network_id: str = ""
    address: str = ""
    address6: str = ""
    gateway: str = ""
    mac: str = ""
    aliases: tuple[str, ...] = ()
    link: LinkRef | None = None
    host_link: LinkRef | None = None
    id: str = ""
    gateway6: str = ""
    dns_names: tuple[str, ...] = ()
    asked_address: str = ""
    links: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, order=True)
class PublishedPort:
    """A port of the host that leads to a port of a container; protocol 'tcp', 'udp' or 'sctp'."""

    host_address: str
    host_port: int
    container_port: int
    protocol: str = "tcp"


@dataclass(frozen=True)
class Container:
    """A container; namespace is the network namespace it uses, '' when it is not running.

    network_mode: 'default', 'bridge', 'host', 'none', 'container:ID' or the name of a network, as inspect gives it.
    pid: its first process as its machine counts, 0 when it is not running. hostname: what it was given; files: its
    /etc/hosts, /etc/resolv.conf and /etc/hostname as its processes see them, none when it is not running.
    exposed: the ports that its image or its command names, '80/tcp'. dns, dns_search, dns_options, extra_hosts, links:
    what --dns, --dns-search, --dns-option, --add-host and --link asked for.
    """

    machine: str
    id: str
    name: str
    image: str
    state: str
    network_mode: str = "default"
    hostname: str = ""
    namespace: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    pid: int = 0
    exit_status: int = 0
    created: str = ""
    started: str = ""
    exposed: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    privileged: bool = False
    files: tuple[File, ...] = ()

    def endpoint(self, network: str) -> Endpoint | None:
        """Its endpoint on the network of that name, or None."""
        return next((endpoint for endpoint in self.endpoints if endpoint.network == network), None)

    def file(self, path: str) -> File | None:
        """Its file of that path, or None when it has none that could be read."""
        return next((file for file in self.files if file.path == path), None)


@dataclass(frozen=True)
class Machine:
    """A machine of the lab: kind 'host' or 'client', its LAN address, its engine's version ('' without one).

    settings: what of `docker info` decides about networks, ('live-restore', 'true'), ('swarm', 'active'), ...
    files: its /etc/hosts, /etc/resolv.conf, /etc/hostname and /etc/docker/daemon.json, those that are there.
    """

    name: str
    kind: str
    address: str = ""
    engine: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    files: tuple[File, ...] = ()

    def setting(self, name: str) -> str:
        """The value of a setting, '' when the engine does not say."""
        return dict(self.settings).get(name, "")
