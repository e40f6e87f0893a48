import socket
import threading

import pytest

from dnetkit.agent import rootlesskit
from dnetkit.agent.dockerd import Conversation, NotThere


@pytest.fixture
def path(tmp_path):
    rootlesskit.serve(str(tmp_path / "state"))
    return str(tmp_path / "state" / "api.sock")


def test_it_says_that_no_port_has_to_be_carried(path):
    with Conversation(path) as engine:
        info = engine.get("/v1/info")
    assert info["portDriver"]["driver"] == info["networkDriver"]["driver"] == "none"
    assert info["apiVersion"]


def test_it_knows_nothing_else(path):
    with Conversation(path) as engine, pytest.raises(NotThere):
        engine.get("/v1/ports")


def test_one_that_asks_badly_does_not_hold_up_the_next(path):
    with socket.socket(socket.AF_UNIX) as hasty:
        hasty.connect(path)
        hasty.sendall(b"GET")
    with Conversation(path) as engine:
        assert engine.get("/v1/info")


def test_it_is_started_once_for_a_directory(path, tmp_path):
    rootlesskit.serve(str(tmp_path / "state"))
    with Conversation(path) as engine:
        assert engine.get("/v1/info")
    assert sum(thread.name == "rootlesskit" for thread in threading.enumerate()) >= 1
