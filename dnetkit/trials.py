"""Claims that a command in the lab has to show: a ping, a connection, what a program prints."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Protocol

from dnetkit import facts
from dnetkit.claims import CheckResult
from dnetkit.errors import CommandError, UsageError
from dnetkit.model import CommandResult, Snapshot

__all__ = ["TRIALS", "LabLike", "MachineLike", "answer", "not_answer"]


class MachineLike(Protocol):
    """Something that runs a script: Host, Client or ContainerShell."""

    def run(self, script: str, *, check: bool = True, timeout: float = 60.0) -> CommandResult:
        """Run a script there."""
        ...  # a protocol has no body


class LabLike(Protocol):
    """The part of a Lab that checks use."""

    def machine(self, name: str) -> MachineLike:
        """The host, client or container of that name."""
        ...  # a protocol has no body

    def snapshot(self) -> Snapshot:
        """The state of the lab now."""
        ...  # a protocol has no body

    def recent(self) -> Snapshot:
        """The state of the lab a moment ago, where nothing was asked of it since; else now."""
        ...  # a protocol has no body


TRIALS: dict[str, Callable[..., CheckResult]] = {}
"""Every trial by its name; the first parameter of each is the lab."""


def _trial(function: Callable[..., CheckResult]) -> Callable[..., CheckResult]:
    TRIALS[function.__name__] = function
    return function


@_trial
def reaches(lab: LabLike, who: str, target: str, port: int | str = 0) -> CheckResult:
    """A ping from there to an address or name is answered, or a TCP connection to that port is accepted."""
    answered, seen = _probe(lab, who, target, port)
    return CheckResult(answered is True, f"{who} reaches {_target(target, port)}", seen)


@_trial
def not_reaches(lab: LabLike, who: str, target: str, port: int | str = 0) -> CheckResult:
    """A ping (or a TCP connection) from there is tried and gets no answer."""
    answered, seen = _probe(lab, who, target, port)
    return CheckResult(answered is False, f"{who} does not reach {_target(target, port)}", seen)


@_trial
def prints(lab: LabLike, who: str, command: str, text: str) -> CheckResult:
    """A command run there succeeds and its output contains the text."""
    return _printed(lab, who, command, str(text), True)


@_trial
def not_prints(lab: LabLike, who: str, command: str, text: str) -> CheckResult:
    """A command run there succeeds and its output does not contain the text."""
    return _printed(lab, who, command, str(text), False)


def _printed(lab: LabLike, who: str, command: str, text: str, wanted: bool) -> CheckResult:
    result = _run(lab, who, command)
    claim = f"`{command}` on {who} {'prints' if wanted else 'does not print'} {text}"
    if not result.ok:
        return CheckResult(
            False, claim, f"the command did not succeed: {_short(result.stderr or result.ended or 'no message')}"
        )
    telling = next((line.strip() for line in result.stdout.splitlines() if text in line), result.stdout)
    return CheckResult((text in result.stdout) is wanted, claim, f"it printed {_short(telling) or 'nothing'}")


def _run(lab: LabLike, who: str, script: str) -> CommandResult:
    try:
        return lab.machine(who).run(script, check=False, timeout=15.0)
    except CommandError as error:
        return error.result


def answer(output: str | None, text: object) -> CheckResult:
    """The last line that an exercise's cell printed is that text; its own words do not give the answer away."""
    last = _last_line(output)
    claim = (
        f"the last line that the cell printed is {facts.words(text) if isinstance(text, facts.Value) else 'the answer'}"
    )
    return CheckResult(bool(last) and last == str(text).strip(), claim, f"the last line is {last or 'empty'}")


def not_answer(output: str | None, text: object) -> CheckResult:
    """The last line that an exercise's cell printed is not that text: for hints that fit a likely wrong answer."""
    last = _last_line(output)
    claim = f"the last line that the cell printed is not {facts.words(text)}"
    return CheckResult(last != str(text).strip(), claim, f"the last line is {last or 'empty'}")


def _last_line(output: str | None) -> str:
    lines = (output or "").strip().splitlines()
    return lines[-1].strip() if lines else ""


def _probe(lab: LabLike, who: str, target: str, port: int | str) -> tuple[bool | None, str]:
    """Whether an answer came (None: it could not be tried), and what was seen."""
    try:
        address = str(ipaddress.ip_address(target))
    except ValueError:
        address = target
        if not target.replace("-", "").replace(".", "").replace("_", "").isalnum():
            raise UsageError(f"{target!r} is neither an address nor a name.") from None
    if port:
        test = f"timeout 3 bash -c '</dev/tcp/{address}/{int(port)}'"
        script = (
            f"if command -v bash >/dev/null; then {test}; else nc -w 3 {address} {int(port)} </dev/null >/dev/null; fi"
        )
    else:
        script = f"ping -c 1 -W 2 {address}"
    result = _run(lab, who, script)
    said = result.stderr.strip() or result.stdout.strip()
    if result.ok:
        return True, "it was accepted" if port else "an answer came"
    status = result.status
    unknown = any(
        words in said.lower() for words in ("bad address", "name or service", "name resolution", "unknown host")
    )
    if unknown:
        return None, f"the name could not be looked up: {_short(said)}"
    if status in (1, 124) or (status == 2 and "unreachable" in said.lower()):
        return False, f"no answer: {_short(said.splitlines()[-1] if said else f'status {status}')}"
    return None, f"it could not be tried: {_short(said) or result.ended or f'status {status}'}"


def _target(target: str, port: int | str) -> str:
    named = f"{target}, {target.meaning}" if isinstance(target, facts.Value) else target
    return f"port {port} of {named}" if port else named


def _short(text: str) -> str:
    line = " / ".join(text.strip().split("\n"))
    return line if len(line) <= 200 else f"{line[:200]} ..."
