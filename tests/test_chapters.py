"""The chapters: each runs unattended to its end, and each is built as a chapter is to be; see also test_sabotage.py."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from live_notebook import claims, code_cells

from dnetkit import execution, exercises, notebooks, report
from dnetkit.notebooks import Chapter

CHAPTERS = notebooks.chapters()
ROOT = Path(__file__).resolve().parent.parent
COVERAGE = ROOT / "docs" / "coverage.md"

every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)


def cells_of(chapter: Chapter) -> list[dict[str, Any]]:
    return notebooks.read_notebook(chapter.path)["cells"]


def headings(chapter: Chapter) -> list[tuple[int, str]]:
    texts = [notebooks.source_of(cell) for cell in cells_of(chapter) if cell["cell_type"] == "markdown"]
    return [(len(marks), words) for text in texts for marks, words in re.findall(r"(?m)^(#+) (.+)$", text)]


def code_of(chapter: Chapter) -> str:
    return "\n".join(notebooks.source_of(cell) for cell in code_cells(chapter.path))


def prose_of(chapter: Chapter) -> str:
    return "\n\n".join(notebooks.source_of(cell) for cell in cells_of(chapter) if cell["cell_type"] == "markdown")


# Running


@pytest.mark.live
@pytest.mark.timeout(900)
@every_chapter
def test_runs_unattended_to_its_end(chapter, tmp_path):
    outcome = execution.execute(chapter, output_dir=tmp_path)
    assert outcome.passed, report.details(outcome)
    assert outcome.cells == outcome.total == len(code_cells(chapter.path))
    written = [claim for cell in code_cells(chapter.path) for claim in claims(notebooks.source_of(cell))]
    assert outcome.checks + len(outcome.not_applicable) == len(written)
    assert len(outcome.not_applicable) <= sum(bool(claim.needs) for claim in written)


@every_chapter
def test_can_be_run_on_another_engine(chapter):
    assert notebooks.declared_parameters(chapter)["engine"] == "auto"
    assert "%lab open --engine {engine}" in code_of(chapter)


# What belongs to a chapter


@every_chapter
def test_headings_are_in_order(chapter):
    levels = [level for level, _ in headings(chapter)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    words = [words for _, words in headings(chapter)]
    assert len(set(words)) == len(words), "two headings are the same, so that a link would be ambiguous"


@every_chapter
def test_has_the_parts_of_a_chapter(chapter):
    words = [words for _, words in headings(chapter)]
    assert words.index("First a question") < words.index("Exercises") < words.index("What you have seen")
    assert words[-1] == "What you have seen"
    beginning = notebooks.source_of(cells_of(chapter)[0])
    assert "you will be able to" in beginning
    assert re.search(r"minutes|half an hour", beginning), "it does not say how long it takes"
    assert code_of(chapter).rstrip().endswith("%lab close")
    assert "%diagram" in code_of(chapter)


@every_chapter
def test_has_checks_and_exercises(chapter):
    assert len(re.findall(r"(?m)^%check ", code_of(chapter))) >= 10
    tasks = [name for name, exercise in exercises.catalogue().items() if exercise.chapter == chapter.name]
    assert len(tasks) >= 2
    assert re.findall(r"(?m)^%exercise (\S+)$", code_of(chapter)) == tasks, "each has its card"
    assert re.findall(r"(?m)^%%exercise (\S+)$", code_of(chapter)) == tasks, "and its cell for the answer"


@every_chapter
def test_what_a_cell_does_is_explained_above_it_or_below(chapter):
    """Not more than two code cells with commands in a row without a word."""
    silent = 0
    for cell in cells_of(chapter)[:-1]:
        talks = cell["cell_type"] == "markdown" or notebooks.source_of(cell).startswith(("%check", "%%exercise"))
        silent = 0 if talks else silent + 1
        assert silent <= 2, cell["id"]


@every_chapter
def test_ids_of_cells_can_be_read(chapter):
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cell["id"]) for cell in cells_of(chapter))


# The text


@every_chapter
def test_links_lead_somewhere(chapter):
    targets = re.findall(r"\]\(([^)]+)\)", prose_of(chapter))
    assert targets
    for target in targets:
        name, _, anchor = target.partition("#")
        file = chapter.path.parent / name
        assert file.is_file(), target
        page = Chapter("", "", "", file)
        places = {words.replace(" ", "-") for _, words in headings(page)}
        places |= {f"cell-id={cell['id']}" for cell in cells_of(page)}
        assert not anchor or anchor in places, target


@every_chapter
def test_chapters_are_linked_in_order(chapter):
    following = CHAPTERS[CHAPTERS.index(chapter) + 1 :]
    if following:
        assert f"({following[0].path.name})" in notebooks.source_of(cells_of(chapter)[-2])


@every_chapter
def test_text_is_plain(chapter):
    text = prose_of(chapter)
    assert all(len(line) <= 160 for line in text.split("\n"))
    assert not re.search(r"/home/|/Users/|/root\b", text), "a path of somebody's machine"
    assert not re.search(r"<[a-zA-Z/][^>]*>", text), "markup that is not Markdown"
    talk = re.search(r"\b(?:simply|obviously|of course|easily|basically)\b", text)
    assert not talk, talk


@every_chapter
def test_no_address_of_a_container_is_written_down(chapter):
    """Which one the engine gives is its own affair."""
    assert not re.search(r"172\.1[7-9]\.", code_of(chapter))


# The list of what is covered


def rows() -> list[tuple[str, str, str]]:
    """(number, what, places) of each row of docs/coverage.md."""
    table = re.findall(r"(?m)^\| (\d+) \| (.+?) \| (.+?) \|$", COVERAGE.read_text(encoding="utf-8"))
    return [(number, what, places) for number, what, places in table]


def test_the_coverage_list_is_whole():
    assert [int(number) for number, _, _ in rows()] == list(range(1, 40))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_names_headings_that_there_are(row):
    _, _, places = row
    known = {chapter.name: {words for _, words in headings(chapter)} for chapter in CHAPTERS}
    named = re.findall(r"(\d\d-[a-z0-9-]+): ([^;]+)", places)
    assert named
    for chapter, heading in named:
        assert chapter in known, f"there is no chapter {chapter}"
        assert heading.strip() in known[chapter], f"{chapter} has no heading {heading.strip()!r}"
