"""From Graphviz's SVG to one for a page: its colours follow the page's theme, it scales, it runs no script."""

from __future__ import annotations

import re
from html import escape

from dnetkit.diagram.palette import DARK, INK

__all__ = ["STYLE", "inline", "standalone"]

_VARIABLES = {colour: f"--dnk-c{number}" for number, colour in enumerate(DARK)}
_SMALLEST = 0.72
"""Of its full size: a wider picture than the page gets a scroll bar rather than letters that cannot be read."""


def _variables(colours: dict[str, str]) -> str:
    return "{" + "".join(f"{_VARIABLES[plain]}:{shown};" for plain, shown in colours.items()) + "}\n"


# The widths that Graphviz measured hold for letters that are not moved to whole pixels.
_LOOK = "svg text{font-family:Helvetica,Arial,sans-serif;text-rendering:geometricPrecision}\n" + "".join(
    f'svg [fill="{plain}"]{{fill:var({name})}}svg [stroke="{plain}"]{{stroke:var({name})}}\n'
    for plain, name in _VARIABLES.items()
)
_LIGHT = {plain: plain for plain in DARK}

# JupyterLab says on its body which theme it has, VS Code by a class. On another page the reader's wish decides.
STYLE = (
    ".dnk-picture{overflow-x:auto}\n.dnk-picture svg{display:block;height:auto}\n"
    + _LOOK.replace("svg ", ".dnk-picture ")
    + f".dnk-picture{_variables(_LIGHT)}"
    + f'[data-jp-theme-light="false"] .dnk-picture,.vscode-dark .dnk-picture{_variables(DARK)}'
    + "@media (prefers-color-scheme:dark){body:not([data-jp-theme-light]):not(.vscode-light) .dnk-picture"
    + _variables(DARK)
    + "}\n"
)
"""What a page needs so that a picture follows its theme; without it the colours are those for a light page."""

_ALONE = (
    f"{_LOOK}svg{{color-scheme:light dark;color:{INK}}}\nsvg{_variables(_LIGHT)}"
    + f"@media (prefers-color-scheme:dark){{svg{{color:#e6edf3}}svg{_variables(DARK)}}}"
)


def inline(svg: str, label: str) -> str:
    """The SVG for a page: `label` says what it shows to those who do not see it."""
    body, width, height = _themed(svg)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(label)}" style="width:{width:g}pt;max-width:100%;min-width:{width * _SMALLEST:.0f}pt">\n'
        f"<title>{escape(label)}</title>\n{body}</svg>"
    )


def standalone(svg: str, label: str) -> str:
    """The SVG as a file of its own, that follows what the reader prefers: light or dark."""
    body, width, height = _themed(svg)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}pt" height="{height:g}pt" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">\n'
        f"<title>{escape(label)}</title>\n<style>{_ALONE}</style>\n{body}</svg>\n"
    )


def _themed(svg: str) -> tuple[str, float, float]:
    """What is inside the <svg>, and its size in points."""
    found = re.search(r'viewBox="0\.00 0\.00 ([\d.]+) ([\d.]+)"[^>]*>\n?(.*)</svg>', svg, re.DOTALL)
    if found is None:
        raise ValueError("this is not what Graphviz writes")
    width, height, body = float(found[1]), float(found[2]), found[3]
    # The ids and names of nodes go: two pictures on one page would have the same. A tooltip becomes its part's <title>.
    body = _NOISE.sub("", body)
    body = _TOOLTIP.sub(r"<g><title>\1</title><g>", body).replace("</a>", "</g>")
    for old, new in _PLAIN.items():
        body = body.replace(old, new)
    return body, width, height


_NOISE = re.compile(r"<!--.*?-->\n?|<title>[^<]*</title>\n?| id=\"[^\"]*\"| xlink:href=\"[^\"]*\"", re.DOTALL)
_TOOLTIP = re.compile(r'<g><a xlink:title="([^"]*)">\n?')
_PLAIN = {
    ' font-family="Helvetica,Arial,sans-serif"': "",
    f'="{INK}"': '="currentColor"',
    '="transparent"': '="none"',
}
