"""For every check of chapter 12 something that turns it red, and the way back."""

from __future__ import annotations

from sabotage import EXTRA_NETWORK, MUTE_ENGINE, Sabotage, deaf, inside, served

__all__ = ["CHAPTER", "SABOTAGE", "SELDOM"]

CHAPTER = "12-overlay"

_HIDDEN = "nsenter --net=/run/docker/netns/1-$(docker network inspect --format '{{slice .Id 0 10}}' wide)"
_VNI = (
    'lab.host.run("docker network inspect --format '
    '\'{{index .Options \\"com.docker.network.driver.overlay.vxlanid_list\\"}}\' wide").stdout.strip()'
)
_PING = "nsenter --target $(docker inspect --format '{{.State.Pid}}' web) --net ping -c 1 -M do"
_SETTLED = "until ip link show docker_gwbridge | grep -q 'state UP'; do sleep 0.1; done"
_DOWN = "docker node ls --format '{{.ID}} {{.Status}}' | grep Down"
_RUN_DB = "docker run -d --name db --network wide --ip 10.7.0.22 busybox top"


def _closed(protocol: str, port: int, where: str) -> Sabotage:
    """The host lets nothing in by that port."""
    rule = f"INPUT -p {protocol} --dport {port} -j DROP"
    return Sabotage(f"iptables -I {rule}", f"iptables -D {rule}", where)


def _mtu(container: str, right: int) -> Sabotage:
    return Sabotage(inside(container, "ip link set eth0 mtu 1300"), inside(container, f"ip link set eth0 mtu {right}"))


def _nothing_caught(name: str, where: str = "host1") -> Sabotage:
    """The file of caught packets has its header, of 24 bytes, and no packet."""
    file = f"/tmp/{name}.pcap"  # noqa: S108 - on a machine of the lab
    return Sabotage(f"cp {file} {file}.kept\nhead -c 24 {file}.kept > {file}", f"mv {file}.kept {file}", where)


def _silent_log(where: str) -> Sabotage:
    return Sabotage(
        "cp /run/dockerd.log /run/kept.log\n: > /run/dockerd.log", "cat /run/kept.log > /run/dockerd.log", where
    )


def _own(container: str, address: str, where: str = "host1") -> Sabotage:
    """The container has that address itself, so that it gets an answer."""
    add, delete = (inside(container, f"ip address {verb} {address}/32 dev lo") for verb in ("add", "delete"))
    return Sabotage(add, delete, where)


def _neighbour(address: str, mac: str) -> Sabotage:
    """The engine's entry for that address is gone."""
    return Sabotage(
        f"{_HIDDEN} ip neighbour delete {address} dev vxlan0",
        f"{_HIDDEN} ip neighbour replace {address} dev vxlan0 lladdr {mac} nud permanent",
    )


_NO_SWARM = Sabotage(
    "docker swarm leave --force",
    f"docker swarm init --advertise-addr eth0 --dispatcher-heartbeat 2s\n{_SETTLED}",
)
_LEFT = Sabotage(
    f'lab.hosts["host3"].run("docker swarm leave")\nlab.host.run("until {_DOWN}; do sleep 0.1; done")',
    'lab.hosts["host3"].run("docker swarm join --token $(cat /run/shared/token) host1:2377\\n'
    f'{_SETTLED}")\n'
    f"lab.host.run(\"docker node rm $({_DOWN} | cut -d ' ' -f 1)\")",
    "notebook",
)
_FDB = "bridge fdb {} 02:42:0a:07:00:16 dev vxlan0 dst 198.51.100.12 self permanent"
_ASKED = Sabotage(  # the client's address, on the LAN
    "cp /tmp/quiet.pcap /tmp/kept.pcap\ntcpdump -i eth0 -c 1 -w /tmp/quiet.pcap arp 2> /tmp/tcpdump.log &\n"
    "until grep -q listening /tmp/tcpdump.log; do sleep 0.1; done\n"
    "ip neighbour flush to 198.51.100.100 dev eth0\nping -c 1 client\nwait",
    "cat /tmp/kept.pcap > /tmp/quiet.pcap",
)
_VIP = (
    "$(docker service inspect --format '{{range .Endpoint.VirtualIPs}}{{println .Addr}}{{end}}' shop"
    " | sed -n 's,^\\(10[.]7[.].*\\)/.*,\\1,p')"
)
_ONE_REPLICA = Sabotage("docker service scale --detach shop=1", "docker service scale shop=2 > /dev/null")

