"""The kernel's list of connections, line by line."""

from __future__ import annotations

from dnetkit.agent.probes.conntrack import parse_line
from dnetkit.model import Flow


def test_a_published_port() -> None:
    one = parse_line(
        "ipv4     2 tcp      6 431999 ESTABLISHED src=198.51.100.100 dst=198.51.100.11 sport=5000 dport=8080 "
        "packets=3 bytes=180 src=172.17.0.2 dst=198.51.100.100 sport=80 dport=5000 packets=2 bytes=120 "
        "[ASSURED] mark=7 zone=0 use=2"
    )
    assert (one.protocol, one.state, one.timeout, one.family, one.mark) == ("tcp", "ESTABLISHED", 431999, 4, 7)
    assert one.original == Flow("198.51.100.100", "198.51.100.11", 5000, 8080)
    assert one.reply == Flow("172.17.0.2", "198.51.100.100", 80, 5000)
    assert one.status == ("ASSURED", "DNAT")
    assert (one.packets, one.bytes, one.reply_packets, one.reply_bytes) == (3, 180, 2, 120)
    assert one.translated


def test_an_answerless_ping_of_ipv6() -> None:
    one = parse_line(
        "ipv6     10 icmpv6   58 29 src=fd00:0000:0000:0000:0000:0000:0000:0001 "
        "dst=fd00:0000:0000:0000:0000:0000:0000:0002 "
        "type=128 code=0 id=7 [UNREPLIED] src=fd00:0000:0000:0000:0000:0000:0000:0002 "
        "dst=fd00:0000:0000:0000:0000:0000:0000:0001 type=129 code=0 id=7 mark=0 zone=3 use=2"
    )
    assert (one.protocol, one.state, one.timeout, one.family, one.zone) == ("icmpv6", "", 29, 6, 3)
    assert one.original == Flow("fd00::1", "fd00::2", what="type 128 code 0 id 7")
    assert one.status == ("UNREPLIED",)
    assert not one.translated


def test_masquerading_and_a_protocol_without_ports() -> None:
    one = parse_line(
        "ipv4     2 unknown  2 599 src=172.17.0.1 dst=224.0.0.22 [UNREPLIED] src=224.0.0.22 dst=172.17.0.1 mark=0 use=2"
    )
    assert (one.protocol, one.timeout, one.status) == ("igmp", 599, ("UNREPLIED",))
    two = parse_line(
        "ipv4     2 udp      17 -3 src=172.17.0.2 dst=10.0.0.1 sport=5 dport=53 "
        "src=10.0.0.1 dst=198.51.100.11 sport=53 dport=5 [ASSURED] [OFFLOAD] use=2"
    )
    assert (two.status, two.timeout, two.translated) == (("ASSURED", "SNAT", "OFFLOAD"), -3, True)
