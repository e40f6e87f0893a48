"""What a lab could leave behind on this machine, counted before and after, so that a test can show that nothing is.

Other people's labs may run at the same time. So only what can be told to be ours counts: descendants of this process
(which adopts orphans, see `adopt_orphans`), cgroups and sockets that carry the id of a lab of ours (see `Ids`), and
files in directories that only this run uses. The machine's own interfaces, addresses, routes, rules, names and settings
are compared as they are: no lab, of whoever, may change them.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnetkit import programs
from dnetkit.agent.keeper import cgroup_directories

__all__ = ["Ids", "Watch", "adopt_orphans", "descendants"]

Census = dict[str, Counter[str]]

_PR_SET_CHILD_SUBREAPER = 36
_IN_CREATE = 0x100
_BOTH_WAYS = ("address", "route", "rule", "setting")
"""Where it counts too that something is missing afterwards."""

_LAB_MOUNTS = ("/run", "/etc", "/proc", "/sys", "/var/lib", "/root", "/dev")
"""Where a lab mounts things, in a namespace of its own; elsewhere it is other people who mount."""

_SETTINGS = (
    *("ipv4/ip_forward", "ipv4/ip_local_port_range", "ipv4/conf/all/forwarding", "ipv4/conf/all/route_localnet"),
    *("ipv4/conf/all/rp_filter", "ipv4/conf/all/arp_ignore", "ipv6/conf/all/forwarding", "ipv6/conf/all/disable_ipv6"),
    *("ipv6/conf/default/accept_ra", "bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables"),
    *("netfilter/nf_conntrack_max", "ipv4/vs/conntrack", "core/somaxconn"),
)
"""The sysctls that an engine, swarm mode or a chapter sets; `whole` compares all of the network's."""

_VOLATILE = ("nf_conntrack_count", "tcp_mem", "udp_mem")

_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """From now on a descendant whose parent has died is a child of this process, so that none is lost sight of."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class Ids:
    """The ids of all labs that were started with this state directory, by whatever process: inotify(7) tells them."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._ids: set[str] = set()
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0 or _libc.inotify_add_watch(self._fd, os.fsencode(directory), _IN_CREATE) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def close(self) -> None:
        os.close(self._fd)

    def all(self) -> set[str]:
        """Every id so far."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._fd, 1 << 16):
                at = 0
                while at < len(data):
                    (length,) = struct.unpack_from("12xI", data, at)
                    name = data[at + 16 : at + 16 + length].rstrip(b"\0").decode()
                    self._ids.add(name.removesuffix(".json"))
                    at += 16 + length
        return self._ids


@dataclass(frozen=True)
class Watch:
    """How to count: for labs whose records `ids` watches, with temporary files in the directory `temporary`."""

    ids: Ids
    temporary: Path

    @contextlib.contextmanager
    def nothing_left(self, *, whole: bool = False, deadline: float = 5.0) -> Iterator[None]:
        """Raise AssertionError when, after the body, something is there that was not before.

        Asked again until `deadline` (seconds), since some things end a moment later. What is inside a lab that was
        open before is that lab's own affair. whole: compare every sysctl of the network.
        """
        old, labs = frozenset(descendants()), frozenset(self.ids.all())
        before = self._take(old, labs, whole)
        yield
        give_up = time.monotonic() + deadline
        while True:
            gc.collect()
            found = list(_differences(before, self._take(old, labs, whole)))
            if not found:
                return
            if time.monotonic() > give_up:
                raise AssertionError("Left behind:\n  " + "\n  ".join(found))
            time.sleep(0.02)

    def _take(self, old: frozenset[int], labs: frozenset[str], whole: bool) -> Census:
        counts = {
            "process": (f"{pid} {words}" for pid, words in descendants(skip=old).items()),
            "thread": (f"{thread.name} {thread.ident}" for thread in threading.enumerate()),
            "descriptor": _descriptors(),
            "mount": _mounts(self.temporary),
            "address": _addresses(),
            "route": _routes(),
            "rule": _rules(),
            "named namespace": _names_in(Path("/run/netns")),
            "setting": _settings(whole),
            "cgroup": _cgroups(self.ids.all() - labs),
            "socket": _sockets(self.ids.all() - labs),
            "record": _names_in(self.ids.directory),
            "temporary file": _names_in(self.temporary),
        }
        return {what: Counter(found) for what, found in counts.items()}


def descendants(root: int | None = None, skip: frozenset[int] = frozenset()) -> dict[int, str]:
    """The living processes below `root` (else this one), pid to command line; not those in `skip` nor below them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent, *_ = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(entry.name))
    found: dict[int, str] = {}
    waiting = list(children.get(root or os.getpid(), ()))
    while waiting:
        pid = waiting.pop()
        if pid in skip:
            continue
        waiting += children.get(pid, ())
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            found[pid] = words or Path(f"/proc/{pid}/comm").read_text().strip()
    return found


