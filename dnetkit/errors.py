"""Every error that dnetkit raises on purpose, in one tree.

    DnetkitError
    ├── SandboxError        this machine cannot start a lab that way (no right, no tool, no kernel feature)
    ├── EngineError         the Docker Engine is missing, did not start, or died
    ├── ImageError          an image is not in the catalogue, or could not be fetched or built
    ├── LabError            there is no lab, or the lab has ended
    │   └── UnknownMachine  no host, client or container of that name
    ├── AgentError          the agent refused a request or broke its protocol
    ├── CommandError        a learner's command failed (carries the CommandResult)
    │   ├── CommandTimeout  it ran into its time limit
    │   └── CommandExpectedToFail   it was expected to fail and did not
    ├── CheckFailed         a check did not hold
    ├── ExerciseError       an unknown exercise, or one used out of order
    ├── NotebookError       a chapter could not be found, copied or run
    ├── PictureError        a picture could not be drawn or written
    ├── SnapshotError       a snapshot is damaged or of another schema
    └── UsageError          a magic or command-line option that makes no sense

Each message says what happened and, in `hint`, what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnetkit.model import CommandResult

__all__ = [
    "AgentError",
    "CheckFailed",
    "CommandError",
    "CommandExpectedToFail",
    "CommandTimeout",
    "DnetkitError",
    "EngineError",
    "ExerciseError",
    "ImageError",
    "LabError",
    "NotebookError",
    "PictureError",
    "SandboxError",
    "SnapshotError",
    "UnknownMachine",
    "UsageError",
]


class DnetkitError(Exception):
    """Base of all: `message` says what happened, `hint` what to do next (may be empty)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of a traceback: the learner needs the message, not our stack."""
        return [f"{type(self).__name__}: {line}" if n == 0 else line for n, line in enumerate(str(self).split("\n"))]


class SandboxError(DnetkitError):
    """A lab cannot be started on this machine in the way that was asked for."""


class EngineError(DnetkitError):
    """The Docker Engine is missing, did not become ready, or died; `log` is the end of its log."""

    def __init__(self, message: str, hint: str = "", log: str = "") -> None:
        super().__init__(message, hint)
        self.log = log

    def __str__(self) -> str:
        return (
            f"{super().__str__()}\n--- the end of the engine's log ---\n{self.log}" if self.log else super().__str__()
        )


class ImageError(DnetkitError):
    """An image is not in the catalogue, or could be neither fetched nor built."""


class LabError(DnetkitError):
    """There is no open lab, or the one that was open has ended."""


class UnknownMachine(LabError):
    """No host, client or container has that name."""


class AgentError(DnetkitError):
    """The agent could not do what it was asked, or spoke nonsense."""


class CommandError(DnetkitError):
    """A line of a cell failed; `result` holds every line that ran."""

    def __init__(self, message: str, result: CommandResult, hint: str = "") -> None:
        super().__init__(message, hint)
        self.result = result


class CommandTimeout(CommandError):
    """A line was still running at its time limit and was ended."""


class CommandExpectedToFail(CommandError):
    """The cell said --expect-fail, and every line succeeded."""


class CheckFailed(DnetkitError):
    """A claim about the lab does not hold."""


class ExerciseError(DnetkitError):
    """An exercise that does not exist, or a step out of order."""


class NotebookError(DnetkitError):
    """A chapter could not be found, copied, or executed."""


class PictureError(DnetkitError):
    """Graphviz is missing or failed, or the picture could not be written."""


class SnapshotError(DnetkitError):
    """A stored snapshot is damaged or was written by another schema version."""


class UsageError(DnetkitError):
    """A magic or a command was given arguments that make no sense."""
