"""The snapshot says what the tools say that no one here wrote, fact by fact, on networks of every kind and odd ones."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import zoo
from leaks import Watch
from waiting import wait_for

from dnetkit import words
from dnetkit.lab import Lab
from dnetkit.model import FOREVER, Link, Namespace, Snapshot

pytestmark = pytest.mark.live

T = TypeVar("T")


@pytest.fixture(scope="module")
def lab(watch: Watch) -> Iterator[Lab]:
    """One lab with all the networks, for all tests here; none of them changes anything."""
    with watch.nothing_left(whole=True), Lab() as opened:
        zoo.build(opened)
        yield opened


def steady(lab: Lab, ask: Callable[[Snapshot], T]) -> tuple[Snapshot, T]:
    """A snapshot, and what the tools said before it and after it, which was the same."""
    for _ in range(10):
        before = ask(lab.snapshot())
        snapshot = lab.snapshot()
        if ask(snapshot) == before:
            return snapshot, before
    raise AssertionError("what the tools say never stayed the same around a snapshot")


def by_space(lab: Lab, command: str, clean: Callable[[Any], Any] = lambda said: said) -> Callable[[Snapshot], Any]:
    """What a command prints as JSON in each namespace."""

    def ask(snapshot: Snapshot) -> dict[str, Any]:
        return {
            space.name: clean(zoo.read_json(zoo.enter(lab, snapshot, space), command)) for space in zoo.spaces(snapshot)
        }

    return ask


def text_by_space(lab: Lab, command: str, clean: Callable[[str], Any]) -> Callable[[Snapshot], Any]:
    """What a command prints in each namespace."""

    def ask(snapshot: Snapshot) -> dict[str, Any]:
        return {space.name: clean(zoo.enter(lab, snapshot, space)(command)) for space in zoo.spaces(snapshot)}

    return ask


def every(snapshot: Snapshot, said: dict[str, T]) -> Iterator[tuple[Namespace, T]]:
    assert len(said) > 10
    for name, told in said.items():
        space = snapshot.namespace(name)
        assert space is not None
        assert space.unavailable == ()
        yield space, told


def without(*keys: str) -> Callable[[Any], Any]:
    """Drops keys, at any depth, that change by themselves."""

    def clean(said: Any) -> Any:
        if isinstance(said, dict):
            return {key: clean(value) for key, value in said.items() if key not in keys}
        return [clean(item) for item in said] if isinstance(said, list) else said

    return clean


_TIMERS = ("hello_timer", "tcn_timer", "topology_change_timer", "gc_timer", "hold_timer", "message_age_timer")
_TIMERS += ("forward_delay_timer", "preferred_life_time", "valid_life_time", "stats64", "expires", "updated", "used")


def flag(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def test_links(lab: Lab) -> None:
    snapshot, said = steady(lab, by_space(lab, "ip -j -d link", without(*_TIMERS)))
    kinds = set()
    for space, told in every(snapshot, said):
        assert [link.index for link in space.links] == [one["ifindex"] for one in told]
        for link, one in zip(space.links, told, strict=True):
            kinds.add(link.kind)
            assert link.name == one["ifname"]
            assert link.mtu == one["mtu"]
            assert link.state == one["operstate"]
            assert list(link.flags) == one["flags"]
            assert link.up == ("UP" in one["flags"])
            assert link.mac == one.get("address", "")
            assert link.broadcast == one.get("broadcast", "")
            assert link.qdisc == one["qdisc"]
            assert link.queue_length == one.get("txqlen", 0)
            assert str(link.group) == one["group"].replace("default", "0")
            assert link.promiscuity == one["promiscuity"]
            assert link.alias == one.get("ifalias", "")
            assert list(link.altnames) == one.get("altnames", [])
            assert link.master == one.get("master")
            assert link.netnsid == one.get("link_netnsid")
            info = one.get("linkinfo", {})
            assert link.kind == info.get("info_kind", "loopback" if one["link_type"] == "loopback" else "ether")
            check_parameters(link, info.get("info_data", {}))
            assert (link.port is not None) == (info.get("info_slave_kind") == "bridge")
    assert kinds >= {"loopback", "veth", "bridge", "macvlan", "vxlan", "ifb"}
    assert "tun" in kinds or not lab.host.run("test -w /dev/net/tun", check=False).ok


def check_parameters(link: Link, told: dict[str, Any]) -> None:
    """Each parameter that ip prints and we know is the same; ours that ip leaves out are zero or empty."""
    low_high = told.pop("port_range", None)
    if low_high is not None:
        told["port_range"] = f"{low_high['low']} {low_high['high']}"
    told["remote"] = told.pop("group", told.get("remote")) if link.kind == "vxlan" else told.get("remote")
    known = dict(link.parameters)
    for name, value in known.items():
        expected = told.get(name)
        if name == "group_fwd_mask":
            expected = hex(int(told[name], 16))
        if expected is None:
            assert value in ("0", "", "4294967295", "none") or name in ("link", "limit"), (link.name, name, value)
        else:
            assert value == flag(expected), (link.name, name)
    ignored = {
        "df",
        "numqueues",
        "numdisabled",
        "usedbcqueuelen",
        "remote",
        "no_linklocal_learn",
        "mcast_vlan_snooping",
    }
    assert {name for name in told if not name.startswith("mcast_")} - ignored <= known.keys()


def test_both_ends_of_each_pair_and_each_parent(lab: Lab) -> None:
    snapshot = lab.snapshot()
    pairs = 0
    for space in snapshot.namespaces:
        for link in space.links:
            if link.kind == "veth":
                assert link.peer is not None
                far = snapshot.namespace(link.peer.namespace)
                assert far is not None
                other = far.link(link.peer.name)
                assert other is not None
                assert (other.index, other.peer.namespace, other.peer.index) == (
                    link.peer.index, space.name, link.index,
                )  # fmt: skip
                pairs += 1
            if link.kind == "macvlan":
                assert link.parent is not None
    assert pairs > 210
    blue, red = snapshot.namespace("blue"), snapshot.namespace("red")
    assert blue.link("same").peer.namespace == red.name
    assert blue.link("a0").peer == dataclasses.replace(blue.link("v1").parent, name="a1")
    assert blue.link("vx").parent.name == "br0"
    assert [(blue.link(name).master, blue.link(name).peer.name) for name in ("b0", "b1")] == [
        ("br0", "b1"), ("br1", "b0"),
    ]  # fmt: skip
    away = snapshot.namespace("old").link("vz")
    assert (away.underlay, away.parent.namespace, away.parent.name) == ("host1", "host1", "eth0")
    assert snapshot.namespace("mac").link("eth0").parent.namespace == "host1"


def test_addresses(lab: Lab) -> None:
    snapshot, _ = steady(lab, by_space(lab, "ip -j -d address", without(*_TIMERS)))
    fresh = by_space(lab, "ip -j -d address")(snapshot)
    found = 0
    for space, told in every(snapshot, fresh):
        for link, one in zip(space.links, told, strict=True):
            assert [address.ip for address in link.addresses] == [item["local"] for item in one["addr_info"]]
            for address, item in zip(link.addresses, one["addr_info"], strict=True):
                found += 1
                assert address.cidr == f"{item['local']}/{item['prefixlen']}"
                assert address.family == (4 if item["family"] == "inet" else 6)
                assert address.scope == item["scope"]
                assert address.peer == item.get("address", "")
                assert address.broadcast == item.get("broadcast", "")
                assert address.label == item.get("label", "").removeprefix(
                    link.name if item.get("label") == link.name else " "
                )
                words = ("dynamic", "secondary", "temporary", "deprecated", "nodad", "noprefixroute", "mngtmpaddr")
                assert {word for word in words if item.get(word)} == set(address.flags) & set(words)
                for ours, theirs in (
                    (address.valid_lifetime, item["valid_life_time"]),
                    (address.preferred_lifetime, item["preferred_life_time"]),
                ):
                    assert ours == theirs == FOREVER or 0 <= ours - theirs < 60
    assert found > 30
    assert any(one.valid_lifetime < 5001 and one.peer for one in snapshot.namespace("blue").link("same").addresses)


def test_statistics(lab: Lab) -> None:
    snapshot, said = steady(lab, by_space(lab, "ip -j -s link"))
    for space, told in every(snapshot, said):
        for link, one in zip(space.links, told, strict=True):
            counts = {
                f"{way}_{what}": one["stats64"][way][what]
                for way in ("rx", "tx")
                for what in ("packets", "bytes", "errors", "dropped")
            }
            counts |= {
                "multicast": one["stats64"]["rx"]["multicast"], "collisions": one["stats64"]["tx"]["collisions"],
            }  # fmt: skip
            assert dataclasses.asdict(link.statistics) == counts


def test_routes(lab: Lab) -> None:
    commands = {family: f"ip -{family} -j -d -N route show table all" for family in (4, 6)}
    for family, command in commands.items():
        snapshot, said = steady(lab, by_space(lab, command, without("expires")))
        for space, told in every(snapshot, said):
            ours = [route for route in space.routes if route.family == family]
            assert sorted(map(short_route, ours)) == sorted(short_told(one, family) for one in told)
            for route in ours:
                assert (route.expires > 0) == (route.destination == "default" and route.gateway == "fd00:66::9")
    red = snapshot.namespace("red")
    assert {route.kind for route in red.routes} >= {"blackhole", "unreachable", "unicast", "local", "broadcast"}
    assert [hop.weight for route in red.routes for hop in route.nexthops] == [3, 1]


_KINDS = {"1": "unicast", "2": "local", "3": "broadcast", "4": "anycast", "5": "multicast", "6": "blackhole"}
_KINDS |= {"7": "unreachable", "8": "prohibit"}
_TABLES = {"253": "default", "254": "main", "255": "local"}
_SCOPES = {"0": "global", "253": "link", "254": "host", "255": "nowhere"}
_PROTOCOLS = {"2": "kernel", "3": "boot", "4": "static", "9": "ra"}


def short_route(route: Any) -> tuple[Any, ...]:
    options = dict(route.options)
    return (
        route.kind, route.destination, route.table, route.device, route.gateway, route.source, route.protocol,
        route.scope if route.family == 4 else "", route.metric, options.get("mtu", ""), options.get("advmss", ""),
        options.get("pref", ""), ",".join(sorted(route.flags)),
        ",".join(f"{hop.gateway} {hop.device} {hop.weight}" for hop in route.nexthops),
    )  # fmt: skip


def short_told(one: dict[str, Any], family: int) -> tuple[Any, ...]:
    destination = one["dst"]
    if destination != "default" and "/" not in destination:
        destination += "/32" if family == 4 else "/128"
    metrics = one.get("metrics", [{}])[0]
    table, protocol = one.get("table", "main"), one["protocol"]
    scope = str(one.get("scope", "0"))
    hops = one.get("nexthops", [])
    return (
        _KINDS.get(one.get("type", "1"), one.get("type")), destination, _TABLES.get(table, table), one.get("dev", ""),
        one.get("gateway", ""), one.get("prefsrc", ""), _PROTOCOLS.get(protocol, protocol),
        _SCOPES.get(scope, scope) if family == 4 else "", one.get("metric", 0), str(metrics.get("mtu", "")),
        str(metrics.get("advmss", "")), one.get("pref", ""), ",".join(sorted(one.get("flags", []))),
        ",".join(f"{hop['gateway']} {hop['dev']} {hop['weight']}" for hop in hops),
    )  # fmt: skip


def test_policy_rules(lab: Lab) -> None:
    for family in (4, 6):
        snapshot, said = steady(lab, by_space(lab, f"ip -{family} -j rule"))
        for space, told in every(snapshot, said):
            ours = [rule for rule in space.policy_rules if rule.family == family]
            assert len(ours) == len(told)
            for rule, one in zip(ours, told, strict=True):
                assert rule.priority == one["priority"]
                assert rule.source == one["src"] + (f"/{one['srclen']}" if "srclen" in one else "")
                assert rule.destination == one.get("dst", "all") + (f"/{one['dstlen']}" if "dstlen" in one else "")
                assert rule.invert == ("not" in one)
                assert rule.table == one.get("table", "")
                assert rule.action.partition(" ")[0] == one.get("action", "goto" if "goto" in one else "lookup")
                options = dict(rule.options)
                if "fwmark" in one:
                    assert options["fwmark"] == one["fwmark"] + (f"/{one['fwmask']}" if "fwmask" in one else "")
                if "iif" in one:
                    assert options["iif"] == one["iif"]
                if "suppress_prefixlen" in one:
                    assert options["suppress_prefixlength"] == str(one["suppress_prefixlen"])
    rule = next(rule for rule in snapshot.namespace("red").policy_rules if rule.priority == 102)
    assert (rule.action, rule.invert, rule.destination) == ("goto 32766", True, "10.55.0.1")
    assert rule.options == (("iif", "same"), ("ipproto", "tcp"), ("dport", "80-90"))


def test_neighbours(lab: Lab) -> None:
    lab.client.run("ping -c 1 -W 1 198.51.100.11")
    snapshot, said = steady(lab, by_space(lab, "ip -j neigh"))
    _, proxies = steady(lab, by_space(lab, "ip -j neigh show proxy"))
    for space, told in every(snapshot, said):
        ours = [one for one in space.neighbours if "proxy" not in one.flags]
        assert sorted((one.address, one.device, one.mac, one.state) for one in ours) == sorted(
            (one["dst"], one["dev"], one.get("lladdr", ""), one["state"][0]) for one in told
        )
        ours = [one for one in space.neighbours if "proxy" in one.flags]
        assert sorted((one.address, one.device) for one in ours) == sorted(
            (one["dst"], one.get("dev", "")) for one in proxies[space.name]
        )
    assert any(space.neighbours for space in snapshot.namespaces if space.kind == "client")


def test_forwarding_databases(lab: Lab) -> None:
    snapshot, said = steady(lab, by_space(lab, "bridge -j -d fdb"))
    for space, told in every(snapshot, said):
        names = {"permanent": "permanent", "static": "static"}
        assert {
            (one.mac, one.device, one.bridge, one.state, one.vlan, one.remote, one.port, one.vni, one.flags)
            for one in space.forwarding
        } == {
            (
                one["mac"], one["ifname"], one.get("master", ""), names.get(one["state"], "learned"),
                one.get("vlan", 0), one.get("dst", ""), one.get("port", 0), one.get("vni", 0), tuple(one["flags"]),
            )
            for one in told
        }  # fmt: skip
    assert any(one.vni == 43 and one.port == 9999 for one in snapshot.namespace("blue").forwarding)


def test_bridge_ports(lab: Lab) -> None:
    snapshot, said = steady(lab, by_space(lab, "bridge -j -d link"))
    words = ("hairpin", "guard", "root_block", "fastleave", "learning", "flood", "mcast_flood", "bcast_flood")
    words += ("mcast_to_unicast", "neigh_suppress", "vlan_tunnel", "isolated", "locked")
    for space, told in every(snapshot, said):
        ports = {link.name: link.port for link in space.links if link.port is not None}
        assert ports.keys() == {one["ifname"] for one in told}
        for one in told:
            port = ports[one["ifname"]]
            assert (port.state, port.cost, port.priority) == (one["state"], one["cost"], one["priority"])
            assert set(port.flags) & set(words) == {word for word in words if one.get(word)}
    assert snapshot.namespace("blue").link("a0").port.cost == 77


def test_groups_that_bridges_know(lab: Lab) -> None:
    snapshot, said = steady(lab, by_space(lab, "bridge -j mdb"))
    for space, told in every(snapshot, said):
        entries = told[0]["mdb"] if told else []
        assert {(one.bridge, one.port, one.group, one.state) for one in space.groups} == {
            (one["dev"], one["port"], one["grp"], one["state"]) for one in entries
        }
    assert any(one.group == "239.1.2.3" and one.state == "permanent" for one in snapshot.namespace("blue").groups)


def test_memberships(lab: Lab) -> None:
    snapshot, said = steady(lab, by_space(lab, "ip -j maddress"))
    for space, told in every(snapshot, said):
        expected = set()
        for one in told:
            for entry in one["maddr"]:
                family = {"inet": 4, "inet6": 6}.get(entry.get("family", ""), 0)
                address = entry.get("address") or entry["link"]
                expected.add((address, one["ifname"], family, entry.get("users", 1)))
        assert {(one.address, one.device, one.family, one.users) for one in space.memberships} == expected
    assert any(one.address == "33:33:00:00:12:34" for one in snapshot.namespace("six").memberships)


def test_settings(lab: Lab) -> None:
    snapshot = lab.snapshot()
    for space in zoo.spaces(snapshot):
        few = {f".{link.name}." for link in space.links[10:]}  # of hundreds of links some are enough
        names = [name for name, _ in space.sysctls if not any(link in name for link in few)]
        printed = zoo.enter(lab, snapshot, space)("sysctl -e " + " ".join(f'"{name}"' for name in names))
        told = dict(line.split(" = ", 1) for line in printed.splitlines())
        assert {name: " ".join(value.split()) for name, value in told.items()} == {
            name: value for name, value in space.sysctls if name in names
        }
        for link in space.links[:10]:
            assert f"net.ipv4.conf.{link.name.replace('.', '/')}.rp_filter" in names
    assert snapshot.namespace("host1").sysctl("net.ipv4.ip_forward") == "1"


def test_sockets(lab: Lab) -> None:
    old = "ip netns exec old"
    lab.host.run(
        f"{old} busybox nc -ll -p 7777 -e sleep 1000 </dev/null >/dev/null 2>&1 &\n"
        f"{old} bash -c 'until exec 3<>/dev/tcp/127.0.0.1/7777; do :; done; exec sleep 1000' </dev/null >/tmp/c 2>&1 &"
    )
    lab.host.run("docker exec plain sh -c 'echo hello >/hello'")
    lab.client.run("wget -q -O /dev/null 198.51.100.11:8080/hello")
    wait_for("a connection", lambda: "ESTAB" in {one.state for one in lab.snapshot().namespace("old").sockets})
    try:
        snapshot, said = steady(lab, text_by_space(lab, "ss -H -n -a -t -u -w -p -e -O", parse_ss))
        for space, told in every(snapshot, said):
            ours = {
                (one.protocol, one.state, one.local, one.local_port, one.remote, one.remote_port, one.device): (
                    one.inode, {(process.name, process.pid) for process in one.processes},
                )
                for one in space.sockets
                if one.protocol != "packet"
            }  # fmt: skip
            assert ours == told
        states = {one.state for space in snapshot.namespaces for one in space.sockets}
        assert states >= {"LISTEN", "ESTAB", "UNCONN", "TIME-WAIT"}
        web = next(one for one in snapshot.namespace("plain").sockets if one.local_port == 80 and one.state == "LISTEN")
        assert [(process.name, process.container) for process in web.processes] == [("httpd", "plain")]
    finally:
        lab.host.run("kill $(ip netns pids old)")


def parse_ss(printed: str) -> dict[tuple[Any, ...], tuple[int, set[tuple[str, int]]]]:
    made = {}
    for line in printed.splitlines():
        protocol, state, _, _, local, remote, *rest = line.split()
        inode = re.search(r"\bino:(\d+)", line)
        users = {(name, int(pid)) for name, pid in re.findall(r'\("([^"]+)",pid=(\d+)', " ".join(rest))}
        address, port, device = split_address(local)
        far, far_port, _ = split_address(remote)
        if far in ("0.0.0.0", "::") and not far_port:
            far = ""
        made[protocol, state, address, port, far, far_port, device] = (int(inode[1]) if inode else 0, users)
    return made


def split_address(text: str) -> tuple[str, int, str]:
    address, _, port = text.rpartition(":")
    address, _, device = address.partition("%")
    plain = address.strip("[]")
    return "::" if plain == "*" else plain, int(port) if port.isdigit() else 0, device.strip("]")


def saved(printed: str) -> dict[str, Any]:
    """What iptables-save printed: policies with counters, and the rules of each chain in their order, with theirs."""
    made: dict[str, Any] = {}
    table = ""
    for line in printed.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            name, policy, counts = line[1:].split(" ")
            made[f"{table}/{name}"] = [(policy, counts)]
        elif line.startswith("["):
            counts, _, rule = line.partition(" -A ")
            name, _, text = rule.partition(" ")
            made[f"{table}/{name}"].append((text, counts))
    return made


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_rules_of_iptables(lab: Lab, backend: str) -> None:
    rules = 0
    for family, program in ((4, "iptables"), (6, "ip6tables")):
        # Reading would load the tables of legacy iptables where there are none.
        names = f"/proc/net/ip{'' if family == 4 else '6'}_tables_names"
        command = f"{program}-nft-save -c"
        if backend == "legacy":
            command = f'test -z "$(cat {names})" || {program}-legacy-save -c'
        snapshot, said = steady(lab, text_by_space(lab, command, saved))
        for space, told in every(snapshot, said):
            ours: dict[str, Any] = {}
            mine = [one for one in space.chains if (one.family, one.backend) == (family, backend)]
            theirs = {rule.table for rule in space.rules if rule.syntax == "nft"}
            for chain in mine:
                if chain.table not in theirs and chain.table != "six":
                    counts = f"[{chain.packets}:{chain.bytes}]"
                    ours[f"{chain.table}/{chain.name}"] = [(chain.policy or "-", counts)]
            for rule in space.rules:
                if (rule.family, rule.backend, rule.syntax) == (family, backend, "iptables"):
                    rules += 1
                    ours[f"{rule.table}/{rule.chain}"].append((rule.text, f"[{rule.packets}:{rule.bytes}]"))
                    assert rule.position == len(ours[f"{rule.table}/{rule.chain}"]) - 1
            for chain in told.keys() - ours.keys():  # iptables shows built-in ones that are not there
                assert told.pop(chain) == [("ACCEPT", "[0:0]")]
            assert ours == told
    assert rules > (60 if backend == "nft" else 5)
    if backend == "legacy":
        assert any(rule.packets for rule in snapshot.namespace("old").rules if rule.text == "-o lo -j ACCEPT")


def test_chains_and_rules_of_nft(lab: Lab) -> None:
    def clean(printed: str) -> Any:
        return without("expires")(json.loads(printed)["nftables"])

    snapshot, said = steady(lab, text_by_space(lab, "nft -j list ruleset", clean))
    for space, told in every(snapshot, said):
        chains = [one["chain"] for one in told if "chain" in one]
        ours = [one for one in space.chains if one.backend == "nft"]
        assert {
            (one.layer, one.table, one.name, one.hook, one.priority, one.type, one.policy.lower())
            for one in ours
        } == {
            (
                one["family"], one["table"], one["name"], one.get("hook", ""), one.get("prio", 0), one.get("type", ""),
                one.get("policy", ""),
            )
            for one in chains
        }  # fmt: skip
        assert [one.device for one in ours if one.layer == "netdev"] == ["lo"] * (space.label == "walls")
        rules = [one["rule"] for one in told if "rule" in one]
        mine = [one for one in space.rules if one.backend == "nft"]
        assert [(one.layer, one.table, one.chain, one.handle) for one in sorted(mine, key=place)] == sorted(
            (one["family"], one["table"], one["chain"], one["handle"]) for one in rules
        )
        counts = {(one["family"], one["table"], one["handle"]): counter(one) for one in rules}
        for one in mine:
            expected = counts[one.layer, one.table, one.handle]
            assert one.counted == (expected is not None)
            assert (one.packets, one.bytes) == (expected or (0, 0))
        listed = [one.get("set") or one.get("map") for one in told if "set" in one or "map" in one]
        assert {(one.layer, one.table, one.name) for one in space.sets if one.backend == "nft"} == {
            (one["family"], one["table"], one["name"]) for one in listed
        }


def test_sets_and_maps_of_nft(lab: Lab) -> None:
    """Element by element, prefixes, ranges, pairs and verdicts as nft has them in its JSON."""
    snapshot = lab.snapshot()
    walls = snapshot.namespace("walls")
    told = json.loads(zoo.enter(lab, snapshot, walls)("nft -j list ruleset"))["nftables"]
    listed = [one.get("set") or one["map"] for one in told if "set" in one or "map" in one]
    ours = {(one.layer, one.table, one.name): one for one in walls.sets}
    assert ours.keys() == {(one["family"], one["table"], one["name"]) for one in listed}
    assert len(ours) == 6
    for one in listed:
        mine = ours[one["family"], one["table"], one["name"]]
        kinds = one["type"] if isinstance(one["type"], list) else [one["type"]]
        assert (mine.key, mine.value) == (" . ".join(kinds), one.get("map", ""))
        assert set(mine.flags) == set(one.get("flags", []))
        assert sorted(mine.elements) == sorted(element(item) for item in one["elem"])
    jumps = ours["ip", "docker-bridges", "filter-forward-in-jumps"]
    assert '"docker0" : jump filter-forward-in__docker0' in jumps.elements


def element(item: Any) -> str:
    """An element of a set in nft's JSON, as nft writes it in its own language."""
    if isinstance(item, list):
        return " : ".join(map(element, item))
    if not isinstance(item, dict):
        return f'"{item}"' if isinstance(item, str) and item[:3] in ("doc", "br-") else str(item)
    (kind, value), *_ = item.items()
    written = {
        "prefix": lambda: f"{value['addr']}/{value['len']}",
        "range": lambda: "-".join(map(str, value)),
        "concat": lambda: " . ".join(map(element, value)),
        "elem": lambda: element(value["val"]),
    }
    return written[kind]() if kind in written else f"{kind} {value['target']}" if value else str(kind)


