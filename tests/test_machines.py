"""The inside of a lab's machines: places of their own to write, and underneath a machine that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dnetkit.agent import kernel, mounts
from dnetkit.agent.netlink import Netlink, attribute, nested
from dnetkit.lab import Lab


@pytest.mark.live
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *(("/run", "tmpfs"), ("/tmp", "tmpfs"), ("/root", "tmpfs"), ("/var/lib", "tmpfs"), ("/etc/docker", "tmpfs")),  # noqa: S108 - in the lab
        *(("/proc", "proc"), ("/sys", "sysfs"), ("/etc", "overlay"), ("/dev/shm", "tmpfs")),  # noqa: S108
    ],
)
def test_a_machine_has_places_of_its_own(lab: Lab, path: str, kind: str) -> None:
    found = lab.host.run(f"findmnt -n -o FSTYPE --target {path} | tail -1").stdout.strip()
    assert found == kind


@pytest.mark.live
def test_one_folder_is_seen_by_all_machines_and_ends_with_the_lab(lab: Lab) -> None:
    assert lab.client is not None
    lab.host.run("echo a token > /run/shared/token")
    assert lab.client.run("cat /run/shared/token").stdout == "a token\n"
    lab.client.run("rm /run/shared/token")
    assert lab.host.run("ls /run/shared").stdout == ""
    assert not os.path.exists("/run/shared")


@pytest.mark.live
@pytest.mark.parametrize("path", ["/usr", "/bin", "/home", "/var/log", "/"])
def test_the_rest_is_the_machines_and_cannot_be_written(lab: Lab, path: str) -> None:
    failed = lab.host.run(f"touch {path}/dnetkit-was-here", check=False)
    assert not failed.ok
    assert "Read-only file system" in failed.stderr or "Permission denied" in failed.stderr
    assert not os.path.exists(f"{path}/dnetkit-was-here")


@pytest.mark.live
@pytest.mark.parametrize(
    "setting", ["kernel/hostname", "kernel/core_pattern", "vm/swappiness", "fs/file-max", "kernel/threads-max"]
)
def test_settings_of_the_whole_kernel_cannot_be_written(lab: Lab, setting: str) -> None:
    before = Path("/proc/sys", setting).read_text()
    assert not lab.host.run(f"echo 1 > /proc/sys/{setting}", check=False).ok
    assert Path("/proc/sys", setting).read_text() == before


@pytest.mark.live
def test_settings_of_its_own_network_can_be_written(lab: Lab) -> None:
    assert lab.client is not None
    mine = Path("/proc/sys/net/ipv4/ip_default_ttl").read_text()
    lab.host.run("sysctl -w net.ipv4.ip_default_ttl=33")
    assert lab.host.run("sysctl -n net.ipv4.ip_default_ttl").stdout == "33\n"
    assert lab.client.run("sysctl -n net.ipv4.ip_default_ttl").stdout == "64\n"
    assert Path("/proc/sys/net/ipv4/ip_default_ttl").read_text() == mine


@pytest.mark.live
def test_a_machine_sees_its_own_processes_only(lab: Lab) -> None:
    lines = lab.host.run("ps -e -o pid=,comm=").stdout.split("\n")
    names = {line.split()[1] for line in lines if line.strip()}
    assert {"tini", "dockerd", "containerd"} <= names
    assert not {"python", "python3", Path(sys.executable).name} & names
    assert lab.host.run("cat /proc/1/comm").stdout == "tini\n"


@pytest.mark.live
def test_processes_that_lost_their_parent_are_reaped(lab: Lab) -> None:
    lab.host.run("for i in 1 2 3 4 5; do (sleep 0.05 & ) ; done; sleep 0.3")
    assert lab.host.run("ps -e -o stat= | grep -c Z", check=False).stdout == "0\n"


@pytest.mark.live
def test_names_resolve_and_an_unknown_one_fails_at_once(lab: Lab) -> None:
    assert lab.host.run("getent hosts client").stdout.split() == ["198.51.100.100", "client"]
    assert lab.host.run("getent hosts host1").stdout.split() == ["198.51.100.11", "host1"]
    result = lab.host.run("time -p getent ahosts nothing.example", check=False)
    assert not result.ok
    assert result.duration < 2


@pytest.mark.live
def test_what_this_machine_has_in_etc_is_there_and_a_change_stays_inside(lab: Lab) -> None:
    here = Path("/etc/passwd").read_text()
    assert lab.host.run("cat /etc/passwd").stdout == here
    lab.host.run("echo '198.51.100.200 extra' >> /etc/hosts; echo x > /etc/dnetkit-was-here")
    assert "extra" not in Path("/etc/hosts").read_text()
    assert not Path("/etc/dnetkit-was-here").exists()


@pytest.mark.live
@pytest.mark.sandbox("root")
def test_containers_count_on_the_labs_own_control_group(lab: Lab) -> None:
    lab.host.run("docker run -d --name limited --memory 64m busybox sleep 100")
    inside = lab.host.run("cat /proc/$(docker inspect -f '{{.State.Pid}}' limited)/cgroup").stdout
    assert f"/dnetkit-{lab.id}/host1/" in inside
    lab.host.run("docker rm -f limited")


@pytest.mark.live
@pytest.mark.sandbox("rootless")
def test_root_in_a_rootless_lab_is_nobody_special_outside(lab: Lab) -> None:
    assert lab.host.run("id -u").stdout == "0\n"
    assert lab.host.run("cat /proc/self/uid_map").stdout.split()[:3] == ["0", str(os.getuid()), "1"]
    assert not lab.host.run("cat /etc/shadow", check=False).ok


def test_the_hosts_file_has_every_machine(tmp_path: Path) -> None:
    mounts.write_hosts({"host1": "198.51.100.11", "client": "198.51.100.100"}, str(tmp_path))
    lines = (tmp_path / "hosts").read_text().splitlines()
    assert lines == [
        "127.0.0.1 localhost",
        "::1 localhost ip6-localhost",
        "198.51.100.11 host1",
        "198.51.100.100 client",
    ]


def test_a_copied_tree_leaves_out_what_is_no_file(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    (source / "inner").mkdir(parents=True)
    (source / "inner/file").write_text("x")
    (source / "link").symlink_to("inner/file")
    (source / "dangling").symlink_to("nowhere")
    (source / "directory").symlink_to("inner")
    os.mkfifo(source / "pipe")
    mounts._copy_tree(str(source), str(target))
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*")) == [
        *("dangling", "directory", "inner", "inner/file", "link"),
    ]
    assert (target / "link").is_symlink()
    assert (target / "link").read_text() == "x"


@pytest.mark.live
@pytest.mark.sandbox("root")
def test_a_rootless_lab_starts_where_a_file_is_mounted_in_etc(tmp_path: Path) -> None:
    """As in any container, whose hosts and resolv.conf are mounts."""
    table = tmp_path / "subuid"
    table.write_text("root:300000:65536\n")
    script = 'mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && exec "$2" -c "$3"'
    lab = (
        "from dnetkit.lab import Lab\n"
        "with Lab(sandbox='rootless', images=[]) as lab:\n"
        "    print(lab.host.run('hostname; docker version -f {{.Server.Os}}; cat /etc/passwd | head -1').stdout)"
    )
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(table), sys.executable, lab]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(mounts.__file__).parents[2])
    assert done.stdout.split("\n")[:3] == ["host1", "linux", Path("/etc/passwd").read_text().split("\n")[0]]


# The system calls, and netlink's messages


def test_a_system_call_that_fails_says_which_and_why() -> None:
    with pytest.raises(OSError, match=r"(not permitted|No such file or directory).*mount /nowhere"):
        kernel.mount("none", "/nowhere", "tmpfs")
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel.setns(9999, kernel.CLONE_NEWNET)


def test_attributes_are_packed_as_the_kernel_packs_them() -> None:
    packed = attribute(3, "eth0") + attribute(4, 1500) + attribute(1, b"\1\2\3")
    assert len(packed) % 4 == 0
    assert nested(packed) == {3: b"eth0\0", 4: (1500).to_bytes(4, sys.byteorder), 1: b"\1\2\3"}
    assert nested(attribute(18, packed)) == {18: packed}
    assert nested(b"") == {}
    assert nested(b"\0\0\0\0") == {}
    assert nested(b"\1\0") == {}


def test_netlink_says_what_the_kernel_says() -> None:
    with Netlink() as netlink:
        links = netlink.dump(18, bytes(16))
        assert len(links) == len(os.listdir("/sys/class/net"))
        with pytest.raises(OSError, match="No such device"):
            netlink.ask(18, bytes(16), attribute(3, "no-such-link"))
