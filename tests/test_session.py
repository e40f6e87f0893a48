"""A conversation with an agent: commands, their output as it comes, limits, interrupts, and an agent gone wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from waiting import wait_for

from dnetkit import errors
from dnetkit.agent.shell import OUTPUT_LIMIT
from dnetkit.errors import CommandError, CommandTimeout, LabError, UnknownMachine, UsageError
from dnetkit.hosts import ContainerShell, Host
from dnetkit.lab import Lab
from dnetkit.session import Session


@pytest.fixture(scope="module")
def web(lab: Lab) -> ContainerShell:
    """A container to run scripts in."""
    lab.host.run("docker run -d --name web busybox sleep 10000")
    return lab.host.container("web")


@pytest.fixture(params=["host", "container"])
def place(request: pytest.FixtureRequest, lab: Lab, web: ContainerShell) -> Host | ContainerShell:
    """A host, then a container: scripts run alike in both."""
    return lab.host if request.param == "host" else web


# Commands and output


@pytest.mark.live
def test_commands_run_one_by_one_in_one_shell(place: Host) -> None:
    result = place.run("cd /proc\nx=5\npwd\necho $x >&2")
    assert [step.source for step in result.steps] == ["cd /proc", "x=5", "pwd", "echo $x >&2"]
    assert [step.status for step in result.steps] == [0, 0, 0, 0]
    assert (result.steps[2].stdout, result.steps[3].stderr) == ("/proc\n", "5\n")
    assert result.ok
    assert result.machine == place.name
    assert place.run("pwd").stdout != "/proc\n", "the next script starts in a new shell"


@pytest.mark.live
def test_loops_here_documents_and_continued_lines_are_one_command_each(place: Host) -> None:
    script = "for i in 1 2\ndo\n  echo $i\ndone\n# a remark\ncat <<END\nit's $((1 + 1))\nEND\necho a \\\n  b\n\n\n"
    steps = place.run(script).steps
    assert [step.stdout for step in steps] == ["1\n2\n", "it's 2\n", "a b\n"]


@pytest.mark.live
def test_a_script_can_print_its_environment(place: Host) -> None:
    steps = place.run("env\necho after").steps
    assert "PATH=" in steps[0].stdout
    assert [step.stdout for step in steps[1:]] == ["after\n"]


@pytest.mark.live
def test_the_first_command_that_fails_ends_the_script(place: Host) -> None:
    with pytest.raises(CommandError) as caught:
        place.run("echo one\nls /nowhere\necho two")
    result = caught.value.result
    assert [step.status == 0 for step in result.steps] == [True, False]
    assert "/nowhere" in str(caught.value)
    assert f"{place.name}: `ls /nowhere` failed with status" in str(caught.value)
    assert not place.run("false", check=False).ok


@pytest.mark.live
def test_a_command_that_does_not_exist(lab: Lab) -> None:
    with pytest.raises(CommandError, match="status 127") as caught:
        lab.host.run("dokcer ps")
    assert "dokcer: command not found" in caught.value.message
    assert caught.value.hint == "Did you mean docker?"


@pytest.mark.live
def test_what_is_not_a_script_is_refused_before_any_of_it_runs(lab: Lab) -> None:
    for script in ("touch /tmp/ran\nif true; then", "touch /tmp/ran\necho 'a", "touch /tmp/ran\n)"):
        with pytest.raises(UsageError, match="nothing of it was run"):
            lab.host.run(script)
    assert not lab.host.run("ls /tmp/ran", check=False).ok
    assert lab.host.run("").steps == ()


@pytest.mark.live
@pytest.mark.parametrize(
    ("script", "status"), [("exit 3\necho no", 3), ("kill -9 $$", 137), ("set -e\nfalse\necho no", 1), ("exec true", 0)]
)
def test_a_script_may_end_its_shell(place: Host, script: str, status: int) -> None:
    result = place.run(script, check=False)
    assert result.status == status
    assert "no" not in result.stdout


@pytest.mark.live
def test_commands_have_no_input(place: Host) -> None:
    result = place.run("read x; echo got $x.\ncat\necho end")
    assert result.stdout == "got .\nend\n"


@pytest.mark.live
def test_output_is_told_while_the_command_runs(place: Host) -> None:
    events: list[tuple[float, str, Any]] = []
    place.run(
        "echo one; sleep 0.3; echo two >&2; sleep 0.3; echo three",
        on_event=lambda kind, value: events.append((time.monotonic(), kind, value)),
    )
    assert [(kind, value) for _, kind, value in events][1:] == [
        ("stdout", "one\n"),
        ("stderr", "two\n"),
        ("stdout", "three\n"),
        ("status", 0),
    ]
    times = [moment for moment, *_ in events]
    assert times[2] - times[1] > 0.2
    assert times[3] - times[2] > 0.2


@pytest.mark.live
def test_big_output_is_cut_and_says_so(place: Host) -> None:
    out = place.run("yes | head -c 5000000; echo error >&2").stdout
    assert out.endswith("[... 3,000,000 more bytes left out]\n")
    assert len(out) < OUTPUT_LIMIT + 100


@pytest.mark.live
def test_output_that_is_no_text_does_not_disturb(place: Host) -> None:
    assert place.run(r"printf 'a\377b\0c\033[1m'").stdout == "a\ufffdb\0c\x1b[1m"
    assert place.run(r"printf '\303'; sleep 0.1; printf '\244 \342\202'").stdout == "ä \ufffd"
    assert "\ufffd" in place.run("head -c 100000 /dev/urandom").stdout


@pytest.mark.live
def test_a_background_process_stays_and_does_not_hold_up(lab: Lab, web: ContainerShell) -> None:
    for place in (lab.host, web):
        start = time.monotonic()
        result = place.run("sleep 1234 &\necho started")
        assert result.stdout == "started\n"
        assert time.monotonic() - start < 3
        assert "sleep 1234" in place.run("ps" if place is web else "ps ax").stdout


@pytest.mark.live
def test_what_a_shell_that_exits_leaves_behind_does_not_hold_up(lab: Lab) -> None:
    start = time.monotonic()
    result = lab.host.run("setsid sleep 1235 &\nyes > /dev/stderr &\necho last words\nexit 4", check=False)
    assert (result.status, result.stdout) == (4, "last words\n")
    assert time.monotonic() - start < 5
    lab.host.run("pkill sleep; pkill yes; true")


@pytest.mark.live
def test_the_words_that_end_a_command_cannot_be_forged_by_chance(lab: Lab) -> None:
    """Output that looks like parts of the protocol stays output."""
    text = '{"id": 1, "done": {}}\n' * 3
    assert lab.host.run(f"printf '%s' '{text}'").stdout == text


@pytest.mark.live
def test_a_machine_that_its_learner_ended_is_told(fresh_lab: Lab) -> None:
    fresh_lab.host.run("pkill -9 sleep; true")
    assert fresh_lab.host.run("hostname").stdout == "host1\n", "no everyday program holds a machine up"
    fresh_lab.host.run("kill -9 -1", check=False)
    wait_for("its end", lambda: fresh_lab.snapshot().namespace("host1") is None)
    with pytest.raises(LabError, match="host1 has ended") as caught:
        fresh_lab.host.run("true")
    assert "restart" in caught.value.hint
    assert fresh_lab.client is not None
    assert fresh_lab.client.run("true").ok
    assert fresh_lab.restart().host.run("docker ps").ok


# Time limit and interrupt


@pytest.mark.live
@pytest.mark.parametrize(
    "script", ["sleep 100", "ping 127.0.0.1", "trap '' INT; sleep 100", "while true; do sleep 1; done"]
)
def test_a_command_over_its_time_is_ended(place: Host, script: str) -> None:
    start = time.monotonic()
    with pytest.raises(CommandTimeout, match=r"still running after 1 s and was ended") as caught:
        place.run(f"echo before\n{script}\necho after", timeout=1, check=False)
    assert time.monotonic() - start < 6
    assert caught.value.result.stdout.startswith("before\n")
    assert "after" not in caught.value.result.stdout
    assert caught.value.result.steps[-1].status is None
    assert "--timeout" in caught.value.hint
    assert place.run("echo usable").stdout == "usable\n"


@pytest.mark.live
def test_an_interrupted_command_still_says_what_it_has_to_say(lab: Lab) -> None:
    with pytest.raises(CommandTimeout) as caught:
        lab.host.run("ping -i 0.2 127.0.0.1", timeout=0.5)
    assert "packets transmitted" in caught.value.result.stdout


@pytest.mark.live
def test_an_interrupt_ends_the_command_and_leaves_the_lab_usable(place: Host) -> None:
    events: list[tuple[str, Any]] = []

    def take(kind: str, value: Any) -> None:
        events.append((kind, value))
        if kind == "stdout":
            signal.raise_signal(signal.SIGINT)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        place.run("echo one; sleep 100\necho two", on_event=take)
    assert time.monotonic() - start < 5
    assert events[-1] == ("stdout", "one\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert place.run("echo usable").stdout == "usable\n"
    assert "sleep 100\n" not in place.run("ps" if isinstance(place, ContainerShell) else "ps ax").stdout


@pytest.mark.live
def test_an_interrupt_that_comes_from_outside_while_nothing_happens(lab: Lab) -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        lab.host.run("sleep 100")
    timer.join()
    assert lab.host.run("pgrep -x sleep -a", check=False).stdout.count("sleep 100\n") == 0


@pytest.mark.live
def test_interrupts_at_any_moment_leave_the_conversation_in_step(owner: Callable[..., subprocess.Popen[str]]) -> None:
    script = """
