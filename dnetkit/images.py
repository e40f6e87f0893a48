"""The images that labs start with: a catalogue of the names learners type, and a cache of archives made from it.

An image comes from a registry where one answers (with skopeo, since a lab has no way out and the machine's own engine
is not touched), else it is built from Debian's packages. Either way the result is an archive as `docker save` writes
it:

    $XDG_CACHE_HOME/dnetkit/images/
    ├── busybox.lock                  held while it is made
    ├── busybox.json                  {"digest": "sha256:...", "source": "Debian busybox-static 1:1.35.0-4"}
    └── busybox-0123456789ab.tar      the archive, named by its digest
"""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dnetkit import programs
from dnetkit.engines import cache_directory
from dnetkit.errors import ImageError

__all__ = ["CATALOGUE", "Archive", "Image", "archive", "digest", "locked", "look_up", "write_archive"]

Progress = Callable[[str], object]

REGISTRY = "DNETKIT_REGISTRY"
"""Environment: the registry to ask instead of the public one, such as 'localhost:5000/library'; 'none' asks none."""

_PATIENCE = "10s"  # for a registry to answer at all
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """An entry of the catalogue: the name that learners type, its reference below a registry, its Debian recipe.

    build is given an empty directory to fill with the image's files and returns what it was made from, in words.
    """

    name: str
    reference: str
    command: tuple[str, ...]
    build: Callable[[Path], str]
    environment: tuple[str, ...] = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)


@dataclass(frozen=True)
class Archive:
    """An image in the cache; digest is the SHA-256 of the file at `path`."""

    name: str
    digest: str
    source: str
    path: Path


def look_up(name: str) -> Image:
    """The catalogue's entry. Raises ImageError, naming what there is, for a name that is not in it."""
    image = next((image for image in CATALOGUE if image.name == name), None)
    if image is None:
        names = [image.name for image in CATALOGUE]
        close = difflib.get_close_matches(name, names, 1)
        raise ImageError(
            f"There is no image {name!r} in the catalogue.",
            (f"Did you mean {close[0]!r}? " if close else "") + f"There is: {', '.join(names)}.",
        )
    return image


def archive(name: str, progress: Progress) -> Archive:
    """The image's archive: from the cache, else fetched or built now. Raises ImageError when neither can be done."""
    image = look_up(name)
    directory = cache_directory() / "images"
    with locked(directory, name):
        found = _cached(directory, name)
        if found is None:
            found = _make(image, directory, progress)
    return found


