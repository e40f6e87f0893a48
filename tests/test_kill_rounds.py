"""At a random moment of a lab's life a random part of it is killed, stopped or cut off: nothing is left, nothing hangs.

A round's choices follow from its number alone. `make test` runs some of the rounds, `make kill-rounds` all.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from leaks import Watch, descendants

Start = Callable[..., "subprocess.Popen[str]"]

SEED = 20261126
ROUNDS = int(os.environ.get("DNETKIT_ROUNDS", "8"))
PATIENCE = 40.0
"""Seconds after which an owner whose lab was hurt must have ended by itself."""

LIFE = """
import os, signal
lab = Lab(client=False)

def end_of(pipe):
    if pipe.closed:
        return
    ours = os.readlink(f"/proc/self/fd/{pipe.fileno()}")
    null = os.open(os.devnull, os.O_RDWR)
    for one in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{one}") == ours:
                os.dup2(null, int(one))
        except OSError:
            pass

def cut(number, _):
    if lab._session is not None:
        process = lab._session._process
        end_of(process.stdin if number == signal.SIGUSR1 else process.stdout)

signal.signal(signal.SIGUSR1, cut)
signal.signal(signal.SIGUSR2, cut)
print("begins", flush=True)
with lab:
    lab.host.run("docker run -d --name web -p 8080:80 busybox sleep 1000", timeout=20)
    lab.snapshot()
    lab.host.run("docker network create net\\ndocker network connect net web\\ndocker exec web ip address", timeout=20)
    lab.snapshot()
"""

PARTS: dict[str, Callable[[str], bool]] = {
    "keeper": lambda words: "agent.keeper" in words,
    "init": lambda words: "agent.__main__" in words and words.split()[0].endswith("tini"),
    "agent": lambda words: words.endswith("agent.__main__ import main; sys.exit(main())") and "tini -- " not in words,
    "dockerd": lambda words: words.startswith("dockerd"),
    "containerd": lambda words: words.startswith("containerd "),
    "shim": lambda words: "containerd-shim" in words.split(" ")[0],
    "container": lambda words: words == "sleep 1000",
    "proxy": lambda words: "docker-proxy" in words.split(" ")[0],
}


@pytest.mark.live
@pytest.mark.timeout(ROUNDS * 60)
def test_a_part_is_hurt_at_a_random_moment(owner: Start, watch: Watch) -> None:
    began = time.monotonic()
    assert _life(owner).wait(60) == 0
    length = time.monotonic() - began
    hurt = []
    for number in range(ROUNDS):
        choice = random.Random(SEED + number)  # noqa: S311 - to be the same each time is what it is for
        with watch.nothing_left(deadline=15.0):
            hurt.append(_round(owner, choice, length))
    print(*hurt, sep="\n")
    assert len({line.split()[2] for line in hurt}) > (3 if len(hurt) > 50 else 1), "rounds differ in what they hurt"


def _life(owner: Start) -> subprocess.Popen[str]:
    process = owner(LIFE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


def _round(owner: Start, choice: random.Random, length: float) -> str:
    """Hurt one part of one lab; returns what was done to which part, and when."""
    moment = choice.uniform(0.0, length)
    process = _life(owner)
    time.sleep(moment)
    below = descendants(process.pid)
    there = {name: [pid for pid, words in below.items() if fits(words)] for name, fits in PARTS.items()}
    victims = ["owner", "its input", "its output", *sorted(name for name in there if there[name])]
    victim = choice.choice(victims)
    how = choice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
    done = f"{moment:5.2f} s: {victim} {how.name}"
    if victim == "owner":
        process.send_signal(how)
    elif victim.startswith("its"):
        how = signal.SIGUSR1 if victim == "its input" else signal.SIGUSR2
        process.send_signal(how)
        done = f"{moment:5.2f} s: {victim} is cut off"
    else:
        for pid in there[victim]:
            with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(pid, how)
    if how == signal.SIGSTOP:
        time.sleep(choice.uniform(0.0, 0.5))
        process.kill()
    _, said = process.communicate(timeout=PATIENCE)
    ending = process.returncode == -how  # Python has taken its handlers away already: the signal itself ended it
    if how != signal.SIGSTOP and victim != "owner" and process.returncode and not ending:
        last = said.strip().splitlines()[-1]
        assert "dnetkit.errors." in said, f"{done}: {said}"
        return f"{done}; {last[:100]}"
    return f"{done}; it ended with {process.returncode}"
