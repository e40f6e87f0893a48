"""The images that labs start with: a catalogue of the names learners type, and a cache of archives made from it.

An image comes from a registry where one answers, else it is built from Debian's packages. Either way the result is an
archive as `docker save` writes it:

    $XDG_CACHE_HOME/dnetkit/images/
    ├── redis.lock                    held while it is made
    ├── redis.json                    {"digest": "sha256:...", "source": "Debian redis-server 5:7.0.15", "recipe": ...}
    └── redis-0123456789ab.tar        the archive, named by its digest
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import fcntl
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dnetkit import builder, registry
from dnetkit.debian import Packages
from dnetkit.engines import cache_directory
from dnetkit.errors import ImageError
from dnetkit.layers import add_layer, digest, write_archive
from dnetkit.recipes import RECIPES, TOOLS, Recipe
from dnetkit.work import Job, Progress, together

__all__ = [
    "CATALOGUE",
    "Archive",
    "Image",
    "archives",
    "cached",
    "directory",
    "locked",
    "look_up",
    "no_room",
    "stand_ins",
]


@dataclass(frozen=True)
class Image:
    """An entry of the catalogue: the name that learners type.

    reference: what a registry calls it; '' when none has it. stand_in: the image that stands for it where no registry
    gives it; '' for one with a recipe of its own.
    """

    name: str
    reference: str = ""
    stand_in: str = ""

    @property
    def recipe(self) -> Recipe:
        """How it, or the one that stands for it, is built."""
        return RECIPES[self.stand_in or self.name]


@dataclass(frozen=True)
class Archive:
    """An image in the cache; digest is the SHA-256 of the file at `path`. stand_in: what it really is, else ''."""

    name: str
    digest: str
    source: str
    path: Path
    stand_in: str = ""


CATALOGUE: tuple[Image, ...] = (
    Image("busybox", "busybox:latest"),
    Image("alpine", "alpine:latest", stand_in="busybox"),
    Image("redis", "redis:7"),
    Image("tomcat", "tomcat:10"),
    Image("mariadb", "mariadb:10.11"),
    Image("mysql", "mysql:8", stand_in="mariadb"),
    Image("httpd", "httpd:2.4"),
    Image("dnsmasq"),
    Image("sshd"),
)
"""Every image that a lab can be opened with."""


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


def directory() -> Path:
    """Where the archives are."""
    return cache_directory() / "images"


def archives(names: Sequence[str], progress: Progress, *, again: bool = False) -> dict[str, Archive]:
    """The images' archives by name: from the cache, else fetched or built now, several at once; with `again` made anew.

    Raises ImageError when one of them can be neither fetched nor built.
    """
    images = [look_up(name) for name in dict.fromkeys(names)]
    found = {} if again else {image.name: known for image in images if (known := cached(image)) is not None}
    missing = [image for image in images if image.name not in found]
    if missing:
        with _scratch(directory()) as scratch:
            _check_room([image.recipe for image in missing], scratch)
            packages = Packages(scratch)
            make = {image.name: partial(_archive, image, packages, again) for image in missing}
            found |= together(make, progress)
    return {image.name: found[image.name] for image in images}


def cached(image: Image) -> Archive | None:
    """The image's archive, when it is in the cache and made by today's recipe."""
    place = directory()
    try:
        record = json.loads((place / f"{image.name}.json").read_text(encoding="utf-8"))
        found, source, recipe = str(record["digest"]), str(record["source"]), str(record["recipe"])
        stand_in = str(record.get("stand_in", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    path = _path(place, stand_in or image.name, found)
    current = recipe == image.recipe.fingerprint() and path.is_file()
    return Archive(image.name, found, source, path, stand_in) if current else None


def stand_ins(names: Sequence[str]) -> dict[str, str]:
    """Of these images in the cache, those that others stand for: the name that was asked for, to what it really is."""
    found = {name: cached(look_up(name)) for name in names}
    return {name: archive.stand_in for name, archive in found.items() if archive is not None and archive.stand_in}


@contextlib.contextmanager
def locked(place: Path, name: str, job: Job | None = None) -> Iterator[None]:
    """Hold the lock called `name` in a directory of the cache: one makes a thing, the others wait and find it."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle = (place / f"{name}.lock").open("w")
    except OSError as error:
        raise ImageError(f"The cache cannot be written: {error}", f"Look at {place}, or set XDG_CACHE_HOME.") from error
    with handle:
        stop = job.stop if job is not None else threading.Event()
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if job is not None:
                    job.tell(f"waiting for the one who makes {name} now")
                if stop.wait(0.05):
                    raise ImageError(f"The image {name} was interrupted.") from None
        yield