import os, random, signal, threading, time
lab = Lab().open()
draw = random.Random(7)

def interrupt():
    for _ in range(60):
        time.sleep(draw.uniform(0.001, 0.06))
        os.kill(os.getpid(), signal.SIGINT)

sender, hits = threading.Thread(target=interrupt), 0
sender.start()
while True:
    try:
        while sender.is_alive():
            lab.host.run("for i in 1 2 3 4 5 6 7 8; do echo $i; done")
        time.sleep(0.1)
        break
    except KeyboardInterrupt:
        hits += 1
print(hits > 30, lab.host.run("echo in step").stdout, flush=True)
lab.close()
"""
    out, _ = owner(script).communicate(timeout=60)
    assert out.split("\n")[0] == "True in step"


@pytest.mark.live
def test_a_listener_that_fails_ends_the_command(lab: Lab) -> None:
    def take(kind: str, _: Any) -> None:
        if kind == "stdout":
            raise BrokenPipeError("nobody listens")

    with pytest.raises(BrokenPipeError, match="nobody listens"):
        lab.host.run("echo one; sleep 321", on_event=take)
    assert not lab.host.run("pgrep -f 'sleep 32[1]'", check=False).stdout


@pytest.mark.live
def test_several_commands_at_once(lab: Lab) -> None:
    results: dict[int, str] = {}

    def run(number: int) -> None:
        results[number] = lab.host.run(f"sleep 0.2; echo {number}").stdout

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    assert lab.snapshot().namespace("host1") is not None, "a snapshot does not wait for them"
    for thread in threads:
        thread.join()
    assert results == {number: f"{number}\n" for number in range(8)}


# What a learner gets wrong with Docker


@pytest.mark.live
@pytest.mark.parametrize(
    ("before", "wrong", "said", "hint"),
    [
        ("docker create --name one busybox", "docker create --name one busybox", "already in use", "docker rm -f one"),
        ("true", "docker run --rm nginx", "Unable to find image", "%lab open --images nginx"),
        (
            "docker run -d --name one -p 81:80 busybox sleep 100",
            "docker run -d --name two -p 81:80 busybox sleep 100",
            "port is already allocated",
            "docker ps",
        ),
        (
            "docker network create --subnet 10.8.0.0/16 one",
            "docker network create --subnet 10.8.1.0/24 two",
            "Pool overlaps",
            "docker network ls",
        ),
        ("true", "docker exec nobody true", "No such container", "docker ps -a"),
    ],
)
def test_what_docker_refuses_is_told_with_what_to_do(lab: Lab, before: str, wrong: str, said: str, hint: str) -> None:
    lab.host.run(before)
    with pytest.raises(CommandError, match=said) as caught:
        lab.host.run(wrong)
    assert hint in caught.value.hint
    lab.host.run("docker rm -f one two; docker network rm one", check=False)


@pytest.mark.live
def test_a_container_that_is_not_there(lab: Lab) -> None:
    with pytest.raises(CommandError, match="No such container: nobody") as caught:
        lab.host.container("nobody").run("true")
    assert "docker ps -a" in caught.value.hint
    with pytest.raises(UnknownMachine, match="no machine or container 'nobody'"):
        lab.machine("nobody")


# An agent that goes wrong


@pytest.fixture
def agent() -> Iterator[Callable[[str], Session]]:
    """A Session over a process that runs a few lines of Python in the agent's place."""
    sessions = []

    def start(script: str) -> Session:
        process = subprocess.Popen(
            [sys.executable, "-c", f"import json, sys\n{script}"], stdin=-1, stdout=-1, stderr=-1, bufsize=0
        )
        sessions.append(Session(process))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def test_an_answer_is_given_to_the_one_who_asked(agent: Callable[[str], Session]) -> None:
    session = agent(
        "a, b = (json.loads(sys.stdin.readline()) for _ in 'ab')\n"
        "for m in (b, a): print(json.dumps({'id': m['id'], 'done': {'said': m['what']}}), flush=True)\n"
        "sys.stdin.read()"
    )
    answers: dict[str, Any] = {}
    first = threading.Thread(target=lambda: answers.update(one=session.ask("say", what=1)))
    first.start()
    answers["two"] = session.ask("say", what=2)
    first.join()
    assert answers == {"one": {"said": 1}, "two": {"said": 2}}


