"""Networks of every kind that the drivers make, and odd ones made by hand, in one lab."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dnetkit.lab import Lab
from dnetkit.model import Namespace, Snapshot

__all__ = ["Runner", "build", "enter", "read_json", "spaces"]

Runner = Callable[[str], str]

BY_DRIVERS = r"""
docker run -d --name plain -p 8080:80 -p 127.0.0.1:5353:53/udp -p 80 busybox httpd -f -p 80
docker network create --subnet 10.20.0.0/16 --gateway 10.20.0.1 --ip-range 10.20.5.0/24 --label who=us mine
docker network create --ipv6 --subnet fd00:20::/64 --subnet 10.21.0.0/16 six
docker network create --internal -o com.docker.network.bridge.name=br-inner -o com.docker.network.driver.mtu=1400 inner
docker network create -d macvlan -o parent=eth0 --subnet 198.51.100.0/24 --ip-range 198.51.100.192/27 wire
docker run -d --name web --network mine --network-alias www --ip 10.20.5.9 -p 9090:80 busybox httpd -f -p 80
docker network connect six web
docker network connect --alias hidden inner web
docker run -d --name guest --network container:web busybox sleep 10000
docker run -d --name open --network host busybox sleep 10000
docker run -d --name shut --network none busybox sleep 10000
docker run -d --name mac --network wire busybox sleep 10000
docker run -d --name v6 --network six --dns 10.9.9.9 --dns-search example.org --add-host db:10.1.2.3 busybox sleep 10000
docker run --name done busybox true
"""

BY_HAND = r"""
ip netns add blue; ip netns add red; ip netns add six; ip netns add walls; ip netns add crowd; ip netns add old
ip link add same netns blue type veth peer name same netns red
ip -n blue link add br0 type bridge stp_state 0; ip -n blue link add a0 type veth peer name a1
ip -n blue link set a0 master br0; ip -n blue link set a0 up; ip -n blue link set a1 up; ip -n blue link set br0 up
ip -n blue address add 10.1.0.1/24 dev br0; ip -n blue address add 10.1.0.2/24 dev br0 label br0:x
ip -n blue address add 10.9.0.1 peer 10.9.0.2/32 dev same valid_lft 5000 preferred_lft 4000
ip -n blue link set same alias 'the <b>blue</b> end'; ip -n blue link property add dev same altname another-name
ip -n blue link set same up; ip -n red link set same up; ip -n red address add 10.9.0.2/24 dev same
bridge -n blue fdb add 02:00:00:00:00:99 dev a0 master static
bridge -n blue mdb add dev br0 port a0 grp 239.1.2.3 permanent
bridge -n blue link set dev a0 hairpin on learning off isolated on cost 77
ip -n blue link add v1 link a1 type macvlan mode private; ip -n blue link set v1 up
ip -n blue link add vx type vxlan id 42 remote 10.1.0.9 local 10.1.0.1 dev br0 dstport 4789 ttl 7 nolearning
ip -n blue link set vx up; bridge -n blue fdb append 02:00:00:00:00:77 dev vx dst 10.1.0.8 port 9999 vni 43
ip -n blue link add vy type vxlan dstport 8472 external
ip link add vz type vxlan id 44 dev eth0 local 198.51.100.11 dstport 4790; ip link set vz netns old
ip -n blue link add br1 type bridge stp_state 0; ip -n blue link add b0 type veth peer name b1
ip -n blue link set b0 master br0; ip -n blue link set b1 master br1
ip -n blue link add one type ifb
if [ -w /dev/net/tun ]; then ip -n red tuntap add tun0 mode tun user 4242; fi
if [ -w /dev/net/tun ]; then ip -n red tuntap add tap0 mode tap multi_queue; ip -n red link set tap0 up; fi
ip -n red route add 10.50.0.0/16 via 10.9.0.1 metric 50 mtu 1300 advmss 900
ip -n red route add 10.51.0.0/16 nexthop via 10.9.0.1 weight 3 nexthop via 10.9.0.3
ip -n red route add blackhole 10.52.0.0/16; ip -n red route add unreachable 10.53.0.0/16 metric 9
ip -n red route add 10.54.0.0/16 via 10.99.0.1 dev same onlink table 77
ip -n red rule add from 10.54.0.0/16 lookup 77 priority 100; ip -n red rule add fwmark 0x10/0xff blackhole priority 101
ip -n red rule add not to 10.55.0.1 iif same ipproto tcp dport 80-90 goto 32766 priority 102
ip -n red rule add from all lookup main suppress_prefixlength 0 priority 103; ip -6 -n red rule add to fd00::/8 table 78
ip -n red neighbour add 10.9.0.7 lladdr 02:00:00:00:00:07 dev same; ip -n red neighbour add proxy 10.9.0.8 dev same
ip -n six link add only6 type veth peer name far6; ip -n six link set only6 up; ip -n six link set far6 up
ip -n six address add fd00:66::1/64 dev only6 nodad
ip -n six address add fd00:66::2/64 dev only6 valid_lft 900 preferred_lft 0
ip -n six route add fd00:67::/64 via fd00:66::9 dev only6 metric 5
ip -n six route add default via fd00:66::9 expires 800
ip -n six maddress add 33:33:00:00:12:34 dev only6
for i in $(seq 100); do echo "link add c$i type veth peer name d$i"; done | ip -n crowd -batch -
unshare -n sh -c 'ip link set lo up; echo ready >/tmp/hidden; exec sleep 10000' >/dev/null 2>&1 </dev/null &
while [ ! -s /tmp/hidden ]; do :; done
"""

NFT = r"""
table inet wall {
    set friends { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.1.1, 172.16.0.1-172.16.0.9 }; }
    map where { type inet_service : ipv4_addr; elements = { 80 : 10.0.0.1, 443 : 10.0.0.2 }; }
    set seen { type ipv4_addr . inet_service; flags timeout; timeout 1h; elements = { 10.0.0.1 . 80 }; }
    counter hits { comment "how many"; }
    chain other {
        counter
        log prefix "odd { one" level info
    }
    chain input {
        type filter hook input priority filter; policy drop;
        tcp dport { 22, 80, 443, 8000-8010 } counter accept comment "ours # handle 9"
        ip saddr @friends counter drop
        tcp dport vmap { 1 : accept, 2 : drop, 3 : jump other }
        ct state established,related accept
        counter name "hits"
        limit rate 3/second accept
        reject with icmp port-unreachable
    }
}
table ip docker-bridges {
    map filter-forward-in-jumps {
        type ifname : verdict
        elements = { "docker0" : jump filter-forward-in__docker0, "br-app" : drop }
    }
    map nat-postrouting-out-jumps {
        type ifname : verdict
        elements = { "docker0" : jump nat-postrouting-out__docker0 }
    }
    set ports { type inet_proto . inet_service; elements = { tcp . 80, udp . 53 }; }
    chain filter-FORWARD {
        type filter hook forward priority filter; policy accept;
        iifname vmap @filter-forward-in-jumps counter
        oifname "docker0" meta l4proto . th dport @ports counter accept
    }
    chain filter-forward-in__docker0 {
        ct state vmap { established : accept, related : accept }
        iifname "docker0" counter accept comment "ICC"
        counter drop comment "UNPUBLISHED PORT DROP"
    }
    chain nat-POSTROUTING {
        type nat hook postrouting priority srcnat; policy accept;
        oifname vmap @nat-postrouting-out-jumps
    }
    chain nat-postrouting-out__docker0 {
        ip saddr 172.17.0.0/16 counter masquerade comment "MASQUERADE"
    }
    chain nat-prerouting-and-output {
        tcp dport 8080 counter dnat to 172.17.0.2:80 comment "DNAT"
    }
}
table ip nat {
    chain POSTROUTING {
        type nat hook postrouting priority srcnat;
        masquerade
    }
    chain PREROUTING {
        type nat hook prerouting priority dstnat;
        ip daddr 10.1.1.1 tcp dport 80 counter dnat to 1.1.1.1:80
    }
}
table ip filter {
    chain INPUT {
        type filter hook input priority 0;
        ip saddr 10.0.0.0/23 counter drop
        tcp dport 80 ct state new counter accept
    }
}
table ip6 six {
    chain out {
        type filter hook output priority 5; policy accept;
        ip6 daddr fd00::/8 counter accept
    }
}
table netdev early {
    chain in {
        type filter hook ingress device lo priority 0;
    }
}
table bridge frames {
    chain over {
        type filter hook forward priority 0;
        ether type arp accept
    }
}
table arp questions {
    chain in {
        type filter hook input priority 0;
        arp operation request counter
    }
}
"""

IPTABLES = r"""
IN='ip netns exec crowd'
$IN iptables -A INPUT -i eth+ -p tcp --dport 80 -j ACCEPT
$IN iptables -A INPUT ! -s 10.0.0.0/23 ! -i c1 -p udp --sport 53 -j DROP
$IN iptables -A FORWARD -p tcp -m multiport --dports 80,443 -m conntrack --ctstate NEW -j LOG --log-prefix "a b"
$IN iptables -A FORWARD -p icmp --icmp-type echo-request -m limit --limit 5/min -j REJECT
$IN iptables -A OUTPUT -p tcp ! --dport 99 -m comment --comment 'say "hi" -j DROP'
$IN iptables -t mangle -A OUTPUT -o c2 -j MARK --set-mark 0x7/0xff
$IN iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination 10.0.0.2:80
$IN iptables -t nat -A PREROUTING -p udp -j DNAT --to-destination 10.0.0.2
$IN iptables -t nat -A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports 8081
$IN iptables -t nat -A POSTROUTING -s 10.0.0.0/255.0.255.0 -j MASQUERADE
$IN iptables -t nat -A POSTROUTING -p tcp -j SNAT --to-source 10.0.0.1-10.0.0.9:1000-2000
$IN iptables -t nat -A POSTROUTING -p tcp -j SNAT --to-source :53
$IN iptables -t raw -A PREROUTING -d 10.0.0.2/32 ! -i c1 -j DROP
$IN iptables -N EXTRA
$IN iptables -A EXTRA -m addrtype --dst-type LOCAL -j RETURN
$IN ip6tables -A INPUT -s fd00::/8 -p tcp --dport 443 -j ACCEPT
$IN ip6tables -A INPUT -s fe80::/10 -p ipv6-icmp -j ACCEPT
$IN ip6tables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination [fd00::2]:8080
$IN ip6tables -P FORWARD DROP
"""


LEGACY = r"""
OLD='ip netns exec old'
$OLD iptables-legacy -A INPUT -p tcp --dport 80 -j ACCEPT
$OLD iptables-legacy -N MORE; $OLD iptables-legacy -A MORE -s 10.0.0.0/8 -j RETURN
$OLD iptables-legacy -A FORWARD -j MORE; $OLD iptables-legacy -P FORWARD DROP
$OLD iptables-legacy -t nat -A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE
$OLD ip6tables-legacy -A OUTPUT -d fd00::/8 -m comment --comment "to ours" -j ACCEPT
$OLD ip link set lo up; $OLD iptables-legacy -A OUTPUT -o lo -j ACCEPT
$OLD ping -c 2 -i 0.01 127.0.0.1
"""


def build(lab: Lab) -> None:
    """Make all of it on the first host."""
    lab.host.run(BY_DRIVERS, timeout=120)
    lab.host.run(BY_HAND, timeout=60)
    lab.host.run(IPTABLES + LEGACY, timeout=60)
    lab.host.run(f"ip netns exec walls nft -f - <<'END'\n{NFT}END")


def spaces(snapshot: Snapshot) -> list[Namespace]:
    """Those that a tool can be run in: all but the lab's own."""
    return [space for space in snapshot.namespaces if space.kind != "lan"]


def enter(lab: Lab, snapshot: Snapshot, space: Namespace) -> Runner:
    """A function that runs a script in that namespace and returns what it prints."""
    machine = lab.machine(space.machine)
    if space.kind in ("host", "client"):
        prefix = ""
    elif space.kind == "container":
        pid = next(one.pid for one in snapshot.containers if one.namespace == space.name)
        prefix = f"nsenter -t {pid} -n "
    elif space.kind in ("named", "engine"):
        prefix = f"nsenter --net={space.path} "
    else:
        prefix = f"nsenter -t {space.processes[0].pid} -n "

    def run(script: str) -> str:
        return machine.run(f"{prefix}sh -c '{script}'" if prefix else script).stdout

    return run


def read_json(run: Runner, command: str) -> list[Any]:
    """What a tool prints as JSON; nothing printed is an empty list."""
    printed = run(command).strip()
    return list(json.loads(printed)) if printed else []
