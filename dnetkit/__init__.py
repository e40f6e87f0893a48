"""Learn Docker networking on real engines: labs, snapshots, changes, diagrams, chapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnetkit.version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What `%load_ext dnetkit` calls."""
    from dnetkit.magics import load  # noqa: PLC0415 - the command line and the agent must not wait for IPython

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """What `%unload_ext dnetkit` calls."""
    from dnetkit.magics import unload  # noqa: PLC0415 - as above

    unload(shell)
