"""For every check of chapter 09 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import MUTE_ENGINE, Sabotage, deaf, file_made, refused, stopped

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "09-container-options"


def _remade(container: str, wrong: str, right: str) -> Sabotage:
    """The container was started with other options; it gets the address that it had, the lowest that is free."""
    return Sabotage(
        f"docker rm -f {container}\ndocker run -d --name {container} {wrong}",
        f"docker rm -f {container}\ndocker run -d --name {container} {right}",
    )


def _line(container: str, path: str, text: str) -> Sabotage:
    """There is one more line in the file."""
    return file_made(container, path, f"(cat /tmp/kept; echo {text})")


def _renamed(container: str, wrong: str, right: str) -> Sabotage:
    inside = f"nsenter --target $(docker inspect -f '{{{{.State.Pid}}}}' {container}) --uts"
    return Sabotage(f"{inside} hostname {wrong}", f"{inside} hostname {right}")


def _log_lost(container: str) -> Sabotage:
    """The name server's log is empty; the container asks once more."""
    return Sabotage(_EMPTY_LOG, f"docker exec {container} nslookup -type=a files.corp.example")


_UMOUNT = "nsenter --target $(docker inspect -f '{{.State.Pid}}' web) --mount umount /etc/hosts"
_EMPTY_LOG = "truncate -s 0 $(docker inspect -f '{{.LogPath}}' dns)"
_HTTPD = "busybox httpd -f -p 80"
_ADDRESS_OF_WEB = "$(docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' web)"
_ID = "lab.host.run(\"docker ps --filter name=^plain$ --format '{{.ID}}'\").stdout.strip()"
_SERVER_OF_HOST = 'lab.host.run("grep ^nameserver /etc/resolv.conf").stdout.strip()'
_MAC = "02:00:00:00:12:34"
_IN_FIXED = "nsenter --target $(docker inspect -f '{{.State.Pid}}' fixed) --net ip link set eth0 address"
_OTHER_MAC = Sabotage(f"{_IN_FIXED} 00:00:5e:00:53:01", f"{_IN_FIXED} {_MAC}")
_DNAT = "DOCKER -p tcp --dport 9090 -j DNAT --to-destination 192.0.2.1:81"
_JOINED = "docker run --rm --network container:web"

