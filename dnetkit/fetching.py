"""Get a Docker Engine from the distribution's packages into the cache: of this release, or a newer one of another.

Packages are downloaded and unpacked with apt-get and dpkg-deb, which needs no root; nothing is installed, and no
service is started. For another release a private set of package lists is used; the machine's own is not touched.
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
from dnetkit.engines import (
    ANSWERS,
    PARTS,
    RECORD,
    Engine,
    cache_directory,
    cached_engine,
    directories,
    find_program,
    version_of,
)
from dnetkit.errors import EngineError

__all__ = ["fetch_engine"]

PACKAGES = ("docker.io", "containerd", "runc")
LOCKED = ".lock"
UNFINISHED = ".fetch-"
KEYRINGS = ("debian-archive-keyring.gpg", "ubuntu-archive-keyring.gpg")
SOURCES = re.compile(r"^(\S+)\|(?!\S*-)(\S+)\|main$", re.MULTILINE)


@dataclass(frozen=True)
class Apt:
    """How apt's tools are called: with their own settings, or with `options` that lead them to another release."""

    options: tuple[str, ...] = ()

    def run(self, *command: str, cwd: Path | None = None, timeout: float = 120.0) -> programs.Ended:
        """Run one of apt's programs to its end."""
        # Debian's own user for downloads cannot write to a folder of root's; apt would say so and go on as root anyway.
        unsandboxed = ("-o", "APT::Sandbox::User=root") if os.geteuid() == 0 else ()
        return programs.run([command[0], *self.options, *unsandboxed, *command[1:]], cwd=cwd, timeout=timeout)

    def version(self, package: str) -> str | None:
        """The version that would be downloaded; None when apt knows no such package."""
        shown = self.run("apt-cache", "show", "--no-all-versions", package)
        found = re.search(r"^Version: (\S+)$", shown.stdout, re.MULTILINE)
        return found[1] if found else None


def fetch_engine(
    progress: Callable[[str], object] = print, release: str = "", archive: str = "", keyring: Path | None = None
) -> Engine:
    """Download an engine and unpack it into the cache; when that version is there already, just return it.

    release: another release, such as 'trixie' or 'sid', whose engine is wanted. archive: the URI that it is found at,
    where that is not this distribution's: Ubuntu's, say, on Debian. keyring: the file of keys that its lists are signed
    with, where it is not one that this machine has in its usual place. A part that does not run here (it needs a newer
    libc) is taken from this machine's release. Safe when two processes do it at once. Raises EngineError when apt has
    no such release or package, does not trust it, or cannot download it.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if programs.find(tool) is None:
            raise EngineError(
                f"An engine is fetched with Debian's tools, and {tool} is not here.",
                f"Install a Docker Engine by other means: {', '.join(PARTS)} must be on PATH.",
            )
    directory = cache_directory() / "engines"
    with _lock(directory), _scratch(directory) as scratch:
        apt = _of_release(release, archive, keyring, scratch / "apt", progress) if release else Apt()
        names, version = _wanted(apt)
        tree = directory / version.replace(":", "_")
        if (engine := cached_engine(tree)) is not None:
            return engine
        progress(f"Downloading {', '.join(names)} ({version}) with apt-get download ...")
        unpacked = _unpack(apt, names, scratch)
        progress(f"Unpacking it into {tree} ...")
        shutil.rmtree(tree, ignore_errors=True)  # what is there has no complete engine in it
        unpacked.rename(tree)
    engine = cached_engine(tree)
    if engine is None:
        raise EngineError(f"The engine that was unpacked into {tree} is not complete.", "Run: dnetkit engine fetch")
    return engine


def _of_release(
    release: str, archive: str, keyring: Path | None, directory: Path, progress: Callable[[str], object]
) -> Apt:
    """An apt with the lists of another release, by default from the place that this machine's packages come from."""
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", release):
        raise EngineError(f"{release!r} is not the name of a release.", "Names are such as trixie, sid or noble.")
    if not re.fullmatch(r"(\w+://\S+)?", archive):
        raise EngineError(f"{archive!r} is not the address of an archive.", "It begins with http:// or https://.")
    keyrings = [path for name in KEYRINGS if (path := Path("/usr/share/keyrings", name)).is_file()]
    if keyring is not None:
        if not keyring.is_file():
            raise EngineError(f"There is no keyring {keyring}.", "Name the file with --keyring.")
        keyrings = [keyring.resolve()]
    (directory / "lists" / "partial").mkdir(parents=True)
    (directory / "cache" / "archives" / "partial").mkdir(parents=True)
    sources = directory / "sources.list"
    signed = f"[signed-by={','.join(map(str, keyrings))}] " if keyrings else ""
    # Ubuntu has its engine in 'universe'; of a component that an archive does not have apt only says so.
    sources.write_text(f"deb {signed}{archive or _own_archive()} {release} main universe\n", encoding="utf-8")
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": directory / "lists",
        "Dir::Cache": directory / "cache",
        "APT::Get::List-Cleanup": "0",
    }
    apt = Apt(tuple(word for name, value in options.items() for word in ("-o", f"{name}={value}")))
    progress(f"Reading the package lists of {release} ...")
    updated = apt.run("apt-get", "-q", "update", timeout=300)
    if not updated.ok or apt.version("docker.io") is None:
        hint = "Is that a release of this distribution? --from URI names the archive of another."
        if "NO_PUBKEY" in updated.stdout + updated.stderr:
            hint = "Its lists are signed with a key that is not known here: name the file of its keys with --keyring."
        raise EngineError(f"apt found no docker.io in {release}: {updated.reason}", hint)
    return apt


