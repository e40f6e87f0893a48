"""For every check of chapter 13 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import Sabotage, served

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "13-build-it-yourself"


def _client(do: str, undo: str) -> Sabotage:
    return Sabotage(do, undo, "client")


def _seen(do: str, undo: str, where: str = "client") -> Sabotage:
    """What the machine is like goes into the table, which is made anew."""
    again = "by_hand, docker = compare()"
    machine = f"lab.machine({where!r})"
    return Sabotage(f"{machine}.run({do!r})\n{again}", f"{machine}.run({undo!r})\n{again}", "notebook")


def _rule(rule: str, table: str = "nat") -> Sabotage:
    """A rule of the client's is gone; afterwards it is the last one of its chain."""
    return _client(f"iptables -t {table} -D {rule}", f"iptables -t {table} -A {rule}")


_DNAT = "-p tcp --dport 8080 -j DNAT --to-destination 10.50.0.2:80"
_MASQUERADE = "POSTROUTING -s 10.50.0.0/24 ! -o hand0 -j MASQUERADE"
_ITSELF = "OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j HAND"
_LET_OUT = "iptables -t nat {} POSTROUTING -s 10.50.0.2 -j MASQUERADE"
_UNHEARD = _client("iptables -I INPUT -p icmp -j DROP", "iptables -D INPUT -p icmp -j DROP")
_SILENT = Sabotage("iptables -I INPUT -p icmp -j DROP", "iptables -D INPUT -p icmp -j DROP")
_UNPLUGGED = _client("ip link set box-out nomaster", "ip link set box-out master hand0")
_PAGE_AWAY = _client("mv box/index.html box/away.html", "mv box/away.html box/index.html")
_NEIGHBOURLESS = _client("ip neighbour flush dev eth0", "ping -c 1 198.51.100.11")
_ANOTHER_GATEWAY = _client(
    "ip -n box route replace default via 10.50.0.9", "ip -n box route replace default via 10.50.0.1"
)
_SERVED_HERE = served("8080", "client")
_NO_PROXY = Sabotage(
    "iptables -I INPUT -i lo -p tcp --dport 8080 -j REJECT", "iptables -D INPUT -i lo -p tcp --dport 8080 -j REJECT"
)
_CLOSED = "OUTPUT -p tcp --dport {} -j REJECT"
_REFUSED = Sabotage(f"iptables -I {_CLOSED.format(80)}", f"iptables -D {_CLOSED.format(80)}")
_OPENED = Sabotage(
    "iptables-save > /tmp/rules\niptables -t raw -F\niptables -I FORWARD -j ACCEPT", "iptables-restore /tmp/rules"
)
_EMPTY_HOSTS = _client("mv /etc/netns/box/hosts /etc/netns/box/away", "mv /etc/netns/box/away /etc/netns/box/hosts")
_OTHER_RESOLV = _client(
    "echo 'nameserver 192.0.2.1' > /etc/netns/box/resolv.conf",
    "echo 'nameserver 198.51.100.1' > /etc/netns/box/resolv.conf",
)

_UNTIL_GONE = 'while [ "$(ip netns pids box)" ]; do :; done'
_PID = "readlink /proc/$({})/ns/pid /proc/self/ns/pid | uniq | wc -l"
_OWN_PIDS = _PID.format("docker inspect -f '{{.State.Pid}}' web")

