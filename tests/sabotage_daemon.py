"""For every check of chapter 10 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import Sabotage, inside, refused, served, stopped

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "10-daemon"

_PROCESSES = "docker inspect --format '{{.Name}} {{.State.Pid}}' web keeper left"


def _mtu(container: str, right: int) -> Sabotage:
    return Sabotage(inside(container, "ip link set eth0 mtu 1300"), inside(container, f"ip link set eth0 mtu {right}"))


def _woken(container: str) -> Sabotage:
    return Sabotage(f"docker start {container}", f"docker stop {container}")


def _moved(link: str) -> Sabotage:
    """The interface has another address."""
    return Sabotage(
        f"link={link}\nip -4 -oneline address show dev $link | awk '{{print $4}}' > /tmp/address\n"
        "ip address flush dev $link\nip address add 192.0.2.1/24 dev $link",
        f"link={link}\nip address flush dev $link\nip address add $(cat /tmp/address) broadcast + dev $link",
    )


def _away(file: str, where: str) -> Sabotage:
    return Sabotage(f"mv {file} {file}.away", f"mv {file}.away {file}", where)


def _live_restore(on: str) -> str:
    edit = f'sed -i \'s/"live-restore": [a-z]*/"live-restore": {on}/\' /etc/docker/daemon.json'
    return f"{edit}\nkill -HUP $(cat /run/docker.pid)"


_NAME_OF_RWW = "lab.host.run(\"docker network inspect -f 'br-{{slice .Id 0 12}}' rww\").stdout.strip()"
_BRIDGE = "br-$(docker network inspect -f '{{slice .Id 0 12}}' rww)"
_LOGGED = Sabotage("echo more >> /run/dockerd.log", "sed -i '$d' /run/dockerd.log")
_REFUSED = "FORWARD -s 198.51.100.100 -p tcp -j REJECT --reject-with tcp-reset"
_LENT = Sabotage(
    'pair = lab.hosts["host2"].run("cat .docker/cert.pem .docker/key.pem").stdout\n'
    "lab.client.run(f\"cat > pair.pem <<'END'\\n{pair}END\\necho 'cert = /root/pair.pem' > .curlrc\")",
    'lab.client.run("rm pair.pem .curlrc")',
    "notebook",
)
_STRANGER = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new root@host1 docker ps 2>&1 || true"

SABOTAGE: dict[str, Sabotage] = {
    'prints("host1", "docker inspect --format \'{{.RestartCount}}\' keeper", "1")': Sabotage(
        "docker restart -t 0 keeper", "kill -KILL $(docker inspect --format '{{.State.Pid}}' keeper)"
    ),
    'container_running("keeper")': stopped("keeper"),
    'container_state("always", "exited")': _woken("always"),
    'container_state("unless", "exited")': _woken("unless"),
    'differ(address_of("host1", "docker0"), "192.168.88.8")': Sabotage(
        _moved("docker0").do.replace("192.0.2.1", "192.168.88.8"), _moved("docker0").undo
    ),
    'prints("host1", "ps -ef", "-host-port 8080")': stopped("web"),
    'has_address("host1", "docker0", "192.168.88.8/24")': _moved("docker0"),
    'container_state("web", "exited")': _woken("web"),
    'container_running("always")': stopped("always"),
    'has_address("keeper", "eth0", within="192.168.88.0/24")': Sabotage(
        inside("keeper", "ip address flush dev eth0"), "docker restart -t 0 keeper"
    ),
    'equal(gateway_of("keeper"), "192.168.88.8")': Sabotage(
        inside("keeper", "ip route replace default via 192.168.88.77"), "docker restart -t 0 keeper"
    ),
    'prints("keeper", "cat /sys/class/net/eth0/mtu", "1400")': _mtu("keeper", 1400),
    'not_prints("host1", "ps -ef", "-host-port 8080")': Sabotage(
        "docker run -d --name stray busybox sh -c 'sleep 600; : -host-port 8080'", "docker rm -f stray"
    ),
    'prints("host1", "curl -s http://127.0.0.1:8080/hostname", "shop")': stopped("web"),
    'prints("client", "curl -s http://host1:8080/hostname", "shop")': Sabotage(
        f"iptables -I {_REFUSED}", f"iptables -D {_REFUSED}"
    ),
    f'link_exists("host1", {_NAME_OF_RWW}, "bridge")': Sabotage(
        f"link={_BRIDGE}\nip link set $link down\nip link set $link name away0",
        f"link={_BRIDGE}\nip link set away0 name $link\nip link set $link up",
    ),
    'has_address("host1", bridge_of("rww"), within="10.99.0.0/16")': _moved(_BRIDGE),
    'has_address("host1", bridge_of("star"), "192.168.99.1/24")': _moved(_BRIDGE.replace("rww", "star")),
    'on_network("left", "rww")': Sabotage(
        "docker network disconnect rww left", "docker network connect rww left\ndocker restart -t 0 left"
    ),
    'has_address("right", "eth0", within="192.168.99.0/24")': Sabotage(
        inside("right", "ip address flush dev eth0"), "docker restart -t 0 right"
    ),
    'prints("left", "cat /sys/class/net/eth0/mtu", "1500")': _mtu("left", 1500),
    'prints("host1", "docker info --format \'{{.LiveRestoreEnabled}}\'", "true")': Sabotage(
        _live_restore("false"), _live_restore("true")
    ),
    'prints("host1", "tail -n 1 /run/dockerd.log", "invalid character")': _LOGGED,
    'prints("host1", "docker ps 2>&1 || true", "connect to the")': Sabotage(
        'mkdir .docker\necho \'{"currentContext": "nowhere"}\' > .docker/config.json', "rm -r .docker"
    ),
    'prints("host1", "tail -n 1 /run/dockerd.log", "specified both as a flag and in the configuration file: hosts")': (
        _LOGGED
    ),
    f'prints("host1", "{_PROCESSES} | diff - /tmp/processes && echo the same", "the same")': Sabotage(
        "docker restart -t 0 left", f"{_PROCESSES} > /tmp/processes"
    ),
    'reaches("client", "host1", port=2375)': refused("INPUT", 2375),
    'prints("client", "docker -H tcp://host1:2375 run --rm -v /root:/stolen busybox cat /stolen/plan", '
    '"the plan of host1")': _away("/root/plan", "host1"),
    'prints("host1", "getent hosts bank.example", "198.51.100.100")': Sabotage(
        "cp /etc/hosts /tmp/hosts\nsed -i /bank/d /etc/hosts", "cat /tmp/hosts > /etc/hosts"
    ),
    'container_running("host1/far")': stopped("far"),
    'prints("host2", "docker ps --all --quiet | wc -l", "0")': Sabotage(
        "docker create --name stray busybox", "docker rm stray", "host2"
    ),
    'prints("client", "curl -s http://host1:8081/where", "host1")': stopped("far"),
    'not_reaches("client", "host2", port=8081)': served("8081", "host2"),
    'no_container("unless")': Sabotage("docker create --name unless busybox", "docker rm unless"),
    'prints("host2", "docker -H tcp://host1:2376 --tlsverify info --format \'{{.Name}}\'", "host1")': _away(
        ".docker/cert.pem", "host2"
    ),
    'prints("client", "curl -s --insecure https://host1:2376/containers/json || echo refused", "refused")': _LENT,
    'prints("host2", "docker -H tcp://198.51.100.11:2376 --tlsverify ps 2>&1 || true", "certificate")': _away(
        ".docker/ca.pem", "host2"
    ),
    'not_reaches("client", "host1", port=2375)': served("2375", "host1"),
    'not_reaches("host2", "host1", port=2376)': Sabotage(
        "iptables -D INPUT -p tcp --dport 2376 -j REJECT", "iptables -I INPUT -p tcp --dport 2376 -j REJECT"
    ),
    'prints("host2", "docker --context far-away info --format \'{{.Name}}\'", "host1")': _away(
        ".ssh/known_hosts", "host2"
    ),
    'prints("host2", "docker info --format \'{{.Name}}\'", "host2")': _away("/run/docker.sock", "host2"),
    f'prints("client", "{_STRANGER}", "Permission denied")': stopped("sshd"),
}

SELDOM: dict[str, tuple[str, ...]] = {}
"""Hints for states that are rare or plain, as in sabotage.py."""