def test_a_table_as_engine_29_makes_it_is_told_faithfully(lab: Lab) -> None:
    """Its backend for nft: chains for each bridge, reached through maps of verdicts."""
    walls = lab.snapshot().namespace("walls")
    rules = [rule for rule in walls.rules if rule.table == "docker-bridges"]
    assert {(rule.chain, rule.target, rule.options, rule.matches) for rule in rules} == {
        ("filter-FORWARD", "vmap", "@filter-forward-in-jumps", ("iifname",)),
        ("filter-FORWARD", "accept", "", ('oifname "docker0" meta l4proto . th dport @ports',)),
        ("filter-forward-in__docker0", "vmap", "{ established : accept, related : accept }", ("ct state",)),
        ("filter-forward-in__docker0", "accept", "", ('iifname "docker0"',)),
        ("filter-forward-in__docker0", "drop", "", ()),
        ("nat-POSTROUTING", "vmap", "@nat-postrouting-out-jumps", ("oifname",)),
        ("nat-postrouting-out__docker0", "masquerade", "", ("ip saddr 172.17.0.0/16",)),
        ("nat-prerouting-and-output", "dnat", "to 172.17.0.2:80", ("tcp dport 8080",)),
    }
    assert {rule.syntax for rule in rules} == {"nft"}
    told = {words.rule(rule) for rule in rules}
    assert {"vmap iifname @filter-forward-in-jumps", "dnat tcp dport 8080 to 172.17.0.2:80"} <= told