SABOTAGE: dict[str, Sabotage] = {
    f'prints("plain", "hostname", {_ID})': _remade("plain", "--hostname other busybox top", "busybox top"),
    'prints("web", "hostname", "www")': _renamed("web", "other", "www"),
    'prints("web", "grep www /etc/hosts", address_of("web"))': file_made("web", "/etc/hosts", "echo 192.0.2.9 www"),
    'reaches("web", "www")': file_made("web", "/etc/hosts", "echo nothing"),
    'prints("plain", "ping -c 1 -W 1 www 2>&1 || true", "bad address")': _line("plain", "/etc/hosts", "127.0.0.1 www"),
    'reaches("guest", "backend")': deaf("guest"),
    'prints("guest", "nslookup -type=a api", address_of("second"))': stopped("second"),
    'prints("web", "mount", "on /etc/hosts type")': Sabotage(
        _UMOUNT, "docker restart -t 0 web\ndocker exec web sh -c 'echo \"# written on the host\" >> /etc/hosts'"
    ),
    'prints("web", "cat /etc/hosts", "# written on the host")': file_made("web", "/etc/hosts", "echo nothing"),
    'not_prints("host1", "docker diff web", "/etc/hosts")': Sabotage(
        f"{_UMOUNT}\ndocker exec web sh -c 'echo text > /etc/hosts'",
        f"docker rm -f web\ndocker run -d --name web --hostname www {_HTTPD}",
    ),
    f'prints("plain", "cat /etc/resolv.conf", {_SERVER_OF_HOST})': deaf("plain"),
    'prints("guest", "cat /etc/resolv.conf", "nameserver 127.0.0.11")': deaf("guest"),
    'reaches("plain", "www")': file_made("plain", "/etc/hosts", "echo nothing"),
    'not_prints("host1", "docker run --rm edited cat /etc/hosts", "www")': MUTE_ENGINE,
    'not_prints("plain", "cat /etc/hosts", "www")': _line("plain", "/etc/hosts", "192.0.2.9 www"),
    'not_prints("plain", "cat /etc/resolv.conf", "timeout:1")': _line("plain", "/etc/resolv.conf", "options timeout:1"),
    'prints("host1", "docker inspect --format \'{{.HostConfig.ExtraHosts}}\' plain", "www:")': _remade(
        "plain", "busybox top", f"--add-host www:{_ADDRESS_OF_WEB} busybox top"
    ),
    'prints("misled", "nslookup -type=a api", address_of("api"))': deaf("misled"),
    'prints("misled", "ping -c 1 api", "(127.0.0.1)")': file_made("misled", "/etc/hosts", "echo nothing"),
    'prints("caller", "grep host.docker.internal /etc/hosts", address_of("host1", "docker0"))': file_made(
        "caller", "/etc/hosts", "echo 192.0.2.9 host.docker.internal"
    ),
    'differ(gateway_of("caller"), address_of("host1", "docker0"))': Sabotage(
        "docker network disconnect mynet caller\ndocker network connect bridge caller",
        "docker network disconnect bridge caller\ndocker network connect mynet caller\ndocker restart -t 0 caller",
    ),
    'prints("caller", "wget -qO- http://host.docker.internal:8000/", "a page of the host")': Sabotage(
        "mv site/index.html site/away.html", "mv site/away.html site/index.html"
    ),
    'prints("caller", "wget -O- http://host.docker.internal:8001/ 2>&1 || true", "refused")': refused("INPUT", 8001),
    'prints("host1", "ss -Hlun \'sport = :53\'", ":53")': stopped("dns"),
    'prints("asker", "cat /etc/resolv.conf", "nameserver " + address_of("host1", "eth0"))': deaf("asker"),
    'prints("host1", "docker logs dns 2>&1", "files.corp.example from " + address_of("asker"))': _log_lost("asker"),
    'prints("worker", "cat /etc/resolv.conf", "nameserver 127.0.0.11")': deaf("worker"),
    'prints("host1", "docker logs dns 2>&1", "files.corp.example from " + address_of("worker"))': _log_lost("worker"),
    'prints("asker", "nslookup -type=a api", "192.0.2.99")': deaf("asker"),
    'prints("worker", "nslookup -type=a api", address_of("api"))': deaf("worker"),
    'not_prints("host1", "docker logs dns 2>&1 | grep query", " api from " + address_of("worker"))': Sabotage(
        "docker exec worker nslookup -type=a api $(hostname -i)",
        _log_lost("worker").do + "\n" + _log_lost("worker").undo,
    ),
    'prints("short", "cat /etc/resolv.conf", "options timeout:1")': deaf("short"),
    'reaches("short", "files")': deaf("short"),
    f'equal(mac_of("fixed"), "{_MAC}")': _OTHER_MAC,
    'locally_administered("fixed", "eth0")': _OTHER_MAC,
    f'prints("host1", "ip neighbour show dev docker0", "{_MAC}")': Sabotage(
        "ip neighbour flush dev docker0",
        "ping -c 1 $(docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' fixed)",
    ),
    f'prints("host1", "{_JOINED} busybox cat /etc/hosts", "www")': file_made("web", "/etc/hosts", "echo nothing"),
    f'prints("host1", "{_JOINED} --dns 192.0.2.1 busybox true 2>&1 || true", "conflicting options")': MUTE_ENGINE,
    'prints("host1", "docker port pub 80/tcp", address_of("host1", "eth0"))': stopped("pub"),
    'reaches("client", "host1", port=host_port_of("pub", 80))': refused("FORWARD", 80),
    'prints("host1", "docker port pub", "127.0.0.1:9090")': stopped("pub"),
    'prints("host1", "curl -s --max-time 2 http://127.0.0.1:9090/ || echo nothing there", "nothing there")': Sabotage(
        "docker exec -d pub httpd -f -p 81 -h /etc", "docker restart -t 0 pub"
    ),
    'rule("host1", "nat", "DOCKER", target="DNAT", contains="--dport 9090")': stopped("pub"),
    'not_prints("host1", "docker port pub", "9090")': Sabotage("docker start pub", "docker stop -t 0 pub"),
    'no_rule("host1", "nat", "DOCKER", contains="--dport 9090")': Sabotage(
        f"iptables -t nat -A {_DNAT}", f"iptables -t nat -D {_DNAT}"
    ),
}

SELDOM: dict[str, tuple[str, ...]] = {
    "options-host": ('container_running("shopper")',),
}
"""Hints for states that are rare or plain, as in sabotage.py."""
