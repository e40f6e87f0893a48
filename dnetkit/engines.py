"""The Docker Engines that labs can run: the machine's own, or one unpacked into the user's cache.

A cached engine is Debian's packages, downloaded and unpacked but never installed: nothing is enabled, started or
configured on the machine, and no root is needed.

    $XDG_CACHE_HOME/dnetkit/engines/
    ├── .lock                         held while one is fetched
    └── 20.10.24+dfsg1-1+deb12u1/     the version of the package docker.io
        ├── engine.json               {"version": "20.10.24", "packages": {"docker.io": ..., "runc": ...}}
        └── usr/bin, usr/sbin, ...
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dnetkit import programs
from dnetkit.errors import EngineError

__all__ = ["PARTS", "Engine", "cache_directory", "fetch_engine", "find_engine", "installed_engines", "no_engine"]

PARTS = ("dockerd", "docker", "containerd", "containerd-shim-runc-v2", "runc", "docker-proxy")
"""The programs that make up an engine; one without all of them is not used."""

ANSWERS = ("dockerd", "docker", "containerd", "runc")
"""Those of them that answer --version."""

PACKAGES = ("docker.io", "containerd", "runc")
LOCKED = ".lock"
UNFINISHED = ".fetch-"
RECORD = "engine.json"
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
        return f"Docker Engine {self.version}, {origin}: {_program(self.path, 'dockerd')}"


def find_engine(name: str = "auto") -> Engine:
    """The engine to run: 'auto' (the machine's own, else the newest in the cache), 'system', or a version such as '28'.

    Raises EngineError, with what to do, when there is none of that name.
    """
    engines = installed_engines()
    if not engines:
        raise no_engine()
    if name == "auto":
        return engines[0]
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
    cached = [_cached_engine(tree) for tree in _trees()]
    found = sorted((engine for engine in cached if engine), key=lambda engine: _order(engine.version), reverse=True)
    return [system, *found] if system else found


def fetch_engine(progress: Callable[[str], object] = print) -> Engine:
    """Download Debian's Docker Engine and unpack it into the cache; when that version is there already, just return it.

    Safe when two processes do it at once. Raises EngineError when apt has no such package or cannot download it.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if programs.find(tool) is None:
            raise EngineError(
                f"An engine is fetched with Debian's tools, and {tool} is not here.",
                f"Install a Docker Engine by other means: {', '.join(PARTS)} must be on PATH.",
            )
    directory = cache_directory() / "engines"
    with _lock(directory):
        names, version = _wanted()
        tree = directory / version.replace(":", "_")
        if (engine := _cached_engine(tree)) is not None:
            return engine
        scratch = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=directory))
        try:
            progress(f"Downloading {', '.join(names)} ({version}) with apt-get download ...")
            unpacked = _unpack(names, scratch)
            progress(f"Unpacking it into {tree} ...")
            shutil.rmtree(tree, ignore_errors=True)  # what is there has no complete engine in it
            unpacked.rename(tree)
        except OSError as error:
            raise EngineError(f"The engine could not be unpacked: {error}", f"Look at {directory}.") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    engine = _cached_engine(tree)
    if engine is None:
        raise EngineError(f"The engine that was unpacked into {tree} is not complete.", "Run: dnetkit engine fetch")
    return engine


