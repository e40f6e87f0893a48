"""A failed command as an error that a learner can act on: the line, its status, what it said, and what to try."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable

from dnetkit.errors import CommandError, CommandExpectedToFail, CommandTimeout
from dnetkit.model import CommandResult, Step

__all__ = ["did_you_mean", "expected_failure", "failure"]

COMMANDS = (
    "arp",
    "bridge",
    "cat",
    "conntrack",
    "curl",
    "docker",
    "grep",
    "ip",
    "iptables",
    "iptables-save",
    "ls",
    "nsenter",
    "ping",
    "ps",
    "redis-cli",
    "route",
    "ss",
    "sysctl",
    "tcpdump",
    "traceroute",
    "wget",
)
SAID = 20
"""Lines of standard error that an error repeats."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'Did you mean docker?' for the nearest known word, '' when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else ""


def _not_found(found: re.Match[str]) -> str:
    return did_you_mean(found[1], COMMANDS) or f"There is no {found[1]} on this machine."


Hint = Callable[[re.Match[str]], str]
_HINTS: tuple[tuple[re.Pattern[str], Hint], ...] = (
    (re.compile(r"([\w.+-]+): (?:command )?not found\s*$", re.M), _not_found),
    (re.compile(r'exec: "([^"]+)": executable file not found'), lambda m: f"The image holds no program {m[1]}."),
    (
        re.compile(r'The container name "/?([^"]+)" is already in use'),
        lambda m: f"Remove the old one first: docker rm -f {m[1]}",
    ),
    (
        re.compile(r"(?:Unable to find image|No such image:) '?([^'\s]+)"),
        lambda m: (
            f"A lab reaches no registry: `docker images` lists what is here. "
            f"For another image open the lab with it: %lab open --images {m[1].partition(':')[0]}"
        ),
    ),
    (
        re.compile(r"(?:port is already allocated|address already in use)"),
        lambda _: "Another container or program has that port: `docker ps` and `ss -tlnp` show which.",
    ),
    (
        re.compile(r"No such container: (\S+)"),
        lambda m: f"`docker ps -a` lists the containers; {m[1]} is not one of them.",
    ),
    (
        re.compile(r"(?:Cannot connect to the Docker daemon|failed to connect to the docker API) at unix:"),
        lambda _: (
            "The engine of this machine is not running: `%lab log host1` shows its log, `%lab engine start` starts it, "
            "`%lab restart` begins afresh."
        ),
    ),
    (re.compile(r'Cannot find device "([^"]+)"'), lambda _: "`ip link` lists the interfaces of this machine."),
    (
        re.compile(r"Network is unreachable"),
        lambda _: "No route leads there: `ip route` shows where this machine can send.",
    ),
    (
        re.compile(r"Pool overlaps with other one"),
        lambda _: "Another network has that range: `docker network ls`, and `docker network inspect NAME` says which.",
    ),
    (re.compile(r"network (\S+) not found"), lambda _: "`docker network ls` lists the networks."),
    (
        re.compile(r"(?i)unknown (?:shorthand )?flag"),
        lambda _: "`COMMAND --help` lists the flags that this version knows.",
    ),
)


def failure(result: CommandResult, timeout: float) -> CommandError | None:
    """The error for a result that is not ok, None for one that is."""
    if result.ok:
        return None
    step = result.steps[-1] if result.steps else Step("", None)
    if result.ended == "timeout":
        message = (
            f"{result.machine}: `{_source(step)}` was still running after {timeout:g} s and was ended.{_said(step)}"
        )
        hint = "If it needs longer: --timeout SECONDS. If it never ends by itself, limit it, as `ping -c 3` does."
        return CommandTimeout(message, result, hint)
    status = "was ended" if step.status is None else f"failed with status {step.status}"
    return CommandError(f"{result.machine}: `{_source(step)}` {status}.{_said(step)}", result, _hint(step))


def expected_failure(result: CommandResult) -> CommandExpectedToFail:
    """The error for a cell that was to fail, and every line of it succeeded."""
    return CommandExpectedToFail(
        f"{result.machine}: every line succeeded, and this cell was to fail (--expect-fail).",
        result,
        "Something is different from what the text says: look at the output, or remove --expect-fail.",
    )


def _hint(step: Step) -> str:
    for pattern, hint in _HINTS:
        found = pattern.search(step.stderr) or pattern.search(step.stdout)
        if found:
            return hint(found)
    return ""


def _source(step: Step) -> str:
    first, _, rest = step.source.strip().partition("\n")
    return f"{first} ..." if rest else first


def _said(step: Step) -> str:
    lines = step.stderr.strip().splitlines()
    if lines and lines[0].startswith("Traceback "):  # of Python: where in the program, and at the end what
        where = [line.strip() for line in lines if '"<stdin>"' in line]
        what = max(number for number, line in enumerate(lines) if not line.startswith(" "))
        lines = [*where[-1:], *lines[what:]]
    left = [f"... {len(lines) - SAID} lines more"] if len(lines) > SAID else []
    return "".join(f"\n  {line[:500]}" for line in [*lines[:SAID], *left])