@pytest.mark.parametrize(
    "noise", ["hello", "[]", "3", "{}", '{"id": 99}', '{"id": [1]}', "\\xff\\xfe", '{"id": 1', "null", '{"id": null}']
)
def test_what_is_no_message_is_logged_and_passed_over(agent: Callable[[str], Session], noise: str) -> None:
    session = agent(
        f"m = json.loads(sys.stdin.readline())\nprint({noise!r}, flush=True)\n"
        "print(json.dumps({'id': m['id'], 'done': {}}), flush=True)\nsys.stdin.read()"
    )
    assert session.ask("anything") == {}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("sandbox", errors.SandboxError),
        ("unknown", errors.UnknownMachine),
        ("engine", errors.EngineError),
        ("syntax", errors.UsageError),
        ("agent", errors.AgentError),
        ("something new", errors.AgentError),
    ],
)
def test_a_refusal_is_the_error_that_fits(agent: Callable[[str], Session], kind: str, error: type[Exception]) -> None:
    session = agent(
        "m = json.loads(sys.stdin.readline())\n"
        f"error = {{'kind': {kind!r}, 'message': 'no'}}\n"
        "print(json.dumps({'id': m['id'], 'error': error}), flush=True)\nsys.stdin.read()"
    )
    with pytest.raises(error, match="no"):
        session.ask("anything")


