"""Run a script command by command in one shell, as a person at a terminal would, and tell what happens while it does.

The script is cut into complete commands first (a here-document, a loop or a continued line is one), by asking bash
whether what was read so far could stand on its own. Then a shell in the machine or container is fed one command at a
time; a token that it prints on both its outputs marks the end of each, so that output is never given to the wrong
command.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dnetkit.agent.machines import Machine

__all__ = ["OUTPUT_LIMIT", "Running", "split"]

OUTPUT_LIMIT = 2_000_000
"""Bytes of one output of one command that are passed on; the rest is read and counted, not kept."""

_GRACE = 2.0  # seconds between asking a command to end and making it
_CLOSING = 0.5  # seconds for the shell to end when there is nothing more for it to do

_SIMPLE = re.compile(r"""(?:[\w./:=,@%+~^*? \t-]|'[^']*'|"[^"$`\\]*")+""", re.ASCII)
"""Words, plain or quoted whole. With none of bash's own at its beginning such a text is a complete command."""
_RESERVED = {
    *("if", "then", "elif", "else", "fi", "case", "esac", "for", "select", "while", "until", "do", "done", "in"),
    *("function", "time", "coproc"),
}

Tell = Callable[..., None]


def split(script: str) -> list[str]:
    """The complete commands of a script, in order. Raises ValueError with bash's words when one never ends."""
    commands: list[str] = []
    gathered: list[str] = []
    for line in script.splitlines():
        if not gathered and not line.strip():
            continue
        gathered.append(line)
        if line.strip() and not line.lstrip().startswith("#") and _stands_alone("\n".join(gathered)):
            commands.append("\n".join(gathered))
            gathered = []
    if any(line.strip() and not line.lstrip().startswith("#") for line in gathered):
        rest = "\n".join(gathered)
        done = subprocess.run(["bash", "-n", "-c", rest], capture_output=True, text=True, check=False)
        raise ValueError((done.stderr.strip() or "the last command is not complete").replace("bash: ", "", 1))
    return commands


