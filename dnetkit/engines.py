"""The Docker Engines that labs can run: the machine's own, or one unpacked into the user's cache.

A cached engine is Debian's packages, downloaded and unpacked but never installed: nothing is enabled, started or
configured on the machine, and no root is needed.

    $XDG_CACHE_HOME/dnetkit/engines/
    ├── .lock                         held while one is fetched (see fetching.py)
    └── 20.10.24+dfsg1-1+deb12u1/     the version of the package docker.io
        ├── engine.json               {"version": "20.10.24", "packages": {"docker.io": ..., "runc": ...}}
        └── usr/bin, usr/sbin, ...
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dnetkit import programs
from dnetkit.errors import EngineError

__all__ = [
    "ANSWERS",
    "PARTS",
    "RECORD",
    "Engine",
    "cache_directory",
    "cached_engine",
    "directories",
    "find_engine",
    "find_program",
    "installed_engines",
    "no_engine",
    "version_of",
]

PARTS = ("dockerd", "docker", "containerd", "containerd-shim-runc-v2", "runc", "docker-proxy")
"""The programs that make up an engine; one without all of them is not used."""

ANSWERS = ("dockerd", "docker", "containerd", "runc")
"""Those of them that answer --version."""

RECORD = "engine.json"
DEFAULT = "DNETKIT_ENGINE"
"""Environment: the engine that 'auto' stands for."""
LIBRARIES = "LD_LIBRARY_PATH"


@dataclass(frozen=True)
class Engine:
    """One Docker Engine.

    version: '20.10.24'. path: the directories to put first on PATH. library_path: those to put into LD_LIBRARY_PATH.
    source: 'system' (installed on the machine) or 'cache'.
    """

    version: str
    path: tuple[Path, ...]
    library_path: tuple[Path, ...] = ()
    source: str = "system"

    def describe(self) -> str:
        """One line for a person: version, where it comes from, where it is."""
        origin = "installed on this machine" if self.source == "system" else "in your cache"
        return f"Docker Engine {self.version}, {origin}: {find_program(self.path, 'dockerd')}"


def find_engine(name: str = "auto") -> Engine:
    """The engine to run: 'auto', 'system', or a version such as '28' or '20.10'.

    'auto' is what the environment variable DNETKIT_ENGINE names, else the machine's own engine, else the newest in the
    cache. Raises EngineError, with what to do, when there is none of that name.
    """
    engines = installed_engines()
    if not engines:
        raise no_engine()
    if name == "auto":
        name = os.environ.get(DEFAULT) or engines[0].version
    for engine in engines:
        if name in {engine.source, engine.version} or f"{engine.version}.".startswith(f"{name}."):
            return engine
    there = ", ".join(f"{engine.version} ({engine.source})" for engine in engines)
    raise EngineError(f"There is no Docker Engine {name!r} here.", f"There is: {there}.")


def no_engine() -> EngineError:
    """The error for a machine without any engine."""
    return EngineError(
        "There is no Docker Engine for labs to run.",
        "Run: dnetkit engine fetch (or, in the project's folder: make setup). "
        "It unpacks one into your cache; nothing is installed or started on this machine.",
    )


def installed_engines() -> list[Engine]:
    """The engines that are complete: the machine's own first, then those in the cache, the newest first."""
    system = _system_engine()
    cached = [cached_engine(tree) for tree in _trees()]
    found = sorted((engine for engine in cached if engine), key=lambda engine: _order(engine.version), reverse=True)
    return [system, *found] if system else found


def cache_directory() -> Path:
    """Where dnetkit keeps this user's files; XDG Base Directory Specification: a relative XDG_CACHE_HOME is ignored."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "dnetkit"


def _system_engine() -> Engine | None:
    found = [programs.find(part) for part in PARTS]
    places = tuple(dict.fromkeys(program.parent for program in found if program))
    if None in found:
        return None
    try:
        return Engine(version_of(places, (), "dockerd"), places)
    except EngineError:
        return None


def cached_engine(tree: Path) -> Engine | None:
    """The engine in that folder of the cache; None when there is no complete one."""
    try:
        version = str(json.loads((tree / RECORD).read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    path, library_path = directories(tree)
    if any(find_program(path, part) is None for part in PARTS):
        return None
    return Engine(version, path, library_path, "cache")


def version_of(path: tuple[Path, ...], library_path: tuple[Path, ...], part: str) -> str:
    """What the program says its version is; raises EngineError when it does not run."""
    program = find_program(path, part)
    environment = {LIBRARIES: os.pathsep.join(map(str, library_path))} if library_path else {}
    said = programs.run([program or part, "--version"], environment=environment)
    number = re.search(r"\d+(\.\d+)+", said.stdout)
    if not said.ok or number is None:
        raise EngineError(f"{part} does not run on this machine: {said.reason}")
    return number[0]


def directories(tree: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The directories with programs and those with shared libraries."""
    path = tuple(tree / place for place in ("usr/sbin", "usr/bin", "sbin", "bin") if (tree / place).is_dir())
    places = [directory for lib in ("usr/lib", "lib") for directory in (tree / lib, *sorted((tree / lib).glob("*-*")))]
    return path, tuple(place for place in places if next(place.glob("*.so.*"), None) is not None)


def find_program(path: tuple[Path, ...], name: str) -> Path | None:
    """Where the program is in these directories; None when it is in none of them."""
    found = shutil.which(name, path=os.pathsep.join(map(str, path))) if path else None
    return Path(found) if found else None


def _trees() -> Iterator[Path]:
    directory = cache_directory() / "engines"
    if directory.is_dir():
        yield from (tree for tree in directory.iterdir() if not tree.name.startswith("."))


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
