"""`%load_ext dnetkit`: the magics of a notebook; the only module that knows a current lab."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from dnetkit import completion, exercises, needs, options, views
from dnetkit.cells import as_python, perform
from dnetkit.errors import CommandError, DnetkitError, EngineError, LabError, UnknownMachine, UsageError
from dnetkit.failures import did_you_mean
from dnetkit.looks import Looks
from dnetkit.model import CommandResult, Snapshot
from dnetkit.stage import Slot, can_redraw, show
from dnetkit.tutor import Tutor
from dnetkit.work import Report

if TYPE_CHECKING:
    from dnetkit.diff import Changes
    from dnetkit.lab import Lab

__all__ = ["Workbench", "load", "unload"]

OPEN_FIRST = "Run the cell with `%lab open` first (it is near the top of each chapter)."


@magics_class
class Workbench(Magics):
    """The magics, the one lab that they work on, and what the last cell changed."""

    def __init__(self, shell: InteractiveShell, open_lab: Callable[..., Lab] | None = None) -> None:
        super().__init__(shell)
        self._shell = shell
        self.current: Lab | None = None
        self.changes: Changes | None = None
        self.looks = Looks(shell, self)
        self.tutor = Tutor(shell, self)
        self.withdraw = completion.offer(shell, self.state)
        self._open_lab = open_lab or _open_lab

    @property
    def live(self) -> bool:
        """Whether what is shown can be drawn again: in a notebook it can, in a terminal it cannot."""
        return can_redraw(self._shell)

    def need_lab(self) -> Lab:
        """The current lab. Raises LabError when there is none, or when it has ended."""
        if self.current is None:
            raise LabError("There is no lab.", OPEN_FIRST)
        if not self.current.alive:
            raise LabError(
                f"Lab {self.current.id} has ended.", "`%lab open` opens a fresh one; then run the cells from there."
            )
        return self.current

    @line_magic
    def lab(self, line: str) -> None:
        """Open, show, restart or close the lab of this notebook.

        %lab open [--hosts N] [--no-client] [--sandbox root|rootless|auto] [--images busybox,redis]
                  [--engine VERSION|none]
        %lab status     %lab restart     %lab close     %lab log [agent|host1]
        %lab engine start|stop|restart|kill [host1] [--expect-fail] [--no-diff]
        """
        first, _, rest = line.strip().partition(" ")
        if first == "engine":
            self._engine(options.ENGINE.read(rest))
            return
        asked = options.LAB.read(line)
        if asked.name and asked.action != "log":
            raise UsageError(f"%lab {asked.action} takes no name.", "Only `%lab log` does: %lab log host1")
        if asked.action == "open":
            self._open(asked)
        elif asked.action == "log":
            show(views.log(self._any_lab().log(asked.name or "agent", lines=asked.lines)))
        else:
            {"status": self._status, "restart": self._restart, "close": self._close}[asked.action]()

    def _open(self, asked: Namespace) -> None:
        wanted: dict[str, Any] = {
            "hosts": asked.hosts,
            "client": False if asked.no_client else None,
            "sandbox": asked.sandbox or os.environ.get("DNETKIT_SANDBOX") or None,
            "images": asked.images,
            "engine": asked.engine,
        }
        if self.current is not None:
            show(views.message(f"Closing lab {self.current.id}; a fresh one takes its place."))
            self.close()
        given = {name: value for name, value in wanted.items() if value is not None}
        if asked.engine == "none":
            given["engine"] = None
        self._start(lambda progress: self._open_lab(**given, progress=progress))

    def _restart(self) -> None:
        self._start(self._any_lab().restart)

    def _start(self, start: Callable[[Callable[[str], None]], Lab]) -> None:
        began = time.monotonic()
        self._forget()
        slot = Slot(self.live)

        def tell(news: str) -> None:
            if not isinstance(news, Report):
                slot.put(views.message(news))
            elif slot.live:
                slot.put(views.working(news))
            elif news.begins:
                slot.put(views.message(str(news)))

        lab = start(tell)
        self.current = lab
        self._shell.user_ns["lab"] = lab
        slot.put(views.status(lab, lab.snapshot(), time.monotonic() - began))
        threading.Thread(target=_make_ready, daemon=True).start()  # while the learner reads

    def _status(self) -> None:
        if self.current is None:
            show(views.message("No lab is open. `%lab open` opens one."))
        elif not self.current.alive:
            show(views.message(f"Lab {self.current.id} has ended. `%lab open` opens a fresh one."))
        else:
            show(views.status(self.current, self.current.snapshot()))

    def _close(self) -> None:
        text = f"Lab {self.current.id} is closed; nothing of it is left." if self.current else "No lab was open."
        self.close()
        show(views.message(text))

    def _engine(self, asked: Namespace) -> None:
        """Do to a host's engine what an init system does, and show what that changed."""
        lab = self.need_lab()
        name = self._host(asked.name)
        self.changes = None
        before = None if asked.no_diff else lab.recent()
        began = time.monotonic()
        try:
            getattr(lab.hosts[name].engine, asked.action)()
        except EngineError as error:
            if not asked.expect_fail:
                raise
            show(views.engine_failed(error))
        else:
            if asked.expect_fail:
                raise EngineError(
                    f"The engine of {name} did {asked.action}, which was expected to fail.",
                    f"`%lab log {name}` shows what it wrote.",
                )
            done = {"start": "runs", "stop": "has stopped", "restart": "was restarted and answers", "kill": "is killed"}
            show(views.message(f"The engine of `{name}` {done[asked.action]} ({time.monotonic() - began:.1f} s)."))
        self._compare(lab, before)

    def _any_lab(self) -> Lab:
        """The lab, even one that has ended: its log is what tells why."""
        return self.current if self.current is not None else self.need_lab()

    def close(self) -> None:
        """Close the lab, if there is one."""
        lab, self.current = self.current, None
        self._forget()
        if lab is not None:
            if self._shell.user_ns.get("lab") is lab:
                del self._shell.user_ns["lab"]
            lab.close()

    def _forget(self) -> None:
        self.changes = None
        self.looks.forget()
        self.tutor.forget()

    @cell_magic
    def host(self, line: str, cell: str) -> None:
        """Run the cell's lines on a host: %%host [NAME] [options].

        Options: --expect-fail, --needs NEED,..., --timeout SECONDS, --no-diff; --python: they are a Python program
        """
        asked = options.CELL.read(line)
        self.run([(self._host(asked.name), as_python(cell) if asked.python else cell)], asked)

    @cell_magic
    def client(self, line: str, cell: str) -> None:
        """Run the cell's lines on the client: %%client [options]; those of %%host."""
        asked = options.CLIENT.read(line)
        if self.need_lab().client is None:
            raise UnknownMachine("This lab has no client.", "Open it without --no-client.")
        self.run([("client", as_python(cell) if asked.python else cell)], asked)

    @cell_magic
    def container(self, line: str, cell: str) -> None:
        """Run the cell's lines in a container: %%container NAME [options]; those of %%host."""
        asked = options.CONTAINER.read(line)
        self.run([(asked.name, cell)], asked)

    def _host(self, name: str | None) -> str:
        lab = self.need_lab()
        if name is None or name in lab.hosts:
            return name or lab.host.name
        hint = did_you_mean(name, lab.hosts) or f"%%container {name} runs lines in a container."
        raise UnknownMachine(f"There is no host {name}. The hosts of this lab are: {', '.join(lab.hosts)}.", hint)

    def run(self, work: Iterable[tuple[str, str]], asked: Namespace | None = None) -> CommandResult | None:
        """Run (machine, lines) pairs, show their terminals and then what changed; the last result.

        asked: what `options.CELL` reads. Where what it needs is not there, that is shown, and nothing is run.
        Raises what `cells.perform` does.
        """
        asked = asked or options.CELL.read("")
        lab = self.need_lab()
        self.changes = None
        if reason := needs.lacking(asked.needs, lab):
            work = list(work)
            show(needs.NotApplicable("commands", _first_line(work[0][1]), reason))
            return None
        before = None if asked.no_diff else lab.recent()
        result = None
        try:
            for name, script in work:
                result = perform(lab.machine(name), script, self.live, asked.timeout, asked.expect_fail)
        except (CommandError, KeyboardInterrupt):
            self._compare(lab, before)  # the lines before that one may have changed something
            raise
        self._compare(lab, before)
        return result

    def _compare(self, lab: Lab, before: Snapshot | None) -> None:
        if before is None:
            return
        from dnetkit.diff import diff  # noqa: PLC0415 - see `_open_lab`

        self.changes = diff(before, lab.snapshot())
        if self.changes:
            show(self.changes)

    def state(self) -> Snapshot | None:
        """The state of the lab now; None when there is none to tell of."""
        try:
            return self.need_lab().snapshot()
        except DnetkitError:
            return None


