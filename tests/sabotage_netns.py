"""For every check of chapter 08 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import Sabotage, served

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "08-netns"


def _added(namespace: str, link: str) -> Sabotage:
    """There is an interface of that name."""
    ip = f"ip -n {namespace}" if namespace else "ip"
    return Sabotage(f"{ip} link add {link} type bridge", f"{ip} link delete {link}")


def _renamed(namespace: str, link: str) -> Sabotage:
    ip = f"ip -n {namespace}" if namespace else "ip"
    return Sabotage(
        f"{ip} link set {link} down\n{ip} link set {link} name kept0",
        f"{ip} link set kept0 name {link}\n{ip} link set {link} up",
    )


def _down(namespace: str, link: str) -> Sabotage:
    return Sabotage(f"ip -n {namespace} link set {link} down", f"ip -n {namespace} link set {link} up")


def _bare(namespace: str, link: str, address: str, scope: str = "global") -> Sabotage:
    """The interface has lost its address."""
    ip = f"ip -n {namespace}" if namespace else "ip"
    return Sabotage(f"{ip} address delete {address} dev {link}", f"{ip} address add {address} dev {link} scope {scope}")


def _mistaken(file: str) -> Sabotage:
    """The file is that of another namespace: the host's own."""
    return Sabotage(f"mount --bind /proc/self/ns/net {file}", f"umount {file}")


def _named(name: str) -> Sabotage:
    return Sabotage(f"ip netns add {name}", f"ip netns delete {name}")


_HIDDEN = Sabotage("mkdir -p /tmp/empty\nmount --bind /tmp/empty /run/netns", "umount /run/netns")
_BOTH_UP = Sabotage(
    "ip -n red link set red0 up\nip -n blue link set blue0 up",
    "ip -n red link set red0 down\nip -n blue link set blue0 down",
)
_STOPPED = Sabotage("docker stop -t 0 web", "docker start web")
_KEY = "$(docker inspect -f '{{.NetworkSettings.SandboxKey}}' web)"
_WAY_OUT = Sabotage("ip -n red route add default via 192.168.253.3", "ip -n red route delete default via 192.168.253.3")
_ADDRESSLESS = Sabotage(
    "ip -n web -4 -oneline address show eth0 | awk '{print $4}' > /tmp/address\n"
    "ip -n web route show default > /tmp/route\nip -n web address flush dev eth0",
    "ip -n web address add $(cat /tmp/address) dev eth0\nip -n web route add $(cat /tmp/route)",
)

