"""A door into an open lab for another process of the same user: how `dnetkit shell` gets a terminal in it.

The process that opened the lab listens on an abstract socket (unix(7)), '@dnetkit/UID/LAB', which leaves no file and
ends with it. Only the same user, or root, is let in; the kernel says who is calling. One JSON message a line: first the
caller's {"machine": "web", "size": [rows, columns]}, answered by {"open": "web"} or {"error": ...}; then {"data":
base64} both ways, {"size": ...} inwards, and {"status": number} at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dnetkit.errors import DnetkitError, UsageError
from dnetkit.session import Session

__all__ = ["Door", "address_of", "open_labs"]

Resolve = Callable[[str], tuple[str, str]]
"""From a name to (machine, container or ''). Raises UnknownMachine."""


def address_of(lab: str) -> str:
    """The address of a lab's door, for the user that runs this."""
    return f"\0dnetkit/{os.getuid()}/{lab}"


def open_labs() -> list[str]:
    """The ids of this user's labs on this machine, as the kernel lists their doors."""
    prefix = f"@dnetkit/{os.getuid()}/"
    lines = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()
    names = (line.split(" ")[-1] for line in lines)
    return sorted({name.removeprefix(prefix) for name in names if name.startswith(prefix)})


class Door:
    """Listens for as long as the lab is open."""

    def __init__(self, lab: str, session: Session, resolve: Resolve) -> None:
        self._session = session
        self._resolve = resolve
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(address_of(lab))
        self._socket.listen()
        threading.Thread(target=self._welcome, name="dnetkit-door", daemon=True).start()

    def close(self) -> None:
        """Stop listening; terminals that are open end with the lab."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept
        self._socket.close()

    def _welcome(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError):
            credentials = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            if struct.unpack("3i", credentials)[1] not in (os.getuid(), 0):
                return
            with caller.makefile("r", encoding="utf-8", errors="replace") as lines:
                try:
                    name, size = _wanted(lines.readline())
                    machine, container = self._resolve(name)
                    _say(caller, {"open": container or machine})
                    self._terminal(caller, lines, machine, container, size)
                except DnetkitError as error:
                    _say(caller, {"error": error.message, "hint": error.hint})
                finally:
                    caller.shutdown(socket.SHUT_RDWR)  # who still waits for a line must let go before it can be closed

    def _terminal(self, caller: socket.socket, lines: Any, machine: str, container: str, size: Any) -> None:
        with self._session.request("terminal", machine=machine, container=container, size=size) as stream:

            def pass_in() -> None:
                with contextlib.suppress(OSError, ValueError):
                    for line in lines:
                        message = json.loads(line)
                        stream.send(**{key: message[key] for key in ("data", "size") if key in message})
                stream.send(end="all")

            threading.Thread(target=pass_in, name="dnetkit-door-in", daemon=True).start()
            done = stream.wait(lambda message: _say(caller, {"data": message["data"]}))
            _say(caller, {"status": done["status"]})


def _wanted(line: str) -> tuple[str, list[int]]:
    """The name and the terminal's size that a caller asks for. Raises UsageError for anything else."""
    try:
        wanted = json.loads(line)
        rows, columns = wanted["size"]
        name = wanted["machine"]
        if not (isinstance(name, str) and 0 < int(rows) < 1 << 16 and 0 < int(columns) < 1 << 16):
            raise ValueError(line)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError('A caller says {"machine": NAME, "size": [ROWS, COLUMNS]} first.') from error
    return name, [int(rows), int(columns)]


def _say(caller: socket.socket, message: dict[str, Any]) -> None:
    caller.sendall(json.dumps(message).encode() + b"\n")