@contextlib.contextmanager
def locked(directory: Path, name: str) -> Iterator[None]:
    """Hold the lock `name` in a directory of the cache: one process makes a thing, the others wait and find it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = (directory / f"{name}.lock").open("w")
    except OSError as error:
        raise ImageError(
            f"The cache cannot be written: {error}", f"Look at {directory}, or set XDG_CACHE_HOME."
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def write_archive(tree: Path, image: Image, target: Path) -> None:
    """Pack a directory as a one-layer image, the same bytes for the same files: everything owned by root, no dates.

    The format is that of `docker save` (Docker Image Specification 1.2).
    """
    layer = target.with_suffix(".layer")
    try:
        with tarfile.open(layer, "w", format=tarfile.GNU_FORMAT) as tar:
            for path in sorted(tree.rglob("*")):
                tar.add(path, path.relative_to(tree).as_posix(), recursive=False, filter=_plain)
        layer_digest = digest(layer)
        config = {
            "architecture": _ARCHITECTURES.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Cmd": list(image.command), "Env": list(image.environment)},
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "dnetkit"}],
        }
        plain = json.dumps(config, sort_keys=True).encode()
        identity = hashlib.sha256(plain).hexdigest()
        layers = [f"{layer_digest.removeprefix('sha256:')}/layer.tar"]
        manifest = [{"Config": f"{identity}.json", "RepoTags": [f"{image.name}:latest"], "Layers": layers}]
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
            for name, content in ((f"{identity}.json", plain), ("manifest.json", json.dumps(manifest).encode())):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            tar.add(layer, layers[0], filter=_plain)
    finally:
        layer.unlink(missing_ok=True)


def _make(image: Image, directory: Path, progress: Progress) -> Archive:
    try:
        with tempfile.TemporaryDirectory(prefix=f".{image.name}-", dir=directory) as scratch:
            made = Path(scratch) / "image.tar"
            source = _fetch(image, made, progress)
            if source is None:
                progress(f"Building the image {image.name} from Debian's packages ...")
                tree = Path(scratch) / "tree"
                tree.mkdir()
                source = image.build(tree)
                write_archive(tree, image, made)
            found = digest(made)
            path = _path(directory, image.name, found)
            made.rename(path)
            record = Path(scratch) / "record.json"
            record.write_text(json.dumps({"digest": found, "source": source}), encoding="utf-8")
            record.rename(directory / f"{image.name}.json")
    except OSError as error:
        raise ImageError(f"The image {image.name} could not be made: {error}", f"Look at {directory}.") from error
    progress(f"The image {image.name} is ready ({source}).")
    return Archive(image.name, found, source, path)


def _cached(directory: Path, name: str) -> Archive | None:
    try:
        record = json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))
        found, source = str(record["digest"]), str(record["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    path = _path(directory, name, found)
    return Archive(name, found, source, path) if path.is_file() else None


def _path(directory: Path, name: str, found: str) -> Path:
    return directory / f"{name}-{found.removeprefix('sha256:')[:12]}.tar"


def _fetch(image: Image, target: Path, progress: Progress) -> str | None:
    """Fetch it from a registry into `target`; None when none answers or there is no skopeo to ask with."""
    registry = os.environ.get(REGISTRY, "")
    if registry == "none" or programs.find("skopeo") is None:
        return None
    reference = f"{registry}/{image.reference}" if registry else image.reference
    plain = ["--tls-verify=false"] if registry.startswith(("localhost:", "127.0.0.1:")) else []
    source = f"docker://{reference}"
    answers = programs.run(["skopeo", "--command-timeout", _PATIENCE, "inspect", "--raw", *plain, source])
    if not answers.ok:
        progress(f"No registry gave {reference}: {answers.reason}")
        return None
    progress(f"Fetching {reference} ...")
    destination = f"docker-archive:{target}:{image.name}:latest"
    plain = ["--src-tls-verify=false"] if plain else []
    done = programs.run(["skopeo", "copy", "--quiet", *plain, source, destination], timeout=900)
    if not done.ok:
        target.unlink(missing_ok=True)
        progress(f"The registry began to answer, then failed: {done.reason}")
        return None
    return f"registry {reference}"


def _busybox(tree: Path) -> str:
    """Debian's busybox-static: one program, and a link for each name that it answers to."""
    binary, source = _static_busybox(tree)
    for name in ("bin", "etc", "root", "tmp", "var/run", "usr/bin", "usr/sbin", "sbin", "home"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    (tree / "tmp").chmod(0o1777)
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    (tree / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    program = tree / "bin/busybox"
    shutil.copyfile(binary, program)
    program.chmod(0o755)
    listed = programs.run([str(program), "--list"])
    if not listed.ok:
        raise ImageError(f"Debian's busybox does not run here: {listed.reason}")
    for applet in listed.stdout.split():
        link = tree / "bin" / applet
        if not link.exists():
            link.symlink_to("busybox")
    return source


def _static_busybox(tree: Path) -> tuple[Path, str]:
    """The program and where it is from: the installed package, else the one that apt downloads."""
    asked = programs.run(["dpkg-query", "-W", "-f", "${Version}", "busybox-static"])
    for path in (Path("/usr/bin/busybox"), Path("/bin/busybox")):
        if asked.ok and path.exists():
            return path, f"Debian busybox-static {asked.stdout.strip()}"
    with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
        done = programs.run(["apt-get", "download", "busybox-static"], cwd=Path(scratch))
        packages = list(Path(scratch).glob("*.deb"))
        if not done.ok or not packages:
            raise ImageError(
                f"The package busybox-static could not be downloaded: {done.reason}",
                "Install it (sudo apt-get install busybox-static), or set DNETKIT_REGISTRY to a registry that answers.",
            )
        unpacked = tree.parent / "busybox-static"
        programs.run(["dpkg-deb", "-x", str(packages[0]), str(unpacked)])
        version = re.sub(r"^busybox-static_|_[^_]*$", "", packages[0].name)
    return next(path for path in unpacked.rglob("busybox") if path.is_file()), f"Debian busybox-static {version}"


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = stat.S_IMODE(entry.mode)
    return entry


def digest(path: Path) -> str:
    """The SHA-256 of a file, as 'sha256:0123...'."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return f"sha256:{found.hexdigest()}"


CATALOGUE: tuple[Image, ...] = (Image("busybox", "busybox:latest", ("sh",), _busybox),)
"""Every image that a lab can be opened with."""
