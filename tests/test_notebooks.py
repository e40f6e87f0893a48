"""Chapters are found, named and chosen; their parameters are read without running them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from chapters import FIXTURES, code, fixture, markdown, write_notebook

from dnetkit import notebooks
from dnetkit.errors import NotebookError
from dnetkit.notebooks import Chapter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_notebook(tmp_path / "02-second.ipynb", markdown("Words first.\n\n# The second\n\nmore"), code("# not this"))
    write_notebook(tmp_path / "01-first.ipynb", code("# no title"), markdown("## Only a part"))
    write_notebook(tmp_path / "scratch.ipynb")
    write_notebook(tmp_path / "02-second-copy 1.ipynb")
    return tmp_path


def test_chapters_are_in_order_with_their_titles_and_nothing_else_is_one(folder: Path) -> None:
    assert [(one.number, one.name, one.title) for one in notebooks.chapters(folder)] == [
        ("01", "01-first", "01-first"),
        ("02", "02-second", "The second"),
    ]


@pytest.mark.parametrize("name", ["02", "02-second", "02-second.ipynb"])
def test_a_chapter_is_chosen_by_number_name_or_file(folder: Path, name: str) -> None:
    available = notebooks.chapters(folder)
    assert [one.name for one in notebooks.choose([name], available)] == ["02-second"]


def test_without_a_name_all_are_chosen_and_each_only_once(folder: Path) -> None:
    available = notebooks.chapters(folder)
    assert notebooks.choose([], available) == available
    names = ["02", "02-second", str(folder / "02-second.ipynb"), "01"]
    assert [one.name for one in notebooks.choose(names, available)] == ["02-second", "01-first"]


def test_a_path_is_a_notebook_or_a_folder_of_chapters(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (other,) = notebooks.choose([str(folder / "scratch.ipynb")], [])
    assert (other.number, other.name) == ("", "scratch")
    assert [one.name for one in notebooks.choose([str(folder)], [])] == ["01-first", "02-second"]
    monkeypatch.setattr(notebooks, "find_notebooks", lambda: (_ for _ in ()).throw(NotebookError("missing")))
    assert len(notebooks.choose([str(folder)])) == 2, "paths need no chapters of our own"
    with pytest.raises(NotebookError, match="missing"):
        notebooks.choose(["01"])


def test_an_unknown_chapter_says_which_there_are(folder: Path) -> None:
    with pytest.raises(NotebookError) as raised:
        notebooks.choose(["03"], notebooks.chapters(folder))
    assert str(raised.value).startswith("There is no chapter '03'.\nChapters: 01-first, 02-second.")


def test_a_folder_without_chapters_has_nothing_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="There are no chapters to run"):
        notebooks.choose([], notebooks.chapters(tmp_path))
    with pytest.raises(NotebookError, match="There is no chapter"):
        notebooks.choose([str(tmp_path)], [])


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{", "is not a notebook"), (b"[]", "has no cells"), (b'{"cells": 3}', "has no cells"), (b"\xff", "not a noteb")],
)
def test_a_file_that_is_no_notebook_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "01-bad.ipynb"
    path.write_bytes(content)
    with pytest.raises(NotebookError, match=said) as raised:
        notebooks.read_notebook(path)
    assert str(path) in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="cannot be read: No such file"):
        notebooks.read_notebook(tmp_path / "nothing.ipynb")


def chapter(path: Path) -> Chapter:
    return Chapter("", path.stem, "", path)


def test_parameters_are_what_the_tagged_cell_assigns() -> None:
    declared = notebooks.declared_parameters(chapter(fixture("07")))
    assert declared == {"hosts": 1, "image": "busybox", "wait": 0.5, "strict": False}
    assert notebooks.declared_parameters(chapter(fixture("01"))) == {}


def test_a_default_that_is_no_plain_value_is_declared_without_one(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "x.ipynb", code("import os\na = b = os.getpid()\nc: int\nd = -1", "parameters"))
    assert notebooks.declared_parameters(chapter(path)) == {"a": None, "b": None, "c": None, "d": -1}


def test_a_parameters_cell_that_is_not_python_is_named(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "x.ipynb", code("hosts =", "parameters"))
    with pytest.raises(NotebookError, match="The parameters cell of x is not plain Python"):
        notebooks.declared_parameters(chapter(path))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("hosts", "3", 3),
        ("image", "3", "3"),
        ("image", "redis:7", "redis:7"),
        ("wait", "2", 2.0),
        ("wait", "0.25", 0.25),
        ("strict", "true", True),
        ("strict", "False", False),
    ],
)
def test_a_value_gets_the_type_of_the_default(name: str, text: str, value: Any) -> None:
    one = chapter(fixture("07"))
    (given,) = notebooks.parameters_for([one], {name: text}).values()
    assert given == {name: value}
    assert type(given[name]) is type(value)


@pytest.mark.parametrize(
    ("name", "text"), [("hosts", "many"), ("hosts", "1.5"), ("hosts", "True"), ("strict", "1"), ("wait", "soon")]
)
def test_a_value_of_another_type_is_refused(name: str, text: str) -> None:
    with pytest.raises(NotebookError, match=f"Parameter {name} is '{text}', which is not of type"):
        notebooks.parameters_for([chapter(fixture("07"))], {name: text})


def test_a_parameter_goes_only_to_the_chapters_that_declare_it() -> None:
    one, other = chapter(fixture("07")), chapter(fixture("01"))
    assert notebooks.parameters_for([one, other], {"hosts": "2"}) == {one.path: {"hosts": 2}, other.path: {}}
    assert notebooks.parameters_for([one], {}) == {}


def test_a_parameter_that_no_chapter_declares_is_refused() -> None:
    with pytest.raises(NotebookError) as raised:
        notebooks.parameters_for([chapter(fixture("07")), chapter(fixture("01"))], {"host": "2"})
    assert str(raised.value) == (
        "There is no parameter 'host'.\nParameters of 07-parameters: hosts, image, wait, strict; 01-passes: none."
    )


def test_this_checkouts_chapters_are_found() -> None:
    assert notebooks.in_checkout()
    assert notebooks.find_notebooks() == Path(notebooks.__file__).parents[1] / "notebooks"


def test_a_package_without_its_chapters_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(notebooks, "PACKAGE", tmp_path / "dnetkit")
    with pytest.raises(NotebookError, match="The chapters are missing"):
        notebooks.find_notebooks()


def test_jupyter_and_its_terminals_find_this_python_and_this_dnetkit(monkeypatch: pytest.MonkeyPatch) -> None:
    here = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join(["/usr/bin", here]))
    monkeypatch.setenv("PYTHONPATH", "")
    environment = notebooks.jupyter_environment()
    assert environment["PATH"] == os.pathsep.join([here, "/usr/bin"])
    assert environment["PYTHONPATH"] == str(notebooks.PACKAGE.parent)
    assert environment["JUPYTER_PREFER_ENV_PATH"] == "1"


def test_every_fixture_is_a_chapter() -> None:
    assert len(notebooks.chapters(FIXTURES)) == len(list(FIXTURES.glob("*.ipynb"))) == 10