def _differences(before: Census, after: Census) -> Iterator[str]:
    for what, now in after.items():
        yield from (f"{what}: {item[:300]}" for item in now - before[what])
        if what in _BOTH_WAYS:
            yield from (f"{what} gone: {item[:300]}" for item in before[what] - now)


def _descriptors() -> Iterator[str]:
    for entry in set(os.listdir("/proc/self/fd")) - {"0", "1", "2"}:  # those are pytest's, which swaps them
        with contextlib.suppress(OSError):  # the listing's own is closed by now
            yield f"{entry} {os.readlink(f'/proc/self/fd/{entry}')}"


def _mounts(temporary: Path) -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        place = fields[4]
        ours = place == "/tmp" or place.startswith(f"{temporary}/")  # noqa: S108 - the mount point itself
        if ours or any(place == top or place.startswith(f"{top}/") for top in _LAB_MOUNTS):
            yield f"{place} {fields[-3]} {fields[-2]}"


def _addresses() -> Iterator[str]:
    for link in _ip("addr"):
        yield f"{link['ifname']} mtu {link['mtu']} {','.join(link['flags'])} {link.get('master', '')}"
        yield from (f"{link['ifname']} {a['local']}/{a['prefixlen']}" for a in link["addr_info"] if "local" in a)


def _routes() -> Iterator[str]:
    for route in _ip("route", "show", "table", "all"):
        yield " ".join(f"{key} {route[key]}" for key in ("type", "dst", "gateway", "dev", "table") if key in route)


def _rules() -> Iterator[str]:
    if os.geteuid() == 0:  # an ordinary user can neither read nor change them
        for program in ("iptables-save", "ip6tables-save"):
            ended = programs.run([program])
            assert ended.ok, ended.reason
            lines = (line.partition(" [")[0] for line in ended.stdout.splitlines() if not line.startswith("#"))
            yield from (f"{program}: {line}" for line in lines)


def _settings(whole: bool) -> Iterator[str]:
    top = Path("/proc/sys/net")
    paths = (path for path in top.rglob("*") if path.is_file()) if whole else (top / name for name in _SETTINGS)
    for path in paths:
        if path.name not in _VOLATILE:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                yield f"{path} = {path.read_text().strip()}"
    yield f"hostname = {os.uname().nodename}"


def _cgroups(ids: set[str]) -> Iterator[str]:
    for name in ids:
        yield from map(str, cgroup_directories(f"dnetkit-{name}"))


def _sockets(ids: set[str]) -> Iterator[str]:
    for line in Path("/proc/net/unix").read_text(errors="replace").splitlines():
        address = line.split(" ")[-1]
        if address.startswith("@dnetkit/") and address.rpartition("/")[2] in ids:
            yield address


def _names_in(directory: Path) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError):
        yield from os.listdir(directory)


def _ip(*arguments: str) -> list[Any]:
    done = subprocess.run([programs.find("ip") or "ip", "-j", *arguments], capture_output=True, text=True, check=True)
    return [entry for entry in json.loads(done.stdout or "[]") if entry]
