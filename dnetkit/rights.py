"""May this user start a lab here, as root or rootless? Facts are gathered first, then judged; nothing is changed."""

from __future__ import annotations

import os
import pwd
import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dnetkit import programs

__all__ = [
    "NAMESPACES",
    "SANDBOXES",
    "Facts",
    "Obstacle",
    "Sandbox",
    "gather",
    "judge",
    "own_range",
    "subordinate_range",
]

SANDBOXES = ("root", "rootless")
NAMESPACES = ("--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", "--propagation", "private")
"""What a lab is in, as options of unshare(1); a rootless one is in a user namespace too."""

RANGE = 65536
TABLES = ("/etc/subuid", "/etc/subgid")
TOOLS = {
    "tini": "tini",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "iptables": "iptables",
}
ID_TOOLS = {"newuidmap": "uidmap", "newgidmap": "uidmap"}
ON_BINDER = "This is Binder. Live labs on Binder: not yet."


@dataclass(frozen=True)
class Obstacle:
    """One thing in the way of a sandbox: the reason, and what to do about it."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class Sandbox:
    """A way to start a lab ('root' or 'rootless'), usable when nothing is in its way."""

    name: str
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def usable(self) -> bool:
        """True when nothing is in the way."""
        return not self.obstacles


@dataclass(frozen=True)
class Facts:
    """What was found out about this user on this machine.

    The fields after `seccomp` are what was really tried, with the kernel's (or the tool's) answer: '' when it worked.
    """

    user: str = "root"
    uid: int = 0
    missing: tuple[str, ...] = ()
    """Programs that are not here."""
    without_setuid: tuple[str, ...] = ()
    """newuidmap, newgidmap: those that have neither the setuid bit nor a file capability."""
    no_range: tuple[str, ...] = ()
    """/etc/subuid, /etc/subgid: those that have no range of 65536 numbers for the user."""
    unprivileged_clone_off: bool = False
    max_user_namespaces: int | None = None
    apparmor_restricts: bool = False
    no_new_privs: bool = False
    seccomp: bool = False
    cgroups: str = ""
    namespaces: str = ""
    user_namespace: str = ""
    id_map: str = ""
    user_namespaces: str = ""
    binder: bool = False


def judge(facts: Facts) -> tuple[Sandbox, ...]:
    """What each sandbox is good for, given the facts."""
    return (Sandbox("root", tuple(_against_root(facts))), Sandbox("rootless", tuple(_against_rootless(facts))))


def _against_root(facts: Facts) -> Iterator[Obstacle]:
    if facts.uid != 0:
        remedy = (
            "There is no root on Binder." if facts.binder else "Nothing to do if rootless is usable; else use sudo."
        )
        yield Obstacle(f"You are {facts.user}, not root.", remedy)
        return
    yield from _missing(facts, TOOLS)
    if facts.namespaces:
        yield Obstacle(
            f"This root may not make namespaces ({facts.namespaces}): it is in a container with fewer rights.",
            "Start that container with --privileged, or use a virtual machine.",
        )
    if facts.cgroups:
        yield Obstacle(
            f"This root may not make control groups: {facts.cgroups}.",
            "In a container: start it with --privileged --cgroupns=private. Else mount /sys/fs/cgroup for writing.",
        )


def _against_rootless(facts: Facts) -> Iterator[Obstacle]:
    if facts.binder:  # what else is in the way there, nobody can clear away
        yield Obstacle(ON_BINDER, "Run the workbook on a machine of your own: README.md says how.")
        return
    yield from _missing(facts, TOOLS | ID_TOOLS)
    if facts.user_namespace:
        yield _no_user_namespace(facts)
        return
    if facts.no_new_privs:
        yield Obstacle(
            "This process can gain no rights (no_new_privs), so newuidmap cannot work.",
            "Start the container without 'no-new-privileges', or run the workbook outside it.",
        )
    for tool in facts.without_setuid:
        yield Obstacle(f"{tool} has lost its setuid bit.", "As root: apt-get install --reinstall uidmap")
    if facts.uid == 0 and facts.no_range:
        yield Obstacle(
            "root has no range of numbers in /etc/subuid and /etc/subgid.", "Root needs none: use the sandbox root."
        )
        return
    for table in facts.no_range:
        option = "--add-subuids" if table.endswith("subuid") else "--add-subgids"
        yield Obstacle(
            f"{facts.user} has no range of {RANGE} numbers in {table}.",
            f"As root: usermod {option} 100000-165535 {facts.user} (or another range that no other user has)",
        )
    known = facts.no_new_privs or facts.without_setuid or facts.no_range or set(facts.missing) & set(ID_TOOLS)
    if facts.id_map and not known:
        yield Obstacle(
            f"newuidmap refuses the range: {facts.id_map}.", "Compare /etc/subuid and /etc/subgid with `id`."
        )
    if facts.user_namespaces:
        yield Obstacle(
            f"In a user namespace the other namespaces are refused: {facts.user_namespaces}.",
            "In a container: start it with --security-opt systempaths=unconfined, or run the workbook outside it.",
        )


def _no_user_namespace(facts: Facts) -> Obstacle:
    """Why an ordinary user may not make a user namespace: the most specific reason that the facts give."""
    said = f"({facts.user_namespace})"
    if facts.unprivileged_clone_off:
        return Obstacle(
            f"Ordinary users may not make user namespaces here: kernel.unprivileged_userns_clone is 0 {said}.",
            "As root: sysctl -w kernel.unprivileged_userns_clone=1",
        )
    if facts.max_user_namespaces == 0:
        return Obstacle(
            f"This machine allows no user namespaces: user.max_user_namespaces is 0 {said}.",
            "As root: sysctl -w user.max_user_namespaces=15000",
        )
    if facts.apparmor_restricts:
        return _apparmor(said)
    if facts.seccomp or facts.no_new_privs:
        return Obstacle(
            f"A container's filter (seccomp) keeps user namespaces from this process {said}.",
            "Start the container with --security-opt seccomp=unconfined, or run the workbook outside it.",
        )
    return Obstacle(f"A user namespace is refused {said}.", "Ask who runs this machine, or use root.")


def _apparmor(said: str) -> Obstacle:
    return Obstacle(
        f"Ubuntu's AppArmor keeps user namespaces from ordinary programs {said}.",
        "As root, until the next boot: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 "
        "(this loosens a protection of the whole machine). Or use root for labs.",
    )


def _missing(facts: Facts, tools: dict[str, str]) -> Iterator[Obstacle]:
    for tool, package in tools.items():
        if tool in facts.missing:
            yield Obstacle(f"There is no {tool}.", f"As root: apt-get install {package} (or: make setup)")


def gather(try_out: bool = True) -> Facts:
    """Find the facts; what can be tried is tried, in namespaces that end at once.

    Without `try_out` it is taken for granted that it works: a lab that is about to open tries the same.
    """
    uid = os.geteuid()
    status = _fields(Path("/proc/self/status"))
    ranges = {table: own_range(table) for table in TABLES}
    namespaces = user_namespaces = user_namespace = id_map = ""
    if try_out:
        namespaces = _try(*NAMESPACES, "mount", "-t", "sysfs", "sysfs", "/sys") if uid == 0 else ""
        user_namespaces = _try("--user", "--map-root-user", *NAMESPACES, "mount", "-t", "sysfs", "sysfs", "/sys")
        user_namespace = _try("--user", "true") if user_namespaces else ""  # where all works, this does
        id_map = user_namespace or _map_ids(uid, *ranges.values())
    return Facts(
        user=_name_of(uid),
        uid=uid,
        missing=tuple(tool for tool in TOOLS | ID_TOOLS if programs.find(tool) is None),
        without_setuid=tuple(tool for tool in ID_TOOLS if not _gains_rights(programs.find(tool))),
        no_range=tuple(table for table, found in ranges.items() if found is None),
        unprivileged_clone_off=_setting("kernel/unprivileged_userns_clone") == 0,
        max_user_namespaces=_setting("user/max_user_namespaces"),
        apparmor_restricts=_setting("kernel/apparmor_restrict_unprivileged_userns") == 1,
        no_new_privs=status.get("NoNewPrivs") == "1",
        seccomp=status.get("Seccomp", "0") != "0",
        cgroups=_cgroups(),
        namespaces=namespaces if uid == 0 else "not root",
        user_namespace=user_namespace,
        id_map=id_map,
        user_namespaces=user_namespaces,
        binder=any(name.startswith("BINDER_") for name in os.environ),
    )


def own_range(table: str) -> tuple[int, int] | None:
    """This user's range in /etc/subuid or /etc/subgid, as far as a lab uses it: first, count."""
    uid = os.getuid()
    found = subordinate_range(Path(table), _name_of(uid), uid)
    return (found[0], RANGE) if found is not None else None


