"""Which packages apt would take, from which of the machine's sources, and what is said when it cannot."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from dnetkit import programs
from dnetkit.debian import Package, Packages, own_sources, parse_plan
from dnetkit.errors import ImageError
from dnetkit.work import Job

PLAN = """\
'http://deb.example/pool/r/redis_7.0%2b1_all.deb' redis-server_5%3a7.0+1-2_amd64.deb 73000 SHA256:00
'http://deb.example/pool/g/glibc.deb' libc6_2.36-9+deb12u1_amd64.deb 2700000 MD5Sum:00
"""


def job() -> Job:
    return Job("redis", queue.SimpleQueue())


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    configuration = tmp_path / "etc/apt"
    (configuration / "sources.list.d").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text('NAME="Debian"\nVERSION_CODENAME=bookworm\n')
    return configuration


def test_a_plan_is_read_by_name() -> None:
    assert parse_plan(PLAN) == [
        Package("libc6", "2.36-9+deb12u1", "libc6_2.36-9+deb12u1_amd64.deb", 2700000),
        Package("redis-server", "5:7.0+1-2", "redis-server_5%3a7.0+1-2_amd64.deb", 73000),
    ]


def test_only_the_distribution_s_sources_are_used(etc: Path) -> None:
    (etc / "sources.list").write_text(
        "# old style\ndeb http://a.example/debian bookworm main\ndeb http://c.example any x\n"
    )
    (etc / "sources.list.d/debian.sources").write_text(
        "Types: deb\nURIs: http://b.example\nSuites: bookworm-security\nComponents: main\nSigned-By: /k.gpg\n\n"
        "Types: deb\nURIs: http://d.example\nSuites: cloud-sdk-bookworm\nComponents: main\n"
    )
    (etc / "sources.list.d/notes.txt").write_text("deb http://e.example bookworm main\n")
    found = own_sources(etc)
    assert found["own.list"] == "deb http://a.example/debian bookworm main\n"
    assert "URIs: http://b.example" in found["own.sources"]
    assert "Signed-By: /k.gpg" in found["own.sources"]
    assert "d.example" not in found["own.sources"]


def test_options_in_a_line_and_suites_on_several_lines_are_understood(etc: Path) -> None:
    (etc / "sources.list.d/x.list").write_text(
        "deb [arch=amd64 signed-by=/k.gpg] http://a.example bookworm-updates main\n"
    )
    (etc / "sources.list.d/y.sources").write_text("Types: deb\nSuites: stable\n bookworm\nURIs: http://b.example\n")
    found = own_sources(etc)
    assert "a.example" in found["own.list"]
    assert "b.example" in found["own.sources"]


def test_where_no_source_is_the_distribution_s_own_all_are_used(etc: Path) -> None:
    (etc / "sources.list").write_text("deb http://mirror.example stable main\n")
    assert "mirror.example" in own_sources(etc)["own.list"]


def test_without_a_network_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if programs.find("apt-get") is None:
        pytest.skip("no apt-get here")
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(ImageError, match="not in your cache, and Debian's packages cannot be downloaded") as caught:
        Packages(tmp_path).find(job(), ["redis-server"])
    assert "dnetkit images build redis" in caught.value.hint


def test_without_apt_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    with pytest.raises(ImageError, match="apt-get, which it would be built with, is not here") as caught:
        Packages(tmp_path).find(job(), ["redis-server"])
    assert "DNETKIT_REGISTRY" in caught.value.hint


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where to put a script that is to be apt-get."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "bin/apt-get"


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_package_that_there_is_not_is_named(apt: Path, tmp_path: Path) -> None:
    program(apt, 'case "$*" in *update*) ;; *) echo "E: Unable to locate package tomcat10"; exit 100;; esac')
    with pytest.raises(ImageError, match="needs the package tomcat10") as caught:
        Packages(tmp_path).find(job(), ["tomcat10"])
    assert "Debian 12" in caught.value.hint


def test_an_apt_that_hangs_is_ended(apt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnetkit.debian._PATIENCE", 0.3)
    program(apt, "sleep 60 | cat")
    with pytest.raises(ImageError, match="nothing came for"):
        Packages(tmp_path).find(job(), ["redis-server"])


def test_an_interrupt_ends_apt(apt: Path, tmp_path: Path) -> None:
    program(apt, "sleep 60 | cat")
    interrupted = job()
    interrupted.end()
    with pytest.raises(ImageError, match="interrupted"):
        Packages(tmp_path).find(interrupted, ["redis-server"])


def test_a_full_disk_is_told_as_such(apt: Path, tmp_path: Path) -> None:
    program(apt, 'echo "E: Write error - write (28: No space left on device)"; exit 100')
    with pytest.raises(ImageError, match="no room for the packages of the image redis") as caught:
        Packages(tmp_path).find(job(), ["redis-server"])
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_what_is_left_out_is_matched_by_the_whole_name(apt: Path, tmp_path: Path) -> None:
    program(apt, f"case \"$*\" in *print-uris*) cat <<'E'\n{PLAN}E\n;; esac")
    found = Packages(tmp_path).find(job(), ["redis-server"], [r"libc", r"redis-.*"])
    assert [package.name for package in found] == ["libc6"]


def test_each_package_is_downloaded_once_and_its_share_is_told(apt: Path, tmp_path: Path) -> None:
    program(
        apt, 'echo "$*" >>../asked; echo "dlstatus:1:50.0:Retrieving"; for f in a b; do touch "${f}_1_all.deb"; done'
    )
    packages = [Package("a", "1", "a_1_all.deb", 600), Package("b", "1", "b_1_all.deb", 400)]
    news: queue.SimpleQueue[object] = queue.SimpleQueue()
    teller = Job("redis", news)  # type: ignore[arg-type]  # it only puts
    archives = Packages(tmp_path)
    assert [file.name for file in archives.download(teller, packages)] == ["a_1_all.deb", "b_1_all.deb"]
    archives.download(job(), packages)
    assert (tmp_path / "asked").read_text().count("download a=1 b=1") == 1
    told = []
    while not news.empty():
        told.append(str(news.get()))
    assert told[-1] == "redis: downloading 2 packages, 0 MB, 50%"