def _own_archive() -> str:
    """Where this machine's own packages come from."""
    asked = programs.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(CODENAME)|$(COMPONENT)", "Created-By: Packages"]
    )
    found = SOURCES.search(asked.stdout)
    if found is None:
        raise EngineError("apt does not say where this machine's packages come from.", "Look at: apt-get indextargets")
    return found[1]


def _wanted(apt: Apt) -> tuple[list[str], str]:
    """The packages to unpack, and the version of docker.io among them."""
    asked = ["docker.io"]
    if apt.version("docker-cli"):  # a package of its own since Debian 13
        asked.append("docker-cli")
    version = apt.version("docker.io")
    if apt.options:  # its libraries would be those of the other release, with another libc
        assert version is not None
        return [*asked, *PACKAGES[1:]], version
    plan = apt.run("apt-get", "-s", "-o", "Debug::NoLocking=1", "--no-install-recommends", "install", *asked)
    if not plan.ok or version is None:
        raise EngineError(
            f"apt cannot install the package docker.io: {plan.reason}",
            "Bring its lists up to date, then try again: sudo apt-get update",
        )
    # 'Inst NAME (VERSION ...)' is new; 'Inst NAME [OLD] (NEW ...)' would replace a library that the machine runs on.
    new = re.findall(r"^Inst (\S+) \(", plan.stdout, re.MULTILINE)
    return list(dict.fromkeys([*asked, *PACKAGES, *new])), version


def _unpack(apt: Apt, names: list[str], scratch: Path) -> Path:
    """Download and unpack the packages below scratch; returns a tree whose programs were seen to run."""
    tree = scratch / "tree"
    packages = _add(apt, names, scratch, tree)
    path, library_path = directories(tree)
    versions: dict[str, str] = {}
    for part in ANSWERS:
        try:
            versions[part] = version_of(path, library_path, part)
        except EngineError:
            if part not in PACKAGES or not apt.options:
                raise
            packages |= _add(Apt(), [part], scratch, tree)
            versions[part] = version_of(path, library_path, part)
    for part in PARTS:
        if find_program(path, part) is None:
            raise EngineError(f"There is no {part} in the packages {', '.join(sorted(packages))}.")
    record = {"version": versions["dockerd"], "packages": packages}
    (tree / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return tree


def _add(apt: Apt, names: list[str], scratch: Path, tree: Path) -> dict[str, str]:
    """Download packages and unpack them into a tree, over what is there; returns their versions."""
    got = apt.run("apt-get", "-qq", "download", *names, cwd=scratch, timeout=1200)
    if not got.ok:
        raise EngineError(f"The engine could not be downloaded: {got.reason}", "Is there a network? Then try again.")
    packages = {}
    for package in sorted(scratch.glob("*.deb")):
        named = programs.run(["dpkg-deb", "--show", "--showformat", "${Package} ${Version}", package])
        unpacked = programs.run(["dpkg-deb", "--extract", package, tree], timeout=300)
        if not (named.ok and unpacked.ok):
            raise EngineError(f"{package.name} could not be unpacked: {(named if unpacked.ok else unpacked).reason}")
        name, _, version = named.stdout.partition(" ")
        packages[name] = version
        package.unlink()
    return packages


@contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    """A folder to work in, gone at the end."""
    scratch = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=directory))
    try:
        yield scratch
    except OSError as error:
        raise EngineError(f"The engine could not be unpacked: {error}", f"Look at {directory}.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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
