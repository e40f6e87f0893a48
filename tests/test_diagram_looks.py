"""How the picture looks: colours that can be read on both themes, things in an order that keeps cables apart."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from networks import Net

from dnetkit.diagram import Diagram, diagram
from dnetkit.diagram.palette import (
    BRIDGE,
    CONTAINER,
    DARK,
    HEADING,
    HEADS,
    INK,
    LINE,
    MACHINE,
    MARKS,
    NAMESPACE,
    NOTE,
    PUBLISHED,
    tint,
)

LIGHT_PAGE, DARK_PAGE = "#ffffff", "#111111"
FILLS = (BRIDGE, CONTAINER, MACHINE, NAMESPACE, PUBLISHED)


def contrast(one: str, other: str) -> float:
    """As WCAG 2 counts it: 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def over(fill: str, page: str) -> str:
    """What a faint fill looks like on a page."""
    share = int(fill[7:9], 16) / 255
    parts = [round(int(fill[n : n + 2], 16) * share + int(page[n : n + 2], 16) * (1 - share)) for n in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in parts)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("text", [NOTE, *MARKS.values()])
def test_text_can_be_read_on_every_fill_and_page(text: str, fill: str) -> None:
    assert contrast(text, over(tint(fill), LIGHT_PAGE)) >= 4.5
    dark = "#e0e0e0" if text == INK else DARK[text]
    assert contrast(dark, over(tint(fill), DARK_PAGE)) >= 4.5


@pytest.mark.parametrize("fill", HEADS.values())
def test_a_heading_can_be_read(fill: str) -> None:
    assert contrast(HEADING, fill) >= 4.5
    assert fill not in DARK  # it stays as it is on a dark page


@pytest.mark.parametrize("line", [BRIDGE, CONTAINER, LINE, MACHINE, NAMESPACE, PUBLISHED])
def test_lines_stand_out_from_the_page(line: str) -> None:
    assert contrast(line, LIGHT_PAGE) >= 3
    assert contrast(DARK[line], DARK_PAGE) >= 3


def places(picture: Diagram, pattern: str) -> dict[str, tuple[float, float]]:
    """Where the texts stand that the pattern fits."""
    root = ET.fromstring(picture.svg())  # noqa: S314 - our own
    texts = [one for one in root.iter("{http://www.w3.org/2000/svg}text") if re.fullmatch(pattern, one.text or "")]
    return {str(one.text): (float(one.get("x", "0")), float(one.get("y", "0"))) for one in texts}


@pytest.mark.parametrize(("direction", "axis"), [("TB", 0), ("LR", 1)])
def test_bridges_and_what_hangs_on_them_keep_their_order(direction: str, axis: int) -> None:
    net = Net()
    for name in ("zoo", "app"):
        net.bridge("host1", f"br-{name}", "172.20.0.1/16", network=name)
    for name, bridge in (("c1", "br-zoo"), ("c2", "docker0"), ("c10", "docker0"), ("c3", "br-app")):
        net.container(name, bridge=bridge)
    picture = diagram(net.snapshot, direction=direction)
    for pattern, wanted in (
        (r"\d+: docker0|app|zoo", ["5: docker0", "app", "zoo"]),
        (r"c\d+", ["c2", "c10", "c3", "c1"]),
    ):
        found = places(picture, pattern)
        assert sorted(found, key=lambda name, found=found: found[name][axis]) == wanted  # type: ignore[misc]


def test_a_container_on_two_networks_stands_between_their_bridges() -> None:
    net = Net()
    net.bridge("host1", "br-app", "172.20.0.1/16", network="app")
    for name, bridge in (("a-both", "docker0"), ("left", "docker0"), ("right", "br-app")):
        net.container(name, bridge=bridge)
    net.connect("a-both", bridge="br-app")
    found = places(diagram(net.snapshot), "a-both|left|right")
    assert sorted(found, key=lambda name: found[name]) == ["left", "a-both", "right"]


def test_a_chain_of_namespaces_stands_in_the_order_of_its_pairs() -> None:
    net = Net()
    blue, red, router = net.named("blue"), net.named("red"), net.named("zrouter")
    net.pair((blue, "b"), (router, "rb"))
    net.pair((red, "r"), (router, "rr"))
    found = places(diagram(net.snapshot), "blue|red|zrouter")
    assert sorted(found, key=lambda name: found[name]) == ["blue", "zrouter", "red"]
    assert len({y for _, y in found.values()}) == 1


def test_what_hangs_on_a_bridge_inside_a_namespace_stands_below_it() -> None:
    net = Net()
    switch, leaf = net.named("switch"), net.named("leaf")
    net.link(switch, "br9", kind="bridge")
    net.pair((leaf, "eth0"), (switch, "port"))
    net.change(switch, "port", master="br9")
    found = places(diagram(net.snapshot), r"\d+: br9|leaf")
    (_, bridge), (_, leaf_place) = (found[name] for name in sorted(found))
    assert bridge < leaf_place


def test_many_side_by_side_are_drawn_from_left_to_right() -> None:
    net = Net()
    for number in range(5):
        net.container(f"c{number}")
    assert diagram(net.snapshot).direction == "TB"
    for number in range(5, 9):
        net.container(f"c{number}")
    assert diagram(net.snapshot).direction == "LR"