def subordinate_range(table: Path, user: str, uid: int) -> tuple[int, int] | None:
    """The user's first range of at least 65536 numbers in /etc/subuid or /etc/subgid (subuid(5)): first, count."""
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        owner, _, rest = line.strip().partition(":")
        numbers = re.fullmatch(r"(\d+):(\d+)", rest)
        if owner in {user, str(uid)} and numbers and int(numbers[2]) >= RANGE:
            return int(numbers[1]), int(numbers[2])
    return None


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container often runs as a number without a name
        return str(uid)


def _try(*unshare: str) -> str:
    ended = programs.run(["unshare", *unshare], timeout=20)
    return "" if ended.ok else ended.reason.removeprefix("unshare: ")


def _map_ids(uid: int, uids: tuple[int, int] | None, gids: tuple[int, int] | None) -> str:
    """Give a new user namespace the user's ranges as a lab does; '' when newuidmap and newgidmap accept that."""
    unshare = programs.find("unshare")
    if uids is None or gids is None or unshare is None:
        return "not tried: a range or a tool is missing"
    try:
        # cat answers a byte: by then it is in its new namespace, and it stays there until its input ends.
        with subprocess.Popen(
            [unshare, "--user", "--", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(b".")
            child.stdin.flush()
            child.stdout.read(1)
            for tool, own, (first, count) in (("newuidmap", uid, uids), ("newgidmap", os.getegid(), gids)):
                ended = programs.run([tool, str(child.pid), "0", str(own), "1", "1", str(first), str(count)])
                if not ended.ok:
                    return ended.reason
    except OSError as error:
        return str(error.strerror)
    return ""


def _cgroups() -> str:
    """Why no control group can be made here; '' when it looks as if one can."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        return str(error.strerror)
    mounts = [Path(line.split()[4]) for line in lines if line.partition(" - ")[2].split()[0] in {"cgroup", "cgroup2"}]
    if not mounts:
        return "no cgroup file system is mounted"
    for mount in mounts:
        if os.statvfs(mount).f_flag & os.ST_RDONLY or not os.access(mount, os.W_OK):
            return f"{mount} is read-only"
    return ""


def _gains_rights(tool: Path | None) -> bool:
    """Whether a program runs with more rights than its caller; one that is not here is told of elsewhere."""
    if tool is None or tool.stat().st_mode & stat.S_ISUID:
        return True
    try:
        return bool(os.getxattr(tool, "security.capability"))
    except OSError:
        return False


def _setting(name: str) -> int | None:
    try:
        return int(Path("/proc/sys", name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _fields(table: Path) -> dict[str, str]:
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
