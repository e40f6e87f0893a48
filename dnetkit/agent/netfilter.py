"""Netfilter's chains and rules of one namespace, from `iptables-save -c`, which speaks alike for nft and legacy.

The table that `iptables -L` prints is not parsed: its columns differ by version, and it rounds counters.
"""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path
from typing import Any

from dnetkit.agent.kernel import in_network_namespace
from dnetkit.agent.netlink import NETLINK_NETFILTER, Netlink
from dnetkit.model import Chain, Rule, Unavailable

__all__ = ["parse", "read"]

_GETTABLE = (10 << 8) | 1  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE
_CHAIN = re.compile(r":(\S+) (\S+) \[(\d+):(\d+)\]")
_RULE = re.compile(r"\[(\d+):(\d+)\] -A (\S+) ?(.*)")
_PROGRAMS = {4: "iptables", 6: "ip6tables"}


def read(namespace: int) -> dict[str, Any]:
    """The chains and rules of the namespace open as that descriptor; no process is started where there can be none."""
    chains: list[Chain] = []
    rules: list[Rule] = []
    missing: list[Unavailable] = []
    for family, backend in _present(namespace):
        program = f"{_PROGRAMS[family]}-{backend}-save"
        command = ["nsenter", f"--net=/proc/self/fd/{namespace}", program, "-c"]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=10,
                pass_fds=(namespace,),
                errors="replace",
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            missing.append(Unavailable(f"rules (IPv{family}, {backend})", str(error)))
            continue
        if done.returncode:
            reason = done.stderr.strip() or f"{program} ended with {done.returncode}"
            missing.append(Unavailable(f"rules (IPv{family}, {backend})", reason))
            continue
        more_chains, more_rules = parse(done.stdout, family, backend)
        chains += more_chains
        rules += more_rules
    return {"chains": tuple(chains), "rules": tuple(rules), "unavailable": tuple(missing)}


def parse(text: str, family: int, backend: str) -> tuple[list[Chain], list[Rule]]:
    """The chains and rules in what `iptables-save -c` printed, in its order."""
    chains: list[Chain] = []
    rules: list[Rule] = []
    positions: dict[tuple[str, str], int] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif found := _CHAIN.fullmatch(line.strip()):
            name, policy, packets, size = found.groups()
            chains.append(Chain(table, name, policy.strip("-"), int(packets), int(size), family, backend))
        elif found := _RULE.fullmatch(line.strip()):
            packets, size, name, rest = found.groups()
            position = positions[(table, name)] = positions.get((table, name), 0) + 1
            rules.append(Rule(table, name, position, rest, int(packets), int(size), family, backend))
    return chains, rules


def _present(namespace: int) -> list[tuple[int, str]]:
    """Which families and backends hold any table here: asking the kernel costs far less than starting a program."""
    present = []
    try:
        with Netlink(namespace, NETLINK_NETFILTER) as netlink:
            families = {header[0] for header, _ in netlink.dump(_GETTABLE, struct.pack("=BBH", 0, 0, 0))}
            present += [(number, "nft") for number, family in ((4, 2), (6, 10)) if family in families]
    except OSError:
        pass  # a kernel without nf_tables has legacy tables only
    with in_network_namespace(namespace):
        for number, file in ((4, "ip_tables_names"), (6, "ip6_tables_names")):
            try:
                names = Path(f"/proc/thread-self/net/{file}").read_text()
            except OSError:
                continue
            if names.strip():
                present.append((number, "legacy"))
    return present
