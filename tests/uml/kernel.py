"""Debian's user-mode Linux, a kernel that runs as an ordinary process: in the cache, downloaded where it is missing.

$XDG_CACHE_HOME/dnetkit/uml/6.1um4+b13/     the version of the package user-mode-linux
├── usr/bin/linux.uml
└── usr/lib/uml/modules/6.1.176/
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dnetkit import programs
from dnetkit.engines import cache_directory
from dnetkit.errors import SandboxError
from dnetkit.fetching import Apt

__all__ = ["PACKAGE", "Kernel", "find_kernel"]

PACKAGE = "user-mode-linux"


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be started: its program, its modules, and the version of its package."""

    program: Path
    modules: Path
    package: str

    @property
    def version(self) -> str:
        """What `uname -r` says in it."""
        return self.modules.name


def find_kernel(progress: Callable[[str], object] = print) -> Kernel:
    """The kernel in the cache, unpacked now if it is not there; raises SandboxError where it is not to be had."""
    place = cache_directory() / "uml"
    if kept := [found for tree in sorted(place.glob("[0-9]*")) if (found := _whole(tree))]:
        return kept[-1]
    for tool in ("apt-get", "dpkg-deb"):
        if programs.find(tool) is None:
            raise SandboxError(
                f"The kernel is Debian's package {PACKAGE}, and {tool} is not here to get it with.",
                f"Unpack that package into {place / 'VERSION'}.",
            )
    apt = Apt()
    version = apt.version(PACKAGE)
    if version is None:
        raise SandboxError(
            f"This machine's apt has no package {PACKAGE}.",
            "Debian 12 has it. If this is one: bring apt's lists up to date (sudo apt-get update).",
        )
    place.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".fetch-", dir=place))
    try:
        progress(f"Downloading {PACKAGE} ({version}), 41 MB, with apt-get download ...")
        got = apt.run("apt-get", "-qq", "download", PACKAGE, cwd=scratch, timeout=1200)
        package = next(scratch.glob("*.deb"), None)
        if not got.ok or package is None:
            raise SandboxError(
                f"{PACKAGE} could not be downloaded: {got.reason}", "Is there a network? Then try again."
            )
        tree = scratch / "tree"
        unpacked = programs.run(["dpkg-deb", "--extract", package, tree], timeout=300)
        if not unpacked.ok or _whole(tree) is None:
            reason = "it holds no usr/bin/linux.uml with modules" if unpacked.ok else unpacked.reason
            raise SandboxError(f"{package.name} is of no use: {reason}")
        target = place / version.replace(":", "_")
        shutil.rmtree(target, ignore_errors=True)
        tree.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    found = _whole(target)
    assert found is not None
    return found


def _whole(tree: Path) -> Kernel | None:
    program = tree / "usr/bin/linux.uml"
    modules = next(iter(sorted((tree / "usr/lib/uml/modules").glob("*/modules.dep"))), None)
    return Kernel(program, modules.parent, tree.name) if program.is_file() and modules else None