def place(rule: Any) -> tuple[Any, ...]:
    return rule.layer, rule.table, rule.chain, rule.handle


def counter(rule: dict[str, Any]) -> tuple[int, int] | None:
    found = next((one["counter"] for one in rule["expr"] if isinstance(one.get("counter"), dict)), None)
    return (found["packets"], found["bytes"]) if found is not None else None


def test_rules_written_by_hand_in_nft_are_told_in_its_words(lab: Lab) -> None:
    snapshot = lab.snapshot()
    walls = snapshot.namespace("walls")
    printed = zoo.enter(lab, snapshot, walls)("nft -s list ruleset")
    lines = {line.strip() for line in printed.splitlines()}
    theirs = [rule for rule in walls.rules if rule.syntax == "nft"]
    assert len(theirs) > 15
    assert {rule.text for rule in theirs} <= lines
    tables = {"wall", "nat", "filter", "six", "frames", "questions", "docker-bridges"}
    assert {rule.table for rule in theirs} == tables
    friends = next(one for one in walls.sets if one.name == "friends")
    assert set(friends.elements) == {"10.0.0.0/8", "192.168.1.1", "172.16.0.1-172.16.0.9"}
    assert (friends.key, friends.flags, friends.layer, friends.table) == ("ipv4_addr", ("interval",), "inet", "wall")
    where = next(one for one in walls.sets if one.name == "where")
    assert (where.key, where.value, where.elements) == (
        "inet_service", "ipv4_addr", ("80 : 10.0.0.1", "443 : 10.0.0.2"),
    )  # fmt: skip


