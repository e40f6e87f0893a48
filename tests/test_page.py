"""One page shows a whole run: each cell, its output and its pictures, and nothing on it runs or loads anything."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from chapters import code, markdown, write_notebook

from dnetkit.errors import NotebookError
from dnetkit.notebooks import Chapter
from dnetkit.page import LONGEST, page, write_page
from dnetkit.verdict import Failure, Outcome

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def shown(**data: str | list[str]) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {name.replace("_", "/", 1): value for name, value in data.items()}}


def printed(text: str | list[str]) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def outcome(path: Path, *cells: dict[str, Any], status: str = "passed", failure: Failure | None = None) -> Outcome:
    write_notebook(path, *cells)
    return Outcome(Chapter("01", path.stem, "A <title>", path), status, 1.25, 1, 2, 3, path, failure)


def test_the_cells_of_a_chapter_are_there_with_what_they_put_out(tmp_path: Path) -> None:
    one = outcome(
        tmp_path / "01-x.ipynb",
        markdown("# Heading\n\nSome *words*.\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        code("%%host\nip link", outputs=[printed(["1: lo\n", "\x1b[31m2: <eth0>\x1b[0m\n"])]),
        code("%diagram", outputs=[shown(text_html="<svg><rect width='8'></rect></svg>", text_plain="words")]),
        code("", outputs=[]),
    )
    html = page([one], {"Sandbox": "root & more"})
    assert "<h1>Heading</h1>" in html
    assert "<em>words</em>" in html
    assert "<td>1</td>" in html
    assert "%%host\nip link" in html
    assert "<pre>1: lo\n2: &lt;eth0&gt;\n</pre>" in html
    assert '<svg><rect width="8"></rect></svg>' in html
    assert "root &amp; more" in html
    assert html.count('class="run-source"') == 2, "an empty cell is not shown"


def test_checks_that_did_not_apply_are_told_apart(tmp_path: Path) -> None:
    one = dataclasses.replace(outcome(tmp_path / "01-x.ipynb"), not_applicable=("No ipvlan.",))
    assert '<td class="number">3 (1 not applicable)</td>' in page([one])


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ({"text_html": "<b>html</b>", "image_svg+xml": "<svg></svg>", "text_plain": "p"}, "<b>html</b>"),
        ({"image_svg+xml": ["<svg>", "</svg>"], "image_png": PIXEL, "text_plain": "p"}, "<svg></svg>"),
        ({"image_png": PIXEL + "\n", "text_plain": "a < b"}, f'src="data:image/png;base64,{PIXEL}" alt="a &lt; b"'),
        ({"image_jpeg": PIXEL}, f'src="data:image/jpeg;base64,{PIXEL}" alt="a picture"'),
        ({"image_png": '"><script>x</script>', "text_plain": "p"}, "<pre>p</pre>"),
        ({"text_markdown": "**bold**", "text_plain": "p"}, "<strong>bold</strong>"),
        ({"text_plain": ["<a>", "b"]}, "<pre>&lt;a&gt;b</pre>"),
        ({"application_json": "{}"}, "<pre></pre>"),
    ],
)
def test_the_richest_form_that_a_page_can_show_is_shown(tmp_path: Path, data: dict[str, Any], kept: str) -> None:
    html = page([outcome(tmp_path / "01-x.ipynb", code("x", outputs=[shown(**data)]))])
    assert kept in html
    assert "<script" not in html


def test_nothing_that_a_chapter_puts_out_runs_or_loads(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script><img src=https://x/p.png onerror=alert(1)><a href='javascript:alert(1)'>a</a>"
    error = {"output_type": "error", "ename": bad, "evalue": bad, "traceback": [bad]}
    svg = f"<svg onload=alert(1)>{bad}</svg>"
    one = outcome(
        tmp_path / "01-x.ipynb",
        markdown(f"# T\n\n{bad}\n\n[a](javascript:alert(1)) ![a](https://x/p.png)"),
        code(bad, outputs=[printed(bad), shown(text_html=bad), shown(**{"image_svg+xml": svg}), error]),
        code("x", outputs=[shown(text_markdown=bad)]),
        status="failed",
        failure=Failure(1, bad, bad, bad, bad, bad),
    )

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in ("script", "link", "iframe")
            for name, value in attrs:
                assert not name.startswith("on")
                assert not (name in ("src", "href") and not str(value).startswith(("#", "data:image/")))

    html = page([one], {bad: bad})
    Reader().feed(html)
    assert "script-src" not in html
    assert "default-src &#x27;none&#x27;" in html


def test_what_failed_is_open_and_marked_and_what_passed_is_folded(tmp_path: Path) -> None:
    cell = code("boom", metadata={"papermill": {"status": "failed"}})
    failure = Failure(1, "boom", "KernelDied", "It ended.")
    good = outcome(tmp_path / "01-good.ipynb", code("fine"))
    bad = outcome(tmp_path / "02-bad.ipynb", cell, status="died", failure=failure)
    html = page([good, bad])
    assert "<title>dnetkit: 1 passed, 1 failed</title>" in html
    assert '<details class="run-chapter" id="run-1"><summary>' in html
    assert '<details class="run-chapter" id="run-2" open><summary>' in html
    assert '<div class="run-failed"><pre class="run-source">boom</pre>' in html
    assert "KernelDied: It ended." in html
    assert re.search(r'href="#run-2">02-bad</a></td><td>A &lt;title&gt;</td><td class="run-bad">died<', html)


def test_an_output_without_end_is_cut(tmp_path: Path) -> None:
    html = page([outcome(tmp_path / "01-x.ipynb", code("x", outputs=[printed("y" * (LONGEST + 7))]))])
    assert "y" * LONGEST in html
    assert "... and 7 more characters" in html
    assert "y" * (LONGEST + 1) not in html


def test_the_page_is_written(tmp_path: Path) -> None:
    one = outcome(tmp_path / "01-x.ipynb", markdown("# 网络 \ud800"))
    write_page(tmp_path / "deep" / "report.html", [one])
    assert "网络" in (tmp_path / "deep" / "report.html").read_text(encoding="utf-8")
    with pytest.raises(NotebookError, match="The report cannot be written"):
        write_page(tmp_path / "01-x.ipynb" / "report.html", [one])
