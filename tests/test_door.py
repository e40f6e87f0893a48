"""A lab's door: who is let in, what they may ask, and how it closes. (A terminal through it: test_shell.py.)"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from waiting import wait_for

from dnetkit.door import address_of, open_labs
from dnetkit.lab import Lab


@contextlib.contextmanager
def knocking(lab: Lab) -> Iterator[tuple[socket.socket, Any]]:
    """A connection to the lab's door, and its lines."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(10)
        caller.connect(address_of(lab.id))
        with caller.makefile("r", encoding="utf-8") as lines:
            yield caller, lines


def say(caller: socket.socket, message: Any) -> None:
    caller.sendall(json.dumps(message).encode() + b"\n")


@pytest.mark.live
def test_open_labs_are_listed_and_closed_ones_are_not(lab: Lab) -> None:
    assert lab.id in open_labs()
    with Lab(engine=None, client=False) as other:
        assert {lab.id, other.id} <= set(open_labs())
    assert other.id not in open_labs()


@pytest.mark.live
def test_a_terminal_tells_its_output_and_its_status(lab: Lab) -> None:
    with knocking(lab) as (caller, lines):
        say(caller, {"machine": "client", "size": [30, 90]})
        assert json.loads(lines.readline()) == {"open": "client"}
        say(caller, {"data": base64.b64encode(b"stty size; exit 7\n").decode()})
        said = b""
        for line in lines:
            message = json.loads(line)
            if "status" in message:
                break
            said += base64.b64decode(message["data"])
        assert b"30 90" in said
        assert message == {"status": 7}
        assert lines.readline() == ""


@pytest.mark.live
def test_an_unknown_name_is_answered_with_those_there_are(lab: Lab) -> None:
    with knocking(lab) as (caller, lines):
        say(caller, {"machine": "clinet", "size": [30, 90]})
        answer = json.loads(lines.readline())
        assert "no machine or container 'clinet'" in answer["error"]
        assert "Did you mean 'client'?" in answer["hint"]


@pytest.mark.live
@pytest.mark.parametrize(
    "garbage", [b"hello\n", b"[]\n", b"{}\n", b"\xff\n", b"null\n", b'{"machine": 3, "size": 0}\n', b""]
)
def test_garbage_is_shown_the_door(lab: Lab, garbage: bytes) -> None:
    with knocking(lab) as (caller, lines):
        caller.sendall(garbage)
        caller.shutdown(socket.SHUT_WR)
        said = lines.read()
        assert "status" not in said
    assert lab.host.run("true").ok


@pytest.mark.live
def test_a_caller_that_just_leaves_takes_its_shell_along(lab: Lab) -> None:
    with knocking(lab) as (caller, lines):
        say(caller, {"machine": "host1", "size": [30, 90]})
        lines.readline()
        say(caller, {"data": base64.b64encode(b"sleep 4321\n").decode()})
        wait_for("it runs", lambda: lab.host.run("pgrep -f 'sleep 432[1]'", check=False).ok)
    wait_for("it is gone", lambda: not lab.host.run("pgrep -f 'sleep 432[1]'", check=False).ok)


@pytest.mark.live
def test_the_door_of_a_lab_that_ends_closes_on_who_is_in(fresh_lab: Lab) -> None:
    with knocking(fresh_lab) as (caller, lines):
        say(caller, {"machine": "host1", "size": [30, 90]})
        lines.readline()
        fresh_lab.close()
        caller.settimeout(5)
        assert "status" not in lines.read()


@pytest.mark.live
@pytest.mark.sandbox("root")
def test_another_user_is_not_let_in(lab: Lab) -> None:
    script = """
import os, socket, sys
os.setuid(54321)
door = socket.socket(socket.AF_UNIX)
door.connect("\\0" + sys.argv[1])
door.sendall(b'{"machine": "host1", "size": [24, 80]}\\n')
print(door.recv(1000))
"""
    command = [sys.executable, "-c", script, address_of(lab.id)[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "host1" not in done.stdout
    assert done.stdout == "b''\n" or "reset" in done.stderr or "Broken pipe" in done.stderr
