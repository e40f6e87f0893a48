"""The picture as a whole: what it shows, its forms, what it refuses, how it holds up when there is much."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from networks import Net
from snapshots import snapshots

from dnetkit.diagram import Diagram, diagram
from dnetkit.diff import diff
from dnetkit.errors import PictureError, UsageError
from dnetkit.lab import Lab
from dnetkit.markup import clean
from dnetkit.model import PublishedPort, Snapshot

WEB = PublishedPort("0.0.0.0", 8080, 80)


@pytest.fixture
def net() -> Net:
    net = Net()
    net.container("web", ports=(WEB, replace(WEB, host_address="::")))
    return net


def html(picture: Diagram) -> str:
    return picture._repr_mimebundle_()["text/html"]


def words_in(svg: str) -> str:
    """The visible words of an SVG."""
    root = ET.fromstring(svg)  # noqa: S314 - our own
    return " ".join("".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text"))


def test_picture_and_words_show_the_network(net: Net) -> None:
    picture = diagram(net.snapshot)
    for shown in (words_in(picture.svg()), picture.text):
        for fact in ("lan0", "198.51.100.0/24", "host1", "docker0", "172.17.0.1/16", "veth-web", "web", "busybox",
                     "172.17.0.2/16", "client", "198.51.100.100/24", "28.5.2"):  # fmt: skip
            assert fact in shown
    assert "port 8080 → web:80" in words_in(picture.svg())
    assert "Port 8080 of host1 leads to port 80 of web (tcp)." in picture.text


def test_one_port_for_all_addresses_is_drawn_once(net: Net) -> None:
    assert words_in(diagram(net.snapshot).svg()).count("8080") == 1


def test_a_pair_is_an_edge_between_two_interfaces(net: Net) -> None:
    source = diagram(net.snapshot).graph.source
    assert re.search(r'"?host1/docker0"?:pveth_2d_web:s -> "?host1/web"?:peth0:n', source)


def test_svg_is_sound_named_and_runs_nothing(net: Net) -> None:
    svg = diagram(net.snapshot).svg()
    root = ET.fromstring(svg)  # noqa: S314
    assert root.get("role") == "img"
    assert root.get("aria-label") == "The network: 1 host, 1 bridge, 1 container and 1 client."
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == root.get("aria-label")
    assert not re.search(r"<script|\bon\w+=|href", svg)
    assert "busybox, running" in svg  # a tooltip


def test_inline_svg_takes_its_colours_from_the_page(net: Net) -> None:
    shown = html(diagram(net.snapshot))
    assert 'fill="currentColor"' in shown
    assert not re.search(r"(?<!-)\bid=", shown)  # two pictures on one page do not clash
    assert not re.search(r'fill="(?:black|#000000|white)"', shown)
    assert "var(--dnk-c0)" in shown
    assert '[data-jp-theme-light="false"] .dnk-picture' in shown
    assert "max-width:100%" in shown


def test_report_keeps_the_picture(net: Net) -> None:
    kept = clean(html(diagram(net.snapshot)))
    assert "veth-web" in kept
    assert "<path" in kept
    assert "--dnk-c0" in kept


def test_notebook_shows_the_words_too(net: Net) -> None:
    picture = diagram(net.snapshot)
    bundle = picture._repr_mimebundle_()
    assert bundle["text/plain"] == picture.text == str(picture)
    assert "<details>" in bundle["text/html"]


def test_same_network_gives_the_same_picture(net: Net) -> None:
    one, other = diagram(net.snapshot), diagram(net.snapshot)
    assert one.graph.source == other.graph.source
    assert one.svg() == other.svg()


def test_order_of_the_snapshot_does_not_matter(net: Net) -> None:
    net.container("api", address="172.17.0.3/16")
    state = net.snapshot
    turned = replace(
        state,
        namespaces=tuple(reversed(state.namespaces)),
        containers=tuple(reversed(state.containers)),
        networks=tuple(reversed(state.networks)),
        machines=tuple(reversed(state.machines)),
    )
    assert diagram(turned).graph.source == diagram(state).graph.source


def test_a_new_container_leaves_the_others_in_their_order(net: Net) -> None:
    for number in (1, 2, 10):
        net.container(f"c{number}", address=f"172.17.0.{number + 2}/16")
    before = diagram(net.snapshot)
    net.container("c3", address="172.17.0.5/16")
    after = diagram(net.snapshot)
    assert _across(before) == ["c1", "c2", "c10", "web"]
    assert _across(after) == ["c1", "c2", "c3", "c10", "web"]


def _across(picture: Diagram) -> list[str]:
    """The names of the containers as they stand from left to right."""
    root = ET.fromstring(picture.svg())  # noqa: S314
    texts = [one for one in root.iter("{http://www.w3.org/2000/svg}text") if re.fullmatch(r"web|c\d+", one.text or "")]
    return [str(one.text) for one in sorted(texts, key=lambda one: float(one.get("x", "0")))]


def test_names_cannot_become_markup() -> None:
    net = Net()
    evil = "<b>&\"'\\n<script>alert(1)"
    net.named(evil)
    net.container("web", image="a<b>&amp;")
    picture = diagram(net.snapshot)
    assert "<script" not in html(picture)
    assert evil in words_in(picture.svg())
    assert "a<b>&amp;" in words_in(picture.svg())


@pytest.mark.parametrize("name", ["a:b", "x\x07y", "漢字", "a.b-c d", "%s{}", "-", "\ud800", "#before"])
def test_any_name_of_a_namespace_can_be_drawn(name: str) -> None:
    net = Net()
    net.pair(("host1", "veth0"), (net.named(name), "eth0"))
    assert diagram(net.snapshot).svg()


@given(snapshots, snapshots)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_state_is_it_can_be_drawn(before: Snapshot, after: Snapshot) -> None:
    for detail in ("brief", "full"):
        picture = diagram(after, diff(before, after), detail=detail)
        assert ET.fromstring(picture.svg()) is not None  # noqa: S314
        assert picture.text


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"detail": "much"}, "auto, brief, normal, full"),
        ({"direction": "BT"}, "auto, TB, LR"),
        ({"focus": "wbe"}, "Did you mean 'web'? There are: host1, client, web, docker0."),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(net: Net, wrong: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError) as caught:
        diagram(net.snapshot, **wrong)  # type: ignore[arg-type]
    assert named in caught.value.hint


@pytest.mark.parametrize(
    ("ending", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("dot", b"digraph")]
)
def test_save_writes_what_the_ending_says(net: Net, tmp_path: Path, ending: str, start: bytes) -> None:
    path = diagram(net.snapshot).save(tmp_path / f"a picture.{ending}")
    assert path.read_bytes().startswith(start)


def test_save_refuses_other_endings_and_places(net: Net, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        diagram(net.snapshot).save(tmp_path / "picture.gif")
    assert "svg, png, pdf, dot" in refused.value.hint
    with pytest.raises(PictureError, match="could not be written"):
        diagram(net.snapshot).save(tmp_path / "nowhere" / "picture.svg")


def test_without_graphviz_the_words_stay_and_say_what_to_install(
    net: Net, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    picture = diagram(net.snapshot)
    with pytest.raises(PictureError) as caught:
        picture.svg()
    assert "apt-get install graphviz" in caught.value.hint
    shown = html(picture)
    assert "apt-get install graphviz" in shown
    assert "172.17.0.2/16" in shown


def crowd() -> Snapshot:
    """40 containers on three networks of three hosts."""
    net = Net(hosts=3)
    for machine in ("host1", "host2", "host3"):
        net.bridge(machine, f"br-app-{machine}", "172.18.0.1/16", network="app")
        net.bridge(machine, f"br-back-{machine}", "172.19.0.1/16", network="back")
    for number in range(40):
        machine = f"host{number % 3 + 1}"
        bridge = ("docker0", f"br-app-{machine}", f"br-back-{machine}")[number // 3 % 3]
        net.container(f"c{number}", machine, bridge, f"172.{17 + number // 3 % 3}.0.{number + 2}/16")
    return net.snapshot


def test_forty_containers_are_drawn_in_brief_and_none_is_missing() -> None:
    picture = diagram(crowd())
    assert picture.scene.detail == "brief"
    shown = words_in(picture.svg())
    assert "veth-c1" not in shown
    for number in range(40):
        assert f"c{number}" in shown.split()
        assert re.search(rf"\bc{number} 172", picture.text)
    width = float(re.search(r'width="([\d.]+)pt"', picture.svg())[1])  # type: ignore[index]
    assert width < 950  # points: about what a page has room for, with letters of 10 pixels or more


def test_brief_is_a_choice_of_ours_and_can_be_overruled() -> None:
    assert "veth-c1" in diagram(crowd(), detail="normal").text


@pytest.mark.live
def test_a_real_network_and_its_change(fresh_lab: Lab) -> None:
    before = fresh_lab.snapshot()
    fresh_lab.host.run("docker run -d --name web -p 8080:80 busybox sleep 1000\nip netns add blue")
    after = fresh_lab.snapshot()
    picture = diagram(after, diff(before, after))
    assert "Added: container web (busybox)." in picture.text
    assert "Added: namespace blue has no interface but lo." in picture.text
    assert "Added: port 8080 of host1 leads to port 80 of web (tcp)." in picture.text
    assert "+ web" in words_in(picture.svg()).replace("+  ", "+ ")
    fresh_lab.host.run("docker rm -f web")
    gone = diagram(fresh_lab.snapshot(), diff(after, fresh_lab.snapshot()))
    assert "Removed: container web (busybox)." in gone.text
