"""A snapshot is one consistent picture, whatever happens meanwhile and whatever containers try."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from leaks import descendants

from dnetkit.agent.observer import _without
from dnetkit.lab import Lab
from dnetkit.model import (
    Container,
    Endpoint,
    Link,
    LinkRef,
    Machine,
    Namespace,
    Network,
    Route,
    Snapshot,
    Unavailable,
)

live = pytest.mark.live


@contextlib.contextmanager
def cleared(lab: Lab) -> Iterator[None]:
    """Removes every container and network that the body made."""
    try:
        yield
    finally:
        lab.host.run("docker ps -aq | xargs -r docker rm -f; docker network prune -f", timeout=60)


def consistent(snapshot: Snapshot) -> None:
    """Whatever is mentioned is there, and both sides agree."""
    for container in snapshot.containers:
        if container.namespace:
            space = snapshot.namespace(container.namespace)
            assert space is not None
            for endpoint in container.endpoints:
                if endpoint.address:
                    assert endpoint.link is not None, f"{container.name} has no link for {endpoint.address}"
    for space in snapshot.namespaces:
        assert (space.name, space.unavailable) == (space.name, ())
        assert len({link.index for link in space.links}) == len(space.links)
        for link in space.links:
            if link.peer is not None:
                far = snapshot.namespace(link.peer.namespace)
                assert far is not None
                other = far.link(link.peer.name)
                assert other is not None
                assert other.peer is not None
                assert (other.peer.namespace, other.peer.index) == (space.name, link.index)


@live
def test_while_containers_come_and_go_each_picture_is_consistent(lab: Lab) -> None:
    stop = threading.Event()
    trouble: list[BaseException] = []

    def churn() -> None:
        try:
            number = 0
            while not stop.is_set():
                number += 1
                lab.host.run(f"docker run -d --name churn{number} -p 80 busybox sleep 1000", timeout=60)
                lab.host.run(f"docker network create side; docker network connect side churn{number}", timeout=60)
                lab.host.run(f"docker rm -f churn{number}; docker network rm side", timeout=60)
        except BaseException as error:
            trouble.append(error)

    thread = threading.Thread(target=churn)
    with cleared(lab):
        thread.start()
        try:
            pictures = [lab.snapshot()]
            while len(pictures) < 40 or (
                len({_containers(picture) for picture in pictures}) < 4 and len(pictures) < 400
            ):
                pictures.append(lab.snapshot())
        finally:
            stop.set()
            thread.join()
    assert trouble == []
    for picture in pictures:
        consistent(picture)
        for gap in picture.unavailable:
            assert gap.reason == "it came, went or changed while the snapshot was taken"
    assert len({_containers(picture) for picture in pictures}) > 3


def _containers(picture: Snapshot) -> tuple[tuple[str, str, bool], ...]:
    return tuple((one.name, one.state, bool(one.namespace)) for one in picture.containers)


def test_what_did_not_keep_still_is_left_out_whole_and_said() -> None:
    link = Link(5, "veth5", "veth", "", 1500, True, "UP")
    left_over = Link(6, "veth6", "veth", "", 1500, True, "UP", peer=LinkRef("host1/web", "eth0", 7))
    lo = Link(1, "lo", "loopback", "", 1, True, "UP")
    ends = (Endpoint("bridge", link=LinkRef("host1/db", "eth0", 9), host_link=LinkRef("host1", "veth5", 5)),)
    routes = (Route("10.0.0.0/8", "veth5"), Route("10.1.0.0/16", "veth6"))
    snapshot = Snapshot(
        machines=(Machine("host1", "host"),),
        namespaces=(
            Namespace("host1", "host", "host1", links=(link, lo, left_over), routes=routes),
            Namespace("host1/web", "container", "host1"),
            Namespace("host1/engine:abc", "engine", "host1"),
        ),
        containers=(
            Container("host1", "1", "web", "b", "running", namespace="host1/web"),
            Container("host1", "2", "db", "b", "running", endpoints=ends),
        ),
        networks=(Network("host1", "n", "n", "macvlan", link=LinkRef("host1", "veth5", 5)),),
    )
    left = _without(
        snapshot,
        frozenset(
            {("container", "host1", "web"), ("namespace", "host1", "host1/engine:abc"), ("link", "host1", "veth5")}
        ),
    )
    assert [one.name for one in left.containers] == ["db"]
    assert [one.name for one in left.namespaces] == ["host1"]
    assert [one.name for one in left.namespaces[0].links] == ["lo", "veth6"]
    # Nothing points at what is left out.
    assert left.namespaces[0].links[1].peer is None
    assert left.namespaces[0].routes == routes[1:]
    assert left.containers[0].endpoints[0].link is not None
    assert left.containers[0].endpoints[0].host_link is None
    assert left.networks[0].link is None
    reason = "it came, went or changed while the snapshot was taken"
    assert left.unavailable == (
        Unavailable("container web of host1", reason),
        Unavailable("link veth5 of host1", reason),
        Unavailable("namespace host1/engine:abc of host1", reason),
    )


@live
def test_what_is_odd_and_stays_so_is_told_as_it_is(lab: Lab) -> None:
    with cleared(lab):
        lab.host.run("docker run -d --name web busybox sleep 1000")
        lab.host.run("nsenter -t $(docker inspect -f '{{.State.Pid}}' web) -n ip link delete eth0")
        state = lab.snapshot()
        web = state.container("web")
        assert web.namespace == "host1/web"
        assert [link.name for link in state.namespace("web").links] == ["lo"]
        assert web.endpoint("bridge").address
        assert web.endpoint("bridge").link is None
        assert state.unavailable == ()


@live
def test_an_engine_that_does_not_answer_is_said_and_the_kernel_is_still_told(fresh_lab: Lab) -> None:
    host = fresh_lab.host
    host.run("docker run -d --name web busybox sleep 1000")
    before = fresh_lab.snapshot()
    host.run("kill -STOP $(pidof dockerd)")
    try:
        stopped = fresh_lab.snapshot()
    finally:
        host.run("kill -CONT $(pidof dockerd)")
    assert [gap.what for gap in stopped.unavailable] == ["the engine of host1"]
    assert "timed out" in stopped.unavailable[0].reason
    assert stopped.duration < 15
    host.engine.kill()
    killed = fresh_lab.snapshot()
    assert [gap.what for gap in killed.unavailable] == ["the engine of host1"]
    for state in (stopped, killed):
        assert state.containers == ()
        names = {space.name: space.inode for space in state.namespaces}
        assert names["host1/web"] == before.namespace("web").inode
        assert state.namespace("web").kind == "container"
        consistent(state)


@live
def test_hostile_files_names_and_processes_of_a_container(lab: Lab) -> None:
    with cleared(lab):
        label = "a=<script>alert(1)</script>\n\u202e'"
        lab.host.run(
            f'docker run -d --name evil --cap-add SYS_ADMIN --cap-add NET_ADMIN --label "{label}" --hostname evil.host '
            "-e BIG=$(head -c 65000 /dev/zero | tr '\\0' x) busybox sleep 1000",
            timeout=60,
        )
        evil = "docker exec evil "
        lab.host.run(f"{evil}truncate -s 1G /etc/hosts")
        lab.host.run(f"{evil}umount /etc/resolv.conf; {evil}rm -f /etc/resolv.conf; {evil}mkfifo /etc/resolv.conf")
        lab.host.run(
            f"{evil}umount /etc/hostname; {evil}rm -f /etc/hostname; {evil}ln -s /../../etc/passwd /etc/hostname"
        )
        lab.host.run(f"{evil}cp /bin/busybox '/tmp/a) b\n<b>\u202e'; true")
        lab.host.run(f"{evil}sh -c 'cd /tmp && exec -a x ./a* nc -ll -p 5555 -e cat' </dev/null >/dev/null 2>&1 &")
        enter = "nsenter -t $(docker inspect -f '{{.State.Pid}}' evil) -n"
        lab.host.run(f"{enter} ip link add '<b>&\"' type veth peer name $'a\\377b'")
        lab.host.run(
            f"{enter} nft 'add table ip x; add chain ip x y; add rule ip x y counter comment \"a # handle 9 }}\"'"
        )
        state = lab.snapshot()
        one = state.container("evil")
        hosts = one.file("/etc/hosts")
        assert hosts.truncated
        assert len(hosts.text) == 1 << 16
        assert one.file("/etc/resolv.conf") is None
        assert Unavailable("/etc/resolv.conf of container evil", "it is not a regular file") in state.unavailable
        passwd = one.file("/etc/hostname")
        assert passwd is None or "dnetkit" not in passwd.text
        space = state.namespace("evil")
        assert {link.name for link in space.links} >= {'<b>&"', "a\\xffb"}
        assert all(link.peer.namespace == space.name for link in space.links if "b" in link.name)
        assert Snapshot.from_json(state.to_json()) == state
        assert state.duration < 5


@live
def test_what_the_engine_says_of_a_container_is_new_after_each_change_of_it(lab: Lab) -> None:
    changes = (
        "docker network create side; docker run -d --name web -p 80 busybox sleep 1000",
        "docker run -d --name plain --network host busybox sleep 1000",
        "docker run -d --name alone --network none busybox sleep 1000",
        "docker network connect --alias other side web",
        "docker rename web site",
        "docker network disconnect side site; docker network connect --alias another side site",
        "docker restart -t 0 site plain alone",
        *(("docker pause alone", "docker unpause alone") if lab.sandbox == "root" else ()),  # rootless has no freezer
        "docker run -d --name friend --link site:neighbour busybox sleep 1000",
        "docker rename site web",
        "docker kill plain; docker network disconnect bridge web",
        "docker start plain; docker kill plain; docker start plain",
        "docker rm -f alone; docker run -d --name alone --network none busybox sleep 1000",
    )
    with cleared(lab):
        lab.snapshot()
        for change in changes:
            lab.host.run(change, timeout=60)
            seen, again = lab.snapshot(), lab.snapshot()
            assert seen.containers == again.containers, change
            plain = {one["Name"].lstrip("/"): one for one in _inspected(lab)}
            assert {one.name for one in seen.containers} == set(plain), change
            for one in seen.containers:
                said = plain[one.name]
                assert (one.id, one.pid, one.state) == (said["Id"], said["State"]["Pid"], said["State"]["Status"]), (
                    change
                )
                assert one.started == said["State"]["StartedAt"], change
                assert one.links == tuple(sorted(said["HostConfig"]["Links"] or ())), change
                networks = said["NetworkSettings"]["Networks"]
                assert [end.network for end in one.endpoints] == sorted(networks), change
                for end in one.endpoints:
                    assert end.id == networks[end.network]["EndpointID"], change
                    assert end.aliases == tuple(networks[end.network]["Aliases"] or ()), change
                ports = said["NetworkSettings"]["Ports"]
                assert len(one.ports) == sum(len(bound or ()) for bound in ports.values()), change


def _inspected(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lab.host.run("docker inspect $(docker ps -aq)").stdout)
    return found


@live
def test_a_snapshot_starts_no_process_for_a_container(lab: Lab) -> None:
    with cleared(lab):
        lab.host.run("docker network create net; docker run -d --name first --network net -p 80 busybox sleep 1000")
        agent = _agent(lab)
        lab.snapshot()
        before = _children_so_far(agent)
        script = "".join(f"docker run -d --name c{n} --network net -p 80 busybox sleep 1000\n" for n in range(4))
        lab.host.run(script, timeout=120)
        ran = _children_so_far(agent)
        state = lab.snapshot()
        assert len([one for one in state.containers if one.namespace]) == 5
        assert all(state.namespace(f"c{n}").rules for n in range(4))
        assert all(state.namespace(f"c{n}").chains for n in range(4))
        assert _children_so_far(agent) == ran
        assert ran > before


def _agent(lab: Lab) -> int:
    found = [pid for pid, words in descendants().items() if "dnetkit.agent" in words or "agent" in words]
    for pid in found:
        status = Path(f"/proc/{pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
        if len(line.split()) == 3 and "tini" not in status.splitlines()[0]:
            return pid
    raise AssertionError(f"no agent of {lab.id} among {found}")


def _children_so_far(pid: int) -> int:
    """The page faults of all children that a process has waited for: it grows with each child (proc(5), cminflt)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[8])


@live
def test_snapshots_that_are_asked_for_at_once_are_each_whole(lab: Lab) -> None:
    with cleared(lab), ThreadPoolExecutor(4) as pool:
        lab.host.run("docker run -d --name web -p 80 busybox sleep 1000")
        asked = [pool.submit(lab.snapshot) for _ in range(24)]
        for number in range(6):
            lab.host.run(f"ip link add turn{number} type bridge; ip link delete turn{number}")
        for one in asked:
            assert one.result().container("web") is not None
