import pytest

from dnetkit.prose import inline, prose


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("One line.", "<p>One line.</p>"),
        ("Two lines\nof one paragraph.\n\nAnother.", "<p>Two lines of one paragraph.</p><p>Another.</p>"),
        (
            "Do:\n- this\n- and that,\n  over two lines",
            "<p>Do:</p><ul><li>this</li><li>and that, over two lines</li></ul>",
        ),
        ("- a\n\n- b", "<ul><li>a</li></ul><ul><li>b</li></ul>"),
        ("- a\nafter", "<ul><li>a</li></ul><p>after</p>"),
        (
            "See:\n```\nip link\n\n# **not bold** & <b>\n```\nafter",
            "<p>See:</p><pre>ip link\n\n# **not bold** &amp; &lt;b&gt;</pre><p>after</p>",
        ),
        ("", ""),
    ],
)
def test_blocks(text, shown):
    assert prose(text) == shown


def test_code_and_bold():
    assert inline("run `docker ps` **now**") == "run <code>docker ps</code> <b>now</b>"
    assert inline("2 * 3 ** 4 and a lone `") == "2 * 3 ** 4 and a lone `"


def test_what_looks_like_markup_is_text():
    assert prose("<script>alert(1)</script> `<i>`") == (
        "<p>&lt;script&gt;alert(1)&lt;/script&gt; <code>&lt;i&gt;</code></p>"
    )
