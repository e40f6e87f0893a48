"""Make an image from Debian's packages by its recipe; no root, no container and no other file system are needed.

The packages are unpacked, not installed: their scripts, which would need all of Debian, are not run. What those scripts
would do for a server (a user, a directory of its own) the recipe says.
"""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from dnetkit import programs
from dnetkit.debian import Packages
from dnetkit.errors import ImageError
from dnetkit.layers import Layer, layer
from dnetkit.recipes import FOR_INSTALLING, TOOLS, Recipe, User
from dnetkit.work import Job

__all__ = ["build", "extend"]

_NOT_FOR_A_CONTAINER = {
    *(
        "dpkg",
        "dpkg-deb",
        "rpm",
        "rpm2cpio",
        "init",
        "linuxrc",
        "halt",
        "poweroff",
        "reboot",
        "run-init",
        "switch_root",
    ),
}
"""Names of busybox that would pretend to be what an image is not, or that end a machine."""

_UNREAD = re.compile(
    r"usr/share/(man|info|locale|lintian|bug|doc-base|bash-completion|zsh|menu|apport|maven-repo|i18n|pixmaps|icons|applications)(/|$)"
    r"|usr/share/doc/(?!.*/copyright$)[^/]+/."
    r"|(usr/)?lib/(systemd|udev|init)(/|$)|usr/lib/[^/]+/gconv(/|$)|etc/(init\.d|logrotate\.d|cron\.[a-z]+|apparmor\.d|ufw|sv|runit)(/|$)"
)
"""What of a package nobody in a container reads; the copyright stays."""


def build(recipe: Recipe, packages: Packages, target: Path, job: Job) -> str:
    """Write the image's one layer to `target`; returns what it was made from, in words."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        binary, busybox_version = _busybox(packages, Path(scratch), job)
        source = f"busybox-static {busybox_version}"
        files: Sequence[Path] = ()
        if recipe.packages:
            found = packages.find(job, recipe.packages, [*FOR_INSTALLING, *recipe.without])
            files = packages.download(job, found)
            (source,) = (f"{p.name} {p.version}" for p in found if p.name == recipe.packages[0])
        with layer(target, merged=True) as made:
            _base(made, recipe.users)
            numbers = {user.name: user.number for user in recipe.users}
            for path, owner in recipe.directories.items():
                made.directory(path, 0o755, numbers.get(owner, 0))
            for path, goal in recipe.links.items():
                made.link(path, goal)
            for kind in ("added", "built"):
                made.tree(recipe.files(kind))
            done = 0
            whole = sum(file.stat().st_size for file in files) or 1
            for file in files:
                job.tell("unpacking", done / whole)
                _unpack(file, made, job)
                done += file.stat().st_size
            _applets(made, binary, "usr/bin", lambda name: made.has(f"usr/bin/{name}") or made.has(f"usr/sbin/{name}"))
    return f"Debian {source}"


def extend(recipe: Recipe, packages: Packages, target: Path, job: Job) -> None:
    """Write the layer that an image of this name from a registry gets on top: busybox's tools and the files of ours."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        binary, _ = _busybox(packages, Path(scratch), job)
        with layer(target, merged=False) as made:
            made.tree(recipe.files("added"))
            _applets(made, binary, TOOLS.lstrip("/"), lambda _: False)


def _base(made: Layer, users: Sequence[User]) -> None:
    everyone = [User("root", 0, "/root"), *users, User("nobody", 65534)]
    lines = [
        (f"{u.name}:x:{u.number}:{u.number}:{u.name}:{u.home}:{'/bin/sh' if u.number == 0 else '/bin/false'}")
        for u in everyone
    ]
    made.file("etc/passwd", "".join(f"{line}\n" for line in lines).encode())
    groups = [(u.name if u.number != 65534 else "nogroup", u.number) for u in everyone]
    made.file("etc/group", "".join(f"{name}:x:{number}:\n" for name, number in groups).encode())
    made.file("etc/shadow", "".join(f"{user.name}:*:19000:0:99999:7:::\n" for user in everyone).encode(), 0o600)
    # What the C library would do without this differs between its versions.
    made.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    for path, mode in (("root", 0o700), ("tmp", 0o1777), ("var/tmp", 0o1777), ("run", 0o755), ("home", 0o755)):
        made.directory(path, mode)
    made.link("var/run", "/run")


def _unpack(file: Path, made: Layer, job: Job) -> None:
    damaged: Exception | None = None
    with programs.start(["dpkg-deb", "--fsys-tarfile", file]) as process, job.ending(partial(programs.end, process)):
        assert process.stdout is not None
        try:
            made.package(process.stdout, lambda path: _UNREAD.match(path) is not None)
            while process.stdout.read(1 << 20):
                pass  # what pads a tar file's end: a writer that is not read to its end says that it failed
        except tarfile.TarError as error:
            damaged = error
    if job.stop.is_set():
        raise ImageError(f"The image {job.name} was interrupted.")
    if process.returncode or damaged:
        raise ImageError(
            f"The package {file.name} could not be unpacked.", f"Try again: dnetkit images build {job.name}"
        ) from damaged


def _applets(made: Layer, binary: Path, directory: str, has: Callable[[str], bool]) -> None:
    """Write busybox into a directory, and a link for each name that it answers to and the image does not have."""
    listed = programs.run([binary, "--list"])
    if not listed.ok:
        raise ImageError(f"Debian's busybox does not run here: {listed.reason}")
    made.file(f"{directory}/busybox", binary.read_bytes(), 0o755)
    for name in sorted(set(listed.stdout.split()) - _NOT_FOR_A_CONTAINER):
        if not has(name):
            made.link(f"{directory}/{name}", "busybox")


def _busybox(packages: Packages, scratch: Path, job: Job) -> tuple[Path, str]:
    """The program and its version: the machine's own, which `make setup` installs, else the package."""
    asked = programs.run(["dpkg-query", "-W", "-f", "${Version}", "busybox-static"])
    for path in (Path("/usr/bin/busybox"), Path("/bin/busybox")):
        if asked.ok and path.exists():
            return path, asked.stdout.strip()
    found = [p for p in packages.find(job, ["busybox-static"]) if p.name == "busybox-static"]
    (file,) = packages.download(job, found)
    unpacked = programs.run(["dpkg-deb", "--extract", file, scratch / "busybox-static"])
    if not unpacked.ok:
        raise ImageError(f"{file.name} could not be unpacked: {unpacked.reason}")
    for place in ("usr/bin/busybox", "bin/busybox"):
        if (path := scratch / "busybox-static" / place).is_file():
            return path, found[0].version
    raise ImageError("There is no busybox in the package busybox-static.")
