"""`%check EXPRESSION`: evaluates one claim about the lab, such as `pair("web", "eth0", "host1")`.

In an expression the claims and values are called without the snapshot, and the trials without the lab.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, TypeVar

from dnetkit import docker_claims, facts, netfilter_claims, socket_claims  # noqa: F401 - importing them fills CLAIMS
from dnetkit.claims import CLAIMS, CheckResult
from dnetkit.errors import CheckFailed, UnknownMachine, UsageError
from dnetkit.failures import did_you_mean
from dnetkit.model import Snapshot
from dnetkit.options import patient
from dnetkit.trials import TRIALS, LabLike, answer, not_answer

__all__ = ["CheckResult", "Look", "evaluate", "names", "settled"]

Judged = TypeVar("Judged")
Look = Callable[[], Snapshot]
"""Takes a snapshot when it is called, and gives the same one when it is called again."""

_VALUES: dict[str, Callable[..., facts.Value]] = {
    function.__name__: function
    for function in (
        facts.address_of,
        facts.bridge_of,
        facts.gateway_of,
        facts.host_port_of,
        facts.index_of,
        facts.mac_of,
        facts.namespace_id_of,
        facts.namespace_of,
        facts.other_end,
        facts.peer_index_of,
        facts.subnet_of,
    )
}


def names() -> list[str]:
    """What an expression can call: the checks, then the values."""
    return [*sorted({*CLAIMS, *TRIALS}), *sorted(_VALUES)]


def evaluate(
    expression: str,
    snapshot: Snapshot | Look,
    lab: LabLike | None = None,
    variables: Mapping[str, Any] | None = None,
    output: str | None = None,
) -> CheckResult:
    """Evaluate one check. `lab` is for the live ones, `output` is what `answer` and `not_answer` look at.

    `snapshot` may be what takes one: that is not called where the check only runs a command.

    Raises UsageError for an expression that is not a check: a plain truth value, an unknown name, wrong arguments.
    """
    state = snapshot if callable(snapshot) else lambda: snapshot
    scope: dict[str, Any] = dict(variables or {})
    scope.update({name: partial(_read, function, state) for name, function in (CLAIMS | _VALUES).items()})
    scope.update({name: partial(_try, function, lab) for name, function in TRIALS.items()})
    scope.update(answer=partial(answer, output), not_answer=partial(not_answer, output))
    try:
        result = eval(expression.strip(), scope)  # noqa: S307 - the learner's own code, in the learner's own kernel
    except (CheckFailed, UnknownMachine) as error:
        return CheckResult(False, f"`{expression.strip()}`", error.message, error.hint)
    except NameError as error:
        near = did_you_mean(str(error.name), names())
        raise UsageError(
            f"There is no check {error.name}. {near}".strip(), f"The checks are: {', '.join(names())}"
        ) from error
    except SyntaxError as error:
        raise UsageError(
            f"This is not one Python expression: {expression.strip()}", f"Python says: {error.msg}"
        ) from error
    except TypeError as error:
        raise UsageError(f"{expression.strip()}: {error}", _usage(expression)) from error
    if not isinstance(result, CheckResult):
        raise UsageError(
            f"{expression.strip()} gives {result!r}, which is not a check: it cannot say what it saw.",
            f"Use one of: {', '.join(names())}",
        )
    return result


def _usage(expression: str) -> str:
    called = expression.strip().partition("(")[0]
    function = (CLAIMS | TRIALS | _VALUES).get(called)
    if function is None:
        return ""
    parameters = [str(p) for p in list(inspect.signature(function, eval_str=False).parameters.values())[1:]]
    return f"It is called so: {called}({', '.join(parameters)})"


def _read(function: Callable[..., Any], look: Look, *args: Any, **options: Any) -> Any:
    return function(look(), *args, **options)


def _try(function: Callable[..., CheckResult], lab: LabLike | None, *args: Any, **options: Any) -> CheckResult:
    if lab is None:
        raise UsageError(f"{function.__name__} runs a command, and there is no lab to run it in.")
    return function(lab, *args, **options)


def settled(lab: LabLike, attempt: Callable[[Look], Judged], seconds: float) -> Judged:
    """Repeat an attempt until it passes or the seconds are over; the last one counts.

    An attempt is given what takes a snapshot when it is called, and the same one when it is called again. For the first
    that may be the state of a moment ago, when nothing was asked of the lab since; each further one looks anew. The
    kernel tells of some states a moment late: a link's operational state by up to a second.
    """
    judged = attempt(cache(lab.recent if seconds > 0 else lab.snapshot))
    deadline = time.monotonic() + patient(seconds)
    while not judged and time.monotonic() < deadline:
        judged = attempt(cache(lab.snapshot))
    return judged
