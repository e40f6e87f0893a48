"""Draw the pictures in docs/ from real labs: lab.svg for README.md, model.svg for docs/architecture.md.

scripts/picture.py          both
scripts/picture.py model    that one
"""

from __future__ import annotations

import sys
from pathlib import Path

from dnetkit.diagram import diagram
from dnetkit.diff import diff
from dnetkit.lab import Lab

__all__ = ["PICTURES", "main"]

PICTURES = {
    "lab": (
        "docker run -d --name db busybox sleep 3600",
        "docker run -d --name web -p 8080:80 busybox httpd -f -p 80",
    ),
    "model": (
        "docker network create app\ndocker run -d --name db --network app busybox sleep 3600",
        "docker run -d --name web --network app -p 8080:80 busybox httpd -f -p 80",
    ),
}
"""What is there before, and the step whose changes are marked."""


def main(names: list[str]) -> None:
    """Open a lab for each, run both steps, draw it with what the second one changed."""
    for name in names or PICTURES:
        first, second = PICTURES[name]
        with Lab() as lab:
            lab.host.run(first)
            before = lab.snapshot()
            lab.host.run(second)
            after = lab.snapshot()
        print(diagram(after, diff(before, after)).save(Path(__file__).parents[1] / "docs" / f"{name}.svg"))


if __name__ == "__main__":
    main(sys.argv[1:])
