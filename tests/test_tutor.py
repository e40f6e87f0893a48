import dataclasses

import pytest
from fake_notebook import text_of
from ipywidgets.widgets import widget

from dnetkit import errors, exercises, tutor
from dnetkit.exercises import Exercise, Hint
from dnetkit.model import Step
from dnetkit.progress import Progress

SECOND = Exercise(
    "second", "02-docker0", "A second container", "Start `two`.", "run two", ("container_running('two')",),
    (Hint("container_running('two')", ("Which command starts one?", "`docker run` does.")),), setup="prepare",
)  # fmt: skip
NUMBER = Exercise("number", "01-veth", "Its number", "Print it.", "%%client\nprint", ("answer('5')",), ())


def start_two(lab):
    two = dataclasses.replace(lab.state.containers[0], id="9", name="two", ports=())
    lab.state = dataclasses.replace(lab.state, containers=(*lab.state.containers, two))


@pytest.fixture
def learner(notebook, monkeypatch):
    """A notebook with an open lab and two exercises."""
    monkeypatch.setattr(exercises, "catalogue", lambda: {"number": NUMBER, "second": SECOND})
    # data does not change by waiting
    monkeypatch.setattr(exercises, "settled", lambda lab, attempt, _seconds: attempt(lab.snapshot))
    notebook.answers.update({"run two": start_two, "print": Step("", 0, "the number is\n5\n")})
    notebook.run("%lab open")
    return notebook


