"""Small files of machines and containers that decide about names, read without trusting what lies there.

A container may have put anything in their place: a link that leads out, a pipe that never answers, a gigabyte. So the
path is resolved inside its root (openat2(2), Linux 5.6), opening does not wait, and reading has an end.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable

from dnetkit.model import File, Unavailable

__all__ = ["CONTAINER_FILES", "LIMIT", "MACHINE_FILES", "open_inside", "read_files"]

CONTAINER_FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname")
MACHINE_FILES = (*CONTAINER_FILES, "/etc/docker/daemon.json")

LIMIT = 1 << 16
"""How many bytes of a file are read."""

_SYS_OPENAT2 = 437
_NO_MAGIC_LINKS, _IN_ROOT = 0x02, 0x10
_libc = ctypes.CDLL(None, use_errno=True)


def open_inside(root: int, path: str, flags: int) -> int:
    """Open a path as a process whose root that descriptor is would see it. Raises OSError."""
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, _NO_MAGIC_LINKS | _IN_ROOT)
    fd: int = _libc.syscall(
        ctypes.c_long(_SYS_OPENAT2), ctypes.c_int(root), path.encode(), how, ctypes.c_size_t(len(how))
    )
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return fd


def read_files(root: str, paths: Iterable[str], who: str, missing: list[Unavailable]) -> tuple[File, ...]:
    """Those of the files below the directory `root` that are there; what cannot be read is noted in `missing`.

    Raises FileNotFoundError when there is no such root, or not any more.
    """
    made = []
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path in paths:
            try:
                made.append(_read(top, path))
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    missing.append(Unavailable(f"{path} of {who}", error.strerror or str(error)))
    finally:
        os.close(top)
    os.stat(root)  # else its process has ended meanwhile, and its mounts with it: then nothing of this is so
    return tuple(made)


def _read(root: int, path: str) -> File:
    found = open_inside(root, path, os.O_PATH)  # without a right to anything yet: opening a device may set it off
    try:
        status = os.fstat(found)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        fd = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    finally:
        os.close(found)
    try:
        data = os.read(fd, LIMIT)
        return File(path, data.decode("utf-8", "backslashreplace"), status.st_size > len(data))
    finally:
        os.close(fd)
