"""The Docker SDK on a lab's engine, by way of the agent: what a program does with it works as on a socket."""

from __future__ import annotations

import io
import itertools
import tarfile
import threading
import time

import docker.errors
import pytest
from waiting import wait_for

from dnetkit.errors import LabError
from dnetkit.lab import Lab


@pytest.mark.live
def test_a_container_is_run_to_its_end(lab: Lab) -> None:
    client = lab.host.docker
    assert client is lab.host.docker, "one client a host"
    assert client.version()["Version"] == lab.engines["host1"]
    assert client.containers.run("busybox", ["sh", "-c", "echo out; echo err >&2"], remove=True) == b"out\n"
    with pytest.raises(docker.errors.ContainerError, match="exit status 3"):
        client.containers.run("busybox", ["sh", "-c", "exit 3"], remove=True)
    with pytest.raises(docker.errors.APIError):
        client.containers.run("nginx")


@pytest.mark.live
def test_what_the_sdk_makes_the_command_line_sees(lab: Lab) -> None:
    network = lab.host.docker.networks.create("sdk", driver="bridge")
    container = lab.host.docker.containers.run("busybox", "sleep 1000", name="fromsdk", network="sdk", detach=True)
    assert lab.host.run("docker ps --format '{{.Names}} {{.Networks}}'").stdout == "fromsdk sdk\n"
    assert lab.snapshot().container("fromsdk") is not None
    container.remove(force=True)
    network.remove()
    assert lab.host.docker.containers.list(all=True) == []


@pytest.mark.live
def test_exec_with_its_two_outputs_and_status(lab: Lab) -> None:
    container = lab.host.docker.containers.run("busybox", "sleep 1000", detach=True)
    done = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True)
    assert (done.exit_code, done.output) == (4, (b"out\n", b"err\n"))
    container.remove(force=True)


@pytest.mark.live
def test_input_may_end_while_output_goes_on(lab: Lab) -> None:
    """Only one half of the connection is closed: what `docker exec -i` and `docker run -i` rest on."""
    container = lab.host.docker.containers.run("busybox", "sleep 1000", detach=True)
    api = lab.host.docker.api
    for size in (10, 1_000_000):
        job = api.exec_create(container.id, ["sh", "-c", "wc -c; sleep 0.2; echo more"], stdin=True)["Id"]
        stream = api.exec_start(job, socket=True)
        raw = getattr(stream, "_sock", stream)
        raw.sendall(b"x" * size)
        raw.shutdown(1)
        said = b"".join(iter(lambda raw=raw: raw.recv(4096), b""))  # type: ignore[misc]
        assert f"{size}\n".encode() in said
        assert b"more\n" in said
        stream.close()
        raw.close()
    container.remove(force=True)


@pytest.mark.live
def test_logs_are_followed_as_they_come(lab: Lab) -> None:
    script = "for i in 1 2 3; do echo $i; sleep 0.3; done"
    container = lab.host.docker.containers.run("busybox", ["sh", "-c", script], detach=True)
    start = time.monotonic()
    arrivals = [(line, time.monotonic() - start) for line in container.logs(stream=True, follow=True)]
    assert b"".join(line for line, _ in arrivals) == b"1\n2\n3\n"
    assert arrivals[-1][1] - arrivals[0][1] > 0.3
    container.remove()


@pytest.mark.live
def test_events_come_while_they_happen(lab: Lab) -> None:
    events = lab.host.docker.events(decode=True, filters={"type": "container"})
    seen: list[str] = []

    def listen() -> None:
        seen.extend(event["Action"] for event in itertools.islice(events, 3))

    listener = threading.Thread(target=listen)
    listener.start()
    lab.host.run("docker run --rm busybox true")
    listener.join(10)
    events.close()
    assert seen[0] == "create"
    assert not listener.is_alive()


@pytest.mark.live
def test_big_things_go_both_ways(lab: Lab) -> None:
    container = lab.host.docker.containers.run("busybox", "sleep 1000", detach=True)
    content = bytes(range(256)) * 20_000  # 5 MB
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("big")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    assert container.put_archive("/tmp", packed.getvalue())  # noqa: S108 - in the container
    pieces, _ = container.get_archive("/tmp/big")  # noqa: S108
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        inside = tar.extractfile("big")
        assert inside is not None
        assert inside.read() == content
    container.remove(force=True)


@pytest.mark.live
def test_many_calls_at_once(lab: Lab) -> None:
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(lab.host.docker.ping())) for _ in range(20)]
    assert lab.host.docker.ping()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 20


@pytest.mark.live
def test_a_call_that_waits_ends_with_the_lab(fresh_lab: Lab) -> None:
    container = fresh_lab.host.docker.containers.run("busybox", "sleep 1000", detach=True)
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            container.wait()
        except Exception as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    client = fresh_lab.host.docker
    fresh_lab.close()
    waiting.join(5)
    assert not waiting.is_alive()
    assert ended
    with pytest.raises(LabError, match=r"The lab has ended|not open"):
        client.ping()
    client.close()


@pytest.mark.live
def test_a_connection_outlives_a_restart_of_the_engine(lab: Lab) -> None:
    client = lab.host.docker
    assert client.ping()
    lab.host.engine.restart()
    assert wait_for("it answers", client.ping)
