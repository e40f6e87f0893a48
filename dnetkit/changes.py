"""The changes between two snapshots, shown as a person would tell them; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from dnetkit.display import Html, joined, tag, wrap
from dnetkit.model import Change, Snapshot
from dnetkit.telling import Group, tell
from dnetkit.words import SIGNS

__all__ = ["Changes"]

_CLASSES = {"+": "dnk-added", "-": "dnk-removed", "~": "dnk-changed"}


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
            return tag("p", "Nothing changed.")
        return joined(
            [tag("p", tag("b", "What changed:")), tag("ul", *map(_item, self.groups), style="list-style:none")]
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        return {"text/plain": str(self), "text/html": wrap(self._html())}


def _item(group: Group) -> Html:
    head = tag("span", f"{group.sign} {group.headline}", class_=_CLASSES[group.sign])
    if not group.details:
        return tag("li", head)
    lines = (
        tag("li", tag("span", f"{SIGNS[one.verb]} {one.text}", class_=_CLASSES[SIGNS[one.verb]]))
        for one in group.details
    )
    return tag("li", tag("details", tag("summary", head), tag("ul", *lines, style="list-style:none")))
