"""The report says what is so, in text, HTML and JSON, and the exit status follows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dnetkit import cli, doctor, engines, features, rights
from dnetkit.doctor import Disk, Package, Report
from dnetkit.engines import Engine
from dnetkit.features import Feature

GOOD = Report(
    system="Debian GNU/Linux 12, kernel 6.1.0, x86_64",
    sandboxes=rights.judge(rights.Facts(user="ann", uid=1000, namespaces="not root")),
    features=(Feature("veth", "yes", "cables"), Feature("ipvlan", "no", "ipvlan networks", "Unknown device type")),
    engines=(Engine("20.10.24", (Path("/x/usr/bin"),), (), "cache"),),
    disks=(Disk("/tmp", "labs", 5 * 10**9, 10**9),),  # noqa: S108 - a name in a report
    packages=(Package("jupyterlab", "4.4.0"),),
)
BAD = replace(
    GOOD,
    sandboxes=rights.judge(
        rights.Facts(user="ann", uid=1000, namespaces="x", binder=True, no_new_privs=True, id_map="x")
    ),
    binder=True,
)


def test_the_text_has_every_finding() -> None:
    text = GOOD.text()
    for words in (
        "You are ann, not root",
        "rootless  usable",
        "20.10.24  in your cache",
        "no: Unknown device type - ipvlan networks",
        "5.0 GB for labs",
        "jupyterlab  4.4.0",
    ):
        assert words in text
    assert text.endswith("Labs can be started here: rootless.")


def test_binder_is_told_plainly() -> None:
    assert not BAD.usable
    assert "Live labs on Binder: not yet" in BAD.text().splitlines()[-1]
    assert "no_new_privs" not in BAD.text(), "what nobody can clear away there only hides it"


def test_without_an_engine_the_next_step_is_named() -> None:
    assert replace(GOOD, engines=()).text().endswith("Run: dnetkit engine fetch")


def test_little_space_is_said() -> None:
    assert "little: 1 GB are comfortable" in replace(GOOD, disks=(Disk("/x", "labs", 10**8, 10**9),)).text()


def test_a_kernel_without_bridges_is_not_usable() -> None:
    found = replace(GOOD, features=(Feature("bridge", "no", ""), Feature("veth", "unknown", "", "not tried")))
    assert not found.usable
    assert found.text().endswith("this kernel has no bridge.")


def test_json_round_trip() -> None:
    plain = json.loads(json.dumps(GOOD.to_plain()))
    assert plain["usable"] is True
    assert [sandbox["usable"] for sandbox in plain["sandboxes"]] == [False, True]
    assert plain["engines"][0]["path"] == ["/x/usr/bin"]
    assert plain["features"][1]["detail"] == "Unknown device type"


def test_html_is_escaped_and_has_its_text() -> None:
    bundle = replace(GOOD, packages=(Package("<b>evil</b>", "1"),))._repr_mimebundle_()
    assert "&lt;b&gt;evil" in bundle["text/html"]
    assert "<b>evil" not in bundle["text/html"]
    assert "not root" in bundle["text/html"]
    assert bundle["text/plain"] == replace(GOOD, packages=(Package("<b>evil</b>", "1"),)).text()


@pytest.mark.parametrize(("report", "status"), [(GOOD, 0), (BAD, 1)])
def test_the_command(
    report: Report, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: report)
    assert cli.main(["doctor"]) == status
    assert capsys.readouterr().out == report.text() + "\n"
    assert cli.main(["doctor", "--json"]) == status
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(report.to_plain()))


def test_examine_finds_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not yet" / "made"))
    monkeypatch.setattr(engines, "installed_engines", list)
    report = doctor.examine()
    assert [sandbox.name for sandbox in report.sandboxes] == ["root", "rootless"]
    assert tuple(feature.name for feature in report.features) == features.NAMES
    assert report.disks[0].path == str(tmp_path)
    assert report.disks[0].free > 0
    assert {package.name for package in report.packages} >= {"Python", "jupyterlab", "dot (Graphviz)"}
    assert not (tmp_path / "not yet").exists(), "looking changes nothing"


def test_no_namespaces_makes_features_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = rights.Facts(user="ann", uid=1000, namespaces="not root", user_namespaces="Operation not permitted")
    monkeypatch.setattr(rights, "gather", lambda: facts)
    report = doctor.examine()
    assert {feature.state for feature in report.features} == {"unknown"}
    assert "Operation not permitted" in report.features[0].detail
