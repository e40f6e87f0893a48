"""Rules in words: those that are known without a program are just what the program prints; the rest is asked once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from dnetkit.agent.netfilter import programs, texts, words
from dnetkit.agent.netfilter.nft import RawChain, RawRule, RawSet, Ruleset
from dnetkit.agent.netfilter.programs import parse_nft, parse_save
from dnetkit.agent.netfilter.texts import Texts

UNSHARE = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]

COMPARE = """
import json, subprocess, sys
from dnetkit.agent.netfilter import nft, programs, words
from dnetkit.agent.netlink import NETLINK_NETFILTER, Netlink

family, save, restore = sys.argv[1:]
subprocess.run([restore], input=sys.stdin.read(), text=True, check=True)
printed = programs.parse_save(programs.ask(save, "-c"), 4, "nft")[1]
ruleset = nft.dump(Netlink(None, NETLINK_NETFILTER))
counts = {}
told = []
for raw in ruleset.rules:
    where = raw.table, raw.chain
    counts[where] = counts.get(where, 0) + 1
    theirs = next(one.text for one in printed if (one.table, one.chain, one.position) == (*where, counts[where]))
    told.append((words.say(raw.family, raw.expressions), theirs))
print(json.dumps(told))
"""


def some_rules(family: str, seed: int, number: int = 300) -> str:
    """Input for iptables-restore: rules put together at random from all that words.py may meet, and a little more."""
    chance = random.Random(seed)  # noqa: S311 - the same rules each time

    def maybe(*choices: str) -> str:
        return chance.choice(["", "", *choices])

    if family == "ip":
        sources = ("-s 10.1.2.3", "! -s 10.0.0.0/8", "-s 10.1.0.0/23", "-s 10.1.2.0/255.255.0.255", "-s 172.16.0.0/12")
        targets = ("-d 127.0.0.11", "! -d 127.0.0.0/8", "-d 10.9.8.7/31", "-d 0.0.0.0/1")
        ends = ("10.0.0.2:80", "10.0.0.2", "10.0.0.2-10.0.0.5", "10.0.0.2:80-90", "10.0.0.2:80 --random", ":53", ":99")
    else:
        sources = ("-s fd00::1", "! -s fd00::/8", "-s fe80::/10", "-s fd00:1:2:3::/61", "-s ::/1")
        targets = ("-d fd00::1", "! -d ff00::/8", "-d 2001:db8::/32")
        ends = ("[fd00::2]:80", "fd00::2", "[fd00::2]:80-90", "fd00::2-fd00::5", "[fd00::2]:8080")
    links = ("-i eth0", "! -i br-0123456789ab", "-i eth+", "-i a.b", "! -i veth+")
    outs = ("-o eth0", "! -o docker0", "-o br+", "-o x")
    protocols = ("-p tcp", "-p udp", "-p icmp", "! -p tcp", "-p 47", "-p sctp")
    ports = (
        *("--dport 80", "--sport 53", "! --dport 8080", "--dport 1:1023", "--sport 1 --dport 2", "--dport 0"),
        *("! --sport 65535", "--dport 443"),
    )
    lines = ["*filter", ":INPUT ACCEPT [0:0]", ":OWN-1 - [0:0]", ":own_two - [0:0]"]
    for _ in range(number):
        protocol = maybe(*protocols)
        name = protocol.removeprefix("-p ")
        match = f"-m {name} {chance.choice(ports)}" if name in ("tcp", "udp") and chance.random() < 0.7 else ""
        more = maybe(
            "-m mark --mark 1",
            "-m conntrack --ctstate NEW",
            "-m comment --comment hello",
            "-m addrtype --dst-type LOCAL",
        )
        more = more if chance.random() < 0.2 else ""
        end = chance.choice(["-j ACCEPT", "-j DROP", "-j RETURN", "-j OWN-1", "-g own_two", "-j LOG", "-j REJECT", ""])
        parts = [maybe(*sources), maybe(*targets), maybe(*links), "", protocol, match, more, end]
        lines.append(" ".join(["-A INPUT", *filter(None, parts)]))
    lines += ["COMMIT", "*nat", ":POSTROUTING ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", ":DOCKER - [0:0]"]
    for _ in range(number):
        way = chance.choice(["-p tcp -m tcp --dport 80", "-p udp -m udp --sport 53", "-p tcp", "-p udp"])
        end = chance.choice(ends)
        if chance.random() < 0.5 or end.startswith(":"):
            parts = ["-A POSTROUTING", maybe(*sources), maybe(*outs), way, f"-j SNAT --to-source {end}"]
        else:
            parts = ["-A OUTPUT", maybe(*targets), maybe(*outs), way, f"-j DNAT --to-destination {end}"]
        lines.append(" ".join(filter(None, parts)))
    lines += [
        f"-A POSTROUTING {sources[0]} ! -o docker0 -j MASQUERADE",
        "-A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024",
    ]
    lines += ["-A POSTROUTING -j MASQUERADE --random", "-A DOCKER -j RETURN", "COMMIT", ""]
    return "\n".join(lines)


@pytest.mark.live
@pytest.mark.parametrize(("family", "program"), [("ip", "iptables"), ("ip6", "ip6tables")])
def test_what_is_known_is_what_iptables_save_prints(family: str, program: str) -> None:
    known = 0
    for seed in range(3):
        done = subprocess.run(
            [*UNSHARE, sys.executable, "-c", COMPARE, family, f"{program}-nft-save", f"{program}-nft-restore"],
            input=some_rules(family, seed), capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        pairs = json.loads(done.stdout)
        assert len(pairs) > 500
        assert [pair for pair in pairs if pair[0] not in (None, pair[1])] == []
        known += sum(pair[0] is not None for pair in pairs)
    assert known > 600


def test_what_is_not_known_for_certain_is_left_to_the_program() -> None:
    assert words.say("ip", [("counter", b"")]) == ""
    assert words.say("ip", [("counter", b""), ("log", b"")]) is None
    assert words.say("inet", [("counter", b"")]) is None
    assert words.say("ip", [("meta", b"\x01\x02\x03")]) is None
    assert words.say("ip", [("immediate", b"")]) is None


def test_what_nft_prints_is_read_rule_by_rule_and_set_by_set() -> None:
    rules, sets = parse_nft(
        textwrap.dedent(
            """\
            table inet wall { # handle 1
            \tset friends { # handle 4
            \t\ttype ipv4_addr
            \t\tflags interval
            \t\tcomment "a } b, c"
            \t\telements = { 1.1.1.1, 2.2.2.2,
            \t\t\t     10.0.0.0/8 }
            \t}

            \tmap m { # handle 6
            \t\ttype inet_service : verdict
            \t\telements = { 80 : accept }
            \t}

            \tcounter hits { # handle 3
            \t\tcomment "x"
            \t}

            \tchain input { # handle 2
            \t\tcomment "in { words"
            \t\ttype filter hook input priority filter; policy drop;
            \t\ttcp dport { 22,
            \t\t\t    80 } accept comment "a # handle 3" # handle 11
            \t\tlog prefix "x { y" # handle 12
            \t}
            }
            table ip6 wall { # handle 2
            \tchain input { # handle 1
            \t\tdrop # handle 11
            \t}
            }
            """
        )
    )
    assert rules == {
        ("inet", "wall", "input", 11): 'tcp dport { 22, 80 } accept comment "a # handle 3"',
        ("inet", "wall", "input", 12): 'log prefix "x { y"',
        ("ip6", "wall", "input", 11): "drop",
    }
    friends = sets["inet", "wall", "friends"]
    assert (friends["type"], friends["flags"]) == ("ipv4_addr", "interval")
    assert friends["elements"] == "1.1.1.1, 2.2.2.2, 10.0.0.0/8"
    assert sets["inet", "wall", "m"]["elements"] == "80 : accept"


def test_what_iptables_save_prints_is_read_with_positions_and_counters() -> None:
    chains, rules = parse_save(
        "# Generated\n*nat\n:PREROUTING ACCEPT [1:60]\n:DOCKER - [0:0]\n[3:180] -A DOCKER -j RETURN\n"
        '[0:0] -A DOCKER -m comment --comment "a b" -j DNAT\n[1:2] -A PREROUTING\nCOMMIT\n',
        4,
        "legacy",
    )
    assert [(one.name, one.policy, one.packets, one.bytes) for one in chains] == [
        ("PREROUTING", "ACCEPT", 1, 60), ("DOCKER", "", 0, 0),
    ]  # fmt: skip
    assert [(one.chain, one.position, one.text, one.packets) for one in rules] == [
        ("DOCKER", 1, "-j RETURN", 3), ("DOCKER", 2, '-m comment --comment "a b" -j DNAT', 0), ("PREROUTING", 1, "", 1),
    ]  # fmt: skip


class Tools:
    """Stands for iptables-save and nft: counts who was asked, and answers or fails."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def ask(self, *command: str) -> str:
        self.asked.append(command[0])
        answer = self.answers.get(command[0].replace("-", "_"))
        if answer is None:
            raise OSError(f"the program {command[0]} is not there")
        return answer


