import html
import re

import pytest

from dnetkit.display import DARK, LIGHT, STYLE, Html, View, escape, joined, table, tag, wrap
from dnetkit.markup import clean

EVIL = "<script>alert('&')</script>\""


def test_text_is_escaped_and_markup_is_not_escaped_again():
    assert escape(EVIL) == html.escape(EVIL)
    assert escape(Html("<b>x</b>")) == "<b>x</b>"
    assert joined(["<", Html("<br>"), 5]) == "&lt;<br>5"


def test_an_element_escapes_its_content_and_its_attributes():
    assert tag("p", "<", tag("b", "&"), class_="x y", data_name='"') == (
        '<p class="x y" data-name="&quot;">&lt;<b>&amp;</b></p>'
    )
    assert tag("p", class_="") == "<p></p>"


def test_a_table_says_which_cells_are_headings():
    assert table(["a"], [["<"]]) == (
        '<table><thead><tr><th scope="col">a</th></tr></thead><tbody><tr><td>&lt;</td></tr></tbody></table>'
    )


def test_a_view_is_html_and_plain_text_at_once():
    bundle = View("a < b", tag("p", "a < b"))._repr_mimebundle_()
    assert bundle["text/plain"] == "a < b"
    assert bundle["text/html"] == wrap(Html("<p>a &lt; b</p>"))
    assert str(View("a < b")) == "a < b"


def test_a_view_without_html_shows_its_text_as_it_is():
    assert "<pre>a &lt;\n  b</pre>" in View("a <\n  b").markup


def luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """WCAG 2.1, contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def tones(css):
    return re.findall(r"--dnk-\w+:(#[0-9a-f]{6})", css)


@pytest.mark.parametrize(
    ("css", "page"), [(LIGHT, "#ffffff"), (LIGHT, "#f5f5f5"), (DARK, "#111111"), (DARK, "#212121")]
)
def test_every_tone_can_be_read_on_its_theme(css, page):
    assert len(tones(css)) == 4
    for tone in tones(css):
        assert contrast(tone, page) >= 4.5, tone


def test_without_a_known_theme_every_tone_can_be_read_on_white_and_on_black():
    middle = tones(STYLE)[:4]
    for tone in middle:
        assert min(contrast(tone, "#ffffff"), contrast(tone, "#000000")) >= 4, tone


def test_the_style_passes_the_filter_of_the_report():
    assert ".dnk-added" in clean(wrap(tag("b", "x", class_="dnk-added")))
