"""Puts things into a notebook's output, once or redrawn in place; the only caller of IPython's display."""

from __future__ import annotations

from typing import cast

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import DisplayHandle, display

__all__ = ["Slot", "can_redraw", "show"]


def can_redraw(shell: InteractiveShell | None) -> bool:
    """Whether what is shown can be drawn again: in a notebook it can, in a terminal it cannot."""
    return getattr(shell, "kernel", None) is not None


def show(thing: object) -> None:
    """Show an object below what is there already."""
    display(thing)  # type: ignore[no-untyped-call]  # IPython does not type it


class Slot:
    """One place in the output. What is put there replaces what was; where nothing can be redrawn it comes below it."""

    def __init__(self, live: bool) -> None:
        self.live = live
        self._handle: DisplayHandle | None = None

    def put(self, thing: object) -> None:
        """Show it."""
        if self._handle is not None and self.live:
            self._handle.update(thing)  # type: ignore[no-untyped-call]  # as above
        else:
            handle = display(thing, display_id=True)  # type: ignore[no-untyped-call]  # as above
            self._handle = cast(DisplayHandle, handle)
