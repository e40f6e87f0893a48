"""For every check of chapter 05 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import (
    EXTRA_NETWORK,
    LET_THROUGH,
    MUTE_ENGINE,
    RETURNED,
    RETURNS,
    STRAY,
    Sabotage,
    deaf,
    inside,
    outer,
    refused,
    refused_inside,
    served,
    stopped,
)

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "05-custom-networks"


def _bridge(network: str) -> str:
    """The name of a network's bridge, as a word for the shell."""
    return f"br-$(docker network ls -q --filter name={network})"


def _renamed(bridge: str) -> Sabotage:
    """The bridge bears another name."""
    return Sabotage(
        f"echo {bridge} > /tmp/bridge\nip link set $(cat /tmp/bridge) down\nip link set $(cat /tmp/bridge) name away0",
        "ip link set away0 name $(cat /tmp/bridge)\nip link set $(cat /tmp/bridge) up",
    )


def _bare(network: str) -> Sabotage:
    """The network's bridge has no address."""
    return Sabotage(
        f"ip -4 -oneline address show {_bridge(network)} | awk '{{print $4}}' > /tmp/address\n"
        f"ip address flush dev {_bridge(network)}",
        f"ip address add $(cat /tmp/address) dev {_bridge(network)}",
    )


def _flushed(container: str) -> Sabotage:
    return Sabotage(inside(container, "ip address flush dev eth0"), f"docker restart -t 0 {container}")


_SERVICE = "$(docker ps -aq --filter label=com.docker.compose.service=redis)"
_NO_SERVICE = Sabotage(f"docker stop -t 0 {_SERVICE}", f"docker start {_SERVICE}")
_BRIDGE_BY_ID = '"br-" + lab.host.run("docker network ls -q --filter name=rww").stdout.strip()'
_MEMBERS = "docker network inspect -f '{{range .Containers}}{{println .Name}}{{end}}' shop_default"
_SOCKETS = "nsenter --target $(docker inspect -f '{{.State.Pid}}' shop) --net ss -Hlntup src 127.0.0.11"
_LOOK_UP = inside("shop", "busybox nslookup redis 127.0.0.11 > /tmp/frozen")
_LEFT = "echo $(docker ps -aq --filter label=com.docker.compose.project=shop | wc -l) left"
_TAKEN = "docker run --rm --network depot --ip 10.20.0.7 busybox true 2>&1 || true"

