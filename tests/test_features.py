"""A feature is 'no' only when the kernel said so; nothing is tried in the machine's own namespaces."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from dnetkit import features, programs

SCRATCH = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--"]


def trial(name: str) -> features.Trial:
    return next(found for found in features.TRIALS if found.name == name)


@pytest.mark.parametrize(
    ("name", "said", "state"),
    [
        ("veth", "", "yes"),
        ("ipvlan", "Unknown device type", "no"),
        ("802.1Q", "RTNETLINK answers: Operation not supported", "no"),
        ("vxlan", "RTNETLINK answers: Operation not permitted", "unknown"),
        ("macvlan", 'Cannot find device "dn0"', "unknown"),
        ("bridge", "ip: there is no such program on this machine", "unknown"),
        ("overlayfs", "mount: /run/merged: unknown filesystem type 'overlay'.", "no"),
        ("overlayfs", "mount: /run/merged: permission denied.", "unknown"),
        ("legacy iptables", "iptables-legacy: there is no such program on this machine", "unknown"),
    ],
)
def test_only_the_kernels_own_no_is_a_no(name: str, said: str, state: str) -> None:
    found = features._judge(trial(name), said)
    assert (found.state, found.detail) == (state, said)


def test_br_netfilter_is_there_when_its_setting_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = tmp_path / "bridge-nf-call-iptables"
    monkeypatch.setattr(features, "BRIDGE_SETTING", setting)
    tried = trial("br_netfilter")
    assert features._judge(tried, tried.attempt()).state == "no"
    setting.touch()
    assert features._judge(tried, tried.attempt()).state == "yes"


def test_when_nothing_can_be_tried_all_is_unknown_with_the_reason() -> None:
    found = features.try_features(["unshare", "--no-such-option"])
    assert {feature.state for feature in found} == {"unknown"}
    assert tuple(feature.name for feature in found) == features.NAMES
    assert all("no scratch namespace could be made" in feature.detail for feature in found)


@pytest.mark.parametrize("outside", [[], features._namespaces(), ["net:[1]", features._namespaces()[1]], ["net:[1]"]])
def test_the_child_refuses_the_machines_own_namespaces(
    outside: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[object] = []
    monkeypatch.setattr(programs, "run", started.append)
    assert features.main(outside) == 2
    assert started == []
    assert "nothing is tried" in capsys.readouterr().err


def test_the_child_says_what_worked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(programs, "run", lambda *_, **__: programs.Ended(0))
    worked = replace(trial("veth"), attempt=lambda: "")
    refused = replace(trial("ipvlan"), attempt=lambda: "Unknown device type")
    monkeypatch.setattr(features, "TRIALS", (worked, refused))
    assert features.main(["net:[1]", "mnt:[1]"]) == 0
    assert [(plain["name"], plain["state"]) for plain in json.loads(capsys.readouterr().out)] == [
        ("veth", "yes"),
        ("ipvlan", "no"),
    ]


def test_really_tried_and_nothing_left() -> None:
    if not programs.run([*SCRATCH, "true"]).ok:
        pytest.skip("no user namespace can be made here")
    before = (sorted(os.listdir("/sys/class/net")), Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    found = {feature.name: feature for feature in features.try_features(SCRATCH)}
    assert tuple(found) == features.NAMES
    assert found["veth"].state == "yes"
    assert found["bridge"].state == "yes"
    after = (sorted(os.listdir("/sys/class/net")), Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    assert after == before
