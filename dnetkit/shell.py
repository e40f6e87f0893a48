"""`dnetkit shell`: a terminal in a lab that another process of yours holds open."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import signal
import socket
import struct
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from typing import Any, TextIO

from dnetkit.door import address_of, open_labs
from dnetkit.errors import LabError, UnknownMachine

__all__ = ["shell"]

Told = queue.SimpleQueue[dict[str, Any]]
"""What goes to the lab: sent by one thread, so that no message gets into the middle of another, and put here by any, a
signal's handler included, which is what a SimpleQueue allows.
"""
AGAIN = 1.0
"""Seconds between two ends of input: one that comes before the shell reads from its terminal is lost."""


def shell(name: str = "host1", lab: str = "") -> int:
    """Join this terminal to a machine or container of an open lab; returns the exit status of the shell there.

    lab: its id, or as much of its beginning as only it has; not needed when just one is open. Raises LabError when
    there is none or several, UnknownMachine for a name that is not in it.
    """
    with _knock(_choose(lab)) as door, door.makefile("r", encoding="utf-8") as lines:
        _say(door, {"machine": name, "size": _size()})
        answer = json.loads(lines.readline() or '{"error": "The lab ended."}')
        if "error" in answer:
            raise UnknownMachine(answer["error"], answer.get("hint", ""))
        print(f"{answer['open']}: a shell inside the lab; `exit` or Ctrl-D leaves it.", file=sys.stderr)
        told: Told = queue.SimpleQueue()
        ended = threading.Event()
        threading.Thread(target=_read_keys, args=(told, ended), daemon=True).start()
        threading.Thread(target=_pass_in, args=(told, door), daemon=True).start()
        try:
            with _raw_terminal(told):
                return _pass_out(lines)
        finally:
            ended.set()


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
    # Anyone may listen at an abstract address that nobody holds: the kernel says who it was.
    credentials = door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    if struct.unpack("3i", credentials)[1] != os.getuid():
        door.close()
        raise LabError(f"{lab} is not a lab of yours: another user answers at its address.")
    return door


def _read_keys(told: Told, ended: threading.Event) -> None:
    while data := os.read(0, 1 << 14):
        told.put({"data": base64.b64encode(data).decode()})
    while not ended.is_set():  # our input is at its end: so is the shell's
        told.put({"data": base64.b64encode(b"\x04").decode()})
        ended.wait(AGAIN)


def _pass_in(told: Told, door: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the lab has ended: _pass_out tells of it
        while True:
            _say(door, told.get())


def _pass_out(lines: TextIO) -> int:
    for line in lines:
        message = json.loads(line)
        if "error" in message:
            raise LabError(message["error"], message.get("hint", ""))
        if "status" in message:
            status = int(message["status"])
            return status if status >= 0 else 128 - status  # as a shell tells of one that a signal ended
        _write(base64.b64decode(message["data"]))
    raise LabError("The lab ended.")


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _size() -> list[int]:
    """Rows and columns of this terminal; not what COLUMNS and LINES say, which a new size does not change."""
    try:
        columns, rows = os.get_terminal_size(0)
    except OSError:
        columns, rows = 80, 24
    return [rows, columns]


@contextlib.contextmanager
def _raw_terminal(told: Told) -> Iterator[None]:
    """Pass every key on as it is pressed, and tell of a new size; as it was before at the end."""
    if not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    heard = signal.signal(signal.SIGWINCH, lambda *_: told.put({"size": _size()}))
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, heard)


def _say(door: socket.socket, message: dict[str, Any]) -> None:
    door.sendall(json.dumps(message).encode() + b"\n")
