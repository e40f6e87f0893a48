"""Serve a lab: one JSON message a line in on stdin and out on stdout, until stdin ends, and with it the lab.

    in   {"id": 1, "do": "open", ...}                    a request; "open" comes first
         {"to": 7, "data": "...base64..."}               something for a request under way: data, an end,
                                                         a size, an interrupt
    out  {"id": 7, "event": "stdout", "text": "..."}     something on the way
         {"id": 7, "done": {...}} or {"id": 7, "error": {"kind": "...", "message": "..."}}

Every request runs in a thread of its own, so that a long command does not hold up a snapshot.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import resource
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnetkit.agent import imagestore, nameserver, shell, tunnel
from dnetkit.agent.dockerd import Engine
from dnetkit.agent.machines import Machine, make_machines

if TYPE_CHECKING:
    from dnetkit.agent.observer import Observer

__all__ = ["Agent", "main"]

_FILES = 65536  # open files: enough for some thousands of containers


class Refused(Exception):
    """A request that cannot be met; `kind` tells the session which of its errors to raise."""

    def __init__(self, kind: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.plain = {"kind": kind, "message": message, **more}


class Agent:
    """The machines and engines of one lab, and the requests about them."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._machines: dict[str, Machine] = {}
        self._engines: dict[str, Engine] = {}
        self._observer: Observer | None = None
        self._config: dict[str, Any] = {}
        self._broken = ""
        self._inboxes: dict[int, tunnel.Inbox] = {}
        self._lock = threading.Lock()

    def take(self, message: dict[str, Any]) -> None:
        """Take one message; a request is answered later, from its own thread."""
        if "to" in message:
            inbox = self._inboxes.get(message["to"])
            if inbox is not None:  # else it has just ended
                inbox.put(message)
            return
        number = message["id"]
        self._inboxes[number] = queue.SimpleQueue()
        if message["do"] == "open" and not self._machines:
            self._make(message)  # while this is the only thread: a process with several may not clone
        threading.Thread(target=self._answer, args=(number, message), daemon=True).start()

    def _answer(self, number: int, message: dict[str, Any]) -> None:
        try:
            handler = getattr(self, f"do_{message['do']}", None)
            if handler is None:
                raise Refused("agent", f"there is no request {message['do']!r}")
            done = handler(message, lambda **event: self._send({"id": number, **event}), self._inboxes[number])
            self._send({"id": number, "done": done})
        except Refused as refused:
            self._send({"id": number, "error": refused.plain})
        except Exception as error:
            traceback.print_exc()
            self._send({"id": number, "error": {"kind": "agent", "message": f"{type(error).__name__}: {error}"}})
        finally:
            self._inboxes.pop(number, None)

    def _make(self, message: dict[str, Any]) -> None:
        self._config = message
        try:
            self._machines = make_machines(message)
        except OSError as error:
            self._broken = f"The lab's machines could not be made: {error}"

    def do_open(self, message: dict[str, Any], tell: Any, inbox: tunnel.Inbox) -> dict[str, Any]:
        """Start the engines of the machines, which are made by now: {'engines': name -> version}."""
        del tell, inbox
        if self._broken:
            raise Refused("sandbox", self._broken)
        nameserver.serve({name: machine.address for name, machine in self._machines.items()})
        if message["engine"]:
            for name, machine in self._machines.items():
                if machine.kind == "host":
                    self._engines[name] = Engine(machine, message)
            with contextlib.ExitStack() as stack:
                for engine in self._engines.values():
                    stack.enter_context(self._blaming(engine))
                    engine.start()
                self._observer = self._make_observer()  # while they start
                for engine in self._engines.values():
                    engine.wait(message["deadline"])
        return {"engines": {name: engine.version for name, engine in self._engines.items()}}

    def do_run(self, message: dict[str, Any], tell: Any, inbox: tunnel.Inbox) -> dict[str, Any]:
        """Run a script on a machine or, with 'container', in one of its containers."""
        machine = self._machine(message["machine"])
        try:
            commands = shell.split(message["script"])
        except ValueError as error:
            raise Refused("syntax", str(error)) from error
        running = shell.Running(machine, message.get("container", ""), message.get("timeout"), tell)
        done = threading.Event()

        def listen() -> None:
            while inbox.get().get("interrupt"):
                if not done.is_set():
                    running.end("interrupt")

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            return running.run(commands)
        finally:
            done.set()
            inbox.put({})
            listener.join()

    def do_snapshot(self, message: dict[str, Any], tell: Any, inbox: tunnel.Inbox) -> Any:
        """One snapshot, see `Observer.tell`; 'since' is the number of the last one that the session has."""
        del tell, inbox
        with self._lock:
            if self._observer is None:
                self._observer = self._make_observer()
        return self._observer.tell(message.get("lab", ""), message.get("since", 0))

    def _make_observer(self) -> Observer:
        # Imported when it is asked for, since a lab is to be open before anyone looks at it: it is most of the agent.
        from dnetkit.agent.observer import Observer  # noqa: PLC0415

        return Observer(list(self._machines.values()), self._engines)

    def do_connect(self, message: dict[str, Any], tell: Any, inbox: tunnel.Inbox) -> dict[str, Any]:
        """Join the caller to an engine's API socket."""
        engine = self._engine(message["machine"])
        try:
            return tunnel.connect(engine.machine, inbox, tell)
        except ConnectionError as error:
            raise Refused("engine", f"the engine of {engine.machine.name} does not answer: {error}") from error

    def do_terminal(self, message: dict[str, Any], tell: Any, inbox: tunnel.Inbox) -> dict[str, Any]:
        """A terminal on a machine or, with 'container', in one of its containers."""
        machine = self._machine(message["machine"])
        command = ["bash", "-c", "cd; exec bash --norc -i"]
        if message.get("container"):
            command = ["docker", "exec", "-it", message["container"], "sh"]
        return tunnel.terminal(machine, command, tuple(message["size"]), inbox, tell)

    def do_engine(self, message: dict[str, Any], tell: Any, inbox: tunnel.Inbox) -> dict[str, Any]:
        """Do 'start', 'stop', 'restart' or 'kill' to an engine: {'version', 'running'}."""
        del tell, inbox
        engine = self._engine(message["machine"])
        if message["action"] in ("stop", "restart", "kill"):
            engine.stop(kill=message["action"] == "kill")
        if message["action"] in ("start", "restart"):
            with self._blaming(engine):
                engine.start()
                engine.wait(self._config["deadline"])
        return {"version": engine.version, "running": engine.running}

    def do_store(self, message: dict[str, Any], tell: Any, inbox: tunnel.Inbox) -> dict[str, Any]:
        """Load an archive into an engine and copy what it then keeps to 'target', a directory of this machine."""
        del tell, inbox
        engine = self._engine(message["machine"])
        with self._blaming(engine):
            command = engine.machine.enter("docker", "load", "-q", "-i", message["archive"])
            done = subprocess.run(command, env=engine.machine.environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise OSError(f"docker load: {done.stderr.strip()}")
            engine.stop()
            imagestore.save(Path(engine.machine.path("/var/lib/docker")), Path(message["target"]))
        return {}

    def do_status(self, message: dict[str, Any], tell: Any, inbox: tunnel.Inbox) -> dict[str, Any]:
        """Which engines run: {'engines': name -> bool}."""
        del message, tell, inbox
        return {"engines": {name: engine.running for name, engine in self._engines.items()}}

    def do_log(self, message: dict[str, Any], tell: Any, inbox: tunnel.Inbox) -> dict[str, Any]:
        """The end of an engine's log: {'text'}."""
        del tell, inbox
        return {"text": self._engine(message["machine"]).log(message.get("lines", 50))}

    def _machine(self, name: str) -> Machine:
        if name not in self._machines:
            raise Refused("unknown", f"there is no machine {name!r}; there are: {', '.join(self._machines)}")
        if not self._machines[name].alive:
            raise Refused("ended", f"{name} has ended: its first process is gone")
        return self._machines[name]

    def _engine(self, name: str) -> Engine:
        self._machine(name)
        if name not in self._engines:
            raise Refused("unknown", f"{name} has no engine")
        return self._engines[name]

    @contextlib.contextmanager
    def _blaming(self, engine: Engine) -> Any:
        """Turn what goes wrong with an engine into a refusal that carries the end of its log."""
        try:
            yield
        except OSError as error:
            with contextlib.suppress(OSError):
                raise Refused(
                    "engine", f"{engine.machine.name}: {error}", log=engine.log(20, this_time=True)
                ) from error
            raise Refused("engine", f"{engine.machine.name}: {error}") from error


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict):
        return False
    if "to" in message:
        return isinstance(message["to"], int)
    return isinstance(message.get("id"), int) and isinstance(message.get("do"), str)


def main() -> int:
    """Serve until stdin ends."""
    # Ignored where all was started with nohup; a terminal that is closed is to end what runs in it.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # A snapshot has ten files open for each container (539 for 50); many a session begins with 1024 in all.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a child or a stray print writes must not get into the protocol
    source = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    lock = threading.Lock()

    def send(message: dict[str, Any]) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        with lock:
            while data:
                data = data[os.write(out, data) :]

    agent = Agent(send)
    for line in source:
        try:
            message = json.loads(line)
            if not _is_message(message):
                raise ValueError("neither a request nor something for one")
        except (ValueError, RecursionError) as error:
            send({"id": 0, "error": {"kind": "agent", "message": f"not a message: {error}"}})
            continue
        agent.take(message)
    return 0


if __name__ == "__main__":
    sys.exit(main())
