"""Draw docs/lab.svg, the picture in README.md: a real lab, just after a container with a published port started."""

from __future__ import annotations

from pathlib import Path

from dnetkit.diagram import diagram
from dnetkit.diff import diff
from dnetkit.lab import Lab

__all__ = ["main"]


def main() -> None:
    """Open a lab, start two containers, draw it with what the second one changed."""
    with Lab() as lab:
        lab.host.run("docker run -d --name db busybox sleep 3600")
        before = lab.snapshot()
        lab.host.run("docker run -d --name web -p 8080:80 busybox httpd -f -p 80")
        after = lab.snapshot()
    print(diagram(after, diff(before, after)).save(Path(__file__).parents[1] / "docs" / "lab.svg"))


if __name__ == "__main__":
    main()
