"""Guess how wide a picture will be, and so in which direction it fits a page; pure."""

from __future__ import annotations

from collections.abc import Iterable

from dnetkit.diagram.scene import NOTE_WIDTH, Bridge, Interface, MachineBox, Scene, Space, is_link_local

__all__ = ["PAGE", "direction"]

PAGE = 750.0
"""Points across that a notebook has room for, at full size."""

_LETTER, _BOLD, _SMALL = 6.0, 8.0, 5.2
_GAP = 22.0
_MAC = 17


def direction(scene: Scene) -> str:
    """'TB' where that fits; else what is narrower."""
    down = sum(_down(scene, box) + _GAP for box in scene.machines)
    if scene.detail == "full":
        down *= 0.7  # what is long then rarely stands side by side all the way
    if down <= PAGE:
        return "TB"
    return "TB" if down <= _right(scene) else "LR"


def _down(scene: Scene, box: MachineBox) -> float:
    """The width of a machine when what is in it stands side by side."""
    racks = scene.racks(box)
    racked = {space.name for rack in racks for space in rack.spaces}
    single = [space for space in box.spaces if space is not box.own and space.name not in racked]
    below = sum(_space(space, scene) + _GAP for space in single if not space.bridges)
    below += sum(2 * max(_space(space, scene) for space in rack.spaces) + _GAP for rack in racks)
    bridges = sum(_bridge(one, scene) + _GAP for space in box.spaces for one in space.bridges)
    bridges += sum(len(one.network.name) * _BOLD + 40 + _GAP for one in box.networks)
    return max(below, bridges, _space(box.own, scene) if box.own else 0) + _GAP


def _right(scene: Scene) -> float:
    """The width when the LAN is on the left, then come machines, then bridges, then what hangs on them."""
    machines = [box for box in scene.machines if box.own is not None]
    ports = [one for bridge in (scene.lan.bridges if scene.lan else ()) for one in bridge.ports]
    columns = (
        [150 + (_most(ports, scene) if scene.detail == "full" else 0)] if scene.lan else [],
        [120 + sum(_interface(one, scene) for one in box.own.interfaces) for box in machines if box.own],
        [100 + _most(one.ports, scene) for space in scene.spaces for one in space.bridges if scene.detail != "brief"]
        or [100.0],
        [100 + _most(space.interfaces, scene) for space in scene.spaces if space.kind != "host"],
    )
    return sum(max(column, default=0.0) + 2 * _GAP for column in columns)


def _most(interfaces: Iterable[Interface], scene: Scene) -> float:
    return max((_interface(one, scene) for one in interfaces), default=0.0)


def _interface(one: Interface, scene: Scene) -> float:
    texts = [len(address) * (_SMALL if is_link_local(address) else _LETTER) for address, _ in one.addresses]
    if scene.detail != "brief":
        texts += [(len(one.name) + 4) * _LETTER, min(len(one.note), NOTE_WIDTH) * _SMALL]
    if scene.detail == "full":
        texts.append(_MAC * _SMALL)
    return max(texts, default=0.0) + 12


def _bridge(one: Bridge, scene: Scene) -> float:
    title = max(len(one.title) * _BOLD, (len(one.name) + 10) * _SMALL, 14 * _LETTER)
    return max(title, sum(_interface(port, scene) for port in one.ports) if scene.detail != "brief" else 0)


def _space(space: Space, scene: Scene) -> float:
    names = [len(guest.container.name) * _BOLD for guest in space.guests]
    names += [len(guest.container.image) * _SMALL for guest in space.guests if scene.detail != "brief"]
    return max([sum(_interface(one, scene) + 4 for one in space.interfaces), len(space.label) * _BOLD, *names]) + 16
