"""The catalogue and its cache: each image is made once, by one, whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from packages import config_of, layer_of
from waiting import wait_for

from dnetkit import builder, images, programs, registry
from dnetkit.errors import ImageError
from dnetkit.layers import Config, digest, layer, write_archive
from dnetkit.recipes import RECIPES, TOOLS
from dnetkit.work import Job

Build = Callable[..., str]


def ignore(_: str) -> None:
    pass


def one(name: str, **options: bool) -> images.Archive:
    return images.archives([name], ignore, **options)[name]


@pytest.fixture(autouse=True)
def cache(own_cache: Path) -> Path:
    return own_cache / "dnetkit/images"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that were built; building writes a small layer."""
    names: list[str] = []

    def build(recipe: object, _packages: object, target: Path, job: Job) -> str:
        names.append(recipe.name)  # type: ignore[attr-defined]  # it is a recipe
        job.tell("unpacking", 0.5)
        with layer(target, merged=True) as made:
            made.file("number", str(len(names)).encode())
        return f"Debian {recipe.name} 1.0"  # type: ignore[attr-defined]  # as above

    monkeypatch.setattr(builder, "build", build)
    return names


# The catalogue


def test_the_names_that_learners_type_are_there() -> None:
    assert {image.name for image in images.CATALOGUE} == {
        *("busybox", "alpine", "redis", "tomcat", "mariadb", "mysql", "httpd", "dnsmasq", "sshd"),
    }
    assert images.look_up("mysql").recipe is RECIPES["mariadb"]


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(ImageError, match="no image 'tomcta' in the catalogue") as caught:
        images.look_up("tomcta")
    assert caught.value.hint.startswith("Did you mean 'tomcat'? There is: busybox, ")


# The cache


def test_an_image_is_made_once(cache: Path, built: list[str]) -> None:
    first = one("redis")
    assert first == one("redis")
    assert built == ["redis"]
    assert first.path.parent == cache
    assert digest(first.path) == first.digest
    assert first.source == "Debian redis 1.0"


def test_what_was_made_by_an_older_recipe_is_made_anew(
    cache: Path, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = one("redis")
    monkeypatch.setitem(RECIPES, "redis", RECIPES["httpd"])
    second = one("redis")
    assert built == ["redis", "httpd"]
    assert second.digest != first.digest
    assert list(cache.glob("redis-*.tar")) == [second.path]


def test_it_can_be_made_again(cache: Path, built: list[str]) -> None:
    first = one("redis")
    assert one("redis", again=True).digest != first.digest
    assert built == ["redis", "redis"]
    assert len(list(cache.glob("*.tar"))) == 1


def test_a_damaged_record_is_as_none(cache: Path, built: list[str]) -> None:
    one("redis")
    for damaged in ("", "{}", "[]", '{"digest": "sha256:1"}'):
        (cache / "redis.json").write_text(damaged)
        one("redis")
    assert built == ["redis"] * 5


def test_an_archive_that_is_gone_is_made_again(built: list[str]) -> None:
    one("redis").path.unlink()
    assert one("redis").path.is_file()
    assert built == ["redis"] * 2


def test_several_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=10)

    def build(_recipe: object, _packages: object, target: Path, _job: Job) -> str:
        both.wait()
        with layer(target, merged=True):
            pass
        return "x"

    monkeypatch.setattr(builder, "build", build)
    assert list(images.archives(["tomcat", "redis", "tomcat"], ignore)) == ["tomcat", "redis"]


def test_two_processes_that_want_the_same_make_it_once() -> None:
    script = "from dnetkit import images; print(images.archives(['busybox'], print)['busybox'].digest)"
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert len({lines.splitlines()[-1] for lines in said}) == 1
    assert sum("packing" in lines for lines in said) == 1


@pytest.mark.usefixtures("built")
def test_progress_says_what_is_done_and_from_what_it_was_made() -> None:
    heard: list[str] = []
    images.archives(["redis"], heard.append)
    assert heard == ["redis: unpacking 50%", "redis: packing", "redis: ready (Debian redis 1.0)"]
    heard.clear()
    images.archives(["redis"], heard.append)
    assert heard == []


# Images that stand for others


def test_where_no_registry_answers_another_image_stands_for_it_and_that_is_said(built: list[str]) -> None:
    heard: list[str] = []
    found = images.archives(["alpine", "mysql"], heard.append)
    assert "alpine: no registry gives alpine here, so busybox stands for it" in heard
    assert sorted(built) == ["busybox", "mariadb"]
    assert found["alpine"].stand_in == "busybox"
    assert found["alpine"].path == one("busybox").path
    assert found["mysql"].source == "mariadb, Debian mariadb 1.0"
    assert one("mysql") == found["mysql"]
    assert sorted(built) == ["busybox", "mariadb"]


@pytest.mark.usefixtures("built")
def test_when_the_one_that_stands_for_it_is_made_again_so_is_the_other() -> None:
    one("alpine")
    busybox = one("busybox", again=True)
    assert one("alpine").path == busybox.path


# From a registry


