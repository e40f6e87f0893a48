"""Runs the lines of one cell on one machine, shows the terminal while they run, and judges how they ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from dnetkit.errors import CommandError, CommandTimeout
from dnetkit.failures import expected_failure, failure
from dnetkit.model import CommandResult
from dnetkit.options import patient
from dnetkit.stage import Slot
from dnetkit.terminal import Live, Terminal

__all__ = ["Machine", "as_python", "perform"]

_CELL = "the lines of this cell"
_PYTHON = "python3 -u - <<'{}'"


class Machine(Protocol):
    """A host, a client or a container."""

    name: str

    def run(
        self,
        script: str,
        *,
        check: bool = True,
        timeout: float = 60.0,
        on_event: Callable[[str, Any], None] | None = None,
    ) -> CommandResult:
        """Run a script there."""
        ...  # a protocol has no body


def as_python(lines: str, end: str = _CELL) -> str:
    """The command that runs these lines as one Python program.

    Unless another end is given they are those of the cell: `perform` does not repeat them, and they begin with line 2,
    so that an error names the line that a notebook counts, where the magic's is the first.
    """
    return f"{_PYTHON.format(end)}\n\n{lines}\n{end}"


def perform(where: Machine, script: str, live: bool, timeout: float = 60.0, expect_fail: bool = False) -> CommandResult:
    """Run a script and show it as a terminal would.

    Raises CommandError for a line that failed, CommandTimeout, KeyboardInterrupt when the learner stopped it; with
    expect_fail the failing line is the success, and CommandExpectedToFail is raised when there was none.
    """
    timeout = patient(timeout)
    terminal = Terminal(f"{where.name}#")
    slot = Slot(live)

    def draw(last: bool) -> None:
        if terminal and (live or last):
            slot.put(terminal)

    with Live(draw) as drawing:

        def on_event(kind: str, value: Any) -> None:
            python = _PYTHON.format(_CELL)
            terminal.event(kind, python if kind == "command" and value.startswith(python) else value)
            drawing.changed()

        try:
            result = where.run(script, check=False, timeout=timeout, on_event=on_event)
        except CommandError as error:
            result = error.result
        except KeyboardInterrupt:
            terminal.note("interrupted")
            raise
        problem = failure(result, timeout)
        if result.ended == "interrupt":
            terminal.note("interrupted")
            raise KeyboardInterrupt
        if isinstance(problem, CommandTimeout):
            terminal.note(f"ended after {timeout:g} s")
        elif expect_fail and problem is None:
            problem = expected_failure(result)
        elif expect_fail:
            terminal.note("as expected")
            problem = None
    if problem is not None:
        raise problem
    return result
