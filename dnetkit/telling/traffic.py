"""Tells what traffic left behind: what bridges and neighbours learned, who listens, what was translated; pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnetkit.model import Change, ForwardingEntry, LinkRef, Neighbour, Socket
from dnetkit.telling.untold import Group, Untold
from dnetkit.words import SIGNS, label, noun

__all__ = ["connections", "forwarding", "neighbours", "sockets"]


def forwarding(untold: Untold) -> Iterator[Group]:
    """What bridges learned and forgot about who is behind which port, and vxlans about who is on which machine."""
    yield from _told_remotes(untold)
    for verb, word in (("added", "learned"), ("removed", "forgot")):
        learned = [one for one in untold.each("forwarding", verb) if (one.after or one.before).state == "learned"]
        for where, bridge in dict.fromkeys((one.where, _bridge(one)) for one in learned):
            mine = [one for one in learned if (one.where, _bridge(one)) == (where, bridge)]
            for one in mine:
                untold.take_one(one)
            told = ", ".join(_behind(untold, where, one.after or one.before) for one in mine)
            yield Group(SIGNS[verb], f"{bridge}{untold.place(where)} {word}: {told}", tuple(mine))
    for change in untold.each("forwarding", "changed"):
        if "device" in change.fields and change.after.bridge:
            told = f"{_behind(untold, change.where, change.after)}, no longer behind {change.before.device}"
            bridge = f"{change.after.bridge}{untold.place(change.where)}"
            yield Group("~", f"{bridge} learned: {told}", tuple(untold.take_one(change)))


def _told_remotes(untold: Untold) -> Iterator[Group]:
    """Which machine a vxlan sends a frame to, and no longer: put in by an engine, by hand, or learned from a frame."""
    for verb, word in (("added", "sends to"), ("removed", "no longer sends to")):
        found = [one for one in untold.each("forwarding", verb) if (one.after or one.before).remote]
        for where, device, remote in dict.fromkeys((one.where, *_towards(one)) for one in found):
            mine = [one for one in found if (one.where, *_towards(one)) == (where, device, remote)]
            for one in mine:
                untold.take_one(one)
            told = ", ".join((one.after or one.before).mac for one in mine)
            yield Group(SIGNS[verb], f"{device}{untold.place(where)} {word} {remote}: {told}", tuple(mine))


def _towards(change: Change) -> tuple[str, str]:
    one: ForwardingEntry = change.after or change.before
    return one.device, one.remote


def _bridge(change: Change) -> str:
    return str((change.after or change.before).bridge or (change.after or change.before).device)


def _behind(untold: Untold, where: str, entry: ForwardingEntry) -> str:
    """'02:42:ac:11:00:02 behind vethX (web)'."""
    link = untold.link(LinkRef(where, entry.device, 0))
    peer = link.peer if link is not None else None
    whose = f" ({peer.name if peer.namespace == where else label(peer.namespace)})" if peer is not None else ""
    return f"{entry.mac} behind {entry.device}{whose}"


def neighbours(untold: Untold) -> Iterator[Group]:
    """What ARP and NDP learned, were told, got no answer for, or forgot."""
    forgot = list(untold.each("neighbour", "removed"))
    for where, device in dict.fromkeys((one.where, one.before.device) for one in forgot):
        mine = [one for one in forgot if (one.where, one.before.device) == (where, device)]
        for one in mine:
            untold.take_one(one)
        told = ", ".join(f"{one.before.address} at {one.before.mac}" for one in mine)
        yield Group("-", f"{untold.who(where)} forgot on {device}: {told}", tuple(mine))
    for change in untold.each("neighbour"):
        mine = untold.take_one(change)
        mark = "+" if change.before is not None and not change.before.mac else SIGNS[change.verb]
        space = untold.space(change.where)
        teller = "the engine" if space is not None and space.kind == "engine" else "hand"
        yield Group(mark, _neighbour_words(untold.who(change.where), change, teller), tuple(mine))


def _neighbour_words(who: str, change: Change, teller: str) -> str:
    one: Neighbour = change.after
    if one.mac and one.state == "PERMANENT":
        return f"{who} was told by {teller}: {one.address} is at {one.mac} ({one.device})"
    if not one.mac and "proxy" in one.flags:
        return f"{who} answers for {one.address} on {one.device} (proxy)"
    if not one.mac:
        return f"{who} asked for {one.address} on {one.device}: no answer ({one.state})"
    if change.verb == "changed" and "mac" not in change.fields:
        return change.text
    old = change.before.mac if change.before is not None else ""
    return f"{who} learned: {one.address} is at {one.mac} ({one.device})" + (f", no longer at {old}" if old else "")


def sockets(untold: Untold) -> Iterator[Group]:
    """Who listens, and no longer does: in one line for a program of one namespace."""
    for verb, word in (("removed", "no longer listens"), ("added", "listens")):
        groups: dict[tuple[str, str], list[Change]] = {}
        for change in untold.each("socket", verb):
            program = _program(untold, change.where, change.after or change.before)
            groups.setdefault((change.where, program), []).append(change)
        for (where, program), mine in groups.items():
            for one in mine:
                untold.take_one(one)
            places = dict.fromkeys(_listening(one.after or one.before) for one in mine)
            told = f"{program}{untold.place(where)} {word} on {', '.join(places)}"
            yield Group(SIGNS[verb], told, tuple(mine))


def _program(untold: Untold, where: str, one: Socket) -> str:
    """Who holds it: processes, or the kernel itself when a vxlan sends from there."""
    named = ", ".join(dict.fromkeys(process.name for process in one.processes))
    return named or ("the kernel's vxlan" if (one.protocol, one.local_port) in untold.tunnels(where) else "a process")


def _listening(one: Socket) -> str:
    host = f"[{one.local}]" if ":" in one.local else one.local
    return f"{host}:{one.local_port}/{one.protocol}"


def connections(untold: Untold) -> Iterator[Group]:
    """Connections whose addresses were translated."""
    for where in dict.fromkeys(one.where for one in untold.each("connection", "added")):
        mine = [one for one in untold.each("connection", "added") if one.where == where]
        for one in mine:
            untold.take_one(one)
        told = f"a {noun(mine[0].after)}" if len(mine) == 1 else f"{len(mine)} connections"
        yield Group("+", f"{untold.who(where)} translated {told}", tuple(mine))
