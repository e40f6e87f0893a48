"""A notebook in this process: an IPython shell with the magics, over labs that exist only as data."""

from __future__ import annotations

import atexit
import html
import re
from pathlib import Path
from typing import Any

import fake_lab
from IPython.core.completer import provisionalcompleter
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from dnetkit import magics


class Shown:
    """What the learner sees below one cell after it has run."""

    def __init__(self, outputs: list[dict[str, Any]], printed: list[str], error: BaseException | None) -> None:
        self.outputs = outputs
        self.error = error
        self.trace = "\n".join(printed)

    @property
    def plain(self) -> str:
        """The plain form of every output, one below the other, and the error."""
        texts = [output["data"].get("text/plain", "") for output in self.outputs]
        return "\n".join([*texts, self.trace])

    @property
    def html(self) -> str:
        """The html form of every output."""
        return "\n".join(output["data"].get("text/html", "") for output in self.outputs)

    @property
    def widgets(self) -> list[dict[str, Any]]:
        """The outputs that are widgets."""
        return [output for output in self.outputs if "application/vnd.jupyter.widget-view+json" in output["data"]]


class _Results(DisplayHook):
    """Keeps the values that cells end with, instead of printing them."""

    kept: list[dict[str, Any]]

    def write_output_prompt(self) -> None:
        """A kernel prints none either."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:  # noqa: ARG002 - IPython's signature
        """Keep the forms of a value."""
        self.kept.append({"data": format_dict})


class FakeNotebook:
    """Runs cells. `labs` are those that were opened, the last is `lab`. live: as in a kernel, which redraws."""

    def __init__(self, folder: Path, live: bool = True) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.autocall = 0
        InteractiveShell.clear_instance()
        self.shell = InteractiveShell.instance(config=config, ipython_dir=str(folder))
        if live:
            self.shell.kernel = object()
        self._published = self.shell.display_pub = CapturingDisplayPublisher()
        self._results: list[Any] = []
        self.shell.displayhook = _Results(shell=self.shell)
        self.shell.displayhook.kept = self._results
        self.shell.display_trap.hook = self.shell.displayhook
        self._printed: list[str] = []
        self.shell._showtraceback = lambda _type, _value, trace: self._printed.extend(trace)
        self.labs: list[fake_lab.FakeLab] = []
        self.answers: dict[str, Any] = {}
        self.bench = magics.load(self.shell, self._open)

    def _open(self, **wanted: Any) -> fake_lab.FakeLab:
        lab = fake_lab.FakeLab(**wanted)
        lab.answers = self.answers
        self.labs.append(lab)
        return lab

    @property
    def lab(self) -> fake_lab.FakeLab:
        """The lab that was opened last."""
        return self.labs[-1]

    def run(self, source: str) -> Shown:
        """Run one cell. Outputs that are redrawn in place count once, as they look at the end."""
        self._published.outputs.clear()
        self._printed.clear()
        self._results.clear()
        done = self.shell.run_cell(source, store_history=False)
        shown: list[dict[str, Any]] = []
        places: dict[str, int] = {}
        for output in [*self._published.outputs, *self._results]:
            identity = (output.get("transient") or {}).get("display_id", "")
            if output.get("update"):
                shown[places[identity]] = output
            else:
                if identity:
                    places[identity] = len(shown)
                shown.append(output)
        return Shown(shown, list(self._printed), done.error_before_exec or done.error_in_exec)

    def complete(self, line: str) -> list[str]:
        """What <TAB> offers at the end of a line, by the way that a kernel takes."""
        with provisionalcompleter():
            return sorted({found.text for found in self.shell.Completer.completions(line, len(line))})

    def reload(self) -> None:
        """What %reload_ext does."""
        magics.unload(self.shell)
        self.bench = magics.load(self.shell, self._open)

    def close(self) -> None:
        """Take the shell away again, so that the next one starts anew."""
        magics.unload(self.shell)
        atexit.unregister(self.shell.atexit_operations)
        self.shell.restore_sys_module_state()
        InteractiveShell.clear_instance()


def text_of(markup: str) -> str:
    """What a browser would show of some html, roughly: without style, elements and character references."""
    return html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<style.*?</style>", "", markup)))
