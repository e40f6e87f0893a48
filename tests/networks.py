"""Networks to draw, put together from a few words: a LAN, hosts with bridges, containers, namespaces made by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from dnetkit.model import (
    Address,
    Container,
    Endpoint,
    Link,
    LinkRef,
    Machine,
    Namespace,
    Network,
    PublishedPort,
    Snapshot,
)

LO = Link(1, "lo", "loopback", "00:00:00:00:00:00", 65536, True, "UNKNOWN", addresses=(Address("127.0.0.1/8", "host"),))


def plain(text: str) -> str:
    """Words without the numbers of interfaces, which depend on the order in which they were made."""
    return re.sub(r" \(\d+\)", "", text)


@dataclass
class Net:
    """Builds a snapshot; every method adds something, `snapshot` gives what there is by then."""

    hosts: int = 1
    machines: list[Machine] = field(default_factory=list)
    kinds: dict[str, tuple[str, str]] = field(default_factory=dict)
    links: dict[str, list[Link]] = field(default_factory=dict)
    networks: list[Network] = field(default_factory=list)
    containers: list[Container] = field(default_factory=list)
    inodes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.space("lan", "lan", "")
        self.link("lan", "lan0", kind="bridge", index=2)
        for number in range(1, self.hosts + 1):
            self.machine(f"host{number}", "host", f"198.51.100.{10 + number}")
        self.machine("client", "client", "198.51.100.100")

    def space(self, name: str, kind: str, machine: str) -> None:
        self.kinds[name] = (kind, machine)
        self.links[name] = [LO]
        self.inodes[name] = 4026530000 + len(self.inodes)

    def machine(self, name: str, kind: str, address: str) -> None:
        self.machines.append(Machine(name, kind, address, "28.5.2" if kind == "host" else ""))
        self.space(name, kind, name)
        self.pair(("lan", f"to-{name}"), (name, "eth0"), address=f"{address}/24", master="lan0")
        if kind == "host":
            self.bridge(name, "docker0", "172.17.0.1/16", network="bridge")

    def link(
        self, where: str, name: str, kind: str = "veth", address: str = "", index: int = 0, **more: object
    ) -> Link:
        number = index or max(link.index for links in self.links.values() for link in links) + 1
        addresses = tuple(Address(one) for one in address.split() if one)
        mac = f"02:00:00:00:{len(self.links):02x}:{number:02x}"
        link = Link(number, name, kind, mac, 1500, True, "UP", addresses=addresses)
        self.links[where].append(replace(link, **more))  # type: ignore[arg-type]
        return self.links[where][-1]

    def pair(self, one: tuple[str, str], other: tuple[str, str], address: str = "", master: str | None = None) -> None:
        """A veth pair: `address` is that of the second end, `master` the bridge of the first."""
        first = self.link(*one, master=master)
        second = self.link(*other, address=address)
        self.change(*one, peer=LinkRef(*other, second.index), peer_index=second.index)
        self.change(*other, peer=LinkRef(*one, first.index), peer_index=first.index)

    def change(self, where: str, name: str, /, **fields: object) -> None:
        self.links[where] = [
            replace(link, **fields) if link.name == name else link  # type: ignore[arg-type]
            for link in self.links[where]
        ]

    def bridge(self, machine: str, name: str, address: str, network: str = "") -> None:
        link = self.link(machine, name, kind="bridge", address=address)
        if network:
            self.networks.append(
                Network(
                    machine,
                    f"id-{machine}-{network}",
                    network,
                    "bridge",
                    bridge=name,
                    link=LinkRef(machine, name, link.index),
                )
            )

    def container(
        self,
        name: str,
        machine: str = "host1",
        bridge: str = "docker0",
        address: str = "172.17.0.2/16",
        ports: tuple[PublishedPort, ...] = (),
        image: str = "busybox",
    ) -> None:
        self.space(f"{machine}/{name}", "container", machine)
        self.containers.append(
            Container(
                machine, f"id-{name}", name, image, "running", "default", namespace=f"{machine}/{name}", ports=ports
            )
        )
        self.connect(name, machine, bridge, address)

    def connect(
        self, name: str, machine: str = "host1", bridge: str = "docker0", address: str = "172.17.0.2/16"
    ) -> None:
        space = f"{machine}/{name}"
        number = sum(link.kind == "veth" for link in self.links[space])
        veth = f"veth-{name}{number or ''}"
        self.pair((machine, veth), (space, f"eth{number}"), address=address, master=bridge)
        carried = next(one for one in self.networks if (one.machine, one.bridge) == (machine, bridge))
        ref = LinkRef(space, f"eth{number}", self.links[space][-1].index)
        endpoint = Endpoint(carried.name, carried.id, address, link=ref)
        self.containers = [
            replace(one, endpoints=(*one.endpoints, endpoint)) if one.name == name and one.machine == machine else one
            for one in self.containers
        ]

    def named(self, name: str, machine: str = "host1") -> str:
        """A namespace as `ip netns add` makes it; its full name."""
        self.space(f"{machine}/netns:{name}", "named", machine)
        return f"{machine}/netns:{name}"

    def remove(self, name: str, machine: str = "host1") -> None:
        """A container, its namespace, its pairs."""
        self.containers = [one for one in self.containers if (one.machine, one.name) != (machine, name)]
        del self.links[f"{machine}/{name}"], self.kinds[f"{machine}/{name}"]
        for space, links in self.links.items():
            self.links[space] = [
                link for link in links if link.peer is None or link.peer.namespace != f"{machine}/{name}"
            ]

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(
            lab="cafe",
            machines=tuple(self.machines),
            namespaces=tuple(
                Namespace(name, kind, machine, self.inodes[name], tuple(self.links[name]),
                          sysctls=(("net.ipv4.ip_forward", "1"),) if kind == "host" else ())
                for name, (kind, machine) in self.kinds.items()
            ),
            networks=tuple(self.networks),
            containers=tuple(self.containers),
        )  # fmt: skip
