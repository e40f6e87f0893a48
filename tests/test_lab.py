"""A lab as a whole: it opens, is what was asked for, keeps to itself, and is gone when it is closed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from leaks import Watch, descendants
from waiting import wait_for

from dnetkit import door, engines, rights, sandbox
from dnetkit.cells import as_python
from dnetkit.errors import EngineError, ImageError, LabError, SandboxError, UnknownMachine, UsageError
from dnetkit.lab import Lab

HERE = "root" if os.geteuid() == 0 else "rootless"


# Options


@pytest.mark.parametrize("hosts", [0, -1, 51, "2", 1.0, None, True])
def test_a_number_of_hosts_that_makes_no_sense_is_refused(hosts: Any) -> None:
    with pytest.raises(UsageError, match="A lab has 1 to 50 hosts"):
        Lab(hosts=hosts)


@pytest.mark.parametrize("images", ["busybox", [1], [b"busybox"]])
def test_images_are_names_in_a_list(images: Any) -> None:
    with pytest.raises(UsageError, match="names in a list") as caught:
        Lab(images=images)
    assert 'images=["busybox"]' in caught.value.hint


@pytest.mark.parametrize("disk", ["big", "-1m", "1.5g", "64 m", "64m,mode=777", "\u0661m", "1t", 64])
def test_a_size_that_is_none_is_refused(disk: Any) -> None:
    with pytest.raises(UsageError, match="disk is a size"):
        Lab(disk=disk)


@pytest.mark.live
@pytest.mark.parametrize(
    ("options", "error", "said", "hint"),
    [
        ({"images": ["busibox"]}, ImageError, "no image 'busibox' in the catalogue", "Did you mean 'busybox'?"),
        ({"engine": "1.13"}, EngineError, "no Docker Engine '1.13' here", "There is: "),
        ({"sandbox": "jail"}, SandboxError, "no sandbox 'jail'", "auto, root, rootless"),
    ],
)
def test_what_there_is_not_is_refused_and_what_there_is_named(
    options: dict[str, Any], error: type[LabError], said: str, hint: str
) -> None:
    lab = Lab(**options)
    with pytest.raises(error, match=said) as caught:
        lab.open()
    assert hint in caught.value.hint
    assert not lab.alive
    with pytest.raises(LabError, match="not open"):
        lab.snapshot()


@pytest.mark.live
def test_without_any_engine_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "installed_engines", list)
    with pytest.raises(EngineError, match="no Docker Engine") as caught:
        Lab().open()
    assert "dnetkit engine fetch" in caught.value.hint


@pytest.mark.sandbox("rootless")
@pytest.mark.parametrize("table", rights.TABLES)
def test_without_a_range_of_numbers_the_error_says_who_can_give_one(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rights.own_range
    monkeypatch.setattr(rights, "own_range", lambda asked: None if asked == table else real(asked))
    sandbox._facts.cache_clear()
    with pytest.raises(SandboxError, match=f"no range of 65536 numbers in {table}") as caught:
        Lab().open()
    assert "usermod --add-sub" in caught.value.hint
    monkeypatch.undo()
    assert sandbox.choose("auto") == "rootless", "the refusal is not remembered"


@pytest.mark.live
def test_what_is_in_the_way_is_looked_for_when_a_lab_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "launch", lambda *_: subprocess.Popen(["false"], **PIPES))
    with pytest.raises(SandboxError, match="The lab did not start"):
        Lab().open()
    refused = {"namespaces": "Operation not permitted", "user_namespace": "Operation not permitted"}
    real = rights.gather
    monkeypatch.setattr(
        rights, "gather", lambda try_out: dataclasses.replace(real(False), **(refused if try_out else {}))
    )
    sandbox._facts.cache_clear()
    with pytest.raises(SandboxError, match=r"cannot be started here with the sandbox .*Operation not permitted"):
        Lab().open()
    sandbox._facts.cache_clear()


@pytest.mark.sandbox("rootless")
def test_an_ordinary_user_gets_no_root_lab() -> None:
    with pytest.raises(SandboxError, match="not root"):
        Lab(sandbox="root").open()


@pytest.mark.live
def test_a_tool_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "gather", lambda _: rights.Facts(uid=os.geteuid(), missing=("tini",)))
    sandbox._facts.cache_clear()
    with pytest.raises(SandboxError, match="There is no tini") as caught:
        Lab().open()
    assert "apt-get install tini" in caught.value.hint


PIPES: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


# Its life


@pytest.mark.live
def test_a_lab_opens_closes_and_opens_again() -> None:
    lab = Lab()
    assert not lab.alive
    assert "closed" in repr(lab)
    with lab:
        assert lab.alive
        assert "open" in repr(lab)
        assert lab.sandbox == HERE
        assert lab.engines["host1"].startswith(engines.find_engine().version)
        assert 0 < lab.opened_in < 30
        with pytest.raises(LabError, match="open already"):
            lab.open()
        lab.host.run("docker run -d --name web busybox sleep 100; echo x >/root/note")
    assert not lab.alive
    lab.close()  # does nothing
    with pytest.raises(LabError, match="not open") as caught:
        lab.host.run("true")
    assert "%lab open" in caught.value.hint
    with lab:
        assert lab.host.run("docker ps -aq; ls /root").stdout == ""


@pytest.mark.live
def test_python_in_a_machine_has_pyroute2_and_sees_the_links_of_that_machine(lab: Lab) -> None:
    program = "from pyroute2 import IPRoute\nprint(*(link.get('ifname') for link in IPRoute().get_links()))"
    assert lab.host.run(as_python(program)).stdout == "lo eth0 docker0\n"
    assert lab.client.run(as_python(program)).stdout == "lo eth0\n"
    found = lab.host.run(as_python("import pyroute2\nprint(pyroute2.__path__[0])")).stdout.strip()
    assert "Read-only" in lab.host.run(f"touch {found}/new", check=False).stderr


@pytest.mark.live
def test_restart_leaves_nothing_of_before(fresh_lab: Lab) -> None:
    fresh_lab.host.run("docker run -d --name web busybox sleep 100; docker network create mine")
    client, before = fresh_lab.host.docker, fresh_lab.id
    assert client.ping()
    fresh_lab.restart()
    assert fresh_lab.id != before
    assert fresh_lab.host.run("docker ps -aq").stdout == ""
    assert [network.name for network in fresh_lab.host.docker.networks.list()].count("mine") == 0


@pytest.mark.live
def test_a_lab_that_died_can_be_opened_again(fresh_lab: Lab) -> None:
    before = fresh_lab.id
    os.kill(next(pid for pid, words in descendants().items() if before in words), signal.SIGKILL)
    wait_for("it has ended", lambda: not fresh_lab.alive)
    fresh_lab.open()
    assert fresh_lab.id != before
    assert fresh_lab.host.run("docker ps -aq").stdout == ""


@pytest.mark.live
def test_twenty_labs_in_a_row_leave_nothing_and_take_no_more(watch: Watch) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    sizes, threads = [], set(threading.enumerate())
    with watch.nothing_left(whole=True):
        for number in range(20):
            with Lab() as lab:
                assert lab.host.docker.ping()
                if number % 4 == 0:
                    assert lab.host.run("docker run --rm busybox echo hi").stdout == "hi\n"
            sizes.append(resident())
    assert set(threading.enumerate()) <= threads
    assert sizes[-1] - sizes[4] < 5_000_000, "it grows"


@pytest.mark.live
def test_an_interrupt_while_it_opens_leaves_nothing() -> None:
    lab = Lab()
    timer = threading.Timer(0.25, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        lab.open()
        signal.pause()  # it was open before the interrupt came
    except KeyboardInterrupt:
        pass
    timer.join()
    lab.close()
    with lab:
        assert lab.host.run("docker ps").ok


@pytest.mark.live
def test_a_lab_without_an_engine_is_a_network_of_machines() -> None:
    with Lab(hosts=2, engine=None, client=False) as lab:
        assert list(lab.hosts) == ["host1", "host2"]
        assert lab.client is None
        assert lab.engines == {}
        assert lab.host.run("ping -c 1 host2").ok
        assert not lab.host.run("docker ps", check=False).ok
        with pytest.raises(UnknownMachine, match="has no engine"):
            lab.log("host1")
        with pytest.raises(EngineError, match="host1 has no Docker Engine") as caught:
            lab.host.docker.ping()
        assert "Lab()" in caught.value.hint
        state = lab.snapshot()
        assert [(machine.kind, machine.engine, machine.settings) for machine in state.machines] == [
            ("host", "", ())
        ] * 2
        assert state.unavailable == ()
        assert all(space.unavailable == () for space in state.namespaces)
        assert (state.networks, state.containers) == ((), ())
        assert {space.name for space in state.namespaces} == {"lan", "host1", "host2"}


# Its machines


@pytest.fixture(scope="module")
def two(watch: Watch) -> Any:
    """Two hosts and a client."""
    with watch.nothing_left(), Lab(hosts=2) as lab:
        yield lab


@pytest.mark.live
def test_machines_have_fixed_addresses_and_know_each_other_by_name(two: Lab) -> None:
    addresses = {"host1": "198.51.100.11", "host2": "198.51.100.12", "client": "198.51.100.100"}
    assert {name: two.machine(name).address for name in ("host1", "host2", "client")} == addresses
    for name, own in addresses.items():
        machine = two.machine(name)
        assert machine.run("hostname").stdout.strip() == name
        assert f" {own}/24 " in machine.run("ip -4 addr show eth0").stdout
        for other, address in addresses.items():
            assert f"({address})" in machine.run(f"ping -c 1 -W 2 {other}").stdout


@pytest.mark.live
def test_there_is_no_way_out(two: Lab) -> None:
    assert two.host.run("ip route show default").stdout == ""
    failed = two.host.run("ping -c 1 -W 1 192.0.2.1", check=False)
    assert not failed.ok
    assert "unreachable" in failed.stderr
    assert set(two.host.run("ls /sys/class/net").stdout.split()) == {"lo", "eth0", "docker0"}


@pytest.mark.live
def test_what_a_machine_writes_is_its_own(two: Lab) -> None:
    places = ("/root", "/tmp", "/run", "/etc", "/var/lib")  # noqa: S108 - in the lab
    for place in places:
        two.host.run(f"echo mine > {place}/dnetkit-note")
        assert not os.path.exists(f"{place}/dnetkit-note")
    assert (
        not two.hosts["host2"].run(" ".join(["ls", *(f"{place}/dnetkit-note" for place in places)]), check=False).stdout
    )
    assert not two.host.run("touch /usr/bin/dnetkit-note", check=False).ok, "the rest is read-only"


@pytest.mark.live
def test_a_published_port_is_reached_from_the_client(two: Lab) -> None:
    two.host.run(
        """
        mkdir -p /tmp/www; echo hello > /tmp/www/index.html
        docker run -d --name web -p 8080:80 -v /tmp/www:/www busybox httpd -f -h /www
        """
    )
    assert two.client is not None
    read = "exec 3<>/dev/tcp/host1/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    assert wait_for("httpd", lambda: "hello" in two.client.run(read, check=False).stdout)  # type: ignore[union-attr]
    two.host.run("docker rm -f web")


@pytest.mark.live
def test_names_find_machines_and_containers(two: Lab) -> None:
    two.host.run("docker run -d --name web busybox sleep 100; docker run -d --name db busybox sleep 100")
    two.hosts["host2"].run("docker run -d --name web busybox sleep 100")
    assert two.names() == ["host1", "host2", "client", "db", "web", "web"]
    assert two.machine("db").run("hostname -i").stdout == "172.17.0.3\n"
    assert two.machine("host2/web").run("hostname").ok
    with pytest.raises(UnknownMachine, match="more than one container 'web'") as caught:
        two.machine("web")
    assert "host1/web, host2/web" in caught.value.hint
    with pytest.raises(UnknownMachine, match="no machine or container 'hots1'") as caught:
        two.machine("hots1")
    assert "Did you mean 'host1'?" in caught.value.hint
    assert "host2, client" in caught.value.hint
    spaces = two.machine("host2/web").snapshot().namespaces
    assert [space.name for space in spaces] == ["host2/web"]
    assert {space.machine for space in two.host.snapshot().namespaces} == {"host1"}
    for host in two.hosts.values():
        host.run("docker rm -f $(docker ps -aq)")


@pytest.mark.live
def test_logs_can_be_read(two: Lab) -> None:
    assert "API listen on /run/docker.sock" in two.log("host1", lines=500)
    assert len(two.log("host2", lines=3).splitlines()) == 3
    assert isinstance(two.log(), str)
    with pytest.raises(UnknownMachine, match="client has no engine"):
        two.log("client")
    with pytest.raises(UnknownMachine, match="no machine 'hots'"):
        two.log("hots")


# Beside others


@pytest.mark.live
def test_labs_at_the_same_time_never_see_each_other(two: Lab, fresh_lab: Lab) -> None:
    """The same names, addresses and ports in both, and each is alone with its own."""
    for lab, content in ((two, "first"), (fresh_lab, "second")):
        lab.host.run(
            f"""
            docker run -d --name web -p 80:80 -e WHO={content} busybox sleep 1000
            ip link add {content} type bridge
            echo {content} > /tmp/who
            """
        )
    for lab, content, other in ((two, "first", "second"), (fresh_lab, "second", "first")):
        assert lab.host.run("docker ps --format '{{.Names}}'").stdout == "web\n"
        assert lab.host.container("web").run("echo $WHO").stdout == f"{content}\n"
        assert lab.host.run("cat /tmp/who").stdout == f"{content}\n"
        assert f" {other}:" not in lab.host.run("ip link").stdout
        assert lab.host.run("pgrep -c dockerd").stdout == "1\n"
        assert lab.host.snapshot().namespaces[0].link(other) is None
    fresh_lab.host.run("ip link set eth0 down")
    assert two.host.run("ping -c 1 client").ok
    two.host.run("docker rm -f web; ip link del first")


@pytest.mark.live
def test_fifty_labs_side_by_side() -> None:
    labs = [Lab(client=False) for _ in range(50)]
    with ThreadPoolExecutor(10) as pool, contextlib.ExitStack() as stack:
        stack.callback(lambda: list(pool.map(Lab.close, labs)))
        list(pool.map(Lab.open, labs))
        list(pool.map(lambda lab: lab.host.run(f"docker network create net-{lab.id}"), labs))
        for lab in labs:
            names = {network.name for network in lab.snapshot().networks}
            assert names == {"bridge", "host", "none", f"net-{lab.id}"}
        assert labs[-1].host.run("docker run --rm busybox echo well").stdout == "well\n"


@pytest.mark.live
def test_the_machine_is_as_it_was_after_a_lab_with_everything_in_it(watch: Watch) -> None:
    with watch.nothing_left(whole=True), Lab(hosts=2) as lab:
        lab.host.run(
            """
            docker network create --subnet 10.99.0.0/24 mine
            docker run -d --name web --network mine -p 8080:80 -p 53:53/udp busybox sleep 1000
            docker run -d --name bare --network host busybox sleep 1000
            docker network create -d macvlan --subnet 198.51.100.0/24 -o parent=eth0 wire
            docker run -d --name direct --network wire --ip 198.51.100.77 busybox sleep 1000
            docker volume create data
            ip netns add blue
            ip link add v0 type veth peer name v1 netns blue
            iptables -t nat -A POSTROUTING -j MASQUERADE
            iptables -P FORWARD DROP
            sysctl -qw net.ipv4.conf.all.route_localnet=1
            hostname other
            mount -t tmpfs tmpfs /mnt
            """
        )
        assert lab.hosts["host2"].run("ping -c 1 198.51.100.77").ok


@pytest.mark.live
@pytest.mark.sandbox("root")
def test_the_labs_of_two_users_side_by_side(fresh_lab: Lab) -> None:
    """Root's, and that of the ordinary user dnetkit-test (scripts/test makes it)."""
    home = said_by("getent", "passwd", "dnetkit-test").split(":")[5]
    copy = Path(said_by(*as_user("mktemp", "-d", f"{home}/side-XXXXXX")))
    script = """
import sys
from dnetkit.door import open_labs
from dnetkit.lab import Lab
with Lab() as lab:
    lab.host.run("docker run -d --name web -p 8080:80 busybox sleep 1000")
    print(lab.sandbox, lab.id, *open_labs(), flush=True)
    sys.stdin.read()
    print(lab.host.run("docker ps -q | wc -l").stdout, *open_labs())
"""
    try:
        shutil.copytree(Path(sandbox.__file__).parent, copy / "dnetkit", ignore=shutil.ignore_patterns("__pycache__"))
        environment = [f"HOME={home}", f"PYTHONPATH={copy}", "PYTHONDONTWRITEBYTECODE=1", f"PATH={os.defpath}"]
        python = getattr(sys, "_base_executable", sys.executable)
        command = as_user("env", "-i", *environment, python, "-c", script)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/") as theirs:
            assert theirs.stdout is not None
            kind, identity, *seen = theirs.stdout.readline().split()
            assert kind == "rootless"
            assert identity in seen
            assert fresh_lab.id not in seen
            assert identity not in door.open_labs()
            fresh_lab.host.run("docker run -d --name web -p 8080:80 busybox sleep 1000")
            assert fresh_lab.host.run("docker ps -q | wc -l").stdout == "1\n"
            fresh_lab.close()
            assert sandbox.sweep() == []
            out, _ = theirs.communicate("\n", 20)
            assert out.split()[0] == "1"
            assert identity in out.split()
            assert theirs.returncode == 0
    finally:
        shutil.rmtree(copy)


