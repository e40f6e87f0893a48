"""What a lab and a machine in it see of the file system: the real one, read-only, with private places to write.

The lab's first process calls `arrange_lab`; each machine's first process calls `arrange_machine`. All of it lies in
mount namespaces of their own and ends with them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from pathlib import Path
from typing import Any

from dnetkit.agent import kernel, nameserver
from dnetkit.agent.imagestore import place
from dnetkit.agent.kernel import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC

__all__ = ["BASE", "arrange_lab", "arrange_machine", "write_hosts"]

BASE = "/run/dnetkit"
"""Where a lab keeps its own things: the engine, the images, the machine's cgroups."""

SHARED = "/run/shared"
"""A folder that all machines of a lab see: for what people carry from one to the other, such as a token."""


def arrange_lab(config: dict[str, Any]) -> None:
    """Cut the mounts loose from the machine's, make them read-only, and put the lab's own /proc and /run in place.

    config: 'sandbox'; 'bind', a map from a name below BASE to the directory of the machine that is to be seen there;
    'writable', those of the names that may be written.
    """
    kernel.mount("", "/", flags=MS_REC | MS_PRIVATE)
    opened = {name: os.open(directory, os.O_PATH | os.O_DIRECTORY) for name, directory in config["bind"].items()}
    with contextlib.suppress(OSError):  # before Linux 5.12 there is no such call: then it stays writable
        kernel.set_read_only("/")
        if config["sandbox"] == "root":
            kernel.set_read_only("/sys/fs/cgroup", on=False)
    _tmpfs("/run")
    for name, fd in opened.items():
        _bind(f"/proc/self/fd/{fd}", f"{BASE}/{name}")
        os.close(fd)
        if name in config["writable"]:
            with contextlib.suppress(OSError):
                kernel.set_read_only(f"{BASE}/{name}", on=False)
    _bind("/sys/fs/cgroup", f"{BASE}/cgroup")
    os.mkdir(f"{BASE}/shared")
    _tmpfs(f"{BASE}/shared")
    _tmpfs("/dev/shm", "1777")  # noqa: S108 - the mount point itself
    _proc()


def arrange_machine(name: str, addresses: dict[str, str], disk: str, stores: list[str]) -> None:
    """Give a machine its own /proc, /sys, /run (SHARED in it), /tmp, /root, /etc and /var/lib, and its name.

    addresses: name to LAN address of every machine, for /etc/hosts. disk: the size of /var/lib, as tmpfs takes it
    ('512m'); '' for the kernel's default, half of the memory. stores: directories with images, to be put into the
    engine's.
    """
    kept = {entry: os.open(f"{BASE}/{entry}", os.O_PATH) for entry in os.listdir(BASE) if entry != "machines"}
    _proc()
    kernel.mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _bind(f"/proc/self/fd/{kept.pop('cgroup')}", "/sys/fs/cgroup")
    if os.path.isdir("/sys/kernel/security"):  # the engine would leave an AppArmor profile in the machine's kernel
        with contextlib.suppress(OSError):
            _tmpfs("/sys/kernel/security")
    _tmpfs("/run")
    for entry, fd in kept.items():
        _bind(f"/proc/self/fd/{fd}", SHARED if entry == "shared" else f"{BASE}/{entry}")
        os.close(fd)
    _tmpfs("/tmp", "1777")  # noqa: S108 - the mount point itself
    _tmpfs("/root", "700")
    _tmpfs("/var/lib", "755", disk)
    _etc(name, addresses)
    # A new namespace takes this over from the machine, which routes if it has a Docker of its own. A newly installed
    # host does not, and an engine up to 27 sets the policy of FORWARD only where it switches routing on itself.
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0", encoding="ascii")
    if stores:
        place(stores, Path("/var/lib/docker"))
    socket.sethostname(name)
    os.chdir("/root")


def write_hosts(addresses: dict[str, str], directory: str = "/etc") -> None:
    """Write the hosts file of a machine: itself and the others of its lab by name."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    lines += [f"{address} {name}" for name, address in addresses.items()]
    path = Path(directory) / "hosts"
    path.unlink(missing_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _etc(name: str, addresses: dict[str, str]) -> None:
    layers = [f"{BASE}/etc/{layer}" for layer in ("upper", "work")]
    for layer in layers:
        os.makedirs(layer)
    os.mkdir(f"{layers[0]}/default")  # without root, only a directory of its own can be written in
    options = f"lowerdir=/etc,upperdir={layers[0]},workdir={layers[1]}"
    try:
        try:
            kernel.mount("etc", "/etc", "overlay", 0, options + ",userxattr")
        except OSError:  # userxattr is for an unprivileged overlay, and newer than the rest
            kernel.mount("etc", "/etc", "overlay", 0, options)
    except OSError:  # without root, a file that is mounted in /etc (a container's hosts) rules an overlay out
        _copy_tree("/etc", layers[0])
        _bind(layers[0], "/etc")
    if os.path.isdir("/etc/docker"):
        _tmpfs("/etc/docker")
    else:
        os.mkdir("/etc/docker")
    Path("/etc/default/docker").unlink(missing_ok=True)  # what this machine's own engine is started with
    write_hosts(addresses)
    resolver = (
        f"# a lab has no way out: this one knows its machines, and no other name\nnameserver {nameserver.ADDRESS}\n"
    )
    for file, text in (("hostname", name + "\n"), ("resolv.conf", resolver)):
        path = Path("/etc") / file
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")


def _copy_tree(source: str, target: str) -> None:
    """Copy what can be read; what cannot be, and what is no file, is left out."""
    for directory, inner, files in os.walk(source):
        here = os.path.join(target, os.path.relpath(directory, source))
        os.makedirs(here, exist_ok=True)
        for name in [*files, *(name for name in inner if os.path.islink(os.path.join(directory, name)))]:
            path = os.path.join(directory, name)
            if os.path.islink(path) or os.path.isfile(path):
                with contextlib.suppress(OSError):
                    shutil.copy2(path, os.path.join(here, name), follow_symlinks=False)


def _proc() -> None:
    """A fresh /proc in which only the network's settings, which every namespace has for itself, can be written."""
    kernel.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _bind("/proc/sys", "/proc/sys")
    _bind("/proc/sys/net", "/proc/sys/net")
    with contextlib.suppress(OSError):
        kernel.set_read_only("/proc/sys", recursive=False)


def _tmpfs(target: str, mode: str = "755", size: str = "") -> None:
    kernel.mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode}" + (f",size={size}" if size else ""))


def _bind(source: str, target: str) -> None:
    if not os.path.exists(target):
        os.makedirs(target)
    kernel.mount(source, target, "", MS_BIND | MS_REC)
