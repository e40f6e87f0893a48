"""How each thing looks in the picture: the label of its node, and its tooltip; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap

from dnetkit.diagram.labels import (
    LARGE,
    MEDIUM,
    SMALL,
    Label,
    cell,
    grid,
    lines,
    port_id,
    row,
    signed,
    small,
    strong,
    text,
)
from dnetkit.diagram.palette import (
    BRIDGE,
    CONTAINER,
    HEADING,
    HEADS,
    LAN,
    LINE,
    MACHINE,
    MARKS,
    NAMESPACE,
    NOTE,
    PUBLISHED,
    SIGNS,
    tint,
)
from dnetkit.diagram.scene import (
    NOTE_WIDTH,
    Bridge,
    Guest,
    Interface,
    MachineBox,
    NetworkBox,
    Scene,
    Space,
    counted,
    is_link_local,
)

__all__ = [
    "bridge",
    "faces_lan",
    "lan",
    "network",
    "rack",
    "space",
]


_BORDERS = {"": 1, "added": 3, "removed": 1, "changed": 2}


def lan(shown: Bridge, scene: Scene, direction: str) -> Label:
    """The wire between the machines."""
    ports = [
        cell(_interface(port, scene.detail), port=port_id(port.link.name), cellpadding=4, **_edge(port.mark))
        for port in shown.ports
        if scene.detail == "full"
    ]
    title = lines(
        strong(shown.name, HEADING, LARGE),
        text("the LAN between the machines", HEADING, SMALL),
        text(scene.subnet, HEADING, MEDIUM),
    )
    return _switch(title, ports, "lan", direction, shown.mark)


def bridge(shown: Bridge, scene: Scene, direction: str) -> Label:
    """A bridge as a switch: its name on top, one socket for each port below."""
    interface = shown.interface
    name = shown.name if scene.detail == "brief" else f"{interface.link.index}: {shown.name}"
    carries = shown.title != shown.name
    head = shown.title if carries else name
    kind = "internal bridge" if shown.network is not None and shown.network.internal else "bridge"
    title = [
        strong(f"{SIGNS[shown.mark]} {head}".strip(), HEADING, LARGE, struck=shown.mark == "removed"),
        text(f"{kind} {name}" if carries else kind, HEADING, SMALL),
        *(_in_heading(address, mark, shown.mark) for address, mark in interface.addresses),
        *(text(told, HEADING, SMALL) for told in interface.was),
    ]
    if interface.trouble and shown.ports and not interface.was:
        title.append(text(interface.trouble, HEADING, SMALL))
    if scene.detail == "brief":
        title.append(text(counted(len(shown.ports) + shown.hidden, "port"), HEADING, SMALL))
        title += [text(f"vxlan {port.link.parameter('id')}", HEADING, SMALL) for port in shown.ports if _tunnels(port)]
    ports = [
        cell(_interface(port, scene.detail), port=port_id(port.link.name), cellpadding=4, **_edge(port.mark))
        for port in shown.ports
        if scene.detail != "brief"
    ]
    if shown.hidden and scene.detail != "brief":
        ports.append(cell(small(counted(shown.hidden, "more port")), cellpadding=3))
    return _switch(lines(*title), ports, "bridge", direction, shown.mark)


def _tunnels(port: Interface) -> bool:
    return port.link.kind == "vxlan" and port.mark != "removed"


def _in_heading(address: str, mark: str, whole: str) -> Label:
    """An address in a heading, where colours cannot tell its mark."""
    sign = f"{SIGNS[mark]} " if mark and mark != whole else ""
    return text(f"{sign}{address}", HEADING, _size(address), struck=mark == "removed")


def _switch(title: Label, ports: Sequence[str], kind: str, direction: str, mark: str) -> Label:
    plain = {"lan": LAN, "bridge": BRIDGE}[kind]
    colour = MARKS[mark] if mark else plain
    frame: dict[str, object] = {"border": _BORDERS[mark], "color": colour}
    frame["bgcolor"] = tint(plain if mark == "changed" else colour)
    frame |= {"style": "dashed"} if mark == "removed" else {}
    frame |= {"cellborder": 0, "cellspacing": 0}
    across = direction == "TB"
    # What is merely changed keeps the colour of its kind: a heading in another colour is for what came or went.
    head = cell(title, bgcolor=HEADS.get(mark, HEADS[kind]), cellpadding=5, colspan=max(len(ports), 1) if across else 1)
    if across:
        return grid([row([head]), *([row(ports)] if ports else [])], **frame)
    sockets = grid([row([port]) for port in ports], border=0, cellborder=0, cellspacing=2)
    return grid([row([head, *([cell(sockets, cellpadding=0)] if ports else [])])], **frame)


def _interface(one: Interface, detail: str) -> Label:
    """Its index and name as `ip link` writes them, then its addresses, then what is wrong with it."""
    link = one.link
    name = one.name if detail == "brief" else f"{link.index}: {one.name}"
    parts = [] if detail == "brief" and not one.mark and one.addresses else [signed(name, one.mark, size=MEDIUM)]
    parts += [
        text(address, MARKS[mark], _size(address), struck=mark == "removed")
        if mark == one.mark
        else signed(address, mark, size=_size(address))
        for address, mark in one.addresses
    ]
    if one.note and detail != "brief":
        parts += map(small, wrap(one.note, NOTE_WIDTH))
    if detail == "full":
        parts += [small("" if link.kind == "loopback" else link.mac), small(f"mtu {link.mtu}")]
    if one.trouble and one.mark != "removed":
        parts.append(strong(one.trouble, NOTE, SMALL))
    parts += [small(told, MARKS["changed"]) for told in one.was]
    return lines(*parts)


def _size(address: str) -> int:
    """Link-local addresses are long, and seldom what one looks for."""
    return SMALL if is_link_local(address) else MEDIUM


def _edge(mark: str) -> dict[str, object]:
    """The frame of a socket."""
    look: dict[str, dict[str, object]] = {
        "added": {"border": 2},
        "removed": {"border": 1, "style": "dashed"},
        "changed": {"border": 2, "style": "dotted"},
    }
    return {**look.get(mark, {"border": 1}), "color": MARKS[mark] if mark else LINE}


def space(shown: Space, box: MachineBox, scene: Scene, direction: str) -> Label:
    """A namespace: its interfaces at its edge, in it those who live there."""
    own = shown is box.own
    colour = MACHINE if own else CONTAINER if shown.kind == "container" else NAMESPACE
    if shown.stopped and not shown.mark:
        colour = LINE
    # Of two neighbours at the same height the one on the left has its cable on its right side.
    plugged = [one for one in shown.interfaces if not _idle(one, scene)]
    sides = {
        side: [one for one in plugged if one.end in ends]
        for side, ends in zip(("right", "left"), scene.beside, strict=True)
    }
    sides["top"] = [one for one in plugged if one not in sides["left"] + sides["right"] and (not own or faces_lan(one))]
    sides["bottom"] = [one for one in plugged if not any(one in side for side in sides.values())]
    body = _stack(shown, box, scene) if own else _inhabitants(shown, scene)
    frame: dict[str, object] = {
        "border": _BORDERS[shown.mark],
        "color": MARKS[shown.mark] if shown.mark else colour,
        "style": "rounded,dashed" if shown.mark == "removed" else "rounded,dotted" if shown.stopped else "rounded",
        "bgcolor": "" if shown.stopped or shown.mark == "removed" else tint(colour),
        "cellborder": 0,
        "cellspacing": 4,
    }
    return grid(_around(cell(body, cellpadding=3), sides, scene, direction), **frame)


def _idle(one: Interface, scene: Scene) -> bool:
    """lo, to which nothing leads, stands inside: there it takes no room at the edge."""
    return scene.detail == "full" and one.link.kind == "loopback"


def _inner(shown: Space, scene: Scene) -> list[Label]:
    """What stands inside a box in a full picture: lo, in one line, and the default routes."""
    if scene.detail != "full":
        return []
    idle = [one for one in shown.interfaces if _idle(one, scene)]
    said = [_chip(_interface(one, "brief") if one.mark else small(_in_a_line(one)), **_edge(one.mark)) for one in idle]
    return said + [_chip(lines(small("default route:"), small(gateway))) for gateway in shown.gateways]


def _in_a_line(one: Interface) -> str:
    down = f" {one.trouble}" if one.trouble else ""
    return " ".join([f"{one.link.index}: {one.name}", *(address for address, _ in one.addresses)]) + down


def _around(middle: Label, sides: dict[str, list[Interface]], scene: Scene, direction: str) -> list[Label]:
    """The rows of a box: towards the LAN first, away from it last, beside the middle what leads to a neighbour."""
    across = direction == "TB"
    first, last = (_strip(sides[side], scene, wide=across) for side in ("top", "bottom"))
    left, right = (_strip(sides[side], scene, wide=not across) for side in ("left", "right"))
    if not across:
        first, left, last, right = left, first, right, last
    inner = [cell(strip, cellpadding=0) if strip is not middle else middle for strip in (left, middle, right) if strip]
    rows = [row([cell(strip, cellpadding=0, colspan=len(inner))]) if strip else Label("") for strip in (first, last)]
    return [part for part in (rows[0], row(inner), rows[1]) if part]


def rack(spaces: Sequence[Space], scene: Scene, direction: str) -> Label:
    """Many containers of one bridge in one frame."""
    columns = math.ceil(math.sqrt(len(spaces) * (0.5 if direction == "TB" else 1)))
    cells = [_in_rack(space, scene) for space in spaces]
    rows = [row(cells[start : start + columns]) for start in range(0, len(cells), columns)]
    return grid(rows, border=1, color=CONTAINER, style="rounded", bgcolor=tint(CONTAINER), cellborder=0, cellspacing=4)


def _in_rack(space: Space, scene: Scene) -> Label:
    frame = _edge(space.mark) if space.mark else {"border": 1, "color": CONTAINER}
    said = [_guest(guest, scene) for guest in space.guests] + [
        _interface(one, scene.detail) for one in space.interfaces
    ]
    return cell(lines(*said), cellpadding=5, **frame)


def faces_lan(one: Interface) -> bool:
    """Whether the interface is joined to the wire between the machines: then it stands on that side of its box."""
    return one.link.peer is not None and one.link.peer.namespace == "lan"


def _strip(interfaces: Sequence[Interface], scene: Scene, *, wide: bool) -> Label:
    cells = [
        cell(_interface(one, scene.detail), port=port_id(one.link.name), cellpadding=4, **_edge(one.mark))
        for one in interfaces
    ]
    rows = [row(cells)] if wide and cells else [row([one]) for one in cells]
    return grid(rows, border=0, cellspacing=2, cellborder=0)


def _stack(shown: Space, box: MachineBox, scene: Scene) -> Label:
    """The machine itself: what its kernel does for the others."""
    if box.machine.kind == "client":
        said = lines(signed(shown.label, box.mark, bold=True, size=LARGE), small("a machine without Docker"))
        return _pile([_chip(said), *_inner(shown, scene)]) if scene.detail == "full" else said
    parts = [signed(shown.label, box.mark, bold=True, size=LARGE)]
    if box.machine.engine and scene.detail != "brief":
        parts.append(small(f"Docker Engine {box.machine.engine}"))
    if shown.forwards is not None and scene.detail != "brief":
        does = "routes between its networks" if shown.forwards else "does not route"
        parts.append(signed(does, shown.forwarding_mark, size=SMALL, colour=NOTE))
    rows = [_chip(lines(*parts)), *_inner(shown, scene)]
    for one in box.published:
        told = signed(f" port {one.outside} → {one.container}:{one.port.container_port} ", one.mark, size=MEDIUM)
        frame = _edge(one.mark) if one.mark else {"border": 1, "color": PUBLISHED}
        rows.append(_chip(told, bgcolor=tint(PUBLISHED), **{"style": "rounded", **frame}))
    rows += [_chip(_guest(guest, scene), **_home(guest)) for guest in shown.guests]
    return _pile(rows)


def _inhabitants(shown: Space, scene: Scene) -> Label:
    alone = len(shown.guests) == 1
    rows = [_chip(_guest(guest, scene), **({} if alone else _home(guest))) for guest in shown.guests]
    parts = []
    if not rows:
        parts = [signed(shown.label, shown.mark, bold=True, size=LARGE), small(shown.what)]
    if not shown.interfaces and not shown.stopped:
        parts.append(small("no interface but lo"))
    return _pile([*rows, *([_chip(lines(*parts))] if parts else []), *_inner(shown, scene)])


def _chip(content: str, **attributes: object) -> Label:
    return row([cell(content, cellpadding=3, **attributes)])


def _pile(rows: Sequence[str]) -> Label:
    return grid(rows, border=0, cellborder=0, cellspacing=3)


def _home(guest: Guest) -> dict[str, object]:
    """The frame of a container that shares its namespace with others."""
    if guest.mark:
        return _edge(guest.mark)
    return {"border": 1, "color": LINE if guest.stopped else CONTAINER, "style": "rounded", "bgcolor": tint(CONTAINER)}


def _guest(guest: Guest, scene: Scene) -> Label:
    container = guest.container
    colour = NOTE if guest.stopped else ""
    said = {"own": "", "shared": "shares this namespace", "machine": "in the host's own namespace"}[guest.home]
    told = any(container.state in was for was in guest.was)
    state = "" if container.state == "running" or told else container.state
    parts = [signed(container.name, guest.mark, bold=True, size=LARGE, colour=colour)]
    if scene.detail != "brief":
        parts.append(small(container.image))
    parts += [small(part) for part in (state, said) if part]
    parts += [small(told, MARKS["changed"]) for told in guest.was]
    return lines(*parts)


def network(box: NetworkBox) -> Label:
    """A Docker network that is no bridge."""
    colour = MARKS[box.mark] if box.mark else BRIDGE
    title = lines(
        strong(f"{SIGNS[box.mark]} {box.network.name}".strip(), colour, LARGE),
        small(f"{box.network.driver} network{f' on {box.parent[1]}' if box.parent else ''}"),
        *(text(subnet.cidr, size=MEDIUM) for subnet in box.network.subnets),
        small(box.note),
    )
    style = {"removed": "dashed"}.get(box.mark, "")
    return grid(
        [row([cell(title, cellpadding=5)])], border=1, color=colour, style=style, cellborder=0, bgcolor=tint(BRIDGE)
    )
