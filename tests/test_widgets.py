import ipywidgets
import pytest
from fake_notebook import text_of

from dnetkit import views
from dnetkit.errors import LabError
from dnetkit.exercises import Exercise
from dnetkit.widgets import exercise_card

EXERCISE = Exercise("second", "02-docker0", "A second one", "Start `two`.", "docker run two", ("x",), ())

pytestmark = pytest.mark.usefixtures("notebook")


class Card:
    """A card and the fingers to press its buttons."""

    def __init__(self, **answers):
        self.calls = []
        self.answers = answers
        self.box = exercise_card(EXERCISE, *(self.answer(name) for name in ("hint", "check", "solution")))
        self.task, row, self.below = self.box.children
        self.buttons = {button.description: button for button in row.children}

    def answer(self, name):
        def act():
            self.calls.append(name)
            self.disabled = [button.disabled for button in self.buttons.values()]
            answer = self.answers.get(name, views.message(f"<{name}>"))
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return act

    @property
    def shown(self):
        return " ".join(text_of(self.below.value).split())


def test_it_shows_the_task_and_three_buttons():
    card = Card()
    assert isinstance(card.box, ipywidgets.VBox)
    assert "Exercise second: A second one Start two ." in " ".join(text_of(card.task.value).split())
    assert list(card.buttons) == ["Hint", "Check", "Show solution"]
    assert all(button.tooltip for button in card.buttons.values())
    assert card.shown == ""


def test_hint_and_check_show_what_they_find_and_replace_what_was_there():
    card = Card()
    card.buttons["Hint"].click()
    assert card.shown == "<hint>"
    card.buttons["Check"].click()
    assert card.shown == "<check>"
    assert card.calls == ["hint", "check"]


def test_the_solution_is_shown_on_the_second_press():
    card = Card()
    button = card.buttons["Show solution"]
    button.click()
    assert card.calls == []
    assert "Press once more" in card.shown
    assert button.description == "Really show it"
    button.click()
    assert card.calls == ["solution"]
    assert card.shown == "<solution>"


def test_while_one_answer_is_looked_for_no_button_can_be_pressed():
    card = Card()
    card.buttons["Check"].click()
    assert card.disabled == [True, True, True]
    assert not any(button.disabled for button in card.buttons.values())


def test_an_error_is_shown_with_what_to_do():
    card = Card(check=LabError("There is no lab.", "Run the cell with `%lab open` first."))
    card.buttons["Check"].click()
    assert card.shown == "There is no lab. Run the cell with %lab open first."
    assert "dnk-removed" in card.below.value
    card.buttons["Hint"].click()
    assert card.shown == "<hint>"


def test_a_fault_of_ours_is_shown_and_leaves_its_traceback(notebook):
    card = Card(check=ZeroDivisionError("division <by> zero"))
    notebook.shell.user_ns["press"] = card.buttons["Check"].click
    assert "Traceback" in notebook.run("press()").trace
    assert card.shown == "ZeroDivisionError: division <by> zero"
    assert not any(button.disabled for button in card.buttons.values())
