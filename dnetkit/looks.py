"""The magics that look at the lab and leave it as it is: its picture, snapshots and what they differ in, checks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from dnetkit import checks, needs, options, views
from dnetkit.errors import CheckFailed, UsageError
from dnetkit.model import Snapshot
from dnetkit.stage import show

if TYPE_CHECKING:
    from dnetkit.magics import Workbench

__all__ = ["PATIENCE", "Looks"]

PATIENCE = 1.0
"""Seconds that a check gets to come true: the kernel tells of a link's state up to a second late."""


@magics_class
class Looks(Magics):
    """Looks at the lab of a notebook; it remembers the snapshots that were given a name."""

    def __init__(self, shell: InteractiveShell, bench: Workbench) -> None:
        super().__init__(shell)
        self._shell = shell
        self._bench = bench
        self.named: dict[str, Snapshot] = {}

    def forget(self) -> None:
        """The lab is a new one: what was seen of the old one is not to be compared with it."""
        self.named.clear()

    @line_magic
    def diagram(self, line: str) -> None:
        """Draw the network, with what the last cell changed.

        %diagram [--detail auto|brief|normal|full] [--focus NAME] [--direction auto|TB|LR] [--needs NEED,...]
        """
        from dnetkit.diagram import diagram  # noqa: PLC0415 - %load_ext must not wait for it

        asked = {name: value for name, value in vars(options.DIAGRAM.read(line)).items() if value is not None}
        lab = self._bench.need_lab()
        if reason := needs.lacking(asked.pop("needs"), lab):
            show(needs.NotApplicable("picture", "%diagram", reason))
            return
        show(diagram(lab.recent(), changes=self._bench.changes, **asked))

    @line_magic
    def snapshot(self, line: str) -> Snapshot:
        """Take the state of the lab now; with a name it is also kept for %diff: %snapshot [NAME]."""
        name = line.strip().removesuffix(";").rstrip()  # which tells IPython not to show it
        if name and not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
            raise UsageError(f"{name!r} is not a name for a snapshot.", "Take one word, such as: %snapshot before")
        state = self._bench.need_lab().snapshot()
        if name:
            self.named[name] = state
        return state

    @line_magic
    def diff(self, line: str) -> None:
        """What the last cell changed, or what changed between snapshots: %diff [A [B]]; without B, until now."""
        from dnetkit.diff import diff  # noqa: PLC0415 - as above

        before, after = self._pair(line)
        changes = diff(before, after)
        show(changes if changes else views.message("Nothing changed."))

    @line_magic
    def counters(self, line: str) -> None:
        """Which rules counted packets in the last cell, or between snapshots: %counters [A [B]]."""
        from dnetkit.diff import counters  # noqa: PLC0415 - as above

        show(counters(*self._pair(line)))

    def _pair(self, line: str) -> tuple[Snapshot, Snapshot]:
        asked = options.DIFF.read(line)
        lab = self._bench.need_lab()
        if asked.before is None:
            if self._bench.changes is None:
                raise UsageError(
                    "No cell has been compared yet.", "Run a %%host cell (without --no-diff), or name snapshots."
                )
            return self._bench.changes.before, self._bench.changes.after
        return self._named(asked.before), self._named(asked.after) if asked.after else lab.snapshot()

    def _named(self, name: str) -> Snapshot:
        if name not in self.named:
            known = f"The named ones are: {', '.join(self.named)}." if self.named else f"%snapshot {name} takes one."
            raise UsageError(f"There is no snapshot {name}.", known)
        return self.named[name]

    @no_var_expand
    @line_magic
    def check(self, line: str) -> None:
        """Show that a claim holds, and stop here when it does not.

        %check [--within SECONDS] [--needs NEED,...] EXPRESSION
        """
        patience, needed, expression = options.check(line, PATIENCE)
        if not expression:
            raise UsageError("%check needs a claim.", f"The checks are: {', '.join(checks.names())}")
        lab = self._bench.need_lab()
        if reason := needs.lacking(needed, lab):
            show(needs.NotApplicable("check", expression, reason))
            return
        variables = self._shell.user_ns
        result = checks.settled(lab, lambda look: checks.evaluate(expression, look, lab, variables), patience)
        show(result)
        if not result:
            raise CheckFailed(f"{result.claim}: seen: {result.reason}", result.hint)
