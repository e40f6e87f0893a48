"""The glossary: each word once, in order, with the chapter that shows it; and each chapter links to its words."""

from __future__ import annotations

import re

import pytest

from dnetkit import notebooks
from dnetkit.notebooks import Chapter

CHAPTERS = notebooks.chapters()
(PAGE,) = notebooks.pages(notebooks.find_notebooks())
CELLS = {cell["id"]: notebooks.source_of(cell) for cell in notebooks.read_notebook(PAGE)["cells"]}
WORDS = {text[4:].partition("\n")[0]: text for text in CELLS.values() if text.startswith("### ")}
SHOWN = {word: re.findall(r"\[([^\]]+)\]\(\1\.ipynb\)$", text) for word, text in WORDS.items()}


def groups() -> list[list[str]]:
    """The words below each of the headings."""
    found: list[list[str]] = []
    for text in CELLS.values():
        if text.startswith("## "):
            found.append([])
        elif text.startswith("### "):
            found[-1].append(text[4:].partition("\n")[0].lower())
    return found


def test_every_word_is_there_once_and_in_order():
    words = [word for group in groups() for word in group]
    assert len(set(words)) == len(words)
    for group in groups():
        assert group
        assert group == sorted(group)


@pytest.mark.parametrize("word", SHOWN)
def test_a_word_names_the_chapter_that_shows_it(word):
    (chapter,) = SHOWN[word]
    assert chapter in {known.name for known in CHAPTERS}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_a_chapter_ends_with_links_to_its_words(chapter: Chapter):
    last = notebooks.source_of(notebooks.read_notebook(chapter.path)["cells"][-2])
    (line,) = re.findall(r"(?ms)^Words: (.+?)\.$", last)
    linked = dict(re.findall(r"\[([^\]]+)\]\(glossary\.ipynb#cell-id=([^)]+)\)", line))
    assert list(linked) == [word for word, chapters in SHOWN.items() if chapters == [chapter.name]]
    for word, cell in linked.items():
        assert CELLS[cell].startswith(f"### {word}\n"), "JupyterLab scrolls to the cell of that id"
