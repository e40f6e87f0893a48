"""A layer keeps owners, modes and links, is the same bytes each time, and becomes an archive for an engine."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from packages import config_of, layer_of

from dnetkit.layers import DATE, Config, Layer, add_layer, digest, layer, write_archive

CONFIG = Config(
    command=("redis-server",),
    entrypoint=("start.sh",),
    environment={"PATH": "/bin", "A": "b"},
    ports=("53/udp",),
    workdir="/data",
    stop_signal="SIGWINCH",
)


def package(*entries: tarfile.TarInfo) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for entry in entries:
            tar.addfile(entry, io.BytesIO(b"x" * entry.size))
    stream.seek(0)
    return stream


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", **facts: int) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    for fact, value in facts.items():
        setattr(found, fact, value)
    return found


def written(path: Path, *, merged: bool = True, fill: object = None) -> dict[str, tarfile.TarInfo]:
    with layer(path, merged=merged) as made:
        if callable(fill):
            fill(made)
    with tarfile.open(path) as tar:
        return {found.name: found for found in tar}


def test_owners_and_modes_are_kept(tmp_path: Path) -> None:
    def fill(made: Layer) -> None:
        made.directory("data", 0o750, 999)
        made.package(package(entry("./var/spool", tarfile.DIRTYPE, uid=6, gid=42, mode=0o2775)), lambda _: False)

    found = written(tmp_path / "layer", fill=fill)
    assert (found["data"].uid, found["data"].gid, found["data"].mode) == (999, 999, 0o750)
    assert (found["var/spool"].uid, found["var/spool"].gid, found["var/spool"].mode) == (6, 42, 0o2775)


def test_what_a_package_puts_into_bin_and_lib_goes_to_usr_with_what_is_linked_to_it(tmp_path: Path) -> None:
    files = package(
        entry("./bin/sh", size=3),
        entry("./bin/ash", tarfile.LNKTYPE, "./bin/sh"),
        entry("./lib64/ld.so", size=1),
        entry("./lib", tarfile.DIRTYPE),
    )
    found = written(tmp_path / "layer", fill=lambda made: made.package(files, lambda _: False))
    assert found["usr/bin/sh"].size == 3
    assert found["usr/bin/ash"].linkname == "usr/bin/sh"
    assert "usr/lib64/ld.so" in found
    assert {name: found[name].linkname for name in ("bin", "sbin", "lib", "lib64")} == {
        name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")
    }


def test_on_top_of_another_image_nothing_is_moved(tmp_path: Path) -> None:
    found = written(tmp_path / "layer", merged=False, fill=lambda made: made.file("bin/tool", b"x"))
    assert sorted(found) == ["bin", "bin/tool"]


def test_the_first_to_write_a_path_keeps_it(tmp_path: Path) -> None:
    def fill(made: Layer) -> None:
        made.file("etc/passwd", b"ours")
        made.package(package(entry("./etc/passwd", size=100), entry("./etc/motd", size=5)), lambda _: False)
        assert made.has("etc/motd")

    found = written(tmp_path / "layer", fill=fill)
    assert (found["etc/passwd"].size, found["etc/motd"].size) == (4, 5)


def test_what_is_to_be_skipped_is(tmp_path: Path) -> None:
    files = package(entry("./usr/share/man/x", size=1), entry("./usr/bin/x", size=1))
    found = written(tmp_path / "layer", fill=lambda made: made.package(files, lambda path: "/man/" in path))
    assert "usr/bin/x" in found
    assert "usr/share/man/x" not in found


def test_directories_come_before_what_is_in_them(tmp_path: Path) -> None:
    found = list(written(tmp_path / "layer", fill=lambda made: made.file("a/b/c", b"")))
    assert found.index("a") < found.index("a/b") < found.index("a/b/c")


def test_a_tree_s_programs_can_be_run(tmp_path: Path) -> None:
    (tmp_path / "tree/bin").mkdir(parents=True)
    (tmp_path / "tree/bin/start").write_text("#!/bin/sh\n")
    (tmp_path / "tree/page").write_text("hello")
    found = written(tmp_path / "layer", merged=False, fill=lambda made: made.tree(tmp_path / "tree"))
    assert (found["bin/start"].mode, found["page"].mode) == (0o755, 0o644)


def test_the_same_files_give_the_same_bytes_and_no_date_is_zero(tmp_path: Path) -> None:
    found = written(tmp_path / "one", fill=lambda made: made.file("a/b", b"x"))
    written(tmp_path / "two", fill=lambda made: made.file("a/b", b"x"))
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert {each.mtime for each in found.values()} == {DATE}


def test_an_archive_says_what_the_image_is(tmp_path: Path) -> None:
    written(tmp_path / "layer", fill=lambda made: made.file("hello", b"world"))
    write_archive(tmp_path / "layer", CONFIG, "redis:latest", tmp_path / "image.tar")
    assert config_of(tmp_path / "image.tar") == {
        "Cmd": ["redis-server"],
        "Entrypoint": ["start.sh"],
        "Env": ["PATH=/bin", "A=b"],
        "ExposedPorts": {"53/udp": {}},
        "WorkingDir": "/data",
        "StopSignal": "SIGWINCH",
    }
    assert layer_of(tmp_path / "image.tar")["hello"].size == 5
    with tarfile.open(tmp_path / "image.tar") as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]  # type: ignore[arg-type]  # it is there
        plain = tar.extractfile(manifest["Config"]).read()  # type: ignore[union-attr]  # as above
    assert manifest["RepoTags"] == ["redis:latest"]
    assert manifest["Config"] == f"{hashlib.sha256(plain).hexdigest()}.json"
    assert json.loads(plain)["rootfs"]["diff_ids"] == [digest(tmp_path / "layer")]


def test_what_is_not_said_is_not_in_the_archive(tmp_path: Path) -> None:
    written(tmp_path / "layer")
    write_archive(tmp_path / "layer", Config(command=("sh",)), "busybox:latest", tmp_path / "image.tar")
    assert config_of(tmp_path / "image.tar") == {"Cmd": ["sh"]}


def test_a_layer_on_top_of_another_image(tmp_path: Path) -> None:
    written(tmp_path / "below", fill=lambda made: made.file("below", b"1"))
    written(tmp_path / "above", fill=lambda made: made.file("above", b"22"))
    write_archive(tmp_path / "below", CONFIG, "other:1", tmp_path / "fetched.tar")

    def change(config: dict[str, object]) -> None:
        config["Env"] = ["A=c"]

    add_layer(tmp_path / "fetched.tar", tmp_path / "above", change, "redis:latest", tmp_path / "image.tar")
    assert "below" in layer_of(tmp_path / "image.tar", 0)
    assert layer_of(tmp_path / "image.tar", 1)["above"].size == 2
    config = config_of(tmp_path / "image.tar")
    assert config["Env"] == ["A=c"]
    assert config["Entrypoint"] == ["start.sh"]
    with tarfile.open(tmp_path / "image.tar") as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]  # it is there
        whole = json.load(tar.extractfile(manifest["Config"]))  # type: ignore[arg-type]  # as above
    assert manifest["RepoTags"] == ["redis:latest"]
    assert whole["rootfs"]["diff_ids"] == [digest(tmp_path / "below"), digest(tmp_path / "above")]
    assert len(whole["history"]) == 2


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fetched.tar").write_bytes(b"no archive")
    with pytest.raises(tarfile.TarError):
        add_layer(tmp_path / "fetched.tar", tmp_path / "x", lambda _: None, "a:latest", tmp_path / "image.tar")
