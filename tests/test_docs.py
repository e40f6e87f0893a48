"""What the documents name is there: modules, commands, targets, files."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from dnetkit import cli
from dnetkit.model import Namespace, Snapshot

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "dnetkit"
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "docs/coverage.md")

every_document = pytest.mark.parametrize("name", DOCUMENTS)


def read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def modules(folder: Path) -> set[str]:
    files = {path.name for path in folder.glob("*.py") if path.name != "__init__.py"}
    return files | {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}


def test_the_architecture_lists_every_module_and_no_other() -> None:
    text = read("docs/architecture.md").partition("\n## Modules\n")[2].partition("\n## ")[0]
    listed = set(re.findall(r"(?:^ {4,6}|;  |, )([a-z_]+(?:\.py|/))(?=[ ,])", text, re.MULTILINE))
    no_modules = {"tasks/", "image_files/"}
    assert listed - no_modules == (modules(PACKAGE) | modules(PACKAGE / "agent")) - {"agent/"}


def subcommands() -> set[str]:
    found = set(re.findall(r"^    ([a-z]+) ", cli.build_parser().format_help(), re.MULTILINE))
    assert len(found) == len(cli.COMMANDS)
    return found


@every_document
def test_links_lead_to_files(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", read(name)):
        if not target.startswith("https://"):
            assert ((PROJECT / name).parent / target).exists(), target


@every_document
def test_commands_and_targets_that_are_named_are_there(name: str) -> None:
    for command in re.findall(r"(?:\.venv/bin/|`)dnetkit ([a-z]+)", read(name)):
        assert command in subcommands(), command
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for line in re.findall(r"`make ([a-z -]+)[`A-Z]|^    make ([a-z-]+)", read(name), re.MULTILINE):
        assert set("".join(line).split()) <= targets, line


@every_document
def test_files_that_are_named_are_there(name: str) -> None:
    for path in re.findall(r"`((?:dnetkit|tests|scripts|docs|binder|notebooks|\.ci)/[^` *]*)`", read(name)):
        if not re.search(r"NN|NAME|<", path):
            assert (PROJECT / path).exists(), path


def test_the_readme_names_every_subcommand() -> None:
    for command in subcommands():
        assert f".venv/bin/dnetkit {command}" in read("README.md"), command


def test_the_data_model_is_shown_in_a_picture_that_the_program_made() -> None:
    section = read("docs/architecture.md").partition("\n## The data model\n")[2].partition("\n## ")[0]
    assert "](model.svg)" in section
    script = read("scripts/picture.py")
    for path in (PROJECT / "docs").glob("*.svg"):
        assert f'"{path.stem}"' in script
        assert path.read_text(encoding="utf-8").startswith("<svg ")
    for name in ("Snapshot", *(field.name for field in dataclasses.fields(Snapshot) if field.name != "taken")):
        assert name in section
    for name in (field.name for field in dataclasses.fields(Namespace)):
        assert name in section or name in ("kind", "machine", "inode", "path")