def test_an_agent_that_ends_is_told_with_the_end_of_its_log(agent: Callable[[str], Session]) -> None:
    session = agent("sys.stdin.readline()\nsys.exit('the roof is on fire')")
    with pytest.raises(LabError, match="The lab has ended") as caught:
        session.ask("anything")
    assert not session.alive
    assert "the roof is on fire" in str(caught.value)
    with pytest.raises(LabError):
        session.ask("anything more")


def test_an_agent_that_does_not_end_by_itself_is_made_to(agent: Callable[[str], Session]) -> None:
    session = agent("import signal; signal.signal(15, signal.SIG_IGN)\nprint(flush=True)\nsignal.pause()")
    start = time.monotonic()
    session.close(deadline=0.3)
    assert time.monotonic() - start < 5
    assert not session.alive


def test_closing_twice_is_fine(agent: Callable[[str], Session]) -> None:
    session = agent("sys.stdin.read()")
    session.close()
    session.close()
    with pytest.raises(LabError):
        session.ask("anything")


def test_the_agent_answers_garbage_with_an_error_and_goes_on() -> None:
    lines = [
        b"garbage",
        b"[]",
        b'{"id": 1}',
        b'{"to": 5}',
        b"\xff",
        b'{"id": 2, "do": "nothing"}',
        b'{"id": 3, "do": "status"}',
    ]
    command = [sys.executable, "-m", "dnetkit.agent.__main__"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as agent:
        assert agent.stdin is not None
        assert agent.stdout is not None
        agent.stdin.write(b"\n".join(lines) + b"\n")
        agent.stdin.flush()
        answers = [json.loads(agent.stdout.readline()) for _ in range(6)]
    assert agent.returncode == 0, "the end of its input ends it"
    assert [answer["error"]["kind"] for answer in answers if answer["id"] == 0] == ["agent"] * 4
    by_id = {answer["id"]: answer for answer in answers}
    assert "no request 'nothing'" in by_id[2]["error"]["message"]
    assert by_id[3]["done"] == {"engines": {}}
