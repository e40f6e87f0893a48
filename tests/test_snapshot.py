"""Snapshots of a network that changes: what is gone is gone, and what goes meanwhile does no harm.

(That they are right is shown in test_against_tools.py.)
"""

from __future__ import annotations

import threading

import pytest

from dnetkit.lab import Lab
from dnetkit.model import Snapshot


@pytest.mark.live
def test_what_is_gone_is_gone_from_the_next_snapshot(lab: Lab) -> None:
    lab.host.run(
        """
        docker run -d --name web -p 8080:80 busybox sleep 10000
        docker run -d --name bare --network host busybox sleep 10000
        ip netns add blue
        ip link add v0 type veth peer name v0 netns blue
        """
    )
    before = lab.snapshot()
    assert Snapshot.from_json(before.to_json()) == before
    assert {"host1", "host1/web", "host1/netns:blue"} <= {space.name for space in before.namespaces}
    host = before.namespace("host1")
    assert host is not None
    assert host.link("v0") is not None
    lab.host.run("docker rm -f bare; ip netns del blue; docker stop -t 0 web")
    after = lab.snapshot()
    assert not {"host1/web", "host1/netns:blue"} & {space.name for space in after.namespaces}
    host = after.namespace("host1")
    assert host is not None
    assert host.link("v0") is None
    web = after.container("web")
    assert web is not None
    assert (web.state, web.namespace, web.ports) == ("exited", "", ())
    assert after.container("bare") is None
    lab.host.run("docker rm web")


@pytest.mark.live
def test_snapshots_taken_while_containers_come_and_go_never_fail(lab: Lab) -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            lab.host.run("docker run --rm busybox true; ip netns add x; ip netns del x")

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        for _ in range(10):
            taken = lab.snapshot()
            assert taken.namespace("host1") is not None
            assert all("container" in missing.what for missing in taken.unavailable), "one that went meanwhile is said"
    finally:
        stop.set()
        worker.join()


@pytest.mark.live
def test_a_container_is_in_the_namespace_that_its_process_is_in_whatever_its_mode_says(fresh_lab: Lab) -> None:
    fresh_lab.host.run(
        "docker run -d --name web busybox top\ndocker run -d --name side --network container:web busybox top"
    )
    shared = fresh_lab.snapshot()
    assert shared.container("side").namespace == shared.container("web").namespace == "host1/web"
    fresh_lab.host.run("docker restart -t 0 web")
    state = fresh_lab.snapshot()
    assert state.container("web").namespace == "host1/web"
    assert state.container("side").namespace == "host1/side"
    assert [link.name for link in state.namespace("host1/side").links] == ["lo"]
