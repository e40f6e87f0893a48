import threading
import time

import pytest

from dnetkit.terminal import HEAD, WIDTH, Live, Screen, Terminal


def text_of(screen):
    return ["".join(text for text, _ in line) for line in screen.lines()]


def shown(*pieces):
    screen = Screen()
    for piece in pieces:
        screen.write("stdout", piece)
    return text_of(screen)


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("no end", ["no end"]),
        ("\n\n", ["", ""]),
        ("10%\r20%\r100%\n", ["100%"]),
        ("abcdef\rxy\n", ["xycdef"]),
        ("crlf\r\nnext\r\n", ["crlf", "next"]),
        ("abcdef\r\x1b[Kxy\n", ["xy"]),
        ("abc\x1b[2Kd\n", ["d"]),
        ("ab\bc\n", ["ac"]),
        ("a\tb\n", ["a       b"]),
        ("\x1b[31mred\x1b[0m \x1b[1;4mbold\x1b[m\n", ["red bold"]),
        ("\x1b]0;title\x07x\x1b]8;;http://e.org\x1b\\link\n", ["xlink"]),
        ("\x1b(Bplain\x07\x00\x9b\n", ["plain"]),
        ("\u202egnp.exe\n", ["\ufffdgnp.exe"]),
    ],
)
def test_shows_what_a_terminal_would(written, lines):
    assert shown(written) == lines


def test_an_escape_may_come_in_two_pieces():
    assert shown("a\x1b", "[3", "1mb\n") == ["ab"]
    assert shown("10%", "\r", "20%\n") == ["20%"]


def test_streams_are_told_apart_within_a_line():
    screen = Screen()
    screen.write("stdout", "out ")
    screen.write("stderr", "err")
    assert screen.lines() == [[("out ", "stdout"), ("err", "stderr")]]


def test_megabytes_are_cut_in_the_middle_and_it_says_how_much():
    screen = Screen()
    start = time.monotonic()
    for number in range(300_000):
        screen.write("stdout", f"line {number}\n")
    lines = text_of(screen)
    assert lines[0] == "line 0"
    assert lines[HEAD - 1] == f"line {HEAD - 1}"
    assert lines[HEAD] == f"... {300_000 - 2 * HEAD:,} lines left out ..."
    assert lines[-1] == "line 299999"
    assert len(lines) == 2 * HEAD + 1
    assert time.monotonic() - start < 20


def test_nothing_is_left_out_while_everything_fits():
    lines = shown("".join(f"{number}\n" for number in range(2 * HEAD)))
    assert lines == [str(number) for number in range(2 * HEAD)]


def test_one_endless_line_is_cut():
    lines = shown(*["x" * 10_000] * 200)
    assert lines[0].startswith("x" * WIDTH + " ... ")
    assert "1,998,000 characters left out" in lines[0]


def run(*events, prompt="host1#"):
    terminal = Terminal(prompt)
    for kind, value in events:
        terminal.event(kind, value)
    return terminal


def test_plain_text_reads_like_a_terminal():
    terminal = run(
        ("command", "docker ps"), ("stdout", "CONTAINER ID\n"), ("status", 0),
        ("command", "for i in 1 2\ndo false\ndone"), ("stderr", "oh no\n"), ("status", 1),
    )  # fmt: skip
    assert str(terminal) == "host1# docker ps\nCONTAINER ID\nhost1# for i in 1 2\n> do false\n> done\noh no\nexit 1"


def test_html_marks_stderr_and_status_and_escapes_everything():
    evil = "<script>alert(1)</script>\n"
    terminal = run(("command", "echo '<b>'"), ("stdout", evil), ("stderr", "<img src=x>"), ("status", 3), prompt="<i>#")
    bundle = terminal._repr_mimebundle_()
    body = bundle["text/html"].split("</style>")[-1]
    for raw in ("<script", "<img", "<b>", "<i>"):
        assert raw not in body
    assert "&lt;script&gt;" in body
    assert '<span class="dnk-removed">&lt;img src=x&gt;</span>' in body
    assert "exit 3" in body
    assert "<script>" in bundle["text/plain"]


def test_a_note_says_how_it_ended():
    terminal = run(("command", "sleep 9"))
    terminal.note("interrupted")
    assert str(terminal).endswith("interrupted")
    failed = run(("command", "false"), ("status", 1))
    failed.note("as expected")
    assert str(failed).endswith("exit 1, as expected")


def test_a_terminal_without_events_is_empty():
    assert not Terminal("#")
    assert run(("command", "true"))


def test_live_draws_the_last_output_even_when_nothing_follows():
    drawn = threading.Event()
    with Live(lambda last: drawn.set() if not last else None, interval=0.01) as live:
        live.changed()
        assert drawn.wait(5)


def test_live_is_gentle_and_always_draws_the_end():
    draws = []
    with Live(draws.append, interval=0.2) as live:
        for _ in range(1000):
            live.changed()
    assert draws[-1] is True
    assert len(draws) < 20
    assert not any(thread.name == "dnetkit-live" for thread in threading.enumerate())


def test_live_draws_the_end_when_the_body_raises():
    draws = []
    with pytest.raises(KeyboardInterrupt), Live(draws.append):
        raise KeyboardInterrupt
    assert draws == [True]
