"""The machines of a lab: make their namespaces, wire them to the LAN, start programs in them."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from typing import IO, Any

from dnetkit.agent import kernel, links, mounts, nameserver
from dnetkit.agent.netlink import Netlink

__all__ = ["LAN", "Machine", "make_machines"]

LAN = "lan0"
"""The bridge in the lab's own namespace that all machines hang on."""

_RUNNING = f"{mounts.BASE}/running"  # inside a machine


@dataclass
class Machine:
    """A machine of the lab: its first process, and how to run things in it.

    pid is that of its first process as the agent sees it. environment is what programs in it start with.
    """

    name: str
    kind: str
    address: str
    pid: int
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether its first process lives."""
        return os.path.exists(f"/proc/{self.pid}/ns/net")  # one that has ended but is not waited for has none

    def enter(self, *command: str) -> list[str]:
        """The argv that runs `command` inside this machine."""
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "--", *command]

    def start(self, *command: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program in this machine, in a process group of its own."""
        return subprocess.Popen(self.enter(*command), env=self.environment, start_new_session=True, cwd="/", **options)

    def open_namespace(self) -> int:
        """A descriptor of its network namespace; the caller closes it."""
        return os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def path(self, inside: str) -> str:
        """Where a file of the machine can be opened from outside it."""
        return f"/proc/{self.pid}/root{inside}"


def make_machines(config: dict[str, Any]) -> dict[str, Machine]:
    """Make every machine of `config` and wire it up; called once, before the agent has threads.

    config: 'machines', a list of {'name', 'kind', 'address'}; 'prefix', the LAN's prefix length; 'bin' and 'lib',
    directories for PATH and LD_LIBRARY_PATH; 'python', that for PYTHONPATH; 'disk', the size of a host's /var/lib;
    'stores', the images that each host's engine starts with.
    """
    addresses = {machine["name"]: machine["address"] for machine in config["machines"]}
    common = {
        "PATH": ":".join([*config["bin"], "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]),
        "PYTHONPATH": config["python"],
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "PS1": r"\h:\w# ",
    }
    made: dict[str, Machine] = {}
    waiting: list[tuple[str, IO[bytes]]] = []
    for machine in config["machines"]:
        pid, told = _clone_machine(machine, addresses, config)
        made[machine["name"]] = Machine(machine["name"], machine["kind"], machine["address"], pid, dict(common))
        waiting.append((machine["name"], told))
    trouble: OSError | None = None
    try:
        _wire_all(list(made.values()), config["prefix"])
    except OSError as error:  # perhaps only because a machine has ended: then that has the reason
        trouble = error
    for name, told in waiting:
        with told:
            said = told.read().decode()
        if said:
            raise OSError(f"machine {name}: {said}")
    if trouble is not None:
        raise trouble
    return made


def _wire_all(machines: list[Machine], prefix: int) -> None:
    with Netlink() as netlink:
        links.set_up(netlink, "lo")
        links.add_bridge(netlink, LAN)
        links.add_address(netlink, LAN, f"{nameserver.ADDRESS}/{prefix}")
        for machine in machines:
            _wire(netlink, machine, prefix)


def _wire(netlink: Netlink, machine: Machine, prefix: int) -> None:
    namespace = machine.open_namespace()
    try:
        links.add_pair(netlink, f"to-{machine.name}", LAN, "eth0", namespace)
        with Netlink(namespace) as inside:
            links.set_up(inside, "lo")
            links.add_address(inside, "eth0", f"{machine.address}/{prefix}")
            links.set_up(inside, "eth0")
    finally:
        os.close(namespace)


def _for_ever() -> list[str]:
    """What flock(1) waits for without end: a lock that it holds itself, by an open file that it inherits.

    A machine lives as long as this program, so it is none that a learner would end by name, as sleep would be.
    """
    held = os.open(_RUNNING, os.O_RDONLY | os.O_CREAT, 0o600)
    os.set_inheritable(held, True)
    fcntl.flock(held, fcntl.LOCK_EX)
    return [_RUNNING, "true"]


def _clone_machine(machine: dict[str, Any], addresses: dict[str, str], config: dict[str, Any]) -> tuple[int, IO[bytes]]:
    """The pid of the machine's first process, and a file that ends when that is set up; it holds the error, if any."""
    tini = shutil.which("tini") or "/usr/bin/tini"
    read, write = os.pipe()
    pid = kernel.clone(
        kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS | kernel.CLONE_NEWNET
    )
    if pid == 0:
        try:
            os.setsid()
            kernel.die_with_parent()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)
            stores = config["stores"] if machine["kind"] == "host" else []
            mounts.arrange_machine(machine["name"], addresses, config["disk"], stores)
            os.execv(tini, [tini, "--", "flock", *_for_ever()])  # noqa: S606 - an argv; closes `write`: that is the sign
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}".encode())
        os._exit(70)
    os.close(write)
    return pid, os.fdopen(read, "rb")
