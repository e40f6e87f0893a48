"""Byte streams through the agent: a connection to an engine's socket, or a terminal in a machine or container."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import pty
import queue
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
from collections.abc import Callable
from typing import Any

from dnetkit.agent.dockerd import SOCKET
from dnetkit.agent.machines import Machine

__all__ = ["connect", "terminal"]

Tell = Callable[..., None]
Inbox = queue.SimpleQueue[dict[str, Any]]
_PIECE = 1 << 15


def connect(machine: Machine, inbox: Inbox, tell: Tell) -> dict[str, Any]:
    """Join the caller to the engine's socket until either side has no more to say."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
        engine.connect(machine.path(SOCKET))
        tell(event="connected")

        def from_caller() -> None:
            while True:
                message = inbox.get()
                with contextlib.suppress(OSError):
                    if "data" in message:
                        engine.sendall(base64.b64decode(message["data"]))
                        continue
                    engine.shutdown(socket.SHUT_WR if message.get("end") == "write" else socket.SHUT_RDWR)
                if message.get("end") != "write":
                    return

        writer = threading.Thread(target=from_caller, daemon=True)
        writer.start()
        with contextlib.suppress(OSError):
            while data := engine.recv(_PIECE):
                tell(event="data", data=base64.b64encode(data).decode())
        inbox.put({"end": "all"})
        writer.join()
    return {}


def terminal(machine: Machine, command: list[str], size: tuple[int, int], inbox: Inbox, tell: Tell) -> dict[str, Any]:
    """A real terminal running `command` in the machine; size is (rows, columns). Returns {'status'}."""
    ours, theirs = pty.openpty()
    _resize(ours, size)

    def take_terminal() -> None:  # in the child, which is already a session of its own
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    environment = {**machine.environment, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        machine.enter(*command),
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509 - one ioctl; nothing in it takes a lock
        cwd="/",
    )
    os.close(theirs)

    def from_caller() -> None:
        while True:
            message = inbox.get()
            with contextlib.suppress(OSError):
                if "data" in message:
                    os.write(ours, base64.b64decode(message["data"]))
                elif "size" in message:
                    _resize(ours, message["size"])
                    os.killpg(process.pid, signal.SIGWINCH)
            if "end" in message:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGHUP)
                return

    writer = threading.Thread(target=from_caller, daemon=True)
    writer.start()
    poll = select.poll()
    poll.register(ours, select.POLLIN)
    try:
        while True:
            poll.poll()
            data = os.read(ours, _PIECE)
            if not data:
                break
            tell(event="data", data=base64.b64encode(data).decode())
    except OSError:
        pass  # EIO: the last program on the terminal has ended
    inbox.put({"end": "all"})
    writer.join()
    os.close(ours)
    return {"status": process.wait()}


def _resize(fd: int, size: tuple[int, int]) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[0], size[1], 0, 0))
