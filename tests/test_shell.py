"""`dnetkit shell` through a real pseudo-terminal, against a live lab; and its choice among the labs that are open."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_for

from dnetkit import shell
from dnetkit.errors import LabError
from dnetkit.lab import Lab

DNETKIT = str(Path(sys.executable).with_name("dnetkit"))
DEADLINE = 20.0


class Terminal:
    """`dnetkit shell` on a terminal of its own, as a person has it in front of them."""

    def __init__(self, *arguments: str, rows: int = 33, columns: int = 101) -> None:
        self.fd, theirs = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.fd)
        self.shown = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, DNETKIT, "shell", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "COLUMNS": "11", "LINES": "7"},  # what these say is not this terminal's size
        )
        self.theirs = theirs  # kept open, so that the terminal's state can be asked for after the end

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.theirs)
        os.close(self.fd)

    def resize(self, rows: int, columns: int) -> None:
        """As a window manager does: the kernel then sends SIGWINCH to what runs in the foreground."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def expect(self, pattern: str) -> str:
        """Read on until the pattern is shown, and return what was shown up to its end."""
        limit = time.monotonic() + DEADLINE
        while not (match := re.search(pattern, self.shown)):
            left = limit - time.monotonic()
            assert left > 0, f"{pattern!r} was not shown: {self.shown!r}"
            if select.select([self.fd], [], [], left)[0]:
                self.shown += os.read(self.fd, 1 << 14).decode(errors="replace")
        seen, self.shown = self.shown[: match.end()], self.shown[match.end() :]
        return seen

    def status(self) -> int:
        return self.process.wait(DEADLINE)


TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture
def web(lab: Lab) -> Iterator[None]:
    """The container web, on host1."""
    lab.host.run("docker run -d --name web busybox sleep 3600")
    yield
    lab.host.run("docker rm -f web")