SABOTAGE: dict[str, Sabotage] = {
    'prints("client", "pidof dockerd || echo no engine", "no engine")': _client(
        "cp $(command -v sleep) /tmp/dockerd\n/tmp/dockerd 100 &", "kill $(pidof dockerd)"
    ),
    'sysctl("client", "net.ipv4.ip_forward", 0)': _client(
        "sysctl -w net.ipv4.ip_forward=1", "sysctl -w net.ipv4.ip_forward=0"
    ),
    'pair("box", "eth0", "client", "box-out")': _client(
        "ip link set box-out down\nip link set box-out name out-box",
        "ip link set out-box name box-out\nip link set box-out up",
    ),
    'port_of("client", "box-out", "hand0")': _UNPLUGGED,
    'has_address("client", "hand0", "10.50.0.1/24")': _client(
        "ip address delete 10.50.0.1/24 dev hand0", "ip address add 10.50.0.1/24 dev hand0"
    ),
    'prints("client", "ip netns exec box ping -c 1 -W 2 10.50.0.1", " 0% packet loss")': _UNHEARD,
    'equal(gateway_of("box"), "10.50.0.1")': _ANOTHER_GATEWAY,
    'no_neighbour("client", "198.51.100.11")': _client("ping -c 1 198.51.100.11", "ip neighbour flush dev eth0"),
    'sysctl("client", "net.ipv4.ip_forward", 1)': _client(
        "sysctl -w net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1"
    ),
    'neighbour("client", "198.51.100.11")': _NEIGHBOURLESS,
    'no_route("host1", "10.50.0.0/24")': Sabotage(
        "ip route add 10.50.0.0/24 via 198.51.100.100", "ip route delete 10.50.0.0/24"
    ),
    'prints("client", "ip netns exec box ping -c 1 -W 2 198.51.100.11", " 0% packet loss")': _SILENT,
    'prints("host1", "curl -s --max-time 2 http://client:8080/", "a page from box")': _PAGE_AWAY,
    'rule("client", "nat", "PREROUTING", target="DNAT", packets=1)': _client(
        "iptables -t nat -Z PREROUTING",
        "iptables -t nat -R PREROUTING 1 -c 1 60 -p tcp --dport 8080 -j DNAT --to-destination 10.50.0.2:80",
    ),
    'not_listens("client", 8080)': _SERVED_HERE,
    'prints("client", "ip netns exec box ping -c 1 -W 0.5 198.51.100.11 || true", "100% packet loss")': _client(
        _LET_OUT.format("-A"), _LET_OUT.format("-D")
    ),
    'prints("client", "ip netns exec box getent hosts box", "10.50.0.2")': _EMPTY_HOSTS,
    'prints("client", "ip netns exec box cat /etc/resolv.conf", "nameserver 198.51.100.1")': _OTHER_RESOLV,
    'not_prints("client", "cat /etc/hosts", "box")': _client(
        "echo '10.50.0.2 box' >> /etc/hosts", "sed -i '/box/d' /etc/hosts"
    ),
    'pair("py", "eth0", "client", "py-out")': _client(
        "ip link set py-out down\nip link set py-out name out-py",
        "ip link set out-py name py-out\nip link set py-out up",
    ),
    'prints("host1", "curl -s --max-time 2 http://client:8081/", "a page from py")': _client(
        "mv py/index.html py/away.html", "mv py/away.html py/index.html"
    ),
    'equal(by_hand["interface in it"], docker["interface in it"])': _seen(
        "ip -n box link set eth0 mtu 1400", "ip -n box link set eth0 mtu 1500"
    ),
    'equal(by_hand["the other end"], docker["the other end"])': _seen(
        "ip address add 192.0.2.9/32 dev box-out", "ip address delete 192.0.2.9/32 dev box-out"
    ),
    'equal(by_hand["routes in it"], docker["routes in it"])': _seen(
        "ip -n box route add 192.0.2.0/24 via 10.50.0.1", "ip -n box route delete 192.0.2.0/24"
    ),
    'equal(by_hand["nat: MASQUERADE"], docker["nat: MASQUERADE"].split("; ")[0])': _seen(
        f"iptables -t nat -D {_MASQUERADE}", f"iptables -t nat -A {_MASQUERADE}"
    ),
    'not_reaches("client", "198.51.100.100", port=8080)': _SERVED_HERE,
    'reaches("host1", "198.51.100.11", port=8080)': _REFUSED,
    'reaches("host1", "127.0.0.1", port=8080)': _NO_PROXY,
    'prints("client", "ip netns exec box curl -sS --max-time 1 http://198.51.100.11:8080/ 2>&1 || true", '
    '"timed out")': _client(
        "iptables -t nat -I PREROUTING -s 10.50.0.2 -j RETURN", "iptables -t nat -D PREROUTING -s 10.50.0.2 -j RETURN"
    ),
    'reaches("host1", "10.50.0.2")': _client("iptables -I FORWARD -j DROP", "iptables -D FORWARD -j DROP"),
    'not_reaches("client", address_of("web", "eth0"))': _OPENED,
    'prints("client", "curl -s --max-time 2 http://198.51.100.100:8080/", "a page from box")': _PAGE_AWAY,
    'prints("client", "ip netns exec box curl -s --max-time 2 http://198.51.100.11:8080/", "a page from web")': (
        _client("iptables -I FORWARD -p tcp -j DROP", "iptables -D FORWARD -p tcp -j DROP")
    ),
    'not_reaches("host1", "10.50.0.2")': _client("iptables -P FORWARD ACCEPT", "iptables -P FORWARD DROP"),
    'equal(by_hand["filter: policy"], docker["filter: policy"])': _seen(
        "iptables -P FORWARD ACCEPT", "iptables -P FORWARD DROP"
    ),
    'equal(by_hand["nat: DNAT"], docker["nat: DNAT"])': _seen(
        f"iptables -t nat -R HAND 1 {_DNAT}", f"iptables -t nat -R HAND 1 ! -i hand0 {_DNAT}"
    ),
    'equal(by_hand["nat: the way there"], docker["nat: the way there"])': _seen(
        f"iptables -t nat -D {_ITSELF}", f"iptables -t nat -A {_ITSELF}"
    ),
    'differ(by_hand["listens on 8080"], docker["listens on 8080"])': _seen(
        "kill $(pidof docker-proxy)", "docker restart -t 0 web", "host1"
    ),
    f'prints("client", "{_PID.format("ip netns pids box")}", "1")': _client(
        f"kill $(ip netns pids box)\n{_UNTIL_GONE}\n"
        "unshare --fork --pid ip netns exec box busybox httpd -f -p 80 -h box &\n"
        'until [ "$(ip netns pids box)" ]; do :; done',
        f"kill -9 $(ip netns pids box)\n{_UNTIL_GONE}\nip netns exec box busybox httpd -p 80 -h box",
    ),
    f'prints("host1", "{_OWN_PIDS}", "2")': Sabotage(
        "docker rm -f web\ndocker run -d --name web --pid host busybox top",
        "docker rm -f web\ndocker run -d --name web -p 8080:80 busybox top",
    ),
    'rule("client", "nat", "HAND", target="DNAT", contains="--dport 8080")': _rule(f"HAND ! -i hand0 {_DNAT}"),
    'no_rule("host1", "nat", "DOCKER", target="DNAT")': Sabotage(
        "iptables -t nat -A DOCKER -p tcp --dport 1 -j DNAT --to-destination 192.0.2.9",
        "iptables -t nat -D DOCKER -p tcp --dport 1 -j DNAT --to-destination 192.0.2.9",
    ),
    'interfaces("client", 1)': _client("ip link add hand0 type bridge", "ip link delete hand0"),
}

SELDOM: dict[str, tuple[str, ...]] = {}
"""Hints for states that are rare or plain, as in sabotage.py."""
