"""`--needs`: what a step takes that not every sandbox, kernel or engine has; without it the step is not applicable.

A need is `root` (a lab of the root sandbox), a feature of the kernel by its name in `dnetkit doctor` (ipvlan, 802.1Q),
`engine>=28` or `engine<29`, or `program:NAME`. Several are separated by commas. With `!` in front (`!ipvs`) it must
not be there: for a step that shows what an engine says then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from dnetkit import doctor, features
from dnetkit.display import signed, tag, wrap
from dnetkit.errors import UsageError
from dnetkit.failures import did_you_mean
from dnetkit.model import CommandResult
from dnetkit.prose import inline

__all__ = ["LabLike", "NotApplicable", "lacking"]

_ENGINE = re.compile(r"engine(>=|<)(\d+(?:\.\d+)*)")
_PROGRAM = re.compile(r"program:([\w.+-]+)")
_FEATURES = {name.lower(): name for name in features.NAMES if " " not in name}


class _MachineLike(Protocol):
    def run(self, script: str, *, check: bool = True, timeout: float = 60.0) -> CommandResult: ...


class LabLike(Protocol):
    """What is asked about a lab."""

    sandbox: str
    engines: dict[str, str]
    """The version of each host's engine."""

    def machine(self, name: str) -> _MachineLike:
        """A machine of the lab."""
        ...  # a protocol has no body


@dataclass(frozen=True)
class NotApplicable:
    """A step that was not tried: a 'check', a 'picture' or 'commands' (the first is `what`), and why, in a sentence."""

    kind: str
    what: str
    reason: str

    def __str__(self) -> str:
        return f"not applicable here: {self.what}\n  because: {self.reason}"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        head = tag("div", signed("\u2013", "note", tag("b", "not applicable here"), " ", tag("code", self.what)))
        why = tag("div", inline(self.reason), class_="dnk-note")
        data = {"text/plain": str(self), "text/html": wrap(tag("div", head, why))}
        return data, {"dnetkit": {"not_applicable": self.kind, "reason": self.reason}}


def lacking(needs: str, lab: LabLike) -> str:
    """The first of the needs that is not there, as a sentence that says what would help; '' when all are.

    Raises UsageError for one that is not known, even where an earlier one is missing.
    """
    reasons = [_lacking(need, lab) for need in filter(None, (part.strip() for part in needs.split(",")))]
    return next(filter(None, reasons), "")


def _lacking(need: str, lab: LabLike) -> str:
    if need.startswith("!"):
        if name := _FEATURES.get(need[1:].lower()):
            return _without(name)
        there = not _lacking(need[1:], lab)
        return f"This step shows how it is without {need[1:]}, which is there." if there else ""
    if need == "root":
        if lab.sandbox == "root":
            return ""
        return "This lab runs without root, and this step needs it: run JupyterLab or `dnetkit run` as root for it."
    if found := _ENGINE.fullmatch(need):
        return _engine(found[1], found[2], lab)
    if found := _PROGRAM.fullmatch(need):
        there = lab.machine("host1").run(f"command -v {found[1]}", check=False).ok
        return "" if there else f"The program {found[1]} is not installed on this machine."
    if name := _FEATURES.get(need.lower()):
        return _feature(name)
    known = ["root", *_FEATURES.values(), "engine>=N", "engine<N", "program:NAME", "!NEED"]
    raise UsageError(
        f"--needs knows no {need!r}. {did_you_mean(need, known)}".strip(), f"There are: {', '.join(known)}"
    )


def _engine(sign: str, wanted: str, lab: LabLike) -> str:
    for version in lab.engines.values():
        if (_numbers(version) >= _numbers(wanted)) is not (sign == ">="):
            words = f"from {wanted} on" if sign == ">=" else f"before {wanted}"
            return f"This is so on engines {words}; this one is {version}."
    return "" if lab.engines else "This lab has no engine."


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0].partition("-")[0]))


def _feature(name: str) -> str:
    found = _kernel()[name]
    if found.state != "no":  # one that could not be tried may be there: then the step itself shows it
        return ""
    return (
        f"This machine's kernel has no {name} ({found.purpose}): {found.detail}. `dnetkit doctor` lists what it has; "
        "on a machine whose kernel has it, this step runs."
    )


def _without(name: str) -> str:
    found = _kernel()[name]
    if found.state == "no":
        return ""
    has = "has" if found.state == "yes" else "may have"
    return f"This machine's kernel {has} {name}, and this step shows what is said where it is missing."


@cache
def _kernel() -> dict[str, features.Feature]:
    """What this kernel can do, tried once a process."""
    return {feature.name: feature for feature in doctor.kernel_features()}
