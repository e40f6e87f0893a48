"""`dnetkit shell`: a terminal in a lab that another process of yours holds open."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from typing import Any

from dnetkit.door import address_of, open_labs
from dnetkit.errors import LabError, UnknownMachine

__all__ = ["shell"]


def shell(name: str = "host1", lab: str = "") -> int:
    """Join this terminal to a machine or container of an open lab; returns the exit status of the shell there.

    lab: its id, or as much of its beginning as only it has; not needed when just one is open. Raises LabError when
    there is none or several, UnknownMachine for a name that is not in it.
    """
    with _knock(_choose(lab)) as door:
        _say(door, {"machine": name, "size": _size()})
        with door.makefile("r", encoding="utf-8") as lines:
            answer = json.loads(lines.readline() or '{"error": "The lab ended."}')
            if "error" in answer:
                raise UnknownMachine(answer["error"], answer.get("hint", ""))
            print(f"{answer['open']}: a shell inside the lab; `exit` or Ctrl-D leaves it.", file=sys.stderr)
            threading.Thread(target=_pass_in, args=(door,), daemon=True).start()
            with _raw_terminal(door):
                return _pass_out(lines)


def _choose(wanted: str) -> str:
    labs = open_labs()
    found = [lab for lab in labs if lab.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not labs:
        raise LabError("You have no open lab on this machine.", "Open one in a notebook first: %lab open")
    if not found:
        raise LabError(f"You have no open lab {wanted!r}.", f"Open are: {', '.join(labs)}.")
    raise LabError(f"You have {len(found)} open labs.", f"Say which: dnetkit shell --lab ID, of {', '.join(found)}.")


def _knock(lab: str) -> socket.socket:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.connect(address_of(lab))
    except OSError as error:
        door.close()
        raise LabError(
            f"The lab {lab} does not answer: {error.strerror}", "It may just have ended; look again."
        ) from error
    return door


def _pass_in(door: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(0, 1 << 14):
            _say(door, {"data": base64.b64encode(data).decode()})
        _say(door, {"data": base64.b64encode(b"\x04").decode()})  # our input is at its end: so is the shell's


def _pass_out(lines: Any) -> int:
    for line in lines:
        message = json.loads(line)
        if "status" in message:
            return int(message["status"])
        os.write(1, base64.b64decode(message["data"]))
    raise LabError("The lab ended.")


def _size() -> list[int]:
    columns, rows = shutil.get_terminal_size()
    return [rows, columns]


@contextlib.contextmanager
def _raw_terminal(door: socket.socket) -> Iterator[None]:
    """Pass every key on as it is pressed, and tell of a new size; as it was before at the end."""
    if not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    heard = signal.signal(signal.SIGWINCH, lambda *_: _say(door, {"size": _size()}))
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, heard)


def _say(door: socket.socket, message: dict[str, Any]) -> None:
    door.sendall(json.dumps(message).encode() + b"\n")
