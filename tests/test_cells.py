import pytest
from fake_lab import FakeLab

from dnetkit.cells import as_python, perform
from dnetkit.errors import CommandError, CommandExpectedToFail, CommandTimeout, LabError
from dnetkit.model import CommandResult, Step


@pytest.fixture
def shown(notebook):
    """Runs `perform` as a cell would; what was shown, and the error."""

    def run(script, answers=None, live=True, **options):
        lab = FakeLab()
        lab.answers = answers or {}
        notebook.shell.user_ns["act"] = lambda: perform(lab.host, script, live, **options)
        return notebook.run("_ = act()")

    return run


def test_shows_each_line_behind_its_prompt_with_what_it_printed(shown):
    done = shown("uname\nls", {"uname": Step("", 0, "Linux\n")})
    assert done.error is None
    assert done.outputs[0]["data"]["text/plain"] == "host1# uname\nLinux\nhost1# ls"
    assert len(done.outputs) == 1


def test_where_nothing_can_be_redrawn_it_is_shown_once_at_the_end(shown):
    done = shown("uname\nls", {"uname": Step("", 0, "Linux\n")}, live=False)
    assert [output["data"]["text/plain"] for output in done.outputs] == ["host1# uname\nLinux\nhost1# ls"]


def test_of_a_python_program_the_screen_repeats_only_how_it_is_run(notebook):
    class Machine:
        name = "host1"

        def run(self, script, *, on_event, **_):
            on_event("command", script)
            on_event("stdout", "8\n")
            on_event("status", 0)
            return CommandResult("host1", (Step(script, 0, "8\n"),))

    notebook.shell.user_ns["act"] = lambda: perform(Machine(), as_python("print(3 + 5)"), True)
    assert notebook.run("_ = act()").plain.strip() == "host1# python3 -u - <<'the lines of this cell'\n8"


def test_a_script_without_a_command_shows_nothing(shown):
    assert shown("\n\n").outputs == []


def test_a_line_that_fails_is_shown_with_its_status_and_ends_the_cell(shown):
    done = shown("false\nls", {"false": Step("", 3, "", "no\n")})
    assert isinstance(done.error, CommandError)
    assert done.outputs[0]["data"]["text/plain"] == "host1# false\nno\nexit 3"


def test_a_failure_that_was_expected_is_no_error(shown):
    done = shown("false", {"false": Step("", 3)}, expect_fail=True)
    assert done.error is None
    assert "exit 3, as expected" in done.plain


def test_a_success_that_was_not_expected_is_an_error(shown):
    done = shown("true", expect_fail=True)
    assert isinstance(done.error, CommandExpectedToFail)
    assert "--expect-fail" in done.trace


def test_a_time_limit_is_longer_on_a_slow_machine(shown, monkeypatch):
    monkeypatch.setenv("DNETKIT_PATIENCE", "3")
    done = shown("sleep 9", {"sleep 9": "hang"}, timeout=2)
    assert "ended after 6 s" in done.plain


def test_a_time_limit_ends_it_even_where_a_failure_was_expected(shown):
    done = shown("sleep 9", {"sleep 9": "hang"}, expect_fail=True, timeout=2)
    assert isinstance(done.error, CommandTimeout)
    assert "host1# sleep 9\nended after 2 s" in done.plain


def test_an_interrupt_is_noted_and_passed_on(shown):
    done = shown("sleep 9", {"sleep 9": KeyboardInterrupt()})
    assert isinstance(done.error, KeyboardInterrupt)
    assert "host1# sleep 9\ninterrupted" in done.plain


def test_a_result_that_says_interrupted_is_an_interrupt(notebook):
    class Machine:
        name = "host1"

        def run(self, script, **_):
            return CommandResult("host1", (Step(script, None),), "interrupt")

    notebook.shell.user_ns["act"] = lambda: perform(Machine(), "x", True)
    assert isinstance(notebook.run("act()").error, KeyboardInterrupt)


def test_when_the_lab_ends_what_was_printed_before_stays(shown):
    done = shown("uname\nboom", {"uname": Step("", 0, "Linux\n"), "boom": LabError("The lab has ended.")})
    assert isinstance(done.error, LabError)
    assert "Linux\nhost1# boom" in done.plain