def rule(handle: int, *expressions: tuple[str, bytes], family: str = "ip", chain: str = "INPUT") -> RawRule:
    key = f"{family} {expressions}".encode()
    return RawRule(family, "filter", chain, handle, expressions, True, key, 0, 0)


INPUT = RawChain("ip", "filter", "INPUT", "input", 0, "filter", accepts=True)
STRANGE = ("match", b"\x08\0\1\0odd\0")
IPSET = ("match", b"\x08\0\1\0set\0")


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(**answers: str) -> Tools:
        made = Tools(**answers)
        monkeypatch.setattr(programs, "ask", made.ask)
        monkeypatch.setattr(texts.programs, "ask", made.ask)
        return made

    return install


SAVED = "*filter\n:INPUT ACCEPT [0:0]\n[0:0] -A INPUT -j ACCEPT\n[0:0] -A INPUT -m odd -j LOG\nCOMMIT\n"


def test_a_rule_is_asked_about_once(tools: Any) -> None:
    made = tools(iptables_nft_save=SAVED)
    memory = Texts()
    ruleset = Ruleset(1, (("ip", "filter"),), [INPUT], [rule(1, ("counter", b"")), rule(2, STRANGE)])
    said = memory.say(ruleset)
    assert said.rules == {("ip", "filter", 1): "-j ACCEPT", ("ip", "filter", 2): "-m odd -j LOG"}
    assert (said.iptables, said.asked, said.unsaid) == ({("ip", "filter")}, True, {})
    again = memory.say(ruleset)
    assert (again.rules, again.asked) == (said.rules, False)
    assert made.asked == ["iptables-nft-save"]


