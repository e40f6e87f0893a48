"""Draw the network: machines, bridges, namespaces, containers, the cables between them, and what the last step changed.

marks     the snapshot with what was removed still in it, each thing marked as added, removed or changed
staging   from there to a scene (scene): what belongs where, what is noise, in which order (ordering)
fitting   in which direction a scene fits a page
tunnels   which vxlans send to each other
focus     a part of a scene
words     a scene in sentences
drawing   a scene as a graphviz.Digraph (dot); nodes, labels, palette: how each thing looks; tips: on hovering
picture   Graphviz's SVG made fit for a page
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import graphviz  # type: ignore[import-untyped]  # it has no stubs

from dnetkit.diagram import fitting
from dnetkit.diagram.drawing import draw
from dnetkit.diagram.focus import focused
from dnetkit.diagram.marks import ChangesLike, marked
from dnetkit.diagram.palette import SIGNS
from dnetkit.diagram.picture import STYLE, inline, standalone
from dnetkit.diagram.scene import Scene
from dnetkit.diagram.staging import stage
from dnetkit.diagram.words import summary, tell
from dnetkit.display import Html, joined, tag, wrap
from dnetkit.errors import PictureError, UsageError
from dnetkit.model import Snapshot

__all__ = ["DETAILS", "DIRECTIONS", "FORMATS", "Diagram", "diagram"]

DETAILS = ("auto", "brief", "normal", "full")
DIRECTIONS = ("auto", "TB", "LR")
FORMATS = ("svg", "png", "pdf", "dot")

_MANY = 12
"""With more containers, detail 'auto' is 'brief'."""

_INSTALL = (
    "Install Graphviz: apt-get install graphviz (Debian, Ubuntu), brew install graphviz (macOS). Then draw it again."
)


def diagram(
    snapshot: Snapshot,
    changes: ChangesLike | None = None,
    detail: str = "auto",
    focus: str = "",
    direction: str = "auto",
) -> Diagram:
    """Draw a snapshot, with what the changes say marked in it.

    detail: 'brief' (names and addresses), 'normal' (each interface with its number), 'full' (MAC, MTU, default routes,
    lo); 'auto' is normal, and brief when there are many containers. focus: the name of a machine, container, network,
    namespace or bridge: that and its neighbours only. direction: 'TB' from the LAN down, 'LR' from left to right;
    'auto' takes what fits. Raises UsageError for anything else.
    """
    _one_of("detail", detail, DETAILS)
    _one_of("direction", direction, DIRECTIONS)
    scene = stage(marked(snapshot, changes), "normal" if detail == "auto" else detail)
    if focus:
        scene = focused(scene, focus)
    if detail == "auto" and scene.containers > _MANY:
        scene = replace(scene, detail="brief")
    return Diagram(scene, fitting.direction(scene) if direction == "auto" else direction)


@dataclass(frozen=True)
class Diagram:
    """A picture and the same in words; a notebook shows both."""

    scene: Scene
    direction: str = "TB"

    @cached_property
    def graph(self) -> graphviz.Digraph:
        """The graph, in Graphviz's terms; its colours are those for a light page."""
        return draw(self.scene, self.direction)

    @cached_property
    def text(self) -> str:
        """Everything that the picture shows, in sentences."""
        return tell(self.scene)

    def __str__(self) -> str:
        return self.text

    def svg(self) -> str:
        """The picture as an SVG document, light or dark as its reader prefers. Raises PictureError."""
        return standalone(self._rendered("svg").decode(), summary(self.scene))

    def save(self, path: str | Path) -> Path:
        """Write it as .svg, .png, .pdf or .dot.

        Raises UsageError for another ending, PictureError when it cannot be drawn or written.
        """
        path = Path(path)
        kind = path.suffix.removeprefix(".").lower()
        _one_of("file ending", kind, FORMATS)
        if kind == "svg":
            content = self.svg().encode()
        elif kind == "dot":
            content = self.graph.source.encode()
        else:
            content = self._rendered(kind)
        try:
            path.write_bytes(content)
        except OSError as error:
            raise PictureError(
                f"The picture could not be written: {path}: {error.strerror}", "Take another place."
            ) from error
        return path

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        """Where there is no Graphviz the words are shown, and what to install."""
        with ThreadPoolExecutor(1) as drawing:  # by a program of its own: meanwhile the words are put together
            drawn = drawing.submit(self._rendered, "svg")
            words = tag("pre", self.text)
        try:
            svg = inline(drawn.result().decode(), summary(self.scene))
        except PictureError as error:
            parts = [tag("p", str(error), class_="dnk-note"), words]
        else:
            parts = [
                tag("style", Html(STYLE)),
                tag("div", Html(svg), class_="dnk-picture"),
                self._legend(),
                tag("details", tag("summary", "The picture in words"), words),
            ]
        return {"text/plain": self.text, "text/html": wrap(joined(parts))}

    def _legend(self) -> Html:
        """What the signs mean, where there are any."""
        looks = {"added": "added (bold)", "removed": "removed (dashed, struck out)", "changed": "changed"}
        signs = [
            tag("span", tag("b", SIGNS[mark]), f" {looks[mark]}", class_=f"dnk-{mark}")
            for mark in looks
            if mark in self.scene.marks
        ]
        return (
            tag("p", joined(part for sign in signs for part in (sign, " \N{NO-BREAK SPACE} "))) if signs else Html("")
        )

    def _rendered(self, kind: str) -> bytes:
        try:
            return bytes(self.graph.pipe(format=kind))
        except graphviz.ExecutableNotFound as error:
            raise PictureError(
                "The picture needs Graphviz's program dot, which is not on this machine.", _INSTALL
            ) from error
        except subprocess.CalledProcessError as error:
            said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
            raise PictureError(
                f"Graphviz could not draw this: {said[0] if said else error}", "`.text` says the same."
            ) from error


def _one_of(what: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise UsageError(f"{given!r} is not a {what}.", f"There are: {', '.join(known)}.")
