"""Claims about sockets: who listens on which port of a machine; see claims.py."""

from __future__ import annotations

from dnetkit import facts
from dnetkit.claims import CheckResult, claim, listed
from dnetkit.model import Snapshot, Socket

__all__: list[str] = []  # they are called by way of CLAIMS


@claim
def listens(
    snapshot: Snapshot, where: str, port: int | str, program: str = "", address: str = "", protocol: str = "tcp"
) -> CheckResult:
    """Something there (that program, where given) waits on that port, at any of its addresses or at that one."""
    there = _waiting(snapshot, where, protocol)
    fits = [one for one in there if (one.local_port, one.local) == (int(port), address or one.local)]
    fits = [one for one in fits if program in ("", *_programs(one))]
    at = f" at {address}" if address else ""
    claim = f"{program or 'something'} on {where} listens on {port}/{protocol}{at}"
    if not fits:
        facts.must_be_read(snapshot, "sockets", facts.namespace(snapshot, where))
    return CheckResult(bool(fits), claim, f"listening: {listed(_words(one) for one in fits or there)}")


@claim
def not_listens(snapshot: Snapshot, where: str, port: int | str, protocol: str = "tcp") -> CheckResult:
    """Nothing there waits on that port, at whatever address."""
    facts.must_be_read(snapshot, "sockets", facts.namespace(snapshot, where))
    fits = [one for one in _waiting(snapshot, where, protocol) if one.local_port == int(port)]
    claim = f"nothing on {where} listens on {port}/{protocol}"
    return CheckResult(not fits, claim, f"on that port: {listed(_words(one) for one in fits)}")


def _waiting(snapshot: Snapshot, where: str, protocol: str) -> list[Socket]:
    state = "LISTEN" if protocol == "tcp" else "UNCONN"  # UDP has no connections to wait for
    return [one for one in facts.namespace(snapshot, where).sockets if (one.protocol, one.state) == (protocol, state)]


def _programs(socket: Socket) -> list[str]:
    return [process.name for process in socket.processes]


def _words(socket: Socket) -> str:
    local = f"[{socket.local}]" if ":" in socket.local else socket.local
    return f"{local}:{socket.local_port} ({listed(_programs(socket), 'nobody to be seen')})"