def test_connections(lab: Lab) -> None:
    lab.client.run("wget -q -O- 198.51.100.11:8080 || :; ping -c 1 198.51.100.11; ping -c 1 -6 ::1 || :")
    lab.host.run("docker exec v6 nslookup web || :", check=False)
    command = "conntrack -L -o extended 2>/dev/null; conntrack -L -f ipv6 -o extended 2>/dev/null; true"
    snapshot, said = steady(lab, text_by_space(lab, command, parse_conntrack))
    for space, told in every(snapshot, said):
        ours = {
            (
                one.family, one.protocol, one.original.source, one.original.destination, one.original.source_port,
                one.original.destination_port, one.reply.source, one.reply.destination, one.reply.source_port,
                one.reply.destination_port, "UNREPLIED" in one.status, "ASSURED" in one.status, one.state, one.mark,
            )
            for one in space.connections
        }  # fmt: skip
        assert ours == told
    host = [one for one in snapshot.namespace("host1").connections if one.translated and one.protocol == "tcp"]
    assert any(one.original.destination_port == 8080 and one.reply.source_port == 80 for one in host)
    assert all("DNAT" in one.status or "SNAT" in one.status for one in host)
    assert any(
        one.protocol == "icmp" and "type 8" in one.original.what for one in snapshot.namespace("host1").connections
    )