def test_an_image_from_a_registry_gets_our_tools_and_files_on_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(reference: str, tag: str, target: Path, _job: Job) -> str:
        with layer(tmp_path / "below", merged=False) as made:
            made.file("etc/alpine-release", b"3")
        config = Config(command=("/bin/sh",), environment={"PATH": "/opt/tomcat"})
        write_archive(tmp_path / "below", config, tag, target)
        return f"registry {reference}"

    monkeypatch.setattr(registry, "fetch", fetch)
    found = images.archives(["tomcat", "alpine"], ignore)
    assert found["tomcat"].source == "registry tomcat:10"
    assert (found["alpine"].source, found["alpine"].stand_in) == ("registry alpine:latest", "")
    environment = config_of(found["tomcat"].path)["Env"]
    assert isinstance(environment, list)
    assert f"PATH=/opt/tomcat:{TOOLS}" in environment
    assert any(entry.startswith("CATALINA_OPTS=") for entry in environment)


# What goes wrong


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ImageError, match="The cache cannot be written") as caught:
        one("redis")
    assert caught.value.hint.startswith("Look at ")


def test_too_little_room_is_told_before_anything_is_downloaded(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 5, 300_000_000))  # type: ignore[attr-defined]  # what it returns
    one("redis")
    with pytest.raises(ImageError, match=r"no room to make tomcat: it takes \d+ MB, and 300 MB are free") as caught:
        one("tomcat")
    assert "XDG_CACHE_HOME" in caught.value.hint
    assert built == ["redis"]


def test_a_disk_that_fills_up_leaves_nothing_half(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_recipe: object, _packages: object, target: Path, _job: Job) -> str:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(builder, "build", build)
    with pytest.raises(ImageError, match="could not be made: No space left on device") as caught:
        one("redis")
    assert "MB are free in" in caught.value.hint
    assert [path.name for path in cache.iterdir()] == ["redis.lock"]


@pytest.mark.usefixtures("built")
def test_when_one_fails_the_others_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    good = builder.build

    def build(recipe: object, *more: object) -> str:
        if recipe is RECIPES["tomcat"]:
            raise ImageError("no Java today")
        return good(recipe, *more)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(builder, "build", build)
    with pytest.raises(ImageError, match="no Java today"):
        images.archives(["tomcat", "redis"], ignore)
    assert images.cached(images.look_up("redis")) is not None
    assert images.cached(images.look_up("tomcat")) is None


@pytest.mark.parametrize("told", ["asking Debian", "downloading", "unpacking"])
def test_an_interrupt_ends_it_at_once_and_leaves_nothing_half(cache: Path, told: str) -> None:
    if programs.find("apt-get") is None:
        pytest.skip("no apt-get here")
    command = [
        sys.executable,
        "-c",
        "from dnetkit.cli import main; raise SystemExit(main())",
        *("images", "build", "dnsmasq"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        seen = next((line for line in lines if told in line), "it was not told")
        assert told in seen
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(5) == 130, rest
    assert rest.endswith("dnetkit: interrupted\n")
    assert [path.name for path in cache.iterdir()] == ["dnsmasq.lock"]


@pytest.mark.usefixtures("built")
def test_what_a_killed_process_left_is_removed(cache: Path) -> None:
    for left in (".redis-abc", ".packages-abc"):
        (cache / left).mkdir(parents=True)
        (cache / left / "half").write_text("x")
    (cache / ".packages-abc/.lock").touch()
    one("redis")
    assert not [path.name for path in cache.iterdir() if path.name.startswith(".")]


@pytest.mark.usefixtures("built")
def test_what_another_process_works_in_stays(cache: Path) -> None:
    with images._scratch(cache) as used:
        one("redis")
        assert used.is_dir()
    assert not used.exists()


def test_who_waits_for_another_that_makes_it_says_so_and_finds_it(cache: Path, built: list[str]) -> None:
    heard: list[str] = []
    done: list[images.Archive] = []
    with images.locked(cache, "redis"):
        thread = threading.Thread(target=lambda: done.append(images.archives(["redis"], heard.append)["redis"]))
        thread.start()
        wait_for("it says that it waits", lambda: heard)
        with layer(cache / "layer", merged=True):
            pass
        write_archive(cache / "layer", Config(), "redis:latest", cache / "redis-made.tar")
        found = digest(cache / "redis-made.tar")
        (cache / "redis-made.tar").rename(cache / f"redis-{found.removeprefix('sha256:')[:12]}.tar")
        record = {"digest": found, "source": "another", "recipe": RECIPES["redis"].fingerprint()}
        (cache / "redis.json").write_text(json.dumps(record))
    thread.join(10)
    assert heard == ["redis: waiting for the one who makes redis now"]
    assert (done[0].source, built) == ("another", [])


# The real thing


def test_a_server_is_built_from_the_packages_of_this_machine_s_distribution(cache: Path) -> None:
    if programs.find("apt-get") is None:
        pytest.skip("no apt-get here")
    heard: list[str] = []
    found = images.archives(["dnsmasq"], heard.append)["dnsmasq"]
    assert any("downloading" in line for line in heard)
    inside = layer_of(found.path)
    assert inside["usr/sbin/dnsmasq"].isreg()
    assert inside["usr/bin/sh"].linkname == "busybox"
    assert not [name for name in inside if name.startswith(("usr/share/man/", "usr/bin/perl", "var/lib/dpkg/"))]
    assert config_of(found.path)["ExposedPorts"] == {"53/tcp": {}, "53/udp": {}}
    assert not [path.name for path in cache.iterdir() if path.name.startswith(".")]


def test_busybox_is_made_from_the_installed_package() -> None:
    if not programs.run(["dpkg-query", "-W", "busybox-static"]).ok:
        pytest.skip("busybox-static is not installed here")
    found = one("busybox")
    assert found.source.startswith("Debian busybox-static ")
    assert found.path.stat().st_size < 5e6
    assert config_of(found.path)["Cmd"] == ["sh"]
