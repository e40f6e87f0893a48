"""Images as files: a layer written entry by entry, and the archive that `docker save` would write of it.

The same entries give the same bytes. Formats: tar(5), the GNU one; Docker Image Specification 1.2.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import posixpath
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

__all__ = ["Config", "Layer", "add_layer", "digest", "write_archive"]

DATE = 1735689600
"""The date of our own files: the start of 2025. Not 0, which Java takes for 'there is no such file'."""

_CREATED = "2025-01-01T00:00:00Z"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_MERGED = ("bin", "sbin", "lib", "lib64")


@dataclass(frozen=True)
class Config:
    """What an image says of itself: as `docker inspect` shows it under Config. ports: such as '53/udp'."""

    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    workdir: str = ""
    stop_signal: str = ""

    def plain(self) -> dict[str, Any]:
        """The form in an archive."""
        said: dict[str, Any] = {
            "Cmd": list(self.command),
            "Entrypoint": list(self.entrypoint),
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "ExposedPorts": {port: {} for port in self.ports},
            "WorkingDir": self.workdir,
            "StopSignal": self.stop_signal,
        }
        return {name: value for name, value in said.items() if value}


class Layer:
    """A layer under way. A path that was written is kept: a later entry of that path is left out.

    merged: /bin, /sbin and /lib are links into /usr, as in Debian since 12; what packages put there goes to /usr.
    """

    def __init__(self, tar: tarfile.TarFile, merged: bool) -> None:
        self._tar = tar
        self._paths: set[str] = set()
        self._merged = merged
        if merged:
            for name in _MERGED:
                self.directory(f"usr/{name}")
                self._add(_entry(name, tarfile.SYMTYPE, 0o777, f"usr/{name}"))

    def has(self, path: str) -> bool:
        """Whether something was written there."""
        return self._place(path) in self._paths

    def directory(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        """Write a directory; those above it come with it. owner: user and group."""
        self._add(_entry(self._place(path), tarfile.DIRTYPE, mode, owner=owner))

    def file(self, path: str, content: bytes, mode: int = 0o644, owner: int = 0) -> None:
        """Write a file; the directories above it come with it."""
        entry = _entry(self._place(path), tarfile.REGTYPE, mode, owner=owner)
        entry.size = len(content)
        self._add(entry, io.BytesIO(content))

    def link(self, path: str, target: str) -> None:
        """Write a symbolic link."""
        self._add(_entry(self._place(path), tarfile.SYMTYPE, 0o777, target))

    def tree(self, directory: Path) -> None:
        """Write the files of a directory; those that begin with #! are programs."""
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                mode = 0o755 if content.startswith(b"#!") else 0o644
                self.file(path.relative_to(directory).as_posix(), content, mode)

    def package(self, stream: IO[bytes], skip: Callable[[str], bool]) -> None:
        """Write what a package's tar file holds, with its owners, modes and dates; not the paths that `skip` tells."""
        with tarfile.open(fileobj=stream, mode="r|") as source:
            for entry in source:
                path = posixpath.normpath(entry.name).lstrip("/")
                if path == "." or skip(path):
                    continue
                entry.name = self._place(path)
                if entry.islnk():
                    entry.linkname = self._place(posixpath.normpath(entry.linkname).lstrip("/"))
                entry.uname = entry.gname = ""
                entry.pax_headers = {}
                self._add(entry, source.extractfile(entry) if entry.isreg() else None)

    def _place(self, path: str) -> str:
        first, _, rest = path.partition("/")
        return f"usr/{path}" if self._merged and first in _MERGED and rest else path

    def _add(self, entry: tarfile.TarInfo, content: IO[bytes] | None = None) -> None:
        if entry.name in self._paths:
            return
        above = posixpath.dirname(entry.name)
        if above and above not in self._paths:
            self._add(_entry(above, tarfile.DIRTYPE, 0o755))
        self._paths.add(entry.name)
        self._tar.addfile(entry, content)


def _entry(path: str, kind: bytes, mode: int, target: str = "", owner: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.linkname, entry.mtime = kind, mode, target, DATE
    entry.uid = entry.gid = owner
    return entry


@contextmanager
def layer(path: Path, *, merged: bool) -> Iterator[Layer]:
    """Write a layer into the file `path`."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        yield Layer(tar, merged)


def write_archive(written: Path, config: Config, tag: str, target: Path) -> None:
    """Make an archive of one layer; the layer's file becomes part of it."""
    whole = {
        "architecture": _ARCHITECTURES.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "created": _CREATED,
        "config": config.plain(),
        "rootfs": {"type": "layers", "diff_ids": [digest(written)]},
        "history": [{"created": _CREATED, "created_by": "dnetkit"}],
    }
    _write(target, whole, tag, {"layer.tar": written})


def add_layer(archive: Path, written: Path, change: Callable[[dict[str, Any]], None], tag: str, target: Path) -> None:
    """Make an archive of another one with a layer on top; `change` is given the image's Config, to change it."""
    with tarfile.open(archive) as tar:

        def read(name: str) -> Any:
            file = tar.extractfile(name)
            if file is None:
                raise ValueError(f"{name} is not a file")
            return json.load(file)

        (manifest,) = read("manifest.json")
        whole = read(manifest["Config"])
        change(whole.setdefault("config", {}))
        whole["rootfs"]["diff_ids"].append(digest(written))
        whole.setdefault("history", []).append({"created": _CREATED, "created_by": "dnetkit"})
        layers: dict[str, Path | tarfile.TarInfo] = {}
        for name in manifest["Layers"]:
            entry = tar.getmember(name)
            while entry.issym():  # older skopeo writes a layer that comes twice as a link
                entry = tar.getmember(posixpath.normpath(posixpath.join(posixpath.dirname(entry.name), entry.linkname)))
            layers[name] = entry
        _write(target, whole, tag, {**layers, "dnetkit/layer.tar": written}, tar)


def _write(
    target: Path,
    whole: dict[str, Any],
    tag: str,
    layers: Mapping[str, Path | tarfile.TarInfo],
    source: tarfile.TarFile | None = None,
) -> None:
    plain = json.dumps(whole, sort_keys=True).encode()
    name = f"{hashlib.sha256(plain).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": list(layers)}]).encode()
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for path, content in ((name, plain), ("manifest.json", manifest)):
            entry = _entry(path, tarfile.REGTYPE, 0o644)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for path, layer_ in layers.items():
            entry = _entry(path, tarfile.REGTYPE, 0o644)
            if isinstance(layer_, Path):
                entry.size = layer_.stat().st_size
                with layer_.open("rb") as file:
                    tar.addfile(entry, file)
            elif source is not None:
                entry.size = layer_.size
                tar.addfile(entry, source.extractfile(layer_))


def digest(path: Path) -> str:
    """The SHA-256 of a file, as 'sha256:0123...'."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return f"sha256:{found.hexdigest()}"