def no_room(what: str, place: Path, error: OSError) -> ImageError:
    """The error for something that could not be written."""
    hint = f"Look at {place}, or set XDG_CACHE_HOME to a folder of yours."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):
            hint = (
                f"{shutil.disk_usage(place).free / 1e6:.0f} MB are free in {place}. "
                "Make room there, or set XDG_CACHE_HOME to a folder on another disk."
            )
    return ImageError(f"{what}: {error.strerror or error}", hint)


def _check_room(recipes: Sequence[Recipe], place: Path) -> None:
    """Refuse before anything is downloaded: apt, for one, hangs on a full disk."""
    sizes = {recipe.name: recipe.size for recipe in recipes}
    lists = 100 if any(recipe.packages for recipe in recipes) else 0
    needed = lists + 1.3 * sum(sizes.values()) + max(sizes.values())
    free = shutil.disk_usage(place).free / 1e6
    if free < needed:
        raise ImageError(
            f"There is no room to make {', '.join(sizes)}: it takes {needed:.0f} MB, and {free:.0f} MB are free.",
            f"Make room where {place.parent} is, or set XDG_CACHE_HOME to a folder on another disk.",
        )


def _archive(image: Image, packages: Packages, again: bool, job: Job) -> Archive:
    place = directory()
    before = cached(image)
    with locked(place, image.name, job):
        found = cached(image)
        if found is None or (again and found == before):
            try:
                with _scratch(place, image.name) as scratch:
                    found = _make(image, packages, again, scratch, job)
            except OSError as error:
                raise no_room(f"The image {image.name} could not be made", place, error) from error
            if job.name == image.name:
                job.note(f"ready ({found.source})")
    return found


def _make(image: Image, packages: Packages, again: bool, scratch: Path, job: Job) -> Archive:
    place = directory()
    made, written = scratch / "image.tar", scratch / "layer.tar"
    tag = f"{image.name}:latest"
    source = registry.fetch(image.reference, tag, scratch / "fetched.tar", job) if image.reference else None
    stand_in = ""
    if source is not None:
        builder.extend(image.recipe, packages, written, job)
        add_layer(scratch / "fetched.tar", written, partial(_with_tools, image.recipe), tag, made)
    elif image.stand_in:
        job.note(f"no registry gives {image.name} here, so {image.stand_in} stands for it")
        archive = _archive(look_up(image.stand_in), packages, again, job)
        found, source, stand_in = archive.digest, f"{image.stand_in}, {archive.source}", image.stand_in
    else:
        source = builder.build(image.recipe, packages, written, job)
        job.tell("packing")
        write_archive(written, image.recipe.whole_config(), tag, made)
    if not stand_in:
        found = digest(made)
        made.rename(_path(place, image.name, found))
    record = {"digest": found, "source": source, "recipe": image.recipe.fingerprint(), "stand_in": stand_in}
    (scratch / "record.json").write_text(json.dumps(record), encoding="utf-8")
    (scratch / "record.json").rename(place / f"{image.name}.json")
    for old in place.glob(f"{image.name}-*.tar"):
        if not stand_in and old != _path(place, image.name, found):
            old.unlink()
    return Archive(image.name, found, source, _path(place, stand_in or image.name, found), stand_in)


def _with_tools(recipe: Recipe, config: dict[str, Any]) -> None:
    """Change the Config of an image from a registry: what our layer on top brings is to be found."""
    own = {name: value for name, _, value in (entry.partition("=") for entry in config.get("Env") or [])}
    own["PATH"] = f"{own.get('PATH', '/usr/local/bin:/usr/bin:/bin')}:{TOOLS}"
    config["Env"] = [f"{name}={value}" for name, value in {**own, **recipe.added_environment}.items()]


@contextlib.contextmanager
def _scratch(place: Path, name: str = "") -> Iterator[Path]:
    """A directory for what is not finished; what a killed process left there is removed first.

    With a name the caller holds the lock of that name; without one, a lock in the directory tells that it is in use.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            with _alone_in(place):  # one that is just made is not locked yet
                for left in place.glob(f".{name or 'packages'}-*"):
                    if name or not _in_use(left):
                        shutil.rmtree(left, ignore_errors=True)
                made = stack.enter_context(tempfile.TemporaryDirectory(prefix=f".{name or 'packages'}-", dir=place))
                fcntl.flock(stack.enter_context((Path(made) / ".lock").open("w")), fcntl.LOCK_EX)
            yield Path(made)
    except OSError as error:
        if name:
            raise
        raise no_room("The cache cannot be written", place, error) from error


@contextlib.contextmanager
def _alone_in(place: Path) -> Iterator[None]:
    door = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(door, fcntl.LOCK_EX)
        yield
    finally:
        os.close(door)


def _in_use(scratch: Path) -> bool:
    try:
        with (scratch / ".lock").open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _path(place: Path, name: str, found: str) -> Path:
    return place / f"{name}-{found.removeprefix('sha256:')[:12]}.tar"