def press(shown, name):
    """Press a button of the card that a cell has shown; the text below it."""
    [output] = shown.widgets
    identity = output["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    _, row, below = widget._instances[identity].children
    next(button for button in row.children if button.description == name).click()
    return " ".join(text_of(below.value).split())


def test_the_card_gives_a_hint_that_fits_and_gets_plainer(learner):
    shown = learner.run("%exercise second")
    assert press(shown, "Hint") == "Hint: Which command starts one?"
    assert press(shown, "Hint") == "Hint: docker run does."
    assert press(shown, "Hint") == "Hint: docker run does."


def test_the_card_checks_the_lab_as_it_is(learner):
    shown = learner.run("%exercise second")
    assert press(shown, "Check").startswith("second: not yet · ")
    start_two(learner.lab)
    assert press(shown, "Check") == "✔ second: passed"
    assert press(shown, "Hint") == "✔ second: passed"
    assert "✔ second" in learner.run("%progress").plain


def test_the_card_shows_the_solution_on_the_second_press(learner):
    shown = learner.run("%exercise second")
    assert "run two" not in press(shown, "Show solution")
    assert press(shown, "Really show it") == "One solution of second (on host1): run two"


def test_the_card_says_when_there_is_no_lab_and_works_again_when_there_is(learner):
    shown = learner.run("%exercise second")
    learner.run("%lab close")
    assert press(shown, "Hint").startswith("There is no lab. Run the cell with %lab open first")
    learner.run("%lab open")
    assert press(shown, "Hint").startswith("Hint:")


def test_where_buttons_cannot_be_pressed_the_task_is_text(learner):
    learner.shell.kernel = None
    shown = learner.run("%exercise second")
    assert shown.widgets == []
    assert "Start `two`." in shown.plain


def test_an_exercise_for_several_hosts_says_so_in_a_lab_with_fewer(learner, monkeypatch):
    wide = dataclasses.replace(SECOND, name="wide", hosts=2)
    monkeypatch.setattr(exercises, "catalogue", lambda: {"wide": wide})
    error = learner.run("%%exercise wide\nrun two").error
    assert isinstance(error, errors.ExerciseError)
    assert "a lab with 2 hosts; this one has 1" in error.message
    assert "%lab open --hosts 2" in error.hint
    assert not learner.lab.ran


def test_setup_runs_once_in_a_lab(learner):
    for cell in ("%hint second", "%hint second", "%%exercise second\nls", "%lab open", "%hint second"):
        learner.run(cell)
    assert [script for _, script, _ in learner.labs[0].ran].count("prepare") == 1
    assert [script for _, script, _ in learner.labs[1].ran].count("prepare") == 1


def test_an_answer_is_run_shown_compared_graded_and_remembered(learner):
    shown = learner.run("%%exercise second\nrun two")
    assert shown.error is None
    assert "host1# run two" in shown.outputs[0]["data"]["text/plain"]
    assert "two" in shown.outputs[1]["data"]["text/plain"]
    assert "✔ second: passed" in shown.plain
    assert list(Progress().passed()) == ["second"]


def test_an_answer_that_does_not_do_it_says_what_is_missing_and_is_no_error(learner):
    shown = learner.run("%%exercise second\nls")
    assert shown.error is None
    assert "second: not yet" in shown.plain
    assert "Hint: Which command starts one?" in shown.plain
    assert Progress().passed() == {}


def test_an_answer_with_a_line_that_fails_shows_the_failure_and_the_grade(learner):
    learner.answers["bad"] = Step("", 2, "", "no such thing\n")
    shown = learner.run("%%exercise second\nbad")
    assert shown.error is None
    assert "`bad` failed with status 2" in shown.plain
    assert "second: not yet" in shown.plain


def test_an_answer_may_be_what_the_cell_prints_on_any_machine(learner):
    shown = learner.run("%%exercise number\n%%client\nprint")
    assert learner.lab.ran[-1][0] == "client"
    assert "✔ number: passed" in shown.plain


def test_an_untouched_cell_runs_nothing_and_shows_the_card_unless_that_is_there(learner):
    shown = learner.run("%%exercise second\n# your commands, one a line\n")
    assert [script for _, script, _ in learner.lab.ran] == ["prepare"]
    assert len(shown.widgets) == 1
    assert "second: not yet. Write your commands below the first line" in shown.plain
    learner.run("%exercise second")
    assert learner.run("%%exercise second\n#\n").widgets == []


def test_solution_and_progress_as_lines(learner):
    assert "run two" in learner.run("%solution second").plain
    assert "01-veth     0 of 1  · number" in learner.run("%progress").plain


@pytest.mark.parametrize("line", ["%exercise", "%hint", "%solution one two"])
def test_a_line_without_one_name_says_which_there_are(learner, line):
    assert "Name one exercise.\nThe exercises are: number, second" in learner.run(line).trace


def test_an_unknown_exercise_is_named_with_those_that_there_are(learner):
    assert "There is no exercise 'secnd'. Did you mean second?" in learner.run("%%exercise secnd\nls").trace


# Unattended


def test_an_unattended_run_proves_the_exercise_and_remembers_nothing(learner, monkeypatch):
    monkeypatch.setenv("DNETKIT_UNATTENDED", "1")
    assert learner.run("%exercise second").widgets == []
    shown = learner.run("%%exercise second\n# your commands, one a line\n")
    assert shown.error is None
    assert "host1# run two" in shown.plain
    assert "✔ second: passed" in shown.plain
    monkeypatch.delenv("DNETKIT_UNATTENDED")
    assert Progress().passed() == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"solution": "ls"}, "The stored solution of second does not pass."),
        ({"checks": ("container_running('web')",)}, "second passes before anything was done, so it proves nothing."),
    ],
)
def test_an_unattended_run_stops_at_an_exercise_that_proves_nothing(learner, monkeypatch, change, message):
    monkeypatch.setenv("DNETKIT_UNATTENDED", "1")
    monkeypatch.setattr(exercises, "catalogue", lambda: {"second": dataclasses.replace(SECOND, **change)})
    shown = learner.run("%%exercise second\n# your commands\n")
    assert isinstance(shown.error, errors.ExerciseError)
    assert message in shown.trace


@pytest.mark.parametrize(("value", "is_so"), [("", False), ("0", False), ("1", True)])
def test_unattended_is_said_by_the_environment(monkeypatch, value, is_so):
    monkeypatch.setenv("DNETKIT_UNATTENDED", value)
    assert tutor.unattended() is is_so
