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
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from waiting import wait_for

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

expect.set_options(timeout=30_000)  # a machine may be busy; what is as expected costs no wait

SCREENSHOTS = Path(__file__).parent.parent / "build" / "screenshots"


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
            "TMPDIR": str(home / "tmp"),  # a kernel that is killed leaves files there
        }
        for name in ("DNETKIT_UNATTENDED", "DNETKIT_SANDBOX"):
            self.environment.pop(name, None)
        self._log = home / "jupyter.log"
        (home / "tmp").mkdir(parents=True, exist_ok=True)
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
            wait_for("JupyterLab answers", self._answers, 60)
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
        self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
        self.ready()

    def ready(self) -> None:
        """Until there is a kernel, with nothing to do; the notebook's own indicator says idle before there is one."""
        self.page.locator(".jp-StatusBar-Widget").get_by_text(re.compile(r"\| Idle")).wait_for(timeout=60_000)

    def menu(self, first: str, *path: str) -> None:
        """Choose from the menu bar: menu("Run", "Run All Cells")."""
        self.page.get_by_role("menuitem", name=first, exact=True).first.click()
        for name in path:  # each opens the next menu, the last one acts
            self.page.locator(".lm-Menu-itemLabel").get_by_text(name, exact=True).click()

    def run_all(self, seconds: float = 150) -> None:
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

    @property
    def active(self) -> Locator:
        """The cell that the cursor is in."""
        return self.page.locator(".jp-Notebook .jp-Cell.jp-mod-active")

    def write(self, source: str) -> Locator:
        """Add a cell at the end and write `source` into it; the cell."""
        self.page.locator(".jp-Notebook .jp-Cell .jp-InputPrompt").last.click()
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("b")
        number = self.active.get_attribute("data-windowed-list-index")
        self.page.keyboard.press("Enter")
        self.page.keyboard.insert_text(source)
        return self.cell(int(number or 0))

    def run(self, source: str, seconds: float = 60, wait: bool = True) -> Locator:
        """Add a cell at the end with `source` and run it; the cell."""
        cell = self.write(source)
        self.page.keyboard.press("Control+Enter")
        if wait:
            self.settle(seconds)
        return cell

    def theme(self, name: str) -> None:
        """'Light' or 'Dark', for all that is open."""
        self.menu("Settings", "Theme", f"JupyterLab {name}")
        self.page.locator(f'body[data-jp-theme-name="JupyterLab {name}"]').wait_for(state="attached")

    def picture(self, name: str, what: Locator | None = None) -> None:
        """Save a screenshot for people to look at: build/screenshots/NAME.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        (SCREENSHOTS / f"{name}.png").write_bytes((what or self.page).screenshot())

    def faint(self, least: float) -> list[str]:
        """The texts of our outputs, and buttons, whose contrast with what is behind them is less; '3.9 exit 1'."""
        found = self.page.evaluate(CONTRASTS)
        assert len(found) > 100, "this looks at texts that are there"
        return [f"{contrast:.1f} {text}" for contrast, text in found if contrast < least]

    def shut_down(self) -> None:
        """Close the page and end the kernel."""
        self.page.close()
        for session in self.server.ask("/api/sessions"):
            if session["path"] == self.name:
                self.server.ask(f"/api/sessions/{session['id']}", "DELETE")


CONTRASTS = """() => {
  // Any colour as the browser would paint it, [red, green, blue, alpha]: computed ones come in many notations.
  const brush = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const known = new Map();
  const paint = colour => {
    if (!known.has(colour)) {
      brush.clearRect(0, 0, 1, 1);
      brush.fillStyle = colour;
      brush.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = (top, alpha, below) => below.map((value, n) => n < 3 ? top[n] * alpha + value * (1 - alpha) : 1);
  const luminance = colour => {
    const [r, g, b] = colour.slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = element => {  // what is behind an html element, down to the first that is opaque
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = paint(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, layer[3], below), [255, 255, 255, 1]);
  };
  const shapes = text => {  // what is drawn before a text of a picture, and under its middle
    const svg = text.ownerSVGElement;
    const box = text.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    let colour = ground(svg.parentElement);
    for (const shape of svg.querySelectorAll('polygon, path, rect, ellipse, circle')) {
      if (!(shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING)) break;
      const place = shape.getBoundingClientRect();
      const style = getComputedStyle(shape);
      if (style.fill === 'none' || x < place.left || x > place.right || y < place.top || y > place.bottom) continue;
      const layer = paint(style.fill);
      colour = over(layer, layer[3] * style.fillOpacity * style.opacity, colour);
    }
    return colour;
  };
  const found = [];
  for (const element of document.querySelectorAll('.dnetkit *, .jupyter-button')) {
    const text = [...element.childNodes].filter(node => node.nodeType === 3).map(node => node.data).join('').trim();
    if (!text || ['STYLE', 'TITLE', 'title'].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const drawn = element.ownerSVGElement;
    const behind = drawn ? shapes(element) : ground(element);
    const colour = paint(drawn ? style.fill : style.color);
    found.push([contrast(over(colour, colour[3] * style.opacity, behind), behind), text.slice(0, 60)]);
  }
  return found;
}"""
