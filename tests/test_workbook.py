"""The learner's folder gets the chapters, and an edit of the learner's is never lost; JupyterLab starts in it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from chapters import code, markdown, write_notebook
from waiting import wait_for

from dnetkit import notebooks, workbook
from dnetkit.errors import NotebookError
from dnetkit.workbook import FIRST, copy_notebooks, lab_command, summary


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    write_notebook(folder / FIRST, markdown("# Start"), code("1"))
    write_notebook(folder / "01-veth.ipynb", markdown("# A cable"), code("2"))
    return folder


@pytest.fixture
def mine(unusual_folder: Path) -> Path:
    return unusual_folder / "workbook"


def actions(directory: Path, source: Path) -> dict[str, str]:
    return {entry.name: entry.action for entry in copy_notebooks(directory, source)}


def edit(path: Path, *cells: str) -> bytes:
    write_notebook(path, *(code(cell) for cell in cells))
    return path.read_bytes()


def test_chapters_are_copied_into_a_folder_that_is_made(mine: Path, source: Path) -> None:
    copied = copy_notebooks(mine, source)
    assert {entry.name: entry.action for entry in copied} == {FIRST: "added", "01-veth.ipynb": "added"}
    assert summary(copied) == ["2 notebooks copied"]
    assert (mine / FIRST).read_bytes() == (source / FIRST).read_bytes()
    again = copy_notebooks(mine, source)
    assert {entry.action for entry in again} == {"current"}
    assert summary(again) == []


def test_pages_that_chapters_refer_to_come_along(mine: Path, source: Path) -> None:
    write_notebook(source / "glossary.ipynb", markdown("# Glossary"))
    write_notebook(source / "notes.ipynb", markdown("# Mine"))
    assert set(actions(mine, source)) == {FIRST, "01-veth.ipynb", "glossary.ipynb"}


def test_what_running_a_chapter_leaves_in_it_is_no_edit(mine: Path, source: Path) -> None:
    copy_notebooks(mine, source)
    said = {"output_type": "stream", "name": "stdout", "text": "2"}
    ran = markdown("# Start"), code("1", outputs=[said], execution_count=7, metadata={"collapsed": True})
    write_notebook(mine / FIRST, *ran)
    assert actions(mine, source)[FIRST] == "current"
    assert json.loads((mine / FIRST).read_bytes())["cells"][1]["outputs"], "and its outputs are left in it"
    edit(source / FIRST, "newer")
    assert actions(mine, source)[FIRST] == "updated"
    assert (mine / FIRST).read_bytes() == (source / FIRST).read_bytes()


def test_an_edit_is_kept_and_a_newer_version_is_put_beside_it_once(mine: Path, source: Path) -> None:
    copy_notebooks(mine, source)
    edited = edit(mine / FIRST, "my own")
    assert actions(mine, source)[FIRST] == "kept"
    newer = edit(source / FIRST, "newer")
    copied = copy_notebooks(mine, source)
    assert [entry.line for entry in copied if entry.line] == [
        f"{FIRST}: has your edits and stays as it is; the newer version is in 00-start.new.ipynb"
    ]
    assert (mine / FIRST).read_bytes() == edited
    assert (mine / "00-start.new.ipynb").read_bytes() == newer
    assert actions(mine, source)[FIRST] == "kept", "it is offered once"
    newest = edit(source / FIRST, "newest")
    assert actions(mine, source)[FIRST] == "beside"
    assert (mine / "00-start.new.ipynb").read_bytes() == newest, "the copy beside it was not edited"


def test_the_copy_beside_is_not_overwritten_either_once_it_is_edited(mine: Path, source: Path) -> None:
    copy_notebooks(mine, source)
    edited = edit(mine / FIRST, "my own")
    edit(source / FIRST, "newer")
    copy_notebooks(mine, source)
    beside = edit(mine / "00-start.new.ipynb", "edited too")
    newest = edit(source / FIRST, "newest")
    copy_notebooks(mine, source)
    assert (mine / FIRST).read_bytes() == edited
    assert (mine / "00-start.new.ipynb").read_bytes() == beside
    assert (mine / "00-start.new2.ipynb").read_bytes() == newest


def test_a_chapter_that_was_deleted_comes_back_and_one_that_was_broken_stays(mine: Path, source: Path) -> None:
    copy_notebooks(mine, source)
    (mine / FIRST).unlink()
    (mine / "01-veth.ipynb").write_text("half a noteb")
    copied = copy_notebooks(mine, source)
    assert {entry.name: entry.action for entry in copied} == {FIRST: "restored", "01-veth.ipynb": "kept"}
    assert summary(copied) == [f"{FIRST}: was deleted, copied again"]
    assert (mine / "01-veth.ipynb").read_text() == "half a noteb"


def test_a_file_that_was_there_before_is_taken_for_the_learners(mine: Path, source: Path) -> None:
    mine.mkdir()
    own = edit(mine / FIRST, "written before dnetkit came")
    assert actions(mine, source)[FIRST] == "beside"
    assert (mine / FIRST).read_bytes() == own


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": []}', '{"files": {"00-start.ipynb": 3}}'])
def test_without_a_usable_record_whatever_differs_is_kept(mine: Path, source: Path, content: str) -> None:
    copy_notebooks(mine, source)
    (mine / workbook.MANIFEST).write_text(content)
    edited = edit(mine / FIRST, "my own")
    assert actions(mine, source) == {FIRST: "beside", "01-veth.ipynb": "current"}
    assert (mine / FIRST).read_bytes() == edited


def test_the_chapters_own_folder_is_left_as_it_is(source: Path) -> None:
    before = sorted(source.iterdir())
    assert copy_notebooks(source, source) == []
    assert sorted(source.iterdir()) == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, source: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotebookError, match=r"cannot be copied to .*file: Not a directory") as raised:
        copy_notebooks(tmp_path / "file", source)
    assert "dnetkit lab DIR" in raised.value.hint


def test_a_disk_that_is_full_leaves_the_edit_and_no_half_file(
    mine: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_notebooks(mine, source)
    before = (mine / FIRST).read_bytes()
    edit(source / FIRST, "newer")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(NotebookError, match="No space left on device"):
            copy_notebooks(mine, source)
    assert (mine / FIRST).read_bytes() == before
    assert list(mine.rglob("*.part")) == []
    assert actions(mine, source)[FIRST] == "updated"


def test_the_command_opens_the_first_chapter_where_it_is(mine: Path, source: Path) -> None:
    mine.mkdir()
    assert not any(FIRST in word for word in lab_command(mine))
    copy_notebooks(mine, source)
    command = lab_command(mine, port=8899, ip="127.0.0.1", browser=False, root=True)
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--LabApp.default_url=/lab/tree/{FIRST}" in command
    assert {"--ServerApp.port=8899", "--ServerApp.ip=127.0.0.1", "--no-browser", "--allow-root"} < set(command)
    assert not {"--no-browser", "--allow-root"} & set(lab_command(mine))


@contextlib.contextmanager
def lab(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    dnetkit = Path(sys.executable).with_name("dnetkit")
    process = subprocess.Popen(
        [dnetkit, "lab", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def told(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Read what it prints until the pattern is there."""
    assert process.stdout is not None
    seen, limit = "", time.monotonic() + 60
    while (left := limit - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left)[0]:
            data = os.read(process.stdout.fileno(), 1 << 14).decode(errors="replace")
            seen += data
            if found := re.search(pattern, seen):
                return found
            if not data:
                break
    raise AssertionError(f"{pattern!r} was not printed: {seen}")


def test_dnetkit_lab_prints_the_address_and_serves_the_first_chapter(mine: Path, tmp_path: Path) -> None:
    """As a learner on a machine without a browser: nothing is to be given but the folder, as root too."""
    first = notebooks.find_notebooks() / FIRST
    with lab(str(mine), BROWSER="", DISPLAY="", WAYLAND_DISPLAY="", HOME=str(tmp_path)) as process:
        address = told(process, r"Or copy and paste[^/]*(http://(?:localhost|127\.0\.0\.1):\d+)(/\S*)\?token=(\w+)")
        assert address[2] == (f"/lab/tree/{FIRST}" if first.exists() else "/lab")
        contents = wait_for("the server answers", lambda: get(f"{address[1]}/api/contents/?token={address[3]}"), 20)
        names = {entry["name"] for entry in json.loads(contents)["content"]}
        assert {one.path.name for one in notebooks.chapters()} <= names
        assert get(f"{address[1]}{address[2]}?token={address[3]}")


def get(url: str) -> bytes:
    """What the server answers; nothing while it does not listen yet, which it tells its address a moment before."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - the server that was just started
            return bytes(answer.read())
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError:
        return b""