SABOTAGE: dict[str, Sabotage] = {
    f'link_exists("host1", {_BRIDGE_BY_ID}, kind="bridge")': _renamed(_bridge("rww")),
    'has_address("host1", bridge_of("rww"), within=subnet_of("rww"))': _bare("rww"),
    'equal(subnet_of("star"), "192.168.99.0/24")': Sabotage(
        "docker network rm star\ndocker network create --subnet 192.168.98.0/24 star",
        "docker network rm star\ndocker network create --subnet 192.168.99.0/24 --gateway 192.168.99.1 star",
    ),
    'has_address("host1", bridge_of("star"), "192.168.99.1/24")': _bare("star"),
    'port_of("host1", other_end("rover", "eth0"), bridge_of("rww"))': Sabotage(
        f"echo {outer('rover')} > /tmp/cable\nip link set $(cat /tmp/cable) nomaster",
        f"ip link set $(cat /tmp/cable) master {_bridge('rww')}",
    ),
    'equal(gateway_of("guest"), "192.168.99.1")': Sabotage(
        inside("guest", "ip route replace default via 192.168.99.9"),
        inside("guest", "ip route replace default via 192.168.99.1"),
    ),
    'ports("host1", "docker0", 0)': STRAY,
    'networks("bridge", "host", "mynet", "none", "rww", "star")': EXTRA_NETWORK,
    'prints("host1", "docker network inspect mynet", \'"Containers": {}\')': Sabotage(
        "docker run -d --name early --network mynet busybox top", "docker rm -f early"
    ),
    'prints("host1", "docker network inspect mynet", address_of("redis") + "/20")': stopped("redis"),
    'prints("host1", "docker network inspect mynet", address_of("shop") + "/20")': MUTE_ENGINE,
    'reaches("shop", address_of("redis"))': Sabotage(
        f"echo {outer('redis')} > /tmp/cable\nip link set $(cat /tmp/cable) down",
        "ip link set $(cat /tmp/cable) up",
    ),
    'reaches("shop", "redis.mynet")': deaf("shop"),
    'reaches("redis", "shop")': deaf("redis"),
    'prints("client", "curl -s http://host1:8080/", "Redis by the name redis at " + address_of("redis"))': deaf("shop"),
    'not_reaches("client", "host1", port=6379)': served("6379"),
    'differ(address_of("redis"), old)': Sabotage(
        "docker stop -t 0 lodger redis\ndocker start redis",
        "docker stop -t 0 redis\ndocker start lodger\ndocker start redis",
    ),
    'prints("client", "curl -s http://host1:8080/", address_of("redis") + ":6379: visit")': deaf("shop"),
    'not_prints("shop", "cat /etc/hosts", "redis")': Sabotage(
        "docker exec shop sh -c 'cp /etc/hosts /tmp/hosts; echo 192.0.2.1 redis >> /etc/hosts'",
        "docker exec shop sh -c 'cat /tmp/hosts > /etc/hosts'",
    ),
    'prints("shop", "cat /etc/resolv.conf", "nameserver 127.0.0.11")': deaf("shop"),
    f'prints("host1", "{_SOCKETS}", "dockerd")': MUTE_ENGINE,
    'rule("shop", "nat", "DOCKER_OUTPUT", target="DNAT", contains=("127.0.0.11", "udp", "--dport 53"), packets=1)': (
        Sabotage(inside("shop", "iptables -t nat -Z DOCKER_OUTPUT"), "docker exec shop nslookup redis")
    ),
    'rule("shop", "nat", "DOCKER_POSTROUTING", target="SNAT", contains=("127.0.0.11", "udp"))': Sabotage(
        inside("shop", "iptables-save -t nat > /tmp/rules")
        + "\n"
        + inside("shop", "iptables -t nat -F DOCKER_POSTROUTING"),
        inside("shop", "iptables-restore /tmp/rules"),
    ),
    'prints("host1", "cat /tmp/frozen", "no answer")': Sabotage(_LOOK_UP, "echo no answer > /tmp/frozen"),
    'reaches("shop", "redis")': deaf("shop"),
    'prints("shop", "nslookup client", address_of("client", "eth0"))': Sabotage(
        "iptables -I FORWARD -p udp --dport 53 -j REJECT\niptables -I OUTPUT -p udp --dport 53 -j REJECT",
        "iptables -D FORWARD -p udp --dport 53 -j REJECT\niptables -D OUTPUT -p udp --dport 53 -j REJECT",
    ),
    'link_exists("host1", "br-depot", kind="bridge")': _renamed("br-depot"),
    'has_address("left", "eth0", "10.20.0.7/24")': _flushed("left"),
    'has_address("right", "eth0", within="10.20.0.128/25")': _flushed("right"),
    'prints("right", "nslookup store", address_of("left"))': stopped("left"),
    'prints("right", "nslookup store", address_of("right"))': deaf("right"),
    f'prints("host1", "{_TAKEN}", "already in use")': stopped("left"),
    'not_reaches("rover", address_of("shop"))': LET_THROUGH,
    'prints("rover", "wget -qO- http://host1:8080/", "asked by " + address_of("host1", bridge_of("mynet")))': (
        refused_inside("rover", 8080)
    ),
    'rule("host1", "nat", "DOCKER", target="RETURN", packets=1)': RETURNED,
    'no_rule("host1", "nat", "DOCKER", target="RETURN")': RETURNS,
    'prints("host1", "ss -Hltnp sport = :8080", "docker-proxy")': stopped("shop"),
    'not_reaches("clerk", address_of("client", "eth0"))': Sabotage(
        "docker network connect rww clerk", "docker network disconnect rww clerk"
    ),
    'not_reaches("client", "host1", port=8090)': served("8090"),
    'reaches("host1", address_of("safe"), port=80)': refused("OUTPUT", 80),
    'link_exists("host1", bridge_of("shop_default"), kind="bridge")': _renamed(_bridge("shop_default")),
    f'prints("host1", "{_MEMBERS}", "redis")': _NO_SERVICE,
    'prints("client", "curl -s http://host1:8080/", "Redis by the name redis at")': _NO_SERVICE,
    'networks("bridge", "depot", "host", "mynet", "none", "rww", "star", "vault")': EXTRA_NETWORK,
    f'prints("host1", "{_LEFT}", "0 left")': Sabotage(
        "docker create --name stray --label com.docker.compose.project=shop busybox top", "docker rm stray"
    ),
    'not_reaches("host1", address_of("client", "eth0"))': Sabotage(
        "ip route add 198.51.100.100 dev eth0", "ip route delete 198.51.100.100 dev eth0"
    ),
    'reaches("host1", address_of("client", "eth0"))': Sabotage(
        "iptables -I OUTPUT -p icmp -j DROP", "iptables -D OUTPUT -p icmp -j DROP"
    ),
}

SELDOM: dict[str, tuple[str, ...]] = {
    "custom-desk": ('differ(subnet_of("office"), "")',),
}
"""Hints for states that are rare or plain, as in sabotage.py."""
