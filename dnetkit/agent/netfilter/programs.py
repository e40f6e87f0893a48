"""Ask iptables-save and nft what a namespace's rules are in words; the calling thread must be in that namespace."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

from dnetkit.model import Chain, Rule

__all__ = ["ask", "parse_nft", "parse_save"]

_CHAIN = re.compile(r":(\S+) (\S+) \[(\d+):(\d+)\]")
_RULE = re.compile(r"\[(\d+):(\d+)\] -A (\S+) ?(.*)")
_DEADLINE = 10.0

_TABLE = re.compile(r"table (\S+) (\S+) \{")
_PART = re.compile(r"\t(chain|set|map|meter|flowtable|counter|quota|limit|secmark|synproxy|ct \w+) (\S+) \{")
_QUOTED = re.compile(r'"[^"]*"')
_HANDLE = re.compile(r"(.*) # handle (\d+)", re.DOTALL)


def ask(*command: str) -> str:
    """What a program prints. Raises OSError with its complaint when it fails or is not there."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="backslashreplace", check=False, timeout=_DEADLINE
        )
    except FileNotFoundError as error:
        raise OSError(f"the program {command[0]} is not there") from error
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{command[0]} did not answer within {_DEADLINE:.0f} seconds") from error
    if done.returncode:
        raise OSError(done.stderr.strip() or f"{command[0]} ended with status {done.returncode}")
    return done.stdout


def parse_save(printed: str, family: int, backend: str) -> tuple[list[Chain], list[Rule]]:
    """The chains and rules in what `iptables-save -c` printed, in its order."""
    chains: list[Chain] = []
    rules: list[Rule] = []
    positions: dict[tuple[str, str], int] = {}
    layer = "ip" if family == 4 else "ip6"
    table = ""
    for line in printed.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif found := _CHAIN.fullmatch(line.strip()):
            name, policy, packets, size = found.groups()
            chains.append(Chain(table, name, policy.strip("-"), int(packets), int(size), family, backend, layer))
        elif found := _RULE.fullmatch(line.strip()):
            packets, size, name, rest = found.groups()
            position = positions[table, name] = positions.get((table, name), 0) + 1
            rules.append(Rule(table, name, position, rest, int(packets), int(size), family, backend, layer))
    return chains, rules


def parse_nft(
    printed: str,
) -> tuple[dict[tuple[str, str, str, int], str], dict[tuple[str, str, str], dict[str, str]]]:
    """The rules and sets in what `nft --stateless --handle list ruleset` printed.

    Rules: (family, table, chain, handle) to text. Sets: (family, table, name) to what is said of it, 'type', 'flags',
    'elements', ...
    """
    rules: dict[tuple[str, str, str, int], str] = {}
    sets: dict[tuple[str, str, str], dict[str, str]] = {}
    for family, table, kind, name, lines in _parts(printed):
        if kind == "chain":
            for line in _whole(lines):
                if found := _HANDLE.fullmatch(line):
                    rules[family, table, name, int(found[2])] = found[1]
        elif kind in ("set", "map"):
            said = sets[family, table, name] = {"kind": kind}
            for line in _whole(lines):
                if line.startswith("elements = {"):
                    said["elements"] = line.removeprefix("elements = {").removesuffix("}").strip()
                else:
                    word, _, rest = line.partition(" ")
                    said[word] = rest
    return rules, sets


def _parts(printed: str) -> Iterator[tuple[str, str, str, str, list[str]]]:
    """Family, table, kind, name and the lines of each part of each table."""
    family = table = kind = name = ""
    lines: list[str] = []
    for line in printed.splitlines():
        if not kind and (found := _TABLE.match(line)):
            family, table = found.groups()
        elif not kind and (found := _PART.match(line)):
            kind, name = found.groups()
            lines = []
        elif kind and (line == "\t}" or line.startswith("\t} #")):
            yield family, table, kind, name, lines
            kind = ""
        elif kind:
            lines.append(line.strip())


def _whole(lines: list[str]) -> Iterator[str]:
    """Lines put together again where a list in braces was spread over several."""
    held = ""
    for line in lines:
        held = f"{held} {line}" if held else line
        bare = _QUOTED.sub("", held)
        if bare.count("{") <= bare.count("}"):
            yield held
            held = ""
