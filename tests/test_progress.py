import json
import multiprocessing
import os
import time

import pytest

from dnetkit.progress import Progress


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "dnetkit" / "progress.json"


def test_nothing_is_passed_at_first(path):
    assert Progress(path).passed() == {}


def test_what_was_passed_is_remembered_with_its_day(path):
    assert Progress(path).record("veth-build")
    assert Progress(path).record("start-hello")
    today = time.strftime("%Y-%m-%d")
    assert Progress(path).passed() == {"veth-build": today, "start-hello": today}


def test_the_first_day_counts(path):
    Progress(path).record("a")
    path.write_text(path.read_text().replace(time.strftime("%Y-%m-%d"), "2020-01-01"))
    Progress(path).record("a")
    assert Progress(path).passed() == {"a": "2020-01-01"}


def test_it_lies_in_the_users_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Progress().path == tmp_path / "data" / "dnetkit" / "progress.json"
    monkeypatch.setenv("HOME", str(tmp_path))
    for unusable in ("", "relative/path"):
        monkeypatch.setenv("XDG_DATA_HOME", unusable)
        assert Progress().path == tmp_path / ".local" / "share" / "dnetkit" / "progress.json"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[]",
        b'{"passed": {}}',
        b'{"schema": 99, "passed": {}}',
        b'{"schema": 1, "passed": {"a": 1}}',
        b"\xff",
    ],
)
def test_a_damaged_file_is_set_aside_and_said(path, damaged):
    path.parent.mkdir(parents=True)
    path.write_bytes(damaged)
    progress = Progress(path)
    assert progress.passed() == {}
    [aside] = path.parent.glob("progress.json.damaged-*")
    assert aside.read_bytes() == damaged
    assert str(aside) in progress.notes[0]
    assert progress.record("a")
    assert set(Progress(path).passed()) == {"a"}


def test_where_nothing_can_be_written_it_is_said_and_no_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    progress = Progress(tmp_path / "file" / "progress.json")
    assert not progress.record("a")
    assert progress.passed() == {}
    assert len(progress.notes) == 2


def test_the_file_is_whole_at_any_moment_and_no_draft_stays(path, monkeypatch):
    Progress(path).record("a")
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
    assert not Progress(path).record("b")
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["progress.json", "progress.lock"]


def _record(path, names):
    for name in names:
        assert Progress(path).record(name)


def test_several_notebooks_may_write_at_once(path):
    context = multiprocessing.get_context("spawn")
    names = [[f"{writer}-{number}" for number in range(15)] for writer in range(4)]
    writers = [context.Process(target=_record, args=(path, some)) for some in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert set(json.loads(path.read_text())["passed"]) == {name for some in names for name in some}
