"""An engine as a service: it starts, stops, crashes in the middle of a cell, and starts again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from leaks import descendants
from waiting import wait_for

from dnetkit import engines
from dnetkit.agent.dockerd import wait_until
from dnetkit.errors import CommandError, EngineError
from dnetkit.lab import Lab


@pytest.fixture(scope="module")
def host(lab: Lab) -> Lab:
    lab.host.run("docker run -d --name web --restart always --stop-signal KILL busybox sleep 10000")
    return lab


@pytest.mark.live
def test_whichever_engine_it_is_it_keeps_images_as_the_stores_have_them(host: Lab) -> None:
    assert host.host.run("docker info --format '{{.Driver}}'").stdout == "overlay2\n"


@pytest.mark.live
def test_a_stopped_engine_takes_its_containers_along_and_brings_them_back(host: Lab) -> None:
    engine = host.host.engine
    assert engine.running
    engine.stop()
    assert not engine.running
    assert not host.host.run("pgrep -x containerd", check=False).ok
    engine.stop()  # does nothing
    with pytest.raises(CommandError, match="connect to the") as caught:
        host.host.run("docker ps")
    assert "%lab restart" in caught.value.hint
    engine.start()
    engine.start()  # does nothing
    assert engine.running
    wait_for("web runs", lambda: host.host.container("web").run("echo up", check=False).stdout == "up\n")
    engine.restart()
    wait_for("web runs", lambda: host.host.container("web").run("echo up", check=False).stdout == "up\n")


@pytest.mark.live
def test_an_engine_that_dies_in_the_middle_of_a_cell(host: Lab) -> None:
    with pytest.raises(CommandError) as caught:
        host.host.run("docker ps -q\npkill -KILL -x dockerd\ndocker events\necho no")
    result = caught.value.result
    assert [step.status == 0 for step in result.steps] == [True, True, False]
    assert "connect to the" in result.stderr
    assert "engine of this machine is not running" in caught.value.hint
    assert host.alive
    wait_for("it is seen", lambda: not host.host.engine.running)
    assert host.host.run("echo usable").stdout == "usable\n"
    snapshot = host.snapshot()
    assert [missing.what for missing in snapshot.unavailable] == ["the engine of host1"], (
        "not 'there are no containers'"
    )
    assert snapshot.namespace("host1") is not None
    with pytest.raises(EngineError, match="does not answer"):
        host.host.docker.ping()
    host.host.engine.start()
    assert host.host.run("docker run --rm busybox echo well").stdout == "well\n"
    assert host.host.docker.ping()


@pytest.mark.live
@pytest.mark.parametrize("round", range(3))
def test_an_engine_that_was_killed_starts_again(host: Lab, round: int) -> None:
    del round
    host.host.engine.kill()
    assert not host.host.engine.running
    host.host.engine.start()
    wait_for("web runs", lambda: host.host.container("web").run("echo up", check=False).stdout == "up\n")
    assert host.host.run("docker ps -q | wc -l").stdout == "1\n"


@pytest.mark.live
@pytest.mark.parametrize("action", ["restart", "kill"])
def test_what_an_engine_does_not_take_over_does_not_go_on(host: Lab, action: str) -> None:
    """With live-restore it takes over what runs; without cgroups a containerd from 2.0 on gives it up."""
    host.host.run("echo '{\"live-restore\": true}' > /etc/docker/daemon.json")
    host.host.engine.restart()
    host.host.run("docker run -d --name other busybox top")
    getattr(host.host.engine, action)()
    host.host.engine.start()
    shims = "docker ps -q | wc -l; ps -e -o comm= | grep -c containerd-shim".replace("; ", "\n")
    running, there = host.host.run(shims, check=False).stdout.split()
    assert running == there
    host.host.run("docker rm -f other\nrm /etc/docker/daemon.json")
    host.host.engine.restart()


@pytest.mark.live
def test_an_engine_that_cannot_start_says_why_with_the_end_of_its_log(host: Lab) -> None:
    host.host.engine.stop()
    host.host.run("echo '{\"no-such-option\": 1}' > /etc/docker/daemon.json")
    with pytest.raises(EngineError, match="ended while it was starting") as caught:
        host.host.engine.start()
    assert "no-such-option" in caught.value.log
    assert "no-such-option" in str(caught.value)
    assert "%lab log" in caught.value.hint
    host.host.run("rm /etc/docker/daemon.json")
    host.host.engine.start()
    assert host.host.run("docker ps").ok


@pytest.mark.live
def test_of_its_log_only_what_belongs_to_the_start_that_failed_is_shown(host: Lab) -> None:
    """Else an older mistake would be taken for the one of now."""
    for mistake in ("first-mistake", "second-mistake"):
        host.host.engine.stop()
        host.host.run(f"echo '{{\"{mistake}\": 1}}' > /etc/docker/daemon.json")
        with pytest.raises(EngineError) as caught:
            host.host.engine.start()
        assert mistake in caught.value.log
    assert "first-mistake" not in caught.value.log
    assert "first-mistake" in host.log("host1")
    host.host.run("rm /etc/docker/daemon.json")
    host.host.engine.start()


@pytest.mark.live
def test_options_are_added_where_debian_has_them(host: Lab) -> None:
    host.host.run("echo '# DOCKER_OPTS=--no' > /etc/default/docker")
    host.host.run("echo 'DOCKER_OPTS=\"--label place=there -H tcp://127.0.0.1:2375\"' >> /etc/default/docker")
    host.host.run("""echo '{"tls": false}' > /etc/docker/daemon.json""")
    host.host.engine.restart()
    assert host.host.run("docker -H tcp://127.0.0.1:2375 info --format '{{.Labels}}'").stdout == "[place=there]\n"
    host.host.run("echo 'DOCKER_OPTS=\"' > /etc/default/docker")
    host.host.engine.stop()
    with pytest.raises(EngineError, match="/etc/default/docker: No closing quotation"):
        host.host.engine.start()
    host.host.run("rm /etc/default/docker /etc/docker/daemon.json")
    host.host.engine.start()


@pytest.mark.live
def test_what_this_machines_own_engine_is_started_with_is_not_there(host: Lab) -> None:
    assert host.host.run("ls /etc/default").stdout.split() == sorted(set(os.listdir("/etc/default")) - {"docker"})


@pytest.mark.live
def test_settings_in_the_usual_place_count(host: Lab) -> None:
    host.host.run("""echo '{"labels": ["place=here"]}' > /etc/docker/daemon.json""")
    host.host.engine.restart()
    assert host.host.run("docker info --format '{{.Labels}}'").stdout == "[place=here]\n"
    host.host.run("rm /etc/docker/daemon.json")


@pytest.mark.live
def test_a_stopped_engine_process_makes_nothing_hang_for_ever(host: Lab) -> None:
    pid = next(pid for pid, words in descendants().items() if words.startswith("dockerd "))
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(CommandError, match="still running"):
            host.host.run("docker ps", timeout=1)
        assert host.host.run("ip link show docker0").ok
    finally:
        os.kill(pid, signal.SIGCONT)
    assert host.host.run("docker ps").ok


@pytest.mark.live
def test_the_engine_of_one_host_is_not_that_of_another() -> None:
    with Lab(hosts=2, client=False, images=[]) as lab:
        lab.host.engine.kill()
        assert not lab.host.engine.running
        assert lab.hosts["host2"].engine.running
        assert lab.hosts["host2"].run("docker ps").ok


@pytest.mark.live
def test_an_engine_that_does_not_start_at_all_leaves_no_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dockerd that is none: the error has its words, and nothing is half alive."""
    real = engines.find_engine()
    broken = tmp_path / "bin"
    broken.mkdir()
    tmp_path.chmod(0o755)
    (broken / "dockerd").write_text("#!/bin/sh\necho my disk is on fire >&2\nexit 1\n")
    (broken / "dockerd").chmod(0o755)
    engine = engines.Engine(real.version, (broken, *real.path), real.library_path, real.source)
    monkeypatch.setattr(engines, "find_engine", lambda *_: engine)
    lab = Lab()
    with pytest.raises(EngineError, match="ended while it was starting") as caught:
        lab.open()
    assert "my disk is on fire" in str(caught.value)
    assert not lab.alive
    assert not [words for words in descendants().values() if "agent.keeper" in words and lab.id in words]


def test_waiting_until_something_is_so() -> None:
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), 5)
    assert not wait_until(lambda: False, 0.02)
