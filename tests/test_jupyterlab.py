"""The workbook as a learner meets it: `dnetkit lab` in a browser, chapter 01 run, buttons pressed, kernels ended.

The pictures that the tests take are in build/screenshots, for people to look at.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator

import pytest
from jupyter_page import Notebook, Server, chromium
from leaks import Watch, descendants
from playwright.sync_api import Browser, Locator, expect
from waiting import wait_for

from dnetkit.door import open_labs

pytestmark = [pytest.mark.browser, pytest.mark.live]

SCRATCH = "scratch.ipynb"


@pytest.fixture(scope="module")
def server(watch: Watch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab in a folder whose name has spaces and Chinese characters, with a notebook that opens a lab."""
    top = tmp_path_factory.mktemp("jupyter")
    folder = top / "my lab 网络 'ü'"
    folder.mkdir()
    settings = top / "home" / "settings" / "@jupyterlab" / "terminal-extension"
    settings.mkdir(parents=True)
    (settings / "plugin.jupyterlab-settings").write_text('{"screenReaderMode": true}')
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cell = {
        "cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None,
        "source": "%load_ext dnetkit\n%lab open",
    }  # fmt: skip
    notebook = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (folder / SCRATCH).write_text(json.dumps(notebook))
    with watch.nothing_left(whole=True, deadline=15):
        started = Server(folder, top / "home")
        try:
            yield started
        finally:
            started.stop()


@pytest.fixture(scope="module")
def browser(watch: Watch) -> Iterator[Browser]:  # noqa: ARG001 - its temporary files go where the watch has its own
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def chapter(server: Server, browser: Browser) -> Iterator[Notebook]:
    """Chapter 01 after Run All."""
    opened = Notebook(browser, server, "01-veth.ipynb")
    opened.run_all()
    yield opened
    opened.shut_down()


@pytest.fixture(scope="module")
def scratch(server: Server, browser: Browser) -> Iterator[Notebook]:
    """A notebook to write cells into; its first cell opens a lab."""
    opened = Notebook(browser, server, SCRATCH)
    yield opened
    opened.shut_down()


@pytest.fixture
def lab_id(scratch: Notebook) -> Iterator[str]:
    """The id of a lab that the scratch notebook has opened; closed at the end."""
    yield open_lab(scratch)
    scratch.run("%lab close")


def open_lab(scratch: Notebook) -> str:
    """Open a lab as a learner does; its id."""
    said = scratch.run("%load_ext dnetkit\n%lab open\nprint('lab', lab.id)").inner_text()
    found = re.search(r"^lab ([0-9a-f]+)$", said, re.MULTILINE)
    assert found, said
    return found[1]


# The order below is that of a learner's first hour; each test brings about what it needs.


