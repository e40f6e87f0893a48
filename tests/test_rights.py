"""Each obstacle in the way of a sandbox is named, with what to do about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dnetkit import rights
from dnetkit.rights import Facts, Sandbox, judge

ROOT = Facts()
USER = Facts(user="ann", uid=1000, namespaces="not root")


def sandbox(facts: Facts, name: str) -> Sandbox:
    return next(found for found in judge(facts) if found.name == name)


def words(found: Sandbox) -> str:
    return " ".join(f"{obstacle.reason} {obstacle.remedy}" for obstacle in found.obstacles)


def test_root_can_do_both_when_nothing_is_in_the_way() -> None:
    assert [(found.name, found.usable) for found in judge(ROOT)] == [("root", True), ("rootless", True)]


def test_an_ordinary_user_is_not_root() -> None:
    assert not sandbox(USER, "root").usable
    assert "You are ann, not root" in words(sandbox(USER, "root"))
    assert sandbox(USER, "rootless").usable


REFUSED = {"user_namespace": "unshare failed: Operation not permitted"}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (replace(USER, **REFUSED, unprivileged_clone_off=True), "sysctl -w kernel.unprivileged_userns_clone=1"),
        (replace(USER, **REFUSED, max_user_namespaces=0), "sysctl -w user.max_user_namespaces="),
        (replace(USER, **REFUSED, apparmor_restricts=True), "kernel.apparmor_restrict_unprivileged_userns=0"),
        (replace(USER, **REFUSED, seccomp=True), "seccomp=unconfined"),
        (replace(USER, **REFUSED), "Operation not permitted"),
        (replace(USER, no_new_privs=True, id_map="newuidmap: write failed"), "no_new_privs"),
        (replace(USER, without_setuid=("newuidmap",), id_map="newuidmap: write failed"), "setuid bit"),
        (replace(USER, no_range=("/etc/subuid",)), "usermod --add-subuids 100000-165535 ann"),
        (replace(USER, no_range=("/etc/subgid",)), "usermod --add-subgids 100000-165535 ann"),
        (replace(USER, id_map="newuidmap: uid range not allowed"), "uid range not allowed"),
        (replace(USER, user_namespaces="mount /proc failed"), "systempaths=unconfined"),
        (replace(USER, missing=("newuidmap",)), "apt-get install uidmap"),
        (replace(USER, missing=("tini",)), "apt-get install tini"),
        (replace(USER, binder=True), "Live labs on Binder: not yet"),
        (replace(ROOT, no_range=("/etc/subuid", "/etc/subgid")), "use the sandbox root"),
    ],
)
def test_what_is_in_the_way_of_rootless(facts: Facts, said: str) -> None:
    found = sandbox(facts, "rootless")
    assert not found.usable
    assert said in words(found)
    assert len(found.obstacles) == 1, "one cause is reported once"


def test_ubuntu_is_told_from_a_kernel_without_user_namespaces() -> None:
    everything = replace(USER, **REFUSED, apparmor_restricts=True, max_user_namespaces=0)
    assert "max_user_namespaces is 0" in words(sandbox(everything, "rootless"))
    assert "AppArmor" not in words(sandbox(everything, "rootless"))


def test_apparmor_that_lets_this_program_pass_is_no_obstacle() -> None:
    assert sandbox(replace(USER, apparmor_restricts=True), "rootless").usable


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (replace(ROOT, namespaces="unshare failed: Operation not permitted"), "--privileged"),
        (replace(ROOT, cgroups="/sys/fs/cgroup is read-only"), "/sys/fs/cgroup is read-only"),
        (replace(ROOT, missing=("nsenter",)), "apt-get install util-linux"),
        (replace(ROOT, missing=("iptables",)), "apt-get install iptables"),
    ],
)
def test_what_is_in_the_way_of_root(facts: Facts, said: str) -> None:
    found = sandbox(facts, "root")
    assert not found.usable
    assert said in words(found)


def test_newuidmap_is_no_matter_for_root() -> None:
    assert sandbox(replace(ROOT, missing=("newuidmap",), id_map="x"), "root").usable


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ann:100000:65536\n", (100000, 65536)),
        ("1000:300000:65536\n", (300000, 65536)),
        ("bob:100000:65536\nann:231072:70000\n", (231072, 70000)),
        ("ann:100000:1000\nann:200000:65536\n", (200000, 65536)),
        ("ann:100000:65535\n", None),
        ("anna:100000:65536\n", None),
        ("ann:100000\n# ann:1:65536\n\nann:x:y\n", None),
        ("", None),
    ],
)
def test_subordinate_range(tmp_path: Path, text: str, found: tuple[int, int] | None) -> None:
    table = tmp_path / "subuid"
    table.write_text(text, encoding="utf-8")
    assert rights.subordinate_range(table, "ann", 1000) == found


def test_no_table_is_no_range(tmp_path: Path) -> None:
    assert rights.subordinate_range(tmp_path / "none", "ann", 1000) is None


def test_missing_programs_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(rights.programs, "SYSTEM_DIRECTORIES", ())
    facts = rights.gather()
    assert {"tini", "nsenter", "unshare", "newuidmap"} <= set(facts.missing)
    assert facts.user_namespace
    assert not any(found.usable for found in judge(facts))


def test_a_tool_without_setuid_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("newuidmap", "newgidmap"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "newgidmap").chmod(0o4755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert rights.gather().without_setuid == ("newuidmap",)