def parse_conntrack(printed: str) -> set[tuple[Any, ...]]:
    made = set()
    for line in printed.splitlines():
        words = line.split()
        family = 4 if words[0] == "ipv4" else 6
        protocol = words[2] if words[2] != "unknown" else {"2": "igmp"}.get(words[3], words[3])
        state = words[5] if not words[5].startswith("src=") and "=" not in words[5] and words[5][0] != "[" else ""
        values: dict[str, list[str]] = {}
        for word in words:
            key, _, value = word.partition("=")
            values.setdefault(key, []).append(value)
        ports = [tuple(map(int, values.get(key, ["0", "0"]))) for key in ("sport", "dport")]
        made.add(
            (
                family, protocol, values["src"][0], values["dst"][0], ports[0][0], ports[1][0], values["src"][1],
                values["dst"][1], ports[0][1], ports[1][1], "[UNREPLIED]" in words, "[ASSURED]" in words, state,
                int(values.get("mark", ["0"])[0]),
            )
        )  # fmt: skip
    return made


def test_networks_and_endpoints(lab: Lab) -> None:
    snapshot = lab.snapshot()
    names = lab.host.run("docker network ls -q --no-trunc").stdout.split()
    told = {one["Name"]: one for one in json.loads(lab.host.run(f"docker network inspect {' '.join(names)}").stdout)}
    assert {one.name for one in snapshot.networks} == told.keys()
    for network in snapshot.networks:
        one = told[network.name]
        assert (network.id, network.driver, network.scope) == (one["Id"], one["Driver"], one["Scope"])
        assert (network.internal, network.ipv6, network.attachable) == (
            one["Internal"], one["EnableIPv6"], one["Attachable"],
        )  # fmt: skip
        assert dict(network.options) == one["Options"]
        assert dict(network.labels) == one["Labels"]
        pools = one["IPAM"]["Config"] or []
        assert [(pool.cidr, pool.gateway, pool.range) for pool in network.subnets] == [
            (pool["Subnet"], pool.get("Gateway", ""), pool.get("IPRange", "")) for pool in pools
        ]
        ours = {
            container.id: (endpoint.id, endpoint.mac, endpoint.address, endpoint.address6)
            for container in snapshot.containers
            for endpoint in container.endpoints
            if endpoint.network_id == network.id and container.state == "running"
        }
        assert ours == {
            identity: (there["EndpointID"], ours[identity][1], there["IPv4Address"], there["IPv6Address"])
            for identity, there in one["Containers"].items()
        }
        if network.driver == "bridge":
            assert snapshot.namespace("host1").link(network.bridge).index == network.link.index
    assert snapshot.network("wire").link.name == "eth0"
    assert snapshot.network("mine").subnets[0].range == "10.20.5.0/24"


