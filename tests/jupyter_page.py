"""JupyterLab as a learner meets it: `dnetkit lab DIR` as a program, and a notebook of it in Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Without its own sandbox, which root cannot have; it sees nothing but loopback."""

SCREENSHOTS = Path(__file__).parent.parent / "build" / "screenshots"


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of `condition`, asked again and again. Fails the test when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"after {seconds:g} s: {what}"
        time.sleep(0.05)
    return value


class Server:
    """`dnetkit lab FOLDER --no-browser --port N`, with Jupyter's settings and the learner's progress in `home`."""

    def __init__(self, folder: Path, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.token = secrets.token_hex(16)
        self.environment = {
            **os.environ,
            "JUPYTER_TOKEN": self.token,
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "IPYTHONDIR": str(home / "ipython"),
            "XDG_DATA_HOME": str(home / "share"),
        }
        for name in ("DNETKIT_UNATTENDED", "DNETKIT_SANDBOX"):
            self.environment.pop(name, None)
        self._log = home / "jupyter.log"
        home.mkdir(parents=True, exist_ok=True)
        program = str(Path(sys.executable).with_name("dnetkit"))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "lab", str(folder), "--no-browser", "--port", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )
        try:
            wait_until(self._answers, 40, "JupyterLab does not answer")
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self.log()}") from None

    def log(self) -> str:
        """What JupyterLab and its kernels wrote."""
        return self._log.read_text(errors="replace")

    def url(self, path: str = "/") -> str:
        """An address of it, with the token."""
        return f"http://127.0.0.1:{self.port}{urllib.parse.quote(path)}?token={self.token}"

    def ask(self, path: str, method: str = "GET", body: object = None) -> Any:
        """A request to the server's API; what it answers."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{urllib.parse.quote(path)}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - a server that we started
            text = answer.read()
        return json.loads(text) if text else None

    def stop(self) -> None:
        """End it, its kernels and terminals, and wait until it has ended."""
        with contextlib.suppress(OSError, ValueError, urllib.error.URLError):
            self.ask("/api/shutdown", "POST")
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, "it ended"
        try:
            return bool(self.ask("/api/status"))
        except (OSError, urllib.error.URLError):
            return False


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Notebook:
    """One notebook, open in a page of its own."""

    def __init__(self, browser: Browser, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self.page: Page = browser.new_page(viewport={"width": 1280, "height": 900})
        self.page.goto(f"{server.url(f'/lab/tree/{name}')}&reset", wait_until="domcontentloaded")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=40_000)
        # The notebook's own indicator says idle before there is a kernel; the status bar knows.
        self.page.locator(".jp-StatusBar-Widget").get_by_text(re.compile(r"\| Idle")).wait_for(timeout=40_000)

    def close(self) -> None:
        """Close the page; the kernel goes on."""
        self.page.close()

    def menu(self, first: str, *path: str) -> None:
        """Choose from the menu bar: menu("Run", "Run All Cells")."""
        self.page.get_by_role("menuitem", name=first, exact=True).first.click()
        for name in path:  # each opens the next menu, the last one acts
            self.page.locator(".lm-Menu-itemLabel").get_by_text(name, exact=True).click()

    def run_all(self, seconds: float = 90) -> None:
        """Run All Cells, until the last one has its number."""
        self.menu("Run", "Run All Cells")
        self.settle(seconds)

    def settle(self, seconds: float = 60) -> None:
        """Until no cell is waiting or running any more."""
        self.page.wait_for_function(
            """() => {
                const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.textContent);
                const idle = document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle';
                return idle && !prompts.some(text => text.includes('*'));
            }""",
            timeout=seconds * 1000,
        )

    def cell(self, number: int) -> Locator:
        """A cell by its place, from 0, markdown included."""
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{number}"]')

    def run(self, source: str, seconds: float = 60, wait: bool = True) -> Locator:
        """Add a cell at the end, write `source` into it, run it; the cell."""
        self.page.locator(".jp-Notebook .jp-Cell").last.locator(".jp-InputPrompt, .jp-MarkdownOutput").first.click()
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("End")
        self.page.keyboard.press("b")
        cell = self.page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
        number = cell.get_attribute("data-windowed-list-index")
        self.page.keyboard.press("Enter")
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Control+Enter")
        if wait:
            self.settle(seconds)
        return self.cell(int(number or 0))

    def theme(self, name: str) -> None:
        """'Light' or 'Dark', for all that is open."""
        self.menu("Settings", "Theme", f"JupyterLab {name}")
        self.page.locator(f'body[data-jp-theme-name="JupyterLab {name}"]').wait_for(state="attached")

    def picture(self, name: str, what: Locator | None = None) -> None:
        """Save a screenshot for people to look at: build/screenshots/NAME.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        (what or self.page).screenshot(path=SCREENSHOTS / f"{name}.png")
