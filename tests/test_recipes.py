"""The recipes name what there is, and are told apart from what they were before."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dnetkit import programs, recipes
from dnetkit.recipes import FILES, FOR_INSTALLING, RECIPES, Recipe

SCRIPTS = sorted(path for path in FILES.rglob("*") if path.is_file() and path.read_bytes().startswith(b"#!"))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_a_recipe_is_sound(recipe: Recipe) -> None:
    names = {"root", *(user.name for user in recipe.users)}
    assert set(recipe.directories.values()) <= names
    assert not [path for path in (*recipe.directories, *recipe.links) if path.startswith("/")]
    assert all(re.fullmatch(r"\d+/(tcp|udp)", port) for port in recipe.config.ports)
    assert recipe.config.command or recipe.config.entrypoint
    assert recipe.config.environment["PATH"].endswith(recipes.PATH)
    for pattern in (*FOR_INSTALLING, *recipe.without):
        assert not any(re.fullmatch(pattern, package) for package in recipe.packages)


def test_every_folder_of_files_belongs_to_a_recipe() -> None:
    assert {path.name for path in FILES.iterdir()} <= set(RECIPES)
    assert {path.name for folder in FILES.iterdir() for path in folder.iterdir()} <= {"added", "built"}


def test_what_a_container_starts_is_among_the_files_where_it_is_ours() -> None:
    for recipe in RECIPES.values():
        for program in (*recipe.config.entrypoint[:1], *recipe.config.command[:1]):
            if program.endswith((".sh", "-foreground")) and program != "catalina.sh":
                assert (recipe.files("built") / "usr/local/bin" / program).is_file(), program


def test_the_fingerprint_follows_the_recipe_and_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis = RECIPES["redis"]
    before = redis.fingerprint()
    assert before == redis.fingerprint()
    assert dataclasses.replace(redis, packages=("other",)).fingerprint() != before
    shutil.copytree(FILES, tmp_path / "files")
    monkeypatch.setattr(recipes, "FILES", tmp_path / "files")
    assert redis.fingerprint() == before
    script = tmp_path / "files/redis/built/usr/local/bin/docker-entrypoint.sh"
    script.write_text(script.read_text() + "\n")
    assert redis.fingerprint() != before


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(FILES).as_posix())
def test_busybox_can_read_the_scripts(script: Path) -> None:
    if programs.find("busybox") is None:
        pytest.skip("no busybox here")
    assert script.read_text().startswith("#!/bin/sh\n")
    done = subprocess.run(["busybox", "sh", "-n", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", sorted(FILES.rglob("docker-entrypoint.sh")), ids=lambda path: path.parts[-6])
def test_an_entrypoint_runs_any_other_command_as_it_is(script: Path) -> None:
    done = subprocess.run(["sh", script, "echo", "a b"], capture_output=True, text=True, check=False)
    assert done.stdout == "a b\n"