def said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def as_user(*command: str) -> list[str]:
    return ["runuser", "-u", "dnetkit-test", "--", *command]


# Places and sizes


@pytest.mark.live
def test_folders_with_spaces_and_chinese_characters(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project, the cache, the records, and the current folder."""
    project, records = tmp_path / "工作 dir; $HOME", tmp_path / "state 状态"
    shutil.copytree(Path(sandbox.__file__).parent, project / "dnetkit", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("XDG_STATE_HOME", str(records))
    monkeypatch.setenv("PYTHONPATH", str(project))
    script = """
from dnetkit.lab import Lab
with Lab() as lab:
    print(__import__("dnetkit").__file__)
    print(lab.host.run("docker run --rm busybox echo 好").stdout)
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=project, check=True)
    assert done.stdout.split("\n")[:2] == [str(project / "dnetkit/__init__.py"), "好"]
    assert list((own_cache / "dnetkit/stores").rglob("busybox-*"))
    assert (records / "dnetkit/labs").is_dir()
    assert not list((records / "dnetkit/labs").iterdir())


@pytest.mark.live
def test_records_that_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(SandboxError, match="records of your labs cannot be kept") as caught:
        Lab().open()
    assert "XDG_STATE_HOME" in caught.value.hint


@pytest.mark.live
def test_a_full_disk_fails_the_command_and_not_the_lab() -> None:
    with Lab(disk="32m", client=False) as lab:
        assert lab.host.run("df --output=size -k /var/lib | tail -1").stdout.strip() == "32768"
        lab.host.run("docker run -d --name web busybox sleep 1000")
        failed = lab.host.run("docker exec web dd if=/dev/zero of=/big bs=1M count=64", check=False)
        assert not failed.ok
        assert "No space left on device" in failed.stderr
        assert not lab.host.run("docker run --name second busybox true", check=False).ok
        lab.host.run("docker exec web rm /big")
        assert lab.host.run("docker run --rm busybox echo well").stdout == "well\n"


