"""Run All over real labs: again, after an interrupt, after an engine that died."""

import os
import signal
import threading

import pytest
from leaks import descendants
from live_notebook import LiveNotebook
from waiting import wait_for

from dnetkit.door import open_labs
from dnetkit.errors import CommandError

pytestmark = pytest.mark.live

CELLS = [
    "%load_ext dnetkit",
    "%lab open",
    "%%host\ndocker run -d --name web busybox top",
    "%diagram",
    "%check pair('web', 'eth0', 'host1')",
    "%snapshot before;",
    "%%container web\nip address",
    "%%client\nping -c 1 host1",
]


@pytest.fixture
def notebook(tmp_path):
    with LiveNotebook(tmp_path) as opened:
        yield opened


def run_all(notebook, cells=CELLS):
    """Run cells until one fails, as JupyterLab does; the errors."""
    for cell in cells:
        try:
            notebook.run(cell)
        except (Exception, KeyboardInterrupt) as error:
            return error
    return None


def interrupt_when_running(command):
    """What the kernel does when the stop button is pressed, once the command runs."""

    def press():
        wait_for(f"{command} runs", lambda: any(words == command for words in descendants().values()))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


def test_run_all_works_again_and_after_an_interrupted_run(notebook):
    assert run_all(notebook) is None
    first = notebook.shell.user_ns["lab"].id
    assert run_all(notebook) is None
    assert first not in open_labs()

    pressed = interrupt_when_running("sleep 321")
    stopped = run_all(notebook, [*CELLS[:3], "%%host\ndocker run -d --name late busybox top\nsleep 321", *CELLS[3:]])
    pressed.join()
    assert isinstance(stopped, KeyboardInterrupt)
    notebook.run("%check container_running('late')")  # the lab is as it was, and can be used

    assert run_all(notebook) is None


def test_an_engine_that_dies_in_mid_cell_is_said_so_and_a_restart_helps(notebook):
    assert run_all(notebook) is None
    with pytest.raises(CommandError) as caught:
        notebook.run("%%host\nkill -9 $(pidof dockerd)\nsleep 0.5\ndocker ps")
    assert "connect to the" in caught.value.message
    assert "`%lab engine start` starts it" in caught.value.hint
    notebook.run("%%host\nip link")
    notebook.run("%diagram")
    notebook.run("%lab restart")
    assert run_all(notebook, CELLS[2:]) is None
