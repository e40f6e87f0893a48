"""The subcommand `dnetkit images`: what labs can be opened with, what of it is made, and making it beforehand."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnetkit.work import Progress

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_images"]


def add_images(commands: Subparsers) -> None:
    """Dnetkit images [list], dnetkit images build [NAME ...] [--again]."""
    parser = commands.add_parser("images", help="what labs can be opened with: list it, make it beforehand")
    parser.set_defaults(carry_out=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="what there is, and what of it is in your cache (default)")
    listing.set_defaults(carry_out=_list)
    build = actions.add_parser("build", help="make images now, such as before a class; afterwards labs need no network")
    build.add_argument("names", metavar="NAME", nargs="*", help="such as redis (default: all of them)")
    build.add_argument("--again", action="store_true", help="make them anew, with the newest packages")
    build.set_defaults(carry_out=_build)


def _list(_: argparse.Namespace) -> int:
    from dnetkit import images  # noqa: PLC0415 - loaded when it is asked for

    rows = [("NAME", "SIZE", "FROM", "WHAT IT IS")]
    whole: dict[str, int] = {}
    for image in images.CATALOGUE:
        found = images.cached(image)
        if found is None:
            size, source = f"({image.recipe.size} MB)", "not in your cache"
        else:
            whole[str(found.path)] = found.path.stat().st_size
            size, source = f"{whole[str(found.path)] / 1e6:.0f} MB", found.source
        about = f"where no registry has it: {image.stand_in}" if image.stand_in else image.recipe.about
        rows.append((image.name, size, source, about))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for name, size, source, about in rows:
        print(f"{name:<{widths[0]}}  {size:>{widths[1]}}  {source:<{widths[2]}}  {about}")
    print(f"{sum(whole.values()) / 1e6:.0f} MB in {images.directory()}")
    return 0


def _build(arguments: argparse.Namespace) -> int:
    from dnetkit import images  # noqa: PLC0415 - loaded when it is asked for

    names = arguments.names or [image.name for image in images.CATALOGUE]
    made = images.archives(names, _tell(sys.stdout.isatty()), again=arguments.again)
    for archive in made.values():
        print(f"{archive.name}: {archive.source}, {archive.path.stat().st_size / 1e6:.0f} MB")
    return 0


def _tell(terminal: bool) -> Progress:
    """In a terminal one line for all, drawn again and again; elsewhere a line for each step."""

    def tell(news: str) -> None:
        from dnetkit.work import Report  # noqa: PLC0415 - loaded when it is asked for

        if not isinstance(news, Report):
            print(news, flush=True)
        elif not terminal:
            if news.begins:
                print(news, flush=True)
        elif news.task.note:
            print(f"\r\x1b[K{news}", flush=True)
        else:
            line = "   ".join(str(task) for task in news.tasks if not task.note)
            print(f"\r\x1b[K{line[:78]}", end="", flush=True)

    return tell