def cache_directory() -> Path:
    """Where dnetkit keeps this user's files; XDG Base Directory Specification: a relative XDG_CACHE_HOME is ignored."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "dnetkit"


def _wanted() -> tuple[list[str], str]:
    """The packages to unpack, and the version of docker.io among them."""
    asked = ["docker.io"]
    if programs.run(
        ["apt-cache", "show", "--no-all-versions", "docker-cli"]
    ).ok:  # a package of its own since Debian 13
        asked.append("docker-cli")
    plan = programs.run(["apt-get", "-s", "-o", "Debug::NoLocking=1", "--no-install-recommends", "install", *asked])
    shown = programs.run(["apt-cache", "show", "--no-all-versions", "docker.io"])
    version = re.search(r"^Version: (\S+)$", shown.stdout, re.MULTILINE)
    if not plan.ok or version is None:
        raise EngineError(
            f"apt cannot install the package docker.io: {(shown if plan.ok else plan).reason}",
            "Bring its lists up to date, then try again: sudo apt-get update",
        )
    # 'Inst NAME (VERSION ...)' is new; 'Inst NAME [OLD] (NEW ...)' would replace a library that the machine runs on.
    new = re.findall(r"^Inst (\S+) \(", plan.stdout, re.MULTILINE)
    return list(dict.fromkeys([*asked, *PACKAGES, *new])), version[1]


def _unpack(names: list[str], scratch: Path) -> Path:
    """Download and unpack the packages below scratch; returns a tree whose programs were seen to run."""
    # Debian's own user for downloads cannot write to a folder of root's; apt would say so and go on as root anyway.
    unsandboxed = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    got = programs.run(["apt-get", "-qq", *unsandboxed, "download", *names], cwd=scratch, timeout=1200)
    if not got.ok:
        raise EngineError(f"The engine could not be downloaded: {got.reason}", "Is there a network? Then try again.")
    tree = scratch / "tree"
    packages = {}
    for package in sorted(scratch.glob("*.deb")):
        named = programs.run(["dpkg-deb", "--show", "--showformat", "${Package} ${Version}", package])
        unpacked = programs.run(["dpkg-deb", "--extract", package, tree], timeout=300)
        if not (named.ok and unpacked.ok):
            raise EngineError(f"{package.name} could not be unpacked: {(named if unpacked.ok else unpacked).reason}")
        name, _, version = named.stdout.partition(" ")
        packages[name] = version
        package.unlink()
    path, library_path = _directories(tree)
    for part in PARTS:
        if _program(path, part) is None:
            raise EngineError(f"There is no {part} in the packages {', '.join(sorted(packages))}.")
    versions = {part: _version(path, library_path, part) for part in ANSWERS}
    record = {"version": versions["dockerd"], "packages": packages}
    (tree / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return tree


def _system_engine() -> Engine | None:
    found = [programs.find(part) for part in PARTS]
    directories = tuple(dict.fromkeys(program.parent for program in found if program))
    if None in found:
        return None
    try:
        return Engine(_version(directories, (), "dockerd"), directories)
    except EngineError:
        return None


def _cached_engine(tree: Path) -> Engine | None:
    try:
        version = str(json.loads((tree / RECORD).read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    path, library_path = _directories(tree)
    if any(_program(path, part) is None for part in PARTS):
        return None
    return Engine(version, path, library_path, "cache")


def _version(path: tuple[Path, ...], library_path: tuple[Path, ...], part: str) -> str:
    """What the program says its version is; raises EngineError when it does not run."""
    program = _program(path, part)
    environment = {LIBRARIES: os.pathsep.join(map(str, library_path))} if library_path else {}
    said = programs.run([program or part, "--version"], environment=environment)
    number = re.search(r"\d+(\.\d+)+", said.stdout)
    if not said.ok or number is None:
        raise EngineError(f"{part} does not run on this machine: {said.reason}")
    return number[0]


def _directories(tree: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The directories with programs and those with shared libraries."""
    path = tuple(tree / place for place in ("usr/sbin", "usr/bin", "sbin", "bin") if (tree / place).is_dir())
    places = [directory for lib in ("usr/lib", "lib") for directory in (tree / lib, *sorted((tree / lib).glob("*-*")))]
    return path, tuple(place for place in places if next(place.glob("*.so.*"), None) is not None)


def _program(path: tuple[Path, ...], name: str) -> Path | None:
    found = shutil.which(name, path=os.pathsep.join(map(str, path))) if path else None
    return Path(found) if found else None


def _trees() -> Iterator[Path]:
    directory = cache_directory() / "engines"
    if directory.is_dir():
        yield from (tree for tree in directory.iterdir() if not tree.name.startswith("."))


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    """Hold the lock of the cache, and remove what a fetch that was killed left: no one else can be at it now."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / LOCKED).open("w")
    except OSError as error:
        raise EngineError(
            f"The cache cannot be written: {error}", "Set XDG_CACHE_HOME to a folder of yours."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in directory.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
