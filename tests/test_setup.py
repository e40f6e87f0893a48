"""`make setup` looks first, says what it will do, does all or nothing of it, starts no service, and does it once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

UTILITIES = ("sh", "cat", "cksum", "dirname", "env", "grep", "ls", "mkdir", "mktemp", "printf", "rm", "sed", "true")
PROGRAMS = (
    *("ip", "iptables", "ping", "sysctl", "mount", "tini", "newuidmap", "dot", "busybox", "curl"),
    *("conntrack", "nft", "git", "chromium", "openssl", "ssh", "docker-compose", "tcpdump"),
)
SERVICES = ("systemctl", "service", "invoke-rc.d", "update-rc.d", "dockerd", "docker", "containerd", "snap")

APT_CACHE = """
for name in "$@"; do :; done
version=$(sed -n "s/^$name=//p" "$LISTS")
[ -n "$version" ] || exit 100
echo "Package: $name"
echo "Version: $version"
"""
LISTS = (
    "docker.io=26.1.5\nchromium=146.0\nconntrack=1:1.4\nnftables=1.0\ndocker-compose=1.29\n"
    "tcpdump=4.99\ngit=1:2.47\nfontconfig=2.15\nfonts-wqy-microhei=0.2\n"
)


class Machine:
    """A machine of which only PATH is made up: what is on it, who one is, and a record of what was called."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.project = folder / "the project"
        self.calls = folder / "calls"
        self.lists = folder / "lists"
        self.home = folder / "home"
        self.lists.write_text(LISTS)
        for made in (self.bin, self.home):
            made.mkdir()
        (self.project / "scripts").mkdir(parents=True)
        shutil.copy(PROJECT / "scripts" / "setup", self.project / "scripts")
        for name in ("pyproject.toml", "requirements.lock"):
            shutil.copy(PROJECT / name, self.project)
        for name in UTILITIES:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        for name in PROGRAMS:
            self.program(name)
        self.program("fc-list", "echo 'WenQuanYi Micro Hei'")
        for name in SERVICES:
            self.program(name, 'echo "$0 $*" >>"$CALLS"')
        (self.bin / "dockerd").unlink()  # an engine is in the cache
        self.engine = self.home / ".cache/dnetkit/engines/1/engine.json"
        self.engine.parent.mkdir(parents=True)
        self.engine.touch()
        self.user(0)

    def program(self, name: str, text: str = "exit 0") -> None:
        """Put a program on PATH."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def lose(self, *names: str) -> None:
        """Take programs off PATH."""
        for name in names:
            (self.bin / name).unlink()

    def user(self, number: int) -> None:
        """Be root (0) or someone else."""
        self.program("id", f"echo {number}")

    def apt(self, install: str = "", plan: str = "", update: str = "") -> None:
        """Put apt on PATH. What is given is done after the call is written down."""
        text = f"""
            echo "apt-get $*" >>"$CALLS"
            case " $* " in
            *' update '*) {update or "exit 0"} ;;
            *' -s '*) {plan or "exit 0"} ;;
            *' install '*) {install or "exit 0"} ;;
            esac"""
        self.program("apt-get", text)
        self.program("apt-cache", APT_CACHE)

    def sudo(self, without_a_question: bool) -> None:
        """Put sudo on PATH."""
        self.program("sudo", 'shift; echo "sudo $*" >>"$CALLS"; exec "$@"' if without_a_question else "exit 1")

    def venv_is_made(self) -> None:
        """What an earlier run leaves."""
        venv = self.project / ".venv"
        (venv / "bin").mkdir(parents=True)
        (venv / "bin" / "python").symlink_to(sys.executable)
        both = (self.project / "pyproject.toml").read_bytes() + (self.project / "requirements.lock").read_bytes()
        summed = subprocess.run(["cksum"], input=both, capture_output=True, check=True).stdout.decode()
        (venv / ".dnetkit-setup").write_text(f"{self.project} {summed}")

    def set_up(self) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        environment = {"PATH": str(self.bin), "HOME": str(self.home), "CALLS": str(self.calls)}
        environment["LISTS"] = str(self.lists)
        return subprocess.run(
            [self.project / "scripts" / "setup"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd="/",
        )

    def called(self) -> list[str]:
        """What was called of apt, sudo and everything that has to do with services."""
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    @property
    def untouched(self) -> bool:
        """Whether nothing was begun."""
        return not self.called() and not (self.project / ".venv").exists()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_second_run_does_and_says_nothing(machine: Machine) -> None:
    machine.apt()
    machine.venv_is_made()
    done = machine.set_up()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.called() == []


def test_what_only_the_tests_need_is_not_asked_for_again_each_time(machine: Machine) -> None:
    machine.apt()
    machine.lose("chromium", "conntrack")
    machine.venv_is_made()
    assert machine.set_up().stdout == ""
    assert machine.called() == []


def listed(text: str) -> set[str]:
    """The packages in a list for a person, '  name - reason' a line."""
    return {line.split(" - ")[0].strip() for line in text.splitlines() if line.startswith("  ")}


def test_without_apt_all_that_is_to_be_installed_is_listed_and_nothing_is_begun(machine: Machine) -> None:
    machine.lose("tini", "dot", "curl", "chromium")
    done = machine.set_up()
    assert done.returncode == 1
    assert "Some programs are missing, and there is no apt-get here.\nNothing was changed." in done.stderr
    assert listed(done.stderr) == {"tini", "graphviz", "curl", "chromium"}
    assert machine.untouched


def no_engine(machine: Machine) -> None:
    machine.engine.unlink()
    if any(Path(folder, "dockerd").exists() for folder in ("/usr/local/sbin", "/usr/sbin", "/sbin")):
        pytest.skip("this machine has an engine where setup always looks")


def test_without_apt_and_without_an_engine_an_engine_is_listed(machine: Machine) -> None:
    no_engine(machine)
    done = machine.set_up()
    assert done.returncode == 1
    assert "There is no Docker Engine, and there is no apt-get here to get one with." in done.stderr
    assert "a Docker Engine - dockerd, containerd, runc and docker on PATH (it need not run)" in done.stderr
    assert machine.untouched


@pytest.mark.parametrize("sudo", [None, False])
def test_who_may_not_become_root_gets_the_list(machine: Machine, sudo: bool | None) -> None:
    machine.apt()
    machine.user(1000)
    machine.lose("tini", "busybox")
    if sudo is not None:
        machine.sudo(sudo)
    done = machine.set_up()
    assert done.returncode == 1
    assert "to install them takes root" in done.stderr
    assert listed(done.stderr) == {"tini", "busybox-static"}
    assert machine.untouched


def test_who_may_not_become_root_and_lacks_only_what_tests_need_goes_on(machine: Machine) -> None:
    machine.apt()
    machine.user(1000)
    machine.lose("chromium")
    stop_before_the_venv(machine)
    done = machine.set_up()
    assert "Labs will work. The tests also want:\n  chromium - " in done.stdout
    assert in_the_way(done), "it went on to make .venv"
    assert machine.called() == []


def test_apt_without_lists_is_an_obstacle_without_root(machine: Machine) -> None:
    no_engine(machine)
    machine.apt()
    machine.user(1000)
    machine.lists.write_text("")
    done = machine.set_up()
    assert done.returncode == 1
    assert "apt-get update" in done.stderr
    assert machine.untouched


def stop_before_the_venv(machine: Machine) -> None:
    """Put something in the way of .venv, so that a test ends where its making would begin."""
    (machine.project / ".venv").mkdir()


def in_the_way(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == 1 and "is in the way, and not a virtual environment: move it." in done.stderr


def test_root_installs_what_is_missing_and_nothing_else(machine: Machine) -> None:
    machine.apt(install=f"for p in tini dot chromium; do cp {machine.bin}/git {machine.bin}/$p; done")
    machine.program("cp", 'exec /bin/cp "$@"')
    machine.lose("tini", "dot", "chromium")
    stop_before_the_venv(machine)
    done = machine.set_up()
    assert in_the_way(done), done.stderr
    update, plan, install = machine.called()
    assert update == "apt-get -qq update"
    assert plan == "apt-get -qq -s --no-install-recommends install tini graphviz chromium"
    assert install == (
        "apt-get -qq -y -o DPkg::Lock::Timeout=300 --no-install-recommends install tini graphviz chromium"
    )
    said = done.stdout
    assert "These packages will be installed with apt:\n  tini - " in said
    assert "No service is among them, and nothing is started." in said
    assert not any("docker" in call for call in machine.called())


def test_an_ordinary_user_installs_by_sudo_that_asks_nothing(machine: Machine) -> None:
    machine.apt(install=f"/bin/cp {machine.bin}/git {machine.bin}/tini")
    machine.user(1000)
    machine.sudo(True)
    machine.lose("tini")
    stop_before_the_venv(machine)
    assert in_the_way(machine.set_up())
    as_root = [call for call in machine.called() if call.startswith("sudo ")]
    assert [call.split("apt-get")[1].split()[-1] for call in as_root if "apt-get" in call] == ["update", "tini"]
    assert "sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update" in as_root


def test_when_apt_would_refuse_nothing_is_installed(machine: Machine) -> None:
    machine.apt(plan="echo 'E: Unable to locate package tini' >&2; exit 100")
    machine.lose("tini")
    done = machine.set_up()
    assert done.returncode == 1
    assert "apt cannot install them: E: Unable to locate package tini" in done.stderr
    assert "Nothing was changed." in done.stderr
    assert not any(" -y " in call for call in machine.called())
    assert not (machine.project / ".venv").exists()


def test_when_apt_fails_on_its_way_no_venv_is_made(machine: Machine) -> None:
    machine.apt(install="exit 100")
    machine.lose("tini")
    done = machine.set_up()
    assert done.returncode == 1
    assert "apt refused.\nSome of it may be installed by now." in done.stderr
    assert listed(done.stderr) == {"tini"}
    assert not (machine.project / ".venv").exists()


def test_a_package_that_did_not_bring_its_program_is_noticed(machine: Machine) -> None:
    machine.apt()
    machine.lose("tini")
    done = machine.set_up()
    assert done.returncode == 1
    assert "Some programs are missing still." in done.stderr
    assert not (machine.project / ".venv").exists()


def test_lists_that_apt_cannot_update_are_used_as_they_are(machine: Machine) -> None:
    machine.apt(update="exit 100", install=f"/bin/cp {machine.bin}/git {machine.bin}/tini")
    machine.lose("tini")
    stop_before_the_venv(machine)
    done = machine.set_up()
    assert in_the_way(done)
    assert "apt could not update all of its lists" in done.stdout


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (LISTS.replace("chromium=146.0\n", ""), "(there is no package chromium here: the tests that need it"),
        (LISTS.replace("146.0", "2:1snap1-0ubuntu2"), "(the package chromium is only a snap here: the tests that"),
    ],
)
def test_on_ubuntu_whose_chromium_is_a_snap_the_rest_is_installed(machine: Machine, lists: str, said: str) -> None:
    machine.apt(install=f"/bin/cp {machine.bin}/git {machine.bin}/tini")
    machine.lists.write_text(lists)
    machine.lose("chromium", "tini")
    stop_before_the_venv(machine)
    done = machine.set_up()
    assert in_the_way(done), done.stderr
    assert said in done.stdout
    assert machine.called()[-1].endswith(" install tini")


def test_ubuntus_name_for_the_snap_is_no_browser(machine: Machine) -> None:
    machine.apt()
    machine.lose("chromium")
    machine.program("chromium-browser", "echo 'requires the chromium snap' >&2; exit 1")
    stop_before_the_venv(machine)
    machine.set_up()
    assert machine.called()[-1].endswith(" install chromium")


PYTHON = "/usr/bin/python3"


@pytest.mark.skipif(not Path(PYTHON).exists(), reason="looks at /usr/bin/python3 first")
def test_a_venv_that_cannot_be_filled_is_taken_away_again(machine: Machine) -> None:
    machine.apt()
    (machine.project / "requirements.lock").write_text("")  # no uv in it, and pip has nothing to install it from
    (machine.project / "pyproject.toml").write_text("not a project")
    done = machine.set_up()
    assert done.returncode != 0
    assert not (machine.project / ".venv").exists()


def test_a_folder_in_the_place_of_the_venv_is_left_alone(machine: Machine) -> None:
    machine.apt()
    stop_before_the_venv(machine)
    (machine.project / ".venv" / "mine").touch()
    assert in_the_way(machine.set_up())
    assert (machine.project / ".venv" / "mine").exists()


def test_a_clean_checkout_is_set_up_and_a_second_time_nothing_is_done(
    tmp_path: Path, pack: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real thing, on this machine: what its packages lack is not installed, since nothing may be missing here."""
    checkout = pack(tmp_path / "my checkout 网络")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    first = make("setup", checkout)
    if "Could not find a version" in first.stderr or "error sending request" in first.stderr:
        pytest.skip("no packages can be downloaded here")
    assert first.returncode == 0, first.stderr
    assert "Making .venv with Python 3." in first.stdout
    dnetkit = checkout / ".venv" / "bin" / "dnetkit"
    assert subprocess.run([dnetkit, "--version"], capture_output=True, check=False, cwd="/").returncode == 0
    second = make("setup", checkout)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


def make(target: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--silent", target],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
    )


@pytest.fixture
def pack() -> Callable[[Path], Path]:
    """Copies the files of this checkout, without what git ignores, to a folder."""

    def copy(folder: Path) -> Path:
        ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", "build", "dist", ".*_cache", ".hypothesis")
        shutil.copytree(PROJECT, folder, ignore=ignored, symlinks=True)
        return folder

    return copy


def test_make_alone_lists_what_there_is_to_make() -> None:
    listed = make("--", PROJECT).stdout
    assert listed == make("help", PROJECT).stdout
    for target in ("help", "setup", "lab", "run", "test", "check", "bench", "lock", "clean"):
        assert f"make {target} " in listed
