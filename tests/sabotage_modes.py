"""For every check of chapter 07 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import MUTE_ENGINE, STRAY, Sabotage, disconnected, served, stopped, unplugged

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "07-modes"

_INSPECT = (
    "docker inspect --format '{{range $name, $end := .NetworkSettings.Networks}}{{$name}}:{{$end.MacAddress}}{{end}}'"
)
_BARE_ETH0 = "docker run --rm --network container:bare busybox ip address show eth0"
_OWN_NAME = 'lab.host.run("docker exec lone hostname").stdout.strip()'


def _in_lone(command: str) -> str:
    return f"nsenter --target $(docker inspect -f '{{{{.State.Pid}}}}' lone) --net {command}"


# What shares its network has to be started anew too: it stays in the old one.
_WEB_STOPPED = Sabotage("docker stop -t 0 web", "docker start web\ndocker restart -t 0 side")
_LEFT_BEHIND = Sabotage("docker restart -t 0 web", "docker restart -t 0 side")
_CAUGHT_UP = Sabotage("docker restart -t 0 side", "docker restart -t 0 web")
_NO_CARRIER = Sabotage("ip link set to-lone down", "ip link set to-lone up")

SABOTAGE: dict[str, Sabotage] = {
    'on_network("web", "bridge")': disconnected("web"),
    'on_network("web2", "bridge")': disconnected("web2"),
    'port_of("host1", other_end("web", "eth0"), "docker0")': unplugged("web"),
    'port_of("host1", other_end("web2", "eth0"), "docker0")': unplugged("web2"),
    'reaches("host1", address_of("web", "eth0"), port=80)': Sabotage(
        "iptables -I OUTPUT -p tcp --dport 80 -j REJECT", "iptables -D OUTPUT -p tcp --dport 80 -j REJECT"
    ),
    'not_reaches("client", "host1", port=80)': served("80"),
    'no_route("client", subnet_of("bridge"))': Sabotage(
        "ip route add 172.17.0.0/16 via 198.51.100.11", "ip route delete 172.17.0.0/16", "client"
    ),
    'shares_namespace("side", "web")': _LEFT_BEHIND,
    'differ(namespace_of("side"), namespace_of("web"))': _CAUGHT_UP,
    'interfaces("side", 0)': _CAUGHT_UP,
    'equal(mac_of("side", "eth0"), mac_of("web", "eth0"))': stopped("side"),
    'ports("host1", "docker0", 2)': STRAY,
    'prints("side", "wget -qO- http://127.0.0.1/", "a page from web")': Sabotage(
        "docker exec web mv /home/index.html /home/away.html", "docker exec web mv /home/away.html /home/index.html"
    ),
    'not_prints("side", "ps", "httpd")': Sabotage("docker exec -d side httpd -f -p 81", "docker restart -t 0 side"),
    'prints("host1", "docker run --rm --network container:web busybox httpd -p 80 2>&1 || true", '
    '"already in use")': _WEB_STOPPED,
    f'prints("host1", "{_BARE_ETH0}", address_of("bare", "eth0"))': stopped("bare"),
    f'prints("host1", "{_BARE_ETH0}", mac_of("bare", "eth0"))': stopped("bare"),
    'prints("host1", "docker exec bare ip address 2>&1 || true", "executable file not found")': stopped("bare"),
    'prints("host1", "docker run --rm --network container:web -p 8080:80 busybox true 2>&1 || true", '
    '"conflicting options")': MUTE_ENGINE,
    'prints("host1", "docker run --rm --network container:web --hostname other busybox true 2>&1 || true", '
    '"conflicting options")': MUTE_ENGINE,
    'shares_namespace("open", "host1")': stopped("open"),
    'reaches("client", "host1", port=8080)': stopped("open"),
    'prints("open", "hostname", "host1")': stopped("open"),
    'prints("host1", "docker run --rm --network host -p 9090:80 busybox true 2>&1", "iscarded")': MUTE_ENGINE,
    'prints("host1", "ss -Htlnp \'sport = :8080\'", "httpd")': stopped("open"),
    'interfaces("lone", 0)': Sabotage(
        "ip link add stray0 type veth peer name stray1 netns $(docker inspect -f '{{.State.Pid}}' lone)",
        "ip link delete stray0",
    ),
    'no_route("lone", "default")': Sabotage(
        _in_lone("ip route add default dev lo"), _in_lone("ip route delete default dev lo")
    ),
    f'prints("lone", "wget -qO- http://127.0.0.1/hostname", {_OWN_NAME})': Sabotage(
        _in_lone("ip link set lo down"), _in_lone("ip link set lo up")
    ),
    'pair("lone", "eth0", "host1", "to-lone")': Sabotage(
        "ip link set to-lone down\nip link set to-lone name kept0",
        "ip link set kept0 name to-lone\nip link set to-lone up",
    ),
    'port_of("host1", "to-lone", "docker0")': Sabotage(
        "ip link set to-lone nomaster", "ip link set to-lone master docker0"
    ),
    'reaches("lone", gateway_of("lone"))': _NO_CARRIER,
    'reaches("web2", address_of("lone"), port=80)': _NO_CARRIER,
    f'prints("host1", "{_INSPECT} lone", "none:\\n")': MUTE_ENGINE,
    'differ(namespace_of("web"), namespace_of("lone"))': stopped("lone"),
    'differ(namespace_of("web"), namespace_of("host1"))': _WEB_STOPPED,
}

SELDOM: dict[str, tuple[str, ...]] = {
    "modes-look": ('not_answer("")',),
    "modes-share": ('container_exists("back")',),
}
"""Hints for states that are rare or plain, as in sabotage.py."""
