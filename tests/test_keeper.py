"""Whatever ends first - owner, keeper, agent, the lab's first process - and however: nothing is left of the lab."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from leaks import Watch, descendants
from waiting import wait_for

from dnetkit import cli, sandbox
from dnetkit.agent import keeper
from dnetkit.errors import LabError
from dnetkit.lab import Lab

Start = Callable[..., "subprocess.Popen[str]"]

HOLD_OPEN = """
lab = Lab().open()
lab.host.run("docker run -d --name web -p 8080:80 busybox sleep 1000")
print(lab.id, flush=True)
sys.stdin.read()
"""


def part(name: str, root: int | None = None) -> int:
    """The pid of the 'keeper', 'tini' (the lab's first process), 'agent' or 'dockerd' of the only lab below `root`."""
    marks = {
        "keeper": lambda words: "agent.keeper" in words,
        "tini": lambda words: "agent.__main__" in words and words.split()[0].endswith("tini"),
        "agent": lambda words: (
            words.endswith("agent.__main__ import main; sys.exit(main())") and "tini -- " not in words
        ),
        "dockerd": lambda words: words.startswith("dockerd"),
    }
    found = [pid for pid, words in descendants(root).items() if marks[name](words)]
    assert len(found) == 1, f"{name}: {descendants(root)}"
    return found[0]


def an_id(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_owner_is_killed(owner: Start, number: signal.Signals) -> None:
    process = owner(HOLD_OPEN, stderr=subprocess.DEVNULL)
    assert an_id(process)
    below = set(descendants(process.pid))
    process.send_signal(number)
    process.wait(10)
    wait_for("every process of the lab has ended", lambda: not below & set(descendants()))


@pytest.mark.live
def test_the_owner_just_ends_without_closing(owner: Start) -> None:
    process = owner(HOLD_OPEN)
    assert an_id(process)
    process.communicate("", 10)
    assert process.returncode == 0


@pytest.mark.live
@pytest.mark.parametrize("processes", [1, 2, 4, 6, 8])
def test_the_owner_is_killed_while_the_lab_opens(owner: Start, processes: int) -> None:
    process = owner("Lab().open()\nsys.stdin.read()")
    wait_for(f"{processes} processes", lambda: len(descendants(process.pid)) >= processes)
    process.kill()
    process.wait()


@pytest.mark.live
@pytest.mark.parametrize("stopped", ["keeper", "agent", "tini", "dockerd"])
def test_a_part_is_stopped_and_then_the_owner_is_killed(owner: Start, stopped: str) -> None:
    process = owner(HOLD_OPEN)
    assert an_id(process)
    os.kill(part(stopped, process.pid), signal.SIGSTOP)
    process.kill()


@pytest.mark.live
def test_a_stopped_agent_does_not_hold_up_close_for_ever() -> None:
    lab = Lab(images=[]).open()
    os.kill(part("agent"), signal.SIGSTOP)
    lab.session.close(deadline=0.5)
    assert not lab.alive
    lab.close()


@pytest.mark.live
@pytest.mark.parametrize("killed", ["agent", "tini", "keeper"])
def test_a_part_is_killed(fresh_lab: Lab, killed: str) -> None:
    fresh_lab.host.run("docker run -d -p 8080:80 busybox sleep 1000")
    os.kill(part(killed), signal.SIGKILL)
    wait_for("the lab knows that it has ended", lambda: not fresh_lab.alive)
    with pytest.raises(LabError, match="The lab has ended") as caught:
        fresh_lab.host.run("true")
    assert "%lab open" in caught.value.hint
    with pytest.raises(LabError):
        fresh_lab.snapshot()
    with pytest.raises(LabError):
        fresh_lab.host.docker.ping()


@pytest.mark.live
def test_the_agent_is_killed_in_the_middle_of_a_command(fresh_lab: Lab) -> None:
    agent = part("agent")
    seen = []

    def kill(kind: str, value: object) -> None:
        seen.append((kind, value))
        if kind == "stdout":
            os.kill(agent, signal.SIGKILL)

    with pytest.raises(LabError, match="The lab has ended"):
        fresh_lab.host.run("echo now; sleep 100", on_event=kill)
    assert seen[-1] == ("stdout", "now\n")


@pytest.mark.live
def test_after_a_killed_keeper_and_owner_clean_removes_what_is_left(
    owner: Start, watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = owner(HOLD_OPEN)
    identity = an_id(process)
    os.kill(part("keeper", process.pid), signal.SIGKILL)
    process.kill()
    wait_for("all has ended", lambda: not descendants())
    record = watch.ids.directory / f"{identity}.json"
    assert record.exists()
    if os.geteuid() == 0:
        assert keeper.cgroup_directories(f"dnetkit-{identity}")
    assert cli.main(["clean"]) == 0
    assert f"lab {identity}: removed {record}" in capsys.readouterr().out
    assert not record.exists()
    assert cli.main(["clean"]) == 0
    assert "nothing to clean" in capsys.readouterr().out


@pytest.mark.live
def test_clean_leaves_a_living_lab_alone(fresh_lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["clean"]) == 0
    assert "nothing to clean" in capsys.readouterr().out
    assert fresh_lab.host.run("docker ps").ok


@pytest.mark.live
def test_opening_clears_up_after_a_dead_lab(watch: Watch) -> None:
    record = watch.ids.directory / "0badc0de.json"
    record.write_text("")  # it died while it wrote it
    with Lab(images=[]):
        assert not record.exists()


@pytest.mark.live
def test_a_lab_outlives_the_thread_that_opened_it() -> None:
    lab = Lab(images=[])
    thread = threading.Thread(target=lab.open)
    thread.start()
    thread.join()
    assert lab.host.run("true").ok
    lab.close()


@pytest.mark.live
def test_a_lab_does_not_depend_on_its_owners_umask(owner: Start) -> None:
    process = owner(
        "import os; os.umask(0o077)\n"
        "with Lab() as lab:\n"
        "    print(lab.host.run('stat -c %a /etc/hosts /etc /run /tmp; docker run --rm busybox id -u').stdout.split())"
    )
    assert process.communicate()[0].strip() == str(["644", "755", "755", "1777", "0"])


def test_a_keeper_that_cannot_begin_says_why_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = {"lock": str(tmp_path / "file" / "x.json"), "cgroup": "", "id": "x", "owner": 1, "sandbox": "rootless"}
    command = [sys.executable, "-m", "dnetkit.agent.keeper", json.dumps(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert done.stderr.count("\n") == 1
    assert "File exists" in done.stderr


def test_a_record_that_is_swept_away_while_it_is_being_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "lab.json", fcntl.flock
    swept: list[Path] = []

    def flock(handle: int, how: int) -> None:
        if not swept:
            path.unlink()
            swept.append(path)
        real(handle, how)

    monkeypatch.setattr(keeper.fcntl, "flock", flock)
    with keeper._lock(path, {"id": "x", "cgroup": "", "owner": 1}):
        assert json.loads(path.read_text())["id"] == "x"
        with path.open() as other, pytest.raises(BlockingIOError):
            real(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert swept
    assert not path.exists()


def test_a_record_stays_as_long_as_a_cgroup_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "cgroup_directories", lambda _: [tmp_path])
    with keeper._lock(tmp_path / "lab.json", {"id": "x", "cgroup": "dnetkit-x", "owner": 1}):
        pass
    assert (tmp_path / "lab.json").exists()


def test_sweeping_where_there_has_never_been_a_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert sandbox.sweep() == []


@pytest.mark.parametrize("text", ["", "{", '{"cgroup": "../../x"}'])
def test_only_the_cgroup_with_a_dead_labs_own_id_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    record = sandbox.state_directory() / "0badc0de.json"
    record.parent.mkdir(parents=True)
    record.write_text(text)
    asked: list[str] = []
    monkeypatch.setattr(sandbox, "cgroup_directories", lambda name: asked.append(name) or [])
    assert sandbox.sweep() == [sandbox.DeadLab("0badc0de", (str(record),), ())]
    assert asked == ["dnetkit-0badc0de"]


def test_sweeping_leaves_other_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    note = sandbox.state_directory() / "notes.json"
    note.parent.mkdir(parents=True)
    note.touch()
    assert sandbox.sweep() == []
    assert note.exists()
