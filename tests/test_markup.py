"""Of other people's HTML what shows something stays, and what would run, load or break out does not."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnetkit.markup import ATTRIBUTES, TAGS, VOID, clean


@pytest.mark.parametrize(
    "html",
    [
        "<p>one &amp; two</p>",
        '<table class="x"><tbody><tr><th scope="row">a</th><td colspan="2">b</td></tr></tbody></table>',
        '<svg viewbox="0 0 9 9" role="img" aria-label="net"><circle cx="4" r="3" fill="currentColor"></circle></svg>',
        '<lineargradient id="g"><stop stop-color="gold"></stop></lineargradient><rect fill="url(#g)"></rect>',
        '<use href="#shape"></use><use xlink:href="#shape"></use>',
        '<a href="https://example.org/?a=1&amp;b=2">there</a><a href="#here">here</a>',
        '<img src="data:image/png;base64,iVBORw0KGgo=" alt="a picture">',
        "<style>.a { color: red } /* a comment */ .b > .c { fill: url('#g') }</style>",
        '<p style="color: red; position: relative">red</p>',
        '<details open=""><summary>more</summary>line<br>line</details>',
    ],
)
def test_what_only_shows_something_stays_as_it_is(html: str) -> None:
    assert clean(html) == html


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ("<script>alert(1)</script>after", "after"),
        ("<SCRIPT SRC=//x></SCRIPT>after", "after"),
        ("<svg><script>alert(1)</script></svg>", "<svg></svg>"),
        ("<iframe src=x><p>in</p></iframe>after", "after"),
        ("<object><object></object>still</object>after", "after"),
        ("<template><p onclick=x>in</p></template>after", "after"),
        ("<svg><foreignObject><p>in</p></foreignObject></svg>", "<svg></svg>"),
        ("<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>", ""),
        ("<math><mi>x</mi></math>", ""),
        ("<form action=x><input><button>press</button></form>", "press"),
        ("<base href=//x><meta http-equiv=refresh><link rel=stylesheet href=//x>", ""),
        ("<p onclick='x' ONMOUSEOVER=x>a</p>", "<p>a</p>"),
        ('<a href="javascript:alert(1)">a</a>', "<a>a</a>"),
        ('<a href=" jAvaScript:alert(1)">a</a>', "<a>a</a>"),
        ('<a href="&#106;avascript:alert(1)">a</a>', "<a>a</a>"),
        ('<a href="data:text/html,x">a</a>', "<a>a</a>"),
        ('<use href="https://x/#a"></use>', "<use></use>"),
        ('<img src="https://x/pixel.png">', "<img>"),
        ('<img src="data:image/svg+xml;base64,AAAA">', "<img>"),
        ('<p style="background: url(//x)">a</p>', "<p>a</p>"),
        ('<p style="background: url( &quot;//x&quot; )">a</p>', "<p>a</p>"),
        (r'<p style="background: u\72l(//x)">a</p>', "<p>a</p>"),
        ('<p style="position: fixed; inset: 0">a</p>', "<p>a</p>"),
        ('<p style="position:/**/fixed">a</p>', "<p>a</p>"),
        ('<rect fill="url(//x)"></rect>', "<rect></rect>"),
        ("<style>@import '//x';</style>", "<style></style>"),
        ("<style>@im/**/port '//x'; p { position /* */ : fixed }</style>", "<style></style>"),
        ("<style>a { background: image-set('//x' 1x) }</style>", "<style></style>"),
        ("<style></style><script>alert(1)</script></style>", "<style></style>"),
        ("<!-- <script>alert(1)</script> --><!DOCTYPE html><?xml version='1'?>a", "a"),
        ("<video><source src=//x></video><audio src=//x></audio>", ""),
        ("<textarea><p></textarea><img src=x onerror=x>", "<img>"),
        ('<svg><animate attributeName="href" to="javascript:x"/><set to="x"/></svg>', "<svg></svg>"),
    ],
)
def test_what_would_run_or_load_something_goes(html: str, left: str) -> None:
    assert clean(html) == left


@pytest.mark.parametrize(
    ("html", "balanced"),
    [
        ("<div><p>a", "<div><p>a</p></div>"),
        ("a</div></details>b", "ab"),
        ("<b><i>a</b>b</i>", "<b><i>a</i></b>b"),
        ("<br></br><circle r='1'/>", '<br><circle r="1"></circle>'),
        ("1 < 2 & 3 > 2", "1 &lt; 2 &amp; 3 &gt; 2"),
        ("<script>never closed", ""),
    ],
)
def test_the_rest_of_the_page_is_not_drawn_into_it(html: str, balanced: str) -> None:
    assert clean(html) == balanced


class Reader(HTMLParser):
    """Reads what was cleaned as a browser would, and fails at anything that is not allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert name in ATTRIBUTES or name.startswith(("aria-", "data-"))
            assert "javascript:" not in str(value).lower() or name not in ("href", "src", "style")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


PIECES = (
    *("<p>", "</p>", "<div ", "<svg>", "</svg>", "<style>", "</style>", "<script>", "</script>", "<a href=", "<img "),
    *(
        "onerror=x",
        "src=//x",
        "javascript:x",
        "'",
        '"',
        ">",
        "/>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "&lt;",
        "\0",
        " ",
    ),
    *("<title>", "</title>", "<noscript>", "<br/>", "style='", "url(x)", "<", "&#60;", "text"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_whatever_is_fed_in_only_what_is_allowed_comes_out_and_balanced(html: str) -> None:
    reader = Reader()
    reader.feed(clean(html))
    reader.close()
    assert reader.open == []


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_cleaning_again_changes_nothing(html: str) -> None:
    once = clean(html)
    assert clean(once) == once
