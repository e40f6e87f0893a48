"""Put images into an engine's directory before it starts, in a time that does not depend on how large they are.

A store is what an engine's own directory held after it had loaded one image: `image/` (who is who, small files) and
`overlay2/` (the layers). Names in both are digests or random, so stores can be laid side by side; only
repositories.json, the map from names to images, has to be merged. A layer's files are not copied but pointed at;
removing the image removes the pointer. The layout is that of the engine's graph driver, the same from 20.10 to 29
(an engine 29 has to be told to use it); `save` refuses another.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

__all__ = ["NAMES", "place", "save"]

NAMES = Path("image/overlay2/repositories.json")


def place(stores: list[str], target: Path) -> None:
    """Lay the images of every store into the directory of an engine that has never run."""
    repositories: dict[str, Any] = {}
    for name in stores:
        store = Path(name)
        for directory, inner, files in os.walk(store):
            here = target / Path(directory).relative_to(store)
            here.mkdir(mode=0o710, parents=True, exist_ok=True)
            if "diff" in inner and here.parent == target / "overlay2":
                inner.remove("diff")
                (here / "diff").symlink_to(Path(directory) / "diff")
            for link in [entry for entry in inner if (Path(directory) / entry).is_symlink()]:
                inner.remove(link)
                files.append(link)
            for file in files:
                shutil.copy2(Path(directory) / file, here / file, follow_symlinks=False)
        repositories |= json.loads((store / NAMES).read_text())["Repositories"]
    (target / NAMES).write_text(json.dumps({"Repositories": repositories}))


def save(source: Path, target: Path) -> None:
    """Copy an engine's images into an empty store. Raises OSError when its directory is not laid out as expected."""
    if not (source / NAMES).is_file():
        raise OSError("this engine does not keep its images in overlay2")
    shutil.copytree(source / "image", target / "image", symlinks=True)
    _copy_layers(source / "overlay2", target / "overlay2")


def _copy_layers(source: Path, target: Path) -> None:
    """Copy with owners, modes and extended attributes, in which overlayfs marks what a layer removes."""
    target.mkdir(exist_ok=True)
    for entry in os.scandir(source):
        copy = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            _copy_layers(Path(entry.path), copy)
        elif entry.is_file(follow_symlinks=False):
            shutil.copyfile(entry.path, copy)
            _copy_attributes(Path(entry.path), copy)
        elif entry.is_symlink():
            copy.symlink_to(os.readlink(entry.path))
            found = entry.stat(follow_symlinks=False)
            os.lchown(copy, found.st_uid, found.st_gid)
        else:
            found = entry.stat(follow_symlinks=False)
            os.mknod(copy, found.st_mode, found.st_rdev)
            os.lchown(copy, found.st_uid, found.st_gid)
    _copy_attributes(source, target)  # last: each new entry changes a directory's date


def _copy_attributes(source: Path, target: Path) -> None:
    found = source.stat()
    os.chown(target, found.st_uid, found.st_gid)
    os.chmod(target, found.st_mode & 0o7777)
    for name in os.listxattr(source):
        os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