SABOTAGE: dict[str, Sabotage] = {
    'link_exists("red", "lo", kind="loopback")': Sabotage(
        "ip -n red link set lo name lo9", "ip -n red link set lo9 name lo"
    ),
    'prints("host1", "ip netns list", "red")': _HIDDEN,
    'prints("host1", "stat -L -c %i /run/netns/red /proc/self/ns/net | uniq | wc -l", "2")': _mistaken(
        "/run/netns/red"
    ),
    'prints("host1", "stat -f -c %T /run/netns/red", "nsfs")': _HIDDEN,
    'link_state("red", "lo", "DOWN")': Sabotage(
        "ip -n red link set lo up", "ip -n red link set lo down\nip -n red address flush dev lo"
    ),
    'no_address("red", "lo")': Sabotage(
        "ip -n red address add 127.0.0.9/8 dev lo", "ip -n red address delete 127.0.0.9/8 dev lo"
    ),
    'has_address("red", "lo", "127.0.0.1/8")': _bare("red", "lo", "127.0.0.1/8", "host"),
    'prints("host1", "ip netns exec red ping -c 1 -W 1 127.0.0.1", " 0% packet loss")': _down("red", "lo"),
    'prints("host1", "ss -Htln \'sport = :80\'", ":80")': Sabotage(served("80").undo, served("80").do),
    'prints("host1", "ip netns exec red ss -Htln \'sport = :80\'", ":80")': Sabotage(
        "kill $(ip netns pids red)", "ip netns exec red busybox httpd -p 80 -h /etc/docker"
    ),
    'not_prints("host1", "ip netns exec red ss -Htln; ss -Htln \'sport = :80\'", ":80")': served("80"),
    'link_exists("host1", "docker0", kind="bridge")': _renamed("", "docker0"),
    'no_link("red", "docker0")': _added("red", "docker0"),
    'link_exists("red", "tun0")': Sabotage(
        "ip -n red link delete tun0", "ip link add tun0 type vxlan id 8 dstport 4789\nip link set tun0 netns red"
    ),
    'no_link("host1", "tun0")': _added("", "tun0"),
    'pair("red", "red0", "host1", "blue0")': Sabotage("ip link set blue0 name blue9", "ip link set blue9 name blue0"),
    'no_link("host1", "eth0")': _added("", "eth0"),
    'no_neighbour("client", "198.51.100.11")': Sabotage(
        "ip neighbour replace 198.51.100.11 lladdr 02:00:00:00:00:99 dev eth0",
        "ip neighbour delete 198.51.100.11 dev eth0",
        "client",
    ),
    'has_address("host1", "eth0", "198.51.100.11/24")': _bare("", "eth0", "198.51.100.11/24"),
    'reaches("client", "host1")': Sabotage("ip link set eth0 down", "ip link set eth0 up"),
    'link_state("red", "red0", "DOWN")': _BOTH_UP,
    'link_state("blue", "blue0", "DOWN")': _BOTH_UP,
    'pair("red", "red0", "blue", "blue0")': Sabotage(
        "ip -n blue link set blue0 name blue9", "ip -n blue link set blue9 name blue0"
    ),
    'prints("host1", "ip netns exec red ping -c 1 -W 2 192.168.253.3", " 0% packet loss")': _down("blue", "blue0"),
    'prints("host1", "ip netns exec blue ping -c 1 -W 2 192.168.253.1", " 0% packet loss")': _down("blue", "blue0"),
    'no_route("red", "default")': _WAY_OUT,
    'prints("host1", "ip netns exec red ping -c 1 -W 1 198.51.100.11 2>&1 || true", "unreachable")': _WAY_OUT,
    'no_link("red", "red0")': _added("red", "red0"),
    'has_address("red", "eth0", "192.168.253.1/24")': _bare("red", "eth0", "192.168.253.1/24"),
    'pair("red", "eth0", "blue", "blue0")': _renamed("blue", "blue0"),
    'container_running("web")': _STOPPED,
    'not_prints("host1", "ip netns list", "web")': _named("web"),
    'prints("host1", "lsns -t net -n -o COMMAND", "top")': _STOPPED,
    'prints("host1", "stat -L -c %i $(docker inspect -f \'{{.NetworkSettings.SandboxKey}}\' web) '
    '/proc/$(docker inspect -f \'{{.State.Pid}}\' web)/ns/net | uniq | wc -l", "1")': _mistaken(_KEY),
    'prints("host1", "ip -n web -brief address", address_of("web", "eth0"))': _mistaken("/run/netns/web"),
    'prints("host1", "nsenter --target $(docker inspect -f \'{{.State.Pid}}\' web) --net ip -brief address", '
    'address_of("web", "eth0"))': _ADDRESSLESS,
    'no_container("web")': Sabotage("docker create --name web busybox top", "docker rm web"),
    'no_link("blue", "blue0")': _added("blue", "blue0"),
    'prints("host1", "ip netns list", "blue")': _HIDDEN,
    'not_prints("host1", "ip netns list", "red")': _named("red"),
}

SELDOM: dict[str, tuple[str, ...]] = {
    "netns-inside": ('not_answer("")',),
    "netns-name": ('container_running("box")',),
    "netns-middle": ('pair("west", "w0", "middle", "m0") and pair("east", "e0", "middle", "m1")',),
}
"""Hints for states that are rare or plain, as in sabotage.py."""
