"""The conversation with the agent whatever comes down the line: garbage, cut and huge lines, answers out of order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnetkit.errors import LabError
from dnetkit.session import Session

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
no_json = st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"") + b"}")


class Pipes:
    """What a Session needs of an agent's process, of which a test holds the other ends."""

    def __init__(self) -> None:
        self.heard, stdin = (os.fdopen(end, mode, 0) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
        stdout, self.say = (os.fdopen(end, mode, 0) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
        stderr, self.log = (os.fdopen(end, mode, 0) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        del timeout
        return self.returncode or 0

    def end(self) -> None:
        self.returncode = 0
        for pipe in (self.say, self.log, self.heard):
            pipe.close()


@st.composite
def conversations(draw: st.DrawFn) -> tuple[int, list[bytes], int]:
    """How many requests there are, the agent's lines (an answer to each among noise), and after how many it is cut."""
    count = draw(st.integers(1, 5))
    filler = draw(st.sampled_from(["", "x" * 300_000]))
    answers = [{"id": number, "done": {"said": number, "more": filler}} for number in range(1, count + 1)]
    events = [{"id": number, "event": "stdout", "text": "t"} for number in range(1, count + 1)]
    noise = draw(st.lists(no_json | plain.map(lambda value: json.dumps(value).encode()), max_size=6))
    broken = [
        json.dumps({"id": number, **wrong}).encode()
        for number in range(1, count + 1)
        for wrong in draw(st.lists(st.sampled_from(WRONG), max_size=2))
    ]
    lines = [json.dumps(message).encode() for message in draw(st.permutations(answers))]
    lines = [json.dumps(message).encode() for message in events] + lines
    for extra in [*noise, *broken]:
        lines.insert(draw(st.integers(0, len(lines))), extra)
    whole = b"\n".join(lines) + b"\n"
    return count, lines, draw(st.integers(0, len(whole)))


WRONG: tuple[dict[str, Any], ...] = (
    *({}, {"done": 3}, {"error": None, "done": []}, {"error": "no"}, {"error": {"kind": "agent"}}, {"event": 7}),
    *({"error": {"kind": [], "message": ""}}, {"text": "without an event"}),
)


@settings(max_examples=60, deadline=None)
@given(conversations())
def test_each_request_gets_its_own_answer_or_hears_of_the_end(conversation: tuple[int, list[bytes], int]) -> None:
    count, lines, cut = conversation
    pipes = Pipes()
    session = Session(pipes)  # type: ignore[arg-type]  # it is like a process in what is used of one
    streams = [session.request("something") for _ in range(count)]
    sent = (b"\n".join(lines) + b"\n")[:cut]
    telling = threading.Thread(target=lambda: (pipes.say.write(sent), pipes.end()), daemon=True)
    telling.start()
    for number, stream in enumerate(streams, 1):
        complete = any(line.startswith(b'{"id": %d, "done": {"said"' % number) for line in sent.split(b"\n")[:-1])
        if complete:
            assert stream.wait(None)["said"] == number
        else:
            with pytest.raises(LabError, match="has ended"):
                stream.wait(None)
    telling.join()
    session.close()


@pytest.fixture(scope="module")
def agent() -> Iterator[subprocess.Popen[bytes]]:
    """An agent without a lab."""
    command = [sys.executable, "-m", "dnetkit.agent.__main__"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0


requests = st.fixed_dictionaries(
    {}, optional={"id": plain, "do": st.sampled_from(["run", "log", "", "no", "take", "engine"]) | plain, "to": plain}
)
anything = st.lists(
    no_json | (plain | requests | st.just("x" * 1_000_000)).map(lambda value: json.dumps(value).encode()), max_size=6
)


@settings(max_examples=60, deadline=None)
@given(anything)
def test_the_agent_goes_on_after_anything(agent: subprocess.Popen[bytes], lines: list[bytes]) -> None:
    assert agent.stdin is not None
    assert agent.stdout is not None
    agent.stdin.write(b"".join(line + b"\n" for line in [*lines, b'{"id": 999999999, "do": "status"}']))
    agent.stdin.flush()
    for answer in iter(agent.stdout.readline, b""):
        message = json.loads(answer)
        if message["id"] == 999999999:
            assert message["done"] == {"engines": {}}
            return
    raise AssertionError("the agent has ended")
