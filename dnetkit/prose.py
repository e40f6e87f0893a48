"""Short Markdown, as hints and tasks are written in, as html."""

from __future__ import annotations

import re

from dnetkit.display import Html, joined, tag

__all__ = ["inline", "prose"]


def prose(text: str) -> Html:
    """Paragraphs, lists with '- ', fenced code, and what `inline` knows. Everything else is text."""
    return joined(_block(kind, lines) for kind, lines in _blocks(text))


def inline(text: str) -> Html:
    """`code` and **bold** in a line of text, without a paragraph around it."""
    pieces = re.split(r"`([^`]+)`|\*\*([^*]+)\*\*", text)
    shown: list[object] = []
    for place, piece in enumerate(pieces):
        if piece is not None:
            shown.append(piece if place % 3 == 0 else tag("code" if place % 3 == 1 else "b", piece))
    return joined(shown)


def _blocks(text: str) -> list[tuple[str, list[str]]]:
    """The text in pieces: ('pre', lines), ('ul', items) or ('p', lines)."""
    blocks: list[tuple[str, list[str]]] = []
    kind = ""  # of the block that the next line may still belong to
    for line in text.strip().splitlines():
        if line.startswith("```"):
            kind = "" if kind == "pre" else "pre"
            if kind:
                blocks.append((kind, []))
        elif kind == "pre":
            blocks[-1][1].append(line)
        elif not line.strip():
            kind = ""
        elif line.startswith("- "):
            if kind != "ul":
                blocks.append((kind := "ul", []))
            blocks[-1][1].append(line[2:])
        elif kind == "ul" and line.startswith("  "):
            blocks[-1][1][-1] += f" {line.strip()}"
        else:
            if kind != "p":
                blocks.append((kind := "p", []))
            blocks[-1][1].append(line.strip())
    return blocks


def _block(kind: str, lines: list[str]) -> Html:
    if kind == "pre":
        return tag("pre", "\n".join(lines))
    if kind == "ul":
        return tag("ul", *(tag("li", inline(item)) for item in lines))
    return tag("p", inline(" ".join(lines)))
