"""For every check of chapters 00 to 02 something that turns it red, and the way back; sabotage_*.py has the others."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "EXTRA_NETWORK",
    "LET_THROUGH",
    "MUTE_ENGINE",
    "RETURNED",
    "RETURNS",
    "SABOTAGE",
    "SELDOM",
    "STRAY",
    "Sabotage",
    "deaf",
    "disconnected",
    "file_made",
    "inside",
    "outer",
    "refused",
    "refused_inside",
    "served",
    "stopped",
    "unplugged",
]


@dataclass(frozen=True)
class Sabotage:
    """Scripts that make a check fail and pass again; `where` is a machine, or 'notebook' for Python."""

    do: str
    undo: str
    where: str = "host1"


def inside(container: str, command: str) -> str:
    return f"nsenter --target $(docker inspect -f '{{{{.State.Pid}}}}' {container}) --net {command}"


def file_made(container: str, path: str, command: str) -> Sabotage:
    """The file holds what the command prints, and nothing else; as it was, it is /tmp/kept meanwhile.

    It is written into, since the engine mounts such files, and nothing can be renamed to them.
    """
    return Sabotage(
        f"docker exec {container} sh -c 'cat {path} > /tmp/kept; {command} > {path}'",
        f"docker exec {container} sh -c 'cat /tmp/kept > {path}'",
    )


def deaf(container: str) -> Sabotage:
    """The container's resolv.conf names no name server."""
    return file_made(container, "/etc/resolv.conf", "echo nobody")


def served(place: str, where: str = "host1") -> Sabotage:
    """A program of that machine's own listens at that port, or address and port."""
    expression = f"src {place}" if ":" in place else f"sport = :{place}"
    return Sabotage(
        f"busybox httpd -p {place} -h /etc/docker",
        f"kill $(ss -Htlnp '{expression}' | sed 's/.*pid=\\([0-9]*\\).*/\\1/')",
        where,
    )


def refused(chain: str, port: int, protocol: str = "tcp") -> Sabotage:
    """A rule refuses what is for that port; in DOCKER-USER and FORWARD that is the container's.

    In other words than a port where nobody listens, which some checks look for.
    """
    rule = f"{chain} -p {protocol} --dport {port} -j REJECT --reject-with icmp-host-unreachable"
    return Sabotage(f"iptables -I {rule}", f"iptables -D {rule}")


def refused_inside(container: str, port: int) -> Sabotage:
    """The container itself lets nothing out for that port."""
    rule = f"OUTPUT -p tcp --dport {port} -j REJECT --reject-with icmp-host-unreachable"
    return Sabotage(inside(container, f"iptables -I {rule}"), inside(container, f"iptables -D {rule}"))


def outer(container: str) -> str:
    """The name of the interface at the host's end of a container's pair, as a word for the shell."""
    number = f"$(docker exec {container} cat /sys/class/net/eth0/iflink)"
    return f"$(ip -oneline link | awk -F '[:@ ]+' -v number=\"{number}\" '$1 == number {{print $2}}')"


def _rewired(container: str) -> str:
    """Let the engine wire a container anew; it gets the address that it had, the lowest that is free."""
    return f"docker restart -t 0 {container}"


def _cut(container: str) -> Sabotage:
    """The cable of a container has no signal."""
    return Sabotage(
        f"echo {outer(container)} > /tmp/cable\nip link set $(cat /tmp/cable) down",
        "ip link set $(cat /tmp/cable) up",
    )


def unplugged(container: str) -> Sabotage:
    """The host's end of a container's pair is no port of the bridge."""
    return Sabotage(
        f"echo {outer(container)} > /tmp/cable\nip link set $(cat /tmp/cable) nomaster",
        "ip link set $(cat /tmp/cable) master docker0",
    )


def _abducted(container: str) -> Sabotage:
    """The host's end of a container's pair is in another namespace."""
    return Sabotage(
        f"echo {outer(container)} > /tmp/cable\nip netns add away\nip link set $(cat /tmp/cable) netns away",
        "ip -n away link set $(cat /tmp/cable) netns 1\nip link set $(cat /tmp/cable) master docker0 up\n"
        "ip netns delete away",
    )


def _addressed(container: str) -> Sabotage:
    """The host's end of a container's pair has an address."""
    return Sabotage(
        f"echo {outer(container)} > /tmp/cable\nip address add 192.0.2.9/32 dev $(cat /tmp/cable)",
        "ip address delete 192.0.2.9/32 dev $(cat /tmp/cable)",
    )


