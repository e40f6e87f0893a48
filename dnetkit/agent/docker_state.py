"""How what the engines say about their networks and containers joins with what the kernel says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dnetkit.agent.inquiry import Answers
from dnetkit.agent.probes.files import CONTAINER_FILES, read_files
from dnetkit.agent.probes.processes import Entry, Processes
from dnetkit.agent.probes.spaces import inside
from dnetkit.model import (
    Container,
    Endpoint,
    File,
    Link,
    LinkRef,
    Namespace,
    Network,
    PublishedPort,
    Subnet,
    Unavailable,
)

__all__ = ["DockerState", "Sandbox"]

_ID_LENGTHS = (9, 10)  # of a network's id in the name of a file: of its balancer, of its bridge
_OWN = re.compile(r"/(default|ingress_sbox|lb_[^/]*|\d+-[^/]*)$")

# What of `docker info` decides about networks and is no setting of the kernel's: a name, where it stands in the answer.
_SETTINGS = (
    ("live-restore", "LiveRestoreEnabled"),
    ("firewall", "FirewallBackend.Driver"),
    ("swarm", "Swarm.LocalNodeState"),
    ("swarm-node", "Swarm.NodeID"),
    ("swarm-address", "Swarm.NodeAddr"),
    ("swarm-manager", "Swarm.ControlAvailable"),
    ("kernel", "KernelVersion"),
    ("cgroups", "CgroupVersion"),
    ("storage", "Driver"),
    ("root", "DockerRootDir"),
)


@dataclass(frozen=True)
class Sandbox:
    """A container's network namespace: `path` is its file inside the machine."""

    machine: str
    container: str
    path: str
    running: bool


@dataclass
class DockerState:
    """What the engines said, by machine, and the first process of each running container."""

    answers: dict[str, Answers] = field(default_factory=dict)
    processes: dict[tuple[str, str], Entry] = field(default_factory=dict)
    dwellers: dict[tuple[str, int], str] = field(default_factory=dict)
    """By machine and number of a namespace: the oldest container that has its first process there."""

    @property
    def sandboxes(self) -> list[Sandbox]:
        """The namespaces of the containers that have one of their own, those of the oldest first."""
        return [
            Sandbox(machine, _name(plain), inside(key), plain["State"]["Running"])
            for machine, answers in self.answers.items()
            for plain in answers.containers
            if (key := plain["NetworkSettings"].get("SandboxKey")) and plain["HostConfig"]["NetworkMode"] != "host"
        ]

    @property
    def overlays(self) -> dict[tuple[str, str], str]:
        """The names of the overlay networks, by machine and as much of their id as names of files have of it."""
        return {
            (machine, plain["Id"][:length]): plain["Name"]
            for machine, answers in self.answers.items()
            for plain in answers.networks
            if plain["Driver"] == "overlay"
            for length in _ID_LENGTHS
        }

    @staticmethod
    def is_the_engines_own(path: str) -> bool:
        """Whether a namespace that the engine keeps is not a container's: an overlay's, or the host's itself."""
        return _OWN.search(path) is not None

    def find_processes(self, processes: Processes) -> None:
        """Find the first process of each running container, so that others in it can be told to be there."""
        for machine, answers in self.answers.items():
            for plain in answers.containers:
                pid = plain["State"].get("Pid")
                entry = processes.find(machine, pid) if pid else None
                if entry is not None:
                    self.processes[machine, plain["Id"]] = entry
                    self.dwellers.setdefault((machine, entry.network), _name(plain))
                    processes.is_container(entry, _name(plain))

    def settings(self, machine: str) -> tuple[tuple[str, str], ...]:
        """What of an engine's info decides about networks."""
        if machine not in self.answers:
            return ()
        info = self.answers[machine].info
        made = [(name, text) for name, where in _SETTINGS if (text := _at(info, where))]
        made += [("rootless", "true") for option in info.get("SecurityOptions") or () if option == "name=rootless"]
        pools = info.get("DefaultAddressPools") or ()
        made += [("address-pool", f"{pool['Base']} in parts of /{pool['Size']}") for pool in pools]
        return tuple(made)

    def join(
        self, spaces: Sequence[Namespace], missing: list[Unavailable]
    ) -> tuple[tuple[Network, ...], tuple[Container, ...], set[tuple[str, str]]]:
        """Networks and containers with their links and namespaces put in, and (machine, name) of what does not fit."""
        by_name = {space.name: space for space in spaces}
        by_inode = {space.inode: space for space in spaces}
        networks: list[Network] = []
        containers: list[Container] = []
        unfit = set()
        for machine, answers in self.answers.items():
            missing += answers.missing
            networks += [_network(machine, plain, by_name) for plain in answers.networks]
            for plain in answers.containers:
                files = self._files(machine, plain, missing)
                # Where its process is, not what its mode says: one that shares the network of a container that has been
                # restarted since is still in the old one.
                entry = self.processes.get((machine, plain["Id"]))
                one = _container(machine, plain, by_inode.get(entry.network) if entry else None, files or ())
                containers.append(one)
                lost = plain["State"]["Running"] and not one.namespace
                unlinked = one.namespace and any(e.link is None and (e.address or e.mac) for e in one.endpoints)
                if files is None or lost or unlinked:
                    unfit.add((machine, one.name))
        return (
            tuple(sorted(networks, key=lambda network: (network.machine, network.name, network.id))),
            tuple(sorted(containers, key=lambda container: (container.machine, container.name, container.id))),
            unfit,
        )

    def _files(self, machine: str, plain: dict[str, Any], missing: list[Unavailable]) -> tuple[File, ...] | None:
        """The files that a running container's processes see, none of one that does not run; None: it has ended."""
        if not plain["State"]["Running"]:
            return ()
        entry = self.processes.get((machine, plain["Id"]))
        try:
            who = f"container {_name(plain)}"
            return read_files(f"/proc/{entry.pid}/root", CONTAINER_FILES, who, missing) if entry is not None else None
        except (FileNotFoundError, ProcessLookupError):
            return None


