"""The conversation with a lab's agent: requests out, answers and events back, over one byte stream each way."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import os
import queue
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from dnetkit.model import CommandResult, Snapshot, Step, lengthen
from dnetkit.stream import Stream

__all__ = ["Event", "Session"]

Event = Callable[[str, Any], None]
"""Called as things happen: ("command", source), ("stdout", text), ("stderr", text), ("status", number or None)."""

_INTERRUPT = "interrupted here"
_LOOKS = {"snapshot", "status", "log"}
"""The requests that change nothing in a lab."""


class Session:
    """A live agent, spoken to over the pipes of `process`. All methods may be called from any thread."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._seen: tuple[int, Snapshot | None] = (0, None)  # what the agent may tell the next one from
        self._touches = 0  # counts what was asked of the lab that may have changed it, and the ends of that
        self._fresh: tuple[int, float, Snapshot | None] = (0, 0.0, None)  # touches and moment of the last snapshot
        self._log: collections.deque[str] = collections.deque(maxlen=2000)
        self._threads = [
            threading.Thread(target=target, name=f"dnetkit-{name}", daemon=True)
            for name, target in (("answers", self._read), ("log", self._read_log))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether the lab still answers."""
        return not self._ended.is_set() and self._process.poll() is None

    def open(self, config: dict[str, Any]) -> dict[str, Any]:
        """Make the lab; returns what the agent says of it."""
        return self.ask("open", **config)

    def run(
        self,
        machine: str,
        script: str,
        *,
        container: str = "",
        timeout: float | None = 60.0,
        on_event: Event | None = None,
    ) -> CommandResult:
        """Run a script. A KeyboardInterrupt, or what on_event raises, ends the script first and is then raised."""
        steps: list[dict[str, Any]] = []
        stopped: list[BaseException] = []

        def tell(kind: str, value: Any) -> None:
            if on_event is None or stopped:
                return
            try:
                on_event(kind, value)
            except BaseException as error:  # whoever listens cannot go on: then neither does the script
                stopped.append(error)
                stream.send(interrupt=True)

        def take(message: dict[str, Any]) -> None:
            kind = message["event"]
            if kind == _INTERRUPT:
                stopped.append(KeyboardInterrupt())
                stream.send(interrupt=True)
            elif kind == "command":
                steps.append({"source": message["text"], "status": None, "stdout": [], "stderr": [], "duration": 0.0})
                tell(kind, message["text"])
            elif kind == "status":
                steps[-1] |= {"status": message["status"], "duration": message["duration"]}
                tell(kind, message["status"])
            else:
                steps[-1][kind].append(message["text"])
                tell(kind, message["text"])

        details = {"machine": machine, "container": container, "script": script, "timeout": timeout}
        with self.request("run", **details) as stream, _interrupts_in(stream):
            done = stream.wait(take)
        if stopped:
            raise stopped[0]
        joined = (
            Step(**{**step, "stdout": "".join(step["stdout"]), "stderr": "".join(step["stderr"])}) for step in steps
        )
        return CommandResult(machine, tuple(joined), done["ended"], done["duration"])

    def snapshot(self, lab: str) -> Snapshot:
        """What the lab looks like now."""
        touches, began = self._touches, time.monotonic()
        number, base = self._seen
        answer = self.ask("snapshot", lab=lab, since=number)
        plain = answer["snapshot"]
        made = lengthen(base, plain) if base is not None and answer["since"] else Snapshot.from_plain(plain)
        self._seen = answer["number"], made
        self._fresh = touches, began, made
        return made

    def recent(self, lab: str, age: float) -> Snapshot:
        """The last snapshot, if it is at most `age` seconds old and nothing touched the lab since; else a new one."""
        touches, began, made = self._fresh
        if made is not None and touches == self._touches and time.monotonic() - began <= age:
            return made
        return self.snapshot(lab)

    def touched(self) -> None:
        """Something was sent that may change the lab, or what was sent has come to its end."""
        self._touches += 1

    def engine(self, machine: str, action: str) -> dict[str, Any]:
        """'start', 'stop', 'restart' or 'kill' the engine of a machine."""
        return self.ask("engine", machine=machine, action=action)

    def connect(self, machine: str) -> socket.socket:
        """A socket that is joined to the engine's API socket, by way of the agent."""
        stream = self.request("connect", machine=machine)
        try:
            first = stream.next()
            if first.get("event") != "connected":
                stream.finish(first)
        except BaseException:
            stream.close()
            raise
        return stream.as_socket()

    def log(self, lines: int = 50) -> str:
        """The end of what the agent and the lab's first process wrote to stderr."""
        return "\n".join(list(self._log)[-lines:])

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        """Make a request and wait for its answer. Raises the error that fits a refusal."""
        with self.request(do, **details) as stream:
            return stream.wait(None)

    def request(self, do: str, **details: Any) -> Stream:
        """Make a request whose events are wanted."""
        number = next(self._numbers)
        answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._waiting[number] = answers
        if self._ended.is_set():
            answers.put(None)
        if do not in _LOOKS:
            self.touched()
        self.write({"id": number, "do": do, **details})
        return Stream(self, number, answers, looks=do in _LOOKS)

    def write(self, message: dict[str, Any]) -> None:
        """Send one message; when the lab has ended, whoever waits for an answer hears of it."""
        assert self._process.stdin is not None
        data = memoryview(json.dumps(message).encode() + b"\n")
        with self._lock, contextlib.suppress(BrokenPipeError, ValueError):
            while data:
                data = data[self._process.stdin.write(data) or 0 :]

    def forget(self, number: int) -> None:
        """Stop listening for a request."""
        self._waiting.pop(number, None)

    def close(self, deadline: float = 10.0) -> None:
        """End the lab and wait until it is gone; a lab that does not end by itself is killed."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        if not self._ends_within(deadline):
            self._process.terminate()  # the keeper then kills the lab's first process
            if not self._ends_within(deadline):
                self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(1.0)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _ends_within(self, deadline: float) -> bool:
        """As Popen.wait, which looks only every twentieth of a second."""
        if self._process.poll() is not None:
            return True
        ended = os.pidfd_open(self._process.pid)
        try:
            watched = select.poll()
            watched.register(ended, select.POLLIN)
            return bool(watched.poll(deadline * 1000))
        finally:
            os.close(ended)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError), os.fdopen(os.dup(self._process.stdout.fileno()), "rb") as pipe:
            for line in pipe:
                try:
                    message = json.loads(line)
                    answers = self._waiting.get(message["id"])
                    if not _is_complete(message):
                        raise ValueError("neither an event nor an end")
                except (ValueError, TypeError, KeyError):
                    self._log.append(f"the agent wrote something that is not a message: {line[:200]!r}")
                    continue
                if answers is not None:
                    answers.put(message)
        self._ended.set()
        for answers in list(self._waiting.values()):
            answers.put(None)

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError), os.fdopen(os.dup(self._process.stderr.fileno()), "rb") as pipe:
            for line in pipe:
                self._log.append(line.decode(errors="replace").rstrip("\n"))


def _is_complete(message: dict[str, Any]) -> bool:
    """An event, or an end of a request: done, or an error of some kind with words."""
    if "event" in message:
        return isinstance(message["event"], str)
    error = message.get("error")
    if error is None:
        return "done" in message and isinstance(message["done"], (dict, type(None)))
    return isinstance(error, dict) and all(isinstance(error.get(key), str) for key in ("kind", "message"))


@contextlib.contextmanager
def _interrupts_in(stream: Stream) -> Iterator[None]:
    """Have an interrupt (SIGINT) told as one of the stream's events, so that it cannot tear another one in two.

    A second one comes as KeyboardInterrupt. Where interrupts do not raise in the first place, nothing is changed.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def tell(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stream.tell({"event": _INTERRUPT})

    signal.signal(signal.SIGINT, tell)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
