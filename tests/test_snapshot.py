"""Snapshots of a network that changes: what is gone is gone, and what goes meanwhile does no harm.

(That they are right is shown in test_against_tools.py.)
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from waiting import wait_for

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
            reason = "it came, went or changed while the snapshot was taken"
            assert {missing.reason for missing in taken.unavailable} <= {reason}, "what went meanwhile is said"
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


@pytest.mark.live
def test_a_bridge_without_a_port_is_down_at_once_though_the_kernel_says_so_later(lab: Lab) -> None:
    plug = "ip link add p9 type veth peer name q9; ip link set p9 master br9; ip link set p9 up; ip link set q9 up"
    lab.host.run(f"ip link add br9 type bridge; ip link set br9 up\n{plug}\nip link delete p9")
    told = "ip -j link show br9"

    def kernel_says_down() -> bool:
        return bool(json.loads(lab.host.run(told).stdout)[0]["operstate"] == "DOWN")

    try:
        wait_for("the kernel's word on the first time", kernel_says_down)
        states, said = [], []
        for _ in range(4):  # the kernel delays what happens again within a second
            lab.host.run(plug)
            states.append(lab.snapshot().namespace("host1").link("br9").state)
            said.append(lab.host.run("ip link delete p9; cat /sys/class/net/br9/carrier").stdout.strip())
            states.append(lab.snapshot().namespace("host1").link("br9").state)
        assert states == ["UP", "DOWN"] * 4
        assert said == ["0"] * 4
        wait_for("the kernel's word", kernel_says_down)
    finally:
        lab.host.run("ip link delete br9")


MANY = """
from dnetkit.lab import Lab
with Lab(images=["busybox"]) as lab:
    lab.host.run("for i in $(seq 12); do docker run -d --name many$i busybox top; done")
    state = lab.snapshot()
    missing = [what for one in (state, *state.namespaces) for what in one.unavailable]
    print(sum(bool(one.namespace) for one in state.containers), len(missing))
"""


@pytest.mark.live
def test_a_session_that_begins_with_few_open_files_still_sees_every_container() -> None:
    """As many do: their 1024 were not enough for 150 containers."""
    limited = ["sh", "-c", 'ulimit -Sn 64; exec "$0" -c "$1"', sys.executable, MANY]
    done = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.split() == ["12", "0"], done.stderr
