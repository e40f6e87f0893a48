"""What all tests share: who may run where, an open lab, and the proof that a test leaves nothing behind.

`lab` is an open lab with one host and busybox, made once a module; `fresh_lab` is one for a single test. A live test is
watched whether it asks for one of them or not (see leaks.py).
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from fake_notebook import FakeNotebook
from hypothesis import settings
from leaks import Ids, Watch, adopt_orphans

from dnetkit import engines, programs, sandbox
from dnetkit.errors import DnetkitError
from dnetkit.lab import Lab

OURS = "root" if os.geteuid() == 0 else "rootless"
"""The sandbox that labs are started in here."""


PROJECT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """A shell has what it starts in the background ignore SIGINT, and so would all that tests start and interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("dnetkit", deadline=None)  # how long something takes is not for a test to say
    settings.load_profile("dnetkit")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are for the other sandbox."""
    elsewhere = [item for item in items if any(mark.args != (OURS,) for mark in item.iter_markers("sandbox"))]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture: skip what this machine cannot do or, where DNETKIT_LIVE=1 says that it must, fail."""
    for mark, why_not in (("live", _no_lab), ("browser", _no_browser)):
        if item.get_closest_marker(mark) is not None and (reason := why_not()):
            if os.environ.get("DNETKIT_LIVE") == "1":
                pytest.fail(f"{reason} (DNETKIT_LIVE=1: a skip is a failure)", pytrace=False)
            pytest.skip(reason)


@functools.cache
def _no_lab() -> str:
    """Why no lab can be opened here, as far as can be told without opening one."""
    try:
        sandbox.choose("auto")
        engines.find_engine()
    except DnetkitError as error:
        return f"no lab here: {error}".replace("\n", " ")
    return ""


@functools.cache
def _no_browser() -> str:
    if find_spec("playwright") is None:
        return "no browser here: playwright is not installed"
    return "" if programs.find("chromium") else "no browser here: there is no program chromium"


@pytest.fixture(scope="session")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """Directories for records and temporary files that only this run uses, and a count of what is in them."""
    top = tmp_path_factory.mktemp("run")
    temporary = top / "tmp"
    temporary.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(top / "state"))
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr(tempfile, "tempdir", str(temporary))
        adopt_orphans()
        ids = Ids(sandbox.state_directory())
        yield Watch(ids, temporary)
        ids.close()


@pytest.fixture(scope="module")
def lab(watch: Watch) -> Iterator[Lab]:
    """An open lab with one host and busybox, for all tests of a module; each clears away what it made in it."""
    with watch.nothing_left(whole=True), Lab() as opened:
        yield opened


@pytest.fixture
def fresh_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """An open lab with busybox, for one test: with one host, or as many as the exercise takes that is tested."""
    callspec = getattr(request.node, "callspec", None)
    exercise = callspec.params.get("exercise") if callspec else None
    with Lab(hosts=exercise.hosts if exercise else 1) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a live test that leaves something behind."""
    if request.node.get_closest_marker("live") is None:
        yield
        return
    watch = request.getfixturevalue("watch")
    shared = request.getfixturevalue("lab") if "lab" in request.fixturenames else None
    with watch.nothing_left():
        yield
        if shared is not None:
            for host in shared.hosts.values():
                host.close()  # its client of the SDK keeps connections for the next call


@pytest.fixture
def owner() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts other processes that open labs: given the lines of a script, with `Lab` in it and a pipe each way."""
    with contextlib.ExitStack() as stack:

        def start(script: str, **options: Any) -> subprocess.Popen[str]:
            command = [sys.executable, "-c", f"import sys\nfrom dnetkit.lab import Lab\n{script}"]
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT, **options
            )
            stack.enter_context(process)  # waits at the end
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory for this test alone, with the real one's engines; its name would trip careless programs."""
    cache = tmp_path / "my cache 网络 'ü'"
    engines_there = engines.cache_directory() / "engines"
    if engines_there.is_dir():
        shutil.copytree(engines_there, cache / "dnetkit/engines", symlinks=True, copy_function=_linked)
    cache.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("DNETKIT_REGISTRY", "none")
    return cache


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copy2(source, target, follow_symlinks=False)


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNotebook]:
    """A notebook in this process whose labs exist only as data, and a learner who has passed nothing yet."""
    for name in ("DNETKIT_UNATTENDED", "DNETKIT_SANDBOX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    opened = FakeNotebook(tmp_path / "ipython")
    yield opened
    opened.close()


@pytest.fixture
def unusual_folder(tmp_path: Path) -> Path:
    """A folder whose name has what trips up careless programs."""
    folder = tmp_path / "my folder 网络 'ü'"
    folder.mkdir()
    return folder