def test_a_rule_that_names_an_ipset_is_asked_about_each_time(tools: Any) -> None:
    made = tools(iptables_nft_save=SAVED)
    memory = Texts()
    ruleset = Ruleset(1, (("ip", "filter"),), [INPUT], [rule(1, IPSET), rule(2, STRANGE)])
    memory.say(ruleset)
    memory.say(ruleset)
    assert made.asked == ["iptables-nft-save"] * 2


LISTED = (
    "table ip filter { # handle 1\n\tchain INPUT { # handle 1\n\t\todd thing # handle 1\n\t\tdrop # handle 2\n\t}\n}\n"
)


@pytest.mark.parametrize(
    "saved",
    [None, "# Table `filter' is incompatible, use 'nft' tool.\n", SAVED.replace("[0:0] -A INPUT -j ACCEPT\n", "")],
)
def test_what_iptables_does_not_tell_nft_does(tools: Any, saved: str | None) -> None:
    made = tools(**({"iptables_nft_save": saved} if saved is not None else {}), nft=LISTED)
    said = Texts().say(Ruleset(1, (("ip", "filter"),), [INPUT], [rule(1, STRANGE), rule(2, STRANGE, ("log", b""))]))
    assert said.rules == {("ip", "filter", 1): "odd thing", ("ip", "filter", 2): "drop"}
    assert said.iptables == set()
    assert made.asked == ["iptables-nft-save", "nft"]


def test_a_chain_that_iptables_would_not_make_is_told_by_nft(tools: Any) -> None:
    made = tools(nft=LISTED)
    own = RawChain("ip", "filter", "mine", "input", 0, "filter", accepts=True)
    said = Texts().say(Ruleset(1, (("ip", "filter"),), [INPUT, own], [rule(1, ("counter", b""))]))
    assert said.rules == {("ip", "filter", 1): "odd thing"}
    assert made.asked == ["nft"]


def test_where_no_tool_can_tell_the_reason_is_given(tools: Any) -> None:
    tools()
    said = Texts().say(
        Ruleset(1, (("inet", "w"),), [], [rule(1, STRANGE, family="inet")], [RawSet("inet", "w", "s", b"key")])
    )
    assert said.rules == {}
    assert said.unsaid == {("inet", "w"): "the program nft is not there"}
    odd = RawRule("inet", "w", "c", 1, (STRANGE,), False, b"k", 0, 0)
    assert Texts().say(Ruleset(1, (("inet", "w"),), [], [odd])).unsaid == {
        ("inet", "w"): "the program nft is not there"
    }
