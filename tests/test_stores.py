"""Images are made ready for an engine once, several at once, whole or not at all."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_for

from dnetkit import builder, images, stores
from dnetkit.agent.imagestore import NAMES
from dnetkit.engines import Engine
from dnetkit.errors import AgentError, ImageError, LabError
from dnetkit.layers import layer

ENGINE = Engine("20.10.24", (Path("/usr/bin"),))

Told = list[str]


class Bench:
    """A lab to make images ready in; `do` is what happens when it is asked to."""

    def __init__(self, out: Path, archive: Path, do: Callable[[Path], None]) -> None:
        self.out, self.archive, self.do = out, archive, do
        self.closed = threading.Event()

    def ask(self, _request: str, **details: Any) -> dict[str, Any]:
        name = Path(details["archive"]).name.partition("-")[0]
        (self.out / NAMES).parent.mkdir(parents=True)
        (self.out / NAMES).write_text(json.dumps({"Repositories": {name: {f"{name}:latest": f"sha256:{name}"}}}))
        self.do(self.out)
        return {}

    def close(self) -> None:
        self.closed.set()


@pytest.fixture(autouse=True)
def place(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stores will be; building an image writes an empty layer."""

    def build(recipe: Any, _packages: object, target: Path, _job: object) -> str:
        with layer(target, merged=True) as made:
            made.file("name", recipe.name.encode())
        return "x"

    monkeypatch.setattr(builder, "build", build)
    return own_cache / "dnetkit/stores/20.10.24-root"


@pytest.fixture
def opened() -> Iterator[list[Bench]]:
    """The labs that were opened; all are closed in the end."""
    labs: list[Bench] = []
    yield labs
    assert all(lab.closed.is_set() for lab in labs)


def prepare(
    names: list[str], opened: list[Bench], do: Callable[[Path], None] = lambda _: None
) -> tuple[list[Path], Told]:
    told: Told = []

    def open_lab(bind: dict[str, str], writable: dict[str, str]) -> Any:
        opened.append(Bench(Path(writable["out"]), Path(bind["in"]), do))
        return opened[-1]

    return stores.prepare(names, ENGINE, "root", open_lab, told.append), told


def test_a_store_is_made_once(place: Path, opened: list[Bench]) -> None:
    first, told = prepare(["redis"], opened)
    assert told[-1] == "redis: making it ready for Docker Engine 20.10.24"
    assert first[0].parent == place
    assert first[0].stat().st_mode & 0o777 == 0o755
    assert prepare(["redis"], opened) == (first, [])
    assert len(opened) == 1


def test_several_are_made_at_once(opened: list[Bench]) -> None:
    both = threading.Barrier(2, timeout=10)
    found, _ = prepare(["redis", "tomcat", "redis"], opened, lambda _: both.wait() and None)
    assert [path.name.partition("-")[0] for path in found] == ["redis", "tomcat"]


def test_an_image_that_another_stands_for_is_only_a_name(opened: list[Bench]) -> None:
    found, _ = prepare(["mysql"], opened)
    assert [path.name.partition("-")[0] for path in found] == ["mariadb", "mysql"]
    assert json.loads((found[1] / NAMES).read_text()) == {"Repositories": {"mysql": {"mysql:latest": "sha256:mariadb"}}}
    assert prepare(["mysql", "mariadb"], opened) == (found, [])
    assert len(opened) == 1


def test_one_that_fails_leaves_nothing_half(place: Path, opened: list[Bench]) -> None:
    def fail(_: Path) -> None:
        raise AgentError("docker load: it broke")

    with pytest.raises(AgentError, match="it broke"):
        prepare(["redis"], opened, fail)
    assert [path.name for path in place.iterdir()] == ["redis.lock"]


def test_a_full_disk_is_told_as_such(place: Path, opened: list[Bench]) -> None:
    def fail(_: Path) -> None:
        raise AgentError("OSError: [Errno 28] No space left on device: '/run/dnetkit/out/x'")

    with pytest.raises(ImageError, match="redis could not be made ready: No space left on device") as caught:
        prepare(["redis"], opened, fail)
    assert "MB are free in" in caught.value.hint
    assert [path.name for path in place.iterdir()] == ["redis.lock"]


def test_what_a_killed_process_left_is_removed(place: Path, opened: list[Bench]) -> None:
    (place / ".redis-abc/image").mkdir(parents=True)
    prepare(["redis"], opened)
    assert not (place / ".redis-abc").exists()


def test_an_archive_that_is_damaged_is_not_used(opened: list[Bench]) -> None:
    archive = images.archives(["redis"], lambda _: None)["redis"]
    with archive.path.open("r+b") as file:
        file.write(b"damage")
    with pytest.raises(ImageError, match="redis is damaged") as caught:
        prepare(["redis"], opened)
    assert caught.value.hint == f"Remove it, and it is made again: rm {archive.path}"
    shutil.rmtree(archive.path.parent)
    prepare(["redis"], opened)


def test_an_interrupt_closes_the_lab_that_it_waits_for(place: Path, opened: list[Bench]) -> None:
    def wait(_: Path) -> None:
        assert opened[0].closed.wait(10)
        raise LabError("The lab has ended.")

    def open_lab(bind: dict[str, str], writable: dict[str, str]) -> Any:
        opened.append(Bench(Path(writable["out"]), Path(bind["in"]), wait))
        return opened[-1]

    images.archives(["redis"], lambda _: None)

    def hear(_: str) -> None:
        wait_for("the lab is open", lambda: opened)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stores.prepare(["redis"], ENGINE, "root", open_lab, hear)
    assert [path.name for path in place.iterdir()] == ["redis.lock"]
