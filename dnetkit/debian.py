"""Debian packages for images: found and downloaded by apt, with its checks of signature and digest, never installed.

apt works in a directory of ours with nothing installed in it, so that an ordinary user can do this, and that the
machine's own lists may be old or missing. The sources, keyrings and proxies are the machine's.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnetkit import programs
from dnetkit.errors import ImageError
from dnetkit.work import Job

__all__ = ["Package", "Packages", "own_sources", "parse_plan"]

_OFFLINE = (
    "An image is made once, with a network; then it is in your cache and labs need none. "
    "With a network, run: dnetkit images build {name}"
)


_PATIENCE = 120.0  # seconds without anything new until apt is taken to hang, as it does on a full disk


@dataclass(frozen=True)
class Package:
    """A package that apt would download: its file's name and its size in bytes."""

    name: str
    version: str
    file: str
    size: int


class Packages:
    """Packages in a directory, which is the caller's: each is downloaded once, also for several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lists = threading.Lock()
        self._download = threading.Lock()
        self._ready = False

    def find(self, job: Job, names: Sequence[str], without: Sequence[str] = ()) -> list[Package]:
        """These packages and what they depend on, but for those whose whole name matches a pattern of `without`."""
        job.tell("asking Debian for its packages")
        with self._lists:
            if not self._ready:
                self._prepare(job)
                self._ready = True
        plan = self._apt(job, "apt-get", "-qq", "--print-uris", "--no-install-recommends", "install", *names)
        left_out = [re.compile(pattern) for pattern in without]
        return [p for p in parse_plan(plan) if not any(pattern.fullmatch(p.name) for pattern in left_out)]

    def download(self, job: Job, packages: Sequence[Package]) -> list[Path]:
        """The files of the packages, downloaded where they are missing."""
        directory = self._directory / "archives"
        wanted = {package.name: directory / package.file for package in packages}
        total = sum(package.size for package in packages) or 1
        job.tell("waiting for its turn to download")
        with self._download:
            directory.mkdir(exist_ok=True)
            missing = [package for package in packages if not wanted[package.name].exists()]
            had = total - sum(package.size for package in missing)
            doing = f"downloading {len(packages)} packages, {total / 1e6:.0f} MB,"
            job.tell(doing, had / total)

            def heard(done: float) -> None:
                job.tell(doing, had / total + (1 - had / total) * done)

            if missing:
                named = [f"{package.name}={package.version}" for package in missing]
                self._apt(job, "apt-get", "-qq", "download", *named, cwd=directory, heard=heard)
        for package in packages:
            if not wanted[package.name].is_file():
                raise ImageError(f"apt did not download {package.file}.")
        return list(wanted.values())

    def _prepare(self, job: Job) -> None:
        for tool in ("apt-get", "dpkg-deb"):
            if programs.find(tool) is None:
                raise ImageError(
                    f"No registry gives the image {job.name}, and {tool}, which it would be built with, is not here.",
                    "Install skopeo, which asks a registry; DNETKIT_REGISTRY names one that is not the public one.",
                )
        for folder in ("lists/partial", "cache/archives/partial"):
            (self._directory / folder).mkdir(parents=True, exist_ok=True)
        (self._directory / "status").touch()
        parts = self._directory / "sources.list.d"
        parts.mkdir(exist_ok=True)
        for name, text in own_sources(Path("/etc/apt")).items():
            (parts / name).write_text(text, encoding="utf-8")
        self._apt(job, "apt-get", "-qq", "update")

    def _apt(
        self,
        job: Job,
        program: str,
        *arguments: str,
        cwd: Path | None = None,
        heard: Callable[[float], None] | None = None,
    ) -> str:
        """Run it to its end and return what it printed; `heard` is told which share of a download is done."""
        own = {
            "Dir::State": self._directory,
            "Dir::State::status": self._directory / "status",
            "Dir::Cache": self._directory / "cache",
            "Dir::Etc::sourcelist": os.devnull,
            "Dir::Etc::sourceparts": self._directory / "sources.list.d",
            "Dir::Cache::pkgcache": "pkgcache.bin",  # Debian's containers have it switched off
            "Dir::Cache::srcpkgcache": "",
            "APT::Status-Fd": 1,
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",  # _apt cannot write into a directory of ours
            "APT::Update::Error-Mode": "any",
            "APT::Update::Post-Invoke": "",
            "APT::Update::Post-Invoke-Success": "",
            "Acquire::Languages": "none",
            "Acquire::Retries": 2,
            "Acquire::http::Timeout": 20,
            "Debug::NoLocking": 1,
        }
        options = [text for name, value in own.items() for text in ("-o", f"{name}={value}")]
        lines: list[str] = []
        stalled = threading.Event()
        with programs.start([program, *options, *arguments], cwd=cwd or self._directory) as process:
            assert process.stdout is not None

            def give_up() -> None:
                stalled.set()
                programs.end(process)

            share = ""
            clock = _clock(give_up)
            with job.ending(lambda: programs.end(process)):
                for raw in process.stdout:
                    line = raw.decode(errors="replace").rstrip("\n")
                    if (told := re.match(r"dlstatus:\d+:([\d.]+):", line)) is None:
                        lines.append(line)
                    elif told[1] != share:
                        share = told[1]
                        clock.cancel()
                        clock = _clock(give_up)
                        if heard is not None:
                            heard(float(share) / 100)
            clock.cancel()
        if job.stop.is_set():
            raise ImageError(f"The image {job.name} was interrupted.")
        if stalled.is_set():
            lines = [f"E: nothing came for {_PATIENCE:.0f} seconds"]
        if process.returncode or stalled.is_set():
            raise _refusal(job.name, [line for line in lines if line.startswith(("E:", "W:"))], self._directory)
        return "\n".join(lines)


def _clock(end: Callable[[], None]) -> threading.Timer:
    clock = threading.Timer(_PATIENCE, end)
    clock.daemon = True
    clock.start()
    return clock


def _refusal(name: str, said: list[str], directory: Path) -> ImageError:
    reason = said[0][2:].strip() if said else "it does not say why"
    if any("o space left" in line or "enough free space" in line for line in said):
        return ImageError(
            f"There is no room for the packages of the image {name}: {reason}",
            f"Make room where {directory.parent} is, or set XDG_CACHE_HOME to a folder on another disk.",
        )
    unknown = re.search(
        r"Unable to locate package (\S+)|Package '?(\S+?)'? has no installation candidate", "\n".join(said)
    )
    if unknown:
        return ImageError(
            f"The image {name} needs the package {unknown[1] or unknown[2]}, which this machine's apt does not have.",
            "Debian 12 and 13 and Ubuntu 24.04 have it. Or set DNETKIT_REGISTRY to a registry that has the image.",
        )
    return ImageError(
        f"The image {name} is not in your cache, and Debian's packages cannot be downloaded: {reason}",
        _OFFLINE.format(name=name),
    )


def parse_plan(text: str) -> list[Package]:
    """What `apt-get --print-uris install` lists: 'http://.../x_1%3a2_all.deb' x_1%3a2_all.deb 1234 SHA256:..."""
    found = []
    for line in text.splitlines():
        if told := re.match(r"'[^']+' (\S+\.deb) (\d+)", line):
            name, version, _ = told[1].split("_", 2)
            found.append(Package(name, urllib.parse.unquote(version), told[1], int(told[2])))
    return sorted(found, key=lambda package: package.name)


def own_sources(configuration: Path) -> dict[str, str]:
    """The distribution's own among the sources of apt, as files for a directory of sources; all, where none is its own.

    Other sources cost time, and one that does not answer would be in the way. Two formats: sources.list(5).
    """
    codename = _codename(configuration.parent / "os-release")
    suites = {codename, f"{codename}-updates", f"{codename}-security"}
    files = [configuration / "sources.list", *sorted((configuration / "sources.list.d").glob("*"))]
    every: dict[str, list[str]] = {}
    own: dict[str, list[str]] = {}
    for file in files:
        if file.suffix not in (".list", ".sources") or not file.is_file():
            continue
        text = file.read_text(encoding="utf-8")
        for entry in text.splitlines() if file.suffix == ".list" else re.split(r"\n\s*\n", text):
            every.setdefault(file.suffix, []).append(entry)
            if suites & set(_suites(entry)):
                own.setdefault(file.suffix, []).append(entry)
    return {f"own{suffix}": "\n\n".join(entries) + "\n" for suffix, entries in (own or every).items()}


def _suites(entry: str) -> list[str]:
    """The suites that an entry, a line or a stanza, names."""
    if line := re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?\S+\s+(\S+)", entry):
        return [line[1]]
    stanza = re.search(r"^Suites:(.*(?:\n[ \t].*)*)", entry, re.MULTILINE | re.IGNORECASE)
    return stanza[1].split() if stanza else []


def _codename(release: Path) -> str:
    """VERSION_CODENAME of os-release(5), such as 'bookworm'."""
    with contextlib.suppress(OSError):
        if found := re.search(r'^VERSION_CODENAME="?([^"\n]+)', release.read_text(encoding="utf-8"), re.MULTILINE):
            return found[1]
    return ""
