"""Files of a container are read as its processes see them, whatever it has put in their place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dnetkit.agent.probes.files import LIMIT, open_inside, read_files
from dnetkit.model import File, Unavailable

HOSTS = "/etc/hosts"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a container, with a secret next to it."""
    (tmp_path / "secret").write_text("not for containers")
    (tmp_path / "root" / "etc").mkdir(parents=True)
    return tmp_path / "root"


def read(root: Path) -> tuple[tuple[File, ...], list[Unavailable]]:
    missing: list[Unavailable] = []
    return read_files(str(root), [HOSTS], "web", missing), missing


def test_a_file_as_it_is(root: Path) -> None:
    (root / "etc/hosts").write_bytes(b"10.0.0.1 caf\xc3\xa9 \xff\n")
    assert read(root) == ((File(HOSTS, "10.0.0.1 café \\xff\n"),), [])


def test_one_that_is_not_there_is_not_there(root: Path) -> None:
    assert read(root) == ((), [])


def test_a_gigabyte_is_read_to_the_limit(root: Path) -> None:
    with (root / "etc/hosts").open("w") as file:
        file.write("127.0.0.1 localhost\n")
        file.truncate(1 << 30)
    (found,), missing = read(root)
    assert found.truncated
    assert len(found.text) == LIMIT
    assert missing == []


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "etc/hosts")
    found, missing = read(root)
    assert found == ()
    assert missing == [Unavailable("/etc/hosts of web", "it is not a regular file")]


def test_a_directory_is_no_file(root: Path) -> None:
    (root / "etc/hosts").mkdir()
    assert read(root)[1] == [Unavailable("/etc/hosts of web", "it is not a regular file")]


@pytest.mark.parametrize("target", ["/../../secret", "../../../../secret", "/secret"])
def test_a_link_does_not_lead_out(root: Path, target: str) -> None:
    (root / "etc/hosts").symlink_to(target)
    assert read(root) == ((), [])
    (root / "secret").write_text("its own")
    assert read(root)[0] == (File(HOSTS, "its own"),)


def test_a_link_into_proc_does_not_lead_out(root: Path) -> None:
    fd = os.open(root, os.O_PATH)
    try:
        with pytest.raises(OSError, match="proc"):
            open_inside(fd, "/proc/self/root/etc/hosts", os.O_RDONLY)
        top = os.open("/", os.O_PATH)
        with pytest.raises(OSError, match="self/cwd"):
            open_inside(top, "/proc/self/cwd", os.O_RDONLY)
        os.close(top)
    finally:
        os.close(fd)


def test_links_in_a_ring_are_told(root: Path) -> None:
    (root / "etc/hosts").symlink_to("/etc/hosts")
    found, missing = read(root)
    assert found == ()
    assert missing[0].what == "/etc/hosts of web"


def test_a_root_that_has_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "gone")
