"""A lab without an engine beside Mininet, which makes two hosts on a bridge as well."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.bare import unshare
from benchmarks.rows import KIND, Row, elapsed, ratio, tell
from dnetkit import programs

__all__ = ["measure"]

_OURS = "from dnetkit.lab import Lab\nLab(hosts=2, client=False, engine=None).open().close()"
# In namespaces of its own, and with the machine's settings out of its reach: it would raise some of them.
_MININET = (
    "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && ip link set lo up && "
    "exec mn --test none --topo single,2 --switch lxbr --controller none"
)
_PACKAGES = {"mn": "mininet", "brctl": "bridge-utils"}


def measure(runs: int) -> list[Row]:
    """A process of each, from its start to its end."""
    name = f"a lab of two hosts without an engine ({KIND}) / Mininet"
    missing = [package for program, package in _PACKAGES.items() if programs.find(program) is None]
    if missing:
        return [Row(name, None, 1.0, f"install it: apt-get install {' '.join(missing)}")]
    environment = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    ours: list[float] = []
    mininet: list[float] = []
    for _ in range(runs):
        ours.append(elapsed(lambda: subprocess.run([sys.executable, "-c", _OURS], check=True)))
        start = time.monotonic()
        done = programs.run([*unshare(), "sh", "-c", _MININET], timeout=120, environment=environment)
        mininet.append(time.monotonic() - start)
        if not done.ok:
            return [Row(name, None, 1.0, f"Mininet does not run here: {done.reason}")]
    tell("a process that opens and closes a lab without an engine", ours)
    tell("mn --test none --topo single,2 --switch lxbr", mininet)
    return [Row(name, ratio(ours, mininet), 1.0)]
