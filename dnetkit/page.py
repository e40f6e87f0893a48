"""One HTML page that shows a run: a table of the chapters, then each chapter's cells with their outputs and pictures.

The page needs no other file and runs no script: outputs are cleaned (`markup`), and its policy forbids scripts besides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import mistune

from dnetkit import report
from dnetkit.display import DARK, LIGHT
from dnetkit.markup import clean
from dnetkit.notebooks import read_notebook, source_of
from dnetkit.verdict import Outcome, plain

__all__ = ["page", "write_page"]

LONGEST = 100_000
"""Characters of one output that are shown; the executed notebook has the rest."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")

# The colours are JupyterLab's variables, so that what a cell puts out for its light and dark theme looks here as it
# does there.
STYLE = (
    """
:root {
  color-scheme: light dark;
  --jp-layout-color0: #fff; --jp-layout-color1: #fff; --jp-layout-color2: #f3f3f3;
  --jp-ui-font-color0: #000; --jp-ui-font-color1: #212121; --jp-ui-font-color2: #5f5f5f;
  --jp-content-font-color1: #212121; --jp-content-font-color2: #5f5f5f; --jp-content-link-color: #1565c0;
  --jp-border-color1: #bdbdbd; --jp-border-color2: #e0e0e0; --jp-cell-editor-background: #f5f5f5;
  --jp-error-color1: #c62828; --jp-success-color1: #2e7d32; --jp-warn-color1: #b45309; --jp-info-color1: #0277bd;
  --jp-brand-color1: #1565c0;
  --jp-code-font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) { :root {
  --jp-layout-color0: #111; --jp-layout-color1: #1a1a1a; --jp-layout-color2: #262626;
  --jp-ui-font-color0: #fff; --jp-ui-font-color1: #e4e4e4; --jp-ui-font-color2: #a8a8a8;
  --jp-content-font-color1: #e4e4e4; --jp-content-font-color2: #a8a8a8; --jp-content-link-color: #90caf9;
  --jp-border-color1: #616161; --jp-border-color2: #424242; --jp-cell-editor-background: #232323;
  --jp-error-color1: #ef7070; --jp-success-color1: #7cc47f; --jp-warn-color1: #f0b35a; --jp-info-color1: #64b5f6;
  --jp-brand-color1: #90caf9;
} }
body {
  font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--jp-layout-color1); color: var(--jp-content-font-color1);
}
a { color: var(--jp-content-link-color); }
table { border-collapse: collapse; margin: .5rem 0; }
th, td { text-align: left; padding: .2rem .8rem; border-bottom: 1px solid var(--jp-border-color2); }
td.number { text-align: right; }
pre {
  font: 13px/1.4 var(--jp-code-font-family); margin: 0;
  overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere;
}
svg, img { max-width: 100%; height: auto; }
.run-chapter { margin: 2rem 0; border-top: 1px solid var(--jp-border-color1); }
.run-chapter > summary { font-size: 1.2rem; padding: .5rem 0; cursor: pointer; }
.run-source {
  background: var(--jp-cell-editor-background); border: 1px solid var(--jp-border-color2);
  padding: .5rem; margin-top: 1rem;
}
.run-output { padding: .3rem .5rem; overflow-x: auto; position: relative; }
.run-failed { border: 2px solid var(--jp-error-color1); padding: .3rem; }
.run-bad { color: var(--jp-error-color1); }
.run-good { color: var(--jp-success-color1); }
"""
    f"body .dnetkit {{ {LIGHT} }}\n@media (prefers-color-scheme: dark) {{ body .dnetkit {{ {DARK} }} }}\n"
)