@pytest.mark.live
@pytest.mark.sandbox("root")  # without root there is no cgroup to set a limit in
def test_a_container_that_wants_more_memory_than_it_may_have_hurts_nobody_else(lab: Lab) -> None:
    lab.host.run("docker run -d --name neighbour busybox sleep 1000")
    eaten = lab.host.run("docker run --name eater --memory 24m --memory-swap 24m busybox tail /dev/zero", check=False)
    assert eaten.status == 137
    assert lab.host.run("docker inspect --format '{{.State.OOMKilled}}' eater").stdout == "true\n"
    assert {c.name: c.state for c in lab.snapshot().containers} == {"neighbour": "running", "eater": "exited"}
    lab.host.run("docker rm -f eater neighbour")


@pytest.mark.live
def test_a_disk_too_small_for_the_images_is_told_before_anything_runs() -> None:
    lab = Lab(disk="16k")
    with pytest.raises(SandboxError, match="No space left on device") as caught:
        lab.open()
    assert "disk" in caught.value.hint
    assert not lab.alive


@pytest.mark.live
def test_what_is_ignored_where_a_lab_is_opened_is_not_in_it():
    """With nohup, say: a terminal that is closed must still end what runs in it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Lab(engine=None, client=False) as opened:
            ignored = opened.host.run("sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status").stdout
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not int(ignored, 16) & 1 << signal.SIGHUP - 1


@pytest.mark.live
def test_what_was_seen_a_moment_ago_is_taken_until_something_is_asked_of_the_lab(lab: Lab, monkeypatch) -> None:
    monkeypatch.setattr("dnetkit.lab._RECENT", 60.0)
    seen = lab.snapshot()
    assert lab.recent() is seen
    lab.log("host1")
    assert lab.recent() is seen
    for touch in (
        lambda: lab.host.run("true"),
        lambda: lab.host.run("false", check=False),
        lab.host.docker.ping,
        lab.host.docker.ping,  # on the connection that is there
    ):
        touch()
        again = lab.recent()
        assert again is not seen
        seen = again
    assert lab.recent() is seen
    monkeypatch.setattr("dnetkit.lab._RECENT", 0.0)
    assert lab.recent() is not seen