def piped(lab: Lab, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [DNETKIT, "shell", "--lab", lab.id, *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)


def gone(lab: Lab, command: str) -> bool:
    return not lab.host.run(f"pgrep -x -f '{command}'", check=False).ok


@pytest.mark.live
@pytest.mark.usefixtures("web")
@pytest.mark.parametrize(
    ("name", "hostname"),
    [("host1", "host1"), ("client", "client"), ("web", "[0-9a-f]{12}"), ("host1/web", "[0-9a-f]{12}")],
)
def test_it_is_a_terminal_on_the_machine_or_in_the_container(lab: Lab, name: str, hostname: str) -> None:
    with Terminal("--lab", lab.id, name) as terminal:
        terminal.expect("a shell inside the lab")
        terminal.expect("# ")
        terminal.type("tty; hostname; stty size\r")
        terminal.expect(rf"/dev/pts/\d+\r\n{hostname}\r\n33 101\r\n")
        terminal.type("exit 7\r")
        assert terminal.status() == 7


@pytest.mark.live
@pytest.mark.usefixtures("web")
def test_host1_is_where_it_goes_without_a_name_and_the_machines_tools_are_there(lab: Lab) -> None:
    with Terminal("--lab", lab.id) as terminal:
        terminal.expect("# ")
        terminal.type("docker ps --format '{{.Names}}={{.Image}}'; ip -br addr show docker0\r")
        terminal.expect(r"web=busybox\r\n")
        terminal.expect(r"docker0 +UP +172\.")


@pytest.mark.live
@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("name", ["host1", "web"])
def test_control_c_ends_the_command_and_not_the_shell(lab: Lab, name: str) -> None:
    with Terminal("--lab", lab.id, name) as terminal:
        terminal.expect("# ")
        terminal.type("sleep 1234\r")
        wait_for("the command runs", lambda: not gone(lab, "sleep 1234"), 20)
        terminal.type("\x03")
        terminal.expect(r"\^C")
        terminal.expect("# ")
        terminal.type("echo status-$?\r")
        terminal.expect("status-130")
        terminal.type("exit 0\r")
        assert terminal.status() == 0


@pytest.mark.live
@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("name", ["host1", "web"])
def test_a_new_window_size_is_passed_on(lab: Lab, name: str) -> None:
    with Terminal("--lab", lab.id, name) as terminal:
        terminal.expect("# ")
        # `docker exec` tells the size a moment after the prompt, and before that does not hear of a new one.
        for rows, columns in ((33, 101), (44, 132)):
            terminal.resize(rows, columns)
            size = f"{rows} {columns}"
            terminal.type(f"until [ \"$(stty size)\" = '{size}' ]; do sleep 0.1; done; echo is-$(({rows}))\r")
            terminal.expect(f"is-{rows}\r\n")


@pytest.mark.live
def test_the_terminal_is_as_it_was_afterwards(lab: Lab) -> None:
    with Terminal("--lab", lab.id) as terminal:
        terminal.expect("# ")
        assert termios.tcgetattr(terminal.fd)[3] & termios.ECHO == 0
        terminal.type("\x04")
        assert terminal.status() == 0
        assert termios.tcgetattr(terminal.fd) == terminal.before


@pytest.mark.live
def test_a_shell_that_a_signal_ended_has_the_status_that_shells_give(lab: Lab) -> None:
    with Terminal("--lab", lab.id) as terminal:
        terminal.expect("# ")
        terminal.type("kill -KILL $$\r")
        assert terminal.status() == 128 + signal.SIGKILL


@pytest.mark.live
def test_a_terminal_that_is_closed_leaves_nothing_running_on_the_machine(lab: Lab) -> None:
    with Terminal("--lab", lab.id) as terminal:
        terminal.expect("# ")
        terminal.type("sleep 4321\r")
        wait_for("the command runs", lambda: not gone(lab, "sleep 4321"), 20)
        terminal.process.kill()
        wait_for("the command has ended", lambda: gone(lab, "sleep 4321"), 20)


@pytest.mark.live
def test_keys_from_a_pipe_are_run_and_its_end_is_the_end(lab: Lab) -> None:
    ended = piped(lab, "echo sum-$((40+2)); exit 3\n")
    assert (ended.returncode, "sum-42" in ended.stdout) == (3, True)
    assert piped(lab, "").returncode == 0
    late = piped(lab, "sleep 1.5; echo sum-$((40+2))\n", "client")
    assert (late.returncode, "sum-42" in late.stdout) == (0, True)


@pytest.mark.live
@pytest.mark.usefixtures("web")
def test_an_unknown_name_says_which_there_are(lab: Lab) -> None:
    ended = piped(lab, "", "wab")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "no machine or container 'wab'" in ended.stderr
    assert "Did you mean 'web'? There are: host1, client, web." in ended.stderr


@pytest.mark.live
def test_of_several_labs_one_must_be_named(lab: Lab) -> None:
    with Lab(engine=None, client=False) as second:
        ended = subprocess.run([DNETKIT, "shell"], capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 2
        assert re.search(r"You have \d+ open labs\.\nSay which: dnetkit shell --lab ID, of ", ended.stderr)
        assert lab.id in ended.stderr
        assert second.id in ended.stderr
        assert piped(second, "exit 5\n").returncode == 5


@pytest.mark.live
def test_a_lab_that_ends_meanwhile_ends_the_shell_and_gives_the_terminal_back() -> None:
    with Lab(engine=None) as lab, Terminal("--lab", lab.id) as terminal:
        terminal.expect("# ")
        lab.close()
        terminal.expect("The lab has ended|The lab ended")
        assert terminal.status() == 2
        assert termios.tcgetattr(terminal.fd) == terminal.before


@pytest.mark.parametrize(
    ("labs", "wanted", "said"),
    [
        ([], "", "You have no open lab on this machine."),
        ([], "ab", "You have no open lab on this machine."),
        (["ab12"], "cd", "You have no open lab 'cd'.\nOpen are: ab12."),
        (["ab12", "ab34", "cd56"], "", "You have 3 open labs."),
        (["ab12", "ab34", "cd56"], "ab", "dnetkit shell --lab ID, of ab12, ab34."),
    ],
)
def test_which_lab_is_meant_must_be_plain(
    monkeypatch: pytest.MonkeyPatch, labs: list[str], wanted: str, said: str
) -> None:
    monkeypatch.setattr(shell, "open_labs", lambda: labs)
    with pytest.raises(LabError) as raised:
        shell.shell("host1", wanted)
    assert said in str(raised.value)


def test_a_lab_that_has_just_ended_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "open_labs", lambda: ["gone-just-now"])
    with pytest.raises(LabError, match="The lab gone-just-now does not answer: Connection refused"):
        shell.shell()


def test_an_address_that_another_user_took_is_not_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "open_labs", lambda: ["taken"])
    monkeypatch.setattr(shell, "address_of", lambda _: "\0dnetkit-test/taken")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind("\0dnetkit-test/taken")
        door.listen()
        monkeypatch.setattr(shell.os, "getuid", lambda: 4242)
        with pytest.raises(LabError, match="another user answers"):
            shell.shell()
