"""The system calls that the standard library lacks: clone, setns, mount and their like; Linux on x86-64 and arm64.

Numbers and structures are the kernel's own (clone(2), setns(2), mount(2), mount_setattr(2), pidfd_open(2)). Every call
raises OSError with the errno and the path or purpose in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import struct
from collections.abc import Iterator

__all__ = [
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "MS_BIND",
    "MS_NODEV",
    "MS_NOEXEC",
    "MS_NOSUID",
    "MS_PRIVATE",
    "MS_RDONLY",
    "MS_REC",
    "MS_REMOUNT",
    "clone",
    "die_with_parent",
    "in_network_namespace",
    "mount",
    "set_read_only",
    "setns",
]

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

_SYS_CLONE = {"x86_64": 56, "aarch64": 220}
_SYS_MOUNT_SETATTR = 442
_PR_SET_PDEATHSIG = 1
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def clone(flags: int) -> int:
    """Fork into new namespaces: the child's pid in the parent, 0 in the child.

    Only for a process with one thread: the interpreter's own fork hooks do not run. The child is to exec soon.
    """
    machine = platform.machine()
    if machine not in _SYS_CLONE:
        raise OSError(f"clone on {machine} is not known here; x86_64 and aarch64 are")
    no = ctypes.c_ulong(0)
    return _check(
        _libc.syscall(ctypes.c_long(_SYS_CLONE[machine]), ctypes.c_ulong(flags | signal.SIGCHLD), no, no, no, no),
        "clone",
    )


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into the namespace that `fd` is open on."""
    _check(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)), "setns")


@contextlib.contextmanager
def in_network_namespace(fd: int) -> Iterator[None]:
    """Run the body with this thread in another network namespace, then come back."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(own, CLONE_NEWNET)
    finally:
        os.close(own)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount(2); raises OSError naming the target."""
    _check(
        _libc.mount(
            source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), options.encode() or None
        ),
        f"mount {target}",
    )


def set_read_only(path: str, on: bool = True, *, recursive: bool = True) -> None:
    """Make the mount at `path`, and with recursive all below it, read-only, or writable again. Needs Linux 5.12."""
    attributes = struct.pack("=QQQQ", *((_MOUNT_ATTR_RDONLY, 0) if on else (0, _MOUNT_ATTR_RDONLY)), 0, 0)
    _check(
        _libc.syscall(
            ctypes.c_long(_SYS_MOUNT_SETATTR),
            ctypes.c_int(_AT_FDCWD),
            path.encode(),
            ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
            attributes,
            ctypes.c_size_t(len(attributes)),
        ),
        f"mount_setattr {path}",
    )


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that made it ends; setting user ids afterwards undoes it."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
