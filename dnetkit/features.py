"""What this kernel can do for a lab, each feature really tried in a scratch network namespace of a child process.

Nothing outside that namespace is touched, and no module is loaded by hand; the kernel may load one by itself when it is
asked for a feature, as it does for a lab. A feature that could not be tried is 'unknown', with the reason: never 'no'.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dnetkit import programs

__all__ = ["NAMES", "Feature", "main", "try_features"]

SCRATCH = Path("/run")
"""Where the child mounts a tmpfs, in a mount namespace of its own."""

NETLINK_GENERIC = 16
MASQUERADE = ("-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")


@dataclass(frozen=True)
class Feature:
    """One feature; state 'yes', 'no' or 'unknown', detail says why it is not 'yes', purpose what a lab needs it for."""

    name: str
    state: str
    purpose: str
    detail: str = ""


@dataclass(frozen=True)
class Trial:
    """How a feature is tried: `attempt` returns '' when it worked, else what the kernel said."""

    name: str
    purpose: str
    attempt: Callable[[], str]
    refusals: tuple[str, ...] = ()
    """What the kernel says when it does not have the feature; anything else is a reason why it could not be tried."""


def try_features(prefix: Sequence[str]) -> tuple[Feature, ...]:
    """Try everything in a child that `prefix` (an unshare) starts in new network and mount namespaces."""
    child = [*prefix, sys.executable, "-m", "dnetkit.features", *_namespaces()]
    ran = programs.run(child, timeout=60, environment=_import_path())
    try:
        return tuple(Feature(**plain) for plain in json.loads(ran.stdout))
    except (ValueError, TypeError):
        return untried(f"no scratch namespace could be made: {ran.reason}")


def untried(reason: str) -> tuple[Feature, ...]:
    """Every feature as 'unknown', for that reason."""
    return tuple(Feature(trial.name, "unknown", trial.purpose, reason) for trial in TRIALS)


def main(outside: Sequence[str]) -> int:
    """The child: print as JSON what worked.

    outside: the namespaces of the process that wants to know. Unless this one is in others, nothing at all is tried.
    """
    inside = _namespaces()
    if len(outside) != len(inside) or any(there == here for there, here in zip(outside, inside, strict=True)):
        print("dnetkit.features: these are the machine's own namespaces; nothing is tried here", file=sys.stderr)
        return 2
    mounted = programs.run(["mount", "-t", "tmpfs", "-o", "mode=755", "dnetkit", SCRATCH])
    if not mounted.ok:
        print(f"dnetkit.features: {mounted.reason}", file=sys.stderr)
        return 2
    print(json.dumps([asdict(_judge(trial, trial.attempt())) for trial in TRIALS]))
    return 0


def _namespaces() -> list[str]:
    """What tells this process's network and mount namespaces from all others: 'net:[4026531833]'."""
    return [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "mnt")]


def _judge(trial: Trial, said: str) -> Feature:
    if not said:
        return Feature(trial.name, "yes", trial.purpose)
    state = "no" if any(refusal in said for refusal in trial.refusals) else "unknown"
    return Feature(trial.name, state, trial.purpose, said)


def _command(*argv: str) -> Callable[[], str]:
    def attempt() -> str:
        ended = programs.run(argv)
        return "" if ended.ok else ended.reason.removeprefix("Error: ").rstrip(".")

    return attempt


def _link(name: str, kind: str, *options: str, parent: str = "") -> Callable[[], str]:
    return _command("ip", "link", "add", *(("link", parent) if parent else ()), "name", name, "type", kind, *options)


def _overlay() -> str:
    for name in ("lower", "upper", "work", "merged"):
        (SCRATCH / name).mkdir()
    options = f"lowerdir={SCRATCH}/lower,upperdir={SCRATCH}/upper,workdir={SCRATCH}/work"
    return _command("mount", "-t", "overlay", "-o", options, "overlay", str(SCRATCH / "merged"))()


