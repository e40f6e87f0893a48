"""The colours of a picture: each is a plain one for a file, and gets another on a dark page."""

from __future__ import annotations

__all__ = [
    "BRIDGE",
    "CONTAINER",
    "DARK",
    "HEADING",
    "HEADS",
    "INK",
    "LAN",
    "LINE",
    "MACHINE",
    "MARKS",
    "NAMESPACE",
    "NOTE",
    "PUBLISHED",
    "SIGNS",
    "tint",
]

INK = "#1f2328"
"""Text; on a page it is the page's own colour of text."""
NOTE = "#5f6771"
LINE = "#868e96"
BRIDGE = "#0b63ce"
CONTAINER = "#0b7a75"
NAMESPACE = "#7a3fc4"
MACHINE = "#57606a"
LAN = "#495563"
PUBLISHED = "#b0530f"
HEADING = "#ffffff"
"""Text on a filled heading, in both themes."""

HEADS = {"bridge": "#0b63cd", "lan": "#495562", "added": "#1a7031", "removed": "#b3204c"}
"""What a heading is filled with, in both themes; each differs by one from the colour of its frame, which changes."""

MARKS = {"": INK, "added": "#1a7030", "removed": "#b3204d", "changed": "#8f5200"}
"""The colours of a change, as in display.STYLE."""

SIGNS = {"": "", "added": "+", "removed": "\N{MINUS SIGN}", "changed": "~"}

DARK = {
    NOTE: "#a3abb5",
    LINE: "#7d8590",
    BRIDGE: "#4c9bff",
    CONTAINER: "#2fc1b3",
    NAMESPACE: "#b78cff",
    MACHINE: "#8b949e",
    LAN: "#8b98a9",
    PUBLISHED: "#f0a15c",
    MARKS["added"]: "#6fd388",
    MARKS["removed"]: "#ff8fae",
    MARKS["changed"]: "#f0b35a",
}
"""What stands for a colour on a dark page; INK is left out, being the page's own."""


def tint(colour: str) -> str:
    """A faint fill of that colour, that lets a dark or a light page through."""
    return f"{colour}18"
