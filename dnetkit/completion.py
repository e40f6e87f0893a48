"""What <TAB> offers in a cell: hosts after %%host and %lab engine, running containers after %%container."""

from __future__ import annotations

import re
from collections.abc import Callable

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.interactiveshell import InteractiveShell

from dnetkit.model import Snapshot

__all__ = ["Names", "offer"]

Names = Callable[[], Snapshot | None]
"""The state of the current lab, None when there is none; raises nothing."""


def offer(shell: InteractiveShell, names: Names) -> Callable[[], None]:
    """Let the shell complete names; returns what takes that back."""

    @context_matcher()  # type: ignore[untyped-decorator]  # IPython's
    def dnetkit_names(context: CompletionContext) -> SimpleMatcherResult:
        line = context.text_until_cursor
        for place, known in _PLACES:
            found = place.fullmatch(line)
            if found and (state := names()) is not None:
                word = found["word"]
                fitting = [_offered(name) for name in known(state) if name.startswith(word)]
                # Python's words, which IPython would offer beside them, have no business there.
                return {"completions": fitting, "matched_fragment": word, "suppress": bool(fitting)}
        return {"completions": []}

    shell.Completer.custom_matchers.append(dnetkit_names)
    return lambda: shell.Completer.custom_matchers.remove(dnetkit_names)


def _offered(name: str) -> SimpleCompletion:
    return SimpleCompletion(name, type="machine")


def _hosts(state: Snapshot) -> list[str]:
    return [machine.name for machine in state.machines if machine.kind == "host"]


def _all(state: Snapshot) -> list[str]:
    return [*(machine.name for machine in state.machines), *_containers(state)]


def _containers(state: Snapshot) -> list[str]:
    """Those that run: lines cannot be run in another one. Where two have one name, each with its host's."""
    running = [container for container in state.containers if container.state == "running"]
    names = [container.name for container in running]
    return [one.name if names.count(one.name) == 1 else f"{one.machine}/{one.name}" for one in running]


_PLACES: tuple[tuple[re.Pattern[str], Callable[[Snapshot], list[str]]], ...] = (
    (re.compile(r"%%host\s+(?P<word>[\w./-]*)"), _hosts),
    (re.compile(r"%%container\s+(?P<word>[\w./-]*)"), _containers),
    (re.compile(r"%lab\s+engine\s+\w+\s+(?P<word>[\w./-]*)"), _hosts),
    (re.compile(r"%diagram\s.*--focus[\s=]+(?P<word>[\w./-]*)"), _all),
)
