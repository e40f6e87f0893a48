"""Binder accepts binder/, and so does a lint of what repo2docker lets through until the build fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1]
BINDER = PROJECT / "binder"
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""A name of a Debian package (Debian Policy, 5.6.1)."""


def problems(folder: Path) -> Iterator[str]:
    """What would break a build or a start of Binder, a sentence each."""
    for line in (folder / "apt.txt").read_text().splitlines():
        if not PACKAGE.fullmatch(line):
            yield f"apt.txt: {line!r} is not the name of a package"
    for line in (folder / "requirements.txt").read_text().splitlines():
        try:
            specifiers = [found.operator for found in Requirement(line).specifier]
        except InvalidRequirement:
            yield f"requirements.txt: {line!r} is not a requirement"
        else:
            if specifiers != ["=="]:
                yield f"requirements.txt: {line!r} is not pinned"
    if not re.fullmatch(r"python-3\.1[0-3]\n", (folder / "runtime.txt").read_text()):
        yield "runtime.txt: not a Python that dnetkit runs on"
    yield from spoiled_scripts(folder)


def spoiled_scripts(folder: Path) -> Iterator[str]:
    for script in (path for name in ("postBuild", "start") if (path := folder / name).exists()):
        text = script.read_text()
        if not os.access(script, os.X_OK):
            yield f"{script.name} has no run bit"
        if not text.startswith("#!/bin/bash\n"):
            yield f"{script.name} does not say that it is for bash"
        if not re.search(r"^set -e", text, re.MULTILINE):
            yield f"{script.name} goes on after an error"
        if subprocess.run(["bash", "-n", script], capture_output=True, check=False).returncode:
            yield f"{script.name} is not valid bash"
        if script.name == "start" and not text.endswith('exec "$@"\n'):
            yield 'start does not end with exec "$@"'


def pins(path: Path) -> dict[str, set[str]]:
    """Name -> versions that a file of pinned requirements names."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\\n]+)", path.read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def test_repo2docker_accepts_it(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("jupyter-repo2docker")
    done = subprocess.run(
        [program, "--no-build", "--debug", PROJECT],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for step in (
        'pip install --no-cache-dir -r "binder/requirements.txt"',
        "apt-get install --yes --no-install-recommends graphviz",
        "RUN ./binder/postBuild",
    ):
        assert step in done.stdout + done.stderr


def test_nothing_in_it_would_break_a_build() -> None:
    assert list(problems(BINDER)) == []


def test_there_is_one_folder_for_binder() -> None:
    assert not (PROJECT / ".binder").exists()


def append(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text((folder / name).read_text() + text)


def replace(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def write_start(text: str) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        (folder / "start").write_text(text)
        (folder / "start").chmod(0o755)

    return write


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (append("apt.txt", "$(curl x)\n"), "is not the name of a package"),
        (append("apt.txt", "tini uidmap\n"), "is not the name of a package"),
        (append("requirements.txt", "papermill==\n"), "is not a requirement"),
        (append("requirements.txt", "papermill>=2\n"), "is not pinned"),
        (append("requirements.txt", "-r ../requirements.lock\n"), "is not a requirement"),
        (replace("runtime.txt", "3.1", "3."), "not a Python that dnetkit runs on"),
        (lambda folder: (folder / "postBuild").chmod(0o644), "postBuild has no run bit"),
        (replace("postBuild", "set -euo pipefail\n", ""), "postBuild goes on after an error"),
        (replace("postBuild", "#!/bin/bash\n", ""), "postBuild does not say that it is for bash"),
        (append("postBuild", "if true; then\n"), "postBuild is not valid bash"),
        (write_start("#!/bin/bash\nset -e\n"), 'start does not end with exec "$@"'),
    ],
)
def test_the_lint_finds_what_would(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    folder = tmp_path / "binder"
    shutil.copytree(BINDER, folder)
    spoil(folder)
    (problem,) = problems(folder)
    assert said in problem


def test_the_run_bit_is_in_the_repository_too() -> None:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--stage", "binder/postBuild"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if not listed.stdout:
        pytest.skip("this is not a git checkout")
    assert listed.stdout.startswith("100755 ")


def test_it_has_what_dnetkit_depends_on_in_the_versions_that_are_tested() -> None:
    tested, here = pins(PROJECT / "requirements.lock"), pins(BINDER / "requirements.txt")
    project = (PROJECT / "pyproject.toml").read_text().partition("\ndependencies = [")[2].partition("\n]")[0]
    wanted = [Requirement(text) for text in re.findall(r'"(.+)"', project)]
    assert len(wanted) > 5
    missing = [one.name for one in wanted if one.marker is None and canonicalize_name(one.name) not in here]
    assert missing == [], "run: make lock"
    assert {name: found for name, found in here.items() if not found <= tested.get(name, set())} == {}, "run: make lock"


def test_the_launch_link_opens_the_first_chapter() -> None:
    links = re.findall(r"https://mybinder\.org/v2/gh/[^)\s]+", (PROJECT / "README.md").read_text())
    assert links
    for link in links:
        opened = re.search(r"\?urlpath=lab/tree/(\S+)$", link)
        assert opened
        assert opened[1] == "notebooks/00-start.ipynb"
        assert (PROJECT / opened[1]).is_file()
