"""Fetching an engine, with an apt that only says and unpacks what a test has told it."""

import json
import re

import pytest

from dnetkit import fetching, programs
from dnetkit.engines import PARTS
from dnetkit.errors import EngineError
from dnetkit.fetching import fetch_engine
from dnetkit.programs import Ended

OWN = {"docker.io": "20.10.24+deb1", "containerd": "1.6.20", "runc": "1.1.5"}
NEWER = {"docker.io": "28.5.2+deb9", "docker-cli": "28.5.2", "containerd": "2.1.9", "runc": "1.3.6"}
HOLDS = {
    "docker.io": ("dockerd", "docker-proxy", "docker"),
    "docker-cli": ("docker",),
    "containerd": ("containerd", "containerd-shim-runc-v2"),
    "runc": ("runc",),
}


class FakeApt:
    """Answers like apt and dpkg-deb, and keeps what it was asked; a package is a file that holds its version."""

    def __init__(self):
        self.asked = []
        self.broken = ""
        self.release = ""

    def run(self, argv, *, cwd=None, **_):  # noqa: PLR0911 - one return a program
        words = [str(word) for word in argv]
        self.asked.append(words)
        other = any("sources.list" in word for word in words)
        known = NEWER if other else OWN
        if words[0] == "apt-cache":
            version = known.get(words[-1])
            return Ended(0, f"Package: {words[-1]}\nVersion: {version}\n") if version else Ended(100, "", "E: none")
        if "indextargets" in words:
            return Ended(
                0, "http://mirror.example/debian|bookworm-updates|main\nhttp://mirror.example/debian|bookworm|main\n"
            )
        if "update" in words:
            source = next(word for word in words if "sourcelist=" in word).partition("=")[2]
            with open(source, encoding="utf-8") as file:
                self.release = file.read()
            return Ended(0) if "trixie" in self.release else Ended(100, "", "E: no Release file")
        if "-s" in words:
            return Ended(
                0, "Inst docker.io (20.10.24 Debian)\nInst libfoo1 (1.0 Debian)\nInst libc6 [2.36] (2.37 Debian)\n"
            )
        if "download" in words:
            for name in words[words.index("download") + 1 :]:
                (cwd / f"{name}.deb").write_text(f"{name} {known.get(name, '1.0')}")
            return Ended(0)
        if "--show" in words:
            return Ended(0, argv[-1].read_text())
        if "--extract" in words:
            name, _, version = argv[-2].read_text().partition(" ")
            folder = argv[-1] / "usr" / "bin"
            folder.mkdir(parents=True, exist_ok=True)
            for part in HOLDS.get(name, ()):
                (folder / part).write_text(f"{part} {version}")
                (folder / part).chmod(0o755)
            return Ended(0)
        if "--version" in words:
            said = argv[0].read_text()
            return Ended(1, "", "libc.so.6: version not found") if said == self.broken else Ended(0, said)
        raise AssertionError(words)


@pytest.fixture
def apt(tmp_path, monkeypatch):
    fake = FakeApt()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(programs, "run", fake.run)
    monkeypatch.setattr(programs, "find", lambda name: f"/usr/bin/{name}")
    return fake


def test_it_is_unpacked_into_the_cache_with_the_libraries_that_are_new(apt, tmp_path):
    said = []
    engine = fetch_engine(said.append)
    assert engine.version == "20.10.24"
    assert engine.source == "cache"
    downloaded = next(words for words in apt.asked if "download" in words)
    assert "libfoo1" in downloaded
    assert "libc6" not in downloaded, "that would replace a library that the machine runs on"
    record = json.loads((tmp_path / "dnetkit/engines/20.10.24+deb1/engine.json").read_text())
    assert record["packages"] == {**OWN, "libfoo1": "1.0"}
    assert any("Downloading" in line for line in said)


def test_a_second_time_nothing_is_downloaded(apt):
    fetch_engine(lambda _: None)
    apt.asked.clear()
    assert fetch_engine(lambda _: None).version == "20.10.24"
    assert not any("download" in words for words in apt.asked)


def test_another_release_has_lists_of_its_own_and_the_mirror_of_this_one(apt, tmp_path):
    engine = fetch_engine(lambda _: None, release="trixie")
    assert engine.version == "28.5.2"
    assert re.fullmatch(r"deb (\[signed-by=\S+\] )?http://mirror\.example/debian trixie main universe\n", apt.release)
    changed = [words for words in apt.asked if "update" in words]
    assert all(any("Dir::State::lists=" in word for word in words) for words in changed)
    assert [path.name for path in (tmp_path / "dnetkit/engines").iterdir() if path.name != ".lock"] == ["28.5.2+deb9"]


def test_the_release_of_another_distribution_is_read_from_its_archive_with_its_keys(apt, tmp_path):
    keys = tmp_path / "keys.gpg"
    keys.touch()
    fetch_engine(lambda _: None, release="trixie", archive="http://other.example/linux", keyring=keys)
    assert apt.release == f"deb [signed-by={keys}] http://other.example/linux trixie main universe\n"
    assert not any("indextargets" in words for words in apt.asked)


def test_lists_that_nobody_here_trusts_are_refused_and_the_way_out_is_named(apt, monkeypatch):
    run = apt.run
    said = "E: The repository is not signed.\nW: GPG error: NO_PUBKEY 0123"
    monkeypatch.setattr(
        programs, "run", lambda argv, **more: Ended(100, said) if "update" in argv else run(argv, **more)
    )
    with pytest.raises(EngineError, match=r"no docker\.io in trixie") as caught:
        fetch_engine(lambda _: None, release="trixie", archive="http://other.example/linux")
    assert "--keyring" in caught.value.hint


def test_a_keyring_or_an_archive_that_cannot_be_one_is_told(apt, tmp_path):
    with pytest.raises(EngineError, match="no keyring"):
        fetch_engine(lambda _: None, release="trixie", keyring=tmp_path / "none.gpg")
    with pytest.raises(EngineError, match="not the address"):
        fetch_engine(lambda _: None, release="trixie", archive="other.example")
    assert not any("download" in words for words in apt.asked)


def test_a_part_that_does_not_run_here_is_taken_from_this_release(apt, tmp_path):
    apt.broken = "runc 1.3.6"
    assert fetch_engine(lambda _: None, release="trixie").version == "28.5.2"
    record = json.loads((tmp_path / "dnetkit/engines/28.5.2+deb9/engine.json").read_text())
    assert record["packages"]["runc"] == "1.1.5"


def test_an_engine_that_does_not_run_is_an_error_and_leaves_nothing(apt, tmp_path):
    apt.broken = "dockerd 28.5.2+deb9"
    with pytest.raises(EngineError, match="dockerd does not run"):
        fetch_engine(lambda _: None, release="trixie")
    assert [path.name for path in (tmp_path / "dnetkit/engines").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("release", "said"), [("nowhere", "no docker.io in nowhere"), ("../x", "not the name of a release")]
)
@pytest.mark.usefixtures("apt")
def test_a_release_that_there_is_not(release, said):
    with pytest.raises(EngineError, match=said):
        fetch_engine(lambda _: None, release=release)


def test_without_apt_the_parts_are_named(monkeypatch):
    monkeypatch.setattr(fetching.programs, "find", lambda _: None)
    with pytest.raises(EngineError, match="apt-get is not here") as caught:
        fetch_engine()
    assert all(part in caught.value.hint for part in PARTS)


@pytest.mark.usefixtures("apt")
def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(EngineError, match="cannot be written") as caught:
        fetch_engine(lambda _: None)
    assert "XDG_CACHE_HOME" in caught.value.hint
