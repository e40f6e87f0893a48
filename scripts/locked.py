"""Print what uv.lock pins as pip constraints, for where uv itself cannot be had.

It reads the file line by line, because Python 3.10 has no tomllib and this runs before anything is installed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["constraints", "main"]


def constraints(lock: str) -> Iterator[str]:
    """`name==version` for every package that comes from an index; with its markers where a name is pinned twice."""
    for block in lock.split("[[package]]")[1:]:
        head = block.partition("[package.")[0]
        name, version = _string(head, "name"), _string(head, "version")
        if name is None or version is None or not re.search(r"^source = \{ registry", head, re.MULTILINE):
            continue
        forks = re.search(r"^resolution-markers = \[\n(.*?)^\]", head, re.MULTILINE | re.DOTALL)
        markers = re.findall(r'"(.*)",', forks[1]) if forks else []
        condition = " or ".join(f"({marker})" for marker in markers)
        yield f"{name}=={version} ; {condition}" if condition else f"{name}=={version}"


def main(arguments: list[str]) -> int:
    """Print the constraints of the lock file named on the command line."""
    print("\n".join(constraints(Path(arguments[0]).read_text(encoding="utf-8"))))
    return 0


def _string(block: str, key: str) -> str | None:
    found = re.search(rf'^{key} = "(.*)"$', block, re.MULTILINE)
    return found[1] if found else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