_CLOSED_TRY = "docker run --rm --network closed busybox true 2>&1 || true"
_WIRE = '"host1", "tcpdump -nn -r /tmp/wire.pcap 2>&1"'
_WIRE_LENGTHS = '"host1", "tcpdump -nn -e -r /tmp/wire.pcap 2>&1"'
_ALL_HOSTS = "for host in host1 host2 host3; do curl -s http://$host:8080/hostname; done | wc -l"
_VIP_LOOP = "for i in 1 2 3 4; do wget -q -O - http://shop/hostname; done | sort | uniq | wc -l"

SABOTAGE: dict[str, Sabotage] = {
    'prints("host1", "docker info --format \'{{.Swarm.LocalNodeState}}\'", "inactive")': Sabotage(
        "docker swarm init --advertise-addr eth0", "docker swarm leave --force"
    ),
    'not_listens("host1", 2377)': served("2377"),
    'not_listens("host1", 7946)': served("7946"),
    'listens("host1", 2377, "dockerd")': _NO_SWARM,
    'listens("host1", 7946, "dockerd", protocol="udp")': _NO_SWARM,
    'listens("host1", 4789, protocol="udp")': _NO_SWARM,
    'prints("host1", "docker node ls --format \'{{.Status}}\' | grep -c Ready", "3")': _LEFT,
    'not_listens("host2", 2377)': served("2377", "host2"),
    'prints("host1", "docker network ls --format \'{{.Name}} {{.Scope}}\'", "wide swarm")': Sabotage(
        "docker network rm wide",
        "docker network create --driver overlay --attachable --subnet 10.7.0.0/24 wide",
    ),
    'not_prints("host2", "docker network ls --format \'{{.Name}}\'", "wide")': Sabotage(
        "docker network create wide", "docker network rm wide", "host2"
    ),
    f'prints("host1", "{_CLOSED_TRY}", "not manually attachable")': Sabotage(
        "docker network rm closed\ndocker network create closed",
        "docker network rm closed\ndocker network create --driver overlay closed",
    ),
    'reaches("db", "web")': _closed("udp", 4789, "host1"),
    'reaches("web", "db")': _closed("udp", 4789, "host2"),
    'equal(subnet_of("wide", "host1"), subnet_of("wide", "host2"))': Sabotage("docker rm -f db", _RUN_DB, "host2"),
    'equal(gateway_of("web"), address_of("host1", "docker_gwbridge"))': Sabotage(
        inside("web", "ip route delete default"),
        "way=$(ip -4 -oneline address show docker_gwbridge | awk '{print $4}' | cut -d / -f 1)\n"
        + inside("web", "ip route add default via $way"),
    ),
    'reaches("web", address_of("client", "eth0"))': Sabotage(
        "iptables -I FORWARD -i docker_gwbridge -j DROP", "iptables -D FORWARD -i docker_gwbridge -j DROP"
    ),
    'not_reaches("host1", "10.7.0.11")': Sabotage(
        "ip address add 10.7.0.11/32 dev lo", "ip address delete 10.7.0.11/32 dev lo"
    ),
    f'prints({_WIRE}, "> 198.51.100.12.4789: VXLAN")': _nothing_caught("wire"),
    f'prints({_WIRE}, "10.7.0.11 > 10.7.0.22: ICMP echo request")': _nothing_caught("wire"),
    f'prints({_WIRE}, "vni " + {_VNI})': _nothing_caught("wire"),
    f'prints({_WIRE_LENGTHS}, "length 148: 198.51.100.11")': _nothing_caught("wire"),
    f'prints({_WIRE_LENGTHS}, "length 98: 10.7.0.11 > 10.7.0.22")': _nothing_caught("wire"),
    'prints("host2", "tcpdump -nn -A -r /tmp/word.pcap 2>&1", "password=1234")': _nothing_caught("word", "host2"),
    'prints("web", "cat /sys/class/net/eth0/mtu", "1450")': _mtu("web", 1450),
    f'prints("host1", "{_PING} -s 1422 10.7.0.22", "1 received")': _mtu("web", 1450),
    f'prints("host1", "{_PING} -s 1423 10.7.0.22 2>&1 || true", "message too long")': Sabotage(
        inside("web", "ip route add prohibit 10.7.0.22"), inside("web", "ip route delete prohibit 10.7.0.22")
    ),
    'no_link("host1", "vxlan0")': Sabotage("ip link add vxlan0 type veth peer name other0", "ip link delete vxlan0"),
    'port_of("host1/overlay:wide", "vxlan0", "br0")': Sabotage(
        f"{_HIDDEN} ip link set vxlan0 nomaster", f"{_HIDDEN} ip link set vxlan0 master br0"
    ),
    'neighbour("host1/overlay:wide", "10.7.0.22", "PERMANENT")': _neighbour("10.7.0.22", "02:42:0a:07:00:16"),
    f'prints("host1", "{_HIDDEN} bridge fdb show dev vxlan0", mac_of("db", "eth0") + " dst 198.51.100.12")': Sabotage(
        f"{_HIDDEN} {_FDB.format('delete')}", f"{_HIDDEN} {_FDB.format('add')}"
    ),
    'not_prints("host1", "tcpdump -nn -r /tmp/quiet.pcap 2>&1", "ARP")': _ASKED,
    'neighbour("host1/overlay:wide", "10.7.0.33", "PERMANENT")': _neighbour("10.7.0.33", "02:42:0a:07:00:21"),
    'reaches("db", "far")': _closed("udp", 4789, "host3"),
    'prints("web", "nslookup -type=a site | grep -c \'^Address: \'", "3")': deaf("web"),
    'prints("web", "nslookup -type=a shop | grep -c \'^Address: \'", "1")': deaf("web"),
    'prints("web", "nslookup -type=a tasks.shop | grep -c \'^Address: \'", "2")': deaf("web"),
    f'prints("web", "{_VIP_LOOP}", "2")': _ONE_REPLICA,
    'prints("host1", "grep -m 1 ipvs /run/dockerd.log", "Native loadbalancing will not work")': _silent_log("host1"),
    'not_reaches("web", "shop")': _own("web", _VIP),
    f'prints("client", "{_ALL_HOSTS}", "3")': Sabotage(
        "iptables -I OUTPUT -p tcp --dport 8080 -j REJECT", "iptables -D OUTPUT -p tcp --dport 8080 -j REJECT", "client"
    ),
    'prints("alice", "cat /sys/class/net/eth0/mtu", "1424")': _mtu("alice", 1424),
    'reaches("alice", "bob")': Sabotage(
        "iptables -I INPUT -p esp -j DROP", "iptables -D INPUT -p esp -j DROP", "host2"
    ),
    'prints("host1", "tcpdump -nn -r /tmp/secret.pcap 2>&1", "198.51.100.11 > 198.51.100.12: ESP")': _nothing_caught(
        "secret"
    ),
    'prints("host2", "grep -m 1 \'Failed Adding\' /run/dockerd.log", "function not implemented")': _silent_log("host2"),
    'not_reaches("bob", "alice")': _own("bob", "10.8.0.11", "host2"),
    'not_prints("host1", "docker service ps --filter desired-state=running --format \'{{.Node}}\' site", "host3")': (
        MUTE_ENGINE
    ),
    'no_neighbour("host1/overlay:wide", "10.7.0.33")': Sabotage(
        _neighbour("10.7.0.33", "02:42:0a:07:00:21").undo, _neighbour("10.7.0.33", "02:42:0a:07:00:21").do
    ),
    'container_running("host3/far")': Sabotage("docker pause far", "docker unpause far", "host3"),
    'prints("host1", "docker node ls --format \'{{.Hostname}} {{.Status}}\'", "host3 Ready")': MUTE_ENGINE,
    'reaches("web", "far")': _closed("udp", 4789, "host3"),
    'not_reaches("db", "10.7.0.11")': _own("db", "10.7.0.11", "host2"),
    'prints("host3", "docker info --format \'{{.Swarm.LocalNodeState}}\'", "inactive")': Sabotage(
        "docker swarm init --advertise-addr eth0", "docker swarm leave --force", "host3"
    ),
    'interfaces("host3/far", 0)': Sabotage(
        inside("far", "ip link add x0 type veth peer name x1"), inside("far", "ip link delete x0"), "host3"
    ),
    'networks("bridge", "docker_gwbridge", "host", "none")': EXTRA_NETWORK,
    'not_listens("host1", 4789, protocol="udp")': Sabotage(
        "ip link add vx9 type vxlan id 9 dstport 4789 local 198.51.100.11\nip link set vx9 up", "ip link delete vx9"
    ),
}

SELDOM: dict[str, tuple[str, ...]] = {}
"""Hints for states that are rare or plain, as in sabotage.py."""
