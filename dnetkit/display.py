"""What a notebook shows, as html and plain text side by side: escaped, readable on a light and a dark theme; pure."""

from __future__ import annotations

import html as _html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Html", "View", "escape", "joined", "listed", "signed", "table", "tag", "wrap"]


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


def signed(sign: str, kind: str, *content: object) -> Html:
    """A line with a sign before it in the colour of `kind`: 'added', 'removed', 'changed' or 'note'."""
    return joined([tag("span", sign, class_=f"dnk-sign dnk-{kind}"), " ", *content])


def listed(lines: Iterable[Html]) -> Html:
    """Signed lines one below the other; a line too long for the page goes on beside the sign, not under it."""
    return tag("ul", *(tag("li", line) for line in lines), class_="dnk-list")


LIGHT = "--dnk-added:#1a7030;--dnk-removed:#b3204d;--dnk-changed:#8f5200;--dnk-note:#5c5c5c"
DARK = "--dnk-added:#6fd388;--dnk-removed:#ff8fae;--dnk-changed:#f0b35a;--dnk-note:#a8a8a8"
"""Tones on a light and on a dark page, contrast 4.5 to 1 or better. Colour is never the only sign."""

# Where the page's theme is not known: middle tones, that can be read on white and on black (4 to 1 or better).
# JupyterLab marks its body with its theme; what it thinks of tables and pre, !important and .dnetkit.dnetkit overrule.
STYLE = f"""
.dnetkit{{--dnk-added:#2b8a3e;--dnk-removed:#d6336c;--dnk-changed:#b26a00;--dnk-note:#7a7a7a;--dnk-line:#8886;
font-family:var(--jp-content-font-family,inherit);font-size:var(--jp-content-font-size1,inherit);
color:var(--jp-content-font-color1,inherit);text-align:left;line-height:1.5}}
[data-jp-theme-light="true"] .dnetkit{{{LIGHT}}}
[data-jp-theme-light="false"] .dnetkit{{{DARK}}}
.dnetkit .dnk-added{{color:var(--dnk-added)}}
.dnetkit .dnk-removed{{color:var(--dnk-removed)}}
.dnetkit .dnk-changed{{color:var(--dnk-changed)}}
.dnetkit .dnk-note{{color:var(--dnk-note)}}
.dnetkit p,.dnetkit ul,.dnetkit h4,.dnetkit pre,.dnetkit table{{margin:.35em 0}}
.dnetkit ul{{padding-left:1.4em}}
.dnetkit.dnetkit .dnk-list{{list-style:none;padding-left:0}}
.dnetkit .dnk-list li{{padding-left:1.2em;text-indent:-1.2em;margin:0}}
.dnetkit .dnk-sign{{display:inline-block;width:1em;font-weight:600;text-indent:0}}
.dnetkit .dnk-list summary{{list-style:none;cursor:pointer}}
.dnetkit .dnk-list summary::after{{content:" ▸";color:var(--dnk-note)}}
.dnetkit .dnk-list details[open]>summary::after{{content:" ▾"}}
.dnetkit h4{{font-size:1.1em;font-weight:600}}
.dnetkit table{{border-collapse:collapse;font-size:.93em}}
.dnetkit caption{{text-align:left;white-space:nowrap;padding:.4em 0 .1em}}
.dnetkit tr{{background:none!important}}
.dnetkit th,.dnetkit td{{padding:.15em 1.4em .15em 0!important;border:0!important;text-align:left!important;
vertical-align:top;max-width:none;white-space:normal}}
.dnetkit th{{color:var(--dnk-note);font-weight:400}}
.dnetkit code,.dnetkit pre{{font-family:var(--jp-code-font-family,monospace);color:inherit}}
.dnetkit code{{padding:0 .25em;border-radius:3px;background:var(--jp-layout-color2,#8883);font-size:.93em}}
.dnetkit.dnetkit pre{{padding:.35em .9em;border-left:3px solid var(--dnk-line);background:none;
font-size:var(--jp-code-font-size,13px);line-height:1.45;
overflow-x:auto;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere}}
.dnetkit svg{{max-width:100%;height:auto}}
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

    @property
    def markup(self) -> str:
        """The html as it is shown, with the style that it needs."""
        return wrap(self.html if self.html is not None else tag("pre", self.plain))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        return {"text/plain": self.plain, "text/html": self.markup}
