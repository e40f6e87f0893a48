"""What an engine is asked: everything that may have changed, and nothing that cannot have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from dnetkit.agent.dockerd import Conversation, Engine, Refusal
from dnetkit.agent.inquiry import Memory, ask
from dnetkit.lab import Lab

ALONE = '/swarm: 503 {"message":"This node is not a swarm manager. Use \\"docker swarm init\\" or ..."}'
WORKER = '/swarm: 503 {"message":"This node is not a swarm manager. Worker nodes can\'t be used to ..."}'


class FakeEngine:
    """Answers like one without containers, and notes what it is asked."""

    def __init__(self) -> None:
        self.settings: tuple[int, ...] | None = (1,)
        self.swarm = ALONE
        self.state = "inactive"
        self.asked: list[str] = []

    @contextmanager
    def converse(self) -> Iterator[Conversation]:
        yield cast(Conversation, self)

    def get(self, path: str) -> Any:
        self.asked.append(path)
        if path == "/swarm" and self.swarm:
            raise Refusal(self.swarm)
        return {"Swarm": {"LocalNodeState": self.state}} if path == "/info" else []


def _reconfigured(engine: FakeEngine) -> None:
    engine.settings = (2,)


def _unsettled(engine: FakeEngine) -> None:
    engine.settings = None


def _manager(engine: FakeEngine) -> None:
    engine.swarm = ""


def _worker(engine: FakeEngine) -> None:
    engine.swarm = WORKER


def test_what_it_says_of_itself_is_asked_once_while_nothing_can_have_changed_it() -> None:
    engine, memory = FakeEngine(), Memory()
    answers = [ask(cast(Engine, engine), memory) for _ in range(3)]
    assert engine.asked.count("/info") == 1
    assert answers[0].info == answers[2].info == {"Swarm": {"LocalNodeState": "inactive"}}
    assert engine.asked.count("/networks") == 3


@pytest.mark.parametrize("change", [_reconfigured, _unsettled, _manager, _worker])
def test_it_is_asked_again_when_something_may_have(change: Callable[[FakeEngine], None]) -> None:
    engine, memory = FakeEngine(), Memory()
    ask(cast(Engine, engine), memory)
    change(engine)
    ask(cast(Engine, engine), memory)
    assert engine.asked.count("/info") == 2


def test_in_a_swarm_it_is_asked_each_time() -> None:
    engine, memory = FakeEngine(), Memory()
    engine.state = "pending"
    for _ in range(2):
        ask(cast(Engine, engine), memory)
    assert engine.asked.count("/info") == 2


@pytest.mark.live
def test_a_change_of_its_settings_is_seen_however_it_comes(lab: Lab) -> None:
    def seen(name: str) -> str:
        return next(one for one in lab.snapshot().machines if one.name == "host1").setting(name)

    def reload(settings: dict[str, Any]) -> None:
        lab.host.run(f"""
            times() {{ grep -c 'Reloaded configuration' /run/dockerd.log || true; }}
            echo '{json.dumps(settings)}' > /etc/docker/daemon.json
            before=$(times)
            kill -HUP $(pgrep -x dockerd)
            while [ $(times) = $before ]; do sleep 0.05; done
        """)

    assert (seen("live-restore"), seen("swarm")) == ("false", "inactive")
    lab.host.run("docker swarm init --advertise-addr eth0")
    assert seen("swarm") == "active"
    lab.host.run("docker swarm leave --force")
    assert seen("swarm") == "inactive"
    reload({"live-restore": True})
    assert seen("live-restore") == "true"
    reload({"live-restore": False})
    assert seen("live-restore") == "false"
    lab.host.run("rm /etc/docker/daemon.json")
    lab.host.engine.restart()
    assert (seen("live-restore"), seen("live-restore")) == ("false", "false")
    reload({"live-restore": True})
    lab.host.run("rm /etc/docker/daemon.json")  # as it was when the engine started
    assert seen("live-restore") == "true"
    lab.host.run("echo '{\"live-restore\": true}' > /etc/docker/daemon.json")
    lab.host.engine.restart()
    assert seen("live-restore") == "true"
    lab.host.run("rm /etc/docker/daemon.json; echo 'DOCKER_OPTS=\"--live-restore=false\"' > /etc/default/docker")
    lab.host.engine.restart()
    assert seen("live-restore") == "false"
