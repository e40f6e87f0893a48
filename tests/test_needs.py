"""`--needs`: what is there, what is not and why, and what makes no sense."""

from __future__ import annotations

import pytest
from fake_lab import FakeLab

from dnetkit import needs
from dnetkit.errors import UsageError
from dnetkit.features import Feature
from dnetkit.model import Step
from dnetkit.needs import NotApplicable, lacking

KERNEL = {
    "veth": Feature("veth", "yes", "the cable of every container"),
    "ipvlan": Feature("ipvlan", "no", "ipvlan networks", "Unknown device type"),
    "macvlan": Feature("macvlan", "unknown", "macvlan networks", "not tried"),
}


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.setattr(needs, "_kernel", lambda: KERNEL)
    lab = FakeLab()
    lab.sandbox = "rootless"
    lab.engines = {"host1": "28.5.2+dfsg4"}
    lab.answers["command -v ssh"] = Step("", 0, "/usr/bin/ssh\n")
    lab.answers["command -v shs"] = Step("", 127, "", "not found")
    return lab


@pytest.mark.parametrize(
    "there",
    [
        *("", "veth", "VETH", "engine>=28", "engine>=28.5", "engine<29", "engine<28.5.3", "program:ssh"),
        *("veth,engine<29", "!ipvlan", "!IPVLAN", "!root,veth"),
    ],
)
def test_what_is_there_is_not_lacking(lab, there):
    assert lacking(there, lab) == ""


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("root", "runs without root"),
        ("ipvlan", "no ipvlan (ipvlan networks): Unknown device type"),
        ("engine>=29", "engines from 29 on; this one is 28.5.2"),
        ("engine<28", "engines before 28; this one is 28.5.2"),
        ("program:shs", "shs is not installed"),
        ("veth, ipvlan, root", "no ipvlan"),
        ("!veth", "kernel has veth, and this step shows what is said where it is missing"),
        ("!macvlan", "may have macvlan"),
    ],
)
def test_what_is_missing_is_said_with_the_reason(lab, missing, reason):
    assert reason in lacking(missing, lab)


def test_a_feature_that_could_not_be_tried_may_be_there(lab):
    assert lacking("macvlan", lab) == ""


def test_a_lab_without_an_engine_has_no_version_of_it(lab):
    lab.engines = {}
    assert "no engine" in lacking("engine<29", lab)


def test_root_is_there_in_the_root_sandbox(lab):
    lab.sandbox = "root"
    assert lacking("root", lab) == ""


@pytest.mark.parametrize("wrong", ["ipvlam", "engine=28", "root,ipvlam", "!ipvlam"])
def test_a_need_that_there_is_not_is_an_error_that_lists_them(lab, wrong):
    with pytest.raises(UsageError, match="--needs knows no") as caught:
        lacking(wrong, lab)
    assert "802.1Q" in caught.value.hint


def test_what_is_shown_says_that_it_was_not_tried_and_escapes_it():
    data, metadata = NotApplicable("check", "f('<b>')", "No `root`.")._repr_mimebundle_()
    assert data["text/plain"].startswith("not applicable here: f('<b>')")
    assert "&lt;b&gt;" in data["text/html"]
    assert metadata["dnetkit"] == {"not_applicable": "check", "reason": "No `root`."}
