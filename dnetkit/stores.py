"""Images made ready for an engine once, so that every lab after the first has them at once (see agent/imagestore.py).

$XDG_CACHE_HOME/dnetkit/stores/20.10.24-root/
├── redis.lock
├── redis-0123456789ab/           named by the digest of the image's archive
└── mysql-0123456789ab/           only a name: the image is in mariadb-0123456789ab
"""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from dnetkit import images, programs
from dnetkit.agent.imagestore import NAMES
from dnetkit.agent.mounts import BASE
from dnetkit.engines import Engine, cache_directory
from dnetkit.errors import DnetkitError, ImageError
from dnetkit.layers import digest
from dnetkit.session import Session
from dnetkit.work import Job, Progress, together

__all__ = ["prepare"]

OpenLab = Callable[[dict[str, str], dict[str, str]], Session]
"""Opens a lab with one host and no images, given directories that it may read and write, by name below BASE."""


def prepare(names: Sequence[str], engine: Engine, kind: str, open_lab: OpenLab, progress: Progress) -> list[Path]:
    """The stores of these images for this engine and sandbox, made now where they are missing, several at once."""
    place = cache_directory() / "stores" / f"{engine.version}-{kind}"
    archives = images.archives(names, progress)
    # By the image that is really there: two names may stand for one.
    real = {archive.stand_in or archive.name: archive for archive in archives.values()}
    missing = {name: archive for name, archive in real.items() if not _whole(_path(place, name, archive))}
    if missing:
        make = {name: partial(_make, name, archive, place, engine, open_lab) for name, archive in missing.items()}
        together(make, progress)
    found = [_path(place, name, archive) for name, archive in real.items()]
    aliases = [archive for archive in archives.values() if archive.stand_in]
    return found + [_alias(archive, place) for archive in aliases]


def _path(place: Path, name: str, archive: images.Archive) -> Path:
    return place / f"{name}-{archive.digest.removeprefix('sha256:')[:12]}"


def _whole(path: Path) -> bool:
    """Whether a store can be used; its table of names is what an engine cannot do without."""
    return (path / NAMES).is_file()


def _make(name: str, archive: images.Archive, place: Path, engine: Engine, open_lab: OpenLab, job: Job) -> None:
    path = _path(place, name, archive)
    with images.locked(place, name, job):
        if _whole(path):
            return
        _remove(path)  # one that lost its names is of no use
        for left in place.glob(f".{name}-*"):
            _remove(left)
        job.tell(f"making it ready for Docker Engine {engine.version}")
        scratch = _scratch(place, name)
        try:
            _verify(archive)
            session = open_lab({"in": str(archive.path.parent)}, {"out": str(scratch)})
            try:
                with job.ending(session.close):
                    session.ask(
                        "store", machine="host1", archive=f"{BASE}/in/{archive.path.name}", target=f"{BASE}/out"
                    )
            finally:
                session.close()
            scratch.chmod(0o755)
            scratch.rename(path)
        except OSError as error:
            raise images.no_room(f"The image {name} could not be made ready", place, error) from error
        except DnetkitError as error:
            if "No space left on device" in str(error):
                full = OSError(errno.ENOSPC, "No space left on device")
                raise images.no_room(f"The image {name} could not be made ready", place, full) from error
            raise
        finally:
            _remove(scratch)


def _alias(archive: images.Archive, place: Path) -> Path:
    """A store that only gives an image one more name."""
    path = _path(place, archive.name, archive)
    with images.locked(place, archive.name):
        if not _whole(path):
            _remove(path)
            known = json.loads((_path(place, archive.stand_in, archive) / NAMES).read_text())["Repositories"]
            identity = known[archive.stand_in][f"{archive.stand_in}:latest"]
            scratch = _scratch(place, archive.name)
            (scratch / NAMES).parent.mkdir(parents=True)
            (scratch / NAMES).write_text(
                json.dumps({"Repositories": {archive.name: {f"{archive.name}:latest": identity}}}), encoding="utf-8"
            )
            scratch.chmod(0o755)
            scratch.rename(path)
    return path


def _scratch(place: Path, name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f".{name}-", dir=place))


def _remove(scratch: Path) -> None:
    """Remove what is not finished; files of a rootless image belong to ids that only a user namespace may act for."""
    shutil.rmtree(scratch, ignore_errors=True)
    if scratch.exists():
        programs.run(["unshare", "--user", "--map-root-user", "--map-auto", "rm", "-rf", scratch])


def _verify(archive: images.Archive) -> None:
    if digest(archive.path) != archive.digest:
        raise ImageError(
            f"The cached image {archive.name} is damaged: its digest is not the one it was stored with.",
            f"Remove it, and it is made again: rm {archive.path}",
        )