def test_machines_and_what_their_engines_say_of_themselves(lab: Lab) -> None:
    info = json.loads(lab.host.run("docker info -f '{{json .}}'").stdout)
    for machine in lab.snapshot().machines:
        for file in machine.files:
            assert file.text == lab.machine(machine.name).run(f"cat {file.path}").stdout
        if machine.kind == "client":
            assert (machine.engine, machine.settings) == ("", ())
            continue
        assert machine.engine == info["ServerVersion"]
        assert {name: machine.setting(name) for name in ("live-restore", "swarm", "kernel", "storage", "root")} == {
            "live-restore": json.dumps(info["LiveRestoreEnabled"]),
            "swarm": info["Swarm"]["LocalNodeState"],
            "kernel": info["KernelVersion"],
            "storage": info["Driver"],
            "root": info["DockerRootDir"],
        }
        assert machine.setting("rootless") == ("true" if "name=rootless" in info["SecurityOptions"] else "")
        assert {"/etc/hosts", "/etc/resolv.conf"} <= {file.path for file in machine.files}


def test_containers(lab: Lab) -> None:
    snapshot = lab.snapshot()
    for container in snapshot.containers:
        one = json.loads(lab.host.run(f"docker inspect {container.name}").stdout)[0]
        assert (container.id, container.state, container.pid) == (
            one["Id"],
            one["State"]["Status"],
            one["State"]["Pid"],
        )
        assert container.network_mode == one["HostConfig"]["NetworkMode"]
        ports = {
            (binding["HostIp"], int(binding["HostPort"]), port)
            for port, bindings in (one["NetworkSettings"]["Ports"] or {}).items()
            for binding in bindings or ()
        }
        assert {(p.host_address, p.host_port, f"{p.container_port}/{p.protocol}") for p in container.ports} == ports
        for endpoint in container.endpoints:
            theirs = one["NetworkSettings"]["Networks"][endpoint.network]
            assert (endpoint.mac, endpoint.gateway) == (theirs["MacAddress"], theirs["Gateway"])
            assert list(endpoint.aliases) == (theirs["Aliases"] or [])
            if endpoint.address and container.state == "running":
                space = snapshot.namespace(endpoint.link.namespace)
                assert endpoint.address in [address.cidr for address in space.link(endpoint.link.name).addresses]
                assert endpoint.host_link == space.link(endpoint.link.name).peer
        for file in container.files:
            assert file.text == lab.host.run(f"docker exec {container.name} cat {file.path}").stdout
        assert len(container.files) == (3 if container.state == "running" else 0)
    web = snapshot.container("web")
    assert (web.namespace, snapshot.container("guest").namespace) == ("host1/web", "host1/web")
    assert snapshot.container("open").namespace == "host1"
    assert snapshot.container("done").namespace == ""
    assert "www" in web.endpoint("mine").aliases
    assert web.endpoint("mine").asked_address == "10.20.5.9"
    v6 = snapshot.container("v6")
    assert (v6.dns, v6.dns_search, v6.extra_hosts) == (("10.9.9.9",), ("example.org",), ("db:10.1.2.3",))
    assert "10.1.2.3\tdb" in v6.file("/etc/hosts").text


def test_namespaces_without_a_name_are_found_through_their_processes(lab: Lab) -> None:
    snapshot = lab.snapshot()
    unnamed = [space for space in snapshot.namespaces if space.kind == "unnamed"]
    assert [[process.name for process in space.processes] for space in unnamed] == [["sleep"]]
    number = unnamed[0].processes[0].pid
    assert unnamed[0].name == f"host1/pid:{number}"
    assert int(lab.host.run(f"stat -Lc %i /proc/{number}/ns/net").stdout) == unnamed[0].inode
