"""The glossary: each word once, in order, with the chapter that shows it; and each chapter links to its words."""

from __future__ import annotations

import re

import pytest

from dnetkit import notebooks
from dnetkit.notebooks import Chapter

CHAPTERS = notebooks.chapters()
(PAGE,) = notebooks.pages(notebooks.find_notebooks())
GROUPS = [
    notebooks.source_of(cell)
    for cell in notebooks.read_notebook(PAGE)["cells"]
    if notebooks.source_of(cell).startswith("## ")
]


def entries(group: str) -> list[tuple[str, str]]:
    """(word, what it means) of one group."""
    return [(word, meaning.strip()) for word, meaning in re.findall(r"(?ms)^### ([^\n]+)\n(.+?)(?=^### |\Z)", group)]


ENTRIES = [entry for group in GROUPS for entry in entries(group)]
SHOWN = {word: re.findall(r"\[([^\]]+)\]\(\1\.ipynb\)$", meaning) for word, meaning in ENTRIES}


def test_every_word_is_there_once_and_in_order():
    words = [word.lower() for word, _ in ENTRIES]
    assert len(set(words)) == len(words)
    for group in GROUPS:
        in_group = [word.lower() for word, _ in entries(group)]
        assert in_group
        assert in_group == sorted(in_group)


@pytest.mark.parametrize("word", SHOWN)
def test_a_word_names_the_chapter_that_shows_it(word):
    (chapter,) = SHOWN[word]
    assert chapter in {known.name for known in CHAPTERS}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_a_chapter_ends_with_links_to_its_words(chapter: Chapter):
    last = notebooks.source_of(notebooks.read_notebook(chapter.path)["cells"][-2])
    (line,) = re.findall(r"(?ms)^Words: (.+?)\.$", last)
    linked = dict(re.findall(r"\[([^\]]+)\]\(glossary\.ipynb#([^)]+)\)", line))
    assert list(linked) == [word for word, chapters in SHOWN.items() if chapters == [chapter.name]]
    assert all(anchor == word.replace(" ", "-") for word, anchor in linked.items()), "as JupyterLab names headings"
