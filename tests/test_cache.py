"""Images are made ready once, by one process, and a cache that is damaged, full or large does no harm."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dnetkit import engines
from dnetkit.errors import ImageError
from dnetkit.lab import Lab

OPEN_AND_TELL = """
told = []
with Lab(progress=told.append, client=False) as lab:
    made = sum("ready for Docker Engine" in line for line in told)
    print(lab.host.run("docker run --rm busybox echo works").stdout.strip(), made)
"""


def stores(cache: Path) -> list[Path]:
    return sorted(path for path in cache.glob("dnetkit/stores/*/*") if path.is_dir())


def whole(cache: Path) -> list[Path]:
    return [store for store in stores(cache) if not store.name.startswith(".")]


def archives(cache: Path) -> list[Path]:
    return sorted(cache.glob("dnetkit/images/*.tar"))


@pytest.mark.live
def test_two_processes_that_open_at_once_make_the_image_once(
    own_cache: Path, owner: Callable[..., subprocess.Popen[str]]
) -> None:
    both = [owner(OPEN_AND_TELL) for _ in range(2)]
    said = sorted(process.communicate(timeout=120)[0].strip() for process in both)
    assert said == ["works 0", "works 1"]
    assert len(stores(own_cache)) == len(archives(own_cache)) == 1
    names = {path.name for path in own_cache.glob("dnetkit/*/*/.*")} | {
        p.name for p in own_cache.glob("dnetkit/images/.*")
    }
    assert not names, "nothing unfinished is left"


@pytest.mark.live
@pytest.mark.usefixtures("own_cache")
def test_the_second_lab_makes_nothing() -> None:
    counts = []
    for _ in range(2):
        told: list[str] = []
        with Lab(progress=told.append, client=False) as lab:
            assert lab.host.run("docker images --format '{{.Repository}}:{{.Tag}}'").stdout == "busybox:latest\n"
        counts.append(len(told))
    assert counts[0] > 0
    assert counts[1] == 0


@pytest.mark.live
def test_what_was_interrupted_while_it_was_made_is_made_afresh(
    own_cache: Path, owner: Callable[..., subprocess.Popen[str]]
) -> None:
    process = owner("Lab(progress=lambda text: print(text, flush=True)).open()")
    assert process.stdout is not None
    assert any("ready for Docker Engine" in line for line in process.stdout)
    process.kill()
    process.wait()
    assert not whole(own_cache)
    assert owner(OPEN_AND_TELL).communicate(timeout=120)[0].strip() == "works 1"
    assert len(whole(own_cache)) == 1


@pytest.mark.live
def test_a_damaged_archive_is_noticed_before_it_is_used(own_cache: Path) -> None:
    with Lab(client=False):
        pass
    (archive,) = archives(own_cache)
    archive.write_bytes(archive.read_bytes()[:100_000] + b"?" * 1000)
    with Lab(client=False) as lab:  # the engine's store is whole, and is all that is needed
        assert lab.host.run("docker run --rm busybox echo works").ok
    (store,) = stores(own_cache)
    store.rename(own_cache / "elsewhere")
    lab = Lab(client=False)
    with pytest.raises(ImageError, match="damaged") as caught:
        lab.open()
    assert not lab.alive
    assert f"rm {archive}" in caught.value.hint
    archive.unlink()
    with lab:
        assert lab.host.run("docker run --rm busybox echo works").ok


@pytest.mark.live
def test_a_damaged_store_is_made_again(own_cache: Path) -> None:
    with Lab(client=False):
        pass
    (store,) = stores(own_cache)
    (store / "image/overlay2/repositories.json").unlink()
    with Lab(client=False) as lab:
        assert lab.host.run("docker run --rm busybox echo works").ok
    assert stores(own_cache) == [store]


@pytest.mark.live
def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = engines.find_engine()
    monkeypatch.setattr(engines, "find_engine", lambda *_: found)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ImageError, match="cache cannot be written") as caught:
        Lab().open()
    assert str(tmp_path / "file") in caught.value.hint


@pytest.fixture
def small_cache(own_cache: Path) -> Iterator[Path]:
    """A cache where the archive fits, and what the engine makes of it does not."""
    place = own_cache / "dnetkit/stores"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", place], check=True)
    yield own_cache
    subprocess.run(["umount", place], check=True)


@pytest.mark.live
@pytest.mark.sandbox("root")
def test_a_full_disk_under_the_cache(small_cache: Path) -> None:
    lab = Lab(client=False)
    with pytest.raises(ImageError, match=r"(?i)space|room") as caught:
        lab.open()
    assert caught.value.hint
    assert not lab.alive
    assert not whole(small_cache)


@pytest.mark.live
def test_opening_does_not_slow_down_as_the_cache_grows(own_cache: Path) -> None:
    def opening() -> float:
        with Lab(client=False) as lab:
            return lab.opened_in

    opening()
    small = [opening() for _ in range(3)]
    (store,) = stores(own_cache)
    for number in range(300):
        other = store.parent / f"other-{number:012x}"
        (other / "overlay2/layer/diff").mkdir(parents=True)
        (other / "image").mkdir()
        (own_cache / f"dnetkit/images/other-{number:012x}.tar").write_bytes(os.urandom(10_000))
    large = [opening() for _ in range(3)]
    assert min(large) < 1.5 * statistics.median(small), (small, large)
