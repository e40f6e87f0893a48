"""Which engine a lab runs: the machine's own, or one in the cache; made of small scripts that say a version."""

import json
from pathlib import Path

import pytest

from dnetkit import engines
from dnetkit.engines import PARTS, Engine, find_engine, installed_engines
from dnetkit.errors import EngineError


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    """An empty cache, and no engine on PATH."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(engines.programs, "SYSTEM_DIRECTORIES", ())
    monkeypatch.delenv("DNETKIT_ENGINE", raising=False)


def make_programs(folder: Path, version: str, parts: tuple[str, ...] = PARTS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        (folder / part).write_text(f"#!/bin/sh\necho '{part} version {version}, build 1'\n", encoding="ascii")
        (folder / part).chmod(0o755)


def cache(version: str, parts: tuple[str, ...] = PARTS) -> Path:
    tree = engines.cache_directory() / "engines" / f"{version}+deb"
    make_programs(tree / "usr" / "bin", version, parts)
    (tree / "engine.json").write_text(json.dumps({"version": version, "packages": {}}), encoding="utf-8")
    return tree


def test_without_any_the_error_says_how_to_get_one():
    with pytest.raises(EngineError, match="no Docker Engine") as caught:
        find_engine()
    assert "dnetkit engine fetch" in caught.value.hint


def test_the_newest_of_the_cache_comes_first_by_number_and_not_by_letter():
    for version in ("9.1.0", "28.5.2", "20.10.24"):
        cache(version)
    assert [engine.version for engine in installed_engines()] == ["28.5.2", "20.10.24", "9.1.0"]
    assert find_engine().version == "28.5.2"


def test_the_machines_own_goes_before_those_of_the_cache(tmp_path):
    cache("28.5.2")
    make_programs(tmp_path / "bin", "24.0.7")
    assert find_engine() == Engine("24.0.7", (tmp_path / "bin",))
    assert find_engine("28").source == "cache"


@pytest.mark.parametrize(("name", "version"), [("28", "28.5.2"), ("20.10", "20.10.24"), ("20.10.24", "20.10.24")])
def test_an_engine_is_named_by_as_much_of_its_version_as_is_needed(name, version):
    for known in ("28.5.2", "20.10.24"):
        cache(known)
    assert find_engine(name).version == version


@pytest.mark.parametrize("name", ["2", "28.5.20", "29", "system"])
def test_one_that_is_not_there_is_told_with_those_that_are(name):
    cache("28.5.2")
    with pytest.raises(EngineError, match=name) as caught:
        find_engine(name)
    assert "28.5.2 (cache)" in caught.value.hint


def test_the_environment_names_what_auto_stands_for(monkeypatch):
    for known in ("28.5.2", "20.10.24"):
        cache(known)
    monkeypatch.setenv("DNETKIT_ENGINE", "20.10")
    assert find_engine("auto").version == "20.10.24"
    assert find_engine("28").version == "28.5.2"


@pytest.mark.parametrize("missing", PARTS)
def test_one_without_all_its_parts_is_not_used(missing):
    cache("28.5.2", tuple(part for part in PARTS if part != missing))
    assert installed_engines() == []


def test_a_folder_without_a_record_and_one_half_fetched_are_not_used():
    (cache("28.5.2") / "engine.json").write_text("{", encoding="utf-8")
    cache("26.1.5").rename(engines.cache_directory() / "engines" / ".fetch-abc")
    assert installed_engines() == []


def test_libraries_of_the_tree_are_given_to_the_engine():
    library = cache("28.5.2") / "usr" / "lib" / "x86_64-linux-gnu"
    library.mkdir(parents=True)
    (library / "libfoo.so.1").touch()
    assert find_engine().library_path == (library,)


def test_an_engine_says_where_it_is():
    cache("28.5.2")
    said = find_engine().describe()
    assert said.startswith("Docker Engine 28.5.2, in your cache: ")
    assert said.endswith("/usr/bin/dockerd")
