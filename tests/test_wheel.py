"""The built wheel alone is enough: the chapters come along, run and open a lab, without this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from chapters import fixture

from dnetkit import engines, notebooks
from dnetkit.version import __version__

PROJECT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program as someone would who has no checkout: from elsewhere, with nothing of this environment's Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        command, cwd=cwd, env=kept | environment, capture_output=True, text=True, check=check, timeout=240
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution as for a release."""
    folder = tmp_path_factory.mktemp("dist")
    built = run(UV, "build", "--quiet", "--out-dir", folder, PROJECT, cwd=folder, check=False)
    if built.returncode and ("error sending request" in built.stderr or "Failed to fetch" in built.stderr):
        pytest.skip("the build's own requirements cannot be downloaded here")
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment in which the wheel is installed; what it depends on is lent by this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv = folder / "venv"
    run(UV, "venv", "--quiet", "--python", sys.executable, venv, cwd=folder)
    run(UV, "pip", "install", "--quiet", "--no-deps", "--python", venv / "bin/python", wheel, cwd=folder)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")  # .pth files in there are not read
    return venv / "bin"


def test_it_holds_what_the_package_reads_and_every_chapter(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert f"dnetkit-{__version__}.dist-info/METADATA" in names
    for chapter in notebooks.chapters():
        assert f"dnetkit/_notebooks/{chapter.path.name}" in names
    tracked = run("git", "-c", "safe.directory=*", "ls-files", "dnetkit", cwd=PROJECT, check=False).stdout.split()
    assert set(tracked) <= names, "every file of the package, not the Python ones alone"
    assert not [name for name in names if name.startswith(("tests/", "dnetkit/_notebooks/."))]


def test_it_is_the_installed_one_that_runs(installed: Path, tmp_path: Path) -> None:
    code = "import dnetkit; from dnetkit import notebooks; print(dnetkit.__file__, notebooks.in_checkout())"
    where, checkout = run(installed / "python", "-c", code, cwd=tmp_path).stdout.split()
    assert Path(where).is_relative_to(installed.parent)
    assert checkout == "False"
    assert run(installed / "dnetkit", "--version", cwd=tmp_path).stdout == f"dnetkit {__version__}\n"


def test_dnetkit_lab_copies_the_chapters_that_came_along(installed: Path, unusual_folder: Path) -> None:
    # A JupyterLab that only says where it was started: the real one is started in test_workbook.
    fake = unusual_folder / "fake"
    fake.mkdir()
    (fake / "jupyterlab.py").write_text("import os, sys; print('in', os.getcwd()); print(sys.argv[1:])")
    for arguments, folder in ((["my copy"], "my copy"), ([], "dnetkit-workbook")):
        ran = run(installed / "dnetkit", "lab", *arguments, cwd=unusual_folder, PYTHONPATH=str(fake))
        assert f"{len(notebooks.chapters()) + len(notebooks.PAGES)} notebooks copied" in ran.stdout
        assert f"in {unusual_folder / folder}" in ran.stdout
        assert "--LabApp.default_url=/lab/tree/00-start.ipynb" in ran.stdout
        for chapter in notebooks.chapters():
            assert (unusual_folder / folder / chapter.path.name).read_bytes() == chapter.path.read_bytes()


def test_it_runs_chapters(installed: Path, tmp_path: Path) -> None:
    ran = run(installed / "dnetkit", "run", fixture("01"), cwd=tmp_path)
    assert ran.stdout.endswith("1 passed, 0 failed\n")
    unknown = run(installed / "dnetkit", "run", "99", cwd=tmp_path, check=False)
    assert "Chapters: 00-start, 01-veth" in unknown.stderr


@pytest.mark.live
def test_it_opens_a_lab(installed: Path, tmp_path: Path) -> None:
    script = "docker run --rm busybox echo from $HOSTNAME"
    code = f"from dnetkit.lab import Lab\nwith Lab() as lab: print(lab.host.run({script!r}).steps[0].stdout)"
    cache = str(engines.cache_directory().parent)
    ran = run(installed / "python", "-c", code, cwd=tmp_path, XDG_CACHE_HOME=cache)
    assert ran.stdout.strip() == "from host1"