def test_opens_with_the_first_chapter_and_no_question(server: Server, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(server.url("/"))
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
    expect(page.locator(".lm-TabBar-tab.jp-mod-current .lm-TabBar-tabLabel").first).to_have_text("00-start.ipynb")
    expect(page.locator(".jp-Notebook h1").first).to_contain_text("Start here")
    expect(page.locator(".jp-Dialog, .jp-toast-button")).to_have_count(0)
    news = server.ask("/lab/api/settings/@jupyterlab/apputils-extension:notification")["schema"]["properties"]
    assert news["fetchNews"]["default"] == "false"  # else it would ask a moment later whether it may fetch news
    page.close()
    for session in server.ask("/api/sessions"):
        server.ask(f"/api/sessions/{session['id']}", "DELETE")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_a_chapter_that_has_run_can_be_read_in_both_themes(chapter: Notebook, theme: str) -> None:
    chapter.theme(theme)
    page = chapter.page
    assert (
        page.locator(".jp-RenderedText[data-mime-type*=stderr], .jp-RenderedText[data-mime-type*=error]").count() == 0
    )
    expect(page.locator("pre.dnetkit-terminal").first).to_contain_text("host1# ip netns add red")
    expect(page.locator(".dnk-list").get_by_text("container one started")).to_have_count(1)
    expect(page.locator(".dnetkit-check").first).to_contain_text("passed")
    picture = page.locator(".dnetkit svg").first
    expect(picture).to_contain_text("docker0")
    for name, place in (("changes", page.locator(".dnk-list").first), ("diagram", picture)):
        place.scroll_into_view_if_needed()
        chapter.picture(f"{name}-{theme.lower()}")
    assert chapter.faint(4.5) == []


def test_an_exercise_gives_hints_checks_and_shows_its_solution_when_asked_twice(chapter: Notebook) -> None:
    chapter.run("%lab open")
    card = chapter.page.locator(".dnetkit-card").filter(has_text="veth-build")
    card.scroll_into_view_if_needed()
    shown = card.locator(".widget-html").last
    card.get_by_role("button", name="Hint").click()
    expect(shown).to_contain_text("Hint:")
    card.get_by_role("button", name="Check").click()
    expect(shown).to_contain_text("veth-build: not yet")
    expect(shown).to_contain_text("seen:")
    chapter.picture("exercise-dark")
    card.get_by_role("button", name="Show solution").click()
    expect(shown).to_contain_text("Press once more")
    expect(shown).not_to_contain_text("ip link add")
    card.get_by_role("button", name="Really show it").click()
    expect(shown).to_contain_text("ip link add")
    expect(card.get_by_role("button", name="Show solution")).to_be_enabled()
    assert chapter.faint(4.5) == []
    chapter.theme("Light")
    chapter.picture("exercise-light")
    chapter.run("%lab close")
    card.get_by_role("button", name="Hint").click()
    expect(shown).to_contain_text("There is no lab.")


def test_tab_offers_the_containers_that_run(scratch: Notebook, lab_id: str) -> None:  # noqa: ARG001 - it is open
    scratch.run("%%host\ndocker run -d --name kitten busybox top\ndocker create --name sleepy busybox top")
    cell = scratch.write("%%container ")
    scratch.page.keyboard.press("Tab")
    offered = scratch.page.locator(".jp-Completer")
    expect(offered).to_contain_text("kitten")
    expect(offered).not_to_contain_text("sleepy")
    scratch.page.keyboard.press("Enter")
    expect(cell.locator(".cm-content")).to_have_text("%%container kitten")


def test_the_stop_button_ends_a_running_cell_and_the_next_one_runs(scratch: Notebook, lab_id: str) -> None:
    cell = scratch.run("%%host\nsleep 321", wait=False)
    expect(cell.locator(".dnetkit-terminal")).to_contain_text("host1# sleep 321")
    scratch.page.get_by_role("button", name="Interrupt the kernel").click()
    scratch.settle()
    expect(cell).to_contain_text("interrupted")
    expect(cell).to_contain_text("KeyboardInterrupt")
    assert not [words for words in descendants().values() if "sleep 321" in words]
    expect(scratch.run("%%host\nhostname").locator(".dnetkit-terminal")).to_contain_text("host1# hostname\nhost1")
    assert lab_id in open_labs()


@pytest.fixture
def screen(scratch: Notebook) -> Iterator[Locator]:
    """What a terminal of JupyterLab shows, which has the keyboard."""
    scratch.menu("File", "New", "Terminal")
    yield scratch.page.locator(".jp-Terminal .xterm-accessibility-tree")
    for terminal in scratch.server.ask("/api/terminals"):
        scratch.server.ask(f"/api/terminals/{terminal['name']}", "DELETE")
    expect(scratch.page.locator(".jp-Terminal")).to_have_count(0)


def test_a_terminal_of_jupyterlab_steps_into_the_lab(scratch: Notebook, lab_id: str, screen: Locator) -> None:
    keyboard = scratch.page.keyboard
    expect(screen).to_contain_text(re.compile(r"[$#] "))
    keyboard.type(f"dnetkit shell --lab {lab_id}; echo back on $HOSTNAME\n")
    expect(screen).to_contain_text("a shell inside the lab")
    keyboard.type("ip -brief address show eth0\n")
    expect(screen).to_contain_text("198.51.100.11/24")
    keyboard.type("exit\n")
    expect(screen).to_contain_text(f"back on {os.uname().nodename}")


def test_restarting_the_kernel_ends_its_lab_and_the_first_cells_open_another(scratch: Notebook) -> None:
    before = open_lab(scratch)
    assert before in open_labs()
    scratch.menu("Kernel", "Restart Kernel\u2026")
    scratch.page.locator(".jp-Dialog .jp-mod-accept").click()
    wait_for("the lab of the old kernel is gone", lambda: before not in open_labs())
    scratch.ready()
    expect(scratch.run("%load_ext dnetkit\n%lab status")).to_contain_text("No lab is open.")
    expect(scratch.run("%lab open")).to_contain_text("is open (")
    scratch.run("%lab close")


def test_a_kernel_that_is_killed_takes_its_lab_with_it_and_the_next_one_opens_another(scratch: Notebook) -> None:
    lab = open_lab(scratch)
    said = scratch.run("import os\nprint('pid', os.getpid())").inner_text()
    kernel = int(re.search(r"^pid (\d+)$", said, re.MULTILINE)[1])
    processes = descendants(kernel)
    assert any(lab in words for words in processes.values())
    os.kill(kernel, signal.SIGKILL)
    wait_for("the killed kernel's lab is gone", lambda: not processes.keys() & descendants().keys(), 5)
    wait_for("the killed kernel's lab is not listed any more", lambda: lab not in open_labs(), 5)
    scratch.page.locator(".jp-Dialog .jp-mod-accept").click()  # 'Kernel Restarting', says JupyterLab
    scratch.ready()
    assert open_lab(scratch) != lab
    scratch.run("%lab close")


def test_shutting_the_notebook_down_ends_its_lab_and_all_of_its_processes(scratch: Notebook) -> None:
    lab = open_lab(scratch)
    assert any(lab in words for words in descendants().values())
    scratch.menu("File", "Close and Shut Down Notebook\u2026")
    scratch.page.locator(".jp-Dialog .jp-mod-accept").click()
    wait_for("its lab is gone", lambda: not any(lab in words for words in descendants().values()))
    wait_for("its lab is not listed any more", lambda: lab not in open_labs(), 5)
