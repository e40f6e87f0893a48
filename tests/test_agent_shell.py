"""Where one command of a script ends and the next begins, as bash itself sees it; and what belongs to which output."""

from __future__ import annotations

import random
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnetkit.agent.shell import OUTPUT_LIMIT, _is_simple, _Output, split


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("", []),
        ("\n\n  \n# only a remark\n", []),
        ("a\nb", ["a", "b"]),
        ("a; b && c | d", ["a; b && c | d"]),
        ("# why\na", ["# why\na"]),
        ("a # why\nb", ["a # why", "b"]),
        ("if x\nthen\n  y\nfi\nz", ["if x\nthen\n  y\nfi", "z"]),
        ("for i in 1 2; do\n\n  echo $i\ndone", ["for i in 1 2; do\n\n  echo $i\ndone"]),
        ("f() {\n  a\n}\nf", ["f() {\n  a\n}", "f"]),
        ("cat <<END\nif then (\n\nEND\nb", ["cat <<END\nif then (\n\nEND", "b"]),
        ("cat <<'A' <<-B\nx\nA\n\ty\n\tB\nz", ["cat <<'A' <<-B\nx\nA\n\ty\n\tB", "z"]),
        ("a \\\n  b\nc", ["a \\\n  b", "c"]),
        ("echo 'one\ntwo'\nb", ["echo 'one\ntwo'", "b"]),
        ('echo "$(date\n)"\nb', ['echo "$(date\n)"', "b"]),
        ("a |\nb\nc", ["a |\nb", "c"]),
        ("a &\nb", ["a &", "b"]),
        ("(\n a\n)\n{ b; }", ["(\n a\n)", "{ b; }"]),
        ("case $x in\n a) b;;\nesac", ["case $x in\n a) b;;\nesac"]),
        ("  indented\n\ttoo", ["  indented", "\ttoo"]),
        ("echo 网络 é\nb", ["echo 网络 é", "b"]),
        ("a\r\nb", ["a", "b"]),
        ("x=1\n# a remark at the end", ["x=1"]),
    ],
)
def test_a_script_is_cut_into_its_commands(script: str, commands: list[str]) -> None:
    assert split(script) == commands


@pytest.mark.parametrize(
    "script", ["if x", "echo 'a", 'a\nb "', "(", "a\nfor i in 1; do", "a &&", "a |", "fi", "a )", "}"]
)
def test_a_script_that_never_ends_or_makes_no_sense_is_refused_in_bashs_words(script: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        split(script)


@given(st.lists(st.sampled_from(["a", "b 'c\nd'", "if x\nthen y\nfi", "cat <<E\n(\nE", "w \\\n z"]), max_size=6))
def test_commands_put_together_come_apart_again(commands: list[str]) -> None:
    assert split("\n".join(commands)) == commands


PIECES = [
    "a",
    "if",
    "done",
    "time",
    "{",
    "x=1",
    "'b c'",
    "'",
    '"d"',
    '"$(',
    "|",
    "||",
    "\n",
    "#",
    "\\",
    "$x",
    "~/*",
    "!",
    "e&",
]


@given(st.lists(st.sampled_from(PIECES), max_size=7), st.sampled_from(["", " "]))
def test_what_is_taken_for_a_complete_command_without_asking_bash_is_one_for_bash(pieces: list[str], gap: str) -> None:
    text = gap.join(pieces)
    if all(_is_simple(part) for part in text.split("|")):
        assert subprocess.run(["bash", "-n", "-c", f"f() {{\n{text}\n}}"], check=False).returncode == 0


@pytest.mark.parametrize("text", ["docker run -d --name web -p 8080:80 httpd", "ip -j link | grep 'a b' | wc -l"])
def test_bash_is_not_asked_about_plain_commands(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert split(text) == [text]


# What is output and what is not

TOKEN = b"0123456789abcdef"


def passed_on(pieces: list[bytes]) -> tuple[str, _Output]:
    told: list[str] = []

    def tell(**event: Any) -> None:
        told.append(event["text"])

    output = _Output("stdout", TOKEN, tell)
    for piece in pieces:
        if output.take(piece):
            break
    return "".join(told), output


@given(st.binary(max_size=300), st.integers(0, 255), st.randoms(use_true_random=False))
def test_however_the_bytes_arrive_output_is_passed_on_and_the_mark_is_not(
    data: bytes, status: int, draw: random.Random
) -> None:
    data = data.replace(TOKEN, b"")
    whole = data + TOKEN + str(status).encode() + b".\n"
    cuts = sorted(draw.randrange(1, len(whole)) for _ in range(draw.randrange(6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]
    text, output = passed_on(pieces)
    assert text == data.decode(errors="replace")
    assert (output.status, output.done) == (status, True)


def test_the_beginning_of_a_mark_that_does_not_go_on_is_output() -> None:
    text, output = passed_on([TOKEN[:7], b"-", TOKEN[:3], b""])
    assert text == (TOKEN[:7] + b"-" + TOKEN[:3]).decode()
    assert (output.status, output.done) == (None, True)


def test_what_is_too_much_is_counted_and_left_out() -> None:
    text, _ = passed_on([b"x" * 1_000_000] * 3 + [TOKEN + b"0.\n"])
    assert text.startswith("x" * OUTPUT_LIMIT + "\n[... 1,000,000 more bytes left out]")
