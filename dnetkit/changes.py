"""The changes between two snapshots, shown as a person would tell them; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from dnetkit.display import Html, joined, listed, signed, tag, wrap
from dnetkit.model import Change, Snapshot
from dnetkit.telling import Group, tell
from dnetkit.words import SIGNS

__all__ = ["Changes"]

_CLASSES = {"+": "added", "-": "removed", "~": "changed"}


@dataclass(frozen=True)
class Changes:
    """What `diff` found; false when there is nothing. Iterate for single changes, `groups` tells them in context."""

    before: Snapshot
    after: Snapshot
    items: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.items)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The changes that belong together, each under one headline."""
        return tell(self.items, self.before, self.after)

    def __str__(self) -> str:
        if not self:
            return "Nothing changed."
        lines = ["What changed:"]
        for group in self.groups:
            lines.append(f"{group.sign} {group.headline}")
            lines += [f"    {SIGNS[one.verb]} {one.text}" for one in group.details]
        return "\n".join(lines)

    def _html(self) -> Html:
        if not self:
            return tag("p", "Nothing changed.", class_="dnk-note")
        return joined([tag("p", "What changed:", class_="dnk-note"), listed(map(_row, self.groups))])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        return {"text/plain": str(self), "text/html": wrap(self._html())}


def _row(group: Group) -> Html:
    head = signed(group.sign, _CLASSES[group.sign], group.headline)
    if not group.details:
        return head
    details = (signed(SIGNS[one.verb], _CLASSES[SIGNS[one.verb]], one.text) for one in group.details)
    return tag("details", tag("summary", head), listed(details))
