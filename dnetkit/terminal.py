"""What a terminal would show of a script: each command behind its prompt, its output, and its status when not 0."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType

from dnetkit.display import Html, escape, joined, tag, wrap

__all__ = ["Live", "Screen", "Terminal"]

HEAD = 200
"""Lines of a command's output that are kept from its beginning, and as many from its end."""

WIDTH = 2000
"""Characters of a line that are kept; a longer one is cut."""

_TOKENS = re.compile(
    r"\x1b\[(?P<csi>[0-?]*[ -/]*[@-~])"  # a control sequence: colour, cursor, erase
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # a title, a link or another string meant for the terminal
    r"|\x1b[ -/]*[0-~]?"  # any other escape
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?)?$")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")  # they would make text read as what it is not

Piece = tuple[str, str]
"""Text and the stream it came on, 'stdout' or 'stderr'."""


class Screen:
    """The lines that output leaves on a terminal: escapes obeyed or dropped, megabytes cut in the middle."""

    def __init__(self) -> None:
        self._head: list[list[Piece]] = []
        self._tail: deque[list[Piece]] = deque(maxlen=HEAD)
        self._left_out = 0
        self._line: list[Piece] = []
        self._length = 0
        self._column = 0
        self._pending = {"stdout": "", "stderr": ""}

    def write(self, stream: str, text: str) -> None:
        """Take the next piece of output; an escape sequence may be split over two pieces."""
        text = self._pending[stream] + text
        unfinished = _UNFINISHED.search(text[-256:])
        self._pending[stream] = unfinished.group() if unfinished else ""
        if unfinished:
            text = text[: len(text) - len(unfinished.group())]
        for token in _TOKENS.finditer(text):
            if token["text"]:
                self._put(_DIRECTION.sub("\ufffd", token["text"]), stream)
            elif token["control"]:
                self._control(token["control"], stream)
            elif token["csi"] in ("K", "0K"):
                self._truncate(self._column)
            elif token["csi"] == "2K":
                self._truncate(0)

    def lines(self) -> list[list[Piece]]:
        """The lines as they stand, with a note on stream 'note' where some were left out."""
        lines = list(self._head)
        if self._left_out:
            lines.append([(f"... {self._left_out:,} lines left out ...", "note")])
        lines.extend(self._tail)
        if self._line:
            lines.append(self._shown(self._line))
        return lines

    def _control(self, char: str, stream: str) -> None:
        if char == "\n":
            self._newline()
        elif char == "\r":
            self._column = 0
        elif char == "\b":
            self._column = max(0, self._column - 1)
        elif char == "\t":
            self._put(" " * (8 - self._column % 8), stream)

    def _put(self, text: str, stream: str) -> None:
        if self._column >= self._length:
            if self._length <= WIDTH:
                kept = text[: WIDTH + 1 - self._length]
                if self._line and self._line[-1][1] == stream:
                    self._line[-1] = (self._line[-1][0] + kept, stream)
                else:
                    self._line.append((kept, stream))
            self._length += len(text)
        else:
            cells = [(char, source) for piece, source in self._line for char in piece]
            cells[self._column : self._column + len(text)] = [(char, stream) for char in text]
            self._line = _join(cells[: WIDTH + 1])
            self._length = max(self._length, self._column + len(text))
        self._column += len(text)

    def _truncate(self, column: int) -> None:
        cells = [(char, source) for piece, source in self._line for char in piece]
        self._line = _join(cells[:column])
        self._length = min(self._length, column)
        self._column = min(self._column, self._length)

    def _newline(self) -> None:
        line = self._shown(self._line)
        if len(self._head) < HEAD:
            self._head.append(line)
        else:
            self._left_out += len(self._tail) == HEAD
            self._tail.append(line)
        self._line, self._length, self._column = [], 0, 0

    def _shown(self, line: list[Piece]) -> list[Piece]:
        if sum(len(text) for text, _ in line) <= WIDTH:
            return line
        kept = _join([(char, stream) for text, stream in line for char in text][:WIDTH])
        return [*kept, (f" ... {self._length - WIDTH:,} characters left out", "note")]


class Terminal:
    """A terminal on one machine, fed with the events of `run`; shows itself as html and as plain text."""

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        self._steps: list[tuple[str, Screen, str]] = []
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._steps)

    def event(self, kind: str, value: str | int | None) -> None:
        """Take one event: ('command', source), ('stdout' or 'stderr', text), ('status', number or None)."""
        with self._lock:
            if kind == "command" or not self._steps:
                self._steps.append((str(value) if kind == "command" else "", Screen(), ""))
            source, screen, _ = self._steps[-1]
            if kind in ("stdout", "stderr"):
                screen.write(kind, str(value))
            elif kind == "status" and value:
                self._steps[-1] = (source, screen, f"exit {value}")

    def note(self, text: str) -> None:
        """Say of the last command how it ended where a status does not: 'interrupted', 'ended after 60 s'."""
        with self._lock:
            source, screen, before = self._steps[-1] if self._steps else ("", Screen(), "")
            self._steps[-1:] = [(source, screen, f"{before}, {text}" if before else text)]

    def _rows(self) -> list[list[Piece]]:
        rows: list[list[Piece]] = []
        with self._lock:
            for source, screen, ending in self._steps:
                for number, line in enumerate(source.rstrip("\n").split("\n") if source else ()):
                    rows.append([(f"{self.prompt} " if number == 0 else "> ", "prompt"), (line, "command")])
                rows.extend(screen.lines())
                if ending:
                    rows.append([(ending, "status")])
        return rows

    def __str__(self) -> str:
        return "\n".join("".join(text for text, _ in row) for row in self._rows())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        rows = (joined(_span(text, stream) for text, stream in row) for row in self._rows())
        body = Html("\n".join(rows))
        return {
            "text/plain": str(self),
            "text/html": wrap(tag("pre", body, class_="dnetkit-terminal")),
        }


class Live:
    """Keeps what is on the screen up to date with what happens: at most every `interval` seconds, and at the end.

    `show(last)` draws. It is called from a second thread, and with last=True at the end, never by two threads at once.
    """

    def __init__(self, show: Callable[[bool], None], interval: float = 0.1) -> None:
        self._show = show
        self._interval = interval
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="dnetkit-live", daemon=True)

    def __enter__(self) -> Live:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._changed.set()
        self._thread.join()
        self._show(True)

    def changed(self) -> None:
        """There is something new to draw."""
        self._changed.set()

    def _draw(self) -> None:
        while True:
            self._changed.wait()
            if self._closed.is_set():
                return
            self._changed.clear()
            self._show(False)
            self._closed.wait(self._interval)


_LOOKS = {
    "prompt": {"class_": "dnk-note", "style": "user-select:none"},
    "command": {"style": "font-weight:600"},
    "stderr": {"class_": "dnk-removed"},
    "status": {"class_": "dnk-removed", "style": "font-style:italic"},
    "note": {"class_": "dnk-note", "style": "font-style:italic"},
}


def _span(text: str, stream: str) -> Html:
    return tag("span", text, **_LOOKS[stream]) if stream in _LOOKS else escape(text)


def _join(cells: list[Piece]) -> list[Piece]:
    pieces: list[Piece] = []
    for char, stream in cells:
        if pieces and pieces[-1][1] == stream:
            pieces[-1] = (pieces[-1][0] + char, stream)
        else:
            pieces.append((char, stream))
    return pieces
