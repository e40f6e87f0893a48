"""Sockets, and the processes that hold them."""

from __future__ import annotations

from dataclasses import dataclass

from dnetkit.model.noise import noisy

__all__ = ["Process", "Socket"]


@dataclass(frozen=True, order=True)
class Process:
    """A process: its number as its machine counts, its name (15 characters at most), the container it runs in."""

    pid: int
    name: str
    container: str = ""


@dataclass(frozen=True, order=True)
class Socket:
    """A socket as `ss` lists it, listening or connected.

    protocol: 'tcp', 'udp', 'raw', 'icmp', 'sctp' or 'packet'. Addresses are plain, '0.0.0.0' or '::' for any; family 4
    or 6 says which kind of socket it is (one of IPv6 that takes IPv4 as well has v6only False). port 0: none; for 'raw'
    the local port is the number of the protocol. state: 'LISTEN', 'ESTAB', 'UNCONN', 'TIME-WAIT', ... device: the
    interface it is bound to. inode: the kernel's number for it. processes: who holds it, empty for one that is only
    waiting for its end (TIME-WAIT). The queues are in bytes; for one that listens, connections that wait and may wait.
    """

    protocol: str
    local: str
    local_port: int
    state: str = ""
    remote: str = ""
    remote_port: int = 0
    family: int = 4
    device: str = ""
    v6only: bool = False
    uid: int = 0
    processes: tuple[Process, ...] = ()
    inode: int = 0
    receive_queue: int = noisy(0)
    send_queue: int = noisy(0)
