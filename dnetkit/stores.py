"""Images made ready for an engine once, so that every lab after the first has them at once (see agent/imagestore.py).

$XDG_CACHE_HOME/dnetkit/stores/20.10.24-root/
├── busybox.lock
└── busybox-0123456789ab/         named by the digest of the image's archive
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from dnetkit import images
from dnetkit.agent.mounts import BASE
from dnetkit.engines import Engine, cache_directory
from dnetkit.errors import ImageError
from dnetkit.session import Session

__all__ = ["prepare"]

Progress = Callable[[str], object]
OpenLab = Callable[[dict[str, str], dict[str, str]], Session]
"""Opens a lab with one host and no images, given directories that it may read and write, by name below BASE."""


def prepare(names: Sequence[str], engine: Engine, kind: str, open_lab: OpenLab, progress: Progress) -> list[Path]:
    """The stores of these images for this engine and sandbox, made now where they are missing."""
    return [_store(name, engine, kind, open_lab, progress) for name in dict.fromkeys(names)]


def _store(name: str, engine: Engine, kind: str, open_lab: OpenLab, progress: Progress) -> Path:
    archive = images.archive(name, progress)
    directory = cache_directory() / "stores" / f"{engine.version}-{kind}"
    path = directory / f"{name}-{archive.digest.removeprefix('sha256:')[:12]}"
    if path.is_dir():
        return path
    with images.locked(directory, name):
        if path.is_dir():
            return path
        progress(f"Making {name} ready for Docker Engine {engine.version} ...")
        _verify(archive)
        scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=directory))
        try:
            session = open_lab({"in": str(archive.path.parent)}, {"out": str(scratch)})
            try:
                session.ask("store", machine="host1", archive=f"{BASE}/in/{archive.path.name}", target=f"{BASE}/out")
            finally:
                session.close()
            scratch.chmod(0o755)
            scratch.rename(path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return path


def _verify(archive: images.Archive) -> None:
    if images.digest(archive.path) != archive.digest:
        raise ImageError(
            f"The cached image {archive.name} is damaged: its digest is not the one it was stored with.",
            f"Remove it, and it is made again: rm {archive.path}",
        )
