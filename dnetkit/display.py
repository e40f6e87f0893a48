"""What a notebook shows, as html and plain text side by side: escaped, readable on a light and a dark theme; pure."""

from __future__ import annotations

import html as _html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Html", "View", "escape", "joined", "table", "tag", "wrap"]


class Html(str):
    """Text that is markup already, and is not escaped again."""

    __slots__ = ()


def escape(text: object) -> Html:
    """Any text as markup that shows it; what is Html already stays as it is."""
    return text if isinstance(text, Html) else Html(_html.escape(str(text)))


def joined(pieces: Iterable[object]) -> Html:
    """Pieces one after the other, each escaped unless it is Html."""
    return Html("".join(escape(piece) for piece in pieces))


def tag(name: str, *content: object, **attributes: str) -> Html:
    """An element. `class_` is its class; every other keyword is an attribute, '_' in it standing for '-'."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_html.escape(value)}"' for key, value in attributes.items() if value
    )
    return Html(f"<{name}{written}>{joined(content)}</{name}>")


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """A table with one row of headings."""
    head = tag("tr", *(tag("th", cell, scope="col") for cell in header))
    body = joined(tag("tr", *(tag("td", cell) for cell in row)) for row in rows)
    return tag("table", tag("thead", head), tag("tbody", body))


# Without a theme that is known, middle tones that can be read on white and on black (contrast 4 to 1 or better); in
# JupyterLab, which marks its body, tones for its light and its dark theme. Colour is never the only sign.
STYLE = """
.dnetkit{--dnk-added:#2b8a3e;--dnk-removed:#d6336c;--dnk-changed:#b26a00;--dnk-note:#7a7a7a;--dnetkit-line:#8888;
text-align:left;line-height:1.45}
[data-jp-theme-light="true"] .dnetkit{--dnk-added:#1a7030;--dnk-removed:#b3204d;
--dnk-changed:#8f5200;--dnk-note:#5c5c5c}
[data-jp-theme-light="false"] .dnetkit{--dnk-added:#6fd388;--dnk-removed:#ff8fae;
--dnk-changed:#f0b35a;--dnk-note:#a8a8a8}
.dnetkit .dnk-added{color:var(--dnk-added)}
.dnetkit .dnk-removed{color:var(--dnk-removed)}
.dnetkit .dnk-changed{color:var(--dnk-changed)}
.dnetkit .dnk-note{color:var(--dnk-note)}
.dnetkit table{border-collapse:collapse;margin:.3em 0}
.dnetkit th,.dnetkit td{text-align:left;padding:.1em .9em .1em 0;border:0;vertical-align:top}
.dnetkit ul{margin:.2em 0;padding-left:1.3em}
.dnetkit p{margin:.3em 0}
.dnetkit h4{margin:.5em 0 .2em}
.dnetkit svg{max-width:100%;height:auto}
"""


def wrap(content: Html) -> str:
    """The html of one output: the content with the style that it needs."""
    return tag("div", Html(f"<style>{STYLE}</style>"), content, class_="dnetkit")


@dataclass(frozen=True)
class View:
    """Something to show: `plain` for a terminal, a log or a reader, `html` for a page (default: the plain text)."""

    plain: str
    html: Html | None = None

    def __str__(self) -> str:
        return self.plain

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        content = self.html if self.html is not None else tag("pre", self.plain)
        return {"text/plain": self.plain, "text/html": wrap(content)}
