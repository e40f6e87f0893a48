"""A chapter in an IPython shell of this process, cell by cell over a real lab; what it shows is thrown away."""

from __future__ import annotations

import atexit
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from dnetkit import checks, looks, magics, needs, notebooks, options
from dnetkit.checks import CheckResult
from dnetkit.lab import Lab

CHECK = re.compile(r"^%check\s+(.+?)\s*$", re.MULTILINE)


def code_cells(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook, in order."""
    return [cell for cell in notebooks.read_notebook(path)["cells"] if cell["cell_type"] == "code"]


@dataclass(frozen=True)
class Claim:
    """An expression that a cell checks, the seconds that it has to come true, and what it needs."""

    expression: str
    patience: float
    needs: str


def claims(source: str) -> list[Claim]:
    """What a cell checks."""
    lines = [options.check(found[1], looks.PATIENCE) for found in CHECK.finditer(source)]
    return [Claim(expression, patience, needed) for patience, needed, expression in lines]


class LiveNotebook:
    """Runs cells; a context manager, so that no lab outlives it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> LiveNotebook:
        config = Config()
        config.HistoryManager.enabled = False
        InteractiveShell.clear_instance()
        self.shell = InteractiveShell.instance(config=config, ipython_dir=str(self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        magics.unload(self.shell)
        atexit.unregister(self.shell.atexit_operations)
        self.shell.restore_sys_module_state()
        InteractiveShell.clear_instance()

    def run(self, source: str) -> None:
        """Run one cell; raises what it raised."""
        with capture_output():
            done = self.shell.run_cell(source, store_history=False)
        if error := done.error_before_exec or done.error_in_exec:
            raise error

    def run_all(self, cells: list[dict[str, Any]]) -> None:
        """Run cells one by one."""
        for cell in cells:
            self.run(notebooks.source_of(cell))

    @property
    def lab(self) -> Lab:
        """The lab that the cells opened."""
        lab = self.shell.user_ns["lab"]
        assert isinstance(lab, Lab)
        return lab

    def lacking(self, claim: Claim) -> str:
        """Why a claim does not apply here; '' when it does."""
        return needs.lacking(claim.needs, self.lab)

    def judge(self, expression: str, look: checks.Look) -> CheckResult:
        """Evaluate one check, as %check does."""
        return checks.evaluate(expression, look, self.lab, self.shell.user_ns)