def _first_line(script: str) -> str:
    lines = [line.strip() for line in script.strip().splitlines()]
    return f"{lines[0]} ..." if len(lines) > 1 else "".join(lines)


def _make_ready() -> None:
    """What the first change, picture and exercise would wait for; if something is wrong with it, they say so."""
    with contextlib.suppress(ImportError, DnetkitError):
        from dnetkit import diagram, diff  # noqa: F401, PLC0415 - %load_ext must not wait for them

        exercises.catalogue()


def _open_lab(**wanted: Any) -> Lab:
    # Imported here, as the engine's client and the drawing are: %load_ext must not wait for what a cell may never use.
    from dnetkit.lab import Lab  # noqa: PLC0415

    return Lab(**wanted).open()


def load(shell: InteractiveShell, open_lab: Callable[..., Lab] | None = None) -> Workbench:
    """Register the magics; what `%load_ext dnetkit` does. A test gives them another way to open a lab."""
    bench = Workbench(shell, open_lab)
    shell.register_magics(bench, bench.looks, bench.tutor)
    if shell.display_formatter is not None:
        shell.display_formatter.mimebundle_formatter.for_type(
            Snapshot, lambda state, **_: views.snapshot(state)._repr_mimebundle_()
        )
    atexit.register(bench.close)
    return bench


def unload(shell: InteractiveShell) -> None:
    """Close the lab; what `%unload_ext dnetkit` does."""
    bench = shell.magics_manager.registry.get("Workbench")
    if isinstance(bench, Workbench):
        atexit.unregister(bench.close)
        bench.withdraw()
        bench.close()