def disconnected(container: str) -> Sabotage:
    # After the restart its interface is eth0 again; connected to a running container it would be eth1.
    return Sabotage(
        f"docker network disconnect bridge {container}",
        f"docker network connect bridge {container}\n{_rewired(container)}",
    )


def stopped(container: str) -> Sabotage:
    return Sabotage(f"docker stop -t 0 {container}", f"docker start {container}")


def _there(container: str) -> Sabotage:
    """A container of that name exists."""
    return Sabotage(f"docker create --name {container} busybox top", f"docker rm {container}")


def _wrong_cable(namespace: str, link: str) -> Sabotage:
    """Another pair's end bears the name."""
    ip = f"ip -n {namespace}" if namespace else "ip"
    return Sabotage(
        f"{ip} link set {link} down\n{ip} link set {link} name kept0\n{ip} link add {link} type veth peer name spare0",
        f"{ip} link delete {link}\n{ip} link set kept0 name {link}\n{ip} link set {link} up",
    )


def _pulled(namespace: str, link: str, address: str) -> Sabotage:
    """One end of a pair is back on the host."""
    return Sabotage(
        f"ip -n {namespace} link set {link} netns 1",
        f"ip link set {link} netns {namespace}\nip -n {namespace} address add {address} dev {link}\n"
        f"ip -n {namespace} link set {link} up",
    )


def _learning(container: str) -> Sabotage:
    return Sabotage(
        f"ip link set {outer(container)} type bridge_slave learning on\ndocker exec {container} ping -c 1 {_GATEWAY}",
        f"ip link set {outer(container)} type bridge_slave learning off\nip link set docker0 type bridge fdb_flush",
    )


_GATEWAY = "$(ip -4 -oneline address show docker0 | awk '{print $4}' | cut -d / -f 1)"
_PING_TWO = (
    "docker exec one ping -c 1 $(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' two)"
)
_FORGOTTEN = Sabotage("ip link set docker0 type bridge fdb_flush", _PING_TWO)
STRAY = Sabotage(
    "ip link add stray0 type veth peer name stray1\nip link set stray0 master docker0", "ip link delete stray0"
)
EXTRA_NETWORK = Sabotage("docker network create extra", "docker network rm extra")
# Engines from 28.2 on drop in the table raw as well.
LET_THROUGH = Sabotage(
    "iptables-save -c > /tmp/rules\niptables -t raw -F\niptables -I FORWARD -j ACCEPT", "iptables-restore -c /tmp/rules"
)
RETURNED = Sabotage(
    "iptables-save -c -t nat > /tmp/rules\niptables -t nat -Z DOCKER", "iptables-restore -c -T nat /tmp/rules"
)
"""The rules by which engines up to 28 leave what comes from a bridge untranslated have counted nothing."""
RETURNS = Sabotage("iptables -t nat -I DOCKER -i none0 -j RETURN", "iptables -t nat -D DOCKER -i none0 -j RETURN")
"""There is one, on whatever engine."""
MUTE_ENGINE = Sabotage("mv /run/docker.sock /run/docker.away", "mv /run/docker.away /run/docker.sock")
_RENAMED_BRIDGE = Sabotage(
    "ip link set docker0 down\nip link set docker0 name docker9",
    "ip link set docker9 name docker0\nip link set docker0 up",
)
_SIGNAL = Sabotage(
    "ip link add stray0 type veth peer name stray1\nip link set stray1 up\nip link set stray0 master docker0 up",
    "ip link delete stray0",
)
_OPEN_DOOR = Sabotage("iptables -A DOCKER -j ACCEPT", "iptables -D DOCKER -j ACCEPT")
_NO_MASQUERADE = Sabotage(
    "iptables -t nat -S POSTROUTING | grep -e '! -o docker0 -j MASQUERADE' > /tmp/rule\n"
    "iptables -t nat $(sed 's/^-A/-D/' /tmp/rule)",
    "iptables -t nat $(cat /tmp/rule)",
)
_NO_ROUTING = Sabotage("sysctl -w net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1")
_NO_ROUTE_IN_RED = Sabotage(
    "ip -n red link set red0 up\nip -n red route replace 10.1.0.0/24 dev red0", "ip -n red link set red0 down"
)

