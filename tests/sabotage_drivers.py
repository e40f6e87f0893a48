"""For every check of chapter 11 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import EXTRA_NETWORK, MUTE_ENGINE, Sabotage, deaf, inside, served, stopped

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "11-drivers"

_CLIENT = "198.51.100.100"
_SHIM = (
    "ip link add to-wire link eth0 type macvlan mode bridge\nip address add 198.51.100.193/32 dev to-wire\n"
    "ip link set to-wire up\nip route add 198.51.100.192/27 dev to-wire"
)
_FORGET = inside("web", "ip neighbour flush dev eth0")


def _replaced(container: str, link: str) -> Sabotage:
    """Instead of its eth0 it has another interface of that name, as `ip link add swap0` makes it; a restart mends that.

    Other machines learn the MAC anew when it pings the client: newer engines give another one at each start.
    """
    return Sabotage(
        f"ip link add swap0 {link}\nip link set swap0 netns $(docker inspect -f '{{{{.State.Pid}}}}' {container})\n"
        f"{inside(container, 'ip link set eth0 down')}\n{inside(container, 'ip link set eth0 name kept0')}\n"
        f"{inside(container, 'ip link set swap0 name eth0')}",
        f"docker restart -t 0 {container}\ndocker exec {container} ping -c 1 -W 1 {_CLIENT} || true",
    )


def _closed(container: str) -> Sabotage:
    """A rule in the container's own namespace refuses its port 80."""
    rule = "INPUT -p tcp --dport 80 -j REJECT"
    return Sabotage(inside(container, f"iptables -I {rule}"), inside(container, f"iptables -D {rule}"))


def _renamed(link: str) -> Sabotage:
    return Sabotage(
        f"ip link set {link} down\nip link set {link} name kept0",
        f"ip link set kept0 name {link}\nip link set {link} up",
    )


def _remade(network: str, options: str, as_it_was: str) -> Sabotage:
    make = f"docker network rm {network}\ndocker network create -d macvlan"
    return Sabotage(f"{make} {options} {network}", f"{make} {as_it_was} {network}")


def _forgotten(address: str) -> Sabotage:
    return Sabotage("ip neighbour flush dev eth0", f"ping -c 1 -W 1 {address}", "client")


def _invented(where: str, address: str) -> Sabotage:
    """The neighbour table has a MAC for that address."""
    return Sabotage(
        f"ip neighbour replace {address} lladdr 02:00:00:00:00:99 dev eth0",
        f"ip neighbour delete {address} dev eth0",
        where,
    )


_VETH = "type veth peer name swap1"
_NO_SHIM = Sabotage("ip link delete to-wire", f"{_SHIM}\n{_FORGET}")
_EARLY_SHIM = Sabotage(_SHIM, f"ip link delete to-wire\n{_FORGET}")
_NO_WAY = Sabotage("ip route delete 198.51.100.192/27", "ip route add 198.51.100.192/27 dev to-wire")
_CLIENT_LOST = Sabotage(
    "ip route delete 10.31.0.0/16", "ip route add 10.31.0.0/16 via $(getent hosts host1 | cut -d ' ' -f 1)", "client"
)
_RANGE_LOST = Sabotage(
    inside("web", "ip address flush dev eth0") + "\n" + inside("web", "ip address add 198.51.100.77/24 dev eth0"),
    "docker restart -t 0 web",
)