def _stands_alone(text: str) -> bool:
    if all(_is_simple(part) for part in text.split("|")):  # bash need not be asked, which takes longer than `ip link`
        return True
    check = ["bash", "-n", "-c", f"f() {{\n{text}\n}}"]
    return subprocess.run(check, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _is_simple(command: str) -> bool:
    words = command.split(maxsplit=1)
    return bool(words) and words[0] not in _RESERVED and _SIMPLE.fullmatch(command) is not None


class Running:
    """A script on its way. `end(why)` may be called from another thread, at any time."""

    def __init__(self, machine: Machine, container: str, timeout: float | None, tell: Tell) -> None:
        self._token = os.urandom(12).hex()
        self._mark = f"DNETKIT_RUN={os.urandom(12).hex()}"  # `env` prints it, so it is not the token
        self._tell = tell
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._container = container
        self.ended = ""
        self._gone = False
        self._kill_at: float | None = None
        self._wake, self._alarm = os.pipe()
        os.set_blocking(self._alarm, False)
        command = ["bash", "--norc", "--noprofile"]
        if container:
            command = ["docker", "exec", "-i", "-e", self._mark, container, "sh"]
        self._process = machine.start(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._end_of_shell = os.pidfd_open(self._process.pid)

    def end(self, why: str) -> None:
        """Have the script ended: 'interrupt' or 'timeout'."""
        with contextlib.suppress(OSError):
            os.write(self._alarm, why[:1].encode())

    def run(self, commands: list[str]) -> dict[str, Any]:
        """Run the commands up to the first that fails; returns {'ended', 'duration'}."""
        start = time.monotonic()
        try:
            self._feed(f"{'' if self._container else 'cd; '}exec 7>&1 8>&2\n")
            for command in commands:
                if self._one(command) != 0 or self._gone:
                    break
        finally:
            self._close()
        return {"ended": self.ended, "duration": time.monotonic() - start}

    def _feed(self, text: str) -> None:
        assert self._process.stdin is not None
        data = memoryview(text.encode())
        with contextlib.suppress(BrokenPipeError):  # the shell is gone: its outputs will say so
            while data:
                data = data[self._process.stdin.write(data) or 0 :]

    def _one(self, command: str) -> int | None:
        start = time.monotonic()
        self._tell(event="command", text=command)
        self._feed(f"eval {shlex.quote(command)} </dev/null\n")
        self._feed(f"dnetkit_status=$?; echo {self._token}$dnetkit_status. >&7; echo {self._token}. >&8\n")
        status = self._listen()
        self._tell(event="status", status=status, duration=time.monotonic() - start)
        return status

    def _listen(self) -> int | None:
        """Pass on both outputs until the token came on both, or the shell is gone; the exit status of the command."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        token = self._token.encode()
        outputs = {
            self._process.stdout.fileno(): _Output("stdout", token, self._tell),
            self._process.stderr.fileno(): _Output("stderr", token, self._tell),
        }
        with selectors.DefaultSelector() as selector:
            for fd in (*outputs, self._wake, self._end_of_shell):
                selector.register(fd, selectors.EVENT_READ)
            while not all(output.done for output in outputs.values()):
                ready = [key.fd for key, _ in selector.select(self._patience())]
                for fd in ready:
                    if fd == self._wake:
                        self._ask_to_end({b"i": "interrupt", b"t": "timeout"}[os.read(self._wake, 1)])
                    elif fd in outputs and outputs[fd].take(os.read(fd, 1 << 16)):
                        selector.unregister(fd)
                if self._end_of_shell in ready:
                    self._take_the_rest(outputs)
                self._watch_the_clock()
        if self.ended:
            return None
        said = outputs[self._process.stdout.fileno()].status
        self._gone = said is None
        return self._exit_status() if said is None else said

    @staticmethod
    def _take_the_rest(outputs: dict[int, _Output]) -> None:
        """The shell is gone, but a program that it left may hold the pipes: take what is in them, and do not wait."""
        for fd, output in outputs.items():
            if not output.done and _readable(fd, 0):
                output.take(os.read(fd, 1 << 16))  # a pipe holds no more
            if not output.done:
                output.take(b"")

    def _exit_status(self) -> int:
        """The shell ended without the token, by `exit` or because it was killed: what it ended with."""
        try:
            code = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return 1
        return 128 - code if code < 0 else code

    def _patience(self) -> float | None:
        moments = [moment for moment in (self._deadline, self._kill_at) if moment is not None]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _watch_the_clock(self) -> None:
        now = time.monotonic()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = now + _GRACE
            self._signal(signal.SIGKILL)
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self._ask_to_end("timeout")

    def _ask_to_end(self, why: str) -> None:
        if not self.ended:
            self.ended = why
            self._kill_at = time.monotonic() + _GRACE
            self._signal(signal.SIGINT)

    def _signal(self, number: signal.Signals) -> None:
        """Signal the script's processes; what stands between them and us ends when they have, or is killed too."""
        if self._container:
            mark = self._mark.encode()
            _signal_all(lambda entry: mark in (entry / "environ").read_bytes().split(b"\0"), number)
        else:
            _signal_all(lambda entry: _group_of(entry) == self._process.pid != int(entry.name), number)
        if number == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        if not _readable(self._end_of_shell, _CLOSING):
            # What the script left running in the background keeps `docker exec` waiting.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for fd in (self._end_of_shell, self._wake, self._alarm):
            os.close(fd)


def _readable(fd: int, seconds: float) -> bool:
    """Whether there is something to read by then, or its end."""
    poll = select.poll()  # unlike select(2) it takes descriptors from 1024 on
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _signal_all(wanted: Callable[[Path], bool], number: signal.Signals) -> None:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if wanted(entry):
                os.kill(int(entry.name), number)


def _group_of(entry: Path) -> int:
    return int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[2])


class _Output:
    """One of the two outputs, during one command."""

    def __init__(self, name: str, token: bytes, tell: Tell) -> None:
        self._name = name
        self._token = token
        self._tell = tell
        self._held = b""
        self._passed = 0
        self._left_out = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.status: int | None = None
        self.done = False

    def take(self, data: bytes) -> bool:
        """Take what was read; True when this command has said all it had to say on this output."""
        if not data:
            self._pass_on(self._held, final=True)
            self.done = True
            return True
        data = self._held + data
        at = data.find(self._token)
        if at >= 0 and b"\n" in data[at:]:
            said = data[at + len(self._token) : data.index(b"\n", at)].rstrip(b".")
            self.status = int(said) if said else None
            self._pass_on(data[:at], final=True)
            self.done = True
            return True
        keep = len(data) - at if at >= 0 else min(len(data), len(self._token))
        if at < 0:  # hold back only what may be the beginning of the token
            keep = next((n for n in range(keep, 0, -1) if self._token.startswith(data[-n:])), 0)
        self._held = data[len(data) - keep :]
        self._pass_on(data[: len(data) - keep])
        return False

    def _pass_on(self, data: bytes, *, final: bool = False) -> None:
        room = max(0, OUTPUT_LIMIT - self._passed)
        self._passed += len(data[:room])
        self._left_out += len(data[room:])
        text = self._decoder.decode(data[:room], final)
        if final and self._left_out:
            text += f"\n[... {self._left_out:,} more bytes left out]\n"
        if text:
            self._tell(event=self._name, text=text)