SABOTAGE: dict[str, dict[str, Sabotage]] = {
    "00-start": {
        'link_exists("host1", "docker0", kind="bridge")': _RENAMED_BRIDGE,
        'no_link("client", "docker0")': Sabotage(
            "ip link add docker0 type veth peer name other0", "ip link delete docker0", "client"
        ),
        'container_running("first")': stopped("first"),
        'pair("first", "eth0", "host1")': _abducted("first"),
        'port_of("host1", other_end("first", "eth0"), "docker0")': unplugged("first"),
        'link_exists("first", "eth0", kind="veth")': disconnected("first"),
        'no_link("first", "docker0")': Sabotage(
            inside("first", "ip link add docker0 type veth peer name other0"),
            inside("first", "ip link delete docker0"),
        ),
        "differ(here, there)": Sabotage("there, kept = here, there", "there = kept", "notebook"),
        'no_container("first")': _there("first"),
        'ports("host1", "docker0", 0)': STRAY,
        'no_container("forgotten")': _there("forgotten"),
    },
    "01-veth": {
        'link_exists("red", "lo", kind="loopback")': Sabotage("ip netns delete red", "ip netns add red"),
        'link_state("red", "lo", "DOWN")': Sabotage("ip -n red link set lo up", "ip -n red link set lo down"),
        'no_link("red", "eth0")': Sabotage(
            "ip -n red link add eth0 type veth peer name other0", "ip -n red link delete eth0"
        ),
        'pair("host1", "red0", "host1", "blue0")': Sabotage(
            "ip link set blue0 name green0", "ip link set green0 name blue0"
        ),
        'link_state("host1", "red0", "DOWN")': Sabotage("ip link set red0 up", "ip link set red0 down"),
        'no_link("host1", "red0")': Sabotage("ip -n red link set red0 netns 1", "ip link set red0 netns red"),
        'pair("red", "red0", "blue", "blue0")': Sabotage(
            "ip -n blue link set blue0 netns 1", "ip link set blue0 netns blue"
        ),
        'no_address("red", "red0")': Sabotage(
            "ip -n red address add 192.0.2.9/32 dev red0", "ip -n red address flush dev red0"
        ),
        'no_route("red", "10.1.0.0/24")': _NO_ROUTE_IN_RED,
        'has_address("red", "red0", "10.1.0.1/24")': Sabotage(
            "ip -n red address delete 10.1.0.1/24 dev red0", "ip -n red address add 10.1.0.1/24 dev red0"
        ),
        'has_address("blue", "blue0", "10.1.0.2/24")': Sabotage(
            "ip -n blue address delete 10.1.0.2/24 dev blue0", "ip -n blue address add 10.1.0.2/24 dev blue0"
        ),
        'prints("host1", "ip -n red link show red0", "NO-CARRIER")': Sabotage(
            "ip -n blue link set blue0 up", "ip -n blue link set blue0 down"
        ),
        'route("red", "10.1.0.0/24", dev="red0")': Sabotage(
            "ip -n red route delete 10.1.0.0/24",
            "ip -n red route add 10.1.0.0/24 dev red0 proto kernel scope link src 10.1.0.1",
        ),
        'link_state("red", "red0", "UP")': Sabotage("ip -n blue link set blue0 down", "ip -n blue link set blue0 up"),
        'prints("host1", "ip netns exec red ping -c 1 -W 2 10.1.0.2", " 0% packet loss")': Sabotage(
            "ip -n blue link set blue0 down", "ip -n blue link set blue0 up"
        ),
        'prints("host1", "ip netns exec blue ping -c 1 -W 2 10.1.0.1", " 0% packet loss")': Sabotage(
            "ip -n red address delete 10.1.0.1/24 dev red0", "ip -n red address add 10.1.0.1/24 dev red0"
        ),
        'neighbour("red", "10.1.0.2")': Sabotage(
            "ip -n red neighbour flush dev red0", "ip netns exec red ping -c 1 10.1.0.2"
        ),
        'neighbour("blue", "10.1.0.1")': Sabotage(
            "ip -n blue neighbour flush dev blue0", "ip netns exec blue ping -c 1 10.1.0.1"
        ),
        'equal(peer_index_of("red", "red0"), index_of("blue", "blue0"))': _wrong_cable("blue", "blue0"),
        'equal(peer_index_of("blue", "blue0"), index_of("red", "red0"))': _wrong_cable("red", "red0"),
        'equal(peer_index_of("host1", "eth0"), index_of("host1", "docker0"))': Sabotage(
            "ip link set docker0 down\nip link set docker0 name docker9\nip link add docker0 type bridge",
            "ip link delete docker0\nip link set docker9 name docker0\nip link set docker0 up",
        ),
        'pair("host1", "eth0", "lan")': _wrong_cable("", "eth0"),
        'prints("host1", "ip -n red link show red0", "link-netns blue")': _pulled("blue", "blue0", "10.1.0.2/24"),
        'prints("host1", "ip -n blue link show blue0", "link-netns red")': _pulled("red", "red0", "10.1.0.1/24"),
        'pair("one", "eth0", "host1")': _abducted("one"),
        'port_of("host1", other_end("one", "eth0"), "docker0")': unplugged("one"),
        'no_address("host1", other_end("one", "eth0"))': _addressed("one"),
        'equal(peer_index_of("one", "eth0"), index_of("host1", other_end("one", "eth0")))': _abducted("one"),
        'differ(namespace_id_of("host1", other_end("one", "eth0")), '
        'namespace_id_of("host1", other_end("two", "eth0")))': disconnected("two"),
        'prints("host1", "ip -oneline link show type veth | grep box-one", other_end("one", "eth0"))': Sabotage(
            "ip netns delete box-one", "ip netns attach box-one $(docker inspect -f '{{.State.Pid}}' one)"
        ),
        'container_running("one")': stopped("one"),
        'no_link("blue", "blue0")': Sabotage(
            "ip -n blue link add blue0 type veth peer name spare0", "ip -n blue link delete blue0"
        ),
        'container_state("two", "exited")': Sabotage("docker start two", "docker stop -t 0 two"),
        'ports("host1", "docker0", 1)': STRAY,
    },
    "02-docker0": {
        'link_exists("host1", "docker0", kind="bridge")': _RENAMED_BRIDGE,
        'ports("host1", "docker0", 0)': STRAY,
        'has_address("host1", "docker0", within=subnet_of("bridge"))': Sabotage(
            "ip -4 -oneline address show docker0 | awk '{print $4}' > /tmp/address\n"
            "ip address delete $(cat /tmp/address) dev docker0",
            "ip address add $(cat /tmp/address) brd + dev docker0",
        ),
        'link_state("host1", "docker0", "DOWN")': _SIGNAL,
        'networks("bridge", "host", "none")': EXTRA_NETWORK,
        'prints("host1", "docker network inspect bridge", "docker0")': MUTE_ENGINE,
        'route("host1", subnet_of("bridge"), dev="docker0")': Sabotage(
            "ip route show dev docker0 | sed 's/ linkdown//' > /tmp/route\nip route flush dev docker0",
            "ip route add $(cat /tmp/route) dev docker0",
        ),
        'policy("host1", "filter", "FORWARD", "DROP")': Sabotage(
            "iptables -P FORWARD ACCEPT", "iptables -P FORWARD DROP"
        ),
        'rule("host1", "filter", "FORWARD", target="DOCKER-USER")': Sabotage(
            "iptables -D FORWARD -j DOCKER-USER", "iptables -I FORWARD -j DOCKER-USER"
        ),
        'no_rule("host1", "filter", "DOCKER", target="ACCEPT")': _OPEN_DOOR,
        'rule("host1", "nat", "POSTROUTING", target="MASQUERADE", contains=(subnet_of("bridge"), "! -o docker0"))': (
            _NO_MASQUERADE
        ),
        'pair("one", "eth0", "host1")': _abducted("one"),
        'port_of("host1", other_end("one", "eth0"), "docker0")': unplugged("one"),
        'no_address("host1", other_end("one", "eth0"))': _addressed("one"),
        'link_state("host1", "docker0", "UP")': _cut("one"),
        'has_address("one", "eth0", within=subnet_of("bridge"))': Sabotage(
            inside("one", "ip address flush dev eth0") + "\n" + inside("one", "ip address add 192.0.2.9/24 dev eth0"),
            _rewired("one"),
        ),
        'equal(gateway_of("one"), address_of("host1", "docker0"))': Sabotage(
            inside("one", "ip route replace default via $(docker exec one hostname -i)"), _rewired("one")
        ),
        'reaches("one", gateway_of("one"))': _cut("one"),
        'ports("host1", "docker0", 2)': STRAY,
        'differ(address_of("one"), address_of("two"))': Sabotage(
            inside("two", "ip address flush dev eth0")
            + "\n"
            + inside("two", "ip address add $(docker exec one hostname -i)/16 dev eth0"),
            _rewired("two"),
        ),
        'reaches("one", address_of("two"))': _cut("two"),
        'reaches("two", address_of("one"))': _cut("one"),
        'on_network("one", "bridge")': disconnected("one"),
        'prints("host1", "docker network inspect bridge", address_of("two") + "/")': MUTE_ENGINE,
        'container_running("first-in")': stopped("first-in"),
        'container_state("left-out", "created")': Sabotage(
            "docker rm left-out", "docker create --name left-out --network tiny busybox top"
        ),
        'not_learned("host1", "docker0", "one")': _learning("one"),
        'not_learned("host1", "docker0", "two")': _learning("two"),
        'learned("host1", "docker0", "one")': _FORGOTTEN,
        'learned("host1", "docker0", "two")': _FORGOTTEN,
        'neighbour("one", address_of("two"))': Sabotage(inside("one", "ip neighbour flush dev eth0"), _PING_TWO),
        'no_route("client", subnet_of("bridge"))': Sabotage(
            "ip route add 172.17.0.0/16 via 198.51.100.11", "ip route delete 172.17.0.0/16", "client"
        ),
        'no_route("client", "default")': Sabotage(
            "ip route add default via 198.51.100.11", "ip route delete default", "client"
        ),
        'rule("host1", "nat", "POSTROUTING", target="MASQUERADE", contains=subnet_of("bridge"), packets=1)': Sabotage(
            "iptables -t nat -Z POSTROUTING", "docker exec one ping -c 1 198.51.100.100"
        ),
        'sysctl("host1", "net.ipv4.ip_forward", 1)': _NO_ROUTING,
        'not_reaches("one", address_of("client", "eth0"))': Sabotage(
            "sysctl -w net.ipv4.ip_forward=1", "sysctl -w net.ipv4.ip_forward=0"
        ),
        'reaches("one", address_of("client", "eth0"))': _NO_ROUTING,
        'networks("bridge", "host", "none", "plain")': EXTRA_NETWORK,
        'prints("host1", "docker info -f \'{{.Plugins.Network}}\'", "macvlan")': MUTE_ENGINE,
        'prints("host1", "docker info -f \'{{.Plugins.Network}}\'", "overlay")': MUTE_ENGINE,
        'equal(address_of("one"), old)': Sabotage(
            "docker stop -t 0 one\ndocker run -d --name thief busybox top\ndocker start one",
            "docker stop -t 0 one\ndocker rm -f thief\ndocker start one",
        ),
        'equal(address_of("quick"), old)': Sabotage(
            "docker stop -t 0 quick\ndocker run -d --name thief busybox top\ndocker start quick",
            "docker stop -t 0 quick\ndocker rm -f thief\ndocker start quick",
        ),
        'differ(address_of("one"), old)': Sabotage(
            "docker stop -t 0 one quick\ndocker start one", "docker stop -t 0 one\ndocker start quick\ndocker start one"
        ),
        'reaches("host1", address_of("inner"), port=80)': _cut("inner"),
        'reaches("host1", address_of("shop"), port=80)': _cut("shop"),
        'not_reaches("client", address_of("inner"), port=80)': Sabotage(
            "iptables-save > /tmp/rules\niptables -t raw -F\niptables -I FORWARD -j ACCEPT",
            "iptables-restore /tmp/rules",
        ),
        'published("shop", 80, 8081)': stopped("shop"),
        'reaches("client", address_of("host1", "eth0"), port=8081)': stopped("shop"),
        'locally_administered("one", "eth0")': Sabotage(
            inside("one", "ip link set eth0 address 00:16:3e:00:00:01"), _rewired("one")
        ),
        'equal(mac_of("odd"), "02:00:00:00:00:77")': Sabotage(
            inside("odd", "ip link set eth0 address 02:00:00:00:00:78"),
            inside("odd", "ip link set eth0 address 02:00:00:00:00:77"),
        ),
        'reaches("one", address_of("odd"))': _cut("odd"),
        'no_container("mine")': _there("mine"),
        'container_running("shop")': stopped("shop"),
    },
}

SELDOM: dict[str, tuple[str, ...]] = {
    "start-address": ('not_answer("")',),
    "veth-other-end": ('not_answer("")',),
    "veth-repair": ('pair("north", "n0", "south", "s0")', 'has_address("north", "n0", "10.3.0.1/24")'),
    "docker0-count": ('not_answer("")',),
    "docker0-by-hand": ('link_exists("guest", "lo")', 'pair("guest", "guest0", "host1", "port0")'),
    "docker0-repair": ('container_running("lost")', 'sysctl("host1", "net.ipv4.ip_forward", 1)'),
}
"""Hints for states that are rare or plain: nothing done yet, or something broken that was in order."""
