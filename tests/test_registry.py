"""A registry is asked with skopeo, patiently and once; what does not answer is no error."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from dnetkit import programs, registry
from dnetkit.work import Job


@pytest.fixture
def skopeo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where to put a script that is to be skopeo; it is the only one there is."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.delenv(registry.REGISTRY, raising=False)
    return tmp_path / "bin/skopeo"


def program(path: Path, script: str) -> None:
    path.write_text(f'#!/bin/sh\necho "$*" >>"{path.parent}/asked"\n{script}\n')
    path.chmod(0o755)


def fetch(tmp_path: Path) -> tuple[str | None, list[str]]:
    news: queue.SimpleQueue[object] = queue.SimpleQueue()
    job = Job("redis", news)  # type: ignore[arg-type]  # it only puts
    source = registry.fetch("redis:7", "redis:latest", tmp_path / "image.tar", job)
    told = []
    while not news.empty():
        told.append(str(news.get()))
    return source, told


def test_an_image_is_fetched_and_says_where_it_is_from(skopeo: Path, tmp_path: Path) -> None:
    program(
        skopeo, 'case $1 in copy) for last; do :; done; file=${last#docker-archive:}; echo it >"${file%%:*}";; esac'
    )
    source, told = fetch(tmp_path)
    assert source == "registry redis:7"
    assert (tmp_path / "image.tar").read_text() == "it\n"
    assert told[-1] == "redis: fetching redis:7"
    assert "docker://redis:7" in (skopeo.parent / "asked").read_text()
    assert f"docker-archive:{tmp_path / 'image.tar'}:redis:latest" in (skopeo.parent / "asked").read_text()


def test_another_registry_can_be_named(skopeo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(skopeo, "exit 0")
    monkeypatch.setenv(registry.REGISTRY, "localhost:5000/library")
    assert fetch(tmp_path)[0] == "registry localhost:5000/library/redis:7"
    asked = (skopeo.parent / "asked").read_text()
    assert "--tls-verify=false docker://localhost:5000/library/redis:7" in asked
    assert "--src-tls-verify=false" in asked


def test_one_that_does_not_answer_is_told_and_no_error(skopeo: Path, tmp_path: Path) -> None:
    program(skopeo, """echo 'time="2026" level=fatal msg="connection refused"' >&2; exit 1""")
    source, told = fetch(tmp_path)
    assert source is None
    assert told[-1] == "redis: no registry gave redis:7: connection refused"


def test_one_that_fails_half_way_leaves_nothing(skopeo: Path, tmp_path: Path) -> None:
    program(skopeo, f"case $1 in copy) echo half >{tmp_path}/image.tar; echo 'unexpected EOF' >&2; exit 1;; esac")
    source, told = fetch(tmp_path)
    assert source is None
    assert "unexpected EOF" in told[-1]
    assert not (tmp_path / "image.tar").exists()


def test_none_is_asked_when_none_is_to_be_asked(skopeo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(skopeo, "exit 0")
    monkeypatch.setenv(registry.REGISTRY, "none")
    assert fetch(tmp_path) == (None, [])
    assert not (skopeo.parent / "asked").exists()


def test_without_skopeo_none_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    assert fetch(tmp_path) == (None, [])
