"""One request to a lab's agent that is under way: its events and its end come in, more can be sent to it."""

from __future__ import annotations

import base64
import contextlib
import queue
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from dnetkit import errors

if TYPE_CHECKING:
    from dnetkit.session import Session

__all__ = ["Stream"]

_KINDS: dict[str, type[errors.DnetkitError]] = {
    "sandbox": errors.SandboxError,
    "ended": errors.LabError,
    "unknown": errors.UnknownMachine,
    "agent": errors.AgentError,
}
_HINTS = {
    "sandbox": "`dnetkit doctor` tells what this machine can do.",
    "ended": "`%lab restart` in a notebook, or `lab.restart()`, makes the lab afresh.",
}


class Stream:
    """One request under way: what comes back, and what can still be sent to it."""

    def __init__(
        self, session: Session, number: int, answers: queue.SimpleQueue[dict[str, Any] | None], looks: bool = False
    ) -> None:
        self._session = session
        self._number = number
        self._answers = answers
        self._looks = looks

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            message = self.next()
            yield message
            if "event" not in message:
                return

    def send(self, **message: Any) -> None:
        """Send something to the request: data, an end, a terminal's size, an interrupt."""
        self._session.touched()
        self._session.write({"to": self._number, **message})

    def tell(self, message: dict[str, Any]) -> None:
        """Put in a message as if it came from the lab; a signal handler may."""
        self._answers.put(message)

    def next(self) -> dict[str, Any]:
        """The next message. Raises LabError when the lab ended instead."""
        message = self._answers.get()
        if message is None:
            log = self._session.log(15)
            raise errors.LabError(
                "The lab has ended." + (f"\n--- the end of the agent's log ---\n{log}" if log else ""),
                "Open a new one: `%lab open` in a notebook, `Lab()` in Python.",
            )
        return message

    def wait(self, take: Callable[[dict[str, Any]], None] | None) -> dict[str, Any]:
        """Pass events to `take` until the request is done; returns its result. Raises what the agent refused with."""
        while "event" in (message := self.next()):
            if take is not None:
                take(message)
        self.finish(message)
        return dict(message["done"] or {})

    def finish(self, message: dict[str, Any]) -> None:
        """Raise the error that a last message carries, if it does."""
        error = message.get("error")
        if error is None:
            return
        if error["kind"] == "engine":
            raise errors.EngineError(
                f"The Docker Engine failed: {error['message']}",
                "Its whole log: `%lab log`. `dnetkit doctor` tells what this machine lacks.",
                error.get("log", ""),
            )
        if error["kind"] == "syntax":
            raise errors.UsageError(f"This is not a complete script; nothing of it was run.\n{error['message']}")
        raise _KINDS.get(error["kind"], errors.AgentError)(error["message"], _HINTS.get(error["kind"], ""))

    def as_socket(self) -> socket.socket:
        """A socket that is joined to the other end of a connection: what comes and goes there goes through here."""
        ours, theirs = socket.socketpair()
        for target in (self._pump_in, self._pump_out):
            threading.Thread(target=target, args=(theirs,), name="dnetkit-connection", daemon=True).start()
        return ours

    def close(self) -> None:
        """Stop listening."""
        self._session.forget(self._number)
        if not self._looks:
            self._session.touched()

    def _pump_in(self, engine: socket.socket) -> None:
        with contextlib.suppress(OSError, errors.DnetkitError):
            while (message := self.next()).get("event") == "data":
                engine.sendall(base64.b64decode(message["data"]))
        with contextlib.suppress(OSError):
            engine.shutdown(socket.SHUT_WR)
        self.close()

    def _pump_out(self, engine: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := engine.recv(1 << 15):
                self.send(data=base64.b64encode(data).decode())
            self.send(end="write")  # the caller has said all; it may still listen
            hung_up = select.poll()
            hung_up.register(engine, 0)
            hung_up.poll()
        self.send(end="all")
        engine.close()
