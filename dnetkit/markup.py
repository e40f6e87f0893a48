"""Keep of HTML what only shows something: an allowlist, so that a page made of other people's output runs nothing."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from html.parser import HTMLParser

__all__ = ["clean"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TAGS = _words(
    """
    a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure h1
    h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp section small span strong style sub summary sup
    table tbody td tfoot th thead tr u ul var wbr svg g path circle ellipse line polyline polygon rect text
    tspan title desc defs marker symbol use lineargradient radialgradient stop clippath
    """
)
"""In lower case: inside svg a browser puts the capitals back, as in linearGradient."""
VOID = _words("br col hr img wbr")
DROPPED_WITH_CONTENT = _words(
    """
    script iframe object embed applet template noscript textarea select math foreignobject frameset noframes
    noembed xmp plaintext audio video canvas head
    """
)
ATTRIBUTES = _words(
    """
    class id style title role lang dir open alt width height href xlink:href src colspan rowspan scope headers
    start tabindex viewbox preserveaspectratio xmlns xmlns:xlink xml:space version d x y x1 y1 x2 y2 cx cy r rx
    ry fx fy dx dy points transform fill fill-opacity fill-rule stroke stroke-width stroke-opacity
    stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit opacity color visibility
    display overflow font-family font-size font-style font-weight text-anchor text-decoration dominant-baseline
    alignment-baseline letter-spacing textlength lengthadjust marker-start marker-mid marker-end markerwidth
    markerheight markerunits refx refy orient offset stop-color stop-opacity gradientunits gradienttransform
    clip-path clip-rule clippathunits vector-effect paint-order
    """
)
FETCHES = re.compile(
    r"url\((?!['\"]?#)|@import|image-set|expression|javascript:|-moz-binding|\\|position\s*:\s*fixed", re.I
)
"""What in a style would load something, run something, or lay itself over the rest of the page."""
COMMENT = re.compile(r"/\*.*?(?:\*/|$)", re.S)
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
LINK = re.compile(r"(?:https?://|#)[^\s\x00-\x20]*", re.I)


def clean(html: str) -> str:
    """The same HTML or SVG, balanced, without scripts, event handlers, frames, forms and anything that loads."""
    cleaner = _Cleaner()
    cleaner.feed(html)
    cleaner.close()
    return cleaner.result()


class _Cleaner(HTMLParser):
    """Writes out again what is allowed; every text and every value is escaped, wherever it stands."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._written: list[str] = []
        self._open: list[str] = []
        self._dropping = ""
        self._depth = 0

    def result(self) -> str:
        """What has been kept, with all that is still open closed."""
        return "".join(self._written) + "".join(f"</{tag}>" for tag in reversed(self._open))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._dropping:
            self._depth += tag == self._dropping
        elif tag in DROPPED_WITH_CONTENT:
            self._dropping, self._depth = tag, 1
        elif tag in TAGS:
            kept = "".join(_attribute(tag, name, value or "") for name, value in attrs)
            self._written.append(f"<{tag}{kept}>")
            if tag not in VOID:
                self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in DROPPED_WITH_CONTENT:
            return
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._dropping:
            self._depth -= tag == self._dropping
            if not self._depth:
                self._dropping = ""
        elif tag in self._open:
            while True:
                last = self._open.pop()
                self._written.append(f"</{last}>")
                if last == tag:
                    break

    def handle_data(self, data: str) -> None:
        if self._dropping:
            return
        if self._open and self._open[-1] == "style":
            # The one element whose text is not unescaped by a browser; without '<' and '&' there is nothing to misread.
            if not _fetches(data) and "<" not in data and "&" not in data:
                self._written.append(data)
        else:
            self._written.append(escape(data))


@lru_cache(4096)  # the parts of a picture are much alike
def _attribute(tag: str, name: str, value: str) -> str:
    if name not in ATTRIBUTES and not name.startswith(("aria-", "data-")):
        return ""
    if name in ("href", "xlink:href"):
        allowed = bool(LINK.fullmatch(value)) and (tag == "a" or value.startswith("#"))
    elif name == "src":
        allowed = tag == "img" and bool(PICTURE.fullmatch(value))
    else:
        allowed = not _fetches(value)
    return f' {name}="{escape(value)}"' if allowed and re.fullmatch(r"[a-z][a-z0-9:_-]*", name) else ""


def _fetches(style: str) -> bool:
    """Whether a style does what FETCHES forbids, also with comments in the middle of it."""
    texts = (style, COMMENT.sub("", style), COMMENT.sub(" ", style)) if "/*" in style else (style,)
    return any(FETCHES.search(text) for text in texts)
