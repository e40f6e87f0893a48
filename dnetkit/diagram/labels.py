"""The labels of a picture: Graphviz's HTML-like tables, escaped; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape

from dnetkit.diagram.palette import INK, MARKS, NOTE, SIGNS

__all__ = [
    "LARGE",
    "MEDIUM",
    "NODE_SIZE",
    "SMALL",
    "Label",
    "cell",
    "grid",
    "lines",
    "port_id",
    "row",
    "signed",
    "small",
    "strong",
    "text",
]


# Graphviz measures letters that are moved to whole pixels. At 9, 10.5 and 12 points it finds them a little wider than a
# browser draws them (with DejaVu Sans and with Arial); at 10 or 11 narrower, so that words would run over their frames.
# A label's point-size is cut to a whole number: 0 leaves it out, and gives the size of the node.
SMALL, MEDIUM, LARGE = 9, 0, 12
NODE_SIZE = "10.5"


class Label(str):
    """Graphviz markup: not escaped again."""

    __slots__ = ()


def text(content: str, colour: str = "", size: float = 0, *, struck: bool = False) -> Label:
    """Any text, made safe."""
    if not content:
        return Label("")
    if isinstance(content, Label):
        made: str = content
    else:
        made = escape(content).replace("\\", "&#92;")
    if struck:
        made = f"<s>{made}</s>"
    attributes = f' color="{colour}"' if colour else ""
    attributes += f' point-size="{size:g}"' if size else ""
    return Label(f"<font{attributes}>{made}</font>" if attributes else made)


def strong(content: str, colour: str = "", size: float = 0, *, struck: bool = False) -> Label:
    """The same, bold."""
    made = text(content, colour, size, struck=struck)
    return Label(f"<b>{made}</b>") if made else made


def small(content: str, colour: str = NOTE) -> Label:
    """What is said besides."""
    return text(content, colour, SMALL)


def signed(content: str, mark: str, *, bold: bool = False, size: float = 0, colour: str = "") -> Label:
    """Text with the sign and the colour of its mark; what was removed is struck through too."""
    write = strong if bold or mark == "added" else text
    colour = MARKS[mark] if mark else colour
    made = write(content, colour, size, struck=mark == "removed")
    return Label(strong(SIGNS[mark] + " ", colour, size) + made) if mark else made


def lines(*content: str, align: str = "") -> Label:
    """One below the other; empty ones are left out."""
    ending = f'<br align="{align}"/>' if align else "<br/>"
    found = [part for part in content if part]
    return Label(ending.join(found) + (ending if align and found else ""))


def cell(content: str, **attributes: object) -> Label:
    """A cell; an empty one gets a space, since Graphviz refuses it."""
    return Label(f"<td{_attributes(attributes)}>{content or ' '}</td>")


def row(cells: Iterable[str]) -> Label:
    """A row of cells."""
    return Label(f"<tr>{''.join(cells)}</tr>")


def grid(rows: Sequence[str], **attributes: object) -> Label:
    """A table; without rows it is nothing."""
    return Label(f"<table{_attributes(attributes)}>{''.join(rows)}</table>") if rows else Label("")


@lru_cache(4096)
def port_id(name: str) -> str:
    """The name of an interface's cell, of letters and digits only, another for each interface."""
    return "p" + re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}_", name)


def _attributes(attributes: dict[str, object]) -> str:
    """Sizes, colours and names of cells: nothing in them needs to be escaped."""
    if "border" in attributes and "color" not in attributes:
        attributes = {**attributes, "color": INK}
    return "".join([f' {name}="{value}"' for name, value in attributes.items() if value != ""])