def _container(machine: str, plain: dict[str, Any], space: Namespace | None, files: tuple[File, ...]) -> Container:
    settings, config, asked, state = (plain[key] for key in ("NetworkSettings", "Config", "HostConfig", "State"))
    space = space if state["Running"] else None
    return Container(
        machine=machine,
        id=plain["Id"],
        name=_name(plain),
        image=config["Image"],
        state=state["Status"],
        network_mode=asked["NetworkMode"],
        hostname=config.get("Hostname") or "",
        namespace=space.name if space is not None else "",
        endpoints=tuple(
            _endpoint(name, endpoint, space) for name, endpoint in sorted((settings.get("Networks") or {}).items())
        ),
        ports=_ports(settings.get("Ports") or {}),
        pid=state.get("Pid") or 0,
        exit_status=state.get("ExitCode") or 0,
        created=plain.get("Created") or "",
        started=state.get("StartedAt") or "",
        exposed=tuple(sorted(config.get("ExposedPorts") or ())),
        dns=tuple(asked.get("Dns") or ()),
        dns_search=tuple(asked.get("DnsSearch") or ()),
        dns_options=tuple(asked.get("DnsOptions") or ()),
        extra_hosts=tuple(asked.get("ExtraHosts") or ()),
        links=tuple(sorted(asked.get("Links") or ())),
        privileged=bool(asked.get("Privileged")),
        files=files,
    )


def _name(plain: dict[str, Any]) -> str:
    return str(plain["Name"]).lstrip("/")


def _at(plain: Any, where: str) -> str:
    """The value at a path of keys, as text; '' where there is none."""
    for key in where.split("."):
        plain = plain.get(key) if isinstance(plain, dict) else None
    return "" if plain is None else json.dumps(plain) if not isinstance(plain, str) else plain