def _ipvs() -> str:
    """Ask generic netlink for the family IPVS (linux/genetlink.h: CTRL_CMD_GETFAMILY 3, CTRL_ATTR_FAMILY_NAME 2)."""
    name = b"IPVS\0"
    attribute = struct.pack("=HH", 4 + len(name), 2) + name + b"\0" * (-len(name) % 4)
    payload = struct.pack("=BBH", 3, 1, 0) + attribute
    request = struct.pack("=IHHII", 16 + len(payload), 0x10, 0x5, 1, 0) + payload  # GENL_ID_CTRL, REQUEST | ACK
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as kernel:
            kernel.settimeout(5)
            kernel.send(request)
            answer = kernel.recv(8192)
    except OSError as error:
        return str(error)
    kind = struct.unpack_from("=H", answer, 4)[0]
    number = -struct.unpack_from("=i", answer, 16)[0] if kind == 2 else 0  # NLMSG_ERROR
    if number == errno.ENOENT:
        return NO_IPVS
    return os.strerror(number) if number else ""


def _bridge_netfilter() -> str:
    """Only root can load the module, and to load it is not ours to do."""
    return "" if BRIDGE_SETTING.exists() else NO_BRIDGE_NETFILTER


def _import_path() -> dict[str, str]:
    """The child must find this very package, also where it is not installed."""
    here = str(Path(__file__).resolve().parent.parent)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))}


BRIDGE_SETTING = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
NO_BRIDGE_NETFILTER = "it is not loaded; `modprobe br_netfilter` as root loads it"
NO_IPVS = "generic netlink has no family IPVS"
NO_LINK = ("Unknown device type", "Operation not supported")
NO_ESP = ("Requested type not found", "Requested AEAD algorithm not found", "Protocol not supported", "not implemented")
KEY = "0x0102030405060708090a0b0c0d0e0f1011121314"

TRIALS = (
    Trial("veth", "the cable of every container", _link("dn0", "veth", "peer", "name", "dn1"), NO_LINK),
    Trial("bridge", "docker0 and every network of that driver", _link("dn2", "bridge"), NO_LINK),
    Trial("br_netfilter", "rules for what stays on one bridge", _bridge_netfilter, (NO_BRIDGE_NETFILTER,)),
    Trial("macvlan", "macvlan networks", _link("dn3", "macvlan", "mode", "bridge", parent="dn0"), NO_LINK),
    # One link cannot have both on it: 'Device or resource busy'.
    Trial("ipvlan", "ipvlan networks", _link("dn4", "ipvlan", parent="dn1"), NO_LINK),
    Trial("802.1Q", "networks on a VLAN", _link("dn5", "vlan", "id", "5", parent="dn0"), NO_LINK),
    Trial(
        "vxlan", "overlay networks", _link("dn6", "vxlan", "id", "6", "dstport", "4789", "local", "192.0.2.1"), NO_LINK
    ),
    Trial("ipvs", "a service's virtual address in a swarm", _ipvs, (NO_IPVS,)),
    Trial(
        "ESP",
        "encrypted overlay networks",
        _command(
            *("ip", "xfrm", "state", "add", "src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "1"),
            *("mode", "transport", "aead", "rfc4106(gcm(aes))", KEY, "64"),
        ),
        NO_ESP,
    ),
    Trial("overlayfs", "the layers of an image", _overlay, ("unknown filesystem type",)),
    Trial("nft iptables", "NAT and filter rules, the kernel's newer way", _command("iptables-nft", *MASQUERADE)),
    # iptables-legacy would run modprobe by itself.
    Trial(
        "legacy iptables",
        "NAT and filter rules, the older way",
        _command("iptables-legacy", "--modprobe", "/bin/true", *MASQUERADE),
    ),
)

NAMES = tuple(trial.name for trial in TRIALS)
"""The names of all features, in the order in which they are tried."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
