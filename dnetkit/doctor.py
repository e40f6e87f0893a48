"""What this machine can do for labs, and what to do about the rest; looking changes nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dnetkit import engines, features, programs, rights
from dnetkit.display import Html, joined, tag, wrap
from dnetkit.engines import Engine
from dnetkit.features import Feature
from dnetkit.rights import Sandbox
from dnetkit.version import __version__

__all__ = ["Disk", "Package", "Report", "examine", "kernel_features"]

PACKAGES = ("jupyterlab", "ipykernel", "ipywidgets", "papermill", "graphviz", "docker", "pyroute2")
GRAPHVIZ = "dot (Graphviz)"
NOT_HERE = "not installed"
ESSENTIAL = ("veth", "bridge")


@dataclass(frozen=True)
class Disk:
    """Free space, in bytes, where `purpose` is kept, and how much of it is comfortable."""

    path: str
    purpose: str
    free: int
    wanted: int


@dataclass(frozen=True)
class Package:
    """A Python package or a program that the workbook uses, and its version ('not installed')."""

    name: str
    version: str


@dataclass(frozen=True)
class Report:
    """All that was found; shown as plain text in a terminal and as tables in a notebook."""

    system: str
    sandboxes: tuple[Sandbox, ...]
    features: tuple[Feature, ...]
    engines: tuple[Engine, ...]
    disks: tuple[Disk, ...]
    packages: tuple[Package, ...]
    binder: bool = False

    @property
    def usable(self) -> bool:
        """True when a lab can be started in at least one way."""
        return any(sandbox.usable for sandbox in self.sandboxes) and not self.lacking

    @property
    def lacking(self) -> tuple[str, ...]:
        """The features that this kernel does not have and no lab can do without."""
        return tuple(feature.name for feature in self.features if feature.state == "no" and feature.name in ESSENTIAL)

    def to_plain(self) -> dict[str, Any]:
        """The report in dicts, lists and strings, for JSON."""
        plain = asdict(self)
        for sandbox, found in zip(plain["sandboxes"], self.sandboxes, strict=True):
            sandbox["usable"] = found.usable
        for engine, known in zip(plain["engines"], self.engines, strict=True):
            engine["path"] = [str(path) for path in known.path]
            engine["library_path"] = [str(path) for path in known.library_path]
        return {"dnetkit": __version__, "usable": self.usable, **plain}

    def text(self) -> str:
        """The report for a terminal."""
        parts = [f"dnetkit {__version__} on {self.system}"]
        for title, rows in self._sections():
            width = max((len(row[0]) for row in rows), default=0)
            parts.append("\n".join([title, *(f"  {row[0]:<{width}}  {_line(row, width)}" for row in rows)]))
        return "\n\n".join([*parts, self._verdict()])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        parts = [tag("p", tag("b", self._verdict()))]
        for title, rows in self._sections():
            body = (tag("tr", tag("td", name), tag("td", value, *map(_further, more))) for name, value, *more in rows)
            parts.append(tag("table", tag("caption", title, class_="dnk-note"), tag("tbody", *body)))
        parts.append(tag("p", f"dnetkit {__version__} on {self.system}", class_="dnk-note"))
        return {"text/plain": self.text(), "text/html": wrap(joined(parts))}

    def _verdict(self) -> str:
        if self.lacking:
            return f"Labs cannot be started here: this kernel has no {' and no '.join(self.lacking)}."
        names = [sandbox.name for sandbox in self.sandboxes if sandbox.usable]
        if not names:
            verdict = "Labs cannot be started here yet: see what is in the way of each sandbox."
            return f"{rights.ON_BINDER} The chapters can be read here, and run elsewhere." if self.binder else verdict
        if not self.engines:
            return f"Labs can be started here ({', '.join(names)}) once there is an engine. Run: dnetkit engine fetch"
        return f"Labs can be started here: {', '.join(names)}."

    def _sections(self) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
        """Each table: its title and its rows; a row is a name, a value, and further lines about it."""
        yield "Ways to start a lab", [_sandbox_row(sandbox) for sandbox in self.sandboxes]
        yield (
            "Docker Engines",
            [_engine_row(engine) for engine in self.engines] or [("none", "run: dnetkit engine fetch")],
        )
        yield "What the kernel can do", [_feature_row(feature) for feature in self.features]
        yield "Free disk space", [_disk_row(disk) for disk in self.disks]
        yield "Programs", [(package.name, package.version) for package in self.packages]


def _further(line: str) -> Html:
    return tag("div", line, class_="dnk-note")


def examine() -> Report:
    """Look at this machine; takes about a second."""
    facts = rights.gather()
    return Report(
        system=_system(),
        sandboxes=rights.judge(facts),
        features=_features(facts),
        engines=tuple(engines.installed_engines()),
        disks=tuple(_disks()),
        packages=tuple(_packages()),
        binder=facts.binder,
    )


def kernel_features() -> tuple[Feature, ...]:
    """What the kernel can do, tried with the rights that a lab has here."""
    return _features(rights.gather())


def _features(facts: rights.Facts) -> tuple[Feature, ...]:
    """Try the kernel's features with the rights that a lab would have."""
    if not facts.namespaces:
        return features.try_features(["unshare", "--net", "--mount", "--"])
    if not facts.user_namespaces:
        return features.try_features(["unshare", "--user", "--map-root-user", "--net", "--mount", "--"])
    return features.untried(f"no scratch namespace could be made: {facts.user_namespaces}")


def _disks() -> Iterator[Disk]:
    for place, purpose, wanted in ((engines.cache_directory(), "engines and images", 2), (Path("/tmp"), "labs", 1)):  # noqa: S108 - asked about, not written
        path = next(above for above in (place, *place.parents) if above.is_dir())
        yield Disk(str(path), purpose, shutil.disk_usage(path).free, wanted * 10**9)


def _packages() -> Iterator[Package]:
    yield Package("Python", platform.python_version())
    for name in PACKAGES:
        try:
            yield Package(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Package(name, NOT_HERE)
    said = programs.run(["dot", "-V"])
    yield Package(GRAPHVIZ, said.stderr.partition("version ")[2].split(" ")[0].strip() if said.ok else NOT_HERE)


def _system() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        name = platform.system()
    return f"{name}, kernel {os.uname().release}, {platform.machine()}"


def _line(row: tuple[str, ...], width: int) -> str:
    return ("\n" + " " * (width + 4)).join(row[1:])


def _sandbox_row(sandbox: Sandbox) -> tuple[str, ...]:
    lines = [line for obstacle in sandbox.obstacles for line in (obstacle.reason, f"  -> {obstacle.remedy}")]
    return (sandbox.name, "usable" if sandbox.usable else "not usable", *lines)


def _engine_row(engine: Engine) -> tuple[str, ...]:
    return (engine.version, "installed on this machine" if engine.source == "system" else "in your cache")


def _feature_row(feature: Feature) -> tuple[str, ...]:
    said = f"{feature.state}: {feature.detail}" if feature.detail else feature.state
    return (feature.name, f"{said} - {feature.purpose}")


def _disk_row(disk: Disk) -> tuple[str, ...]:
    short = "" if disk.free >= disk.wanted else f" - little: {disk.wanted / 1e9:.0f} GB are comfortable"
    return (disk.path, f"{disk.free / 1e9:.1f} GB for {disk.purpose}{short}")