def _network(machine: str, plain: dict[str, Any], by_name: Mapping[str, Namespace]) -> Network:
    options = plain.get("Options") or {}
    pool = plain.get("IPAM") or {}
    bridge = options.get("com.docker.network.bridge.name", "")
    if plain["Driver"] == "bridge" and not bridge:
        bridge = f"br-{plain['Id'][:12]}"
    space, link = _place_of(machine, plain, bridge, by_name)
    return Network(
        machine=machine,
        id=plain["Id"],
        name=plain["Name"],
        driver=plain["Driver"],
        scope=plain["Scope"],
        subnets=tuple(_subnet(entry) for entry in pool.get("Config") or ()),
        bridge=bridge,
        internal=bool(plain.get("Internal")),
        options=_pairs(options),
        link=link,
        namespace=space,
        ipv6=bool(plain.get("EnableIPv6")),
        attachable=bool(plain.get("Attachable")),
        ingress=bool(plain.get("Ingress")),
        pool_driver=pool.get("Driver") or "default",
        pool_options=_pairs(pool.get("Options") or {}),
        labels=_pairs(plain.get("Labels") or {}),
        created=plain.get("Created") or "",
    )


def _place_of(
    machine: str, plain: dict[str, Any], bridge: str, by_name: Mapping[str, Namespace]
) -> tuple[str, LinkRef | None]:
    """Where a network is: the namespace of its own that an overlay has, and its bridge or the parent of its links."""
    space, name = by_name.get(machine), bridge
    if plain["Driver"] in ("macvlan", "ipvlan"):
        name = (plain.get("Options") or {}).get("parent") or f"d{'m' if plain['Driver'] == 'macvlan' else 'i'}-"
        name += "" if not name.endswith("-") else plain["Id"][:12]
    own = ""
    if plain["Driver"] == "overlay":
        end = re.compile(rf"/\d+-{plain['Id'][:10]}")
        space = next((one for one in by_name.values() if one.machine == machine and end.search(one.path)), None)
        own, name = (space.name if space is not None else ""), "br0"
    link = space.link(name) if space is not None and name else None
    return own, LinkRef(space.name, link.name, link.index) if space is not None and link is not None else None


def _subnet(entry: dict[str, Any]) -> Subnet:
    return Subnet(
        entry.get("Subnet") or "",
        entry.get("Gateway") or "",
        entry.get("IPRange") or "",
        _pairs(entry.get("AuxiliaryAddresses") or {}),
    )


def _pairs(plain: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(key), str(value)) for key, value in plain.items()))


def _endpoint(network: str, plain: dict[str, Any], space: Namespace | None) -> Endpoint:
    mac = plain.get("MacAddress") or ""
    link = _link_of(space, mac, plain.get("IPAddress") or "") if space is not None else None
    asked = plain.get("IPAMConfig") or {}
    return Endpoint(
        network=network,
        network_id=plain.get("NetworkID") or "",
        address=_cidr(plain, "IPAddress", "IPPrefixLen"),
        address6=_cidr(plain, "GlobalIPv6Address", "GlobalIPv6PrefixLen"),
        gateway=plain.get("Gateway") or "",
        mac=mac,
        aliases=tuple(plain.get("Aliases") or ()),
        link=LinkRef(space.name, link.name, link.index) if space is not None and link is not None else None,
        host_link=link.peer if link is not None else None,
        id=plain.get("EndpointID") or "",
        gateway6=plain.get("IPv6Gateway") or "",
        dns_names=tuple(plain.get("DNSNames") or ()),
        asked_address=asked.get("IPv4Address") or asked.get("IPv6Address") or "",
        links=tuple(plain.get("Links") or ()),
        options=_pairs(plain.get("DriverOpts") or {}),
    )


def _cidr(plain: dict[str, Any], address: str, length: str) -> str:
    return f"{plain[address]}/{plain[length]}" if plain.get(address) else ""


def _link_of(space: Namespace, mac: str, address: str) -> Link | None:
    """The link of an endpoint: by its address, since names and order are not stable; by its MAC where it has none."""
    for link in space.links:
        if address and any(entry.ip == address for entry in link.addresses):
            return link
    return next((link for link in space.links if mac and link.mac == mac), None)


def _ports(plain: dict[str, Any]) -> tuple[PublishedPort, ...]:
    made = set()
    for port_inside, bindings in plain.items():
        port, _, protocol = port_inside.partition("/")
        for binding in bindings or ():
            made.add(PublishedPort(binding["HostIp"], int(binding["HostPort"]), int(port), protocol))
    return tuple(sorted(made))
