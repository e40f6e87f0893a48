"""For every check of chapter 03 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import (
    LET_THROUGH,
    MUTE_ENGINE,
    RETURNED,
    RETURNS,
    Sabotage,
    refused,
    refused_inside,
    served,
    stopped,
)

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "03-ports"

_WEB_NAME = 'lab.host.run("docker exec web hostname").stdout.strip()'
_DNAT_OF_SHOP = 'rule("host1", "nat", "DOCKER", target="DNAT", contains='
_ACCEPT_OF_SHOP = 'rule("host1", "filter", "DOCKER", target="ACCEPT", contains=(address_of("shop") + "/32", '


def _without(table: str, chain: str, words: str) -> Sabotage:
    """The rule with those words is not in the chain; it comes back as the first, before what may drop everything."""
    iptables = f"iptables -t {table}"
    return Sabotage(
        f"{iptables} -S {chain} | grep -e '{words}' > /tmp/rule\n{iptables} $(sed 's/^-A/-D/' /tmp/rule)",
        f"{iptables} $(sed 's/^-A {chain}/-I {chain} 1/' /tmp/rule)",
    )


def _made_with_a_port(name: str, usually: str) -> Sabotage:
    run, command = f"docker rm -f {name}\ndocker run -d --name {name}", "busybox httpd -f -p 80 -h /etc"
    return Sabotage(f"{run} -p 8099:80 {command}", f"{run} {usually} {command}")


def _counted(table: str) -> Sabotage:
    """The chain DOCKER of that table has not counted anything; a request makes it count again."""
    return Sabotage(
        f'lab.host.run("iptables -t {table} -Z DOCKER");',
        'lab.client.run(f"curl -s http://host1:{port}/");',
        "notebook",
    )


_ON_9000 = served("9000")

SABOTAGE: dict[str, Sabotage] = {
    'not_published("quiet")': _made_with_a_port("quiet", ""),
    'no_rule("host1", "filter", "DOCKER", target="ACCEPT")': Sabotage(
        "iptables -A DOCKER -j ACCEPT", "iptables -D DOCKER -j ACCEPT"
    ),
    'no_rule("host1", "nat", "DOCKER", target="DNAT")': Sabotage(
        "iptables -t nat -A DOCKER -p tcp --dport 1 -j DNAT --to-destination 192.0.2.1:1",
        "iptables -t nat -D DOCKER -p tcp --dport 1 -j DNAT --to-destination 192.0.2.1:1",
    ),
    'not_listens("host1", 80)': served("80"),
    'published("shop", 8080)': stopped("shop"),
    f'{_DNAT_OF_SHOP}("--dport " + host_port_of("shop", 8080), address_of("shop") + ":8080"))': _without(
        "nat", "DOCKER", ":8080$"
    ),
    f'{_ACCEPT_OF_SHOP}"--dport 8080"))': _without("filter", "DOCKER", "--dport 8080"),
    'listens("host1", host_port_of("shop", 8080), program="docker-proxy")': stopped("shop"),
    f'{_DNAT_OF_SHOP}"--dport " + host_port_of("shop", 8080), packets=1)': _counted("nat"),
    f'{_ACCEPT_OF_SHOP}"--dport 8080"), packets=1)': _counted("filter"),
    'prints("client", "curl -s http://host1:" + host_port_of("shop", 8080) + "/", "asked by 198.51.100.100")': refused(
        "DOCKER-USER", 8080
    ),
    'prints("host1", "docker inspect --format \'{{json .NetworkSettings.Ports}}\' store", '
    'host_port_of("store", 6379))': stopped("store"),
    'rule("host1", "nat", "DOCKER", target="DNAT", contains=("--dport " + host_port_of("store", 6379), '
    'address_of("store") + ":6379"))': _without("nat", "DOCKER", ":6379$"),
    'rule("host1", "nat", "POSTROUTING", target="MASQUERADE", contains=(subnet_of("bridge"), "! -o docker0"))': (
        _without("nat", "POSTROUTING", "! -o docker0 -j MASQUERADE")
    ),
    'prints("client", "printf \'PING\\\\r\\\\nQUIT\\\\r\\\\n\' | busybox nc host1 " + '
    'host_port_of("store", 6379), "PONG")': refused("DOCKER-USER", 6379),
    'prints("host1", "docker run --rm -p 3306:3306 busybox true 2>&1 || true", "already allocated")': MUTE_ENGINE,
    'prints("host1", "docker run --rm -p 9000:80 busybox true 2>&1 || true", "address already in use")': Sabotage(
        _ON_9000.undo, _ON_9000.do
    ),
    'prints("host1", "docker run --rm mysql mysql -h 198.51.100.11 -uroot -p123456 -e \'select 6 * 7\'", "42")': (
        refused("OUTPUT", 3306)
    ),
    'bound("inner", 80, "127.0.0.1", 8082)': stopped("inner"),
    'bound("lan", 80, "198.51.100.11")': stopped("lan"),
    'published("names", 53, 5353, "udp")': stopped("names"),
    'published("many", 7001, 7001)': stopped("many"),
    'reaches("host1", "127.0.0.1", port=8082)': stopped("inner"),
    'not_reaches("client", "host1", port=8082)': served("198.51.100.11:8082"),
    'reaches("client", "host1", port=host_port_of("lan", 80))': refused("DOCKER-USER", 80),
    'not_reaches("host1", "127.0.0.1", port=host_port_of("lan", 80))': Sabotage(
        "busybox httpd -p 127.0.0.1:$(docker port lan 80 | sed 's/.*://') -h /etc/docker",
        "kill $(ss -Htlnp \"src 127.0.0.1:$(docker port lan 80 | sed 's/.*://')\" | sed 's/.*pid=\\([0-9]*\\).*/\\1/')",
    ),
    'prints("client", "busybox nslookup -port=5353 printer.example host1", "192.0.2.7")': stopped("names"),
    'not_reaches("client", "host1", port=5353)': served("5353"),
    f'prints("client", "curl -s http://host1:8080/hostname", {_WEB_NAME})': refused("DOCKER-USER", 80),
    'prints("host1", "curl -s --max-time 1 http://127.0.0.1:8080/hostname || echo no answer", "no answer")': Sabotage(
        "kill -CONT $(pidof docker-proxy)", "kill -STOP $(pidof docker-proxy)"
    ),
    'rule("host1", "nat", "OUTPUT", target="DOCKER", contains="! -d 127.0.0.0/8")': _without(
        "nat", "OUTPUT", "-j DOCKER"
    ),
    'prints("host1", "curl -s http://127.0.0.1:" + host_port_of("shop", 8080) + "/", '
    '"asked by " + address_of("host1", "docker0"))': refused("OUTPUT", 8080),
    'not_listens("host1", 8080)': served("8080"),
    'no_rule("host1", "nat", "DOCKER", contains="--dport 8080")': Sabotage(
        "iptables -t nat -A DOCKER -p tcp --dport 8080 -j RETURN",
        "iptables -t nat -D DOCKER -p tcp --dport 8080 -j RETURN",
    ),
    'published("web", 80, 8080)': stopped("web"),
    'prints("host1", "docker port any | diff -q - /tmp/any-was || echo moved", "moved")': Sabotage(
        "docker port any > /tmp/any-was", "echo > /tmp/any-was"
    ),
    'reaches("client", "host1", port=8080)': refused("DOCKER-USER", 80),
    'not_reaches("client", "host1", port=8080)': Sabotage(
        "iptables -I DOCKER-USER -j RETURN", "iptables -D DOCKER-USER -j RETURN"
    ),
    'not_published("plain")': _made_with_a_port("plain", "--expose 80"),
    'reaches("host1", address_of("quiet"), port=80)': refused("OUTPUT", 80),
    'not_reaches("guest", address_of("web"), port=80)': LET_THROUGH,
    'reaches("guest", "198.51.100.11", port=8080)': refused_inside("guest", 8080),
    'rule("host1", "nat", "DOCKER", target="RETURN", packets=1)': RETURNED,
    'no_rule("host1", "nat", "DOCKER", target="RETURN")': RETURNS,
    'prints("host1", "awk \'$1 <= " + host_port_of("any", 80) + " && $2 >= " + host_port_of("any", 80) + '
    '" {print \\"in the range\\"}\' /proc/sys/net/ipv4/ip_local_port_range", "in the range")': Sabotage(
        "cat /proc/sys/net/ipv4/ip_local_port_range > /tmp/range\nsysctl -w net.ipv4.ip_local_port_range='50000 50009'",
        'sysctl -w net.ipv4.ip_local_port_range="$(cat /tmp/range)"',
    ),
}

SELDOM: dict[str, tuple[str, ...]] = {}
"""Hints for states that are rare or plain, as in sabotage.py."""
