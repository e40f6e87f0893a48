"""For every check of chapter 06 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import LET_THROUGH, Sabotage, deaf, file_made

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "06-connect"


def _off(network: str, container: str) -> Sabotage:
    """The container is not on the network; wired anew afterwards, so that its interfaces are numbered as before."""
    return Sabotage(
        f"docker network disconnect {network} {container}",
        f"docker network connect {network} {container}\ndocker restart -t 0 {container}",
    )


def _on(network: str, container: str) -> Sabotage:
    return Sabotage(f"docker network connect {network} {container}", f"docker network disconnect {network} {container}")


def _members(network: str) -> str:
    return f"\"docker network inspect --format '{{{{range .Containers}}}}{{{{println .Name}}}}{{{{end}}}}' {network}\""


_JOINED_EARLY = Sabotage(  # made anew, since the engine leaves its name server in the file
    "docker network connect mynet old", "docker rm -f old\ndocker run -d --name old busybox top"
)
_NO_PING = Sabotage("iptables -I OUTPUT -p icmp -j DROP", "iptables -D OUTPUT -p icmp -j DROP")
_COUNTED = (
    "docker exec old ping -c 3 -i 0.2 -W 1 "
    "$(docker inspect -f '{{.NetworkSettings.Networks.mynet.IPAddress}}' web) || true"
)
_OLD_ON_BRIDGE = (
    "lab.host.run(\"docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' old\").stdout.strip()"
)
_GATEWAY_OF_ALPHA = (
    "lab.host.run(\"docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' alpha\").stdout.strip()"
)

SABOTAGE: dict[str, Sabotage] = {
    'on_network("web", "mynet")': _off("mynet", "web"),
    'on_network("old", "bridge")': _off("bridge", "old"),
    'not_on_network("old", "mynet")': _JOINED_EARLY,
    'not_same_network("old", "web")': _JOINED_EARLY,
    'not_prints("old", "cat /etc/resolv.conf", "127.0.0.11")': file_made(
        "old", "/etc/resolv.conf", "echo nameserver 127.0.0.11"
    ),
    'not_reaches("old", address_of("web", "eth0"))': LET_THROUGH,
    'reaches("host1", address_of("web", "eth0"))': _NO_PING,
    'reaches("host1", address_of("old", "eth0"))': _NO_PING,
    'sysctl("host1", "net.ipv4.ip_forward", 1)': Sabotage(
        "sysctl -w net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1"
    ),
    'dropped("host1", 3)': Sabotage("iptables -Z\niptables -t raw -Z", _COUNTED),
    'on_network("old", "mynet")': _off("mynet", "old"),
    'same_network("old", "web")': _off("mynet", "old"),
    'interfaces("old", 2)': _off("mynet", "old"),
    'reaches("old", "web")': deaf("old"),
    'reaches("web", "old")': deaf("web"),
    'prints("old", "cat /etc/resolv.conf", "nameserver 127.0.0.11")': deaf("old"),
    f'not_reaches("web", {_OLD_ON_BRIDGE})': LET_THROUGH,
    f'prints("host1", {_members("mynet")}, "old")': _off("mynet", "old"),
    f'prints("host1", {_members("bridge")}, "old")': _off("bridge", "old"),
    f'not_prints("host1", {_members("bridge")}, "web")': _on("bridge", "web"),
    f'equal(gateway_of("old"), {_GATEWAY_OF_ALPHA})': _off("alpha", "old"),
    'not_on_network("old", "alpha")': _on("alpha", "old"),
    'equal(gateway_of("old"), address_of("host1", "docker0"))': _on("alpha", "old"),
    'not_on_network("old", "bridge")': _on("bridge", "old"),
    'interfaces("old", 1)': _on("alpha", "old"),
    'networks("alpha", "bridge", "host", "mynet", "none")': Sabotage(
        "docker network create extra", "docker network rm extra"
    ),
}

SELDOM: dict[str, tuple[str, ...]] = {
    "connect-between": ('container_running("proxy")',),
}
"""Hints for states that are rare or plain, as in sabotage.py."""
