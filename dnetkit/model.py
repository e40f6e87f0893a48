"""What a lab looks like at one moment, as frozen data that survives a JSON round trip; no I/O.

    Snapshot
    ├── machines    Machine: a host with an engine, or the client
    ├── namespaces  Namespace: one network namespace with its links, routes, neighbours, chains and rules
    ├── networks    Network: what `docker network ls` lists, joined to its bridge
    └── containers  Container: with an Endpoint for each network it is on, joined to both ends of its pair

Names: a namespace is called after its machine ('host1', 'client', 'lan'); one inside a machine is 'host1/web' for
a container and 'host1/netns:blue' for one that `ip netns` made. Numbers are in the kernel's units: MTU and counters in
bytes and packets, times in seconds since the epoch.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from dnetkit.errors import SnapshotError

__all__ = [
    "SCHEMA",
    "Address",
    "Chain",
    "Change",
    "CommandResult",
    "Container",
    "Endpoint",
    "ForwardingEntry",
    "Link",
    "LinkRef",
    "Machine",
    "Namespace",
    "Neighbour",
    "Network",
    "PublishedPort",
    "Route",
    "Rule",
    "Snapshot",
    "Step",
    "Subnet",
    "Unavailable",
    "from_plain",
    "to_plain",
]

SCHEMA = 1
"""The version of the JSON form; a snapshot of another version is refused, never guessed at."""

T = TypeVar("T")


@dataclass(frozen=True, order=True)
class LinkRef:
    """Points at one link: the name of its namespace, its name and its index there."""

    namespace: str
    name: str
    index: int


@dataclass(frozen=True, order=True)
class Address:
    """An address on a link, as `ip address` prints it: '172.17.0.2/16', scope 'global', 'link' or 'host'."""

    cidr: str
    scope: str = "global"

    @property
    def ip(self) -> str:
        """The address without its prefix length."""
        return self.cidr.partition("/")[0]

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.cidr else 4


@dataclass(frozen=True)
class Link:
    """A network interface.

    kind: 'loopback', 'veth', 'bridge', 'macvlan', ... as the kernel names it; 'ether' for one without a kind.
    up: the administrative state (what `ip link set up` sets). state: the operational one (RFC 2863), 'UP', 'DOWN',
    'LOWERLAYERDOWN' (the other end is down) or 'UNKNOWN'. master: the bridge it is a port of.
    peer: for a veth, its other end; None when that end lies in a namespace that no one here can see.
    parent: for macvlan, vlan and their like, the link below.
    """

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    state: str
    master: str | None = None
    peer: LinkRef | None = None
    parent: LinkRef | None = None
    peer_index: int | None = None
    netnsid: int | None = None
    addresses: tuple[Address, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, order=True)
class Route:
    """A route; destination is 'default' or a prefix, table 'main', 'local' or a number, metric 0 when unset."""

    destination: str
    device: str = ""
    gateway: str = ""
    source: str = ""
    table: str = "main"
    kind: str = "unicast"
    scope: str = "global"
    protocol: str = ""
    metric: int = 0
    family: int = 4


@dataclass(frozen=True, order=True)
class Neighbour:
    """An ARP or NDP entry; state is 'REACHABLE', 'STALE', 'FAILED', 'PERMANENT', ..."""

    address: str
    device: str
    mac: str = ""
    state: str = ""


@dataclass(frozen=True, order=True)
class ForwardingEntry:
    """Where a bridge (or vxlan) sends frames for a MAC; state 'permanent' (its own), 'learned' or 'static'."""

    mac: str
    device: str
    bridge: str = ""
    state: str = ""
    vlan: int = 0
    remote: str = ""


@dataclass(frozen=True, order=True)
class Chain:
    """A netfilter chain; policy is 'ACCEPT' or 'DROP' for a built-in one, '' for one that was added.

    The counters of a built-in chain count what reached its policy.
    """

    table: str
    name: str
    policy: str = ""
    packets: int = 0
    bytes: int = 0
    family: int = 4
    backend: str = "nft"


@dataclass(frozen=True, order=True)
class Rule:
    """A rule as `iptables-save -c` writes it, without '-A CHAIN' and counters; position counts from 1."""

    table: str
    chain: str
    position: int
    text: str
    packets: int = 0
    bytes: int = 0
    family: int = 4
    backend: str = "nft"

    @property
    def target(self) -> str:
        """What the rule does: 'ACCEPT', 'DNAT', 'DOCKER-USER', ... or '' when it only counts."""
        words = self.text.split()
        for flag in ("-j", "-g"):
            if flag in words[:-1]:
                return words[words.index(flag) + 1]
        return ""


@dataclass(frozen=True, order=True)
class Unavailable:
    """Something that could not be read: what, and the reason. Never to be taken for 'there is none'."""

    what: str
    reason: str


@dataclass(frozen=True)
class Namespace:
    """One network namespace.

    kind: 'lan' (the lab's own), 'host', 'client', 'container', 'named' (by `ip netns`). machine: the one it lies in.
    inode: the kernel's number for it (`ls -l /proc/PID/ns/net`).
    """

    name: str
    kind: str
    machine: str
    inode: int = 0
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    forwarding: tuple[ForwardingEntry, ...] = ()
    chains: tuple[Chain, ...] = ()
    rules: tuple[Rule, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    unavailable: tuple[Unavailable, ...] = ()

    @property
    def label(self) -> str:
        """The name a person would use: 'host1', 'web', 'blue'."""
        return self.name.rpartition("/")[2].removeprefix("netns:")

    def link(self, name: str) -> Link | None:
        """The link of that name, or None."""
        return next((link for link in self.links if link.name == name), None)


@dataclass(frozen=True, order=True)
class Subnet:
    """An address pool of a network: '172.17.0.0/16' and its gateway ('' when it has none)."""

    cidr: str
    gateway: str = ""


@dataclass(frozen=True)
class Network:
    """A Docker network; bridge is the name of its interface on the host ('' where the driver has none)."""

    machine: str
    id: str
    name: str
    driver: str
    scope: str = "local"
    subnets: tuple[Subnet, ...] = ()
    bridge: str = ""
    internal: bool = False
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """A container's place on a network: its address there, its link, and the other end of its pair on the host."""

    network: str
    network_id: str = ""
    address: str = ""
    address6: str = ""
    gateway: str = ""
    mac: str = ""
    aliases: tuple[str, ...] = ()
    link: LinkRef | None = None
    host_link: LinkRef | None = None


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

    def endpoint(self, network: str) -> Endpoint | None:
        """Its endpoint on the network of that name, or None."""
        return next((endpoint for endpoint in self.endpoints if endpoint.network == network), None)


@dataclass(frozen=True)
class Machine:
    """A machine of the lab: kind 'host' or 'client', its LAN address, its engine's version ('' without one)."""

    name: str
    kind: str
    address: str = ""
    engine: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The whole lab at one moment; `taken` is in seconds since the epoch, `duration` what taking it took."""

    taken: float = 0.0
    duration: float = 0.0
    lab: str = ""
    machines: tuple[Machine, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    networks: tuple[Network, ...] = ()
    containers: tuple[Container, ...] = ()
    unavailable: tuple[Unavailable, ...] = ()
    schema: int = SCHEMA

    def namespace(self, name: str) -> Namespace | None:
        """The namespace of that full name ('host1/web'), or of that label where only one has it ('web')."""
        exact = next((namespace for namespace in self.namespaces if namespace.name == name), None)
        if exact is not None:
            return exact
        labelled = [namespace for namespace in self.namespaces if namespace.label == name]
        return labelled[0] if len(labelled) == 1 else None

    def container(self, name: str, machine: str = "") -> Container | None:
        """The container of that name (on that machine, where one is given), or None."""
        return next((c for c in self.containers if c.name == name and machine in ("", c.machine)), None)

    def network(self, name: str, machine: str = "") -> Network | None:
        """The Docker network of that name (on that machine, where one is given), or None."""
        return next((n for n in self.networks if n.name == name and machine in ("", n.machine)), None)

    def to_json(self) -> str:
        """One line of JSON; `Snapshot.from_json` gives back an equal snapshot."""
        return json.dumps(to_plain(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """Read what `to_json` wrote. Raises SnapshotError for anything else."""
        try:
            plain = json.loads(text)
        except ValueError as error:
            raise SnapshotError(f"This is not a snapshot: {error}") from error
        return cls.from_plain(plain)

    @classmethod
    def from_plain(cls, plain: Any) -> Snapshot:
        """Read the plain form (what json.loads gives). Raises SnapshotError for another schema or shape."""
        schema = plain.get("schema") if isinstance(plain, dict) else None
        if schema != SCHEMA:
            raise SnapshotError(
                f"This snapshot has schema {schema!r}, and this dnetkit reads schema {SCHEMA}.",
                "Take it again, or read it with the version of dnetkit that wrote it.",
            )
        return from_plain(cls, plain)


@dataclass(frozen=True)
class Change:
    """One difference between two snapshots.

    verb: 'added', 'removed' or 'changed'. subject: the kind of object: 'machine', 'namespace', 'link', 'address',
    'route', 'neighbour', 'forwarding', 'chain', 'rule', 'sysctl', 'network', 'container', 'endpoint', 'port',
    'unavailable' (what could not be read) or 'snapshot' (when it was taken).
    where: the namespace (or machine) it belongs to. before, after: the objects themselves, None where there is none.
    fields: for 'changed', the names of the fields that differ; 'namespace' for a link that moved, 'place' for
    another order. text: the change in one sentence.
    owner: the Link of an address, the Container of an endpoint or port. origin: the namespace that it was in, where
    that is another or was called otherwise. place: its index among its kind afterwards, None when it is gone.
    """

    verb: str
    subject: str
    where: str
    text: str
    before: Any = None
    after: Any = None
    fields: tuple[str, ...] = ()
    owner: Any = None
    origin: str = ""
    place: int | None = None


@dataclass(frozen=True)
class Step:
    """One complete command of a script: its source, exit status (None: it was ended), output, duration in seconds."""

    source: str
    status: int | None
    stdout: str = ""
    stderr: str = ""
    duration: float = 0.0


@dataclass(frozen=True)
class CommandResult:
    """What a script did on a machine: one Step a complete command, up to the first that failed.

    ended: '' when it ran to its end, else 'timeout' or 'interrupt'.
    """

    machine: str
    steps: tuple[Step, ...] = ()
    ended: str = ""
    duration: float = 0.0

    @property
    def status(self) -> int | None:
        """The last step's exit status; 0 for an empty script, None when it was ended from outside."""
        return None if self.ended else (self.steps[-1].status if self.steps else 0)

    @property
    def ok(self) -> bool:
        """True when every step ended with status 0."""
        return not self.ended and all(step.status == 0 for step in self.steps)

    @property
    def stdout(self) -> str:
        """All that was written to standard output."""
        return "".join(step.stdout for step in self.steps)

    @property
    def stderr(self) -> str:
        """All that was written to standard error."""
        return "".join(step.stderr for step in self.steps)


def to_plain(value: Any) -> Any:
    """Dataclasses and tuples as dicts and lists, fields at their default left out (but the schema)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {}
        for name, default in _defaults(type(value)):
            item = getattr(value, name)
            if name == "schema" or item != default:
                plain[name] = to_plain(item)
        return plain
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: type[T], plain: Any) -> T:
    """Build a dataclass of `kind` from what `to_plain` made of one. Raises SnapshotError when the shape is wrong."""
    try:
        return typing.cast(T, _build(kind, plain))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise SnapshotError(f"This is not the JSON of a {kind.__name__}: {error}") from error


@cache
def _defaults(kind: type) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.default) for field in dataclasses.fields(kind))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build(kind: Any, plain: Any) -> Any:  # noqa: PLR0911 - one return a kind of type
    if dataclasses.is_dataclass(kind):
        if not isinstance(plain, dict):
            raise TypeError(f"expected an object, found {type(plain).__name__}")
        hints = _hints(typing.cast(type, kind))
        unknown = plain.keys() - hints.keys()
        if unknown:
            raise TypeError(f"unknown fields {sorted(unknown)}")
        return typing.cast(type, kind)(**{name: _build(hints[name], item) for name, item in plain.items()})
    origin = typing.get_origin(kind)
    if origin is tuple:
        if not isinstance(plain, list):
            raise TypeError(f"expected a list, found {type(plain).__name__}")
        parts = typing.get_args(kind)
        if len(parts) == 2 and parts[1] is Ellipsis:
            return tuple(_build(parts[0], item) for item in plain)
        if len(parts) != len(plain):
            raise TypeError(f"expected {len(parts)} items, found {len(plain)}")
        return tuple(_build(part, item) for part, item in zip(parts, plain, strict=True))
    if origin in (typing.Union, types.UnionType):
        if plain is None:
            return None
        return _build(next(part for part in typing.get_args(kind) if part is not type(None)), plain)
    if kind is Any:
        return plain
    if kind is float and isinstance(plain, int) and not isinstance(plain, bool):
        return float(plain)
    if not isinstance(plain, kind) or (kind is int and isinstance(plain, bool)):
        raise TypeError(f"expected {kind.__name__}, found {type(plain).__name__}")
    return plain
