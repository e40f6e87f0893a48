"""What was done in a lab and what came of it: differences between snapshots, and the outcome of scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Change", "CommandResult", "Step"]


@dataclass(frozen=True)
class Change:
    """One difference between two snapshots.

    verb: 'added', 'removed' or 'changed'. subject: the kind of object: 'machine', 'namespace', 'link', 'address',
    'network', 'container', 'endpoint', 'port', for a part of a namespace what `parts.PARTS` calls it ('route',
    'neighbour', 'forwarding', 'rule', ...), 'unavailable' (what could not be read) or 'snapshot' (when it was taken).
    where: the namespace (or machine) it belongs to. before, after: the objects themselves, None where there is none.
    fields: for 'changed', the names of the fields that differ; 'namespace' for a link that moved, 'place' for
    another order. text: the change in one sentence.
    owner: the Link of an address, the Container of an endpoint or port. origin: the namespace that it was in, where
    that is another or was called otherwise. place: its index among its kind afterwards, None when it is gone.
    """

    verb: str
    subject: str
    where: str
    text: str
    before: Any = None
    after: Any = None
    fields: tuple[str, ...] = ()
    owner: Any = None
    origin: str = ""
    place: int | None = None


@dataclass(frozen=True)
class Step:
    """One complete command of a script: its source, exit status (None: it was ended), output, duration in seconds."""

    source: str
    status: int | None
    stdout: str = ""
    stderr: str = ""
    duration: float = 0.0


@dataclass(frozen=True)
class CommandResult:
    """What a script did on a machine: one Step a complete command, up to the first that failed.

    ended: '' when it ran to its end, else 'timeout' or 'interrupt'.
    """

    machine: str
    steps: tuple[Step, ...] = ()
    ended: str = ""
    duration: float = 0.0

    @property
    def status(self) -> int | None:
        """The last step's exit status; 0 for an empty script, None when it was ended from outside."""
        return None if self.ended else (self.steps[-1].status if self.steps else 0)

    @property
    def ok(self) -> bool:
        """True when every step ended with status 0."""
        return not self.ended and all(step.status == 0 for step in self.steps)

    @property
    def stdout(self) -> str:
        """All that was written to standard output."""
        return "".join(step.stdout for step in self.steps)

    @property
    def stderr(self) -> str:
        """All that was written to standard error."""
        return "".join(step.stderr for step in self.steps)
