"""Debian packages and archives of images made for a test."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

__all__ = ["config_of", "layer_of", "make_package"]


def make_package(directory: Path, name: str, files: dict[str, bytes], version: str = "1.0") -> Path:
    """A package with these files, by path; one that begins with #! is a program."""
    tree = directory / f"{name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: test\n"
    )
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
        (tree / path).chmod(0o755 if content.startswith(b"#!") else 0o644)
    target = directory / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, target], check=True, capture_output=True)
    return target


def config_of(archive: Path) -> dict[str, object]:
    """The Config of the image in an archive."""
    with tarfile.open(archive) as tar:
        (manifest,) = json.loads(_read(tar, "manifest.json"))
        return dict(json.loads(_read(tar, manifest["Config"]))["config"])


def layer_of(archive: Path, number: int = 0) -> dict[str, tarfile.TarInfo]:
    """The entries of one of its layers by path."""
    with tarfile.open(archive) as tar:
        (manifest,) = json.loads(_read(tar, "manifest.json"))
        with tarfile.open(fileobj=io.BytesIO(_read(tar, manifest["Layers"][number]))) as layer:
            return {entry.name: entry for entry in layer}


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()