SABOTAGE: dict[str, Sabotage] = {
    'prints("host1", "docker network inspect --format \'{{.Driver}}\' team", "bridge")': Sabotage(
        "docker network rm team", "docker network create team"
    ),
    'prints("host1", "docker network inspect --format \'{{.Driver}}\' none", "null")': MUTE_ENGINE,
    'networks("bridge", "host", "none", "team")': EXTRA_NETWORK,
    'prints("host1", "docker network create -d host more 2>&1 || true", "only one instance")': MUTE_ENGINE,
    'prints("host1", "docker network create -d overlay far 2>&1 || true", "swarm")': MUTE_ENGINE,
    'reaches("host1", address_of("inner"), port=80)': _closed("inner"),
    'not_reaches("client", address_of("inner"), port=80)': Sabotage(
        'lab.client.run("ip route add 172.16.0.0/12 via 198.51.100.11")\n'
        'lab.host.run("iptables-save > /tmp/rules; iptables -t raw -F; iptables -I FORWARD -j ACCEPT")',
        'lab.client.run("ip route delete 172.16.0.0/12")\nlab.host.run("iptables-restore /tmp/rules")',
        "notebook",
    ),
    'equal(gateway_of("inner"), address_of("host1", bridge_of("team")))': Sabotage(
        inside("inner", "ip route replace default via $(docker exec inner hostname -i)"), "docker restart -t 0 inner"
    ),
    'shares_namespace("open", "host1")': stopped("open"),
    'interfaces("lone", 0)': Sabotage(
        "ip link add stray0 type veth peer name stray1 netns $(docker inspect -f '{{.State.Pid}}' lone)",
        "ip link delete stray0",
    ),
    # macvlan
    'differ(subnet_of("guess"), "198.51.100.0/24")': _remade(
        "guess", "-o parent=eth0 --subnet 198.51.100.0/24", "-o parent=eth0"
    ),
    'prints("host1", "docker network inspect --format \'{{.Options.parent}}\' guess", "eth0")': _remade(
        "guess", "-o parent=docker0", "-o parent=eth0"
    ),
    'link_exists("web", "eth0", kind="macvlan")': _replaced("web", _VETH),
    'equal(peer_index_of("web", "eth0"), index_of("host1", "eth0"))': _replaced(
        "web", "link docker0 type macvlan mode bridge"
    ),
    'has_address("web", "eth0", within="198.51.100.192/27")': _RANGE_LOST,
    'reaches("web", "app")': deaf("web"),
    'reaches("client", address_of("web"), port=80)': _closed("web"),
    'prints("client", "ip neighbour show " + address_of("web"), mac_of("web"))': _forgotten("198.51.100.200"),
    'differ(mac_of("web"), mac_of("host1", "eth0"))': _replaced(
        "web", f"address $(cat /sys/class/net/eth0/address) {_VETH}"
    ),
    'learned("lan", "lan0", mac_of("web"))': Sabotage(
        "docker exec web cat /sys/class/net/eth0/address > /tmp/mac\n"
        + inside("web", "ip link set eth0 address 02:00:00:00:00:99"),
        inside("web", "ip link set eth0 address $(cat /tmp/mac)"),
    ),
    'not_reaches("host1", address_of("web"))': _EARLY_SHIM,
    'not_reaches("web", address_of("host1", "eth0"))': _EARLY_SHIM,
    'no_neighbour("host1", address_of("web"))': _invented("host1", "198.51.100.200"),
    'no_rule("host1", "filter", "OUTPUT")': Sabotage(
        "iptables -A OUTPUT -d 192.0.2.9 -j DROP", "iptables -D OUTPUT -d 192.0.2.9 -j DROP"
    ),
    'prints("host1", "iptables-save -c -t filter | grep -c \'^.0:0. .* -d 198.51.100.200/32 -j DROP\'", "3")': Sabotage(
        "ping -c 1 -W 1 198.51.100.200 || true", "iptables -Z OUTPUT"
    ),
    'link_exists("host1", "to-wire", kind="macvlan")': _NO_SHIM,
    'route("host1", "198.51.100.192/27", dev="to-wire")': _NO_WAY,
    'reaches("host1", address_of("web"), port=80)': _NO_WAY,
    'reaches("web", address_of("host1", "to-wire"))': _NO_SHIM,
    'reaches("web", address_of("host1", "eth0"))': _NO_SHIM,
    # 802.1Q
    'prints("host1", "docker network create -d macvlan -o parent=eth0.20 vlan20 2>&1 || true", '
    '"vlan link: operation not supported")': MUTE_ENGINE,
    'link_exists("host1", "eth0.20", kind="vlan")': _renamed("eth0.20"),
    'prints("host1", "ip -details link show eth0.20", "vlan protocol 802.1Q id 20")': _renamed("eth0.20"),
    'reaches("client", "192.0.2.20", port=80)': Sabotage(
        "ip link set eth0.20 down", "ip link set eth0.20 up", "client"
    ),
    'no_link("host1", "eth0.20")': Sabotage("ip link add eth0.20 type bridge", "ip link delete eth0.20"),
    'prints("host1", "docker network create -d macvlan -o parent=eth9 typo 2>&1 || true", "invalid subinterface")': (
        Sabotage(
            "ip link add eth9 type veth peer name eth8",
            "docker network rm typo\nip link delete eth9 2>/dev/null || true",
        )
    ),
    # ipvlan
    'prints("host1", "docker run --rm --network busy busybox true 2>&1 || true", "device or resource busy")': Sabotage(
        "docker network rm busy", "docker network create -d ipvlan -o parent=eth0 --subnet 10.31.0.0/24 busy"
    ),
    'prints("host1", "docker run --rm --network none-of-it busybox true 2>&1 || true", '
    '"ipvlan port: operation not supported")': Sabotage(
        "docker network rm none-of-it",
        "docker network create -d ipvlan -o parent=eth0 --subnet 198.51.100.0/24 none-of-it",
    ),
    'link_exists("one", "eth0", kind="ipvlan")': _replaced("one", _VETH),
    'equal(mac_of("one"), mac_of("host1", "eth0"))': _replaced("one", _VETH),
    'prints("client", "ip neighbour show " + address_of("one"), mac_of("host1", "eth0"))': _forgotten("198.51.100.201"),
    'reaches("client", address_of("one"), port=80)': _closed("one"),
    'reaches("one", "two")': deaf("one"),
    'not_reaches("host1", address_of("one"), port=80)': Sabotage(
        "ip link add to-flat link eth0 type ipvlan mode l2\nip address add 198.51.100.193/32 dev to-flat\n"
        "ip link set to-flat up\nip route add 198.51.100.192/27 dev to-flat",
        "ip link delete to-flat",
    ),
    'prints("one", "ip link show eth0", "NOARP")': _replaced("one", _VETH),
    'route("one", "default", dev="eth0")': Sabotage(
        inside("one", "ip route delete default"), inside("one", "ip route add default dev eth0")
    ),
    'reaches("one", "10.31.2.10", port=80)': _closed("two"),
    'not_prints("one", "ip neigh", "lladdr")': Sabotage(
        inside("one", "ip neighbour replace 10.31.2.10 lladdr 02:00:00:00:00:99 dev eth0"),
        inside("one", "ip neighbour delete 10.31.2.10 dev eth0"),
    ),
    'reaches("client", "10.31.1.10", port=80)': _CLIENT_LOST,
    'no_neighbour("client", "10.31.1.10")': _invented("client", "10.31.1.10"),
    'not_reaches("client", "10.31.1.10", port=80)': Sabotage(
        "iptables -D INPUT 1", "iptables -I INPUT -d 10.31.1.10 -j DROP"
    ),
    'reaches("client", "10.31.2.10", port=80)': _CLIENT_LOST,
    'rule("host1", "filter", "INPUT", target="DROP", contains="10.31.1.10", packets=1)': Sabotage(
        'lab.host.run("iptables -Z INPUT")', 'lab.client.run("ping -c 1 -W 1 10.31.1.10 || true")', "notebook"
    ),
    'prints("host1", "docker network create -d ipvlan -o ipvlan_mode=l3s -o parent=eth0 filtered 2>&1 || true", '
    "\"'l3s' is not valid\")": MUTE_ENGINE,
    # plugins
    'prints("host1", "cat weave.log", "not found")': Sabotage("mv weave.log weave.away", "mv weave.away weave.log"),
    'prints("host1", "docker info --format \'{{.Plugins.Network}}\'", "own")': MUTE_ENGINE,
    'pair("guest", "eth0", "host1", "own0")': _renamed("own0"),
    'has_address("guest", "eth0", within="10.77.0.0/24")': Sabotage(
        inside("guest", "ip address delete 10.77.0.2/24 dev eth0"),
        inside("guest", "ip address add 10.77.0.2/24 dev eth0"),
    ),
    'prints("host1", "cat own.log", "/NetworkDriver.Join")': Sabotage("mv own.log own.away", "mv own.away own.log"),
    # what people get wrong
    'prints("host1", "docker run --rm --network apart --ip 198.51.100.100 busybox ip -4 -oneline address show eth0", '
    'address_of("client", "eth0"))': Sabotage(
        "docker run -d --name holder --network apart --ip 198.51.100.100 busybox top", "docker rm -f holder"
    ),
    'not_published("loud")': Sabotage(
        "docker rm -f loud\ndocker run -d --name loud -p 8080:80 busybox httpd -f",
        "docker rm -f loud\ndocker run -d --name loud --network apart -p 8080:80 busybox httpd -f",
    ),
    'not_prints("host1", "ss -Htln", ":8080")': served("8080"),
}

SELDOM: dict[str, tuple[str, ...]] = {
    "drivers-lan": ('container_running("scanner")',),
}
"""Hints for states that are rare or plain, as in sabotage.py."""
