"""`dnetkit clean` removes what dead labs of this user left, by id and lock, and says what."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from dnetkit import cli, sandbox, shell


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for the records of labs that only this test uses."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = sandbox.state_directory()
    folder.mkdir(parents=True)
    return folder


def clean(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = cli.main(["clean"])
    return status, capsys.readouterr().out


def test_where_no_lab_died_there_is_nothing_to_clean(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = "There is nothing to clean: no lab of yours died and left something.\n"
    assert clean(capsys) == (0, said)
    records.rmdir()
    assert clean(capsys) == (0, said)


@pytest.mark.parametrize("content", ['{"id": "dead0001"}', "", "{"])
def test_the_record_of_a_dead_lab_is_removed_and_named(
    records: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    record = records / "dead0001.json"
    record.write_text(content)
    assert clean(capsys) == (0, f"lab dead0001: removed {record}\n")
    assert not record.exists()


def test_a_record_that_someone_holds_locked_belongs_to_a_lab_that_lives(
    records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = records / "0a11fe00.json"
    with record.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert clean(capsys)[1].startswith("There is nothing to clean")
    assert record.exists()


@pytest.mark.sandbox("root")
def test_root_leaves_what_is_another_users(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As with `sudo dnetkit clean` where HOME is still the user's."""
    record = records / "dead0001.json"
    record.touch()
    os.chown(record, 12345, 12345)
    assert clean(capsys)[1].startswith("There is nothing to clean")
    assert record.exists()


def test_what_cannot_be_removed_is_told_and_is_a_failure(
    records: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = records / "dead0001.json"
    record.touch()
    busy = Path("/sys/fs/cgroup/dnetkit-dead0001")
    monkeypatch.setattr(sandbox, "cgroup_directories", lambda _: [busy])
    monkeypatch.setattr(sandbox, "remove_cgroups", lambda _: [busy])
    status, said = clean(capsys)
    assert status == 1
    assert f"lab dead0001: could not remove {busy}\n" in said
    assert record.exists(), "so that the next one tries again"


def test_shell_is_passed_its_name_and_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(shell, "shell", lambda *arguments: asked.append(arguments) or 9)
    assert cli.main(["shell"]) == 9
    assert cli.main(["shell", "--lab", "ab", "web"]) == 9
    assert asked == [("host1", ""), ("web", "ab")]
