"""An image is built from the packages' files and the recipe's, without root and without any package's script."""

from __future__ import annotations

import os
import queue
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from packages import make_package

from dnetkit import builder, programs
from dnetkit.debian import Package, Packages
from dnetkit.errors import ImageError
from dnetkit.layers import Config
from dnetkit.recipes import TOOLS, Recipe, User
from dnetkit.work import Job

pytestmark = pytest.mark.skipif(programs.find("dpkg-deb") is None, reason="no dpkg-deb here")

BUSYBOX = b"#!/bin/sh\nprintf '%s\\n' sh ls httpd dpkg reboot\n"

RECIPE = Recipe(
    "server",
    "a test",
    1,
    Config(command=("serve",)),
    packages=("server",),
    without=("left-out",),
    users=(User("server", 999, "/data"),),
    directories={"data": "server"},
    links={"usr/bin/serve2": "serve"},
)


class Shelf(Packages):
    """Packages that lie there already."""

    def __init__(self, files: list[Path]) -> None:
        self.files = {file.name.partition("_")[0]: file for file in files}
        self.asked: list[tuple[str, ...]] = []

    def find(self, _job: Job, _names: Sequence[str], without: Sequence[str] = ()) -> list[Package]:
        self.asked.append(tuple(without))
        return [Package(name, "1.0", file.name, file.stat().st_size) for name, file in self.files.items()]

    def download(self, _job: Job, packages: Sequence[Package]) -> list[Path]:
        return [self.files[package.name] for package in packages]


def job() -> Job:
    return Job("server", queue.SimpleQueue())


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    binary = tmp_path / "busybox"
    binary.write_bytes(BUSYBOX)
    binary.chmod(0o755)
    monkeypatch.setattr(builder, "_busybox", lambda *_: (binary, "1.2"))
    server = {
        "usr/bin/serve": b"#!/bin/sh\n",
        "bin/ls": b"#!/bin/sh\n",
        "etc/passwd": b"nobody's\n",
        "usr/share/man/man1/serve.1": b"unread",
        "usr/share/doc/server/copyright": b"read",
        "usr/share/doc/server/changelog": b"unread",
        "lib/systemd/system/serve.service": b"unread",
        "lib/libserve.so": b"library",
    }
    return Shelf([make_package(tmp_path, "server", server)])


def built(shelf: Shelf, target: Path) -> dict[str, tarfile.TarInfo]:
    assert builder.build(RECIPE, shelf, target, job()) == "Debian server 1.0"
    with tarfile.open(target) as tar:
        return {entry.name: entry for entry in tar}


def read(target: Path, name: str) -> str:
    with tarfile.open(target) as tar:
        return tar.extractfile(name).read().decode()  # type: ignore[union-attr]  # it is there


def test_the_packages_files_are_there_but_for_what_nobody_reads(shelf: Shelf, tmp_path: Path) -> None:
    found = built(shelf, tmp_path / "layer")
    assert {"usr/bin/serve", "usr/lib/libserve.so", "usr/share/doc/server/copyright"} <= set(found)
    assert not [name for name in found if "man1" in name or "systemd" in name or name.endswith("changelog")]


def test_the_recipe_s_users_own_their_directories(shelf: Shelf, tmp_path: Path) -> None:
    found = built(shelf, tmp_path / "layer")
    assert (found["data"].uid, found["data"].gid) == (999, 999)
    assert "server:x:999:999:server:/data:/bin/false" in read(tmp_path / "layer", "etc/passwd")
    assert "server:x:999:" in read(tmp_path / "layer", "etc/group")
    assert found["etc/shadow"].mode == 0o600
    assert found["usr/bin/serve2"].linkname == "serve"


def test_busybox_fills_in_what_the_packages_do_not_bring(shelf: Shelf, tmp_path: Path) -> None:
    found = built(shelf, tmp_path / "layer")
    assert found["usr/bin/sh"].linkname == "busybox"
    assert found["usr/bin/ls"].isreg()
    assert found["usr/bin/busybox"].mode == 0o755
    assert not {"usr/bin/dpkg", "usr/bin/reboot"} & set(found)


def test_what_packages_need_only_to_be_installed_is_left_out(shelf: Shelf, tmp_path: Path) -> None:
    built(shelf, tmp_path / "layer")
    (asked,) = shelf.asked
    assert "left-out" in asked
    assert "debconf" in asked


def test_the_same_packages_give_the_same_layer(shelf: Shelf, tmp_path: Path) -> None:
    built(shelf, tmp_path / "one")
    built(shelf, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_an_image_from_a_registry_gets_the_tools_where_nothing_else_is(shelf: Shelf, tmp_path: Path) -> None:
    builder.extend(RECIPE, shelf, tmp_path / "layer", job())
    with tarfile.open(tmp_path / "layer") as tar:
        names = tar.getnames()
    assert f"{TOOLS[1:]}/ls" in names
    assert "bin" not in names
    assert "etc/passwd" not in names


def test_a_damaged_package_is_told_as_such(shelf: Shelf, tmp_path: Path) -> None:
    file = shelf.files["server"]
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ImageError, match="could not be unpacked"):
        builder.build(RECIPE, shelf, tmp_path / "layer", job())


def test_an_interrupt_is_not_told_as_damage(shelf: Shelf, tmp_path: Path) -> None:
    interrupted = job()
    interrupted.end()
    with pytest.raises(ImageError, match="interrupted"):
        builder.build(RECIPE, shelf, tmp_path / "layer", interrupted)


def test_a_full_disk_stays_an_error_of_the_system(shelf: Shelf, tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    (tmp_path / "layer").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        builder.build(RECIPE, shelf, tmp_path / "layer", job())


def test_where_busybox_is_not_installed_its_package_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf([make_package(tmp_path, "busybox-static", {"usr/bin/busybox": BUSYBOX})])
    run = programs.run
    monkeypatch.setattr(
        programs, "run", lambda argv, **more: programs.Ended(1) if argv[0] == "dpkg-query" else run(argv, **more)
    )
    recipe = Recipe("busybox", "a test", 1, Config(command=("sh",)))
    assert builder.build(recipe, shelf, tmp_path / "layer", job()) == "Debian busybox-static 1.0"
    assert read(tmp_path / "layer", "usr/bin/busybox") == BUSYBOX.decode()