def page(outcomes: Sequence[Outcome], about: Mapping[str, str] | None = None) -> str:
    """The page; `about` is shown above the table: when and on what this was run."""
    facts = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in (about or {}).items()
    )
    rows = "".join(_row(number, outcome) for number, outcome in enumerate(outcomes, 1))
    chapters = "".join(_chapter(number, outcome) for number, outcome in enumerate(outcomes, 1))
    heads = "".join(f"<th scope='col'>{name}</th>" for name in ("Chapter", "", "Result", "Seconds", "Cells", "Checks"))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>dnetkit: {report.summary(outcomes)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{report.summary(outcomes)}</h1>\n<table>{facts}</table>\n"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>\n{chapters}\n</body>\n</html>\n"
    )


def write_page(path: Path, outcomes: Sequence[Outcome], about: Mapping[str, str] | None = None) -> None:
    """Write the page. Raises NotebookError where that is not possible."""
    report.write(path, page(outcomes, about), "report")


def _row(number: int, outcome: Outcome) -> str:
    cells = outcome.total if outcome.passed else f"{outcome.cells} of {outcome.total}"
    untried = f" ({len(outcome.not_applicable)} not applicable)" if outcome.not_applicable else ""
    return (
        f'<tr><td><a href="#run-{number}">{escape(outcome.chapter.name)}</a></td>'
        f"<td>{escape(outcome.chapter.title)}</td>"
        f'<td class="{_class(outcome)}">{outcome.status}</td><td class="number">{outcome.seconds:.1f}</td>'
        f'<td class="number">{cells}</td><td class="number">{outcome.checks}{untried}</td></tr>\n'
    )


def _class(outcome: Outcome) -> str:
    return "run-good" if outcome.passed else "run-bad"


def _chapter(number: int, outcome: Outcome) -> str:
    """A chapter that did not pass is open; one that did opens when it is asked for."""
    parts = []
    for cell in read_notebook(outcome.output)["cells"]:
        if cell.get("cell_type") == "markdown":
            parts.append(f"<div>{_markdown(source_of(cell))}</div>\n")
        elif cell.get("cell_type") == "code":
            status = cell.get("metadata", {}).get("papermill", {}).get("status")
            parts.append(_code(cell, failed=status == "failed"))
    why = f'<pre class="run-bad">{escape(report.explain(outcome.failure))}</pre>\n' if outcome.failure else ""
    return (
        f'<details class="run-chapter" id="run-{number}"{"" if outcome.passed else " open"}><summary>'
        f'{escape(outcome.chapter.name)} <span class="{_class(outcome)}">{outcome.status}</span></summary>\n'
        f"{why}{''.join(parts)}</details>\n"
    )


def _code(cell: Mapping[str, Any], *, failed: bool) -> str:
    outputs = "".join(f'<div class="run-output">{_output(output)}</div>\n' for output in cell.get("outputs", []))
    source = f'<pre class="run-source">{escape(source_of(cell))}</pre>\n' if source_of(cell).strip() else ""
    return f'<div class="run-failed">{source}{outputs}</div>\n' if failed else source + outputs


def _output(output: Mapping[str, Any]) -> str:
    kind = output.get("output_type")
    if kind == "stream":
        return _text(_joined(output.get("text", "")))
    if kind == "error":
        return f'<div class="run-bad">{_text(chr(10).join(output.get("traceback", [])))}</div>'
    data = {name: _joined(value) for name, value in output.get("data", {}).items() if isinstance(value, (str, list))}
    for name in ("text/html", "image/svg+xml"):
        if name in data:
            return clean(data[name])
    for name in ("image/png", "image/jpeg"):
        if name in data and BASE64.fullmatch(data[name]):
            description = escape(data.get("text/plain", "a picture"))
            return f'<img src="data:{name};base64,{"".join(data[name].split())}" alt="{description}">'
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    return _text(data.get("text/plain", ""))


def _text(text: str) -> str:
    text = plain(text)
    more = f"\n... and {len(text) - LONGEST} more characters, in the executed notebook" if len(text) > LONGEST else ""
    return f"<pre>{escape(text[:LONGEST] + more)}</pre>"


def _markdown(text: str) -> str:
    render = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])
    return clean(str(render(text)))


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)
